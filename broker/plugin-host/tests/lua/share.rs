//! What a script that is slow takes of a worker's time.

use pintle_mqtt::Timestamp;
use pintle_plugin_host::{ErrorKind, Hook, PluginSpec, PublishErrorPolicy};
use pintle_ports::{HookPath, PublishVerdict};

use crate::support::{FAILED, Table, client, load, message, named, script};

const SPINS: &str = "return { on_publish = function(client, topic)
    if topic == 'slow' then
        local done = os.clock() + 0.02
        while os.clock() < done do end
    end
end }";
/// Calls of 20 ms that fit into a share of 200 ms.
const CALLS_MAX: u64 = 10;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn publish(table: &Table, who: &str, topic: &str, now: Timestamp) -> PublishVerdict {
    let publish = message(topic, b"x");
    table.hooks.on_publish(HookPath::Client, Some(&client(who)), &publish, now).verdict
}

fn passing(spec: PluginSpec) -> PluginSpec {
    let mut spec = spec;
    spec.on_error.publish = Some(PublishErrorPolicy::Pass);
    spec
}

#[test]
fn calls_just_under_the_deadline_are_cut_to_a_share_of_each_second_and_others_go_on() {
    let mut slow = passing(named("slow", SPINS));
    slow.topics = vec!["slow".to_owned()];
    let other = named("other", "return { on_publish = function(client, topic) end }");
    let table = load([slow, other]);
    for _ in 0..40 {
        assert_eq!(publish(&table, "a", "slow", at(0)), PublishVerdict::Pass);
        assert_eq!(publish(&table, "b", "quick", at(999)), PublishVerdict::Pass);
    }
    let stats = table.host.stats();
    let called = stats[0].hook(Hook::Publish).unwrap().calls;
    assert!((1..=CALLS_MAX).contains(&called), "{stats:?}");
    assert_eq!(stats[0].errors(ErrorKind::Share), 40 - called);
    assert_eq!(stats[1].hook(Hook::Publish).unwrap().calls, 80);

    publish(&table, "a", "slow", at(1000));
    let stats = table.host.stats();
    assert_eq!(stats[0].hook(Hook::Publish).unwrap().calls, called + 1, "another second");
}

#[test]
fn a_script_that_becomes_slow_after_many_short_calls_is_cut_to_its_share_too() {
    let table = load([script(SPINS)]);
    for second in 0..1000 {
        assert_eq!(publish(&table, "a", "quick", at(second * 1000)), PublishVerdict::Pass);
    }
    let verdicts = (0..60).map(|_| publish(&table, "a", "slow", at(2_000_000)));
    let refused = verdicts.filter(|verdict| *verdict == FAILED).count();
    // Not more than fifteen calls in a row are not timed.
    assert!(refused >= 60 - 10 - 15, "{refused}: {:?}", table.host.stats());
}

#[test]
fn the_share_is_what_limits_say() {
    let mut spec = script(SPINS);
    spec.limits.worker_share = std::time::Duration::from_millis(30);
    let table = load([spec]);
    let verdicts: Vec<_> = (0..10).map(|_| publish(&table, "a", "slow", at(0))).collect();
    let failed = verdicts.iter().filter(|verdict| **verdict == FAILED).count();
    assert!(failed >= 8, "{verdicts:?}");
    assert_eq!(verdicts[0], PublishVerdict::Pass);
}
