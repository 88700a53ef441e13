use pintle_mqtt::Timestamp;

use super::{Gate, Outbound};
use crate::limits::OutboundLimits;
use crate::run_part::RunPart;
use crate::tally::Tally;
use crate::waiting::{Hooked, Waiting};
use crate::wire::{Wire, has_room};

impl Outbound {
    /// Hands out at most `max` of the queued messages that could be sent now, oldest first. Until
    /// [`Outbound::send_hooked`] brings them back, everything of QoS 1 and 2 waits behind them;
    /// they still count as queued.
    pub fn take_for_hooks(
        &mut self,
        max: usize,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox_len: usize,
    ) -> Vec<Waiting> {
        let mut taken = Vec::new();
        let Some(terms) = self.terms.filter(|_| self.gate.is_none() && !self.resends()) else {
            return taken;
        };
        let max = max.min(self.quota_left(terms, limits) as usize);
        let mut gate = Gate { connection: self.connection, messages: 0, bytes: 0 };
        while taken.len() < max {
            let Some(queue) = &mut self.queue else {
                break;
            };
            self.expired_untold += queue.drop_first_if_expired(now);
            let len = queue.first().map_or(0, RunPart::first_len);
            if !has_room(outbox_len + gate.bytes as usize, len, limits.outbox_bytes_max) {
                break;
            }
            let Some(message) = queue.take_first_message() else {
                break;
            };
            gate.messages += 1;
            gate.bytes += len as u64;
            taken.push(Waiting::new(message));
        }
        self.forget_empty_queue();
        self.gate = (!taken.is_empty()).then(|| Box::new(gate));
        taken
    }

    /// Takes back what [`Outbound::take_for_hooks`] handed out, in order, with what became of each.
    ///
    /// Sent without regard to the outbox's bound, so that no message meets its hooks twice for want
    /// of room. If the connection ended meanwhile, all return to the front of the queue as they
    /// were; if the Session did, they are dropped.
    pub fn send_hooked(
        &mut self,
        messages: Vec<(Waiting, Hooked)>,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox: &mut Vec<u8>,
    ) -> Tally {
        let mut tally =
            Tally { expired: std::mem::take(&mut self.expired_untold), ..Tally::default() };
        let Some(gate) = self.gate.take() else {
            return tally;
        };
        let terms = self.terms.filter(|_| gate.connection == self.connection);
        let Some(terms) = terms else {
            self.put_back(messages.into_iter().map(|(waiting, _)| waiting.into_part()));
            return tally;
        };
        let mut wire = Wire::new(terms, limits, now, outbox).unbounded();
        let mut parts = messages.into_iter().filter_map(into_part);
        let mut left_over = Vec::new();
        for mut part in parts.by_ref() {
            tally.merge(self.send(&mut part, limits, &mut wire));
            if part.count() > 0 {
                left_over.push(part);
                break;
            }
        }
        left_over.extend(parts);
        self.put_back(left_over.into_iter());
        tally
    }

    /// Puts messages in front of the queue, the first of them foremost.
    fn put_back(&mut self, parts: impl DoubleEndedIterator<Item = RunPart>) {
        for part in parts.rev() {
            self.queue.get_or_insert_default().put_back(part);
        }
    }
}

fn into_part((waiting, hooked): (Waiting, Hooked)) -> Option<RunPart> {
    match hooked {
        Hooked::Send => Some(waiting.into_part()),
        Hooked::Replace(run) => Some(waiting.into_part().replaced(run)),
        Hooked::Drop => None,
    }
}
