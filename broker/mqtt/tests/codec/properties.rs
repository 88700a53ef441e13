//! Every property in every packet.

use pintle_mqtt::{
    Properties, Property, PropertyBuffer, PropertyContext, Reader, ReasonCode, Violation,
};

use crate::property_table::{CONTEXTS, PROPERTIES, packet_around};
use crate::sample_packets::{V5_0, decode, packet};

/// Decodes a packet whose property block is `properties`.
fn decode_with(context: PropertyContext, properties: &[u8]) -> Result<(), ReasonCode> {
    let mut block = Vec::new();
    pintle_mqtt::encode_variable_byte_integer(properties.len() as u32, &mut block);
    block.extend_from_slice(properties);
    let (first_byte, body) = packet_around(context, &block);
    let bytes = packet(first_byte, &body);
    decode(&bytes, V5_0).map(drop).map_err(|refused| refused.reason)
}

/// What a packet needs beside property `id` to be legal.
fn company(context: PropertyContext, id: u8) -> &'static [u8] {
    match (context, id) {
        (PropertyContext::Auth | PropertyContext::Connect, 0x15) => b"",
        (PropertyContext::Auth, _) | (PropertyContext::Connect, 0x16) => b"\x15\0\x01m",
        _ => b"",
    }
}

fn one(context: PropertyContext, id: u8, value: &[u8]) -> Vec<u8> {
    [company(context, id), &[id], value].concat()
}

#[test]
fn a_property_is_taken_exactly_where_the_standard_allows_it() {
    for &(id, name, value, allowed) in PROPERTIES {
        for context in CONTEXTS {
            let expected =
                if allowed.contains(&context) { Ok(()) } else { Err(ReasonCode::MalformedPacket) };
            let found = decode_with(context, &one(context, id, value));
            assert_eq!(found, expected, "{name} in {context:?}");
        }
    }
}

#[test]
fn a_property_given_twice_is_a_protocol_error() {
    for &(id, name, value, allowed) in PROPERTIES {
        for &context in allowed {
            let may_repeat = name == "User Property"
                || (name == "Subscription Identifier" && context == PropertyContext::Publish);
            let expected = if may_repeat { Ok(()) } else { Err(ReasonCode::ProtocolError) };
            let twice = [&one(context, id, value)[..], &[id], value].concat();
            assert_eq!(decode_with(context, &twice), expected, "{name} in {context:?}");
        }
    }
}

#[test]
fn a_property_cut_short_is_malformed() {
    for &(id, name, value, allowed) in PROPERTIES {
        for &context in allowed {
            for len in 0..value.len() {
                let found = decode_with(context, &one(context, id, &value[..len]));
                assert_eq!(found, Err(ReasonCode::MalformedPacket), "{name} in {context:?}");
            }
        }
    }
}

#[test]
fn an_unknown_property_is_malformed() {
    let known = |id| PROPERTIES.iter().any(|property| property.0 == id);
    for context in CONTEXTS {
        for id in (0..=0x7f).filter(|&id| !known(id)) {
            let found = decode_with(context, &[id, 0, 0, 0, 0]);
            assert_eq!(found, Err(ReasonCode::MalformedPacket), "{id:#x} in {context:?}");
        }
        let of_two_bytes = decode_with(context, b"\xa6\x01\0\x01k\0\x01v");
        assert_eq!(of_two_bytes, Err(ReasonCode::MalformedPacket));
    }
}

/// [MQTT-1.5.5-1]
#[test]
fn an_identifier_or_length_longer_than_it_needs_to_be_is_malformed() {
    for context in CONTEXTS {
        let id = decode_with(context, b"\xa6\x00\0\x01k\0\x01v");
        assert_eq!(id, Err(ReasonCode::MalformedPacket), "{context:?}");
        let (first_byte, body) = packet_around(context, b"\x87\x00\x26\0\x01k\0\x01v");
        let bytes = packet(first_byte, &body);
        let length = decode(&bytes, V5_0).unwrap_err();
        assert_eq!(length.reason, ReasonCode::MalformedPacket, "{context:?}");
    }
}

