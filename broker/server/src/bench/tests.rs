//! Whole runs with few messages, against the relay and against our broker. No times are looked at.

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use clap::Parser;

use super::relay::Relay;
use super::report::Report;
use super::{BenchArgs, measure, run};
use crate::Broker;
use crate::config::{Config, Sources};

#[derive(Parser, Debug)]
struct Command {
    #[command(flatten)]
    bench: BenchArgs,
}

fn parse(line: &str) -> Result<Command, clap::Error> {
    Command::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))
}

fn measured(line: &str, address: SocketAddr) -> anyhow::Result<Report> {
    let command = parse(&format!("{line} -h localhost -p {}", address.port()))?;
    Ok(measure(&command.bench)?.expect("a report").0)
}

/// A relay on a thread of its own, as long as this lives.
pub(super) struct RunningRelay {
    pub(super) address: SocketAddr,
    waker: mio::Waker,
    thread: Option<JoinHandle<()>>,
}

impl RunningRelay {
    pub(super) fn start() -> Self {
        let mut relay = Relay::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, waker) = (relay.address().unwrap(), relay.waker().unwrap());
        let thread = thread::spawn(move || while relay.turn().unwrap() {});
        Self { address, waker, thread: Some(thread) }
    }
}

impl Drop for RunningRelay {
    fn drop(&mut self) {
        let _ = self.waker.wake();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Every message of the run came as it had to, and so many.
fn check(report: &Report, checked: u64) {
    assert_eq!(report.faults.first, None);
    assert!(report.verified);
    assert_eq!(report.checked, checked);
}

fn check_relay(line: &str, checked: u64) {
    let relay = RunningRelay::start();
    check(&measured(line, relay.address).unwrap(), checked);
}

fn check_broker(line: &str, checked: u64) {
    let broker = Broker::builder().listen("127.0.0.1:0").start().unwrap();
    check(&measured(line, broker.addresses()[0]).unwrap(), checked);
    broker.shutdown();
}

#[test]
fn a_fan_in_over_the_relay_is_verified() {
    check_relay("fan-in --publishers 5 --messages 1003", 1003);
    check_relay("fan-in --publishers 5 --messages 1003 -q 1 -V 5", 1003);
}

#[test]
fn a_fan_out_over_the_relay_is_verified() {
    check_relay("fan-out --publishers 2 --subscribers 7 --messages 100", 700);
}

#[test]
fn pairs_over_the_relay_are_verified() {
    check_relay("pairs --pairs 4 --messages 400", 400);
    check_relay("pairs --pairs 4 --messages 40 --window 1 -q 1", 40);
}

#[test]
fn payloads_larger_than_any_buffer_are_verified() {
    check_relay("pairs --pairs 2 --messages 6 --payload 3000000", 6);
}

#[test]
fn an_open_loop_over_the_relay_is_verified_and_has_latencies() {
    let relay = RunningRelay::start();

    let report = measured("latency --pairs 3 --rate 20000 --messages 300", relay.address).unwrap();

    check(&report, 300);
    assert!(report.latency_us.is_some());
    assert!(report.late_us.is_some());
}

#[test]
fn idle_connections_over_the_relay_are_counted() {
    check_relay("idle --connections 20 --duration 0", 20);
    check_relay("idle --connections 20 --duration 0 --subscribe -V 5", 20);
}

#[test]
fn connections_come_and_go() {
    let relay = RunningRelay::start();

    let report = measured("connects --connections 3 --duration 0.05", relay.address).unwrap();

    assert!(report.verified);
    assert!(report.checked > 0);
}

#[test]
fn a_relay_refuses_what_it_does_not_know() {
    let relay = RunningRelay::start();

    let error = measured("shared --messages 1", relay.address).unwrap_err();

    assert!(error.to_string().contains("does not let"), "{error}");
}

#[test]
fn messages_of_every_qos_over_our_broker_are_verified() {
    for qos in 0..3 {
        check_broker(&format!("fan-in --publishers 5 --messages 505 -q {qos}"), 505);
        check_broker(&format!("pairs --pairs 3 --messages 300 -q {qos} -V 5"), 300);
    }
}

#[test]
fn a_shared_group_over_our_broker_gets_everything_once() {
    check_broker("shared --publishers 3 --group 4 --messages 600 -q 1", 600);
}

#[test]
fn an_open_loop_to_many_over_our_broker_is_verified() {
    check_broker("latency --fan-out 5 --rate 20000 --messages 100", 500);
}

#[test]
fn clients_that_are_a_burden_leave_the_messages_of_others_whole() {
    let broker = Broker::builder().listen("127.0.0.1:0").start().unwrap();
    let line = "latency --pairs 3 --rate 20000 --messages 300 --changes 1000 --flood --never-reads";

    let report = measured(line, broker.addresses()[0]).unwrap();

    check(&report, 300);
    assert_eq!(report.parts["never reading"], 1);
    assert!(report.parts["subscription changes"] >= 10);
    assert!(report.parts["flooded"] >= 500);
    broker.shutdown();
}

#[test]
fn filters_over_our_broker_are_verified() {
    check_broker("filters --filters 300 --subscribers 7 --publishers 3 --messages 900", 900);
}

#[test]
fn retained_messages_over_our_broker_are_verified() {
    check_broker("retained --messages 300 --rounds 2", 600);
    check_broker("retained --messages 300 --rounds 1 -q 1 -V 5", 300);
}

#[test]
fn queued_messages_over_our_broker_are_verified() {
    check_broker("drain --sessions 5 --messages 40", 200);
    check_broker("drain --sessions 5 --messages 40 -q 2 -V 5", 200);
}

#[test]
fn messages_over_tls_and_websocket_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), pair.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    let file = folder.path().join("pintle.toml");
    fs::write(&file, LISTENERS).unwrap();
    let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
    let broker = Broker::builder().config(config).start().unwrap();
    let [tls, web_socket, both] = broker.addresses()[..] else { panic!("three listeners") };
    let ca = folder.path().join("cert.pem");
    let ca = ca.display();

