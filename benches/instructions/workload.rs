use std::hint::black_box;

use anyhow::Result;

/// A piece of work whose instructions are counted.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Its name in the baseline.
    pub(crate) name: &'static str,
    /// How many operations one run of it is; what is told is for one of them.
    pub(crate) operations: u32,
    /// Makes what it needs. Nothing of that is counted.
    pub(crate) prepare: fn() -> Result<Box<dyn Workload>>,
}

/// What [`Case::prepare`] made, ready to be run again and again.
pub(crate) trait Workload {
    /// Brings it to where a run begins. Not counted.
    fn reset(&mut self);

    /// The work itself.
    fn run(&mut self);
}

/// A workload of a state, what resets it, and the work on it.
struct Staged<S, Reset, Run> {
    state: S,
    reset: Reset,
    run: Run,
}

impl<S, Reset: FnMut(&mut S), Run: FnMut(&mut S)> Workload for Staged<S, Reset, Run> {
    fn reset(&mut self) {
        (self.reset)(&mut self.state);
    }

    fn run(&mut self) {
        (self.run)(&mut self.state);
    }
}

/// A workload that goes on from where its last run ended.
pub(crate) fn repeated<S: 'static>(
    state: S,
    run: impl FnMut(&mut S) + 'static,
) -> Box<dyn Workload> {
    staged(state, |_| (), run)
}

/// A workload with something to do before each run.
pub(crate) fn staged<S: 'static>(
    state: S,
    reset: impl FnMut(&mut S) + 'static,
    run: impl FnMut(&mut S) + 'static,
) -> Box<dyn Workload> {
    Box::new(Staged { state, reset, run })
}

/// Counted runs of a case. They differ little: caches are warm, hash seeds are all that is random.
pub(crate) const RUNS: u32 = 20;

/// Runs until caches are warm and buffers have their size.
const WARM_UP_RUNS: u32 = 3;

/// What callgrind matches against the name of [`counted_run`].
pub(crate) const COUNTED: &str = "*counted_run*";

/// Runs `workload` as callgrind is to see it.
pub(crate) fn run_all(workload: &mut dyn Workload) {
    for _ in 0..WARM_UP_RUNS {
        workload.reset();
        workload.run();
    }
    for _ in 0..RUNS {
        workload.reset();
        counted_run(workload);
    }
}

/// One run. Callgrind counts from where this is entered until it is left, which is why it is a
/// function of its own and does something after the call.
#[inline(never)]
fn counted_run(workload: &mut dyn Workload) {
    workload.run();
    black_box(workload);
}
