use std::collections::VecDeque;

use foldhash::{HashMap, HashMapExt, HashSet};
use pintle_mqtt::{PacketId, Timestamp};
use pintle_ports::{Space, StoreOp};
use pintle_router::SubscriptionOptions;
use pintle_session::{KeptOutbound, Waiting};

use super::bodies::{Bodies, Place};
use super::lasting::Lasting;
use super::records::{
    client_key, in_flight_record, inbound_record, queue_record, subscription_record,
};
use super::wall_clock::WallClock;

/// What the store has of one session.
#[derive(Default)]
pub(crate) struct Shadow {
    /// Of the session that is stored; another of the same client has to be compared whole.
    pub(crate) session_key: u64,
    record: Vec<u8>,
    subscriptions: HashMap<Box<str>, SubscriptionOptions>,
    queue: Vec<(u64, Place)>,
    next_in_queue: u64,
    in_flight: HashMap<PacketId, InFlight>,
    inbound: HashSet<PacketId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct InFlight {
    sequence: u64,
    /// None once the message is the client's.
    message: Option<Place>,
}

/// The changes of one session, and where its messages are.
pub(crate) struct Changes<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) clock: WallClock,
    pub(crate) bodies: &'a mut Bodies,
    pub(crate) ops: &'a mut Vec<StoreOp>,
}

impl Changes<'_> {
    fn put(&mut self, space: Space, rest: &[u8], value: Vec<u8>, expires_at: Timestamp) {
        let key = client_key(self.client_id, rest);
        let expires_at_ms = self.clock.end_of_life(expires_at);
        self.ops.push(StoreOp::Put { space, key, value, expires_at_ms });
    }

    fn delete(&mut self, space: Space, rest: &[u8]) {
        let key = client_key(self.client_id, rest);
        self.ops.push(StoreOp::Delete { space, key });
    }

    fn take_up(&mut self, message: &Waiting) -> u64 {
        self.bodies.take_up(message, self.clock, self.ops)
    }
}

fn packet_id(id: PacketId) -> [u8; 2] {
    id.get().to_be_bytes()
}

impl Shadow {
    /// Leads what is stored to what is: first what is new, then what is no more.
    pub(crate) fn become_like(&mut self, lasting: Lasting, changes: &mut Changes<'_>) {
        if self.record != lasting.record {
            changes.ops.push(StoreOp::Put {
                space: Space::Sessions,
                key: changes.client_id.as_bytes().to_vec(),
                value: lasting.record.clone(),
                expires_at_ms: changes.clock.end_of_life(lasting.expires_at),
            });
            self.record = lasting.record;
        }
        if let Some(subscriptions) = lasting.subscriptions {
            self.subscribe(subscriptions, changes);
        }
        if let Some(open) = lasting.inbound {
            self.open(&open, changes);
        }
        if let Some(outbound) = lasting.outbound {
            self.send(&outbound, changes);
        }
    }

    /// Removes everything.
    pub(crate) fn end(mut self, changes: &mut Changes<'_>) {
        let key = changes.client_id.as_bytes().to_vec();
        changes.ops.push(StoreOp::Delete { space: Space::Sessions, key });
        self.subscribe(Vec::new(), changes);
        self.open(&[], changes);
        self.send(&KeptOutbound::default(), changes);
    }

    fn subscribe(&mut self, now: Vec<(Box<str>, SubscriptionOptions)>, changes: &mut Changes<'_>) {
        let mut before = std::mem::take(&mut self.subscriptions);
        for (filter, options) in now {
            if before.remove(&filter) != Some(options) {
                let record = subscription_record(options);
                let key = filter.as_bytes();
                changes.put(Space::Subscriptions, key, record, Timestamp::NEVER);
            }
            self.subscriptions.insert(filter, options);
        }
        for filter in before.into_keys() {
            changes.delete(Space::Subscriptions, filter.as_bytes());
        }
    }

    fn open(&mut self, now: &[PacketId], changes: &mut Changes<'_>) {
        let before = std::mem::take(&mut self.inbound);
        for id in now {
            if !before.contains(id) {
                let never = Timestamp::NEVER;
                changes.put(Space::Inbound, &packet_id(*id), inbound_record(), never);
            }
            self.inbound.insert(*id);
        }
        for id in before.difference(&self.inbound) {
            changes.delete(Space::Inbound, &packet_id(*id));
        }
    }

