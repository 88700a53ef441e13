//! Components that mean harm. Each fails alone: its policy answers, the error is counted, and the
//! next call is answered.

use pintle_mqtt::Timestamp;
use pintle_plugin_host::{ErrorKind, PluginSpec};
use pintle_ports::{HookPath, PublishVerdict, Verdict};

use crate::component::{authorize, on_publish};
use crate::module_text::RESULT;
use crate::support::{FAILED, client, load, message};

fn bounded(mut spec: PluginSpec) -> PluginSpec {
    spec.limits.memory_bytes_max = 4 << 20;
    spec.limits.host_calls_max = 100;
    spec
}

/// Calls `body` as on_publish, then a call that does no harm.
fn assert_harmless(fields: &str, body: &str, kind: ErrorKind) -> String {
    let table = load([bounded(on_publish(fields, body))]);
    assert_eq!(table.publish("bad", b"x").verdict, FAILED, "{body}");
    assert_eq!(table.errors(kind), 1, "{body}: {:?}", table.host.stats());
    assert_eq!(table.publish("ok", b"x").verdict, PublishVerdict::Pass, "{body}");
    table.host.stats()[0].last_error.clone().unwrap_or_default()
}

#[test]
fn an_endless_loop_is_late() {
    assert_harmless("", "(loop $again (br $again))", ErrorKind::Late);
}

#[test]
fn memory_that_grows_without_end_goes_over_its_bound() {
    let body = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
    assert_harmless("", body, ErrorKind::Memory);
}

#[test]
fn a_table_that_grows_without_end_goes_over_its_bound() {
    let body = "(loop $again (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $again))";
    assert_harmless("(table $t 1 funcref)", body, ErrorKind::Memory);
}

#[test]
fn endless_recursion_is_a_trap() {
    let fields = "(func $f (param i32) (result i32) \
        (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let what = assert_harmless(fields, "(drop (call $f (i32.const 0)))", ErrorKind::Trap);
    assert!(what.contains("too deeply"), "{what}");
}

#[test]
fn a_trap_is_counted_as_one_and_says_where() {
    let what = assert_harmless(
        "(func $reckon_with_nothing (result i32) (i32.div_u (i32.const 1) (i32.const 0)))",
        "(drop (call $reckon_with_nothing))",
        ErrorKind::Trap,
    );
    assert!(what.contains("divide by zero, in reckon_with_nothing"), "{what}");
    assert_harmless("", "unreachable", ErrorKind::Trap);
    assert_harmless("", "(drop (i32.load (i32.const -4)))", ErrorKind::Trap);
}

#[test]
fn a_flood_of_host_calls_is_an_error() {
    let what = assert_harmless(
        r#"(import "pintle:plugin/clock@0.1.0" "now-ms" (func $now (result i64)))"#,
        "(loop $again (drop (call $now)) (br $again))",
        ErrorKind::Trap,
    );
    assert!(what.contains("limits.host_calls"), "{what}");
}

#[test]
fn huge_log_lines_are_cut_and_do_no_harm() {
    let fields = r#"(import "pintle:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
    let body = "(call $log (i32.const 2) (i32.const 0) (i32.const 131072)) unreachable";
    assert_harmless(fields, body, ErrorKind::Trap);
}

#[test]
fn an_argument_that_is_longer_than_the_host_copies_is_an_error() {
    let fields = r#"(import "pintle:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
        (memory (export "memory") 48)"#;
    let body = "(call $log (i32.const 2) (i32.const 0) (i32.const 3000000))";
    assert_harmless(fields, body, ErrorKind::Trap);
}

const REWRITE: &str =
    r#"(import "pintle:plugin/answer@0.1.0" "rewrite" (func $rewrite (param i32)))"#;
const EMIT: &str = r#"(import "pintle:plugin/answer@0.1.0" "emit" (func $emit (param i32)))"#;

#[test]
fn an_answer_that_lies_outside_its_memory_is_an_error() {
    assert_harmless(REWRITE, "(call $rewrite (i32.const 0x7ffffff0))", ErrorKind::Trap);
    assert_harmless(REWRITE, &rewrite(TOPIC, 0x7fff_0000, 16), ErrorKind::Trap);
}

#[test]
fn an_answer_that_does_not_exist_is_invalid() {
    assert_harmless("", "(return (i32.const 77))", ErrorKind::InvalidAnswer);
}

#[test]
fn an_answer_that_does_not_say_what_it_needs_is_invalid() {
    let what = assert_harmless("", "(return (i32.const 1))", ErrorKind::InvalidAnswer);
    assert!(what.contains("answer.rewrite"), "{what}");
}

