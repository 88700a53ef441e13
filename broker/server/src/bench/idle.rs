//! Connections that do nothing, and what they cost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use pintle_mqtt::QoS;

use super::args::IdleArgs;
use super::bench::{Bench, Findings};
use super::faults::Faults;
use super::fleet::Deaf;
use super::report::{MemoryPerItem, Report};

/// Opens all connections, holds them, and compares the broker's memory before and after.
pub(super) fn run(args: &IdleArgs) -> Result<Report> {
    let connections = u64::from(args.connections);
    let mut bench = Bench::begin(&args.common, 0, connections)?;
    let prefix = bench.topic_prefix();
    let clients: Vec<_> = (0..args.connections as usize)
        .map(|at| {
            let filters = if args.subscribe { vec![format!("{prefix}/{at}")] } else { Vec::new() };
            bench.client("i", at).subscribing(filters, QoS::AtMostOnce)
        })
        .collect();
    let before = bench.monitor.memory()?;
    bench.fleet.open_all(clients, &mut Deaf)?;
    let moment = bench.monitor.moment()?;
    let start = Instant::now();
    while start.elapsed() < args.duration {
        let left = args.duration.saturating_sub(start.elapsed());
        // A connection that the broker closes meanwhile is an error here.
        bench.fleet.turn(Some(left.max(Duration::from_millis(1))), &mut Deaf)?;
        bench.monitor.progress("idle connections", connections);
    }
    let span = bench.monitor.since(moment)?;
    bench.monitor.end_progress();
    let after = bench.monitor.memory()?;
    bench.fleet.leave_all();
    let item = if args.subscribe { "connection with a subscription" } else { "connection" };
    let mut report = bench.report(Findings {
        scenario: "idle",
        message: None,
        parts: BTreeMap::from([("connections", connections)]),
        rate: None,
        unit: "connections",
        count: 0,
        span,
        checked: connections,
        faults: Faults::default(),
        latency: None,
        late: None,
        memory: (before, after),
    });
    report.memory_per_item = before
        .zip(after)
        .map(|(before, after)| MemoryPerItem::new(item, connections, before, after));
    Ok(report)
}
