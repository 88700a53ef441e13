use pintle_mqtt::Layout;

/// Which message goes when one more would pass a bound of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueOverflow {
    /// The one that has waited longest makes room.
    #[default]
    DropOldest,
    /// The one that just came is not taken.
    DropNewest,
}

/// Bounds of what one session may hold for its client; the operator's, not the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboundLimits {
    /// Messages that may wait in the queue.
    pub queue_messages_max: u32,
    /// Bytes of encoded packets that may wait in the queue.
    pub queue_bytes_max: u64,
    /// QoS 1 and 2 messages in flight towards a client that cannot name a Receive Maximum (v3).
    /// 0 counts as 1.
    pub inflight_max: u16,
    /// Bytes that may wait in the outbox. One message may always go into an empty outbox.
    pub outbox_bytes_max: usize,
    /// What makes room when the queue is full.
    pub queue_overflow: QueueOverflow,
}

impl Default for OutboundLimits {
    fn default() -> Self {
        Self {
            queue_messages_max: 1000,
            queue_bytes_max: 16 << 20,
            inflight_max: u16::MAX,
            outbox_bytes_max: 1 << 20,
            queue_overflow: QueueOverflow::DropOldest,
        }
    }
}

/// What the client said about itself when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionTerms {
    /// How its packets are laid out.
    pub layout: Layout,
    /// The client's Receive Maximum; not looked at for [`Layout::V3`].
    pub receive_maximum: u16,
    /// The client's Maximum Packet Size in bytes, Fixed Header included.
    pub packet_bytes_max: u32,
}

impl ConnectionTerms {
    /// How many QoS 1 and 2 messages may be unfinished at once; at least 1.
    pub(crate) fn send_quota(&self, limits: &OutboundLimits) -> u32 {
        let quota = match self.layout {
            Layout::V3 => limits.inflight_max,
            Layout::V5 => self.receive_maximum,
        };
        u32::from(quota.max(1))
    }
}
