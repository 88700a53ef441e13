//! What is compared: the runs of `pintle bench`, and which of their figures counts.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::contender::{Endpoint, PASSWORD, USER};

/// One line of the comparison.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// As `pintle bench` takes them.
    arguments: &'static str,
    pub(crate) figures: &'static [Figure],
    /// The ratio to mosquitto that Pintle is to reach in the first figure, if there is one.
    pub(crate) aim: Option<f64>,
    /// Whether a relay knows how to do it.
    pub(crate) is_for_relay: bool,
}

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// What is counted, for each second of the broker's processor time.
    PerCpuSecond,
    /// Microseconds from the instant a message was due.
    P50,
    P99,
    /// Bytes of memory for each connection, filter or message.
    BytesEach,
}

impl Figure {
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::PerCpuSecond => "per CPU second",
            Self::P50 => "p50, µs",
            Self::P99 => "p99, µs",
            Self::BytesEach => "bytes each",
        }
    }

    /// How many times better `ours` is than `theirs`.
    pub(crate) fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::PerCpuSecond => ours / theirs,
            Self::P50 | Self::P99 | Self::BytesEach => theirs / ours,
        }
    }

    fn of(self, report: &Value) -> Option<f64> {
        let pointer = match self {
            Self::PerCpuSecond => "/broker/per_cpu_second",
            Self::P50 => "/latency_us/p50",
            Self::P99 => "/latency_us/p99",
            Self::BytesEach => "/memory_per_item/rss_bytes",
        };
        report.pointer(pointer)?.as_f64()
    }
}

/// What one run has brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The figures of the scenario, in its order, and whether the generator limited them.
    Measured { figures: Vec<f64>, is_generator_bound: bool, lost: u64 },
    /// It did not come to an end, or messages were not as they had to be.
    Failed(String),
}

const THROUGHPUT: &[Figure] = &[Figure::PerCpuSecond];
const LATENCY: &[Figure] = &[Figure::P50, Figure::P99];
const MEMORY: &[Figure] = &[Figure::BytesEach];
const BOTH: &[Figure] = &[Figure::PerCpuSecond, Figure::BytesEach];

/// All lines of the comparison.
pub(crate) const SCENARIOS: &[Scenario] = &[
    throughput("fan-in, QoS 0", "fan-in", 40.0, true),
    throughput("fan-in, QoS 1", "fan-in -q 1", 45.0, true),
    throughput("fan-in, QoS 2", "fan-in -q 2", 30.0, false),
    without_aim("fan-in, QoS 0, MQTT 5", "fan-in -V 5"),
    without_aim("fan-in, QoS 1, 200 one by one", "fan-in -q 1 --publishers 200 --window 1"),
    throughput("fan-out to 1000", "fan-out", 20.0, true),
    throughput("100 pairs", "pairs", 35.0, true),
    throughput("100 pairs, one by one", "pairs --window 1", 1.3, true),
    throughput("shared, group of 8", "shared", 20.0, false),
    both("100 000 filters", "filters", Some(15.0)),
    both("100 000 retained to one", "retained", Some(8.0)),
    both("drain of 200 × 500, QoS 1", "drain", Some(10.0)),
    throughput("connects", "connects", 0.95, true),
    throughput("fan-in, payload 4 KiB", "fan-in --payload 4096", 6.0, true),
    without_aim("fan-in, payload 64 KiB", "fan-in --payload 65536"),
    latency("latency, 10 pairs, 5000 /s", "latency"),
    latency("latency, fan-out to 50, 500 /s", "latency --fan-out 50"),
    memory("idle connections", "idle --connections 5000"),
    memory("idle, one subscription each", "idle --connections 5000 --subscribe"),
];

/// What is to grow without getting out of hand; asked for with `--growth`.
pub(crate) const GROWTH: &[Scenario] = &[
    both("1 000 000 filters", "filters --filters 1000000 --subscribers 200", None),
    both("1 000 000 retained to one", "retained --messages 1000000 --rounds 1", None),
    memory("19 900 connections", "idle --connections 19900"),
    without_aim("fan-out to 10 000", "fan-out --subscribers 10000"),
    latency("undisturbed, 10 pairs, 5000 /s", "latency --sleep"),
    disturbed("the same, 10 000 subscription changes /s", "latency --sleep --changes 10000"),
    disturbed("the same, one subscriber never reads", "latency --sleep --never-reads"),
    disturbed("the same, one publisher floods", "latency --sleep --flood"),
    disturbed("the same, a flood to one that never reads", "latency --sleep --flood --never-reads"),
];

const fn throughput(
    name: &'static str,
    arguments: &'static str,
    aim: f64,
    is_for_relay: bool,
) -> Scenario {
    Scenario { name, arguments, figures: THROUGHPUT, aim: Some(aim), is_for_relay }
}

