//! Many retained messages, and how fast a new subscriber gets them all.

use std::collections::BTreeMap;

use anyhow::Result;
use pintle_mqtt::QoS;

use super::args::RetainedArgs;
use super::bench::{Bench, Findings};
use super::cast::Cast;
use super::monitor::Span;
use super::pace::{Pace, Run};
use super::receivers::Receiver;
use super::report::{MemoryPerItem, Percentiles, Report};
use super::traffic::{MessageForm, Traffic};

/// Publishing needs to be no faster than this.
const WINDOW: u64 = 100;

/// Retains the messages, lets subscribers come one after the other, and clears the topics.
pub(super) fn run(args: &RetainedArgs) -> Result<Report> {
    let (qos, payload) = (args.message.qos, args.message.payload);
    let mut bench = Bench::begin(&args.common, payload, u64::from(args.rounds) + 2)?;
    let prefix = bench.topic_prefix();
    let cast = Cast::retained(&prefix, args.messages as usize);
    let layout = bench.version().layout();
    let mut traffic = cast.traffic(MessageForm::new(layout, qos, true, payload, bench.salt()));

    let publisher = bench.client("p", 0);
    let links = bench.fleet.open_all([publisher], &mut traffic)?;
    let before = bench.monitor.memory()?;
    cast.seat_publishers(&mut traffic, &links, false);
    let Bench { fleet, monitor, .. } = &mut bench;
    Run::new(fleet, &mut traffic, monitor, Pace::Window(WINDOW), cast.stream_count()).settle()?;
    bench.fleet.ping(&links, &mut traffic)?;
    let full = bench.monitor.memory()?;

    let mut span = Span::default();
    for round in 0..args.rounds as usize {
        span.add(get_all(&mut bench, &cast, &mut traffic, round, &prefix, qos)?);
    }
    bench.monitor.end_progress();
    let after = bench.monitor.memory()?;
    for link in &links {
        if let Some(link) = bench.fleet.link_mut(*link) {
            cast.clear_retained(layout, link.out());
            link.send()?;
        }
    }
    bench.fleet.ping(&links, &mut traffic)?;
    bench.fleet.leave_all();

    let messages = u64::from(args.messages);
    let mut report = bench.report(Findings {
        scenario: "retained",
        message: Some((qos, payload)),
        parts: BTreeMap::from([("messages", messages), ("rounds", u64::from(args.rounds))]),
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
        .map(|(before, full)| MemoryPerItem::new("retained message", messages, before, full));
    Ok(report)
}

/// One subscriber comes, subscribes and waits until it has everything.
fn get_all(
    bench: &mut Bench<'_>,
    cast: &Cast,
    traffic: &mut Traffic,
    round: usize,
    prefix: &str,
    qos: QoS,
) -> Result<Span> {
    let client = bench.client("r", round);
    let links = bench.fleet.open_all([client], traffic)?;
    for link in &links {
        let streams = 0..cast.stream_count() as usize;
        traffic.add_receiver(*link, Receiver::new(&streams, false));
    }
    traffic.expect(cast.stream_count());
    let Bench { fleet, monitor, .. } = bench;
    let moment = monitor.moment()?;
    for link in &links {
        if let Some(link) = fleet.link_mut(*link) {
            link.subscribe(format!("{prefix}/#"), qos)?;
        }
    }
    Run::new(fleet, traffic, monitor, Pace::Window(WINDOW), 0).wait_for_deliveries()?;
    let span = monitor.since(moment)?;
    fleet.end(&links, traffic)?;
    Ok(span)
}
