use pintle_mqtt::{Property, QoS, ReasonCode};
use pintle_ports::{Action, EventKind, Ruling};

use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

/// [MQTT-3.1.2-8]
#[test]
fn a_lost_connection_sends_its_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("c").will("w", "gone").is_let_in().is_lost();
    b.client("s").receives(&["gone"]);
}

/// [MQTT-3.14.4-3]
#[test]
fn a_client_that_says_goodbye_leaves_no_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("c").will("w", "gone").is_let_in().disconnects(ReasonCode::Success).is_closed();
    b.client("s").receives(&[]);
}

#[test]
fn a_client_may_say_goodbye_and_ask_for_its_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let client = b.connects("c").will("w", "gone").is_let_in();
    client.disconnects(ReasonCode::DisconnectWithWill).gets(&[]).is_closed();
    b.client("s").receives(&["gone"]);
}

#[test]
fn a_client_that_breaks_the_protocol_sends_its_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let client = b.connects("c").will("w", "gone").is_let_in();
    client.sends(&[0xd0, 0]).is_closed_with("DISCONNECT ProtocolError");
    b.client("s").receives(&["gone"]);
}

#[test]
fn a_will_waits_for_its_delay() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let connects = b.connects("c").keeping_session(100).will("w", "gone").will_delay(10);
    connects.is_let_in().is_lost();
    b.seconds_pass(9);
    b.client("s").receives(&[]);
    b.seconds_pass(1);
    b.client("s").receives(&["gone"]);
    b.seconds_pass(90);
    b.client("s").receives(&[]);
    assert_eq!(b.stat("clients/total"), 1);
}

#[test]
fn the_end_of_the_session_cuts_the_delay_short() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let connects = b.connects("c").keeping_session(5).will("w", "gone").will_delay(1000);
    connects.is_let_in().is_lost();
    b.seconds_pass(5);
    b.client("s").receives(&["gone"]);
    b.connects("d").will("w", "at once").will_delay(1000).is_let_in().is_lost();
    b.client("s").receives(&["at once"]);
}

/// [MQTT-3.1.3-9]
#[test]
fn a_client_that_comes_back_in_time_cancels_its_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let connects = b.connects("c").keeping_session(100).will("w", "gone").will_delay(10);
    connects.is_let_in().is_lost();
    b.seconds_pass(5);
    b.connects("c").keeping_session(100).is_let_in();
    b.seconds_pass(50);
    b.client("s").receives(&[]);
}

#[test]
fn a_will_that_is_due_unnoticed_is_sent_when_the_client_comes_back() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let connects = b.connects("c").keeping_session(100).will("w", "gone").will_delay(10);
    connects.is_let_in().is_lost();
    b.seconds_pass_unnoticed(20);
    b.connects("c").keeping_session(100).sent().gets(&["CONNACK present"]);
    b.client("s").receives(&["gone"]);
}

#[test]
fn a_clean_start_ends_the_session_and_sends_its_waiting_will() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    let connects = b.connects("c").keeping_session(100).will("w", "gone").will_delay(50);
    connects.is_let_in().is_lost();
    b.connects("c").is_let_in();
    b.client("s").receives(&["gone"]);
}

#[test]
fn a_take_over_sends_the_will_unless_it_may_wait() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("a").keeping_session(100).will("w", "at once").is_let_in();
    b.connects("a2").as_client_id("a").keeping_session(100).is_let_in();
    b.client("s").receives(&["at once"]);
    let connects = b.connects("b").keeping_session(100).will("w", "waits").will_delay(10);
    connects.is_let_in();
    b.connects("b2").as_client_id("b").keeping_session(100).is_let_in();
    b.seconds_pass(20);
    b.client("s").receives(&[]);
}

#[test]
fn the_properties_of_a_will_come_with_it_but_for_the_delay() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("c")
        .keeping_session(100)
        .will("w", "gone")
        .will_qos(QoS::AtLeastOnce)
        .will_delay(20)
        .will_property(Property::ContentType("text"))
        .will_property(Property::MessageExpiryInterval(15))
        .is_let_in()
        .is_lost();
    b.seconds_pass(20);
    let got = b.client("s").deliveries();
    assert_eq!(got[0].qos(), QoS::AtLeastOnce);
    assert_eq!(got[0].properties().content_type(), Some("text"));
    assert_eq!(got[0].properties().message_expiry_interval(), Some(15));
    assert_eq!(got[0].properties().will_delay_interval(), None);
}

#[test]
fn a_retained_will_is_there_for_later_subscribers() {
    let mut b = Scenario::new();
    b.connects("c").will("w", "gone").will_retained().is_let_in().is_lost();
    b.client("s").subscribes("w").receives(&["gone"]);
}

#[test]
fn a_v3_will_is_not_retained_where_the_listener_does_not_retain() {
    let mut b = Scenario::new();
    b.terms.retain_available = false;
    b.client("s").subscribes("w");
    b.connects("c").v3().will("w", "gone").will_retained().is_let_in().is_lost();
    b.client("s").receives(&["gone"]);
    b.client("later").subscribes("w").receives(&[]);
}

#[test]
fn a_will_is_authorised_when_it_is_registered_and_when_it_is_sent() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Will(publish) if publish.topic.unwrap().as_str() == "forbidden" => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.connects("c").will("forbidden", "x").is_refused("CONNACK NotAuthorized");
    b.client("s").subscribes("w");
    b.connects("c").will("w", "gone").is_let_in();
    b.hooks.calls();
    b.client("c").is_lost();
    b.client("s").receives(&["gone"]);
    assert_eq!(b.hooks.calls()[0], "authorize c will w");
}

#[test]
fn a_will_whose_right_was_lost_is_not_sent_nor_told_of() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let lost = Arc::new(AtomicBool::new(false));
    let is_lost = Arc::clone(&lost);
    let hooks = TestHooks::none()
        .authorizing(move |_, action| match action {
            Action::Will(_) if is_lost.load(Ordering::Relaxed) => denied(),
            _ => Ruling::ALLOW,
        })
        .told(&[EventKind::WillSent]);
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("w");
    b.connects("a").will("w", "kept").is_let_in().is_lost();
    assert_eq!(b.hooks.events(), ["will-sent a w"]);
    b.connects("b").will("w", "lost").is_let_in();
    lost.store(true, Ordering::Relaxed);
    b.client("b").is_lost();
    b.client("s").receives(&["kept"]);
    assert!(b.hooks.events().is_empty());
}

#[test]
fn a_retained_will_is_given_out_by_the_right_to_have_it_as_a_will() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(_) => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.connects("c").will("w", "gone").will_retained().is_let_in().is_lost();
    b.client("s").subscribes("w").receives(&["gone"]);
}

#[test]
fn wills_that_wait_count_against_the_budget_of_the_broker() {
    let mut b = Scenario::bounded(|settings| settings.broker_bytes_max = 1000);
    b.connects("a").will("w", &"x".repeat(2000)).is_let_in();
    assert!(b.engine.is_over_budget());
    b.connects("b").will("w", "x").is_refused("CONNACK QuotaExceeded");
    b.client("a").disconnects(ReasonCode::Success).is_closed();
    assert!(!b.engine.is_over_budget());
    b.connects("b").will("w", "x").is_let_in();
}