#[test]
fn a_property_length_that_lies_is_malformed() {
    for context in CONTEXTS {
        let properties = one(context, 0x26, b"\0\x01k\0\x01v");
        for lie in [properties.len() as u8 - 1, properties.len() as u8 + 1, 0x7f] {
            let block = [&[lie], &properties[..]].concat();
            let (first_byte, body) = packet_around(context, &block);
            let bytes = packet(first_byte, &body);
            let refused = decode(&bytes, V5_0).map(drop).unwrap_err();
            assert_eq!(refused.reason, ReasonCode::MalformedPacket, "{lie} in {context:?}");
        }
        let (first_byte, body) = packet_around(context, b"\xff\xff\xff\xff\x7f");
        assert!(decode(&packet(first_byte, &body), V5_0).is_err(), "{context:?}");
    }
}

/// [MQTT-3.3.2-14]
#[test]
fn a_value_out_of_range_is_a_protocol_error() {
    let booleans = [0x01, 0x17, 0x19, 0x25, 0x28, 0x29, 0x2a].map(|id| (id, &b"\x02"[..]));
    let others = [
        (0x24, &b"\x02"[..]),
        (0x21, b"\0\0"),
        (0x27, b"\0\0\0\0"),
        (0x0b, b"\0"),
        (0x08, b"\0\x03a/+"),
        (0x08, b"\0\x01#"),
    ];
    for (id, value) in booleans.into_iter().chain(others) {
        let allowed = PROPERTIES.iter().find(|property| property.0 == id).unwrap().3;
        for &context in allowed {
            let found = decode_with(context, &one(context, id, value));
            assert_eq!(found, Err(ReasonCode::ProtocolError), "{id:#x} in {context:?}");
        }
    }
}

#[test]
fn values_at_the_edge_of_their_range_are_taken() {
    for (context, id, value) in [
        (PropertyContext::ConnAck, 0x24, &b"\0"[..]),
        (PropertyContext::Connect, 0x21, b"\xff\xff"),
        (PropertyContext::Connect, 0x27, b"\0\0\0\x01"),
        (PropertyContext::Subscribe, 0x0b, b"\xff\xff\xff\x7f"),
        (PropertyContext::Publish, 0x23, b"\xff\xff"),
        (PropertyContext::Publish, 0x02, b"\0\0\0\0"),
        (PropertyContext::Connect, 0x11, b"\xff\xff\xff\xff"),
    ] {
        assert_eq!(decode_with(context, &one(context, id, value)), Ok(()), "{id:#x}");
    }
}

#[test]
fn authentication_data_without_a_method_is_a_protocol_error() {
    let data = b"\x16\0\x01d";
    let connect = decode_with(PropertyContext::Connect, data);
    assert_eq!(connect, Err(ReasonCode::ProtocolError));
    let auth = decode_with(PropertyContext::Auth, data);
    assert_eq!(auth, Err(ReasonCode::ProtocolError));
    assert_eq!(decode_with(PropertyContext::Auth, b""), Err(ReasonCode::ProtocolError));
    let auth = decode(b"\xf0\x01\x18", V5_0).unwrap_err();
    assert_eq!(auth.reason, ReasonCode::ProtocolError);
}

/// [MQTT-2.2.2-1]
#[test]
fn no_properties_are_a_length_of_zero() {
    let mut encoded = Vec::new();
    Properties::EMPTY.encode(&mut encoded);
    assert_eq!(encoded, [0]);
    assert_eq!(Properties::EMPTY.encoded_len(), 1);
}

fn decode_block(bytes: &[u8], context: PropertyContext) -> Result<Properties<'_>, Violation> {
    Properties::decode(&mut Reader::new(bytes), context)
}

/// [MQTT-3.3.2-18]
#[test]
fn user_properties_keep_their_order() {
    let block = b"\x15\x26\0\x01b\0\x011\x26\0\x01a\0\x012\x26\0\x01b\0\x013";
    let properties = decode_block(block, PropertyContext::Publish).unwrap();
    let pairs: Vec<_> = properties.user_properties().collect();
    assert_eq!(pairs, [("b", "1"), ("a", "2"), ("b", "3")]);
}

