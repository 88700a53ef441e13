//! One publisher: what it sends, how much of it is on its way, how much more it may send.

use std::ops::Range;

use super::frames::PublishFrame;
use super::packet_ids::PacketIds;

/// Messages of one publisher on one topic; their order is kept.
pub(super) struct Stream {
    pub(super) frame: PublishFrame,
    pub(super) publisher: usize,
    pub(super) sent: u64,
}

impl Stream {
    pub(super) const fn new(frame: PublishFrame, publisher: usize) -> Self {
        Self { frame, publisher, sent: 0 }
    }
}

/// A connection that publishes its streams in turn.
pub(super) struct Publisher {
    pub(super) link: usize,
    pub(super) streams: Range<usize>,
    pub(super) next_stream: usize,
    /// How often each message is to be delivered.
    pub(super) copies: u64,
    pub(super) sent: u64,
    /// Sends no more than so many.
    pub(super) quota: u64,
    /// Messages that may be on their way at a time.
    pub(super) window: u64,
    /// Deliveries that have come or are given up.
    settled: u64,
    /// `settled` when somebody last looked whether it changes.
    seen_settled: u64,
    /// Deliveries that are given up and might come after all.
    given_up: u64,
    pub(super) ids: PacketIds,
    /// Whether it is in the list of those that may send.
    pub(super) is_listed: bool,
}

impl Publisher {
    pub(super) fn new(link: usize, streams: Range<usize>, copies: u64) -> Self {
        Self {
            link,
            next_stream: streams.start,
            streams,
            copies,
            sent: 0,
            quota: 0,
            window: 1,
            settled: 0,
            seen_settled: 0,
            given_up: 0,
            ids: PacketIds::default(),
            is_listed: false,
        }
    }

    const fn on_the_way(&self) -> u64 {
        (self.sent * self.copies).saturating_sub(self.settled)
    }

    /// Whether everything sent has come, and has been acknowledged.
    pub(super) const fn is_settled(&self) -> bool {
        self.on_the_way() == 0 && self.ids.in_use() == 0
    }

    /// Whether half the window is free: sending less would be many small packets.
    pub(super) fn may_send(&self) -> bool {
        let low = self.window / 2;
        self.sent < self.quota
            && self.on_the_way() <= low * self.copies
            && u64::from(self.ids.in_use()) <= low
    }

    pub(super) fn allowance(&self) -> u64 {
        let on_the_way = if self.copies == 0 { 0 } else { self.on_the_way().div_ceil(self.copies) };
        let free = self.window.saturating_sub(on_the_way.max(u64::from(self.ids.in_use())));
        free.min(self.quota.saturating_sub(self.sent))
    }

    pub(super) fn settle(&mut self, deliveries: u64) {
        let paid = self.given_up.min(deliveries);
        self.given_up -= paid;
        self.settled += deliveries - paid;
    }

    /// Stops waiting for what is on its way if nothing has come since the last call; true if there
    /// was anything.
    pub(super) const fn give_up_if_stalled(&mut self) -> bool {
        let lost = self.on_the_way();
        let is_stalled = lost > 0 && self.settled == self.seen_settled;
        if is_stalled {
            self.settled += lost;
            self.given_up += lost;
        }
        self.seen_settled = self.settled;
        is_stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has sent `sent` of 100 messages, for two receivers each, with a window of 10.
    fn publisher(sent: u64, settled: u64) -> Publisher {
        Publisher { sent, settled, quota: 100, window: 10, ..Publisher::new(0, 0..1, 2) }
    }

    #[test]
    fn a_publisher_waits_until_half_its_window_is_free() {
        assert!(publisher(0, 0).may_send());
        assert!(!publisher(10, 9).may_send());
        assert!(publisher(10, 10).may_send());
        assert_eq!(publisher(10, 10).allowance(), 5);
        assert_eq!(publisher(10, 9).allowance(), 4);
    }

    #[test]
    fn a_publisher_stops_at_its_quota() {
        assert_eq!(publisher(98, 2 * 98).allowance(), 2);
        assert!(!publisher(100, 200).may_send());
        assert!(publisher(100, 200).is_settled());
        assert!(!publisher(100, 199).is_settled());
    }

    #[test]
    fn what_comes_after_it_was_given_up_is_not_counted_twice() {
        let mut publisher = publisher(10, 15);

        assert!(!publisher.give_up_if_stalled(), "15 have come since the start");
        assert!(publisher.give_up_if_stalled());
        assert_eq!(publisher.on_the_way(), 0);
        publisher.sent += 1;
        publisher.settle(5);
        assert_eq!(publisher.on_the_way(), 2);
        publisher.settle(2);

        assert!(publisher.is_settled());
    }
}
