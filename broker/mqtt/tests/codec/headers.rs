//! Fixed Headers: types, flags, lengths; and bodies that are too short or too long.

use pintle_mqtt::{
    Frame, PacketId, PacketType, Publish, ReasonCode, encode_variable_byte_integer,
    variable_byte_integer_len,
};

use crate::sample_packets::*;

/// [MQTT-2.1.3-1]
#[test]
fn the_low_bits_of_the_first_byte_are_checked_for_every_type() {
    for Sample { name, version, bytes, .. } in samples() {
        let packet_type = PacketType::from_first_byte(bytes[0]).unwrap();
        if packet_type == PacketType::Publish {
            continue;
        }
        for flags in 0..16 {
            let mut changed = bytes.to_vec();
            changed[0] = bytes[0] & 0xf0 | flags;
            let is_dup_of_old = version == V3_1 && bytes[0] & 0x0f == 2 && flags == 0x0a;
            match decode(&changed, version) {
                Ok(_) => assert!(changed == bytes || is_dup_of_old, "{name} with {flags:#x}"),
                Err(refused) => {
                    assert_eq!(refused.reason, ReasonCode::MalformedPacket, "{name}");
                    assert!(changed != bytes && !is_dup_of_old, "{name} with {flags:#x}");
                }
            }
        }
    }
}

#[test]
fn type_0_is_malformed_and_auth_is_too_before_5_0() {
    for version in VERSIONS {
        for first_byte in 0..16 {
            let refused = decode(&packet(first_byte, b""), version).unwrap_err();
            assert_eq!(refused.reason, ReasonCode::MalformedPacket);
        }
    }
    for version in [V3_1, V3_1_1] {
        let refused = decode(AUTH_5_0, version).unwrap_err();
        assert_eq!(refused.reason, ReasonCode::MalformedPacket);
    }
}

/// [MQTT-3.3.1-2] [MQTT-3.3.1-4]
#[test]
fn a_publish_with_qos_3_or_with_dup_at_qos_0_is_malformed() {
    for version in VERSIONS {
        let body: &[u8] = if version.is_v5() { b"\0\x01t\0\x07\0" } else { b"\0\x01t\0\x07" };
        for flags in 0..16 {
            let is_legal = flags & 6 != 6 && flags & 0x0e != 8;
            let bytes = packet(0x30 | flags, body);
            let found = decode(&bytes, version).map(drop).map_err(|refused| refused.reason);
            let expected = if is_legal { Ok(()) } else { Err(ReasonCode::MalformedPacket) };
            // At QoS 0 the identifier is payload in v3 and, in v5, no properties and then payload.
            assert_eq!(found, expected, "{flags:#x} in {version:?}");
        }
    }
}

#[test]
fn packets_that_only_servers_send_are_known_by_their_type() {
    let from_server: Vec<_> = (1..16)
        .filter_map(|high| PacketType::from_first_byte(high << 4))
        .filter(|packet_type| !packet_type.is_from_client())
        .collect();
    assert_eq!(
        from_server,
        [PacketType::ConnAck, PacketType::SubAck, PacketType::UnsubAck, PacketType::PingResp]
    );
}

#[test]
fn bytes_left_over_after_the_last_field_are_malformed() {
    for Sample { name, version, bytes, .. } in samples() {
        if bytes[0] >> 4 == PacketType::Publish as u8 {
            continue;
        }
        let body = [frame(bytes).body, b"\xff"].concat();
        let long = packet(bytes[0], &body);
        let refused = decode(&long, version).expect_err(name);
        assert_eq!(refused.reason, ReasonCode::MalformedPacket, "{name}");
    }
}

#[test]
fn a_body_too_short_for_its_fields_is_refused_at_once() {
    for Sample { name, version, bytes, short_bodies } in samples() {
        let body = frame(bytes).body;
        for len in 0..body.len() {
            let short = packet(bytes[0], &body[..len]);
            let found = decode(&short, version);
            assert_eq!(
                found.is_ok(),
                short_bodies.contains(&len),
                "{name} cut to {len}: {found:?}"
            );
        }
    }
}

