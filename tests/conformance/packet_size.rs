//! Maximum Packet Size, both ways (3.1.2.11.4, 3.2.2.3.6).

use pintle_tests::wire::{AckKind, Connect, Encode, Packet, Prop, Publish, Subscribe};
use pintle_tests::{V5, Version};

use crate::{broker, broker_with};

/// [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn a_message_too_large_for_its_client_is_dropped_and_does_not_block_the_next() {
    let broker = broker();
    for qos in 0..=2 {
        let connect =
            Connect::new("s").with(Prop::MaximumPacketSize(100)).with(Prop::ReceiveMaximum(1));
        let mut client = broker.connect(V5, &connect);
        client.subscribes("t", qos);
        let mut publisher = broker.v5("p");
        publisher.publishes_at(qos, "t", &"x".repeat(200));
        publisher.publishes_at(qos, "t", "small");
        publisher.publishes_at(qos, "t", &"x".repeat(200));
        publisher.publishes_at(qos, "t", "small too");
        client.receives("t", "small");
        client.receives("t", "small too");
        client.receives_nothing();
        client.disconnects();
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn the_size_that_counts_is_that_of_the_whole_packet() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("s").with(Prop::MaximumPacketSize(50)));
    client.subscribes("t", 0);
    let mut publisher = broker.v5("p");
    // Fixed Header 2, topic 3, properties 1.
    publisher.publishes("t", &"x".repeat(50 - 6 + 1));
    publisher.publishes("t", &"x".repeat(50 - 6));
    assert_eq!(client.takes().packet_len, 50);
    client.receives_nothing();
}

/// [MQTT-3.1.2-25]
#[test]
fn waiting_and_retained_messages_too_large_for_the_new_connection_are_dropped() {
    let broker = broker();
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", &"in flight".repeat(50));
    client.expect_publish();
    client.drops();
    publisher.publishes_at(1, "t", &"waits".repeat(100));
    publisher.publishes_at(1, "t", "small");
    publisher.retains("retained/large", &"x".repeat(200));
    publisher.retains("retained/small", "x");

    let mut client = broker.connect(V5, &keeping.with(Prop::MaximumPacketSize(80)));
    client.receives("t", "small");
    client.receives_nothing();
    client.subscribe(&Subscribe::to("retained/#", 0));
    client.receives("retained/small", "x");
    client.receives_nothing();
}

/// [MQTT-3.2.2-19] [MQTT-3.2.2-20]
#[test]
fn a_connack_stays_within_the_clients_maximum_packet_size() {
    let broker = broker();
    let mut client = broker.open(V5);
    let connack = client.connects(&Connect::new("c").with(Prop::MaximumPacketSize(60)));
    assert!(!connack.props.iter().any(|p| matches!(p, Prop::ReasonString(_) | Prop::User(_))));
}

/// [MQTT-3.4.2-2] [MQTT-3.4.2-3]
#[test]
fn an_acknowledgement_leaves_out_what_would_make_it_too_large() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("c").with(Prop::MaximumPacketSize(8)));
    client.send(&Publish::new("$SYS/no", "x").qos(1).id(1));
    let puback = client.expect_ack(AckKind::PubAck);
    assert!(puback.encode(V5).len() <= 8, "{puback:?}");
    client.send(&Subscribe::to("bad/#/filter", 0).id(2));
    match client.next_packet() {
        Some(packet @ Packet::SubAck { .. }) => assert!(matches!(
            &packet,
            Packet::SubAck { props, codes, .. } if props.is_empty() && codes == &[0x8F]
        )),
        Some(Packet::Disconnect { props, .. }) => assert!(props.is_empty()),
        other => panic!("expected an answer to a bad filter, not {other:?}"),
    }
}

/// [MQTT-3.14.2-3]
#[test]
fn a_disconnect_leaves_out_a_reason_that_would_make_it_too_large() {
    let broker = broker();
    let mut told = broker.v5("c");
    told.send_raw(&[0xD0, 0]);
    let Some(Packet::Disconnect { code: 0x82, props }) = told.next_packet() else {
        panic!("a PINGRESP breaks the protocol");
    };
    assert!(matches!(props[..], [Prop::ReasonString(_)]), "{props:?}");

    let mut client = broker.connect(V5, &Connect::new("c").with(Prop::MaximumPacketSize(30)));
    client.send_raw(&[0xD0, 0]);
    assert_eq!(client.next_packet(), Some(Packet::Disconnect { code: 0x82, props: Vec::new() }));
    client.is_closed();
}

/// [MQTT-3.2.2-15]
#[test]
fn a_packet_above_the_brokers_maximum_ends_the_connection() {
    let broker = broker_with("packet_bytes_max = 200");
    let mut client = broker.open(V5);
    let connack = client.connects(&Connect::new("c"));
    assert!(connack.props.contains(&Prop::MaximumPacketSize(200)), "{connack:?}");
    let exact = Publish::new("t", "x".repeat(200 - 7));
    assert_eq!(exact.encode(V5).len(), 200);
    client.subscribes("t", 0);
    client.publish(&exact);
    assert_eq!(client.takes().packet_len, 200);
    client.send(&Publish::new("t", "x".repeat(200 - 7 + 1)));
    client.is_refused_with(0x95);
    for version in Version::V3 {
        let mut client = broker.client(version, "c");
        client.send(&Publish::new("t", "x".repeat(200)));
        client.is_closed();
    }
}

/// [MQTT-3.2.2-15]
#[test]
fn a_packet_too_large_is_refused_before_it_has_come() {
    let broker = broker_with("packet_bytes_max = 200");
    let mut client = broker.v5("c");
    client.send_raw(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
    client.is_refused_with(0x95);
}

#[test]
fn a_connect_above_the_brokers_maximum_is_not_let_in() {
    let broker = broker_with("packet_bytes_max = 200");
    for version in Version::ALL {
        let mut client = broker.open(version);
        client.send(&Connect::new("c").username("u").password("x".repeat(200)));
        match client.next_packet() {
            None => {}
            Some(Packet::ConnAck(connack)) => assert_eq!(connack.code, 0x95),
            other => panic!("expected the end, not {other:?}"),
        }
    }
}

#[test]
fn a_maximum_packet_size_of_0_is_refused() {
    let broker = broker();
    let mut client = broker.open(V5);
    client.send(&Connect::new("c").with(Prop::MaximumPacketSize(0)));
    client.is_not_let_in_with(0x82);
}
