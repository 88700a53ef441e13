//! Connecting and disconnecting, again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::args::ConnectsArgs;
use super::bench::{Bench, Findings};
use super::faults::Faults;
use super::fleet::{Change, Deaf};
use super::histogram::Histogram;
use super::report::{Percentiles, Report};

/// How long before measuring begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// A broker has to go on within this time.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Each place connects, waits for CONNACK, sends DISCONNECT, waits until the broker has closed, and
/// begins again.
pub(super) fn run(args: &ConnectsArgs) -> Result<Report> {
    let mut bench = Bench::begin(&args.common, 0, args.connections.into())?;
    let before = bench.monitor.memory()?;
    let mut places = Places::new(&mut bench, args.connections as usize)?;
    let warm_up = WARM_UP.min(args.duration);
    places.go_on_for(&mut bench, warm_up)?;
    let moment = bench.monitor.moment()?;
    let completed = places.completed;
    places.latency = Histogram::default();
    places.go_on_for(&mut bench, args.duration)?;
    let span = bench.monitor.since(moment)?;
    bench.monitor.end_progress();
    let after = bench.monitor.memory()?;
    let count = places.completed - completed;
    bench.fleet.leave_all();
    Ok(bench.report(Findings {
        scenario: "connects",
        message: None,
        parts: BTreeMap::from([("connections at a time", u64::from(args.connections))]),
        rate: None,
        unit: "connections",
        count,
        span,
        checked: places.completed,
        faults: Faults::default(),
        latency: Percentiles::of(&places.latency),
        late: None,
        memory: (before, after),
    }))
}

/// The connections under way.
struct Places {
    /// When each began.
    begun_ns: Vec<u64>,
    completed: u64,
    /// From the beginning to CONNACK.
    latency: Histogram,
    changes: Vec<(usize, Change)>,
}

impl Places {
    fn new(bench: &mut Bench<'_>, count: usize) -> Result<Self> {
        let mut begun_ns = Vec::with_capacity(count);
        for at in 0..count {
            begun_ns.push(bench.fleet.now_ns());
            let client = bench.client("c", at);
            bench.fleet.add(client)?;
        }
        Ok(Self { begun_ns, completed: 0, latency: Histogram::default(), changes: Vec::new() })
    }

    fn go_on_for(&mut self, bench: &mut Bench<'_>, time: Duration) -> Result<()> {
        let start = Instant::now();
        let mut last_change = start;
        while start.elapsed() < time {
            bench.fleet.turn(Some(Duration::from_millis(50)), &mut Deaf)?;
            bench.fleet.take_changes(&mut self.changes);
            if !self.changes.is_empty() {
                last_change = Instant::now();
            } else if last_change.elapsed() > STALL_MAX {
                bail!("no connection has been made or closed for {} s", STALL_MAX.as_secs());
            }
            self.take_next_steps(bench)?;
            bench.monitor.progress("connections", self.completed);
        }
        Ok(())
    }

    fn take_next_steps(&mut self, bench: &mut Bench<'_>) -> Result<()> {
        let now_ns = bench.fleet.now_ns();
        for (at, change) in self.changes.drain(..) {
            let Some(begun_ns) = self.begun_ns.get_mut(at) else { continue };
            match change {
                Change::Ready => {
                    self.latency.record(now_ns - *begun_ns);
                    if let Some(link) = bench.fleet.link_mut(at) {
                        link.leave()?;
                    }
                }
                Change::Ended => {
                    self.completed += 1;
                    *begun_ns = now_ns;
                    let client = bench.client("c", at);
                    bench.fleet.replace(at, client)?;
                }
                Change::Answered => {}
            }
        }
        Ok(())
    }
}