    fn send(&mut self, now: &KeptOutbound, changes: &mut Changes<'_>) {
        let was_in_flight = self.fly(now, changes);
        let was_queued = self.queue_up(&now.queue, changes);
        for (id, before) in was_in_flight {
            if !self.in_flight.contains_key(&id) {
                changes.delete(Space::InFlight, &packet_id(id));
            }
            if let Some(place) = before.message {
                changes.bodies.let_go(place);
            }
        }
        for (number, place) in was_queued {
            changes.delete(Space::Queue, &number.to_be_bytes());
            changes.bodies.let_go(place);
        }
        changes.bodies.sweep(changes.ops);
    }

    /// Puts what is newly in flight; returns what was and is no more, or is something else.
    fn fly(
        &mut self,
        now: &KeptOutbound,
        changes: &mut Changes<'_>,
    ) -> HashMap<PacketId, InFlight> {
        let mut before = std::mem::take(&mut self.in_flight);
        for sent in &now.sent {
            let place = Place::of(&sent.message);
            let next = InFlight { sequence: sent.sequence, message: Some(place) };
            if before.get(&sent.id) == Some(&next) {
                before.remove(&sent.id);
            } else {
                let number = changes.take_up(&sent.message);
                let record = in_flight_record(sent.sequence, Some((number, &sent.message)));
                let key = packet_id(sent.id);
                changes.put(Space::InFlight, &key, record, Timestamp::NEVER);
            }
            self.in_flight.insert(sent.id, next);
        }
        for released in &now.released {
            let next = InFlight { sequence: released.sequence, message: None };
            if before.get(&released.id) == Some(&next) {
                before.remove(&released.id);
            } else {
                let record = in_flight_record(released.sequence, None);
                let key = packet_id(released.id);
                changes.put(Space::InFlight, &key, record, Timestamp::NEVER);
            }
            self.in_flight.insert(released.id, next);
        }
        before
    }

    /// Puts what newly waits; returns what did and does no more. Numbers rise from front to back: a
    /// message that is not where it was is stored again behind all others.
    fn queue_up(&mut self, now: &[Waiting], changes: &mut Changes<'_>) -> Vec<(u64, Place)> {
        let before = std::mem::take(&mut self.queue);
        let mut known: HashMap<Place, VecDeque<u64>> = HashMap::with_capacity(before.len());
        for (number, place) in &before {
            known.entry(*place).or_default().push_back(*number);
        }
        let mut last = None;
        let mut is_kept: HashSet<u64> = HashSet::default();
        for message in now {
            let place = Place::of(message);
            let stored = known.get_mut(&place).and_then(VecDeque::pop_front);
            let number = match stored.filter(|number| last < Some(*number)) {
                Some(number) => {
                    is_kept.insert(number);
                    number
                }
                None => {
                    let number = self.next_in_queue;
                    self.next_in_queue += 1;
                    let record = queue_record(changes.take_up(message), message);
                    let expires_at = message.run().expires_at();
                    changes.put(Space::Queue, &number.to_be_bytes(), record, expires_at);
                    number
                }
            };
            last = Some(number);
            self.queue.push((number, place));
        }
        before.into_iter().filter(|(number, _)| !is_kept.contains(number)).collect()
    }

    /// What the store has of a session that was restored from it.
    pub(crate) fn restored(session_key: u64, record: Vec<u8>) -> Self {
        Self { session_key, record, ..Self::default() }
    }

    pub(crate) fn restore_subscription(&mut self, filter: &str, options: SubscriptionOptions) {
        self.subscriptions.insert(filter.into(), options);
    }

    pub(crate) fn restore_open(&mut self, id: PacketId) {
        self.inbound.insert(id);
    }

    /// `message` is none where it was the client's already.
    pub(crate) fn restore_in_flight(
        &mut self,
        id: PacketId,
        sequence: u64,
        message: Option<&Waiting>,
    ) {
        self.in_flight.insert(id, InFlight { sequence, message: message.map(Place::of) });
    }

    pub(crate) fn restore_queued(&mut self, number: u64, message: &Waiting) {
        self.queue.push((number, Place::of(message)));
        self.skip_in_queue(number);
    }

    /// There is something by this number, whatever it is.
    pub(crate) fn skip_in_queue(&mut self, number: u64) {
        self.next_in_queue = self.next_in_queue.max(number.saturating_add(1));
    }
}
