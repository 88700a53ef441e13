//! What is made for a script off the heap of its own has bounds too.

use pintle_plugin_host::ErrorKind;
use pintle_ports::PublishVerdict;

use crate::support::{FAILED, Table, load, rewritten, script};

/// `body` as on_publish, of a plugin with 4 MiB.
fn small(body: &str) -> Table {
    let source = format!(
        "return {{ on_publish = function(client, topic, payload)
            if topic == 'ok' then return end
            {body}
        end }}"
    );
    let mut spec = script(&source);
    spec.limits.memory_bytes_max = 4 << 20;
    spec.budgets.publish = std::time::Duration::from_secs(20);
    load([spec])
}

fn assert_refused(body: &str, kind: ErrorKind) {
    let table = small(body);
    assert_eq!(table.publish("bad", b"x").verdict, FAILED, "{body}");
    assert_eq!(table.errors(kind), 1, "{body}: {:?}", table.host.stats());
    assert_eq!(table.publish("ok", b"x").verdict, PublishVerdict::Pass, "{body}");
}

/// Why `body` failed, as its own `pcall` sees it.
fn complaint(body: &str) -> String {
    let caught = format!("local _, why = pcall(function() {body} end) return tostring(why)");
    rewritten(&small(&caught).publish("bad", b"x")).1
}

#[test]
fn tables_nested_without_end_are_not_written_as_json() {
    let deep = "local t = {} for i = 1, 20000 do t = { t } end json.encode(t)";
    assert!(complaint(deep).contains("nested deeper than 128"));
    let within_itself = "local t = {} t.t = t json.encode(t)";
    assert!(complaint(within_itself).contains("nested deeper than 128"));
    assert_refused(deep, ErrorKind::Trap);
}

#[test]
fn a_table_that_stands_for_a_huge_text_is_not_written_as_json() {
    let doubling = "local t = string.rep('x', 10) for i = 1, 60 do t = { t, t } end json.encode(t)";
    assert!(complaint(doubling).contains("longer than the memory"));
}

#[test]
fn a_json_text_that_takes_long_to_write_is_late() {
    let body = "local t = {} for i = 1, 60 do t = { t, t } end json.encode(t)";
    let mut spec = script(&format!("return {{ on_publish = function() {body} end }}"));
    spec.limits.memory_bytes_max = 1 << 30;
    let table = load([spec]);
    assert_eq!(table.publish("bad", b"").verdict, FAILED);
    assert_eq!(table.errors(ErrorKind::Late), 1);
}

#[test]
fn a_json_text_that_is_nested_without_end_is_not_read() {
    let body = "local value, why = json.decode(string.rep('[', 100000))
        return tostring(value) .. ' ' .. why";
    let said = rewritten(&small(body).publish("bad", b"")).1;
    assert!(said.starts_with("nil recursion limit exceeded"), "{said}");
}

#[test]
fn what_json_is_read_into_counts_as_the_plugins_memory() {
    assert_refused(
        "json.decode('[' .. string.rep('{\"a\":{}},', 100000) .. '0]')",
        ErrorKind::Memory,
    );
}

#[test]
fn what_json_does_not_have_is_refused_with_a_reason() {
    assert!(complaint("json.encode(print or function() end)").contains("JSON has no function"));
    assert!(complaint("json.encode(0 / 0)").contains("JSON has no NaN"));
    assert!(complaint("json.encode({ [1.5] = 1 })").contains("the table is no list"));
    assert!(complaint("json.encode('\\255')").contains("not UTF-8"));
    assert!(complaint("json.encode({ ['\\255'] = 1 })").contains("not UTF-8"));
}

#[test]
fn messages_of_one_call_are_bounded_together() {
    let body = "local big = string.rep('x', 1024 * 1024)
        for i = 1, 5 do broker.emit({ topic = 'a', payload = big }) end";
    assert!(complaint(body).contains("longer than limits.memory"));
}

#[test]
fn a_payload_or_a_topic_that_goes_over_the_bound_on_memory_fails_the_hook_and_no_more() {
    let mut spec = script(
        "return { on_publish = function(client, topic, payload) return #payload .. '' end }",
    );
    spec.limits.memory_bytes_max = 2 << 20;
    let table = load([spec]);
    for payload in [vec![b'x'; 4 << 20], vec![0xff; 4 << 20]] {
        assert_eq!(table.publish("t", &payload).verdict, FAILED);
        assert_eq!(rewritten(&table.publish("t", b"1234")).1, "4");
    }
    assert_eq!(table.errors(ErrorKind::Memory), 2);
    for at in 0..200 {
        let topic = format!("{at}/{}", "x".repeat(60_000));
        assert_eq!(rewritten(&table.publish(&topic, b"1234")).1, "4");
    }
    assert_eq!(table.errors(ErrorKind::Memory), 2);
}
