//! What a run costs: processor time of the broker and of ourselves, memory of the broker.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::process::{Memory, Process};

/// How often the line on the terminal changes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Watches the broker and ourselves, and tells a person how far a run is.
pub(super) struct Monitor {
    broker: Option<Process>,
    is_terminal: bool,
    shown: Instant,
    shown_count: u64,
}

/// Processor times at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    at: Instant,
    own: Duration,
    broker: Option<Duration>,
}

/// What passed between two moments.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Span {
    pub(super) seconds: f64,
    /// Processor time of the generator.
    pub(super) own_cpu_seconds: f64,
    /// Processor time of the broker, if it is watched.
    pub(super) broker_cpu_seconds: Option<f64>,
}

impl Span {
    pub(super) fn add(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.own_cpu_seconds += other.own_cpu_seconds;
        self.broker_cpu_seconds = match (self.broker_cpu_seconds, other.broker_cpu_seconds) {
            (Some(mine), Some(more)) => Some(mine + more),
            (mine, more) => mine.or(more),
        };
    }
}

impl Monitor {
    /// Watches the broker of this number, if any is given.
    pub(super) fn new(pid: Option<u32>) -> Result<Self> {
        Ok(Self {
            broker: pid.map(Process::with_pid).transpose()?,
            is_terminal: stderr().is_terminal(),
            shown: Instant::now(),
            shown_count: 0,
        })
    }

    pub(super) fn broker_pid(&self) -> Option<u32> {
        self.broker.map(Process::pid)
    }

    pub(super) fn moment(&self) -> Result<Moment> {
        Ok(Moment {
            own: Process::own().cpu_time()?,
            broker: self.broker.map(Process::cpu_time).transpose()?,
            at: Instant::now(),
        })
    }

    /// What has passed since.
    pub(super) fn since(&self, before: Moment) -> Result<Span> {
        let now = self.moment()?;
        let passed = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64();
        Ok(Span {
            seconds: (now.at - before.at).as_secs_f64(),
            own_cpu_seconds: passed(now.own, before.own),
            broker_cpu_seconds: now
                .broker
                .zip(before.broker)
                .map(|(now, before)| passed(now, before)),
        })
    }

    /// The broker's memory now, if it is watched.
    pub(super) fn memory(&self) -> Result<Option<Memory>> {
        self.broker.map(Process::memory).transpose()
    }

    /// Shows on a terminal how far we are; cheap enough to be called at every turn.
    pub(super) fn progress(&mut self, what: &str, count: u64) {
        if !self.is_terminal {
            return;
        }
        let passed = self.shown.elapsed();
        if passed < PROGRESS_INTERVAL {
            return;
        }
        let rate = count.saturating_sub(self.shown_count) as f64 / passed.as_secs_f64();
        self.shown = Instant::now();
        self.shown_count = count;
        // A line that cannot be shown is no reason to stop.
        let _ = write!(stderr(), "\r\x1b[K{what}: {count}, {rate:.0} /s");
    }

    /// Takes the line away.
    pub(super) fn end_progress(&self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
