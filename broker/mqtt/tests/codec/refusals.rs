//! What is refused in CONNECT, PUBLISH, SUBSCRIBE and UNSUBSCRIBE, and with which Reason Code.

use pintle_mqtt::{Connect, ConnectError, Packet, ProtocolVersion, ReasonCode, SubscriptionFilter};

use crate::sample_packets::*;

fn connect(body: &[u8]) -> Result<(), (ReasonCode, Option<ProtocolVersion>)> {
    let bytes = packet(0x10, body);
    let refused = |error: ConnectError| (error.violation.reason, error.version);
    Connect::decode(&frame(&bytes)).map(drop).map_err(refused)
}

/// [MQTT-3.1.2-1] [MQTT-3.1.2-2]
#[test]
fn an_unknown_protocol_is_answered_in_the_version_its_client_may_read() {
    let unsupported = |version| Err((ReasonCode::UnsupportedProtocolVersion, Some(version)));
    for (name, level, answer) in [
        ("MQTT", 0, V3_1_1),
        ("MQTT", 3, V3_1_1),
        ("MQTT", 6, V5_0),
        ("MQTT", 255, V5_0),
        ("MQTT", 0x84, V3_1_1),
        ("MQTT", 0x85, V5_0),
        ("MQIsdp", 4, V3_1_1),
        ("MQIsdp", 5, V5_0),
        ("MQIsdp", 0x83, V3_1_1),
        ("mqtt", 4, V3_1_1),
        ("MQTT ", 5, V5_0),
        ("", 4, V3_1_1),
    ] {
        let name_len = (name.len() as u16).to_be_bytes();
        let body = [&name_len, name.as_bytes(), &[level], b"\x02\0\0\0\0\0"].concat();
        assert_eq!(connect(&body), unsupported(answer), "{name} {level}");
    }
}

#[test]
fn what_is_no_connect_is_not_answered() {
    let malformed = Err((ReasonCode::MalformedPacket, None));
    assert_eq!(connect(b""), malformed);
    assert_eq!(connect(b"\0\x04MQ"), malformed);
    assert_eq!(connect(b"\0\x04MQTT"), malformed);
    assert_eq!(connect(b"\0\x04M\xffTT\x04\x02\0\0\0\0"), malformed);
    let error = Connect::decode(&frame(b"\xc0\0")).unwrap_err();
    assert_eq!(error.version, None);
    assert_eq!(error.violation.reason, ReasonCode::ProtocolError);
    assert_eq!(error.to_string(), "the first packet is not a CONNECT (0x82)");
}

/// [MQTT-2.1.3-1]
#[test]
fn a_connect_with_flags_in_its_first_byte_is_malformed() {
    let mut bytes = CONNECT_5_0.to_vec();
    bytes[0] = 0x11;
    let error = Connect::decode(&frame(&bytes)).unwrap_err();
    assert_eq!(error.version, Some(V5_0));
    assert_eq!(error.violation.reason, ReasonCode::MalformedPacket);
}

/// [MQTT-3.1.2-3] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13]
#[test]
fn connect_flags_that_contradict_each_other_are_malformed() {
    for version in VERSIONS {
        for flags in 0..=255_u8 {
            let body = connect_body(version, flags);
            let has_will = flags & 0x04 != 0;
            let is_legal = flags & 1 == 0
                && flags & 0x18 != 0x18
                && (has_will || flags & 0x38 == 0)
                && (version == V5_0 || flags & 0xc0 != 0x40);
            let expected =
                if is_legal { Ok(()) } else { Err((ReasonCode::MalformedPacket, Some(version))) };
            assert_eq!(connect(&body), expected, "{flags:#010b} in {version:?}");
        }
    }
}

/// A CONNECT with just the fields that `flags` announces.
fn connect_body(version: ProtocolVersion, flags: u8) -> Vec<u8> {
    let none: &[u8] = if version.is_v5() { b"\0" } else { b"" };
    let mut body = match version {
        V3_1 => b"\0\x06MQIsdp\x03".to_vec(),
        V3_1_1 => b"\0\x04MQTT\x04".to_vec(),
        V5_0 => b"\0\x04MQTT\x05".to_vec(),
    };
    body.push(flags);
    body.extend_from_slice(b"\0\x0a");
    body.extend_from_slice(none);
    body.extend_from_slice(b"\0\x01c");
    if flags & 0x04 != 0 {
        body.extend_from_slice(none);
        body.extend_from_slice(b"\0\x01w\0\x01x");
    }
    if flags & 0x80 != 0 {
        body.extend_from_slice(b"\0\x01u");
    }
    if flags & 0x40 != 0 {
        body.extend_from_slice(b"\0\x01p");
    }
    body
}

#[test]
fn connect_fields_that_the_flags_deny_are_malformed() {
    for version in VERSIONS {
        let all = connect_body(version, 0xc6);
        let flags_at = if version == V3_1 { 9 } else { 7 };
        for flags in [0x02, 0x82, 0x06, 0x86] {
            let mut body = all.clone();
            body[flags_at] = flags;
            let expected = Err((ReasonCode::MalformedPacket, Some(version)));
            assert_eq!(connect(&body), expected, "{flags:#x} in {version:?}");
        }
    }
}

#[test]
fn an_old_client_may_have_a_long_client_identifier() {
    let id = [b'x'; 300];
    let body = [b"\0\x06MQIsdp\x03\x02\0\0\x01\x2c", &id[..]].concat();
    assert_eq!(connect(&body), Ok(()));
}

