use pintle_mqtt::{PacketId, QoS, ReasonCode, Timestamp};

use crate::inflight::InFlight;
use crate::limits::{ConnectionTerms, OutboundLimits};
use crate::packet_ids::PacketIds;
use crate::queue::{Queue, QueueBounds};
use crate::run_part::RunPart;
use crate::tally::Tally;
use crate::wire::{Stop, Wire, has_room};

mod deliver;
mod drain;
mod hooks;
mod kept;
mod left_behind;

pub use kept::{KeptOutbound, Released, Sent};

/// What we send to a client: its packet identifiers, messages in flight and the queue.
///
/// Outlives the Network Connection, as the Session does; the outbox of encoded bytes does not, so
/// each call that sends is given it. Holds no heap memory while nothing waits and nothing is in
/// flight.
#[derive(Debug)]
pub struct Outbound {
    terms: Option<ConnectionTerms>,
    inflight: Option<Box<InFlight>>,
    queue: Option<Box<Queue>>,
    ids: PacketIds,
    gate: Option<Box<Gate>>,
    /// Counts Network Connections, so that messages that come back from hooks are known.
    connection: u32,
    /// Dropped as expired when there was no tally to say so.
    expired_untold: u32,
    queue_meets_hooks: bool,
}

/// Messages are with the hooks; what comes after them waits.
#[derive(Clone, Copy, Debug)]
struct Gate {
    connection: u32,
    messages: u32,
    bytes: u64,
}