#[test]
fn an_answer_that_is_longer_than_the_host_copies_is_an_error() {
    let fields = format!(r#"{REWRITE} (memory (export "memory") 48)"#);
    assert_harmless(&fields, &rewrite(PAYLOAD, 4096, 3_000_000), ErrorKind::Trap);
}

#[test]
fn messages_that_are_longer_together_than_the_host_keeps_are_an_error() {
    let fields = format!(r#"{EMIT} (memory (export "memory") 40)"#);
    let body = emit("(loop $again (call $emit (i32.const 1024)) (br $again))", 1_500_000);
    let what = assert_harmless(&fields, &body, ErrorKind::Trap);
    assert!(what.contains("limits.memory"), "{what}");
}

#[test]
fn messages_of_which_there_are_too_many_are_an_error() {
    let calls = "(call $emit (i32.const 1024))".repeat(65);
    assert_harmless(EMIT, &emit(&calls, 1), ErrorKind::Bound);
}

#[test]
fn a_topic_that_is_no_text_is_an_error() {
    let fields = format!(r#"{REWRITE} (data (i32.const 4096) "\ff\fe")"#);
    assert_harmless(&fields, &rewrite(TOPIC, 4096, 2), ErrorKind::Trap);
}

#[test]
fn a_topic_with_a_wildcard_is_invalid() {
    let fields = format!(r#"{REWRITE} (data (i32.const 4096) "a/+")"#);
    assert_harmless(&fields, &rewrite(TOPIC, 4096, 3), ErrorKind::InvalidAnswer);
}

#[test]
fn what_was_said_in_one_call_is_forgotten_in_the_next() {
    let fields = format!(r#"{REWRITE} (global $calls (mut i32) (i32.const 0))"#);
    let said = rewrite(PAYLOAD, 4096, 3).replace("(return (i32.const 1))", "");
    let body = format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.eq (global.get $calls) (i32.const 1)) (then {said} (return (i32.const 0))))
         (return (i32.const 1))"
    );
    let table = load([bounded(on_publish(&fields, &body))]);
    assert_eq!(table.publish("said, and passed", b"x").verdict, PublishVerdict::Pass);
    assert_eq!(table.publish("not said", b"x").verdict, FAILED);
    assert_eq!(table.errors(ErrorKind::InvalidAnswer), 1);
}

/// Where these are in a patch.
const TOPIC: u32 = RESULT;
const PAYLOAD: u32 = RESULT + 12;

/// Answers with a patch whose text or bytes at `field` are these.
fn rewrite(field: u32, at: u32, length: u32) -> String {
    format!(
        "(i32.store8 (i32.const {field}) (i32.const 1))
         (i32.store (i32.const {}) (i32.const {at}))
         (i32.store (i32.const {}) (i32.const {length}))
         (call $rewrite (i32.const {RESULT}))
         (return (i32.const 1))",
        field + 4,
        field + 8
    )
}

/// Makes a message with a payload so long, before `calls` emit it.
fn emit(calls: &str, length: u32) -> String {
    format!(
        "(i32.store (i32.const {RESULT}) (i32.const 16))
         (i32.store (i32.const {}) (i32.const 7))
         (i32.store (i32.const {}) (i32.const 4096))
         (i32.store (i32.const {}) (i32.const {length}))
         {calls}",
        RESULT + 4,
        RESULT + 8,
        RESULT + 12
    )
}

#[test]
fn what_fails_to_decide_has_not_said_yes() {
    for body in ["unreachable", "(loop $again (br $again))"] {
        let table = load([bounded(authorize("", body))]);
        let verdict = table.may_publish(&client("c"), "bad");
        assert!(!matches!(verdict, Verdict::Allow), "{body}: {verdict:?}");
        assert_eq!(table.errors(ErrorKind::Trap) + table.errors(ErrorKind::Late), 1, "{body}");
    }
}

#[test]
fn a_component_that_traps_again_and_again_is_left_alone_and_tried_again_later() {
    let table = load([bounded(on_publish("", "unreachable"))]);
    let publish = |topic, at| {
        let (message, now) = (message(topic, b""), Timestamp::from_millis(at));
        table.hooks.on_publish(HookPath::Client, Some(&client("c")), &message, now).verdict
    };
    for _ in 0..5 {
        assert_eq!(publish("bad", 0), FAILED);
    }
    assert_eq!(publish("ok", 0), FAILED);
    assert_eq!(table.errors(ErrorKind::BreakerOpen), 1);
    assert_eq!(publish("ok", 120_000), PublishVerdict::Pass);
    assert_eq!(publish("ok", 120_000), PublishVerdict::Pass);
}

#[test]
fn what_one_call_left_in_memory_is_gone_after_a_trap() {
    let fields = "(global $calls (mut i32) (i32.const 0))";
    let body = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.ge_u (global.get $calls) (i32.const 2)) (then unreachable))";
    let table = load([bounded(on_publish(fields, body))]);
    let verdicts = ["a", "b", "c", "d"].map(|topic| table.publish(topic, b"").verdict);
    assert_eq!(verdicts[0], PublishVerdict::Pass);
    assert_eq!(verdicts[1], FAILED);
    assert_eq!(verdicts[2], PublishVerdict::Pass);
    assert_eq!(verdicts[3], FAILED);
}