#[test]
fn a_will_that_could_not_be_published_refuses_the_connect() {
    let refused =
        |will: &[u8]| connect(&[b"\0\x04MQTT\x05\x06\0\0\0\0\x01c", will].concat()).unwrap_err();
    let v5 = Some(V5_0);
    assert_eq!(refused(b"\0\0\0\0\0"), (ReasonCode::TopicNameInvalid, v5));
    assert_eq!(refused(b"\0\0\x03a/+\0\0"), (ReasonCode::TopicNameInvalid, v5));
    assert_eq!(refused(b"\0\0\x01#\0\0"), (ReasonCode::TopicNameInvalid, v5));
    assert_eq!(refused(b"\0\0\x01w\0\x05cut"), (ReasonCode::MalformedPacket, v5));
    assert_eq!(refused(b"\x02\x01\x01\0\x01w\0\x01\xff"), (ReasonCode::PayloadFormatInvalid, v5));
    assert_eq!(refused(b"\x03\x23\0\x01\0\x01w\0\0"), (ReasonCode::MalformedPacket, v5));
}

fn refusal(bytes: &[u8], version: ProtocolVersion) -> ReasonCode {
    decode(bytes, version).expect_err("was taken").reason
}

/// [MQTT-3.3.2-2] [MQTT-4.7.0-1]
#[test]
fn a_publish_to_a_wildcard_is_refused() {
    for topic in ["+", "#", "a/+/b", "a/#", "a+", "#b"] {
        for version in VERSIONS {
            let none: &[u8] = if version.is_v5() { b"\0" } else { b"" };
            let body = [&[0, topic.len() as u8], topic.as_bytes(), none, b"x"].concat();
            assert_eq!(refusal(&packet(0x30, &body), version), ReasonCode::TopicNameInvalid);
        }
    }
}

#[test]
fn a_publish_without_topic_or_alias_is_refused() {
    assert_eq!(refusal(&packet(0x30, b"\0\0x"), V3_1_1), ReasonCode::MalformedPacket);
    assert_eq!(refusal(&packet(0x30, b"\0\0\0x"), V5_0), ReasonCode::ProtocolError);
}

#[test]
fn a_payload_that_says_it_is_text_must_be_text() {
    let body = |payload: &[u8]| packet(0x30, &[b"\0\x01t\x02\x01\x01", payload].concat());
    assert_eq!(refusal(&body(b"\xff"), V5_0), ReasonCode::PayloadFormatInvalid);
    assert!(decode(&body("ä\0\u{ffff}".as_bytes()), V5_0).is_ok());
    let unspecified = packet(0x30, b"\0\x01t\x02\x01\x00\xff");
    assert!(decode(&unspecified, V5_0).is_ok());
}

/// [MQTT-3.8.3-2] [MQTT-3.10.3-2]
#[test]
fn a_subscribe_or_unsubscribe_without_a_filter_is_a_protocol_error() {
    for version in VERSIONS {
        let body: &[u8] = if version.is_v5() { b"\0\x07\0" } else { b"\0\x07" };
        assert_eq!(refusal(&packet(0x82, body), version), ReasonCode::ProtocolError);
        assert_eq!(refusal(&packet(0xa2, body), version), ReasonCode::ProtocolError);
    }
}

/// [MQTT-3.8.3-5]
#[test]
fn subscription_options_are_checked_bit_by_bit() {
    for version in VERSIONS {
        let none: &[u8] = if version.is_v5() { b"\0" } else { b"" };
        let reserved = if version.is_v5() { 0xc0 } else { 0xfc };
        for options in 0..=255 {
            // A good entry before it, so that every entry is looked at.
            let body = [b"\0\x07", none, b"\0\x01a\0\0\x01b", &[options]].concat();
            let bytes = packet(0x82, &body);
            let found = decode(&bytes, version).map(drop).map_err(|refused| refused.reason);
            let expected = if options & reserved != 0 {
                Err(ReasonCode::MalformedPacket)
            } else if options & 3 == 3 || options & 0x30 == 0x30 {
                Err(ReasonCode::ProtocolError)
            } else {
                Ok(())
            };
            assert_eq!(found, expected, "{options:#010b} in {version:?}");
        }
    }
}

#[test]
fn a_bad_filter_leaves_its_subscribe_readable() {
    let bytes = packet(0x82, b"\0\x07\0\0\x01a\0\0\x03a+b\x01\0\0\x02");
    let Ok(Packet::Subscribe(subscribe)) = decode(&bytes, V5_0) else {
        panic!("no SUBSCRIBE");
    };
    let taken: Vec<_> = subscribe
        .filters
        .iter()
        .map(|entry| SubscriptionFilter::new(entry.filter).map(drop).map_err(|e| e.reason))
        .collect();
    let invalid = Err(ReasonCode::TopicFilterInvalid);
    assert_eq!(taken, [Ok(()), invalid, invalid]);
}

#[test]
fn a_suback_without_codes_is_a_protocol_error() {
    assert_eq!(refusal(b"\x90\x03\0\x07\0", V5_0), ReasonCode::ProtocolError);
    assert_eq!(refusal(b"\x90\x02\0\x07", V3_1_1), ReasonCode::ProtocolError);
    assert_eq!(refusal(b"\xb0\x03\0\x07\0", V5_0), ReasonCode::ProtocolError);
}