/// How an acknowledgement fits what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// It was expected.
    Done,
    /// No message in flight has this identifier.
    Unknown,
    /// One has, but this is not what it waits for.
    WrongState,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbound {
    /// Nothing waits, no connection.
    pub fn new() -> Self {
        Self {
            terms: None,
            inflight: None,
            queue: None,
            ids: PacketIds::new(),
            gate: None,
            connection: 0,
            expired_untold: 0,
            queue_meets_hooks: false,
        }
    }

    /// A Network Connection begins. What is in flight is sent again in the first order: PUBLISH
    /// with its identifier and DUP [MQTT-3.3.1-1], or PUBREL where PUBREC was seen [MQTT-4.4.0-1];
    /// then the queue as far as quota and outbox allow.
    pub fn begin_connection(
        &mut self,
        terms: ConnectionTerms,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox: &mut Vec<u8>,
    ) -> Tally {
        self.terms = Some(terms);
        self.connection = self.connection.wrapping_add(1);
        if let Some(inflight) = &mut self.inflight {
            for id in inflight.released_in_order() {
                append_pubrel(id, outbox);
            }
            inflight.begin_resend();
        }
        self.drain(limits, now, outbox)
    }

    /// The Network Connection ended; everything unfinished stays.
    pub fn end_connection(&mut self) {
        self.terms = None;
        if let Some(inflight) = &mut self.inflight {
            inflight.end_resend();
        }
    }

    /// The Session ended: everything unfinished is dropped, and what is with the hooks does not
    /// come back.
    pub fn clear(&mut self) {
        self.inflight = None;
        self.queue = None;
        self.ids.free_all();
        self.gate = None;
        self.expired_untold = 0;
    }

    /// Whether there is a Network Connection to send on.
    pub fn is_connected(&self) -> bool {
        self.terms.is_some()
    }

    /// Says whether hooks must see what leaves the queue. While they must, it leaves by
    /// [`Outbound::take_for_hooks`] alone, and [`Outbound::drain`] only sends again what is in
    /// flight.
    pub fn set_queue_meets_hooks(&mut self, meets_hooks: bool) {
        self.queue_meets_hooks = meets_hooks;
    }

    /// PUBACK: the QoS 1 message is delivered [MQTT-4.3.2-3].
    #[inline]
    pub fn puback(&mut self, id: PacketId) -> Acked {
        self.finish(|inflight, ids| inflight.finish(id, QoS::AtLeastOnce, ids))
    }

    /// PUBREC: PUBREL goes out [MQTT-4.3.3-4], the message itself is never sent again
    /// [MQTT-4.3.3-6]; with a Reason Code of 0x80 or above the flow ends instead.
    pub fn pubrec(&mut self, id: PacketId, reason: ReasonCode, outbox: &mut Vec<u8>) -> Acked {
        if reason.is_failure() {
            return self.finish(|inflight, ids| {
                if inflight.is_released(id) {
                    inflight.complete(id, ids)
                } else {
                    inflight.finish(id, QoS::ExactlyOnce, ids)
                }
            });
        }
        let acked = self.finish(|inflight, _| inflight.release(id));
        if acked == Acked::Done {
            append_pubrel(id, outbox);
        }
        acked
    }

    /// PUBCOMP: the QoS 2 message is delivered [MQTT-4.3.3-5].
    pub fn pubcomp(&mut self, id: PacketId) -> Acked {
        self.finish(|inflight, ids| inflight.complete(id, ids))
    }

    #[inline]
    fn finish(&mut self, apply: impl FnOnce(&mut InFlight, &mut PacketIds) -> Acked) -> Acked {
        let Some(inflight) = &mut self.inflight else {
            return Acked::Unknown;
        };
        let acked = apply(inflight, &mut self.ids);
        if inflight.is_empty() {
            self.inflight = None;
            self.ids.free_all();
        }
        acked
    }

    /// Drops queued messages whose Message Expiry Interval has passed; the number is told as
    /// `expired`. Costs nothing while none can have.
    pub fn drop_expired(&mut self, now: Timestamp) -> Tally {
        let expired = self.queue.as_mut().map_or(0, |queue| queue.drop_expired(now));
        self.forget_empty_queue();
        Tally { expired, ..Tally::default() }
    }

    /// Messages in the queue, with those that hooks have right now.
    pub fn queue_len(&self) -> u32 {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.len());
        queued + self.gate.as_ref().map_or(0, |gate| gate.messages)
    }

    /// Bytes of the packets in the queue as they are kept, with those that hooks have right now.
    pub fn queue_bytes(&self) -> u64 {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.bytes());
        queued + self.gate.as_ref().map_or(0, |gate| gate.bytes)
    }

    /// Messages that were sent and are not finished.
    pub fn inflight_len(&self) -> u32 {
        self.inflight.as_ref().map_or(0, |inflight| inflight.len())
    }

    /// Whether anything would be lost with the Session.
    pub fn holds_state(&self) -> bool {
        self.inflight.is_some() || self.queue_len() > 0
    }

    /// Whether [`Outbound::drain`] or [`Outbound::take_for_hooks`] would get on: something waits,
    /// and quota and outbox have room for it.
    pub fn can_drain(&self, limits: &OutboundLimits, outbox_len: usize) -> bool {
        let Some(terms) = self.terms else {
            return false;
        };
        if self.quota_left(terms, limits) == 0 {
            return false;
        }
        if self.resends() {
            return outbox_len < limits.outbox_bytes_max || outbox_len == 0;
        }
        let first = self.queue.as_ref().and_then(|queue| queue.first());
        first.is_some_and(|part| {
            let fits = has_room(outbox_len, part.first_len(), limits.outbox_bytes_max);
            self.gate.is_none() && fits
        })
    }

    /// Whether anything is left for [`Outbound::drain`] or [`Outbound::take_for_hooks`], whether or
    /// not quota and outbox have room for it.
    pub fn has_waiting(&self) -> bool {
        self.queue.is_some() || self.resends()
    }

    /// QoS 1 and 2 messages that may still be sent before one is finished [MQTT-3.3.4-9].
    fn quota_left(&self, terms: ConnectionTerms, limits: &OutboundLimits) -> u32 {
        let used = self.inflight.as_ref().map_or(0, |inflight| inflight.outstanding());
        terms.send_quota(limits).saturating_sub(used)
    }

    /// Whether something in flight has yet to be sent again on this connection.
    fn resends(&self) -> bool {
        self.inflight.as_ref().is_some_and(|inflight| inflight.resend_len() > 0)
    }

    /// Whether a QoS 1 or 2 message that comes now has to wait behind others.
    fn must_wait(&self) -> bool {
        self.terms.is_none() || self.queue.is_some() || self.gate.is_some() || self.resends()
    }

    fn enqueue(&mut self, part: RunPart, limits: &OutboundLimits, now: Timestamp) -> Tally {
        let out = self.gate.as_ref().map_or((0, 0), |gate| (gate.messages, gate.bytes));
        let bounds = QueueBounds::new(limits, out.0, out.1);
        let tally = self.queue.get_or_insert_default().push(part, bounds, now);
        self.forget_empty_queue();
        tally
    }

    fn forget_empty_queue(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
    }

    /// Sends messages off the front of `part`, each with an identifier of its own [MQTT-2.2.1-4], as far as quota and outbox allow; the rest stays in
    /// it.
    fn send(&mut self, part: &mut RunPart, limits: &OutboundLimits, wire: &mut Wire<'_>) -> Tally {
        let mut tally = Tally::default();
        if part.is_expired(wire.now) {
            tally.expired = part.drop_all();
        }
        while part.count() > 0 {
            let left = self.quota_left(wire.terms, limits).min(part.count());
            if left == 0 {
                break;
            }
            let (ids, inflight) = (&mut self.ids, &mut self.inflight);
            let in_use = || inflight.iter().flat_map(|inflight| inflight.ids());
            let Some(mut range) = ids.peek(left, in_use) else {
                break;
            };
            let appended = wire.append(part, range, false);
            if appended.count > 0 {
                range.count = appended.count as u16;
                ids.take(range);
                let sent = part.split_front(appended.count, appended.end);
                inflight.get_or_insert_default().sent(sent, range.first);
                tally.sent += appended.count;
            }
            match appended.stop {
                Stop::Enough => {}
                Stop::OutboxFull => break,
                Stop::TooLarge => {
                    part.drop_first();
                    tally.too_large += 1;
                }
            }
        }
        tally
    }
}

/// Appends a PUBREL with Reason Code 0x00, which both layouts write alike.
fn append_pubrel(id: PacketId, outbox: &mut Vec<u8>) {
    let [high, low] = id.get().to_be_bytes();
    outbox.extend_from_slice(&[0x62, 2, high, low]);
}