#[test]
fn every_getter_finds_its_property() {
    let mut buffer = PropertyBuffer::new();
    for property in [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(1),
        Property::ContentType("c"),
        Property::ResponseTopic("r"),
        Property::CorrelationData(b"d"),
        Property::SubscriptionIdentifier(2),
        Property::SessionExpiryInterval(3),
        Property::AssignedClientIdentifier("i"),
        Property::ServerKeepAlive(4),
        Property::AuthenticationMethod("m"),
        Property::AuthenticationData(b"a"),
        Property::RequestProblemInformation(false),
        Property::WillDelayInterval(5),
        Property::RequestResponseInformation(true),
        Property::ResponseInformation("info"),
        Property::ServerReference("s"),
        Property::ReasonString("why"),
        Property::ReceiveMaximum(6),
        Property::TopicAliasMaximum(7),
        Property::TopicAlias(8),
        Property::MaximumQoS(1),
        Property::RetainAvailable(false),
        Property::UserProperty(("k", "v")),
        Property::MaximumPacketSize(9),
        Property::WildcardSubscriptionAvailable(false),
        Property::SubscriptionIdentifierAvailable(true),
        Property::SharedSubscriptionAvailable(false),
    ] {
        buffer.push(property);
    }
    let all = buffer.as_properties();
    assert_eq!(all.iter().count(), PROPERTIES.len());
    assert!(all.iter().map(|property| property.id()).eq(PROPERTIES.iter().map(|p| p.0)));
    assert_eq!(all.payload_format_indicator(), Some(true));
    assert_eq!(all.message_expiry_interval(), Some(1));
    assert_eq!(all.content_type(), Some("c"));
    assert_eq!(all.response_topic(), Some("r"));
    assert_eq!(all.correlation_data(), Some(&b"d"[..]));
    assert_eq!(all.subscription_identifier(), Some(2));
    assert_eq!(all.session_expiry_interval(), Some(3));
    assert_eq!(all.assigned_client_identifier(), Some("i"));
    assert_eq!(all.server_keep_alive(), Some(4));
    assert_eq!(all.authentication_method(), Some("m"));
    assert_eq!(all.authentication_data(), Some(&b"a"[..]));
    assert_eq!(all.request_problem_information(), Some(false));
    assert_eq!(all.will_delay_interval(), Some(5));
    assert_eq!(all.request_response_information(), Some(true));
    assert_eq!(all.response_information(), Some("info"));
    assert_eq!(all.server_reference(), Some("s"));
    assert_eq!(all.reason_string(), Some("why"));
    assert_eq!(all.receive_maximum(), Some(6));
    assert_eq!(all.topic_alias_maximum(), Some(7));
    assert_eq!(all.topic_alias(), Some(8));
    assert_eq!(all.maximum_qos(), Some(1));
    assert_eq!(all.retain_available(), Some(false));
    assert_eq!(all.maximum_packet_size(), Some(9));
    assert_eq!(all.wildcard_subscription_available(), Some(false));
    assert_eq!(all.subscription_identifier_available(), Some(true));
    assert_eq!(all.shared_subscription_available(), Some(false));
    assert!(Properties::EMPTY.reason_string().is_none());

    let left = all.without_diagnostics();
    assert_eq!(left.as_properties().iter().count(), PROPERTIES.len() - 2);
    assert_eq!(left.as_properties().reason_string(), None);
    assert_eq!(left.as_properties().user_properties().count(), 0);
}

#[test]
fn a_string_too_long_to_send_is_cut_between_characters() {
    let long = "ä".repeat(40_000);
    let mut buffer = PropertyBuffer::new();
    buffer.push(Property::ReasonString(&long));
    buffer.push_some(Some(Property::CorrelationData(&[7; 70_000])));
    buffer.push_some(None);
    let properties = buffer.as_properties();
    assert_eq!(properties.reason_string().map(str::len), Some(65_534));
    assert_eq!(properties.correlation_data().map(<[u8]>::len), Some(65_535));
}

/// [MQTT-3.14.2-2]
#[test]
fn a_disconnect_knows_which_side_may_send_it() {
    let check = |bytes: &[u8]| match decode(bytes, V5_0) {
        Ok(pintle_mqtt::Packet::Disconnect(disconnect)) => {
            let from_client = disconnect.check_from_client();
            (from_client.is_ok(), disconnect.check_from_server().is_ok())
        }
        other => panic!("no DISCONNECT: {other:?}"),
    };
    assert_eq!(check(b"\xe0\0"), (true, true));
    assert_eq!(check(b"\xe0\x01\x04"), (true, false));
    assert_eq!(check(b"\xe0\x07\0\x05\x11\0\0\0\x01"), (true, false));
    assert_eq!(check(b"\xe0\x01\x8e"), (false, true));
    assert_eq!(check(b"\xe0\x01\x8b"), (false, true));
    assert_eq!(check(b"\xe0\x06\x9c\x04\x1c\0\x01h"), (false, true));
    assert_eq!(check(b"\xe0\x06\0\x04\x1c\0\x01h"), (false, true));
    assert_eq!(check(b"\xe0\x01\x99"), (true, true));
}
