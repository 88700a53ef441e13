//! Plugins that stay just within the time that they have, each time they are asked.

use pintle_tests::wire::{AckKind, Publish};

use crate::house::{Code, House, Others, lua, wasm};
use crate::module_text::publish_component;

const ENTRY: &str = "topics = [\"bad/#\"]\non_error = { publish = \"reject\" }\n\
                     limits = { publish = \"20s\", host_calls = 100000000 }\n";
/// One call in a second, and this many are made at once.
const CALLS: u16 = 40;

/// Messages to the plugin are refused for lack of time, by and by answered again, and others go on
/// throughout.
fn is_cut_to_its_share(code: &Code) {
    let house = House::with(code, ENTRY);
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    let publish = |id| Publish::new("bad/x", "x").qos(1).id(id);
    for id in 1..=CALLS {
        client.send(&publish(id));
    }
    others.go_on();
    let codes: Vec<u8> =
        (1..=CALLS).map(|id| client.awaits_ack(AckKind::PubAck, id).code).collect();
    assert!(codes.iter().all(|code| matches!(code, 0x10 | 0x83)), "{codes:x?}");
    assert_eq!(codes.first(), Some(&0x10), "the first is asked about");
    assert!(codes.contains(&0x83), "{codes:x?}");
    let stats = house.plugin(&["stats", "hostile"]);
    assert!(stats.contains("share "), "{stats}");
    others.go_on();
    while client.publish(&Publish::new("bad/x", "x").qos(1)) != 0x10 {
        others.go_on();
    }
}

#[test]
fn a_script_that_takes_nearly_all_its_time_is_cut_to_its_share() {
    is_cut_to_its_share(&lua("return { on_publish = function()\n\
         local done = os.clock() + 0.02\n\
         while os.clock() < done do end\n\
         end }"));
}

#[test]
fn a_component_that_takes_nearly_all_its_time_is_cut_to_its_share() {
    is_cut_to_its_share(&wasm(publish_component(
        r#"(import "pintle:plugin/clock@0.1.0" "monotonic-ns" (func $now (result i64)))
           (global $done (mut i64) (i64.const 0))"#,
        "(global.set $done (i64.add (call $now) (i64.const 20000000)))
         (loop $again (br_if $again (i64.lt_u (call $now) (global.get $done))))",
    )));
}
