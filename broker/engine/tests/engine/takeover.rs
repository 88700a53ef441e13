use pintle_mqtt::ReasonCode;
use pintle_ports::EventKind;

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// [MQTT-3.1.4-3]
#[test]
fn the_older_of_two_connections_with_one_identifier_is_told_and_closed() {
    let mut b = Scenario::new();
    b.client("old");
    b.connects("new").as_client_id("old").is_let_in();
    b.client("old").is_closed_with("DISCONNECT SessionTakenOver");
    b.client("new").is_open();
    assert_eq!((b.connected(), b.stat("clients/total")), (1, 1));
}

#[test]
fn a_v3_client_that_is_taken_over_is_closed_without_a_word() {
    let mut b = Scenario::new();
    b.v3_client("old");
    b.connects("new").v3().as_client_id("old").is_let_in();
    b.client("old").gets(&[]).is_closed();
}

/// [MQTT-3.1.2-4]
#[test]
fn a_clean_start_forgets_what_the_session_held() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "waits").qos(1);
    b.connects("s").sent().gets(&["CONNACK"]).receives(&[]);
    b.client("p").publishes("t", "later");
    b.client("s").receives(&[]);
    assert_eq!(b.stat("subscriptions/count"), 0);
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

#[test]
fn a_session_that_is_resumed_gives_its_queue_and_subscriptions_to_the_new_connection() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "one").qos(1);
    b.client("p").publishes("t", "two").qos(2);
    let client = b.connects("s").keeping_session(100).sent();
    client.gets_in_order(&["CONNACK present", "PUBLISH t one", "PUBLISH t two", "PUBREL 2"]);
    b.client("p").publishes("t", "live");
    b.client("s").receives(&["live"]);
}

#[test]
fn what_is_in_flight_moves_over_to_the_connection_that_takes_over() {
    let mut b = Scenario::new();
    b.connects("old").keeping_session(100).by_hand().is_let_in().subscribes("t");
    b.client("p").publishes("t", "unacknowledged").qos(1);
    b.client("old").receives(&["unacknowledged"]);
    let mut client = b.connects("new").as_client_id("old").keeping_session(100).is_let_in();
    let again = client.deliveries();
    assert_eq!((again.len(), again[0].dup()), (1, true));
    assert_eq!(again[0].packet_id(), 1);
    b.client("old").is_closed_with("DISCONNECT SessionTakenOver");
}

#[test]
fn a_session_that_ends_with_its_connection_can_not_be_resumed() {
    let mut b = Scenario::new();
    b.client("old").subscribes("t");
    b.connects("new").as_client_id("old").resuming().sent().gets(&["CONNACK"]);
    b.client("p").publishes("t", "x");
    b.client("new").receives(&[]);
    assert_eq!(b.stat("subscriptions/count"), 0);
}

#[test]
fn a_session_whose_time_has_passed_unnoticed_is_not_resumed() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(10).is_let_in().subscribes("t").is_lost();
    b.seconds_pass_unnoticed(11);
    b.connects("s").keeping_session(10).sent().gets(&["CONNACK"]);
    b.seconds_pass(100);
    b.client("s").is_open();
    assert_eq!(b.stat("clients/total"), 1);
}

#[test]
fn the_connection_that_was_taken_over_can_do_nothing_more() {
    let mut b = Scenario::new();
    b.connects("old").keeping_session(100).by_hand().is_let_in().subscribes("t");
    b.client("p").publishes("t", "in flight").qos(1);
    b.connects("new").as_client_id("old").keeping_session(100).by_hand().is_let_in();
    b.client("s").subscribes("t");
    let bytes = b.client("old").bytes_of(&[publish("t", "late").qos(2), publish("t", "later")]);
    b.client("old").sends(&bytes);
    b.client("old").acks(pintle_mqtt::AckKind::PubAck, 1, ReasonCode::Success);
    b.client("s").receives(&[]);
    b.client("new").receives(&["in flight"]);
}

#[test]
fn the_end_of_a_connection_that_was_taken_over_changes_nothing() {
    let mut b = Scenario::new();
    b.connects("old").will("w", "gone").keeping_session(100).is_let_in();
    b.client("s").subscribes("w");
    b.connects("new").as_client_id("old").keeping_session(100).is_let_in();
    b.client("s").receives(&["gone"]);
    b.client("old").is_lost();
    b.client("new").is_open();
    b.client("s").receives(&[]);
    assert_eq!(b.connected(), 2);
}

#[test]
fn topic_aliases_of_the_connection_before_are_not_known_to_the_new_one() {
    let mut b = Scenario::new();
    b.connects("c")
        .keeping_session(100)
        .is_let_in()
        .publishes_at_once(&[publish("t", "").alias(1)]);
    b.connects("c2").as_client_id("c").keeping_session(100).is_let_in();
    let client = b.client("c2").publishes_at_once(&[publish("", "").without_topic().alias(1)]);
    client.is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn plugins_are_told_of_sessions_that_begin_go_on_and_end() {
    let kinds = [
        EventKind::Connected,
        EventKind::SessionCreated,
        EventKind::SessionResumed,
        EventKind::SessionTakenOver,
        EventKind::SessionExpired,
        EventKind::ConnectionLost,
        EventKind::Disconnected,
    ];
    let mut b = Scenario::with(TestHooks::none().told(&kinds));
    b.connects("c").keeping_session(100).is_let_in();
    assert_eq!(b.hooks.events(), ["connected c", "session-created c"]);
    b.client("c").is_lost();
    assert_eq!(b.hooks.events(), ["lost c"]);
    b.connects("c").keeping_session(100).is_let_in();
    assert_eq!(b.hooks.events(), ["connected c", "session-resumed c"]);
    b.connects("c2").as_client_id("c").is_let_in();
    let told = ["session-expired c", "session-taken-over c", "connected c", "session-created c"];
    assert_eq!(b.hooks.events(), told);
    b.client("c2").disconnects(ReasonCode::Success);
    assert_eq!(b.hooks.events(), ["disconnected c Success", "session-expired c"]);
}
