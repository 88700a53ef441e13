use pintle_tests::wire::{AckKind, Publish, Subscribe};

use crate::house::{Code, House, Others, lua, wasm};
use crate::module_text::authorize_component;

/// What others may do is known already, and is not asked for again.
fn entry(budget: &str) -> String {
    format!(
        "limits = {{ authorize = \"{budget}\", memory = \"4MiB\", host_calls = 100, \
         worker_share = \"1s\" }}\n"
    )
}

/// What a client asks leave for is denied, whatever becomes of the plugin that is asked.
fn is_contained(code: &Code, budget: &str, kind: &str, why: &str) {
    let house = House::with(code, &entry(budget));
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    for id in 1..=2 {
        client.send(&Publish::new("bad", "x").qos(1).id(id));
        others.go_on();
        assert_eq!(client.awaits_ack(AckKind::PubAck, id).code, 0x87);
    }
    assert_eq!(client.subscribe(&Subscribe::to("bad", 0)), [0x87]);
    others.go_on();
    house.has_counted("authorize", kind, 3, why);
}

/// A script that allows topics of two letters until that is taken back.
fn script(body: &str) -> Code {
    lua(&format!(
        "return {{ authorize = function(client, action, topic)\n\
         if #topic == 2 then return true, {{ ttl = 100000 }} end\n{body}\nend }}"
    ))
}

fn module(fields: &str, body: &str) -> Code {
    wasm(authorize_component(fields, body))
}

mod in_lua {
    use super::{is_contained, script};

    #[test]
    fn an_endless_loop_has_not_said_yes() {
        let code = script("while true do end");
        is_contained(&code, "200ms", "late", "hostile.lua:3: it did not answer in time");
    }

    #[test]
    fn more_memory_than_allowed_is_no_yes() {
        let code = script("local t = {} while true do t[#t + 1] = {} end");
        is_contained(&code, "20s", "memory", "hostile.lua: it used more memory than it may");
    }

    #[test]
    fn an_error_is_no_yes() {
        is_contained(&script("error('no')"), "20s", "trap", "hostile.lua:3: no");
    }
}

mod as_components {
    use super::{is_contained, module};

    #[test]
    fn an_endless_loop_has_not_said_yes() {
        let code = module("(func $spin (loop $again (br $again)))", "(call $spin)");
        let why = "hostile.wasm: it did not answer in time, in spin";
        is_contained(&code, "200ms", "late", why);
    }

    #[test]
    fn more_memory_than_allowed_is_no_yes() {
        let body = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
        let why = "hostile.wasm: it used more memory than it may";
        is_contained(&module("", body), "20s", "memory", why);
    }

    #[test]
    fn a_trap_is_no_yes() {
        is_contained(&module("", "unreachable"), "20s", "trap", "hostile.wasm: it trapped");
    }
}

/// Lets one client ask often, then another; each is told the same each time.
fn is_consistent_for_each(code: &Code) {
    let house = House::with(code, &entry("20s"));
    let mut clients = ["a", "b", "c"].map(|name| house.broker.v5(name));
    for client in &mut clients {
        let mut ask = || client.publish(&Publish::new("other", "x").qos(1));
        let first = ask();
        for _ in 0..10 {
            assert_eq!(ask(), first);
        }
    }
    let stats = house.plugin(&["stats", "hostile"]);
    assert!(stats.contains("3 calls (allow"), "{stats}");
}

#[test]
fn a_script_that_answers_differently_each_time_is_held_to_what_it_said_first() {
    is_consistent_for_each(&lua("local asked = 0\n\
         return { authorize = function(client, action, topic)\n\
         asked += 1\n\
         return asked % 2 == 1, { ttl = 100000, filter = '#' }\n\
         end }"));
}

#[test]
fn a_component_that_answers_differently_each_time_is_held_to_what_it_said_first() {
    // Allow, and deny with 0x87, both for `#` until that is taken back.
    is_consistent_for_each(&module(
        r##"(import "pintle:plugin/answer@0.1.0" "hint"
               (func $hint (param i32 i32 i64 i32 i32 i32)))
             (global $asked (mut i32) (i32.const 0)) (data (i32.const 4096) "#")"##,
        "(global.set $asked (i32.add (global.get $asked) (i32.const 1)))
         (call $hint (i32.const 0) (i32.const 0) (i64.const 0)
           (i32.const 1) (i32.const 4096) (i32.const 1))
         (return (select (i32.const 1) (i32.const 2)
           (i32.and (global.get $asked) (i32.const 1))))",
    ));
}

/// Every question takes everything back that was said before: it is asked again and again, and
/// answers.
fn goes_on_while_all_is_taken_back(code: &Code) {
    let house = House::with(code, &entry("20s"));
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    client.subscribes("o0", 1);
    for message in 0..10 {
        client.publishes_at(1, "other", &message.to_string());
        others.go_on();
        client.takes();
    }
    let stats = house.plugin(&["stats", "hostile"]);
    assert!(!stats.contains("errors") && !stats.contains("last error"), "{stats}");
}

#[test]
fn a_script_that_takes_everything_back_with_each_answer_is_asked_anew_and_holds_nobody_up() {
    goes_on_while_all_is_taken_back(&lua("return { authorize = function(client, action, topic)\n\
         broker.invalidate()\n\
         return true, { ttl = 100000, filter = '#' }\n\
         end }"));
}

#[test]
fn a_component_that_takes_everything_back_with_each_answer_is_asked_anew_and_holds_nobody_up() {
    // Topics of two letters are allowed without it.
    goes_on_while_all_is_taken_back(&module(
        r#"(import "pintle:plugin/broker@0.1.0" "invalidate" (func $invalidate))"#,
        "(call $invalidate) (return (i32.const 1))",
    ));
}
