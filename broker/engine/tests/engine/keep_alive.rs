use std::time::Duration;

use pintle_engine::EndCause;

use crate::scenario::Scenario;

/// [MQTT-3.1.2-22]
#[test]
fn a_client_may_be_silent_for_one_and_a_half_times_its_keep_alive() {
    let mut b = Scenario::new();
    b.opens_socket("fresh", pintle_mqtt::ProtocolVersion::V5_0);
    b.connects("ten").keep_alive(10).is_let_in();
    b.connects("never").keep_alive(0).is_let_in();
    b.terms.keep_alive_secs_max = 4;
    b.connects("imposed").keep_alive(60).is_let_in();
    let mut silence_max = |name: &str| b.wire(name).connection.silence_max();
    assert_eq!(silence_max("fresh"), None);
    assert_eq!(silence_max("ten"), Some(Duration::from_secs(15)));
    assert_eq!(silence_max("never"), None);
    assert_eq!(silence_max("imposed"), Some(Duration::from_secs(6)));
}

/// [MQTT-4.13.1-1]
#[test]
fn a_client_that_is_silent_for_too_long_is_told_and_its_will_sent() {
    let mut b = Scenario::new();
    b.client("s").subscribes("w");
    b.connects("c").keep_alive(10).will("w", "gone").is_let_in();
    b.keep_alive_expires("c");
    b.client("c").is_closed_with("DISCONNECT KeepAliveTimeout");
    b.client("s").receives(&["gone"]);
    b.connects("old").v3().keep_alive(10).is_let_in();
    b.keep_alive_expires("old");
    b.client("old").gets(&[]).is_closed();
    assert_eq!(b.connected(), 1);
}

#[test]
fn pings_are_answered() {
    let mut b = Scenario::new();
    b.client("c").sends(&[0xc0, 0, 0xc0, 0]).gets(&["PINGRESP", "PINGRESP"]);
}

#[test]
fn ending_a_connection_twice_or_before_connect_changes_nothing() {
    let mut b = Scenario::new();
    b.opens_socket("fresh", pintle_mqtt::ProtocolVersion::V5_0);
    b.ends("fresh", EndCause::HandshakeTimeout);
    b.connects("c").keeping_session(100).is_let_in();
    b.ends("c", EndCause::IoError);
    b.ends("c", EndCause::PeerClosed);
    assert!(!b.wire("c").connection.is_connected());
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 1));
}

#[test]
fn a_connection_that_has_ended_takes_nothing_more() {
    let mut b = Scenario::new();
    b.client("c").is_lost();
    let mut client = b.client("c").sends(&[0xc0, 0]);
    assert_eq!(client.flow(), pintle_engine::Flow::Close);
    client.gets(&[]);
}
