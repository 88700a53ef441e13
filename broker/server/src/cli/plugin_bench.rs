//! `pintle plugin bench`: how long the hooks of a plugin take over its cases.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use pintle_plugin_host::{HookBench, bench_cases};

use super::plugin_target::{TargetArgs, tell};
use super::plugin_test::no_cases;
use super::{Exit, print};

#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &BenchArgs) -> Result<Exit> {
    let spec = match args.target.spec() {
        Ok(spec) => spec,
        Err(error) => {
            tell(&error);
            return Ok(Exit::No);
        }
    };
    if spec.cases.is_empty() {
        eprintln!("{}", no_cases(&args.target));
        return Ok(Exit::No);
    }
    let benches = bench_cases(&spec, &spec.cases);
    if benches.is_empty() {
        eprintln!("No case can be timed: each of them fails. Run `pintle plugin test` first.");
        return Ok(Exit::No);
    }
    print(&table(&benches)?)?;
    Ok(Exit::Success)
}

fn table(benches: &[HookBench]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{:<16}{:>6}{:>12}{:>12}{:>12}{:>12}",
        "hook", "cases", "calls", "ns/call", "least", "most"
    )?;
    for bench in benches {
        writeln!(
            text,
            "{:<16}{:>6}{:>12}{:>12.0}{:>12.0}{:>12.0}",
            bench.hook.name(),
            bench.cases,
            bench.calls,
            bench.median_ns,
            bench.least_ns,
            bench.most_ns
        )?;
    }
    writeln!(text, "\nMedian of 15 batches, on one thread, without the broker around it.")?;
    if cfg!(debug_assertions) {
        writeln!(text, "This pintle was built without optimisation: the figures are too high.")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintle_plugin_host::Hook;

    #[test]
    fn a_hook_has_a_line_with_its_median() {
        let bench = HookBench {
            hook: Hook::Publish,
            cases: 2,
            calls: 30_000,
            median_ns: 312.4,
            least_ns: 300.0,
            most_ns: 340.6,
        };
        let text = table(&[bench]).unwrap();
        let line = text.lines().nth(1).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["on_publish", "2", "30000", "312", "300", "341"]);
    }
}
