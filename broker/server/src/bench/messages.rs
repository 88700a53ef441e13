//! Scenarios that differ only in who sends to whom: fan-in, fan-out, pairs, shared, filters,
//! latency.

use std::collections::BTreeMap;

use anyhow::Result;

use super::args::{
    CommonArgs, FanInArgs, FanOutArgs, FiltersArgs, LatencyArgs, MessageArgs, PairsArgs, SharedArgs,
};
use super::bench::{Bench, Findings};
use super::cast::Cast;
use super::disturbers::{Disturbance, Disturbers};
use super::pace::{Pace, Run, Until};
use super::report::{MemoryPerItem, Percentiles, Report};
use super::traffic::MessageForm;

pub(super) fn fan_in(args: &FanInArgs) -> Result<Report> {
    let cast = |prefix: &str| Cast::fan_in(prefix, args.publishers as usize);
    let pace = |window| args.load.pace(window);
    Scenario {
        name: "fan-in",
        message: &args.load.message,
        common: &args.common,
        cast: &cast,
        disturbance: Disturbance::default(),
        sleeps: false,
    }
    .run(&pace, args.load.length.until())
}

pub(super) fn fan_out(args: &FanOutArgs) -> Result<Report> {
    let cast =
        |prefix: &str| Cast::fan_out(prefix, args.publishers as usize, args.subscribers as usize);
    let pace = |window| args.load.pace(window);
    Scenario {
        name: "fan-out",
        message: &args.load.message,
        common: &args.common,
        cast: &cast,
        disturbance: Disturbance::default(),
        sleeps: false,
    }
    .run(&pace, args.load.length.until())
}

pub(super) fn pairs(args: &PairsArgs) -> Result<Report> {
    let cast = |prefix: &str| Cast::pairs(prefix, args.pairs as usize);
    let pace = |window| args.load.pace(window);
    Scenario {
        name: "pairs",
        message: &args.load.message,
        common: &args.common,
        cast: &cast,
        disturbance: Disturbance::default(),
        sleeps: false,
    }
    .run(&pace, args.load.length.until())
}

pub(super) fn shared(args: &SharedArgs) -> Result<Report> {
    let cast = |prefix: &str| Cast::shared(prefix, args.publishers as usize, args.group as usize);
    let pace = |window| args.load.pace(window);
    Scenario {
        name: "shared",
        message: &args.load.message,
        common: &args.common,
        cast: &cast,
        disturbance: Disturbance::default(),
        sleeps: false,
    }
    .run(&pace, args.load.length.until())
}

pub(super) fn filters(args: &FiltersArgs) -> Result<Report> {
    let cast = |prefix: &str| {
        let [filters, publishers, subscribers] =
            [args.filters, args.publishers, args.subscribers].map(|count| count as usize);
        Cast::filters(prefix, filters, publishers, subscribers)
    };
    let pace = |window| args.load.pace(window);
    Scenario {
        name: "filters",
        message: &args.load.message,
        common: &args.common,
        cast: &cast,
        disturbance: Disturbance::default(),
        sleeps: false,
    }
    .run(&pace, args.load.length.until())
}

pub(super) fn latency(args: &LatencyArgs) -> Result<Report> {
    let (name, usual_rate) = match args.fan_out {
        Some(_) => ("latency of fan-out", 500.0),
        None => ("latency of pairs", 5000.0),
    };
    let cast = |prefix: &str| match args.fan_out {
        Some(subscribers) => Cast::fan_out(prefix, 1, subscribers as usize),
        None => Cast::pairs(prefix, args.pairs as usize),
    };
    let disturbance = args.disturbance.disturbance();
    let pace = |_| Pace::Rate(args.rate.unwrap_or(usual_rate));
    Scenario {
        name,
        message: &args.message,
        common: &args.common,
        cast: &cast,
        disturbance,
        sleeps: args.sleep,
    }
    .run(&pace, args.length.until())
}

