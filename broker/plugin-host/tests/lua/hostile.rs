//! Scripts that mean harm. Each fails alone: its policy answers, the error is counted, and the next
//! call is answered.

use pintle_plugin_host::ErrorKind;
use pintle_ports::{PublishVerdict, Verdict};

use crate::support::{FAILED, client, load, refusal, rewritten, script, try_load};

/// Calls `body` as on_publish, then a call that does no harm.
fn assert_harmless(body: &str, kind: ErrorKind) {
    let source = format!(
        "return {{ on_publish = function(client, topic, payload)
            if topic == 'ok' then return end
            {body}
        end }}"
    );
    let mut spec = script(&source);
    spec.limits.memory_bytes_max = 4 << 20;
    spec.limits.host_calls_max = 100;
    let table = load([spec]);
    assert_eq!(table.publish("bad", b"x").verdict, FAILED, "{body}");
    assert_eq!(table.errors(kind), 1, "{body}: {:?}", table.host.stats());
    assert_eq!(table.publish("ok", b"x").verdict, PublishVerdict::Pass, "{body}");
}

#[test]
fn an_endless_loop_is_late() {
    assert_harmless("while true do end", ErrorKind::Late);
}

#[test]
fn an_endless_loop_that_catches_its_own_end_is_late() {
    assert_harmless("while true do pcall(function() while true do end end) end", ErrorKind::Late);
}

#[test]
fn a_pattern_that_explodes_is_late() {
    assert_harmless("string.find(string.rep('a', 200000), '.-b')", ErrorKind::Late);
}

#[test]
fn endless_coroutines_are_late() {
    assert_harmless(
        "while true do coroutine.wrap(function() coroutine.yield() end)() end",
        ErrorKind::Late,
    );
}

#[test]
fn a_sort_whose_order_never_ends_is_late() {
    let body = "local t = {} for i = 1, 500 do t[i] = i end
        table.sort(t, function(a, b) while true do end end)";
    assert_harmless(body, ErrorKind::Late);
}

#[test]
fn a_text_that_doubles_goes_over_the_bound_on_memory() {
    assert_harmless("local s = 'x' while true do s = s .. s end", ErrorKind::Memory);
}

#[test]
fn a_repetition_goes_over_the_bound_on_memory() {
    assert_harmless("return string.rep('x', 1e9)", ErrorKind::Memory);
}

#[test]
fn a_table_that_grows_goes_over_a_bound() {
    let source = "return { on_publish = function(client, topic)
        if topic == 'ok' then return end
        local t = {} while true do table.insert(t, {}) end
    end }";
    let mut spec = script(source);
    spec.limits.memory_bytes_max = 2 << 20;
    spec.budgets.publish = std::time::Duration::from_secs(20);
    let table = load([spec]);
    assert_eq!(table.publish("bad", b"").verdict, FAILED);
    assert_eq!(table.errors(ErrorKind::Memory), 1);
    assert_eq!(table.publish("ok", b"").verdict, PublishVerdict::Pass);
}

#[test]
fn endless_recursion_is_an_error_of_the_script() {
    let source = "local function f(n) return 1 + f(n + 1) end
        return { on_publish = function(client, topic) if topic ~= 'ok' then f(1) end end }";
    let mut spec = script(source);
    spec.budgets.publish = std::time::Duration::from_secs(20);
    let table = load([spec]);
    assert_eq!(table.publish("bad", b"").verdict, FAILED);
    assert_eq!(table.publish("ok", b"").verdict, PublishVerdict::Pass);
}

#[test]
fn an_error_is_counted_as_one() {
    assert_harmless("error('no')", ErrorKind::Trap);
    assert_harmless("local x = nil; return x.y", ErrorKind::Trap);
    assert_harmless("error({})", ErrorKind::Trap);
}

#[test]
fn a_flood_of_host_calls_is_an_error() {
    assert_harmless("for i = 1, 1000 do broker.time.now_ms() end", ErrorKind::Trap);
}

#[test]
fn a_topic_that_is_no_text_is_an_error() {
    assert_harmless("return broker.rewrite({ topic = '\\255' })", ErrorKind::InvalidAnswer);
    assert_harmless("return broker.rewrite({ topic = 'a/+' })", ErrorKind::InvalidAnswer);
}

#[test]
fn more_emits_than_the_bound_are_an_error() {
    let body = "for i = 1, 90 do broker.emit({ topic = 'a' }) end";
    assert_harmless(body, ErrorKind::Bound);
}

#[test]
fn an_endless_loop_at_the_start_is_refused() {
    let mut spec = script("while true do end");
    spec.limits.load = std::time::Duration::from_millis(20);
    let what = try_load([spec]).map(|_| ()).unwrap_err().to_string();
    assert!(what.contains("did not answer in time"), "{what}");
}

#[test]
fn memory_is_bounded_at_the_start_too() {
    let mut spec = script("local s = 'x' while true do s = s .. s end");
    spec.limits.memory_bytes_max = 2 << 20;
    let what = try_load([spec]).map(|_| ()).unwrap_err().to_string();
    assert!(what.contains("more memory than it may"), "{what}");
}

#[test]
fn nothing_leads_out_of_the_sandbox() {
    for name in [
        "io",
        "debug",
        "require",
        "load",
        "loadstring",
        "dofile",
        "loadfile",
        "getfenv",
        "setfenv",
        "collectgarbage",
        "newproxy",
        "package",
        "print",
        "os.execute",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.exit",
        "string.dump",
    ] {
        let source = format!("return {{ on_publish = function() return tostring({name}) end }}");
        assert_eq!(rewritten(&load([script(&source)]).publish("t", b"")).1, "nil", "{name}");
    }
}

#[test]
fn what_all_scripts_share_can_not_be_changed() {
    for change in [
        "string.upper = nil",
        "broker.publish = nil",
        "broker.kv.get = nil",
        "broker.config.x = 1",
        "getmetatable('').__index = nil",
        "client.username = 'admin'",
    ] {
        let source =
            format!("return {{ on_publish = function(client, topic, payload) {change} end }}");
        let table = load([script(&source)]);
        assert_eq!(table.publish("t", b"").verdict, FAILED, "{change}");
    }
}

#[test]
fn a_script_that_always_fails_is_left_alone_and_says_no() {
    let table = load([script("return { authorize = function() error('no') end }")]);
    for _ in 0..10 {
        assert_ne!(table.may_publish(&client("c"), "t"), Verdict::Allow);
    }
    assert_eq!(table.errors(ErrorKind::Trap), 5);
    assert_eq!(table.errors(ErrorKind::BreakerOpen), 5);
}

#[test]
fn an_authorizer_that_never_answers_has_not_said_yes() {
    let table = load([script("return { authorize = function() while true do end end }")]);
    assert_ne!(table.may_publish(&client("c"), "t"), Verdict::Allow);
    assert_eq!(table.errors(ErrorKind::Late), 1);
}

#[test]
fn host_functions_that_are_not_granted_say_which_grant_is_missing() {
    let source = "return { on_publish = function() broker.stats() end }";
    let table = load([script(source)]);
    assert_eq!(table.publish("t", b"").verdict, FAILED);
    let at_load = refusal("broker.stats() return { authorize = function() end }");
    assert!(at_load.contains("script.lua:1: not granted: stats = true"), "{at_load}");
}
