use std::collections::{BTreeMap, VecDeque};

use pintle_mqtt::{PacketId, QoS};

use crate::flight::Flight;
use crate::outbound::Acked;
use crate::packet_ids::{IdRange, PacketIds};
use crate::run_part::RunPart;

/// Messages that were sent and are not finished: one [`Flight`] for each run while it is
/// acknowledged in order.
///
/// A flight's identifiers follow one another and are all unacknowledged. The one that is being
/// acknowledged stands apart from the rest, so that acknowledgements in order find it at once; those
/// sent after it stand in a row until an acknowledgement comes out of order.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    current: Option<Flight>,
    /// Identifiers rise from front to back.
    row: VecDeque<Flight>,
    /// By last identifier.
    others: BTreeMap<PacketId, Flight>,
    /// QoS 2 messages that wait for PUBCOMP, and which PUBREC it was that released them.
    released: BTreeMap<PacketId, u64>,
    /// Messages in all flights.
    unacknowledged: u32,
    /// Counts every message sent and every PUBREC.
    sequence: u64,
    resend: Option<Box<Resend>>,
}

/// What a new Network Connection has not been sent again yet.
#[derive(Debug)]
struct Resend {
    /// In the order of the first sending.
    ranges: VecDeque<IdRange>,
    messages: u32,
    /// Every message before this one has been sent again.
    sequence: u64,
}

/// The next messages to send again.
pub(crate) struct NextResend {
    pub(crate) part: RunPart,
    pub(crate) first: PacketId,
}

impl InFlight {
    /// Room that the row keeps when it is empty, in flights.
    const ROW_KEPT: usize = 8;

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that are not finished.
    pub(crate) fn len(&self) -> u32 {
        self.unacknowledged + self.released.len() as u32
    }

    /// Those of them that count against the quota of this Network Connection.
    pub(crate) fn outstanding(&self) -> u32 {
        self.len() - self.resend_len()
    }

    /// Those that this Network Connection has yet to see.
    pub(crate) fn resend_len(&self) -> u32 {
        self.resend.as_ref().map_or(0, |resend| resend.messages)
    }

