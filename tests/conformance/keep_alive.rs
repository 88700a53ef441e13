//! Keep Alive (3.1.2.10) and PINGREQ (3.12).

use pintle_tests::wire::{Connect, Packet, Prop, Publish, ping};
use pintle_tests::{V5, V311, Version};

use crate::{broker, broker_with};

/// [MQTT-3.12.4-1]
#[test]
fn pingreq_is_answered() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send_raw(&ping());
        assert_eq!(client.next_packet(), Some(Packet::PingResp));
    }
}

/// [MQTT-3.1.2-22] [MQTT-3.2.2-22]
#[test]
fn a_client_silent_for_too_long_is_disconnected() {
    let broker = broker();
    let mut clients: Vec<_> = Version::ALL
        .iter()
        .map(|version| {
            broker.connect(*version, &Connect::new(format!("{version:?}")).keep_alive_secs(1))
        })
        .collect();
    for client in &mut clients {
        client.is_refused_with(0x8D);
    }
}

/// [MQTT-3.1.2-22]
#[test]
fn any_packet_shows_that_a_client_is_there() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("c").keep_alive_secs(2));
    for _ in 0..4 {
        broker.lets_seconds_pass(1);
        client.send(&Publish::new("t", "x"));
    }
    client.receives_nothing();
}

/// [MQTT-3.1.2-22]
#[test]
fn what_the_broker_sends_does_not_show_that_the_client_is_there() {
    let broker = broker();
    let mut client = broker.connect(V311, &Connect::new("c").keep_alive_secs(1));
    client.subscribes("clock/#", 0);
    broker.lets_seconds_pass(1);
    broker.lets_seconds_pass(1);
    broker.lets_seconds_pass(1);
    let mut packets = std::iter::from_fn(|| client.next_packet());
    assert!(packets.all(|packet| matches!(packet, Packet::Publish(_))));
}

#[test]
fn a_keep_alive_of_0_never_ends() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("c").keep_alive_secs(0));
    broker.lets_seconds_pass(3);
    client.receives_nothing();
}

/// [MQTT-3.1.2-21] [MQTT-3.2.2-21]
#[test]
fn the_listeners_maximum_is_told_to_v5_and_counts() {
    let broker = broker_with("keep_alive_secs_max = 1");
    for asked in [0, 2, 60] {
        let mut client = broker.open(V5);
        let connack = client.connects(&Connect::new("c").keep_alive_secs(asked));
        assert!(connack.props.contains(&Prop::ServerKeepAlive(1)), "{asked}: {connack:?}");
        client.is_refused_with(0x8D);
    }
    let mut client = broker.open(V5);
    let connack = client.connects(&Connect::new("c").keep_alive_secs(1));
    assert!(!connack.props.iter().any(|prop| matches!(prop, Prop::ServerKeepAlive(_))));
}

#[test]
fn a_v3_client_above_the_listeners_maximum_is_refused() {
    let broker = broker_with("keep_alive_secs_max = 60");
    for version in Version::V3 {
        for asked in [0, 61] {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").keep_alive_secs(asked));
            let connack = client.expect_connack();
            assert_ne!(connack.code, 0, "{asked}");
            client.is_closed();
        }
        broker.connect(version, &Connect::new("c").keep_alive_secs(60));
    }
}
