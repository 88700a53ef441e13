//! Fixed Headers, lengths, and which packet may come when (2.1, 3.1.0).

use pintle_tests::wire::{Connect, Encode, Prop, frame, frame_with_length, ping};
use pintle_tests::{V5, V311, Version};

use crate::broker;

/// [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1]
#[test]
fn wrong_flags_in_the_first_byte_end_the_connection() {
    let broker = broker();
    let subscribe = [0, 1, 0, 1, b't', 0];
    let packets: [(u8, &[u8]); 10] = [
        (0x41, &[0, 1]),
        (0x44, &[0, 1]),
        (0x51, &[0, 1]),
        (0x60, &[0, 1]),
        (0x63, &[0, 1]),
        (0x71, &[0, 1]),
        (0x80, &subscribe),
        (0xA0, &[0, 1, 0, 1, b't']),
        (0xC1, &[]),
        (0xE1, &[]),
    ];
    for version in Version::ALL {
        for (first_byte, body) in packets {
            let mut client = broker.client(version, "c");
            client.send_raw(&frame(first_byte, body));
            client.is_refused_with(0x81);
        }
    }
}

/// [MQTT-2.1.3-1]
#[test]
fn a_connect_with_wrong_flags_in_its_first_byte_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        for first_byte in [0x11, 0x12, 0x18] {
            let mut client = broker.open(version);
            client.send_raw(&frame(first_byte, &Connect::new("c").body(version)));
            client.is_not_let_in_with(0x81);
        }
    }
}

/// [MQTT-2.1.3-1] [MQTT-3.15.1-1]
#[test]
fn a_packet_type_that_does_not_exist_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send_raw(&frame(0x00, &[]));
        client.is_refused_with(0x81);
    }
    for version in Version::V3 {
        let mut client = broker.client(version, "c");
        client.send_raw(&frame(0xF0, &[]));
        client.is_closed();
    }
    let mut client = broker.v5("c");
    client.send_raw(&frame(0xF1, &[]));
    client.is_refused_with(0x81);
}

#[test]
fn bytes_left_over_after_the_last_field_end_the_connection() {
    let broker = broker();
    let unsubscribe_v3 = [0, 1, 0, 1, b't', 0];
    let long_v3: [(u8, &[u8]); 8] = [
        (0x40, &[0, 1, 0]),
        (0x50, &[0, 1, 0]),
        (0x62, &[0, 1, 0]),
        (0x70, &[0, 1, 0]),
        (0x82, &[0, 1, 0, 1, b't', 0, 0]),
        (0xA2, &unsubscribe_v3),
        (0xC0, &[0]),
        (0xE0, &[0]),
    ];
    for version in Version::V3 {
        for (first_byte, body) in long_v3 {
            let mut client = broker.client(version, "c");
            client.send_raw(&frame(first_byte, body));
            client.is_closed();
        }
    }
    let long_v5: [(u8, &[u8]); 8] = [
        (0x40, &[0, 1, 0, 0, 0]),
        (0x50, &[0, 1, 0, 0, 0]),
        (0x62, &[0, 1, 0, 0, 0]),
        (0x70, &[0, 1, 0, 0, 0]),
        (0x82, &[0, 1, 0, 0, 1, b't', 0, 0]),
        (0xA2, &[0, 1, 0, 0, 1, b't', 0]),
        (0xC0, &[0]),
        (0xE0, &[0, 0, 0]),
    ];
    for (first_byte, body) in long_v5 {
        let mut client = broker.v5("c");
        client.send_raw(&frame(first_byte, body));
        client.is_refused_with(0x81);
    }
}

#[test]
fn a_connect_with_bytes_left_over_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        let mut body = Connect::new("c").body(version);
        body.push(0);
        let mut client = broker.open(version);
        client.send_raw(&frame(0x10, &body));
        client.is_not_let_in_with(0x81);
    }
}

/// A body that is whole by its length but too short for its fields is judged at once.
#[test]
fn a_body_too_short_for_its_fields_ends_the_connection() {
    let broker = broker();
    let short: [(u8, &[u8]); 12] = [
        (0x30, &[]),
        (0x30, &[0]),
        (0x30, &[0, 5, b't']),
        (0x32, &[0, 1, b't']),
        (0x32, &[0, 1, b't', 0]),
        (0x40, &[]),
        (0x40, &[0]),
        (0x62, &[0]),
        (0x82, &[0]),
        (0x82, &[0, 1, 0, 9, b't', 0]),
        (0xA2, &[0]),
        (0xA2, &[0, 1, 0, 9, b't']),
    ];
    for version in Version::ALL {
        for (first_byte, body) in short {
            let mut client = broker.client(version, "c");
            client.send_raw(&frame(first_byte, body));
            client.is_refused_with(0x81);
        }
    }
}