const fn without_aim(name: &'static str, arguments: &'static str) -> Scenario {
    Scenario { name, arguments, figures: THROUGHPUT, aim: None, is_for_relay: true }
}

const fn both(name: &'static str, arguments: &'static str, aim: Option<f64>) -> Scenario {
    Scenario { name, arguments, figures: BOTH, aim, is_for_relay: false }
}

const fn latency(name: &'static str, arguments: &'static str) -> Scenario {
    Scenario { name, arguments, figures: LATENCY, aim: None, is_for_relay: true }
}

const fn disturbed(name: &'static str, arguments: &'static str) -> Scenario {
    Scenario { name, arguments, figures: LATENCY, aim: None, is_for_relay: false }
}

const fn memory(name: &'static str, arguments: &'static str) -> Scenario {
    Scenario { name, arguments, figures: MEMORY, aim: None, is_for_relay: true }
}

impl Scenario {
    /// The arguments of `pintle bench`; `seconds` where the scenario has a length.
    pub(crate) fn arguments(&self, seconds: f64) -> Vec<String> {
        let mut arguments: Vec<String> = self.arguments.split(' ').map(str::to_owned).collect();
        let has_length = !self.arguments.starts_with("retained")
            && !self.arguments.starts_with("drain")
            && !self.figures.starts_with(MEMORY);
        if has_length {
            arguments.extend(["--duration".to_owned(), seconds.to_string()]);
        }
        arguments
    }

    /// Runs it against one broker.
    pub(crate) fn run(
        &self,
        generator: &Path,
        endpoint: &Endpoint,
        seconds: f64,
    ) -> Result<Outcome> {
        let mut command = Command::new(generator);
        command.arg("bench").args(self.arguments(seconds)).arg("--json");
        command.args(["-h", &endpoint.host, "-p", &endpoint.port.to_string()]);
        if let Some(pid) = endpoint.pid {
            command.args(["--pid", &pid.to_string()]);
        }
        if endpoint.is_secured {
            command.args(["-u", USER, "-P", PASSWORD]);
        }
        let output =
            command.output().with_context(|| format!("cannot run {}", generator.display()))?;
        let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
            let error = String::from_utf8_lossy(&output.stderr);
            return Ok(Outcome::Failed(error.lines().next().unwrap_or("no result").to_owned()));
        };
        self.outcome(&report)
    }

    fn outcome(&self, report: &Value) -> Result<Outcome> {
        if report.pointer("/verified") != Some(&Value::Bool(true)) {
            let first = report.pointer("/faults/first").and_then(Value::as_str);
            return Ok(Outcome::Failed(first.unwrap_or("not verified").to_owned()));
        }
        let figures: Option<Vec<f64>> =
            self.figures.iter().map(|figure| figure.of(report)).collect();
        let Some(figures) = figures else {
            bail!("{}: a figure is missing; is the broker's process known?", self.name);
        };
        let is_generator_bound =
            report.pointer("/generator/is_bottleneck") == Some(&Value::Bool(true));
        let lost = report.pointer("/faults/lost").and_then(Value::as_u64).unwrap_or_default();
        Ok(Outcome::Measured { figures, is_generator_bound, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verified: bool) -> Value {
        serde_json::json!({
            "verified": verified,
            "faults": { "lost": 3, "first": "it came twice" },
            "generator": { "is_bottleneck": true },
            "broker": { "per_cpu_second": 1000.0 },
            "memory_per_item": { "rss_bytes": 7.5 },
        })
    }

    #[test]
    fn the_figures_of_a_run_are_found_in_its_report() {
        let scenario = both("", "filters", None);

        let outcome = scenario.outcome(&report(true)).unwrap();

        let figures = vec![1000.0, 7.5];
        assert_eq!(outcome, Outcome::Measured { figures, is_generator_bound: true, lost: 3 });
    }

    #[test]
    fn a_run_with_faults_has_failed() {
        let outcome = without_aim("", "fan-in").outcome(&report(false)).unwrap();

        assert_eq!(outcome, Outcome::Failed("it came twice".to_owned()));
    }

    #[test]
    fn a_figure_that_is_missing_is_an_error() {
        assert!(latency("", "latency").outcome(&report(true)).is_err());
    }

    #[test]
    fn less_is_better_for_times_and_memory() {
        assert_eq!(Figure::PerCpuSecond.ratio(10.0, 5.0), 2.0);
        assert_eq!(Figure::P99.ratio(10.0, 5.0), 0.5);
        assert_eq!(Figure::BytesEach.ratio(10.0, 5.0), 0.5);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> =
            SCENARIOS.iter().chain(GROWTH).map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), SCENARIOS.len() + GROWTH.len());
    }
}
