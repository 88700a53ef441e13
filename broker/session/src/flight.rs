use std::sync::Arc;

use pintle_mqtt::{PacketId, QoS};

use crate::packet_ids::IdRange;
use crate::run_part::{RunPart, frame_len, skip_frames};

/// Consecutive messages of one run in flight, all unacknowledged, with identifiers in a row.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Messages `skipped` and on are in flight; those before are done but still in the part.
    part: RunPart,
    /// Where each message of the part this one was cut from begins, once that was asked for.
    starts: Option<Arc<MessageStarts>>,
    /// Number of the first message in the order of sending.
    sequence: u64,
    first: PacketId,
    count: u16,
    skipped: u16,
}

/// Offsets in a run, in order.
#[derive(Debug)]
struct MessageStarts(Vec<u32>);

impl Flight {
    /// Walking over more packets than this is remembered.
    const WALK_MAX: u32 = 32;

    pub(crate) fn new(part: RunPart, first: PacketId, sequence: u64) -> Self {
        let count = part.count() as u16;
        Self { part, starts: None, sequence, first, count, skipped: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn qos(&self) -> QoS {
        self.part.qos()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn first(&self) -> PacketId {
        self.first
    }

    pub(crate) fn last(&self) -> PacketId {
        nth(self.first, self.count.saturating_sub(1))
    }

    pub(crate) fn ids(&self) -> IdRange {
        IdRange { first: self.first, count: self.count }
    }

    #[inline]
    pub(crate) fn contains(&self, id: PacketId) -> bool {
        id.get().wrapping_sub(self.first.get()) < self.count
    }

    pub(crate) fn sequence_of(&self, id: PacketId) -> u64 {
        self.sequence + u64::from(id.get() - self.first.get())
    }

    /// Takes the first message out if it is that of `id`. May leave nothing.
    #[inline]
    pub(crate) fn acknowledge_first(&mut self, id: PacketId) -> bool {
        if id != self.first {
            return false;
        }
        self.first = id.next();
        self.count -= 1;
        self.skipped += 1;
        self.sequence += 1;
        true
    }

    /// Takes the last message out if it is that of `id`. May leave nothing.
    #[inline]
    pub(crate) fn acknowledge_last(&mut self, id: PacketId) -> bool {
        if self.count == 0 || id != self.last() {
            return false;
        }
        self.count -= 1;
        true
    }

    /// What is in flight before and after `id`, which is neither the first nor in another flight.
    /// The second may be empty.
    pub(crate) fn without(mut self, id: PacketId) -> (Self, Self) {
        let before = id.get() - self.first.get();
        let after = self.count - before - 1;
        let start = match after {
            0 => self.part.offset(),
            _ => self.start_of(before + 1),
        };
        let second = Self {
            part: self.part.moved(start, u32::from(after)),
            starts: self.starts.clone(),
            sequence: self.sequence + u64::from(before) + 1,
            first: id.next(),
            count: after,
            skipped: 0,
        };
        self.count = before;
        (self, second)
    }

    /// The identifiers of `range` that are in this flight; `None` if there are none.
    pub(crate) fn overlap(&self, range: IdRange) -> Option<IdRange> {
        let start = self.first.max(range.first);
        let end = self.last().min(nth(range.first, range.count - 1));
        (start <= end && self.count > 0)
            .then(|| IdRange { first: start, count: end.get() - start.get() + 1 })
    }

    /// The messages of `ids`, all in this flight.
    pub(crate) fn part_of(&mut self, ids: IdRange) -> RunPart {
        let start = self.start_of(ids.first.get() - self.first.get());
        self.part.moved(start, u32::from(ids.count))
    }

    /// Calls `found` with each message, its identifier and its number in the order of sending.
    pub(crate) fn for_each(&self, found: &mut impl FnMut(PacketId, u64, RunPart)) {
        let skipped = skip_frames(self.part.frames(), u32::from(self.skipped));
        let mut at = self.part.offset() + skipped as u32;
        for n in 0..self.count {
            let message = self.part.moved(at, 1);
            at += message.first_len() as u32;
            found(nth(self.first, n), self.sequence + u64::from(n), message);
        }
    }

    /// Where the `n`th message in flight begins.
    fn start_of(&mut self, n: u16) -> u32 {
        self.skip();
        if let Some(start) = self.known_start(n) {
            return start;
        }
        let n = u32::from(n);
        if n <= Self::WALK_MAX {
            return self.part.offset() + skip_frames(self.part.frames(), n) as u32;
        }
        let starts = MessageStarts::of(&self.part);
        let start = starts.0.get(n as usize).copied();
        self.starts = Some(Arc::new(starts));
        start.unwrap_or(self.part.offset())
    }

    fn known_start(&self, n: u16) -> Option<u32> {
        let starts = &self.starts.as_ref()?.0;
        let at = starts.binary_search(&self.part.offset()).ok()?;
        starts.get(at + usize::from(n)).copied()
    }

    /// Lets the part begin with the first message in flight.
    fn skip(&mut self) {
        let start = match self.known_start(self.skipped) {
            Some(start) => start,
            None => {
                let walked = skip_frames(self.part.frames(), u32::from(self.skipped));
                self.part.offset() + walked as u32
            }
        };
        self.part.set_span(start, u32::from(self.count));
        self.skipped = 0;
    }
}

impl MessageStarts {
    fn of(part: &RunPart) -> Self {
        let mut at = 0;
        let frames = part.frames();
        let starts = (0..part.count()).map(|_| {
            let start = part.offset() + at as u32;
            at += frame_len(frames.get(at..).unwrap_or_default());
            start
        });
        Self(starts.collect())
    }
}

fn nth(first: PacketId, n: u16) -> PacketId {
    PacketId::new(first.get().saturating_add(n)).unwrap_or(first)
}
