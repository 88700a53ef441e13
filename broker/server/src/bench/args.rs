//! The options of `pintle bench`. The letters are those of `pintle pub` and `pintle sub`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use pintle_mqtt::{ProtocolVersion, QoS};

use super::disturbers::Disturbance;
use super::pace::{Pace, Until};
use super::payload::STAMP_BYTES;

/// The largest payload: a PUBLISH may have 256 MiB, and every receiver needs room for it.
const PAYLOAD_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// What to measure, and how.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Subcommand, Debug)]
pub(super) enum What {
    /// Many publishers, one subscriber
    FanIn(FanInArgs),
    /// One publisher, many subscribers
    FanOut(FanOutArgs),
    /// Each publisher has a subscriber of its own
    Pairs(PairsArgs),
    /// A group of subscribers shares a subscription
    Shared(SharedArgs),
    /// A fixed rate; latency counts from the instant a message was due
    Latency(LatencyArgs),
    /// Connect and disconnect again and again
    Connects(ConnectsArgs),
    /// Hold connections that do nothing
    Idle(IdleArgs),
    /// Publish through many filters: half exact, the rest with + and #
    Filters(FiltersArgs),
    /// Queue messages for sessions that are away, then let them come back
    Drain(DrainArgs),
    /// Retain many messages, then let one subscriber have them all
    Retained(RetainedArgs),
    /// Run a relay that knows no more than where bytes have to go: a floor to compare with
    Relay(RelayArgs),
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct FanInArgs {
    #[arg(long, default_value_t = 50, value_parser = count())]
    pub(super) publishers: u32,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct FanOutArgs {
    #[arg(long, default_value_t = 1, value_parser = count())]
    pub(super) publishers: u32,
    #[arg(long, default_value_t = 1000, value_parser = count())]
    pub(super) subscribers: u32,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct PairsArgs {
    #[arg(long, default_value_t = 100, value_parser = count())]
    pub(super) pairs: u32,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct SharedArgs {
    #[arg(long, default_value_t = 50, value_parser = count())]
    pub(super) publishers: u32,
    /// Members of the group
    #[arg(long, default_value_t = 8, value_parser = count())]
    pub(super) group: u32,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct LatencyArgs {
    #[arg(long, default_value_t = 10, value_parser = count())]
    pub(super) pairs: u32,
    /// In place of pairs, one publisher to so many subscribers
    #[arg(long, conflicts_with = "pairs", value_name = "SUBSCRIBERS", value_parser = count())]
    pub(super) fan_out: Option<u32>,
    /// Messages a second in all; 5000 if not given, 500 with --fan-out
    #[arg(long, value_parser = parse_positive)]
    pub(super) rate: Option<f64>,
    /// Sleep until a message is due, as ordinary clients do, rather than keep a core busy. Where cores
    /// are few, one that never rests is what the broker waits for. Only Linux wakes it exactly enough;
    /// elsewhere nothing changes
    #[arg(long)]
    pub(super) sleep: bool,
    #[command(flatten)]
    pub(super) disturbance: DisturbanceArgs,
    #[command(flatten)]
    pub(super) message: MessageArgs,
    #[command(flatten)]
    pub(super) length: LengthArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Clients that are a burden to the broker meanwhile.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct DisturbanceArgs {
    /// Meanwhile, one more client makes or ends so many subscriptions a second
    #[arg(long, default_value_t = 0, value_name = "PER_SECOND", hide_default_value = true)]
    changes: u32,
    /// Meanwhile, one more publisher sends as much as the broker takes
    #[arg(long)]
    flood: bool,
    /// Meanwhile, one more subscriber to everything, the flood too, never reads
    #[arg(long)]
    never_reads: bool,
}

impl DisturbanceArgs {
    pub(super) const fn disturbance(self) -> Disturbance {
        let Self { changes: changes_per_second, flood: floods, never_reads } = self;
        Disturbance { changes_per_second, floods, never_reads }
    }
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct FiltersArgs {
    #[arg(long, default_value_t = 100_000, value_parser = count())]
    pub(super) filters: u32,
    #[arg(long, default_value_t = 100, value_parser = count())]
    pub(super) subscribers: u32,
    #[arg(long, default_value_t = 10, value_parser = count())]
    pub(super) publishers: u32,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct ConnectsArgs {
    /// How many connect at a time
    #[arg(long, default_value_t = 50, value_parser = count())]
    pub(super) connections: u32,
    /// Seconds that are measured
    #[arg(long, default_value = "2", value_parser = parse_seconds)]
    pub(super) duration: Duration,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct IdleArgs {
    #[arg(long, default_value_t = 1000, value_parser = count())]
    pub(super) connections: u32,
    /// Each subscribes to a topic of its own
    #[arg(long)]
    pub(super) subscribe: bool,
    /// Seconds they are held
    #[arg(long, default_value = "1", value_parser = parse_seconds)]
    pub(super) duration: Duration,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct DrainArgs {
    #[arg(long, default_value_t = 200, value_parser = count())]
    pub(super) sessions: u32,
    /// Messages queued for each session
    #[arg(long, default_value_t = 500, value_parser = count())]
    pub(super) messages: u32,
    /// 1 or 2: messages of QoS 0 are not queued
    #[arg(short = 'q', long, default_value = "1", value_parser = parse_queued_qos)]
    pub(super) qos: QoS,
    /// Bytes of a payload
    #[arg(long, default_value = "64", value_name = "BYTES", value_parser = payload_bytes())]
    pub(super) payload: u32,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct RetainedArgs {
    /// Messages to retain, each on a topic of its own
    #[arg(long, default_value_t = 100_000, value_parser = count())]
    pub(super) messages: u32,
    /// How often a new subscriber asks for them all
    #[arg(long, default_value_t = 3, value_parser = count())]
    pub(super) rounds: u32,
    #[command(flatten)]
    pub(super) message: MessageArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Args, Debug)]
pub(super) struct RelayArgs {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:1884", value_name = "ADDRESS:PORT")]
    pub(super) bind: SocketAddr,
}

/// Where the broker is, and what to say about it.
#[derive(Args, Debug)]
pub(super) struct CommonArgs {
    /// Host name or address of the broker
    #[arg(short = 'h', long, default_value = "localhost", value_name = "HOST")]
    pub(super) host: String,
    /// Port; 1883 if not given, 8883 with TLS, 9001 with --ws
    #[arg(short = 'p', long)]
    pub(super) port: Option<u16>,
    /// User name
    #[arg(short = 'u', long)]
    pub(super) username: Option<String>,
    /// Password; others on this machine can see it while the command runs
    #[arg(short = 'P', long, requires = "username")]
    pub(super) password: Option<String>,
    /// MQTT version: 311 or 5
    #[arg(short = 'V', long = "mqtt-version", alias = "version", default_value = "311", value_name = "VERSION", value_parser = parse_version)]
    pub(super) version: Version,
    /// Use TLS and trust the certificates in this file
    #[arg(long, value_name = "FILE")]
    pub(super) cafile: Option<PathBuf>,
    /// Use TLS and trust what the system trusts
    #[arg(long)]
    pub(super) tls: bool,
    /// Use WebSocket
    #[arg(long)]
    pub(super) ws: bool,
    /// Path of the WebSocket
    #[arg(long, default_value = "mqtt", requires = "ws", value_name = "PATH")]
    pub(super) ws_path: String,
    /// The broker's process, if it runs on this machine: tells its processor time and memory
    #[arg(long)]
    pub(super) pid: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// What messages are like.
#[derive(Args, Clone, Debug)]
pub(super) struct MessageArgs {
    /// QoS
    #[arg(short = 'q', long, default_value = "0", value_parser = parse_qos)]
    pub(super) qos: QoS,
    /// Bytes of a payload
    #[arg(long, default_value = "64", value_name = "BYTES", value_parser = payload_bytes())]
    pub(super) payload: u32,
}

/// How long a run is.
#[derive(Args, Clone, Debug)]
pub(super) struct LengthArgs {
    /// Seconds that are measured
    #[arg(long, default_value = "2", value_parser = parse_seconds)]
    duration: Duration,
    /// Seconds before that
    #[arg(long, default_value = "0.5", value_name = "SECONDS", value_parser = parse_seconds)]
    warm_up: Duration,
    /// Measure so many messages from the first to the last, in place of a time
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["duration", "warm_up"], value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
}

/// What is sent, how fast and how long.
#[derive(Args, Clone, Debug)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub(super) message: MessageArgs,
    /// Messages of each publisher that may be on the way; 1 is one by one. 100 if not given, fewer
    /// with large payloads
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    window: Option<u16>,
    /// Messages a second in all, whatever is on the way
    #[arg(long, conflicts_with = "window", value_parser = parse_positive)]
    rate: Option<f64>,
    #[command(flatten)]
    pub(super) length: LengthArgs,
}

impl LoadArgs {
    /// `usual_window` is for when nothing is said.
    pub(super) fn pace(&self, usual_window: u64) -> Pace {
        match self.rate {
            Some(rate) => Pace::Rate(rate),
            None => Pace::Window(self.window.map_or(usual_window, u64::from)),
        }
    }
}

impl LengthArgs {
    pub(super) fn until(&self) -> Until {
        match self.messages {
            Some(messages) => Until::Messages(messages),
            None => Until::Time { warm_up: self.warm_up, measured: self.duration },
        }
    }
}

impl CommonArgs {
    pub(super) const fn uses_tls(&self) -> bool {
        self.tls || self.cafile.is_some()
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match (self.ws, self.uses_tls()) {
            (true, _) => 9001,
            (false, true) => 8883,
            (false, false) => 1883,
        })
    }
}

/// An MQTT version, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version(pub(super) ProtocolVersion);

fn parse_version(text: &str) -> Result<Version, String> {
    match text.trim_start_matches("mqttv") {
        "311" | "3.1.1" => Ok(Version(ProtocolVersion::V3_1_1)),
        "5" | "5.0" => Ok(Version(ProtocolVersion::V5_0)),
        _ => Err("it is one of 311 and 5".to_owned()),
    }
}

fn parse_qos(text: &str) -> Result<QoS, String> {
    let qos = text.parse().ok().filter(|bits| *bits < 3).and_then(QoS::from_bits);
    qos.ok_or_else(|| "it is one of 0, 1 and 2".to_owned())
}

fn parse_queued_qos(text: &str) -> Result<QoS, String> {
    match parse_qos(text) {
        Ok(qos) if qos != QoS::AtMostOnce => Ok(qos),
        Ok(_) | Err(_) => Err("it is one of 1 and 2".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.trim_end_matches('s')
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "it is a number of seconds".to_owned())
}

fn parse_positive(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| "it is a number above 0".to_owned())
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..10_000_000)
}

fn payload_bytes() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(STAMP_BYTES as i64..=PAYLOAD_BYTES_MAX)
}
