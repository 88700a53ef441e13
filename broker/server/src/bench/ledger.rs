//! Who got what: every message once, in order.

use std::collections::VecDeque;
use std::ops::Range;

/// Most gaps that are remembered for a receiver. Of gaps beyond it, what comes late after all
/// counts as a duplicate.
const GAPS_MAX: usize = 65_536;

/// How a message came, compared with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The one expected next.
    InOrder,
    /// As many before it are missing.
    AfterGap(u64),
    /// One of those that were missing.
    Late,
    /// It had come before.
    Again,
}

/// What one receiver has got of each of its streams.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: Vec<u64>,
    gaps: Vec<(usize, Range<u64>)>,
}

impl Ledger {
    /// Expects the streams 0 to `streams`, each from sequence 0.
    pub(super) fn new(streams: usize) -> Self {
        Self { next: vec![0; streams], gaps: Vec::new() }
    }

    /// Takes note of a message; `None` if its stream is not expected here.
    #[inline]
    pub(super) fn note(&mut self, stream: usize, sequence: u64) -> Option<Arrival> {
        let next = self.next.get_mut(stream)?;
        if sequence == *next {
            *next += 1;
            return Some(Arrival::InOrder);
        }
        Some(self.note_unexpected(stream, sequence))
    }

    #[cold]
    fn note_unexpected(&mut self, stream: usize, sequence: u64) -> Arrival {
        let Some(next) = self.next.get_mut(stream) else {
            return Arrival::Again;
        };
        if sequence > *next {
            let gap = *next..sequence;
            *next = sequence + 1;
            let missing = gap.end - gap.start;
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push((stream, gap));
            }
            return Arrival::AfterGap(missing);
        }
        self.fill(stream, sequence)
    }

    fn fill(&mut self, stream: usize, sequence: u64) -> Arrival {
        let found = self.gaps.iter_mut().find(|(of, gap)| *of == stream && gap.contains(&sequence));
        let Some((_, gap)) = found else {
            return Arrival::Again;
        };
        let behind = sequence + 1..gap.end;
        gap.end = sequence;
        if !behind.is_empty() {
            self.gaps.push((stream, behind));
        }
        self.gaps.retain(|(_, gap)| !gap.is_empty());
        Arrival::Late
    }
}

/// What all members of a shared group together have got of one stream.
#[derive(Debug, Default)]
pub(super) struct GroupLedger {
    /// All before it have come; a multiple of 64.
    base: u64,
    /// Bit n of word w stands for `base` + 64 w + n.
    seen: VecDeque<u64>,
}

impl GroupLedger {
    /// Takes note of a message; false if some member had got it before.
    pub(super) fn note(&mut self, sequence: u64) -> bool {
        let Some(ahead) = sequence.checked_sub(self.base) else {
            return false;
        };
        let word = usize::try_from(ahead / 64).unwrap_or(usize::MAX);
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let Some(bits) = self.seen.get_mut(word) else {
            return false;
        };
        let bit = 1 << (ahead % 64);
        let is_new = *bits & bit == 0;
        *bits |= bit;
        while self.seen.front() == Some(&u64::MAX) {
            self.seen.pop_front();
            self.base += 64;
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequences: &[u64], arrivals: &[Arrival]) {
        let mut ledger = Ledger::new(2);
        let noted: Vec<_> = sequences.iter().map(|s| ledger.note(1, *s).unwrap()).collect();
        assert_eq!(noted, arrivals, "{sequences:?}");
    }

    #[test]
    fn messages_in_order_are_in_order() {
        use Arrival::InOrder;
        check(&[0, 1, 2], &[InOrder, InOrder, InOrder]);
    }

    #[test]
    fn a_loss_is_a_gap_and_a_repetition_is_no_news() {
        use Arrival::{AfterGap, Again, InOrder};
        check(&[0, 3, 3, 4, 0], &[InOrder, AfterGap(2), Again, InOrder, Again]);
    }

    #[test]
    fn a_late_message_fills_its_gap_once() {
        use Arrival::{AfterGap, Again, Late};
        check(&[4, 2, 2, 0, 3, 1, 1], &[AfterGap(4), Late, Again, Late, Late, Late, Again]);
    }

    #[test]
    fn streams_do_not_mix() {
        let mut ledger = Ledger::new(2);

        assert_eq!(ledger.note(0, 0), Some(Arrival::InOrder));
        assert_eq!(ledger.note(1, 0), Some(Arrival::InOrder));
        assert_eq!(ledger.note(2, 0), None);
    }

    #[test]
    fn a_group_gets_each_message_once_in_any_order() {
        let mut ledger = GroupLedger::default();
        let sequences = || (0..1000).map(|n| n * 387 % 1000);

        assert!(sequences().all(|sequence| ledger.note(sequence)));
        assert!(sequences().all(|sequence| !ledger.note(sequence)));
        assert!(ledger.note(1000));
        assert!(ledger.seen.len() <= 2, "what all have seen is forgotten");
    }
}
