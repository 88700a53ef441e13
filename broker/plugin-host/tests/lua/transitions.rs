//! Breaker, share of a worker and rollback: every transition, whatever language a plugin is written
//! in. The plugins here do what they do to messages whose topics are longer than two letters, and
//! pass the others.

use std::time::{Duration, Instant};

use pintle_mqtt::Timestamp;
use pintle_plugin_host::{BreakerState, ChainSpec, ErrorKind, Hook, PluginHost, PluginSpec};
use pintle_ports::{HookPath, PublishVerdict};

use crate::support::{FAILED, Table, client, load, message};

/// Further on than the clock of the host.
const LATER: u64 = 10_000_000;

fn publish(table: &Table, topic: &str, millis: u64) -> PublishVerdict {
    let (publish, now) = (message(topic, b""), Timestamp::from_millis(millis));
    table.hooks.on_publish(HookPath::Client, Some(&client("c")), &publish, now).verdict
}

fn state(table: &Table) -> (BreakerState, u64) {
    let stats = table.host.stats();
    let hook = stats[0].hook(Hook::Publish).unwrap();
    (hook.breaker, hook.calls)
}

/// A host that has run for an hour.
fn aged(patient: PluginSpec) -> Table {
    let began = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
    let spec = ChainSpec { plugins: vec![patient], began, ..ChainSpec::default() };
    let host = PluginHost::load(spec).unwrap();
    let hooks = host.hooks();
    Table::new(host, hooks)
}

/// `patient` fails on what is longer than two letters.
pub(crate) fn closed_open_half_open_and_closed_again(patient: PluginSpec) {
    let table = aged(patient);
    assert_eq!(publish(&table, "ok", LATER), PublishVerdict::Pass);
    for _ in 0..4 {
        assert_eq!(publish(&table, "bad", LATER), FAILED);
    }
    assert_eq!(state(&table), (BreakerState::Closed, 5));
    assert_eq!(publish(&table, "bad", LATER), FAILED);
    assert_eq!(state(&table), (BreakerState::Open, 6));

    assert_eq!(publish(&table, "ok", LATER + 999), FAILED);
    assert_eq!(state(&table), (BreakerState::Open, 6), "it is not called");
    assert_eq!(publish(&table, "bad", LATER + 1_000), FAILED);
    assert_eq!(state(&table), (BreakerState::Open, 7), "one call was let through, and failed");
    assert_eq!(publish(&table, "ok", LATER + 2_999), FAILED);
    assert_eq!(state(&table), (BreakerState::Open, 7), "the wait has doubled");
    assert_eq!(publish(&table, "ok", LATER + 3_000), PublishVerdict::Pass);
    assert_eq!(state(&table), (BreakerState::Closed, 8));
    assert_eq!(publish(&table, "ok", LATER + 3_000), PublishVerdict::Pass);
    assert_eq!(table.errors(ErrorKind::BreakerOpen), 2);
}

/// The same; what is seen of it between two calls.
pub(crate) fn half_open_once_the_wait_is_over(patient: PluginSpec) {
    let table = aged(patient);
    for _ in 0..5 {
        publish(&table, "bad", 0);
    }
    assert_eq!(state(&table), (BreakerState::HalfOpen, 5));
}

/// `spinner` takes 20 ms for what is longer than two letters.
pub(crate) fn cut_to_its_share_until_the_next_second(spinner: PluginSpec, other: PluginSpec) {
    let mut spinner = spinner;
    spinner.topics = vec!["slow".to_owned()];
    spinner.limits.worker_share = Duration::from_millis(100);
    let table = load([spinner, other]);
    for _ in 0..20 {
        publish(&table, "slow", 0);
        assert_eq!(publish(&table, "ok", 999), PublishVerdict::Pass);
    }
    let stats = table.host.stats();
    let called = stats[0].hook(Hook::Publish).unwrap().calls;
    assert!((1..=5).contains(&called), "{stats:?}");
    assert_eq!(stats[0].errors(ErrorKind::Share), 20 - called);
    assert_eq!(stats[0].hook(Hook::Publish).unwrap().breaker, BreakerState::Closed);
    // Those that the other was asked about besides its own.
    assert_eq!(stats[1].hook(Hook::Publish).unwrap().calls, 20 + called);
    assert_eq!(publish(&table, "slow", 1_000), PublishVerdict::Pass);
}

/// `old` passes what is longer than two letters, `new` fails on it.
pub(crate) fn back_to_the_generation_before(old: PluginSpec, new: PluginSpec) {
    let table = load([old]);
    let verdict = || {
        let publish = message("bad", b"");
        let now = Timestamp::from_millis(0);
        table.host.hooks().on_publish(HookPath::Client, Some(&client("c")), &publish, now).verdict
    };
    let name = table.host.list()[0].name.clone();
    assert!(table.host.roll_back(&name).is_err(), "there is nothing to go back to");
    assert_eq!(verdict(), PublishVerdict::Pass);
    assert_eq!(table.host.install(new).unwrap().info.code_generation, 2);
    assert_eq!(verdict(), FAILED);
    let back = table.host.roll_back(&name).unwrap().info;
    assert_eq!((back.code_generation, back.can_roll_back), (3, true));
    assert_eq!(verdict(), PublishVerdict::Pass);
    table.host.roll_back(&name).unwrap();
    assert_eq!(verdict(), FAILED);
}