    /// All identifiers in use.
    pub(crate) fn ids(&self) -> impl Iterator<Item = IdRange> + use<'_> {
        let released = self.released.keys();
        let released = released.map(|&first| IdRange { first, count: 1 });
        self.flights().map(Flight::ids).chain(released)
    }

    fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.current.iter().chain(&self.row).chain(self.others.values())
    }

    /// `part` has been sent with the identifiers from `first` on.
    pub(crate) fn sent(&mut self, part: RunPart, first: PacketId) {
        let count = part.count();
        self.unacknowledged += count;
        let flight = Flight::new(part, first, self.sequence);
        self.sequence += u64::from(count);
        if self.current.is_none() {
            self.current = Some(flight);
        } else if self.row.back().is_none_or(|back| back.last() < flight.first()) {
            self.row.push_back(flight);
        } else {
            self.others.insert(flight.last(), flight);
        }
    }

    /// Makes room for `count` more calls of [`InFlight::sent`].
    pub(crate) fn reserve(&mut self, count: usize) {
        self.row.reserve(count);
    }

    /// PUBACK, or a PUBREC that ends the flow: the message of a flow of `qos` is finished.
    pub(crate) fn finish(&mut self, id: PacketId, qos: QoS, ids: &mut PacketIds) -> Acked {
        let acked = self.acknowledge(id, qos);
        if acked == Acked::Done {
            ids.free(id);
        }
        acked
    }

    /// PUBREC: the message is the client's now, PUBREL goes out, the identifier stays in use.
    pub(crate) fn release(&mut self, id: PacketId) -> Acked {
        if self.released.contains_key(&id) {
            return Acked::Done;
        }
        let acked = self.acknowledge(id, QoS::ExactlyOnce);
        if acked == Acked::Done {
            self.released.insert(id, self.sequence);
            self.sequence += 1;
        }
        acked
    }

    /// PUBCOMP, or a PUBREC that fails a flow after PUBREL: it is finished.
    pub(crate) fn complete(&mut self, id: PacketId, ids: &mut PacketIds) -> Acked {
        if self.released.remove(&id).is_some() {
            ids.free(id);
            return Acked::Done;
        }
        match self.flight_with(id) {
            Some(_) => Acked::WrongState,
            None => Acked::Unknown,
        }
    }

    pub(crate) fn is_released(&self, id: PacketId) -> bool {
        self.released.contains_key(&id)
    }

    fn flight_with(&self, id: PacketId) -> Option<&Flight> {
        let current = self.current.as_ref().filter(|flight| flight.contains(id));
        current.or_else(|| self.in_row(id)).or_else(|| {
            let (_, flight) = self.others.range(id..).next()?;
            flight.contains(id).then_some(flight)
        })
    }

    fn in_row(&self, id: PacketId) -> Option<&Flight> {
        let at = self.row.partition_point(|flight| flight.last() < id);
        self.row.get(at).filter(|flight| flight.contains(id))
    }

    /// Lets every flight of the row be found by its identifiers.
    fn spill_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        self.others.extend(row.into_iter().map(|flight| (flight.last(), flight)));
    }

    fn pop_row(&mut self) -> Option<Flight> {
        let flight = self.row.pop_front();
        if self.row.is_empty() {
            self.row.shrink_to(Self::ROW_KEPT);
        }
        flight
    }

    #[inline]
    fn acknowledge(&mut self, id: PacketId, qos: QoS) -> Acked {
        if let Some(current) = &mut self.current
            && current.contains(id)
        {
            if current.qos() != qos {
                return Acked::WrongState;
            }
            let sequence = current.sequence_of(id);
            if current.acknowledge_first(id) {
                if current.is_empty() {
                    self.next_current();
                }
            } else if !current.acknowledge_last(id) {
                self.split_current(id);
            }
            self.acknowledged(sequence);
            return Acked::Done;
        }
        self.acknowledge_other(id, qos)
    }

    fn acknowledge_other(&mut self, id: PacketId, qos: QoS) -> Acked {
        if self.in_row(id).is_some() {
            self.spill_row();
        }
        let Some((&last, flight)) = self.others.range_mut(id..).next() else {
            return self.unknown_or_released(id);
        };
        if !flight.contains(id) {
            return self.unknown_or_released(id);
        }
        if flight.qos() != qos {
            return Acked::WrongState;
        }
        let sequence = flight.sequence_of(id);
        if flight.acknowledge_first(id) {
            if flight.is_empty() {
                self.others.remove(&last);
            }
        } else if let Some(flight) = self.others.remove(&last) {
            let (before, after) = flight.without(id);
            self.insert(before);
            self.insert(after);
        }
        self.acknowledged(sequence);
        Acked::Done
    }

    fn unknown_or_released(&self, id: PacketId) -> Acked {
        if self.released.contains_key(&id) { Acked::WrongState } else { Acked::Unknown }
    }

    fn split_current(&mut self, id: PacketId) {
        if let Some(current) = self.current.take() {
            let (before, after) = current.without(id);
            self.current = Some(before);
            self.insert(after);
        }
    }

    fn insert(&mut self, flight: Flight) {
        if !flight.is_empty() {
            self.others.insert(flight.last(), flight);
        }
    }

    /// The flight whose identifiers follow is likely to be acknowledged next.
    fn next_current(&mut self) {
        let done = self.current.take().map(|flight| flight.first());
        if self.others.is_empty() {
            self.current = self.pop_row();
            return;
        }
        let from = done.unwrap_or(PacketId::FIRST);
        let other = self.others.range(from..).next().map(|(last, _)| *last);
        let first_in_row = self.row.front().map(Flight::last);
        let in_row_is_next = match (first_in_row.filter(|last| *last >= from), other) {
            (Some(in_row), Some(other)) => in_row < other,
            (None, Some(_)) => false,
            (_, None) => first_in_row.is_some(),
        };
        self.current = if in_row_is_next {
            self.pop_row()
        } else {
            let first = || self.others.first_key_value().map(|(last, _)| *last);
            other.or_else(first).and_then(|last| self.others.remove(&last))
        };
    }

    fn acknowledged(&mut self, sequence: u64) {
        self.unacknowledged -= 1;
        if let Some(resend) = &mut self.resend
            && sequence >= resend.sequence
        {
            resend.messages -= 1;
            if resend.messages == 0 {
                self.resend = None;
            }
        }
    }

    /// Takes out what was sent and not acknowledged, in the order of the first sending.
    pub(crate) fn take_unacknowledged(&mut self) -> impl Iterator<Item = RunPart> + use<> {
        self.spill_row();
        let others = std::mem::take(&mut self.others).into_values();
        let mut flights: Vec<_> = self.current.take().into_iter().chain(others).collect();
        self.unacknowledged = 0;
        self.resend = None;
        flights.sort_unstable_by_key(Flight::sequence);
        flights.into_iter().map(|mut flight| {
            let ids = flight.ids();
            flight.part_of(ids)
        })
    }

    /// The identifiers that wait for PUBCOMP, in the order of their PUBRECs.
    pub(crate) fn released_in_order(&self) -> Vec<PacketId> {
        let mut released: Vec<_> = self.released.iter().collect();
        released.sort_unstable_by_key(|(_, sequence)| **sequence);
        released.into_iter().map(|(id, _)| *id).collect()
    }

    /// Calls `found` with every message that was sent and not acknowledged, each by itself, with its
    /// identifier and its number in the order of sending.
    pub(crate) fn for_each_sent(&self, mut found: impl FnMut(PacketId, u64, RunPart)) {
        for flight in self.flights() {
            flight.for_each(&mut found);
        }
    }

    /// The identifiers that wait for PUBCOMP, with the numbers of their PUBRECs.
    pub(crate) fn released(&self) -> impl Iterator<Item = (PacketId, u64)> {
        self.released.iter().map(|(id, sequence)| (*id, *sequence))
    }

    /// An identifier waits for PUBCOMP, as it did before.
    pub(crate) fn restore_released(&mut self, id: PacketId) {
        self.released.insert(id, self.sequence);
        self.sequence += 1;
    }

    /// A Network Connection begins that has seen nothing of this.
    pub(crate) fn begin_resend(&mut self) {
        let mut flights: Vec<_> = self.flights().collect();
        flights.sort_unstable_by_key(|flight| flight.sequence());
        let ranges: VecDeque<_> = flights.into_iter().map(Flight::ids).collect();
        self.resend = (self.unacknowledged > 0)
            .then(|| Box::new(Resend { ranges, messages: self.unacknowledged, sequence: 0 }));
    }

    /// A Network Connection ended.
    pub(crate) fn end_resend(&mut self) {
        self.resend = None;
    }

    /// The next messages to send again: of one run, with identifiers that follow one another.
    pub(crate) fn next_resend(&mut self) -> Option<NextResend> {
        if self.resend.is_some() {
            self.spill_row();
        }
        loop {
            let resend = self.resend.as_mut()?;
            let range = *resend.ranges.front()?;
            let current = self.current.as_mut();
            let current = current.filter(|flight| flight.last() >= range.first);
            let other = self.others.range_mut(range.first..).next();
            let found = current
                .into_iter()
                .chain(other.map(|(_, flight)| flight))
                .min_by_key(|flight| flight.last())
                .and_then(|flight| flight.overlap(range).map(|ids| (flight, ids)));
            let Some((flight, ids)) = found else {
                resend.ranges.pop_front();
                continue;
            };
            return Some(NextResend { part: flight.part_of(ids), first: ids.first });
        }
    }

    /// The first `count` messages of [`InFlight::next_resend`] have been sent again.
    pub(crate) fn resent(&mut self, first: PacketId, count: u32) {
        let Some(sequence) = self.flight_with(first).map(|flight| flight.sequence_of(first)) else {
            return;
        };
        let Some(resend) = &mut self.resend else {
            return;
        };
        resend.sequence = sequence + u64::from(count);
        resend.messages -= count;
        if resend.messages == 0 {
            self.resend = None;
            return;
        }
        if let Some(front) = resend.ranges.front_mut() {
            let gone = u32::from(first.get() - front.first.get()) + count;
            if gone >= u32::from(front.count) {
                resend.ranges.pop_front();
            } else {
                front.count -= gone as u16;
                front.first = PacketId::new(front.first.get() + gone as u16).unwrap_or(first);
            }
        }
    }
}
