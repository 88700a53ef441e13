//! `pintle bench`: puts load on any MQTT broker, and checks every message that comes back.
//!
//! One thread and sockets that never wait. In a closed loop the receivers' deliveries let the
//! publishers go on; in an open loop messages are due at fixed times, and latency counts from
//! there. Every payload names its publisher and its place in the order, so that each run tells
//! loss, duplicates, wrong order and damage.

mod alarm;
mod args;
#[expect(clippy::module_inception, reason = "it is what one bench run is")]
mod bench;
mod cast;
mod channel;
mod connects;
mod disturbers;
mod drain;
mod faults;
mod fleet;
mod frames;
mod histogram;
mod idle;
mod ledger;
mod link;
mod messages;
mod monitor;
mod open_files;
mod pace;
mod packet_ids;
mod payload;
mod process;
mod publisher;
mod receivers;
mod relay;
mod report;
mod retained;
#[cfg(test)]
mod tests;
mod traffic;
mod websocket;

use std::io::{self, Write};

use anyhow::Result;

pub(crate) use args::BenchArgs;
use args::{CommonArgs, What};
use report::Report;

/// Runs what the arguments say and prints the result; false if messages were not as they had to be.
///
/// # Errors
/// What prevents a run, or ends it early.
pub(crate) fn run(args: &BenchArgs) -> Result<bool> {
    let Some((report, common)) = measure(args)? else {
        return Ok(true);
    };
    let text = if common.json { serde_json::to_string(&report)? } else { report.to_string() };
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(report.verified)
}

/// `None` if there was nothing to measure.
fn measure(args: &BenchArgs) -> Result<Option<(Report, &CommonArgs)>> {
    Ok(Some(match &args.what {
        What::FanIn(args) => (messages::fan_in(args)?, &args.common),
        What::FanOut(args) => (messages::fan_out(args)?, &args.common),
        What::Pairs(args) => (messages::pairs(args)?, &args.common),
        What::Shared(args) => (messages::shared(args)?, &args.common),
        What::Latency(args) => (messages::latency(args)?, &args.common),
        What::Filters(args) => (messages::filters(args)?, &args.common),
        What::Connects(args) => (connects::run(args)?, &args.common),
        What::Idle(args) => (idle::run(args)?, &args.common),
        What::Drain(args) => (drain::run(args)?, &args.common),
        What::Retained(args) => (retained::run(args)?, &args.common),
        What::Relay(args) => {
            relay::run(args.bind)?;
            return Ok(None);
        }
    }))
}
