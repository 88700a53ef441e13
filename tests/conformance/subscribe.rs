//! SUBSCRIBE and SUBACK (3.8, 3.9).

use pintle_tests::wire::{Packet, Publish, Subscribe};
use pintle_tests::{V5, V311, Version};

use crate::broker;

/// [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1]
#[test]
fn there_is_one_code_per_filter_in_their_order() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Subscribe::to("a", 2).and("b", 0).and("c/#", 1).and("a", 0).id(4711));
        match client.next_packet() {
            Some(Packet::SubAck { id, codes, .. }) => {
                assert_eq!((id, codes), (4711, vec![2, 0, 1, 0]));
            }
            other => panic!("expected SUBACK, not {other:?}"),
        }
    }
}

/// [MQTT-3.9.3-2] [MQTT-3.8.4-6]
#[test]
fn a_bad_filter_among_good_ones_gets_its_own_code_or_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Subscribe::to("a", 1).and("b/#/c", 1).and("d", 2).id(1));
    match client.next_packet() {
        Some(Packet::SubAck { codes, .. }) => assert_eq!(codes, [1, 0x8F, 2]),
        Some(Packet::Disconnect { code, .. }) => assert_eq!(code, 0x8F),
        other => panic!("expected an answer, not {other:?}"),
    }
}

/// [MQTT-3.8.3-2]
#[test]
fn a_subscribe_without_a_filter_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Subscribe::to_nothing().id(1));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-3.8.3-5]
#[test]
fn reserved_bits_in_the_options_end_the_connection() {
    let broker = broker();
    for options in [0x40, 0x80, 0xC1] {
        let mut client = broker.v5("c");
        client.send(&Subscribe::to("t", options).id(1));
        client.is_refused_with(0x81);
    }
    for version in Version::V3 {
        for options in [0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
            let mut client = broker.client(version, "c");
            client.send(&Subscribe::to("t", options).id(1));
            client.is_closed();
        }
    }
}

#[test]
fn qos_3_and_retain_handling_3_end_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Subscribe::to("t", 3).id(1));
        client.is_refused_with(0x82);
    }
    let mut client = broker.v5("c");
    client.send(&Subscribe::to("t", 0x30).id(1));
    client.is_refused_with(0x82);
}

/// [MQTT-2.2.1-3]
#[test]
fn packet_identifier_0_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Subscribe::to("t", 0).id(0));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-3.8.4-3] [MQTT-3.8.4-4]
#[test]
fn subscribing_again_replaces_the_subscription_and_its_qos() {
    let broker = broker();
    broker.v5("p").publish(&Publish::new("t", "kept").qos(2).retained());
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        for qos in [0, 2, 1] {
            client.subscribes("t", qos);
            let delivery = client.receives("t", "kept");
            assert!(delivery.retain);
            assert_eq!(delivery.qos, qos);
            broker.v5("p").publishes_at(2, "t", "live");
            assert_eq!(client.receives("t", "live").qos, qos);
            client.receives_nothing();
        }
    }
}

#[test]
fn many_filters_in_one_packet_are_all_served() {
    let broker = broker();
    let mut client = broker.client(V311, "c");
    let all = (0..2000).fold(Subscribe::to_nothing(), |s, n| s.and(format!("t/{n}"), 1));
    assert_eq!(client.subscribe(&all), [1; 2000]);
    let mut publisher = broker.v5("p");
    for number in [0, 1, 999, 1999] {
        publisher.publishes_at(1, &format!("t/{number}"), "x");
        client.receives(&format!("t/{number}"), "x");
    }
    client.receives_nothing();
}

#[test]
fn subscriptions_beyond_the_stated_bound_are_refused() {
    let broker = broker();
    let mut client = broker.v5("c");
    for part in 0..10 {
        let thousand =
            (0..1000).fold(Subscribe::to_nothing(), |s, n| s.and(format!("{part}/{n}"), 0));
        assert_eq!(client.subscribe(&thousand), [0; 1000]);
    }
    assert_eq!(client.subscribe(&Subscribe::to("one/more", 0)), [0x97]);
    assert_eq!(client.subscribe(&Subscribe::to("3/7", 1)), [1], "it is there already");
    client.unsubscribes(&["3/7"]);
    assert_eq!(client.subscribe(&Subscribe::to("one/more", 0)), [0]);
}

/// [MQTT-3.8.4-1]
#[test]
fn a_subscription_counts_from_its_suback_on() {
    let broker = broker();
    let mut client = broker.client(V5, "c");
    client.send(&Subscribe::to("t", 0).id(1));
    client.send(&Publish::new("t", "right behind"));
    assert!(matches!(client.next_packet(), Some(Packet::SubAck { .. })));
    client.receives("t", "right behind");
}
