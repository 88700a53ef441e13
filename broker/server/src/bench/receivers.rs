//! Those who subscribe, and what each of them got.

use std::ops::Range;

use super::faults::Faults;
use super::ledger::{Arrival, GroupLedger, Ledger};

/// A connection that subscribes.
pub(super) struct Receiver {
    /// The first of the streams it gets, which follow each other.
    first_stream: usize,
    ledger: Ledger,
    /// Whether it shares them with all others.
    shares: bool,
}

impl Receiver {
    pub(super) fn new(streams: &Range<usize>, shares: bool) -> Self {
        Self { first_stream: streams.start, ledger: Ledger::new(streams.len()), shares }
    }
}

/// All receivers of a run.
#[derive(Default)]
pub(super) struct Receivers {
    list: Vec<Receiver>,
    /// By stream, if receivers share.
    groups: Vec<GroupLedger>,
}

impl Receivers {
    /// Adds one of a run with so many streams, and says its number.
    pub(super) fn add(&mut self, receiver: Receiver, streams: usize) -> usize {
        if receiver.shares && self.groups.is_empty() {
            self.groups.resize_with(streams, GroupLedger::default);
        }
        self.list.push(receiver);
        self.list.len() - 1
    }

    /// Takes note of a good message; says how many deliveries are settled by it, and `None` if it
    /// does not count.
    #[inline]
    pub(super) fn note(
        &mut self,
        receiver: usize,
        stream: usize,
        sequence: u64,
        faults: &mut Faults,
    ) -> Option<u64> {
        let receiver = self.list.get_mut(receiver)?;
        let arrival = stream
            .checked_sub(receiver.first_stream)
            .and_then(|at| receiver.ledger.note(at, sequence));
        if receiver.shares {
            return self.note_shared(arrival, stream, sequence, faults);
        }
        match arrival {
            Some(Arrival::InOrder) => Some(1),
            Some(Arrival::AfterGap(missing)) => {
                faults.describe(|| {
                    format!("stream {stream}: {missing} messages missing before {sequence}")
                });
                Some(missing + 1)
            }
            Some(Arrival::Late) => {
                faults.reordered += 1;
                faults.describe(|| format!("stream {stream}: {sequence} came late"));
                Some(0)
            }
            Some(Arrival::Again) => {
                faults.duplicated += 1;
                faults.describe(|| format!("stream {stream}: {sequence} came again"));
                None
            }
            None => {
                faults.misdelivered += 1;
                faults.describe(|| format!("stream {stream}: came to a stranger"));
                None
            }
        }
    }

    fn note_shared(
        &mut self,
        arrival: Option<Arrival>,
        stream: usize,
        sequence: u64,
        faults: &mut Faults,
    ) -> Option<u64> {
        if !self.groups.get_mut(stream)?.note(sequence) {
            faults.duplicated += 1;
            faults.describe(|| format!("stream {stream}: two members got {sequence}"));
            return None;
        }
        // Gaps belong to the other members; what comes late to one member came out of order.
        if arrival == Some(Arrival::Late) {
            faults.reordered += 1;
            faults.describe(|| format!("stream {stream}: {sequence} came late"));
        }
        Some(1)
    }
}
