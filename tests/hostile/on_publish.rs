use pintle_tests::wire::{AckKind, Publish};

use crate::house::{Code, House, Others, lua, wasm};
use crate::module_text::publish_component;

/// For what is to be cut short.
const SHORT: &str = "20ms";
/// For what ends by itself, however busy the machine is.
const LONG: &str = "20s";

/// A client's messages meet the plugin again and again, and are refused as `on_error` says; what
/// others send and hear meanwhile is not touched.
fn is_contained(code: &Code, budget: &str, kind: &str, why: &str) {
    let house = House::with(
        code,
        &format!(
            "topics = [\"bad/#\"]\non_error = {{ publish = \"reject\" }}\n\
             limits = {{ publish = \"{budget}\", memory = \"4MiB\", host_calls = 100, \
             worker_share = \"1s\" }}\n"
        ),
    );
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    for id in 1..=3 {
        client.send(&Publish::new("bad/x", "x").qos(1).id(id));
        others.go_on();
        assert_eq!(client.awaits_ack(AckKind::PubAck, id).code, 0x83);
    }
    others.go_on();
    house.has_counted("on_publish", kind, 3, why);
    house.broker.v5("late comer").publishes_at(1, "good", "x");
}

/// A script whose hook stands on its second line.
fn script(body: &str) -> Code {
    lua(&format!("return {{ on_publish = function(client, topic, payload)\n{body}\nend }}"))
}

fn module(fields: &str, body: &str) -> Code {
    wasm(publish_component(fields, body))
}

mod in_lua {
    use super::{LONG, SHORT, is_contained, script};

    #[test]
    fn an_endless_loop_is_cut_off() {
        let code = script("while true do end");
        is_contained(&code, SHORT, "late", "hostile.lua:2: it did not answer in time");
    }

    #[test]
    fn an_endless_loop_that_catches_its_end_is_cut_off() {
        let code = script("while true do pcall(function() while true do end end) end");
        is_contained(&code, SHORT, "late", "hostile.lua:2: it did not answer in time");
    }

    #[test]
    fn a_text_that_doubles_ends_at_the_bound_on_memory() {
        let code = script("local s = 'x' while true do s = s .. s end");
        is_contained(&code, LONG, "memory", "hostile.lua: it used more memory than it may");
    }

    #[test]
    fn an_error_is_told_with_its_line() {
        let code = script("\nerror('on purpose')");
        is_contained(&code, LONG, "trap", "hostile.lua:3: on purpose");
    }

    #[test]
    fn endless_recursion_ends_in_an_error() {
        let code = script("local function f(n) return 1 + f(n) end\nreturn f(1)");
        is_contained(&code, LONG, "trap", "hostile.lua:2: stack overflow");
    }

    #[test]
    fn a_flood_of_host_calls_is_an_error() {
        let code = script("while true do broker.time.now_ms() end");
        is_contained(&code, LONG, "trap", "hostile.lua:2: too many calls of host functions");
    }

    #[test]
    fn more_emits_than_the_bound_are_an_error() {
        let code = script("for i = 1, 90 do broker.emit({ topic = 'a' }) end");
        is_contained(&code, LONG, "bound", "more than 64 messages");
    }

    #[test]
    fn a_topic_that_is_none_is_an_error() {
        let code = script("return broker.rewrite({ topic = 'a/+' })");
        is_contained(&code, LONG, "invalid-answer", "topic");
    }
}

mod as_components {
    use super::{LONG, SHORT, is_contained, module};

    #[test]
    fn an_endless_loop_is_cut_off() {
        let code = module("(func $spin (loop $again (br $again)))", "(call $spin)");
        let why = "hostile.wasm: it did not answer in time, in spin";
        is_contained(&code, SHORT, "late", why);
    }

    #[test]
    fn memory_that_grows_ends_at_its_bound() {
        let body = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
        let why = "hostile.wasm: it used more memory than it may";
        is_contained(&module("", body), LONG, "memory", why);
    }

    #[test]
    fn a_trap_is_told_with_its_function() {
        let code = module("(func $give_up unreachable)", "(call $give_up)");
        let why = "hostile.wasm: it trapped: it panicked, or aborted, in give_up";
        is_contained(&code, LONG, "trap", why);
    }

    #[test]
    fn endless_recursion_ends_in_a_trap() {
        let fields = "(func $f (param i32) (result i32) \
            (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
        let code = module(fields, "(drop (call $f (i32.const 0)))");
        is_contained(&code, LONG, "trap", "hostile.wasm: it called itself too deeply, in f");
    }

    #[test]
    fn a_flood_of_host_calls_is_an_error() {
        let code = module(
            r#"(import "pintle:plugin/clock@0.1.0" "now-ms" (func $now (result i64)))"#,
            "(loop $again (drop (call $now)) (br $again))",
        );
        is_contained(&code, LONG, "trap", "hostile.wasm: too many calls of host functions");
    }

    #[test]
    fn an_answer_outside_its_memory_is_an_error() {
        let rewrite =
            r#"(import "pintle:plugin/answer@0.1.0" "rewrite" (func $rewrite (param i32)))"#;
        let code = module(rewrite, "(call $rewrite (i32.const 0x7ffffff0))");
        is_contained(&code, LONG, "trap", "hostile.wasm: ");
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        let code = module("", "(return (i32.const 77))");
        is_contained(&code, LONG, "invalid-answer", "hostile.wasm: its answer can not be read");
    }
}