    for more in ["--payload 64", "--payload 100000 -q 1"] {
        let line = format!("pairs --pairs 3 --messages 60 {more}");
        check(&measured(&format!("{line} --cafile {ca}"), tls).unwrap(), 60);
        check(&measured(&format!("{line} --ws"), web_socket).unwrap(), 60);
        check(&measured(&format!("{line} --ws --cafile {ca}"), both).unwrap(), 60);
    }
    let idle = format!("connects --connections 2 --duration 0.02 --ws --cafile {ca}");
    assert!(measured(&idle, both).unwrap().verified);

    let error = measured("idle", tls).unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
    broker.shutdown();
}

const LISTENERS: &str = r#"
[[listener]]
bind = "127.0.0.1:0"
tls = { cert = "cert.pem", key = "key.pem" }
[[listener]]
bind = "127.0.0.1:0"
protocol = "websocket"
[[listener]]
bind = "127.0.0.1:0"
protocol = "websocket"
tls = { cert = "cert.pem", key = "key.pem" }
"#;

#[test]
fn the_broker_that_is_watched_shows_what_it_needs() {
    let relay = RunningRelay::start();
    let own = std::process::id();

    let report = measured(&format!("pairs --messages 100 --pid {own}"), relay.address).unwrap();

    let broker = report.broker.unwrap();
    assert_eq!(broker.pid, own);
    assert!(broker.memory_after.rss > 0);
}

#[test]
fn a_report_is_one_json_object_with_its_verdict() {
    let relay = RunningRelay::start();
    let report = measured("fan-in --messages 100", relay.address).unwrap();

    let json: serde_json::Value = serde_json::to_value(&report).unwrap();

    assert_eq!(json["scenario"], "fan-in");
    assert_eq!(json["verified"], true);
    assert_eq!(json["faults"]["lost"], 0);
    assert!(report.to_string().contains("verified   all 100 deliveries"), "{report}");
}

#[test]
fn the_command_succeeds_if_all_is_verified() {
    let relay = RunningRelay::start();
    let line = format!("fan-in --messages 9 --json -h 127.0.0.1 -p {}", relay.address.port());

    assert!(run(&parse(&line).unwrap().bench).unwrap());
}

#[test]
fn nobody_listening_is_told_with_the_address() {
    // A port that was free a moment ago, and that nobody is given meanwhile.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();

    let error = measured("fan-in --messages 1", address).unwrap_err();

    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

fn check_refused(line: &str, word: &str) {
    let error = parse(line).unwrap_err().to_string();
    assert!(error.contains(word), "{line}: {error}");
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    check_refused("fan-in --window 5 --rate 100", "--rate");
    check_refused("fan-in --messages 5 --duration 1", "--duration");
    check_refused("latency --pairs 5 --fan-out 5", "--fan-out");
    check_refused("fan-in --ws-path /x", "--ws");
    check_refused("fan-in -P secret", "--username");
}

#[test]
fn arguments_out_of_range_are_refused() {
    check_refused("fan-in --payload 23", "24..");
    check_refused("fan-in --publishers 0", "1..");
    check_refused("fan-in --window 0", "1..");
    check_refused("fan-in --rate 0", "above 0");
    check_refused("fan-in -q 3", "0, 1 and 2");
    check_refused("drain -q 0", "1 and 2");
    check_refused("fan-in -V 31", "311 and 5");
    check_refused("fan-in --duration ever", "seconds");
    check_refused("nonsense", "nonsense");
}
