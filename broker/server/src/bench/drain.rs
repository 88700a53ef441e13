//! Messages queued for sessions that are away, and how fast they come when the sessions are back.

use std::collections::BTreeMap;

use anyhow::Result;

use super::args::DrainArgs;
use super::bench::{Bench, Findings};
use super::cast::Cast;
use super::fleet::Deaf;
use super::link::Client;
use super::pace::{Pace, Run};
use super::report::{MemoryPerItem, Percentiles, Report};
use super::traffic::{MessageForm, Traffic};

/// Publishing needs to be no faster than this.
const WINDOW: u64 = 100;

/// Makes the sessions, leaves, publishes to them, comes back and counts.
pub(super) fn run(args: &DrainArgs) -> Result<Report> {
    let connections = 3 * u64::from(args.sessions) + 1;
    let mut bench = Bench::begin(&args.common, args.payload, connections)?;
    let cast = Cast::queues(&bench.topic_prefix(), args.sessions as usize);
    let layout = bench.version().layout();
    let form = MessageForm::new(layout, args.qos, false, args.payload, bench.salt());
    let mut traffic = cast.traffic(form);

    let sessions = sessions(&bench, &cast, args);
    let links = bench.fleet.open_all(sessions, &mut Deaf)?;
    bench.fleet.end(&links, &mut Deaf)?;
    let before = bench.monitor.memory()?;
    let queued = u64::from(args.sessions) * u64::from(args.messages);
    publish(&mut bench, &cast, &mut traffic, queued)?;
    let full = bench.monitor.memory()?;

    traffic.expect(queued);
    let first_link = bench.fleet.link_count();
    cast.seat_receivers(&mut traffic, first_link);
    let moment = bench.monitor.moment()?;
    let back: Vec<_> = self::sessions(&bench, &cast, args)
        .into_iter()
        .map(|client| Client { filters: Vec::new(), ..client })
        .collect();
    let links = bench.fleet.open_all(back, &mut traffic)?;
    let Bench { fleet, monitor, .. } = &mut bench;
    Run::new(fleet, &mut traffic, monitor, Pace::Window(WINDOW), 0).wait_for_deliveries()?;
    let span = bench.monitor.since(moment)?;
    bench.monitor.end_progress();
    let after = bench.monitor.memory()?;
    forget_sessions(&mut bench, args, &links, &mut traffic)?;

    let mut report = bench.report(Findings {
        scenario: "drain",
        message: Some((args.qos, args.payload)),
        parts: BTreeMap::from([
            ("sessions", u64::from(args.sessions)),
            ("messages each", u64::from(args.messages)),
        ]),
        rate: None,
        unit: "deliveries",
        count: traffic.tally().delivered,
        span,
        checked: traffic.tally().delivered,
        faults: traffic.faults(),
        latency: Percentiles::of(traffic.latency()),
        late: None,
        memory: (full, after),
    });
    report.memory_per_item = before
        .zip(full)
        .map(|(before, full)| MemoryPerItem::new("queued message", queued, before, full));
    Ok(report)
}

/// The clients whose sessions are kept, as they come for the first time.
fn sessions(bench: &Bench<'_>, cast: &Cast, args: &DrainArgs) -> Vec<Client> {
    cast.receivers()
        .iter()
        .enumerate()
        .map(|(at, (filters, _))| {
            bench.client("s", at).subscribing(filters.clone(), args.qos).kept()
        })
        .collect()
}

/// Publishes to everybody in turn, and waits for all acknowledgements.
fn publish(bench: &mut Bench<'_>, cast: &Cast, traffic: &mut Traffic, messages: u64) -> Result<()> {
    let publisher = bench.client("p", 0);
    let links = bench.fleet.open_all([publisher], traffic)?;
    cast.seat_publishers(traffic, &links, false);
    let Bench { fleet, monitor, .. } = bench;
    Run::new(fleet, traffic, monitor, Pace::Window(WINDOW), messages).settle()
}

/// Leaves nothing behind: the sessions end.
fn forget_sessions(
    bench: &mut Bench<'_>,
    args: &DrainArgs,
    links: &[usize],
    traffic: &mut Traffic,
) -> Result<()> {
    bench.fleet.end(links, traffic)?;
    let clean: Vec<_> = (0..args.sessions as usize).map(|at| bench.client("s", at)).collect();
    let links = bench.fleet.open_all(clean, &mut Deaf)?;
    bench.fleet.end(&links, &mut Deaf)
}