/// Who sends what to whom.
struct Scenario<'a> {
    name: &'static str,
    message: &'a MessageArgs,
    common: &'a CommonArgs,
    /// Makes the cast, given the first levels of its topics.
    cast: &'a dyn Fn(&str) -> Cast,
    disturbance: Disturbance,
    /// Whether the generator rests until a message is due.
    sleeps: bool,
}

impl Scenario<'_> {
    /// Connects everybody, measures, and says what came. `pace` is given the usual window.
    fn run(&self, pace: &dyn Fn(u64) -> Pace, until: Until) -> Result<Report> {
        let MessageArgs { qos, payload } = *self.message;
        let layout = self.common.version.0.layout();
        let connections = (self.cast)("").connections() + self.disturbance.connections();
        let mut bench = Bench::begin(self.common, payload, connections)?;
        if self.sleeps {
            bench.fleet.add_alarm();
        }
        let cast = (self.cast)(&bench.topic_prefix());
        let pace = pace(cast.usual_window(qos, layout, payload));
        let mut traffic = cast.traffic(MessageForm::new(layout, qos, false, payload, bench.salt()));
        let empty = bench.monitor.memory()?;
        cast.seat_receivers(&mut traffic, 0);
        let receivers: Vec<_> = cast
            .receivers()
            .iter()
            .enumerate()
            .map(|(at, (filters, _))| bench.client("r", at).subscribing(filters.clone(), qos))
            .collect();
        bench.fleet.open_all(receivers, &mut traffic)?;
        let subscribed = bench.monitor.memory()?;
        let publishers: Vec<_> =
            (0..cast.publisher_count()).map(|at| bench.client("p", at)).collect();
        let links = bench.fleet.open_all(publishers, &mut traffic)?;
        cast.seat_publishers(&mut traffic, &links, true);
        let before = bench.monitor.memory()?;
        let messages = match until {
            Until::Messages(messages) => messages,
            Until::Time { .. } => u64::MAX,
        };
        let disturbers =
            Disturbers::start(self.disturbance, bench.fleet.target(), &bench.topic_prefix())?;
        let run = Run::new(&mut bench.fleet, &mut traffic, &mut bench.monitor, pace, messages);
        let measured = run.measure(until)?;
        let disturbed = disturbers.counts();
        drop(disturbers);
        let after = bench.monitor.memory()?;
        bench.fleet.leave_all();
        let mut report = bench.report(Findings {
            scenario: self.name,
            message: Some((qos, payload)),
            parts: self.parts(&cast, pace, disturbed),
            rate: match pace {
                Pace::Rate(rate) => Some(rate),
                Pace::Window(_) => None,
            },
            unit: "deliveries",
            count: measured.delivered,
            span: measured.span,
            checked: traffic.tally().delivered,
            faults: traffic.faults(),
            latency: Percentiles::of(traffic.latency()),
            late: Percentiles::of(&measured.late),
            memory: (before, after),
        });
        if self.name == "filters" {
            let grown = empty.zip(subscribed);
            report.memory_per_item = grown.map(|(empty, full)| {
                MemoryPerItem::new("filter", cast.filter_count(), empty, full)
            });
        }
        Ok(report)
    }

    fn parts(
        &self,
        cast: &Cast,
        pace: Pace,
        (changes, flooded): (u64, u64),
    ) -> BTreeMap<&'static str, u64> {
        let mut parts = BTreeMap::from([
            ("publishers", cast.publisher_count() as u64),
            ("subscribers", cast.receivers().len() as u64),
        ]);
        if self.name == "filters" {
            parts.insert("filters", cast.filter_count());
        }
        if let Pace::Window(window) = pace {
            parts.insert("window", window);
        }
        let beside = [
            ("subscription changes", changes),
            ("flooded", flooded),
            ("never reading", u64::from(self.disturbance.never_reads)),
        ];
        parts.extend(beside.into_iter().filter(|(_, count)| *count > 0));
        parts
    }
}
