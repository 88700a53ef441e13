use pintle_mqtt::{Layout, ReasonCode, Run};
use pintle_ports::{Broker, HookPath, MessageFrame, PluginId, Whom};

use crate::draft::{Draft, publish};
use crate::scenario::Scenario;

/// A message as plugins make them.
pub(crate) fn message(draft: Draft) -> MessageFrame {
    let draft = if draft.needs_id() { draft.id(1) } else { draft };
    let bytes = draft.bytes(pintle_mqtt::ProtocolVersion::V5_0);
    MessageFrame::new(Run::single(&bytes, Layout::V5).unwrap().head()).unwrap()
}

const BY_PLUGIN: HookPath = HookPath::Plugin { plugin: PluginId(1), hops: 1 };

#[test]
fn a_plugin_publishes_to_clients_even_under_sys() {
    let mut b = Scenario::new();
    b.client("s").subscribes("$SYS/#").subscribes("t");
    b.engine.publish(&message(publish("$SYS/broker/x", "1").retained()), BY_PLUGIN);
    b.engine.publish(&message(publish("t", "2").qos(2)), HookPath::Admin);
    b.settle();
    b.client("s").receives(&["1", "2"]);
    b.client("later").subscribes("$SYS/#").receives(&["1"]);
}

#[test]
fn the_expiry_of_a_plugins_message_counts_from_the_last_tick() {
    let mut b = Scenario::new();
    b.seconds_pass(100);
    b.engine.publish(&message(publish("t", "x").retained().expiring_in(10)), BY_PLUGIN);
    b.seconds_pass(9);
    b.client("s").subscribes("t").receives(&["x"]);
    b.seconds_pass(1);
    b.client("later").subscribes("t").receives(&[]);
}

#[test]
fn an_operator_may_disconnect_a_client_or_all_of_a_principal() {
    let mut b = Scenario::new();
    b.connects("a").username("user").is_let_in();
    b.connects("b").username("user").is_let_in();
    b.v3_client("c");
    let by_action = ReasonCode::AdministrativeAction;
    assert_eq!(b.engine.disconnect(&Whom::Principal("user".into()), by_action), 2);
    assert_eq!(b.engine.disconnect(&Whom::Client("c".into()), by_action), 1);
    assert_eq!(b.engine.disconnect(&Whom::Client("nobody".into()), by_action), 0);
    b.settle();
    b.client("a").is_closed_with("DISCONNECT AdministrativeAction");
    b.client("b").is_closed_with("DISCONNECT AdministrativeAction");
    b.client("c").gets(&[]).is_closed();
    assert_eq!(b.connected(), 0);
}

#[test]
fn disconnecting_who_is_away_does_nothing() {
    let mut b = Scenario::new();
    b.connects("c").keeping_session(100).is_let_in().is_lost();
    let done = b.engine.disconnect(&Whom::Client("c".into()), ReasonCode::AdministrativeAction);
    assert_eq!((done, b.stat("clients/total"), b.connected()), (0, 1, 0));
}

#[test]
fn an_operator_who_disconnects_a_client_sends_its_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("c").will("w", "gone").is_let_in();
    b.engine.disconnect(&Whom::Client("c".into()), ReasonCode::AdministrativeAction);
    b.settle();
    b.client("s").receives(&["gone"]);
}

#[test]
fn a_client_that_is_disconnected_does_nothing_more_in_the_same_read() {
    use std::sync::{Arc, Weak};
    let cell: Arc<std::sync::OnceLock<Weak<pintle_engine::Engine>>> = Arc::default();
    let engine = Arc::clone(&cell);
    let hooks = crate::test_hooks::TestHooks::none().on_publish(move |_, publish| {
        if publish.payload == b"bad" {
            let engine = engine.get().unwrap().upgrade().unwrap();
            engine.disconnect(&Whom::Client("p".into()), ReasonCode::PayloadFormatInvalid);
        }
        crate::test_hooks::pass()
    });
    let mut b = Scenario::with(hooks);
    cell.set(Arc::downgrade(&b.engine)).unwrap();
    b.client("s").subscribes("t");
    let drafts = [publish("t", "1"), publish("t", "bad"), publish("t", "3")];
    let client = b.client("p").publishes_at_once(&drafts);
    client.is_closed_with("DISCONNECT PayloadFormatInvalid");
    b.client("s").receives(&["1", "bad"]);
}

#[test]
fn stats_tell_what_there_is() {
    let mut b = Scenario::new();
    b.seconds_pass(1);
    b.connects("away").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "queued").qos(1);
    b.client("p").publishes("r", "retained").retained();
    assert_eq!(b.stat("clients/total"), 2);
    assert_eq!(b.stat("clients/connected"), 1);
    assert_eq!(b.stat("clients/disconnected"), 1);
    assert_eq!(b.stat("clients/maximum"), 1);
    assert_eq!(b.stat("subscriptions/count"), 1);
    assert_eq!(b.stat("retained messages/count"), 1);
    assert_eq!(b.stat("store/messages/count"), 2);
    assert_eq!(b.stat("uptime"), 1001);
}

#[test]
fn shutting_down_tells_everybody_and_lets_nobody_in() {
    let mut b = Scenario::new();
    b.client("a").subscribes("w");
    b.client("z").subscribes("w");
    b.connects("m").will("w", "gone").is_let_in();
    b.v3_client("old");
    let connects = b.connects("away").keeping_session(100).will("w", "waited").will_delay(50);
    connects.is_let_in().is_lost();
    let engine = std::sync::Arc::clone(&b.engine);
    engine.shut_down(&mut b.worker);
    b.settle();
    for name in ["a", "z"] {
        let got = b.client(name).seen();
        assert_eq!(got.len(), 3, "{got:?}");
        assert_eq!(got[2].short(), "DISCONNECT ServerShuttingDown");
    }
    b.client("m").is_closed_with("DISCONNECT ServerShuttingDown");
    b.client("old").gets(&[]).is_closed();
    b.connects("late").is_refused("CONNACK ServerUnavailable");
    assert_eq!(b.connected(), 0);
}

#[test]
fn settings_may_change_while_the_broker_runs() {
    let mut b = Scenario::new();
    b.client("c").subscribes("a").subscribes("b");
    let settings = pintle_engine::EngineSettings { subscriptions_max: 2, ..Default::default() };
    b.engine.set_settings(settings);
    b.client("c").is_granted(&["c"], &[0x97]);
}
