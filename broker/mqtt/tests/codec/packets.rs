//! Every packet, byte by byte: what it says, and that it is written as it was read.

use crate::sample_packets::*;
use pintle_mqtt::{
    Ack, AckKind, Auth, ConnAck, Connect, Disconnect, Packet, PacketId, Properties, Property,
    PropertyBuffer, ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode, ReasonCodeBuffer,
    RetainHandling, SubAck, Subscribe, SubscribeBuffer, SubscribeOptions, TopicName, UnsubAck,
    Unsubscribe, UnsubscribeBuffer, Will, encode_ack,
};

#[track_caller]
fn check(bytes: &[u8], version: ProtocolVersion, packet: Packet<'_>) {
    assert_eq!(decode(bytes, version), Ok(packet));
    let mut encoded = Vec::new();
    packet.encode(version, &mut encoded);
    assert_eq!(encoded, bytes, "encoded otherwise: {packet:?}");
}

fn properties(list: &[Property<'_>]) -> PropertyBuffer {
    let mut buffer = PropertyBuffer::new();
    for property in list {
        buffer.push(*property);
    }
    buffer
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn will(properties: Properties<'_>, qos: QoS, retain: bool) -> Option<Will<'_>> {
    Some(Will { topic: TopicName::trusted("w"), payload: b"bye", qos, retain, properties })
}

/// [MQTT-3.1.2-1] [MQTT-3.1.2-2]
#[test]
fn connect_of_every_version_reads_and_writes() {
    let connect = Connect {
        version: V3_1,
        clean_start: true,
        keep_alive_secs: 60,
        client_id: "id",
        will: will(Properties::EMPTY, QoS::AtLeastOnce, true),
        username: Some("user"),
        password: Some(b"p\0ssword"),
        properties: Properties::EMPTY,
    };
    check(CONNECT_3_1, V3_1, Packet::Connect(connect));

    let connect = Connect {
        version: V3_1_1,
        keep_alive_secs: 300,
        will: will(Properties::EMPTY, QoS::ExactlyOnce, false),
        username: Some("u"),
        password: Some(b"\xff\0"),
        ..connect
    };
    check(CONNECT_3_1_1, V3_1_1, Packet::Connect(connect));

    let all = properties(&[Property::SessionExpiryInterval(30)]);
    let of_will = properties(&[Property::WillDelayInterval(5)]);
    let connect = Connect {
        version: V5_0,
        keep_alive_secs: 10,
        will: will(of_will.as_properties(), QoS::AtMostOnce, false),
        username: Some("user"),
        password: Some(b"p"),
        properties: all.as_properties(),
        ..connect
    };
    check(CONNECT_5_0, V5_0, Packet::Connect(connect));
}

#[test]
fn a_connect_needs_nothing_but_its_header() {
    let connect = |version| {
        Packet::Connect(Connect {
            version,
            clean_start: false,
            keep_alive_secs: 0,
            client_id: "",
            will: None,
            username: None,
            password: None,
            properties: Properties::EMPTY,
        })
    };
    check(b"\x10\x0e\0\x06MQIsdp\x03\0\0\0\0\0", V3_1, connect(V3_1));
    check(b"\x10\x0c\0\x04MQTT\x04\0\0\0\0\0", V3_1_1, connect(V3_1_1));
    check(b"\x10\x0d\0\x04MQTT\x05\0\0\0\0\0\0", V5_0, connect(V5_0));
}

#[test]
fn connack_of_every_version_reads_and_writes() {
    let connack = |session_present, reason, properties| {
        Packet::ConnAck(ConnAck { session_present, reason, properties })
    };
    let keep_alive = properties(&[Property::ServerKeepAlive(60)]);
    let none = Properties::EMPTY;
    check(CONNACK_3_1, V3_1, connack(false, ReasonCode::NotAuthorized, none));
    check(CONNACK_3_1_1, V3_1_1, connack(true, ReasonCode::Success, none));
    let packet = connack(true, ReasonCode::Success, keep_alive.as_properties());
    check(CONNACK_5_0, V5_0, packet);
    check(b"\x20\x03\0\x86\0", V5_0, connack(false, ReasonCode::BadUserNameOrPassword, none));
}

/// [MQTT-3.2.2-6]
#[test]
fn a_connack_that_refuses_never_has_session_present() {
    let connack = ConnAck {
        session_present: true,
        reason: ReasonCode::ServerBusy,
        properties: Properties::EMPTY,
    };
    let mut encoded = Vec::new();
    connack.encode(V3_1_1, &mut encoded);
    connack.encode(V5_0, &mut encoded);
    assert_eq!(encoded, b"\x20\x02\0\x03\x20\x03\0\x89\0");

    let refused = decode(b"\x20\x03\x01\x89\0", V5_0).unwrap_err();
    assert_eq!(refused.reason, ReasonCode::ProtocolError);
    assert!(decode(b"\x20\x02\x01\x03", V3_1_1).is_err());
}

#[test]
fn a_connack_of_3_1_has_no_session_present() {
    let connack = ConnAck {
        session_present: true,
        reason: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    let mut encoded = Vec::new();
    connack.encode(V3_1, &mut encoded);
    assert_eq!(encoded, b"\x20\x02\0\0");
}

/// [MQTT-3.2.2-1]
#[test]
fn reserved_bits_of_connack_flags_are_malformed() {
    for version in [V3_1_1, V5_0] {
        for flags in 2..=255 {
            let bytes = match version {
                V5_0 => packet(0x20, &[flags, 0, 0]),
                V3_1 | V3_1_1 => packet(0x20, &[flags, 0]),
            };
            let refused = decode(&bytes, version).unwrap_err();
            assert_eq!(refused.reason, ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn every_reason_code_has_a_return_code_in_v3() {
    let expected = |reason| match reason {
        ReasonCode::Success => 0,
        ReasonCode::UnsupportedProtocolVersion => 1,
        ReasonCode::ClientIdentifierNotValid => 2,
        ReasonCode::BadUserNameOrPassword => 4,
        ReasonCode::NotAuthorized | ReasonCode::Banned | ReasonCode::BadAuthenticationMethod => 5,
        _ => 3,
    };
    for reason in (0..=255).filter_map(ReasonCode::from_u8) {
        assert_eq!(reason.to_v3_return_code(), expected(reason), "{reason:?}");
    }
    for code in 0..=5 {
        let reason = ReasonCode::from_v3_return_code(code).unwrap();
        assert_eq!(reason.to_v3_return_code(), code);
    }
    assert_eq!(ReasonCode::from_v3_return_code(6), None);
}

fn publish<'a>(first_byte: u8, properties: Properties<'a>) -> Packet<'a> {
    Packet::Publish(Publish {
        flags: PublishFlags::from_first_byte(first_byte).unwrap(),
        topic: Some(TopicName::trusted("t")),
        packet_id: Some(id(7)),
        properties,
        payload: b"ab",
    })
}

#[test]
fn publish_of_every_version_reads_and_writes() {
    let format = properties(&[Property::PayloadFormatIndicator(true)]);
    check(PUBLISH_3_1, V3_1, publish(0x32, Properties::EMPTY));
    check(PUBLISH_3_1_1, V3_1_1, publish(0x3d, Properties::EMPTY));
    check(PUBLISH_5_0, V5_0, publish(0x35, format.as_properties()));
}

/// [MQTT-2.2.1-2]
#[test]
fn a_publish_of_qos_0_has_no_packet_identifier() {
    let at_most_once = Publish {
        flags: PublishFlags::default(),
        topic: Some(TopicName::trusted("t")),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"\0\x07ab",
    };
    check(b"\x30\x07\0\x01t\0\x07ab", V3_1_1, Packet::Publish(at_most_once));
}

#[test]
fn a_publish_with_a_topic_alias_may_leave_its_topic_out() {
    let alias = properties(&[Property::TopicAlias(3)]);
    let publish = Publish {
        flags: PublishFlags::default(),
        topic: None,
        packet_id: None,
        properties: alias.as_properties(),
        payload: b"x",
    };
    check(b"\x30\x07\0\0\x03\x23\0\x03x", V5_0, Packet::Publish(publish));
}

/// [MQTT-2.2.1-5]
#[test]
fn acknowledgements_read_and_write_in_every_version() {
    type Wrap = fn(Ack<'static>) -> Packet<'static>;
    let kinds: [(u8, Wrap, AckKind); 4] = [
        (0x40, Packet::PubAck, AckKind::PubAck),
        (0x50, Packet::PubRec, AckKind::PubRec),
        (0x62, Packet::PubRel, AckKind::PubRel),
        (0x70, Packet::PubComp, AckKind::PubComp),
    ];
    for (first_byte, wrap, kind) in kinds {
        let plain = packet(first_byte, b"\x12\x34");
        for version in VERSIONS {
            check(&plain, version, wrap(Ack::success(id(0x1234))));
        }
        let mut encoded = Vec::new();
        encode_ack(kind, id(0x1234), &mut encoded);
        assert_eq!(encoded, plain);
    }
}

#[test]
fn acknowledgements_of_5_0_are_as_short_as_they_can_be() {
    let no = properties(&[Property::ReasonString("no")]);
    let ack = Ack {
        packet_id: id(7),
        reason: ReasonCode::NoMatchingSubscribers,
        properties: no.as_properties(),
    };
    check(PUBACK_5_0, V5_0, Packet::PubAck(ack));
    let without = Ack::new(id(7), ReasonCode::NoMatchingSubscribers);
    check(b"\x40\x03\0\x07\x10", V5_0, Packet::PubAck(without));
    let reason = ReasonCode::Success;
    check(b"\x40\x09\0\x07\0\x05\x1f\0\x02no", V5_0, Packet::PubAck(Ack { reason, ..ack }));

    // The same in longer words.
    let success = Ok(Packet::PubAck(Ack::success(id(7))));
    assert_eq!(decode(b"\x40\x03\0\x07\0", V5_0), success);
    assert_eq!(decode(b"\x40\x04\0\x07\0\0", V5_0), success);
}

#[test]
fn an_acknowledgement_of_v3_has_no_reason() {
    let mut encoded = Vec::new();
    Ack::new(id(7), ReasonCode::QuotaExceeded).encode(AckKind::PubRec, V3_1_1, &mut encoded);
    assert_eq!(encoded, b"\x50\x02\0\x07");
    assert!(decode(b"\x50\x03\0\x07\0", V3_1_1).is_err());
}

#[test]
fn subscribe_of_every_version_reads_and_writes() {
    let mut filters = SubscribeBuffer::new();
    filters.push("a", SubscribeOptions::with_qos(QoS::AtLeastOnce));
    filters.push("+/", SubscribeOptions::with_qos(QoS::ExactlyOnce));
    let subscribe = Subscribe {
        packet_id: id(7),
        properties: Properties::EMPTY,
        filters: filters.as_filters(),
    };
    check(SUBSCRIBE_3_1, V3_1, Packet::Subscribe(subscribe));

    let all = properties(&[Property::SubscriptionIdentifier(5)]);
    let mut filters = SubscribeBuffer::new();
    let every_option = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let if_new = SubscribeOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..SubscribeOptions::default()
    };
    filters.push("a", every_option);
    filters.push("#", if_new);
    let subscribe = Subscribe {
        packet_id: id(7),
        properties: all.as_properties(),
        filters: filters.as_filters(),
    };
    check(SUBSCRIBE_5_0, V5_0, Packet::Subscribe(subscribe));
    let entries: Vec<_> = subscribe.filters.iter().map(|e| (e.filter, e.options)).collect();
    assert_eq!(entries, [("a", every_option), ("#", if_new)]);

    let mut encoded = Vec::new();
    subscribe.encode(V3_1_1, &mut encoded);
    assert_eq!(encoded, b"\x82\x0a\0\x07\0\x01a\x02\0\x01#\0", "only the QoS is left in v3");
}

/// [MQTT-2.2.1-6] [MQTT-3.9.3-1]
#[test]
fn suback_has_one_code_for_each_filter_in_order() {
    let no = properties(&[Property::ReasonString("no")]);
    let codes: ReasonCodeBuffer = [
        ReasonCode::GrantedQos1,
        ReasonCode::NotAuthorized,
        ReasonCode::SharedSubscriptionsNotSupported,
    ]
    .into_iter()
    .collect();
    let suback =
        SubAck { packet_id: id(7), properties: no.as_properties(), codes: codes.as_codes() };
    check(SUBACK_5_0, V5_0, Packet::SubAck(suback));

    let mut encoded = Vec::new();
    suback.encode(V3_1_1, &mut encoded);
    assert_eq!(encoded, b"\x90\x05\0\x07\x01\x80\x80", "v3 has one code for every failure");

    let Ok(Packet::SubAck(suback)) = decode(SUBACK_3_1_1, V3_1_1) else {
        panic!("no SUBACK");
    };
    let codes: Vec<_> = suback.codes.iter().map(ReasonCode::as_u8).collect();
    assert_eq!(codes, [0, 0x80, 2, 1]);
    assert!(decode(b"\x90\x03\0\x07\x87", V3_1_1).is_err(), "no such code in v3");
}

#[test]
fn unsubscribe_of_every_version_reads_and_writes() {
    let mut filters = UnsubscribeBuffer::new();
    filters.push("a");
    filters.push("b/");
    let unsubscribe = Unsubscribe {
        packet_id: id(7),
        properties: Properties::EMPTY,
        filters: filters.as_filters(),
    };
    check(UNSUBSCRIBE_3_1_1, V3_1_1, Packet::Unsubscribe(unsubscribe));
    let all = properties(&[Property::UserProperty(("k", "v"))]);
    let unsubscribe = Unsubscribe { properties: all.as_properties(), ..unsubscribe };
    check(UNSUBSCRIBE_5_0, V5_0, Packet::Unsubscribe(unsubscribe));
    assert_eq!(unsubscribe.filters.iter().collect::<Vec<_>>(), ["a", "b/"]);
}

/// [MQTT-2.2.1-6] [MQTT-3.11.3-1]
#[test]
fn unsuback_has_codes_only_in_5_0() {
    let mut codes = ReasonCodeBuffer::new();
    codes.push(ReasonCode::Success);
    codes.push(ReasonCode::NoSubscriptionExisted);
    let unsuback =
        UnsubAck { packet_id: id(7), properties: Properties::EMPTY, codes: codes.as_codes() };
    check(UNSUBACK_5_0, V5_0, Packet::UnsubAck(unsuback));
    let mut encoded = Vec::new();
    unsuback.encode(V3_1, &mut encoded);
    assert_eq!(encoded, UNSUBACK_3_1_1);
    let Ok(Packet::UnsubAck(unsuback)) = decode(UNSUBACK_3_1_1, V3_1_1) else {
        panic!("no UNSUBACK");
    };
    assert_eq!(unsuback.codes.len(), 0);
}

#[test]
fn pings_have_no_body() {
    for version in VERSIONS {
        check(b"\xc0\0", version, Packet::PingReq);
        check(b"\xd0\0", version, Packet::PingResp);
    }
}

#[test]
fn disconnect_is_as_short_as_it_can_be() {
    let normal = Disconnect::new(ReasonCode::Success);
    for version in VERSIONS {
        check(b"\xe0\0", version, Packet::Disconnect(normal));
    }
    let with_will = Disconnect::new(ReasonCode::DisconnectWithWill);
    check(b"\xe0\x01\x04", V5_0, Packet::Disconnect(with_will));
    let expiry = properties(&[Property::SessionExpiryInterval(30)]);
    let properties = expiry.as_properties();
    check(DISCONNECT_5_0, V5_0, Packet::Disconnect(Disconnect { properties, ..with_will }));
    assert_eq!(decode(b"\xe0\x02\0\0", V5_0), Ok(Packet::Disconnect(normal)));

    let mut encoded = Vec::new();
    with_will.encode(V3_1_1, &mut encoded);
    assert_eq!(encoded, b"\xe0\0");
}

#[test]
fn auth_reads_and_writes_in_5_0_and_does_not_exist_before() {
    let all =
        properties(&[Property::AuthenticationMethod("m"), Property::AuthenticationData(b"\xff\0")]);
    let auth = Packet::Auth(Auth {
        reason: ReasonCode::ContinueAuthentication,
        properties: all.as_properties(),
    });
    check(AUTH_5_0, V5_0, auth);
    let success = Packet::Auth(Auth { reason: ReasonCode::Success, properties: Properties::EMPTY });
    check(b"\xf0\0", V5_0, success);

    let mut encoded = Vec::new();
    auth.encode(V3_1_1, &mut encoded);
    assert_eq!(encoded, b"");
}

#[test]
fn every_sample_is_written_as_it_was_read() {
    for Sample { name, version, bytes, .. } in samples() {
        let packet = decode(bytes, version).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let mut encoded = b"before".to_vec();
        packet.encode(version, &mut encoded);
        assert_eq!(encoded.strip_prefix(b"before"), Some(bytes), "{name}");
        assert_eq!(Some(packet.packet_type()), pintle_mqtt::PacketType::from_first_byte(bytes[0]));
    }
}

/// [MQTT-3.2.2-19] [MQTT-3.4.2-2]
#[test]
fn a_packet_too_long_for_its_receiver_leaves_its_diagnostics_out() {
    let both = properties(&[
        Property::ReasonString("far too long"),
        Property::ServerKeepAlive(60),
        Property::UserProperty(("why", "because")),
    ]);
    let packet = Packet::ConnAck(ConnAck {
        session_present: false,
        reason: ReasonCode::Success,
        properties: both.as_properties(),
    });
    let mut whole = Vec::new();
    packet.encode(V5_0, &mut whole);
    let mut encoded = Vec::new();
    assert!(packet.encode_within(V5_0, whole.len() as u32, &mut encoded));
    assert_eq!(encoded, whole);

    encoded.clear();
    assert!(packet.encode_within(V5_0, whole.len() as u32 - 1, &mut encoded));
    assert_eq!(encoded, b"\x20\x06\0\0\x03\x13\0\x3c");

    encoded.clear();
    assert!(!packet.encode_within(V5_0, 7, &mut encoded));
    assert_eq!(encoded, b"");
}

#[test]
fn every_packet_with_diagnostics_can_be_shortened() {
    let no = b"\x05\x1f\0\x02no";
    let bodies: [(u8, Vec<u8>, &[u8]); 8] = [
        (0x20, [b"\0\x87", &no[..]].concat(), b"\x20\x03\0\x87\0"),
        (0x40, [b"\0\x07\x87", &no[..]].concat(), b"\x40\x03\0\x07\x87"),
        (0x50, [b"\0\x07\x87", &no[..]].concat(), b"\x50\x03\0\x07\x87"),
        (0x62, [b"\0\x07\x92", &no[..]].concat(), b"\x62\x03\0\x07\x92"),
        (0x70, [b"\0\x07\x92", &no[..]].concat(), b"\x70\x03\0\x07\x92"),
        (0x90, [b"\0\x07", &no[..], b"\0"].concat(), b"\x90\x04\0\x07\0\0"),
        (0xb0, [b"\0\x07", &no[..], b"\0"].concat(), b"\xb0\x04\0\x07\0\0"),
        (0xe0, [b"\x8e", &no[..]].concat(), b"\xe0\x01\x8e"),
    ];
    for (first_byte, body, short) in bodies {
        let bytes = packet(first_byte, &body);
        let mut encoded = Vec::new();
        let packet = decode(&bytes, V5_0).unwrap();
        assert!(packet.encode_within(V5_0, bytes.len() as u32 - 1, &mut encoded));
        assert_eq!(encoded, short);
    }
    let auth = packet(0xf0, b"\0\x09\x15\0\x01m\x1f\0\x02no");
    let mut encoded = Vec::new();
    assert!(decode(&auth, V5_0).unwrap().encode_within(V5_0, 8, &mut encoded));
    assert_eq!(encoded, b"\xf0\x06\0\x04\x15\0\x01m");
}

#[test]
fn a_publish_is_never_shortened() {
    let publish = decode(PUBLISH_5_0, V5_0).unwrap();
    let mut encoded = Vec::new();
    assert!(!publish.encode_within(V5_0, PUBLISH_5_0.len() as u32 - 1, &mut encoded));
    assert_eq!(encoded, b"");
    assert!(publish.encode_within(V5_0, PUBLISH_5_0.len() as u32, &mut encoded));
    assert_eq!(encoded, PUBLISH_5_0);
}

#[test]
fn secrets_and_payloads_do_not_show() {
    let connect = format!("{:?}", decode(CONNECT_3_1, V3_1).unwrap());
    assert!(connect.contains("hidden") && !connect.contains("0ssword"), "{connect}");
    assert!(!connect.contains("bye") && !connect.contains("98, 121, 101"), "{connect}");
    let publish = format!("{:?}", decode(PUBLISH_5_0, V5_0).unwrap());
    assert!(publish.contains("payload_bytes: 2"), "{publish}");
    let auth = format!("{:?}", decode(AUTH_5_0, V5_0).unwrap());
    assert!(auth.contains("AuthenticationMethod") && !auth.contains("255"), "{auth}");
}
