/// What became of the messages that one call handled, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Appended to the outbox, second tries included.
    pub sent: u32,
    /// Put into the queue.
    pub queued: u32,
    /// Lost because the queue was full.
    pub queue_full: u32,
    /// Left out because the client's Maximum Packet Size is smaller.
    pub too_large: u32,
    /// Dropped because their Message Expiry Interval had passed.
    pub expired: u32,
    /// QoS 0, dropped because the outbox was full.
    pub slow_consumer: u32,
}

impl Tally {
    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.queued += other.queued;
        self.queue_full += other.queue_full;
        self.too_large += other.too_large;
        self.expired += other.expired;
        self.slow_consumer += other.slow_consumer;
    }

    /// Messages that the client will not get.
    pub fn dropped(&self) -> u32 {
        self.queue_full + self.too_large + self.expired + self.slow_consumer
    }
}
