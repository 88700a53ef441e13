use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pintle_mqtt::{Property, QoS, RetainHandling, SubscribeOptions};
use pintle_ports::{Action, Broker, EventKind, HookPath, PluginId, Ruling};

use crate::client::at;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

/// [MQTT-3.3.1-5]
#[test]
fn a_retained_publish_replaces_the_one_before() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "old").retained();
    b.client("p").publishes("t", "new").retained();
    b.client("s").subscribes("t").receives(&["new"]);
}

/// [MQTT-3.3.1-6] [MQTT-3.3.1-7]
#[test]
fn an_empty_retained_publish_deletes_and_is_delivered_but_not_kept() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "old").retained();
    b.client("s").subscribes("t").receives(&["old"]);
    b.client("p").publishes("t", "").retained();
    b.client("s").receives(&[""]);
    b.client("later").subscribes("t").receives(&[]);
    assert_eq!(b.stat("retained messages/count"), 0);
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

#[test]
fn retain_is_set_from_the_store_and_clear_on_live_delivery() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").retained();
    assert!(b.client("s").subscribes("t").deliveries()[0].retain());
    b.client("p").publishes("t", "y").retained();
    assert!(!b.client("s").deliveries()[0].retain());
}

#[test]
fn retain_as_published_keeps_the_flag_on_live_delivery() {
    let mut b = Scenario::new();
    let options = SubscribeOptions { retain_as_published: true, ..at(1) };
    b.client("s").subscribes_with("t", options);
    b.client("p").publishes("t", "x").retained();
    b.client("p").publishes("t", "y");
    let got = b.client("s").deliveries();
    assert_eq!((got[0].retain(), got[1].retain()), (true, false));
}

#[test]
fn of_a_run_the_last_message_is_kept() {
    let mut b = Scenario::new();
    let drafts = ["1", "2", "3"].map(|payload| publish("t", payload).retained());
    b.client("p").publishes_at_once(&drafts);
    b.client("s").subscribes("t").receives(&["3"]);
    let drafts = ["4", "", "5", ""].map(|payload| publish("t", payload).retained());
    b.client("p").publishes_at_once(&drafts);
    b.client("s").receives(&["4", "", "5", ""]);
    b.client("later").subscribes("t").receives(&[]);
}

#[test]
fn a_retained_message_keeps_its_properties_and_what_is_left_of_its_expiry() {
    let mut b = Scenario::new();
    let draft = publish("t", "x").retained().expiring_in(60).property(Property::ContentType("c"));
    b.client("p").publishes_at_once(&[draft]);
    b.seconds_pass(20);
    let got = b.client("s").subscribes("t").deliveries();
    assert_eq!(got[0].properties().message_expiry_interval(), Some(40));
    assert_eq!(got[0].properties().content_type(), Some("c"));
    b.seconds_pass(40);
    b.client("later").subscribes("t").receives(&[]);
}

#[test]
fn retained_messages_that_have_expired_are_swept_out() {
    let mut b = Scenario::new();
    b.client("p").publishes("short", "x").retained().expiring_in(10);
    b.client("p").publishes("long", "x").retained().expiring_in(100);
    b.client("p").publishes("ever", "x").retained();
    b.seconds_pass(30);
    assert_eq!(b.stat("retained messages/count"), 2);
    b.seconds_pass(100);
    assert_eq!(b.stat("retained messages/count"), 1);
}

/// [MQTT-3.3.1-9]
#[test]
fn retain_handling_says_when_retained_messages_come() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").retained();
    let handling = |retain_handling| SubscribeOptions { retain_handling, ..at(1) };
    b.client("always").subscribes_with("t", handling(RetainHandling::Send)).receives(&["x"]);
    b.client("always").subscribes_with("t", handling(RetainHandling::Send)).receives(&["x"]);
    let new = handling(RetainHandling::SendIfNew);
    b.client("new").subscribes_with("t", new).receives(&["x"]);
    b.client("new").subscribes_with("t", new).receives(&[]);
    b.client("new").unsubscribes(&["t"], &[0]).subscribes_with("t", new).receives(&["x"]);
    b.client("never").subscribes_with("t", handling(RetainHandling::DoNotSend)).receives(&[]);
}

#[test]
fn a_subscription_of_a_resumed_session_is_not_new() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").retained();
    let new = SubscribeOptions { retain_handling: RetainHandling::SendIfNew, ..at(1) };
    b.connects("s").keeping_session(100).is_let_in().subscribes_with("t", new).is_lost();
    b.connects("s").keeping_session(100).is_let_in().subscribes_with("t", new).receives(&[]);
}

#[test]
fn a_retained_message_comes_at_the_lower_of_both_qos_with_its_identifier() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").qos(2).retained();
    let got = b.client("s").subscribes_as(7, "t", at(1)).deliveries();
    assert_eq!((got[0].qos(), got[0].identifiers()), (QoS::AtLeastOnce, vec![7]));
}

#[test]
fn suback_comes_before_the_retained_messages() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").retained();
    let bytes = b.client("s").subscribe_bytes(&[("t", at(0))], None);
    b.client("s").sends(&bytes).gets_in_order(&["SUBACK 1 [00]", "PUBLISH t x"]);
}

#[test]
fn more_retained_messages_than_the_outbox_holds_come_as_there_is_room() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 200);
    for n in 0..50 {
        b.client("p").publishes(&format!("t/{n:02}"), &"x".repeat(40)).qos(1).retained();
    }
    for qos in 0..3 {
        let name = format!("s{qos}");
        b.client(&name).stops_reading();
        let bytes = b.client(&name).subscribe_bytes(&[("#", at(qos))], None);
        b.client(&name).sends(&bytes);
        assert_eq!(b.client(&name).reads_on().deliveries().len(), 50, "at QoS {qos}");
    }
    assert_eq!(b.stat("publish/messages/dropped"), 0);
}