#[test]
fn a_connect_cut_short_anywhere_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        let whole = Connect::new("client").username("u").password("p").body(version);
        for len in 7..whole.len() {
            let mut client = broker.open(version);
            client.send_raw(&frame(0x10, &whole[..len]));
            client.is_not_let_in_with(0x81);
        }
    }
}

#[test]
fn a_remaining_length_of_five_bytes_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send_raw(&[0x30, 0x80, 0x80, 0x80, 0x80, 0x01]);
        client.is_refused_with(0x81);
    }
    let mut client = broker.open(V5);
    client.send_raw(&[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
    client.is_closed();
}

/// [MQTT-3.1.0-1]
#[test]
fn nothing_but_connect_may_come_first() {
    let broker = broker();
    let subscribe = [0, 1, 0, 0, 1, b't', 0];
    let packets: [(u8, &[u8]); 14] = [
        (0x00, &[]),
        (0x20, &[0, 0]),
        (0x30, &[0, 1, b't', 0]),
        (0x40, &[0, 1]),
        (0x50, &[0, 1]),
        (0x62, &[0, 1]),
        (0x70, &[0, 1]),
        (0x82, &subscribe),
        (0x90, &[0, 1, 0]),
        (0xA2, &[0, 1, 0, 0, 1, b't']),
        (0xC0, &[]),
        (0xD0, &[]),
        (0xE0, &[]),
        (0xF0, &[]),
    ];
    for (first_byte, body) in packets {
        let mut client = broker.open(V5);
        client.send_raw(&frame(first_byte, body));
        client.is_closed();
    }
}

/// [MQTT-3.1.0-2]
#[test]
fn a_second_connect_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Connect::new("c"));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-3.1.0-2]
#[test]
fn a_second_connect_right_behind_the_first_ends_the_connection() {
    let broker = broker();
    let mut client = broker.open(V5);
    let connect = Connect::new("c").encode(V5);
    client.send_raw(&[connect.as_slice(), &connect].concat());
    assert_eq!(client.expect_connack().code, 0);
    client.is_refused_with(0x82);
}

#[test]
fn packets_that_only_servers_send_end_the_connection() {
    let broker = broker();
    for (first_byte, v3, v5) in [
        (0x20, [0, 0].as_slice(), [0, 0, 0].as_slice()),
        (0x90, &[0, 1, 0], &[0, 1, 0, 0]),
        (0xB0, &[0, 1], &[0, 1, 0, 0]),
        (0xD0, &[], &[]),
    ] {
        for version in Version::V3 {
            let mut client = broker.client(version, "c");
            client.send_raw(&frame(first_byte, v3));
            client.is_closed();
        }
        let mut client = broker.v5("c");
        client.send_raw(&frame(first_byte, v5));
        client.is_refused_with(0x82);
    }
}

#[test]
fn packets_may_come_a_byte_at_a_time_or_many_at_once() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.open(version);
        for byte in Connect::new("c").encode(version) {
            client.send_raw(&[byte]);
        }
        assert_eq!(client.expect_connack().code, 0);
        client.send_raw(&ping().repeat(50));
        for _ in 0..50 {
            client.send_raw(&ping());
        }
        for _ in 0..100 {
            assert_eq!(client.next_packet(), Some(pintle_tests::wire::Packet::PingResp));
        }
        client.disconnects();
    }
}

#[test]
fn packets_sent_before_connack_has_come_are_served() {
    let broker = broker();
    let mut client = broker.open(V311);
    client.send_raw(&[Connect::new("c").encode(V311), ping()].concat());
    assert_eq!(client.expect_connack().code, 0);
    assert_eq!(client.next_packet(), Some(pintle_tests::wire::Packet::PingResp));
}

#[test]
fn no_memory_is_set_aside_for_a_length_that_is_merely_announced() {
    let broker = broker();
    let before = broker.resident_bytes();
    let mut clients: Vec<_> = (0..200).map(|_| broker.open(V5)).collect();
    for client in &mut clients {
        client.send_raw(&frame_with_length(0x10, 1_000_000, b"\0\x04MQTT\x05"));
    }
    let mut witness = broker.v5("witness");
    witness.is_heard();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for 200 connections that sent 12 bytes each");
}

#[test]
fn a_flood_of_user_properties_is_dealt_with() {
    let broker = broker();
    let mut connect = Connect::new("c");
    for _ in 0..150_000 {
        connect = connect.with(Prop::user("", ""));
    }
    let mut client = broker.open(V5);
    client.connects(&connect);
    client.receives_nothing();
}
