//! UNSUBSCRIBE and UNSUBACK (3.10, 3.11).

use pintle_tests::V5;
use pintle_tests::Version;
use pintle_tests::wire::{Ack, AckKind, Connect, Packet, Prop, Unsubscribe};

use crate::broker;

/// [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-2.2.1-6]
#[test]
fn nothing_new_comes_after_unsuback() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.subscribes("a/+", 1);
        client.subscribes("a/b", 1);
        client.send(&Unsubscribe::of(99, &["a/+"]));
        assert!(matches!(client.next_packet(), Some(Packet::UnsubAck { id: 99, .. })));
        broker.v5("p").publishes_at(1, "a/c", "no");
        broker.v5("p").publishes_at(1, "a/b", "by the other");
        client.receives("a/b", "by the other");
        client.receives_nothing();
    }
}

/// [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT-3.10.4-6]
#[test]
fn v5_is_told_for_each_filter_whether_there_was_one() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("a", 0);
    client.subscribes("c", 0);
    assert_eq!(client.unsubscribes(&["a", "b", "c", "a"]), [0, 0x11, 0, 0x11]);
}

/// [MQTT-3.10.4-4]
#[test]
fn v3_is_answered_even_if_there_was_none() {
    let broker = broker();
    for version in Version::V3 {
        let mut client = broker.client(version, "c");
        assert_eq!(client.unsubscribes(&["nothing/like/it"]), []);
    }
}

/// [MQTT-3.10.4-1]
#[test]
fn filters_are_compared_letter_by_letter() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("a/b", 0);
    assert_eq!(client.unsubscribes(&["a/#", "A/b", "a/b/", "a/+"]), [0x11; 4]);
    broker.v5("p").publishes("a/b", "still");
    client.receives("a/b", "still");
}

/// [MQTT-3.10.3-2]
#[test]
fn an_unsubscribe_without_a_filter_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Unsubscribe::of(1, &[]));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-2.2.1-3]
#[test]
fn packet_identifier_0_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Unsubscribe::of(0, &["t"]));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-3.10.4-3]
#[test]
fn what_was_in_flight_is_still_finished() {
    let broker = broker();
    for version in Version::ALL {
        let keeping = Connect::new("c").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribes("t", 2);
        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, "t", "1");
        publisher.publishes_at(2, "t", "2");
        let (one, two) = (client.expect_publish(), client.expect_publish());
        client.unsubscribes(&["t"]);
        client.acknowledges(&one);
        client.send(&Ack::new(AckKind::PubRec, two.packet_id()));
        assert_eq!(client.expect_ack(AckKind::PubRel).id, two.packet_id());
        client.drops();

        let mut client = broker.connect(version, &keeping);
        assert_eq!(client.expect_ack(AckKind::PubRel).id, two.packet_id());
        client.send(&Ack::new(AckKind::PubComp, two.packet_id()));
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-3.10.4-3]
#[test]
fn what_is_in_flight_comes_again_after_a_reconnect_though_unsubscribed() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    broker.v5("p").publishes_at(1, "t", "x");
    client.expect_publish();
    client.unsubscribes(&["t"]);
    client.drops();
    let mut client = broker.connect(V5, &keeping);
    assert!(client.receives("t", "x").dup);
    client.receives_nothing();
}

#[test]
fn user_properties_are_allowed() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Unsubscribe::of(5, &["t"]).with(Prop::user("k", "v")));
    assert!(matches!(client.next_packet(), Some(Packet::UnsubAck { id: 5, .. })));
}
