use pintle_mqtt::{PacketId, QoS, Timestamp};

use super::Outbound;
use crate::inflight::InFlight;
use crate::limits::OutboundLimits;
use crate::packet_ids::IdRange;
use crate::queue::Queue;
use crate::run_part::RunPart;
use crate::tally::Tally;
use crate::wire::{Stop, Wire};

/// Entries of one message that are sent together.
const SINGLES_MAX: u32 = 64;

impl Outbound {
    /// Sends what waits as far as quota and outbox allow: first what this connection has yet to
    /// see again, then the queue. Expired messages are dropped and counted.
    pub fn drain(
        &mut self,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox: &mut Vec<u8>,
    ) -> Tally {
        let mut tally =
            Tally { expired: std::mem::take(&mut self.expired_untold), ..Tally::default() };
        let Some(terms) = self.terms else {
            return tally;
        };
        let mut wire = Wire::new(terms, limits, now, outbox);
        tally.merge(self.resend(limits, &mut wire));
        if !self.resends() && self.gate.is_none() && !self.queue_meets_hooks {
            tally.merge(self.drain_queue(limits, &mut wire));
        }
        tally
    }

    fn drain_queue(&mut self, limits: &OutboundLimits, wire: &mut Wire<'_>) -> Tally {
        let mut tally = Tally::default();
        let Some(mut queue) = self.queue.take() else {
            return tally;
        };
        loop {
            let sent = self.send_singles(&mut queue, limits, wire);
            tally.sent += sent;
            if sent < SINGLES_MAX
                && !queue.take_from_first(|part| tally.merge(self.send(part, limits, wire)))
            {
                break;
            }
        }
        self.queue = (!queue.is_empty()).then_some(queue);
        tally
    }

    /// Sends entries of one message each off the front of the queue, so long as they go as they
    /// are kept and nothing stands in their way, [`SINGLES_MAX`] at most; gives their number.
    fn send_singles(
        &mut self,
        queue: &mut Queue,
        limits: &OutboundLimits,
        wire: &mut Wire<'_>,
    ) -> u32 {
        let entries = self.quota_left(wire.terms, limits).min(queue.entries());
        if entries == 0 {
            return 0;
        }
        let inflight = &self.inflight;
        let in_use = || inflight.iter().flat_map(|inflight| inflight.ids());
        let Some(mut range) = self.ids.peek(entries.min(SINGLES_MAX), in_use) else {
            return 0;
        };
        let mut next_id = range.in_turn();
        let mut sent = 0;
        while sent < range.count
            && let Some(part) = queue.pop_if(|part| wire.append_single(part, &mut next_id))
        {
            let inflight = self.inflight.get_or_insert_with(|| {
                let mut inflight = Box::<InFlight>::default();
                inflight.reserve(entries as usize);
                inflight
            });
            inflight.sent(part, range.nth(sent));
            sent += 1;
        }
        range.count = sent;
        self.ids.take(range);
        u32::from(sent)
    }

    /// Sends again what is in flight, in the first order.
    fn resend(&mut self, limits: &OutboundLimits, wire: &mut Wire<'_>) -> Tally {
        let mut tally = Tally::default();
        while let Some(next) = self.inflight.as_mut().and_then(|it| it.next_resend()) {
            if may_expire(&next.part) && next.part.is_expired(wire.now) {
                self.forget(next.first, next.part.qos());
                tally.expired += 1;
                continue;
            }
            let left = self.quota_left(wire.terms, limits);
            if left == 0 {
                break;
            }
            let range =
                IdRange { first: next.first, count: u16::try_from(left).unwrap_or(u16::MAX) };
            let appended = wire.append(&next.part, range, true);
            if let Some(inflight) = &mut self.inflight
                && appended.count > 0
            {
                inflight.resent(next.first, appended.count);
                tally.sent += appended.count;
            }
            match appended.stop {
                Stop::Enough => {}
                Stop::OutboxFull => break,
                Stop::TooLarge => {
                    let refused = nth(next.first, appended.count);
                    self.forget(refused, next.part.qos());
                    tally.too_large += 1;
                }
            }
        }
        tally
    }

    /// Ends a flow that the client will not hear of again.
    fn forget(&mut self, id: PacketId, qos: QoS) {
        self.finish(|inflight, ids| inflight.finish(id, qos, ids));
    }
}

/// Expiry no longer applies once a QoS 2 message has been sent [MQTT-4.3.3-7]: the client may hold
/// its identifier.
fn may_expire(part: &RunPart) -> bool {
    part.qos() == QoS::AtLeastOnce
}

fn nth(first: PacketId, n: u32) -> PacketId {
    let id = u32::from(first.get()) + n;
    u16::try_from(id).ok().and_then(PacketId::new).unwrap_or(first)
}
