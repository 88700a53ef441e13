use pintle_mqtt::{Property, ReasonCode};
use pintle_ports::{Admission, AuthOutcome, SessionBounds, Step};

use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

#[test]
fn a_session_is_forgotten_when_its_interval_has_passed() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(60).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "waits").qos(1);
    b.seconds_pass(59);
    assert_eq!((b.stat("clients/total"), b.stat("subscriptions/count")), (2, 1));
    b.seconds_pass(1);
    assert_eq!((b.stat("clients/total"), b.stat("subscriptions/count")), (1, 0));
    assert_eq!(b.stat("clients/expired"), 1);
    assert_eq!(b.stat("store/messages/bytes"), 0);
    b.connects("s").keeping_session(60).sent().gets(&["CONNACK"]);
}

#[test]
fn a_client_that_comes_back_in_time_stops_the_clock() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(60).is_let_in().is_lost();
    b.seconds_pass(30);
    b.connects("s").keeping_session(60).sent().gets(&["CONNACK present"]);
    b.seconds_pass(1000);
    b.client("s").is_open().is_lost();
    b.seconds_pass(59);
    assert_eq!(b.stat("clients/total"), 1);
    b.seconds_pass(1);
    assert_eq!(b.stat("clients/total"), 0);
}

#[test]
fn a_session_of_an_old_client_is_kept_unless_it_is_clean() {
    let mut b = Scenario::new();
    b.connects("clean").v3().is_let_in().is_lost();
    b.connects("kept").v3().resuming().is_let_in().is_lost();
    assert_eq!(b.stat("clients/total"), 1);
    b.seconds_pass(1_000_000);
    b.connects("kept").v3().resuming().sent().gets(&["CONNACK present"]);
}

#[test]
fn no_session_is_kept_longer_than_the_broker_allows() {
    let mut b = Scenario::bounded(|settings| settings.session_expiry_secs_max = 10);
    b.connects("old").v3().resuming().is_let_in().is_lost();
    let connack = b.connects("new").keeping_session(u32::MAX).sent().next_seen();
    assert_eq!(connack.properties().session_expiry_interval(), Some(10));
    b.client("new").is_lost();
    b.seconds_pass(10);
    assert_eq!(b.stat("clients/total"), 0);
}

#[test]
fn disconnect_may_change_how_long_the_session_is_kept() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(1000).is_let_in().disconnects_keeping_session(5);
    b.seconds_pass(5);
    assert_eq!(b.stat("clients/total"), 0);
    b.connects("s").keeping_session(1000).is_let_in().disconnects_keeping_session(0);
    assert_eq!(b.stat("clients/total"), 0);
}

#[test]
fn disconnect_can_not_keep_a_session_that_was_to_end() {
    let mut b = Scenario::new();
    let client = b.client("c").disconnects_keeping_session(5);
    client.is_closed_with("DISCONNECT ProtocolError");
    assert_eq!(b.stat("clients/total"), 0);
}

#[test]
fn disconnect_can_not_raise_the_interval_above_what_authentication_allowed() {
    let hooks = TestHooks::none().authenticating(|_| {
        let bounds = SessionBounds { session_expiry_secs_max: Some(10), ..Default::default() };
        Step::Done(AuthOutcome::Accept(Admission { bounds, ..Admission::default() }))
    });
    let mut b = Scenario::with(hooks);
    b.connects("c").keeping_session(5).is_let_in().disconnects_keeping_session(1000);
    b.seconds_pass(10);
    assert_eq!(b.stat("clients/total"), 0);
}

#[test]
fn codes_that_only_servers_send_are_refused_in_a_disconnect() {
    let mut b = Scenario::new();
    let client = b.client("c").disconnects(ReasonCode::SessionTakenOver);
    client.is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn nothing_after_disconnect_counts() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let mut bytes = vec![0xe0, 0];
    bytes.extend(crate::draft::publish("t", "late").bytes(pintle_mqtt::ProtocolVersion::V5_0));
    b.client("p").sends(&bytes).gets(&[]).is_closed();
    b.client("s").receives(&[]);
}

#[test]
fn answers_before_disconnect_are_sent() {
    let mut b = Scenario::new();
    let bytes = [0xc0, 0, 0xe0, 0];
    b.client("c").sends(&bytes).gets(&["PINGRESP"]).is_closed();
}

#[test]
fn a_queue_keeps_no_more_than_its_bounds() {
    let mut b = Scenario::bounded(|settings| settings.queue_messages_max = 2);
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    for payload in ["1", "2", "3"] {
        b.client("p").publishes("t", payload).qos(1);
    }
    assert_eq!(b.stat("publish/messages/dropped"), 1);
    b.connects("s").keeping_session(100).is_let_in().receives(&["2", "3"]);
}

#[test]
fn messages_that_expire_in_the_queue_are_not_given_out() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(1000).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "short").qos(1).expiring_in(10);
    b.client("p").publishes("t", "long").qos(1).expiring_in(100);
    b.seconds_pass(30);
    let mut client = b.connects("s").keeping_session(1000).is_let_in();
    let got = client.deliveries();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].properties().message_expiry_interval(), Some(70));
    assert_eq!(b.stat("publish/messages/dropped"), 1);
}

#[test]
fn qos_0_is_not_kept_for_a_client_that_is_away() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "lost");
    b.connects("s").keeping_session(100).is_let_in().receives(&[]);
    let connects = b.connects("s").property(Property::SessionExpiryInterval(0)).resuming();
    connects.sent().gets(&["CONNACK present"]);
}