/// [MQTT-2.2.1-3]
#[test]
fn packet_identifier_0_is_a_protocol_error() {
    for (first_byte, rest) in [
        (0x32, &b"\0\x01t"[..]),
        (0x34, b"\0\x01t"),
        (0x40, b""),
        (0x50, b""),
        (0x62, b""),
        (0x70, b""),
        (0x82, b""),
        (0x90, b""),
        (0xa2, b""),
        (0xb0, b""),
    ] {
        let bytes = packet(first_byte, &[rest, b"\0\0\0\0\x01a\0"].concat());
        for version in [V3_1_1, V5_0] {
            let refused = decode(&bytes, version).unwrap_err();
            assert_eq!(refused.reason, ReasonCode::ProtocolError, "{first_byte:#x} {version:?}");
        }
    }
    assert_eq!(PacketId::new(0), None);
}

#[test]
fn packet_identifiers_go_round() {
    let last = PacketId::new(65_535).unwrap();
    assert_eq!(last.next(), PacketId::FIRST);
    assert_eq!(PacketId::FIRST.next().get(), 2);
    assert_eq!(last.to_string(), "65535");
}

#[test]
fn a_packet_is_split_off_only_when_it_is_all_there() {
    for Sample { name, bytes, .. } in samples() {
        for len in 0..bytes.len() {
            let found = Frame::split(&bytes[..len], u32::MAX).expect(name);
            assert!(found.is_none(), "{name} cut to {len}");
        }
        let two = [bytes, b"rest"].concat();
        let found = Frame::split(&two, u32::MAX).expect(name).expect(name);
        assert_eq!(found.bytes, bytes, "{name}");
        assert_eq!(found.first_byte, bytes[0]);
    }
}

#[test]
fn a_remaining_length_with_a_fifth_byte_is_malformed() {
    for last in [0x00, 0x01, 0x7f, 0x80, 0xff] {
        let bytes = [0x30, 0xff, 0xff, 0xff, 0x80, last];
        let refused = Frame::split(&bytes, u32::MAX).unwrap_err();
        assert_eq!(refused.reason, ReasonCode::MalformedPacket);
    }
    let four = [0x30, 0x80, 0x80, 0x80, 0x01];
    assert!(Frame::split(&four, u32::MAX).unwrap().is_none());
}

/// [MQTT-3.2.2-15]
#[test]
fn a_packet_too_large_is_refused_by_its_announced_length() {
    let header = [0x30, 0x80, 0x01];
    assert!(Frame::split(&header, 131).unwrap().is_none());
    let refused = Frame::split(&header, 130).unwrap_err();
    assert_eq!(refused.reason, ReasonCode::PacketTooLarge);
    let largest = [0x30, 0xff, 0xff, 0xff, 0x7f];
    let refused = Frame::split(&largest, 1 << 20).unwrap_err();
    assert_eq!(refused.reason, ReasonCode::PacketTooLarge);
}

#[test]
fn a_remaining_length_longer_than_it_needs_to_be_is_taken_and_told() {
    for header in [&[0x30, 0x84, 0x00][..], &[0x30, 0x84, 0x80, 0x00], &[0x30, 0x84, 0x80, 0x80, 0]]
    {
        let bytes = [header, b"\0\x01tx"].concat();
        let found = frame(&bytes);
        assert!(!found.is_minimal());
        for version in [V3_1, V3_1_1] {
            let publish = Publish::decode(&found, version.layout(), None).unwrap();
            assert_eq!(publish.payload, b"x");
        }
    }
    for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        assert!(frame(&packet(0x30, &vec![0; len])).is_minimal(), "{len}");
    }
}

#[test]
fn variable_byte_integers_are_as_long_as_the_standard_says() {
    for (value, bytes) in [
        (0, &b"\x00"[..]),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\x01"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ] {
        let mut encoded = Vec::new();
        encode_variable_byte_integer(value, &mut encoded);
        assert_eq!(encoded, bytes);
        assert_eq!(variable_byte_integer_len(value), bytes.len());
        let mut reader = pintle_mqtt::Reader::new(bytes);
        assert_eq!(reader.variable_byte_integer(), Ok(value));
        assert!(reader.is_empty());
    }
    for long in [&b"\x80\x00"[..], b"\xff\x80\x00", b"\x80\x80\x80\x00", b"\x80\x80\x80\x80\x01"] {
        assert!(pintle_mqtt::Reader::new(long).variable_byte_integer().is_err());
    }
}
