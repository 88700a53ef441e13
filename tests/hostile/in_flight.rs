//! Plugins that are replaced or taken out while they are asked.

use pintle_tests::V5;
use pintle_tests::wire::{AckKind, Connect, Publish};

use crate::house::{Code, House, Others, lua, wasm};
use crate::module_text::{authenticate_component, publish_component};

const ON_PUBLISH: &str = "topics = [\"bad/#\"]\non_error = { publish = \"reject\" }\n\
                          limits = { publish = \"2s\" }\n";
const AUTHENTICATE: &str = "limits = { authenticate = \"2s\" }\n";

/// Says that it is asked, and never answers.
const LUA: &str = "broker.log.info('is asked') while true do end";
const WASM: &str = "(call $log (i32.const 2) (i32.const 4096) (i32.const 8))
    (loop $again (br $again))";
const WASM_FIELDS: &str = r#"(import "pintle:plugin/log@0.1.0" "write"
    (func $log (param i32 i32 i32))) (data (i32.const 4096) "is asked")"#;

/// A message is in the plugin when `change` happens: the client is answered by the policy of the
/// plugin that was asked, and the next message meets what there is then.
fn a_message_in_flight_is_answered(code: &Code, change: impl FnOnce(&House)) {
    let house = House::with(code, ON_PUBLISH);
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    client.send(&Publish::new("bad/x", "x").qos(1).id(1));
    house.broker.says(&["is asked"]);
    change(&house);
    assert_eq!(client.awaits_ack(AckKind::PubAck, 1).code, 0x83);
    client.publishes_at(1, "bad/x", "x");
    others.go_on();
}

/// The same for a client that connects.
fn a_login_in_flight_is_answered(code: &Code, change: impl FnOnce(&House)) {
    let house = House::with(code, AUTHENTICATE);
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.open(V5);
    client.send(&Connect::new("a").username("bad"));
    house.broker.says(&["is asked"]);
    change(&house);
    others.go_on();
    client.is_not_let_in_with(0x88);
    house.broker.connect(V5, &Connect::new("a").username("bad"));
    others.go_on();
}

fn remove(house: &House) {
    house.plugin(&["remove", "hostile"]);
}

mod in_lua {
    use super::{
        LUA, ON_PUBLISH, a_login_in_flight_is_answered, a_message_in_flight_is_answered, lua,
        remove,
    };
    use crate::house::{Code, House, Others};

    fn on_publish(body: &str) -> Code {
        lua(&format!("return {{ on_publish = function() {body} end }}"))
    }

    fn authenticate(body: &str) -> Code {
        lua(&format!("return {{ authenticate = function(c, user) if user then {body} end end }}"))
    }

    #[test]
    fn a_message_is_in_a_script_that_is_taken_out() {
        a_message_in_flight_is_answered(&on_publish(LUA), remove);
    }

    #[test]
    fn a_message_is_in_a_script_that_is_replaced() {
        a_message_in_flight_is_answered(&on_publish(LUA), |house: &House| {
            house.writes(&on_publish(""));
            house.plugin(&["reload", "hostile"]);
        });
    }

    #[test]
    fn a_script_that_never_says_what_it_knows_is_replaced_without_it() {
        let knowing = |export: &str, answer: &str| {
            lua(&format!(
                "return {{ on_publish = function() return {answer} end,\n\
                 export_state = function() {export} end,\n\
                 import_state = function(state) error('there should be none') end }}"
            ))
        };
        let limits = "limits = { publish = \"20s\", load = \"2s\" }";
        let entry = ON_PUBLISH.replace("limits = { publish = \"2s\" }", limits);
        let house = House::with(&knowing("while true do end", "'old'"), &entry);
        let mut others = Others::of(&house.broker);
        let mut client = house.broker.v5("a");
        client.subscribes("bad/x", 0);
        client.publishes("bad/x", "x");
        client.receives("bad/x", "old");
        house.writes(&knowing("return nil", "'new'"));
        house.plugin(&["reload", "hostile"]);
        client.publishes("bad/x", "x");
        client.receives("bad/x", "new");
        house.broker.says(&["state is not carried over", "hostile", "did not answer in time"]);
        others.go_on();
    }

    #[test]
    fn a_login_is_in_a_script_that_is_taken_out() {
        a_login_in_flight_is_answered(&authenticate(LUA), remove);
    }

    #[test]
    fn a_login_is_in_a_script_that_is_replaced() {
        a_login_in_flight_is_answered(&authenticate(LUA), |house: &House| {
            house.writes(&authenticate("return true"));
            house.plugin(&["reload", "hostile"]);
        });
    }
}

mod as_components {
    use super::{
        WASM, WASM_FIELDS, a_login_in_flight_is_answered, a_message_in_flight_is_answered,
        authenticate_component, publish_component, remove, wasm,
    };
    use crate::house::{Code, House};

    fn on_publish(body: &str) -> Code {
        wasm(publish_component(WASM_FIELDS, body))
    }

    fn authenticate(body: &str) -> Code {
        wasm(authenticate_component(WASM_FIELDS, body))
    }

    #[test]
    fn a_message_is_in_a_component_that_is_taken_out() {
        a_message_in_flight_is_answered(&on_publish(WASM), remove);
    }

    #[test]
    fn a_message_is_in_a_component_that_is_replaced() {
        a_message_in_flight_is_answered(&on_publish(WASM), |house: &House| {
            house.writes(&on_publish(""));
            house.plugin(&["reload", "hostile"]);
        });
    }

    #[test]
    fn a_login_is_in_a_component_that_is_taken_out() {
        a_login_in_flight_is_answered(&authenticate(WASM), remove);
    }

    #[test]
    fn a_login_is_in_a_component_that_is_replaced() {
        a_login_in_flight_is_answered(&authenticate(WASM), |house: &House| {
            house.writes(&authenticate(""));
            house.plugin(&["reload", "hostile"]);
        });
    }
}
