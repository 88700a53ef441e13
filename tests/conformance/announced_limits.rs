//! What a listener switches off is told in CONNACK and held to (3.2.2.3).

use pintle_tests::wire::{Connect, Packet, Prop, Publish, Subscribe, Will};
use pintle_tests::{Broker, V5, V311, Version};

use crate::broker_with;

#[track_caller]
fn announces(broker: &Broker, prop: &Prop) {
    let connack = broker.open(V5).connects(&Connect::new("asks"));
    assert!(connack.props.contains(prop), "{prop:?} is missing in {connack:?}");
}

/// [MQTT-3.2.2-9] [MQTT-3.2.2-11]
#[test]
fn a_publish_above_the_maximum_qos_ends_the_connection() {
    for maximum in [0, 1] {
        let broker = broker_with(&format!("max_qos = {maximum}"));
        announces(&broker, &Prop::MaximumQoS(maximum));
        for version in Version::ALL {
            for qos in maximum + 1..=2 {
                let mut client = broker.client(version, "c");
                client.publishes_at(maximum, "t", "allowed");
                client.send(&Publish::new("t", "x").qos(qos).id(9));
                client.is_refused_with(0x9B);
            }
        }
    }
}

/// [MQTT-3.2.2-10]
#[test]
fn subscribing_above_the_maximum_qos_is_granted_what_there_is() {
    let broker = broker_with("max_qos = 1");
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        let codes = client.subscribe(&Subscribe::to("t", 2));
        assert!(codes == [1] || codes == [2], "{codes:?}");
        client.publishes_at(1, "t", "x");
        assert_eq!(client.receives("t", "x").qos, 1);
    }
}

/// [MQTT-3.2.2-12]
#[test]
fn a_will_above_the_maximum_qos_refuses_the_connect() {
    let broker = broker_with("max_qos = 0");
    let connect = Connect::new("c").will(Will::new("will", "x").qos(1));
    assert_eq!(broker.refuses(V5, &connect), 0x9B);
    for version in Version::V3 {
        assert_ne!(broker.refuses(version, &connect), 0);
    }
}

/// [MQTT-3.2.2-14]
#[test]
fn a_retained_publish_where_there_is_no_retain_ends_the_connection() {
    let broker = broker_with("retain_available = false");
    announces(&broker, &Prop::RetainAvailable(0));
    let mut client = broker.v5("c");
    client.publishes("t", "allowed");
    client.send(&Publish::new("t", "x").retained());
    client.is_refused_with(0x9A);
}

/// [MQTT-3.2.2-13]
#[test]
fn a_retained_will_where_there_is_no_retain_refuses_the_connect() {
    let broker = broker_with("retain_available = false");
    let connect = Connect::new("c").will(Will::new("will", "x").retained());
    assert_eq!(broker.refuses(V5, &connect), 0x9A);
}

/// A client of v3 cannot know, and its messages are delivered but not kept.
#[test]
fn where_there_is_no_retain_v3_clients_are_served_without_it() {
    let broker = broker_with("retain_available = false");
    let mut watch = broker.v5("watch");
    watch.subscribes("#", 0);
    for version in Version::V3 {
        let will = Will::new("will", "gone").retained();
        let mut client = broker.connect(version, &Connect::new("c").will(will));
        client.retains("t", "live");
        client.drops();
        watch.receives("t", "live");
        watch.receives("will", "gone");
    }
    let mut late = broker.v5("late");
    late.subscribes("#", 0);
    late.receives_nothing();
}

#[test]
fn a_wildcard_where_there_are_none_is_refused() {
    let broker = broker_with("wildcard_subscription_available = false");
    announces(&broker, &Prop::WildcardSubscriptionAvailable(0));
    refuses_filter(&broker, "a/#", 0xA2);
    refuses_filter(&broker, "+", 0xA2);
}

#[test]
fn a_shared_subscription_where_there_are_none_is_refused() {
    let broker = broker_with("shared_subscription_available = false");
    announces(&broker, &Prop::SharedSubscriptionAvailable(0));
    refuses_filter(&broker, "$share/g/t", 0x9E);
}

#[test]
fn a_subscription_identifier_where_there_are_none_is_refused() {
    let broker = broker_with("subscription_identifier_available = false");
    announces(&broker, &Prop::SubscriptionIdentifierAvailable(0));
    let mut client = broker.v5("c");
    client.send(&Subscribe::to("t", 0).id(1).with(Prop::SubscriptionIdentifier(1)));
    assert_eq!(code_of(client.next_packet()), 0xA1);
}

/// The filter is refused by its code in SUBACK, or with the connection; plain ones are taken.
#[track_caller]
fn refuses_filter(broker: &Broker, filter: &str, code: u8) {
    let mut client = broker.v5("c");
    client.subscribes("plain/filter", 1);
    client.send(&Subscribe::to(filter, 0).id(100));
    assert_eq!(code_of(client.next_packet()), code);
    let mut client = broker.client(V311, "c");
    client.send(&Subscribe::to(filter, 0).id(100));
    let answer = client.next_packet();
    assert!(answer.is_none() || code_of(answer) == 0x80);
}

#[track_caller]
fn code_of(packet: Option<Packet>) -> u8 {
    match packet {
        Some(Packet::SubAck { codes, .. }) => codes[0],
        Some(Packet::Disconnect { code, .. }) => code,
        other => panic!("expected SUBACK or DISCONNECT, not {other:?}"),
    }
}