#[test]
fn retained_messages_wait_for_the_quota_of_the_client() {
    let mut b = Scenario::new();
    for n in 0..5 {
        b.client("p").publishes(&format!("t/{n}"), "x").qos(1).retained();
    }
    let connects = b.connects("s").property(Property::ReceiveMaximum(2)).by_hand();
    let mut client = connects.is_let_in().subscribes("#");
    assert_eq!(client.deliveries().len(), 2);
    let acks = [0x40, 2, 0, 1, 0x40, 2, 0, 2];
    assert_eq!(client.sends(&acks).deliveries().len(), 2);
}

#[test]
fn a_retained_message_of_qos_0_does_not_wait_for_the_quota() {
    let mut b = Scenario::new();
    b.client("p").publishes("a", "1").qos(1).retained();
    b.client("p").publishes("b", "2").retained();
    let connects = b.connects("s").property(Property::ReceiveMaximum(1)).by_hand();
    connects.is_let_in().subscribes_with("#", at(1)).receives(&["1", "2"]);
}

#[test]
fn what_is_replaced_while_it_waits_is_not_given_out() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 10);
    for topic in ["a", "b", "c"] {
        b.client("p").publishes(topic, "old").retained();
    }
    let client = b.client("s").stops_reading();
    let mut client = client;
    let bytes = client.subscribe_bytes(&[("#", at(0))], None);
    client.sends(&bytes);
    b.client("p").publishes("b", "").retained();
    b.client("p").publishes("c", "new").retained();
    b.client("s").reads_on().receives(&["old"]);
}

#[test]
fn a_retained_message_larger_than_the_outbox_is_given_out() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 100);
    let long = "x".repeat(1000);
    b.client("p").publishes("a", &long).retained();
    b.client("p").publishes("b", &long).qos(1).retained();
    b.client("s").subscribes("#").receives(&[&long, &long]);
}

#[test]
fn a_message_whose_author_has_lost_the_right_is_not_given_out() {
    let lost = Arc::new(AtomicBool::new(false));
    let is_lost = Arc::clone(&lost);
    let hooks = TestHooks::none().authorizing(move |who, action| match action {
        Action::Publish(_) if *who.client_id == *"p" && is_lost.load(Ordering::Relaxed) => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("p").publishes("t", "x").retained();
    b.client("before").subscribes("t").receives(&["x"]);
    lost.store(true, Ordering::Relaxed);
    b.client("after").subscribes("t").receives(&[]);
}

#[test]
fn a_message_that_a_subscriber_may_not_receive_is_not_given_out() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Receive(publish) if publish.topic.unwrap().as_str() == "secret" => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("p").publishes("secret", "x").retained();
    b.client("p").publishes("open", "y").retained();
    b.client("s").subscribes("#").receives(&["y"]);
}

#[test]
fn what_a_plugin_retains_has_no_author_to_lose_a_right() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(_) => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    let message = crate::broker_port::message(publish("t", "x").retained());
    b.engine.publish(&message, HookPath::Plugin { plugin: PluginId(1), hops: 1 });
    b.client("s").subscribes("t").receives(&["x"]);
}

#[test]
fn no_more_messages_than_the_bound_are_retained() {
    let mut b = Scenario::bounded(|settings| settings.retained_messages_max = 1);
    b.client("p").publishes("a", "1").retained();
    b.client("p").publishes("b", "2").retained();
    b.client("p").publishes("a", "3").retained();
    b.client("s").subscribes("#").receives(&["3"]);
    assert_eq!(b.stat("publish/messages/dropped"), 1);
}

#[test]
fn over_the_budget_a_retained_message_is_replaced_by_a_shorter_one_or_by_none() {
    let mut b = Scenario::bounded(|settings| settings.broker_bytes_max = 1000);
    b.client("p").publishes("a", "long enough").retained();
    b.client("p").publishes("b", "short").retained();
    b.client("p").publishes("big", &"x".repeat(2000)).retained();
    assert!(b.engine.is_over_budget());
    b.client("p").publishes("a", "shorter").retained();
    b.client("p").publishes("b", "no longer short").retained();
    b.client("p").publishes("c", "new").retained();
    let mut client = b.client("s").subscribes("+");
    let got = client.deliveries();
    let topics: Vec<&str> = got.iter().map(|seen| seen.topic()).collect();
    assert_eq!((topics, got[0].payload()), (vec!["a", "big"], "shorter".to_owned()));
}

#[test]
fn plugins_are_told_what_is_retained_and_deleted() {
    let kinds = [EventKind::RetainedSet, EventKind::RetainedCleared];
    let mut b = Scenario::with(TestHooks::none().told(&kinds));
    b.client("p").publishes("t", "x").retained();
    b.client("p").publishes("t", "").retained();
    b.client("p").publishes("t", "").retained();
    assert_eq!(b.hooks.events(), ["retained-set t", "retained-cleared t"]);
}

#[test]
fn what_a_lost_connection_had_asked_for_is_not_given_to_the_next() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 10);
    b.client("p").publishes("a", "1").retained();
    b.client("p").publishes("b", "2").retained();
    b.connects("s").keeping_session(100).is_let_in().stops_reading();
    let bytes = b.client("s").subscribe_bytes(&[("#", at(0))], None);
    b.client("s").sends(&bytes).is_lost();
    b.connects("s").keeping_session(100).is_let_in().receives(&[]);
    b.client("s").subscribes_with("#", at(0)).receives(&["1", "2"]);
}
