//! The result of a run, as a table for people and as JSON for machines.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::faults::Faults;
use super::histogram::Histogram;
use super::monitor::Span;
use super::process::Memory;

/// A generator that takes more than this share of a core may be what limits the figures.
const BUSY_SHARE: f64 = 0.95;
/// And in an open loop, one that sends a hundredth of its messages later than this.
const LATE_US: f64 = 1000.0;

/// All that is known after a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) scenario: &'static str,
    pub(super) address: String,
    pub(super) transport: &'static str,
    pub(super) mqtt_version: &'static str,
    pub(super) qos: Option<u8>,
    pub(super) payload_bytes: Option<u32>,
    /// How many of what took part.
    pub(super) parts: BTreeMap<&'static str, u64>,
    /// Messages a second, if they had a rate.
    pub(super) rate: Option<f64>,
    /// What is counted.
    pub(super) unit: &'static str,
    /// How many in the time that was measured.
    pub(super) count: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    /// Whether every message of the whole run came as it had to.
    pub(super) verified: bool,
    /// How many were looked at.
    pub(super) checked: u64,
    pub(super) faults: Faults,
    pub(super) latency_us: Option<Percentiles>,
    /// How much later than due messages were sent.
    pub(super) late_us: Option<Percentiles>,
    pub(super) generator: Generator,
    pub(super) broker: Option<BrokerCost>,
    pub(super) memory_per_item: Option<MemoryPerItem>,
    pub(super) open_files_max: u64,
}

/// What the generator itself needed.
#[derive(Debug, Serialize)]
pub(super) struct Generator {
    pub(super) cpu_seconds: f64,
    /// Of one core; the generator has one thread.
    pub(super) cpu_share: f64,
    /// Whether the figures may be the generator's rather than the broker's.
    pub(super) is_bottleneck: bool,
}

/// What the broker needed.
#[derive(Debug, Serialize)]
pub(super) struct BrokerCost {
    pub(super) pid: u32,
    pub(super) cpu_seconds: f64,
    /// Of one core; above 1 if it has several threads.
    pub(super) cpu_share: f64,
    /// What is counted, for each second of the broker's processor time.
    pub(super) per_cpu_second: f64,
    pub(super) memory_before: Memory,
    pub(super) memory_after: Memory,
}

/// How much more memory the broker holds for each of something.
#[derive(Debug, Serialize)]
pub(super) struct MemoryPerItem {
    pub(super) item: &'static str,
    pub(super) items: u64,
    pub(super) rss_bytes: f64,
}

impl MemoryPerItem {
    pub(super) fn new(item: &'static str, items: u64, before: Memory, after: Memory) -> Self {
        let grown = after.rss as f64 - before.rss as f64;
        Self { item, items, rss_bytes: grown / items.max(1) as f64 }
    }
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Percentiles {
    pub(super) fn of(histogram: &Histogram) -> Option<Self> {
        let micros = |share| histogram.quantile(share) as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            p50: micros(0.5),
            p90: micros(0.9),
            p99: micros(0.99),
            p999: micros(0.999),
            max: histogram.max() as f64 / 1000.0,
        })
    }
}

impl Generator {
    /// `late` tells an open loop, which may never sleep and so cannot be judged by its share.
    pub(super) fn new(span: &Span, late: Option<Percentiles>) -> Self {
        let cpu_share = share(span.own_cpu_seconds, span.seconds);
        let is_bottleneck = match late {
            Some(late) => late.p99 > LATE_US,
            None => cpu_share > BUSY_SHARE,
        };
        Self { cpu_seconds: span.own_cpu_seconds, cpu_share, is_bottleneck }
    }
}

impl BrokerCost {
    /// `None` if the broker is not watched.
    pub(super) fn new(
        pid: Option<u32>,
        span: &Span,
        count: u64,
        memory: (Option<Memory>, Option<Memory>),
    ) -> Option<Self> {
        let cpu_seconds = span.broker_cpu_seconds?;
        Some(Self {
            pid: pid?,
            cpu_seconds,
            cpu_share: share(cpu_seconds, span.seconds),
            per_cpu_second: share(count as f64, cpu_seconds),
            memory_before: memory.0?,
            memory_after: memory.1?,
        })
    }
}

pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: MQTT {} over {} at {}",
            self.scenario, self.mqtt_version, self.transport, self.address
        )?;
        if let (Some(qos), Some(bytes)) = (self.qos, self.payload_bytes) {
            write!(f, ", QoS {qos}, payload {bytes} B")?;
        }
        f.write_str("\n            ")?;
        for (part, count) in &self.parts {
            write!(f, " {part} {}", Grouped(*count))?;
        }
        if let Some(rate) = self.rate {
            write!(f, " rate {} /s", Grouped(rate as u64))?;
        }
        writeln!(f)?;
        if self.count > 0 {
            writeln!(
                f,
                "  {:<11}{:>14} in {:.3} s = {} /s",
                self.unit,
                Grouped(self.count).to_string(),
                self.seconds,
                Grouped(self.per_second as u64)
            )?;
        }
        if let Some(latency) = &self.latency_us {
            writeln!(f, "  latency    {latency}")?;
        }
        if let Some(late) = &self.late_us {
            writeln!(f, "  sent late  {late}")?;
        }
        if let Some(broker) = &self.broker {
            self.fmt_broker(broker, f)?;
        }
        if let Some(memory) = &self.memory_per_item {
            writeln!(
                f,
                "  memory     {:.0} B for each {} ({})",
                memory.rss_bytes,
                memory.item,
                Grouped(memory.items)
            )?;
        }
        self.fmt_generator(f)?;
        self.fmt_verdict(f)
    }
}

impl Report {
    fn fmt_broker(&self, broker: &BrokerCost, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  broker     {:.3} s of CPU ({:.0} %)",
            broker.cpu_seconds,
            broker.cpu_share * 100.0
        )?;
        if self.count > 0 {
            write!(f, ", {} {} per CPU second", Grouped(broker.per_cpu_second as u64), self.unit)?;
        }
        let mebibytes = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        writeln!(
            f,
            "\n             RSS {:.1} MiB before, {:.1} MiB after (PSS {:.1} MiB)",
            mebibytes(broker.memory_before.rss),
            mebibytes(broker.memory_after.rss),
            mebibytes(broker.memory_after.pss)
        )
    }

    fn fmt_generator(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let share = self.generator.cpu_share * 100.0;
        write!(
            f,
            "  generator  {share:.0} % of a core, {} open files allowed",
            self.open_files_max
        )?;
        match (self.generator.is_bottleneck, self.late_us.is_some()) {
            (true, false) => writeln!(f, "; IT WAS THE BOTTLENECK: the broker could do more"),
            (true, true) => writeln!(f, "; IT WAS THE BOTTLENECK: messages were sent late"),
            (false, true) if self.generator.cpu_share > BUSY_SHARE => {
                writeln!(f, " (it does not sleep between messages)")
            }
            (false, _) => writeln!(f),
        }
    }

    fn fmt_verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let checked = Grouped(self.checked);
        let counts: Vec<String> =
            self.faults.counts().map(|(name, count)| format!("{name} {count}")).collect();
        match (self.verified, counts.is_empty()) {
            (true, true) => write!(f, "  verified   all {checked} {}", self.unit),
            (true, false) => {
                write!(f, "  verified   {checked} {}, but {}", self.unit, counts.join(", "))
            }
            (false, _) => {
                write!(f, "  FAULTS     {} ({checked} good)", counts.join(", "))?;
                match &self.faults.first {
                    Some(first) => write!(f, "\n             first: {first}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Display for Percentiles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.1} µs, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}",
            self.p50, self.p90, self.p99, self.p999, self.max
        )
    }
}

/// A number in groups of three digits.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_groups_of_three() {
        let written: Vec<String> =
            [0, 999, 1000, 1_234_567].map(|number| Grouped(number).to_string()).to_vec();

        assert_eq!(written, ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn a_busy_generator_says_so() {
        let span = |own_cpu_seconds| Span { seconds: 1.0, own_cpu_seconds, ..Span::default() };

        assert!(Generator::new(&span(0.96), None).is_bottleneck);
        assert!(!Generator::new(&span(0.94), None).is_bottleneck);
    }

    #[test]
    fn a_generator_that_never_sleeps_is_judged_by_how_late_it_sends() {
        let span = Span { seconds: 1.0, own_cpu_seconds: 1.0, ..Span::default() };
        let late = |p99| Percentiles { p50: 1.0, p90: 1.0, p99, p999: 9e9, max: 9e9 };

        assert!(!Generator::new(&span, Some(late(20.0))).is_bottleneck);
        assert!(Generator::new(&span, Some(late(2000.0))).is_bottleneck);
    }

    #[test]
    fn memory_is_shared_out_among_the_items() {
        let memory = |rss| Memory { rss, pss: 0 };

        let each = MemoryPerItem::new("filter", 10, memory(1000), memory(6000));

        assert_eq!(each.rss_bytes, 500.0);
    }
}
