//! Acknowledgements by subscribers, and what is sent again (4.3, 4.4).

use pintle_tests::wire::{Ack, AckKind, Connect, Prop, frame};
use pintle_tests::{Broker, Client, V5, Version};

use crate::broker;

/// A client with a session that lasts, subscribed to `t` at QoS 2.
fn subscriber(broker: &Broker, version: Version) -> Client {
    let mut client = broker.connect(version, &Connect::new("s").keeping_its_session());
    client.subscribes("t", 2);
    client
}

/// [MQTT-4.4.0-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.6.0-1] [MQTT-3.3.1-1]
#[test]
fn after_a_reconnect_unacknowledged_messages_come_again_in_order_with_dup() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = subscriber(&broker, version);
        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, "t", "1");
        publisher.publishes_at(2, "t", "2");
        publisher.publishes_at(1, "t", "3");
        let first: Vec<_> = (0..3).map(|_| client.expect_publish()).collect();
        assert!(first.iter().all(|delivery| !delivery.dup));
        client.drops();

        let mut client = broker.connect(version, &Connect::new("s").keeping_its_session());
        for before in first {
            let again = client.takes();
            assert!(again.dup);
            assert_eq!((again.id, again.qos, again.text()), (before.id, before.qos, before.text()));
        }
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "s").disconnects();
    }
}

/// [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6]
#[test]
fn after_a_reconnect_pubrel_comes_again_where_pubrec_was_seen() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = subscriber(&broker, version);
        broker.v5("p").publishes_at(2, "t", "x");
        let id = client.expect_publish().packet_id();
        client.send(&Ack::new(AckKind::PubRec, id));
        assert_eq!(client.expect_ack(AckKind::PubRel).id, id);
        client.drops();

        let mut client = broker.connect(version, &Connect::new("s").keeping_its_session());
        assert_eq!(client.expect_ack(AckKind::PubRel).id, id);
        client.send(&Ack::new(AckKind::PubComp, id));
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "s").disconnects();
    }
}

#[test]
fn what_is_acknowledged_does_not_come_again() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = subscriber(&broker, version);
        let mut publisher = broker.v5("p");
        for qos in [1, 2] {
            publisher.publishes_at(qos, "t", "x");
            client.receives("t", "x");
        }
        client.is_heard();
        client.drops();
        let mut client = broker.connect(version, &Connect::new("s").keeping_its_session());
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "s").disconnects();
    }
}

/// [MQTT-4.4.0-1]
#[test]
fn nothing_comes_twice_to_a_live_connection() {
    let broker = broker();
    let mut client = subscriber(&broker, V5);
    broker.v5("p").publishes_at(1, "t", "x");
    client.expect_publish();
    broker.lets_seconds_pass(2);
    client.receives_nothing();
}

/// [MQTT-4.4.0-2] [MQTT-4.3.3-4]
#[test]
fn a_pubrec_that_refuses_ends_the_exchange_and_brings_no_pubrel() {
    let broker = broker();
    let connect = Connect::new("s").with(Prop::ReceiveMaximum(1)).keeping_its_session();
    let mut client = broker.connect(V5, &connect);
    client.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(2, "t", "refused");
    publisher.publishes_at(2, "t", "next");
    let id = client.expect_publish().packet_id();
    client.send(&Ack::new(AckKind::PubRec, id).code(0x83));
    client.receives("t", "next");
    client.receives_nothing();
    client.drops();
    let mut client = broker.connect(V5, &connect);
    client.receives_nothing();
}

/// [MQTT-4.4.0-2]
#[test]
fn a_puback_that_refuses_ends_the_exchange() {
    let broker = broker();
    let connect = Connect::new("s").with(Prop::ReceiveMaximum(1)).keeping_its_session();
    let mut client = broker.connect(V5, &connect);
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "refused");
    publisher.publishes_at(1, "t", "next");
    let id = client.expect_publish().packet_id();
    client.send(&Ack::new(AckKind::PubAck, id).code(0x80));
    client.receives("t", "next");
    client.drops();
    let mut client = broker.connect(V5, &connect);
    client.receives_nothing();
}

#[test]
fn late_acknowledgements_of_nothing_do_no_harm() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Ack::new(AckKind::PubAck, 99));
        client.send(&Ack::new(AckKind::PubComp, 99));
        client.receives_nothing();
    }
}

#[test]
fn pubrec_out_of_nowhere_is_told_that_its_identifier_is_not_found() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Ack::new(AckKind::PubRec, 99));
    let pubrel = client.expect_ack(AckKind::PubRel);
    assert_eq!((pubrel.id, pubrel.code), (99, 0x92));
    client.send(&Ack::new(AckKind::PubRec, 99).code(0x80));
    client.receives_nothing();
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for (qos, wrong) in [
            (1, AckKind::PubRec),
            (1, AckKind::PubComp),
            (2, AckKind::PubAck),
            (2, AckKind::PubComp),
        ] {
            let mut client = broker.client(version, "c");
            client.subscribes("t", qos);
            broker.v5("p").publishes_at(qos, "t", "x");
            let id = client.expect_publish().packet_id();
            client.send(&Ack::new(wrong, id));
            client.is_refused_with(0x82);
        }
    }
}

/// [MQTT-2.2.1-3]
#[test]
fn an_acknowledgement_of_packet_identifier_0_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for kind in [AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp] {
            let mut client = broker.client(version, "c");
            client.send(&Ack::new(kind, 0));
            client.is_refused_with(0x82);
        }
    }
}

/// An unknown code is malformed; one of another packet breaks the protocol.
#[test]
fn a_reason_code_that_does_not_belong_there_ends_the_connection() {
    let broker = broker();
    for (first_byte, code, answer) in [
        (0x40, 0x05, 0x81),
        (0x40, 0x92, 0x82),
        (0x50, 0x8E, 0x82),
        (0x62, 0x80, 0x82),
        (0x70, 0x10, 0x82),
    ] {
        let mut client = broker.v5("c");
        client.send_raw(&frame(first_byte, &[0, 1, code]));
        client.is_refused_with(answer);
    }
}

/// [MQTT-2.2.1-4]
#[test]
fn packet_identifiers_go_round_without_meeting_one_in_use() {
    let broker = broker();
    let mut client = broker.v5("s");
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "held");
    let held = client.expect_publish().packet_id();
    for round in 0..140 {
        for number in 0..500_u16 {
            let publish = pintle_tests::wire::Publish::new("t", "x").qos(1).id(number + 1);
            publisher.send(&publish);
        }
        publisher.is_heard();
        for _ in 0..500 {
            let delivery = client.takes();
            assert_ne!(delivery.packet_id(), held, "round {round}");
        }
    }
    client.receives_nothing();
}
