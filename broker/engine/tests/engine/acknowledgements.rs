use pintle_mqtt::{AckKind, Property, ReasonCode};

use crate::draft::publish;
use crate::scenario::Scenario;

#[test]
fn an_acknowledgement_makes_room_for_what_waits() {
    let mut b = Scenario::new();
    let connects = b.connects("s").property(Property::ReceiveMaximum(2)).by_hand();
    connects.is_let_in().subscribes("t");
    let drafts: Vec<_> = (1..=4).map(|n| publish("t", n.to_string()).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts);
    b.client("s").receives(&["1", "2"]);
    b.client("s").acks(AckKind::PubAck, 1, ReasonCode::Success).receives(&["3"]);
    b.client("s")
        .acks(AckKind::PubAck, 2, ReasonCode::ImplementationSpecificError)
        .receives(&["4"]);
}

#[test]
fn many_short_acknowledgements_in_one_read_are_handled_at_once() {
    let mut b = Scenario::new();
    let connects = b.connects("s").property(Property::ReceiveMaximum(3)).by_hand();
    connects.is_let_in().subscribes("t");
    let drafts: Vec<_> = (1..=6).map(|n| publish("t", n.to_string()).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts);
    b.client("s").receives(&["1", "2", "3"]);
    let acks = [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3, 0xc0, 0];
    b.client("s").sends(&acks).gets_in_order(&[
        "PUBLISH t 4",
        "PUBLISH t 5",
        "PUBLISH t 6",
        "PINGRESP",
    ]);
    assert_eq!(b.stat("mqtt/puback/received"), 3);
}

#[test]
fn acknowledgements_alone_are_told_from_what_makes_work() {
    const PUBACK: [u8; 4] = [0x40, 2, 0, 7];
    const PUBCOMP_WITH_REASON: [u8; 5] = [0x70, 3, 0, 7, 0];
    const PINGREQ: [u8; 2] = [0xc0, 0];
    let mut b = Scenario::new();
    b.client("c").is_open();
    let mut are_only_acks = |bytes: &[u8]| {
        b.feed("c", bytes);
        b.wire("c").only_acks
    };

    assert!(are_only_acks(&PUBACK));
    assert!(are_only_acks(&[&PUBACK[..], &PUBCOMP_WITH_REASON].concat()));
    assert!(!are_only_acks(&PINGREQ));
    assert!(!are_only_acks(&[&PUBACK[..], &PINGREQ].concat()));
    assert!(!are_only_acks(&PUBACK[..2]));
}

#[test]
fn a_late_acknowledgement_is_of_no_harm() {
    let mut b = Scenario::new();
    b.client("s").acks(AckKind::PubAck, 7, ReasonCode::Success).gets(&[]).is_open();
    b.client("s").acks(AckKind::PubComp, 7, ReasonCode::Success).gets(&[]).is_open();
}

#[test]
fn an_acknowledgement_of_the_wrong_flow_breaks_the_protocol() {
    let with = |qos: u8, kind: AckKind| {
        let mut b = Scenario::new();
        b.client("s").answers_by_hand().subscribes("t");
        b.client("p").publishes("t", "x").qos(qos);
        let client = b.client("s").acks(kind, 1, ReasonCode::Success);
        client.is_closed_with("DISCONNECT ProtocolError");
    };
    with(2, AckKind::PubAck);
    with(1, AckKind::PubRec);
    with(2, AckKind::PubComp);
}

#[test]
fn an_acknowledgement_with_a_bad_identifier_or_length_closes_the_connection() {
    let mut b = Scenario::new();
    b.client("zero").sends(&[0x40, 2, 0, 0]).is_closed_with("DISCONNECT ProtocolError");
    b.client("short").sends(&[0x40, 1, 7]).is_closed_with("DISCONNECT MalformedPacket");
    b.client("odd").sends(&[0x40, 0x81, 0, 7]).is_closed_with("DISCONNECT MalformedPacket");
}

#[test]
fn what_was_in_flight_is_sent_again_in_its_order_after_a_reconnect() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).by_hand().is_let_in().subscribes("t");
    for (payload, qos) in [("1", 1), ("2", 2), ("3", 1)] {
        b.client("p").publishes("t", payload).qos(qos);
    }
    b.client("s").acks(AckKind::PubRec, 2, ReasonCode::Success).is_lost();
    let client = b.connects("s").keeping_session(100).by_hand().sent();
    client.gets_in_order(&["CONNACK present", "PUBREL 2", "PUBLISH t 1", "PUBLISH t 3"]);
    assert_eq!(b.stat("publish/messages/sent"), 5);
}
