//! What becomes of the instance of a script that fails.

use pintle_mqtt::Timestamp;
use pintle_plugin_host::ErrorKind;
use pintle_ports::{HookPath, PublishVerdict};

use crate::support::{FAILED, Table, client, load, message, script};

fn publish(table: &Table, topic: &str, millis: u64) -> PublishVerdict {
    let (publish, now) = (message(topic, b""), Timestamp::from_millis(millis));
    table.hooks.on_publish(HookPath::Client, Some(&client("c")), &publish, now).verdict
}

#[test]
fn a_script_that_has_spoilt_its_own_state_works_again_when_it_is_tried_again() {
    let table = load([script(
        "local is_spoilt = false
        return { on_publish = function(client, topic)
            if topic == 'spoil' then is_spoilt = true end
            if is_spoilt then error('spoilt') end
        end }",
    )]);
    assert_eq!(publish(&table, "t", 0), PublishVerdict::Pass);
    assert_eq!(publish(&table, "spoil", 1), FAILED);
    for millis in 2..6 {
        assert_eq!(publish(&table, "t", millis), FAILED, "the instance is the same");
    }
    assert_eq!(table.errors(ErrorKind::Trap), 5);
    assert_eq!(publish(&table, "t", 500), FAILED);
    assert_eq!(table.errors(ErrorKind::BreakerOpen), 1);
    assert_eq!(publish(&table, "t", 1_100), PublishVerdict::Pass);
    assert_eq!(publish(&table, "t", 1_101), PublishVerdict::Pass);
    assert_eq!(table.errors(ErrorKind::Trap), 5);
}

#[test]
fn what_a_script_keeps_stays_from_call_to_call_until_it_is_late() {
    let source = "local calls = 0
        return { on_publish = function(client, topic)
            calls += 1
            if topic == 'late' then while true do end end
            return tostring(calls)
        end }";
    let table = load([script(source)]);
    let told = |topic| crate::support::rewritten(&table.publish(topic, b"")).1;
    assert_eq!((told("t"), told("t")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(table.publish("late", b"").verdict, FAILED);
    assert_eq!(told("t"), "1");
}
