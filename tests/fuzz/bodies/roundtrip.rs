//! Packets made of any bytes: what is written reads the same.

use pintle_mqtt::{
    Ack, Auth, ConnAck, Connect, Disconnect, Frame, Packet, PacketId, PacketType, Property,
    PropertyBuffer, ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode, ReasonCodeBuffer,
    RetainHandling, SubAck, Subscribe, SubscribeBuffer, SubscribeOptions, TopicName, UnsubAck,
    Unsubscribe, UnsubscribeBuffer, Will, reason_is_legal,
};

/// Makes one packet of `data`, writes it, and reads it.
pub fn roundtrip(data: &[u8]) {
    let mut source = Source { rest: data };
    let version =
        source.pick(&[ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5_0]);
    match source.byte() % 9 {
        0 => connect(&mut source, version),
        1 => connack(&mut source, version),
        2 => publish(&mut source, version),
        3 => ack(&mut source, version),
        4 => subscribe(&mut source, version),
        5 => unsubscribe(&mut source, version),
        6 => suback(&mut source, version),
        7 => disconnect(&mut source, version),
        _ => auth(&mut source),
    }
}

fn check(packet: &Packet<'_>, version: ProtocolVersion) {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    let frame = Frame::split(&bytes, u32::MAX)
        .expect("a length that was just written")
        .expect("all of a packet that was just written");
    assert!(frame.is_minimal() && frame.bytes.len() == bytes.len());
    assert_eq!(Packet::decode(&frame, version).as_ref(), Ok(packet));
}

/// Bytes that are spent one after another; then zeros.
struct Source<'a> {
    rest: &'a [u8],
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        byte
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn number16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken.to_vec()
    }

    fn text(&mut self) -> String {
        let letters = ['a', 'Z', '0', ' ', '/', '+', '#', '$', 'ä', '温', '😀', '\u{feff}'];
        let len = self.byte() % 40;
        (0..len).map(|_| self.pick(&letters)).collect()
    }

    fn topic(&mut self) -> String {
        let text = self.text().replace(['+', '#'], "");
        if text.is_empty() { "t".to_owned() } else { text }
    }

    fn id(&mut self) -> PacketId {
        PacketId::new(self.number16()).unwrap_or(PacketId::FIRST)
    }

    fn qos(&mut self) -> QoS {
        self.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    fn reason(&mut self, packet: PacketType, version: ProtocolVersion) -> ReasonCode {
        match ReasonCode::from_u8(self.byte()) {
            Some(reason) if version.is_v5() && reason_is_legal(packet, reason) => reason,
            _ => ReasonCode::Success,
        }
    }

    /// Properties of `ids`, which are those that the packet may have.
    fn properties(&mut self, version: ProtocolVersion, ids: &[u8]) -> PropertyBuffer {
        let mut properties = PropertyBuffer::new();
        for &id in ids {
            if version.is_v5() && self.flag() {
                self.push_property(id, &mut properties);
            }
        }
        properties
    }

    fn push_property(&mut self, id: u8, properties: &mut PropertyBuffer) {
        let (number, number16, flag) = (self.number().max(1), self.number16().max(1), self.flag());
        let (text, bytes) = (self.topic(), self.bytes());
        properties.push(match id {
            0x02 => Property::MessageExpiryInterval(number),
            0x03 => Property::ContentType(&text),
            0x08 => Property::ResponseTopic(&text),
            0x09 => Property::CorrelationData(&bytes),
            0x0b => Property::SubscriptionIdentifier(number % 268_435_455 + 1),
            0x11 => Property::SessionExpiryInterval(number),
            0x12 => Property::AssignedClientIdentifier(&text),
            0x13 => Property::ServerKeepAlive(number16),
            0x15 => Property::AuthenticationMethod(&text),
            0x16 => Property::AuthenticationData(&bytes),
            0x17 => Property::RequestProblemInformation(flag),
            0x18 => Property::WillDelayInterval(number),
            0x19 => Property::RequestResponseInformation(flag),
            0x1a => Property::ResponseInformation(&text),
            0x1c => Property::ServerReference(&text),
            0x1f => Property::ReasonString(&text),
            0x21 => Property::ReceiveMaximum(number16),
            0x22 => Property::TopicAliasMaximum(number16),
            0x23 => Property::TopicAlias(number16),
            0x24 => Property::MaximumQoS(u8::from(flag)),
            0x25 => Property::RetainAvailable(flag),
            0x27 => Property::MaximumPacketSize(number),
            0x28 => Property::WildcardSubscriptionAvailable(flag),
            0x29 => Property::SubscriptionIdentifierAvailable(flag),
            0x2a => Property::SharedSubscriptionAvailable(flag),
            _ => Property::UserProperty((&text, &text)),
        });
    }
}

fn connect(source: &mut Source<'_>, version: ProtocolVersion) {
    let ids = [0x15, 0x11, 0x17, 0x19, 0x21, 0x22, 0x26, 0x26, 0x27];
    let properties = source.properties(version, &ids);
    let of_will = source.properties(version, &[0x02, 0x03, 0x08, 0x09, 0x18, 0x26, 0x26]);
    let (client_id, username, topic) = (source.text(), source.text(), source.topic());
    let (payload, password) = (source.bytes(), source.bytes());
    let will = Will {
        topic: TopicName::new(&topic).expect("a Topic Name"),
        payload: &payload,
        qos: source.qos(),
        retain: source.flag(),
        properties: of_will.as_properties(),
    };
    let username = source.flag().then_some(&username[..]);
    let has_password = source.flag() && (version.is_v5() || username.is_some());
    let packet = Packet::Connect(Connect {
        version,
        clean_start: source.flag(),
        keep_alive_secs: source.number16(),
        client_id: &client_id,
        will: source.flag().then_some(will),
        username,
        password: has_password.then_some(&password),
        properties: properties.as_properties(),
    });
    check(&packet, version);
}

fn connack(source: &mut Source<'_>, version: ProtocolVersion) {
    let ids = [
        0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28,
        0x29, 0x2a,
    ];
    let properties = source.properties(version, &ids);
    let reason = source.reason(PacketType::ConnAck, version);
    let can_be_present = reason == ReasonCode::Success && version != ProtocolVersion::V3_1;
    let packet = Packet::ConnAck(ConnAck {
        session_present: source.flag() && can_be_present,
        reason,
        properties: properties.as_properties(),
    });
    check(&packet, version);
}

fn publish(source: &mut Source<'_>, version: ProtocolVersion) {
    let ids = [0x02, 0x03, 0x08, 0x09, 0x0b, 0x0b, 0x23, 0x26, 0x26];
    let properties = source.properties(version, &ids);
    let properties = properties.as_properties();
    let qos = source.qos();
    let topic = source.topic();
    let leaves_topic_out = source.flag() && properties.topic_alias().is_some();
    let topic = TopicName::new(&topic).expect("a Topic Name");
    let packet = Packet::Publish(Publish {
        flags: PublishFlags {
            dup: source.flag() && qos != QoS::AtMostOnce,
            qos,
            retain: source.flag(),
        },
        topic: (!leaves_topic_out).then_some(topic),
        packet_id: (qos != QoS::AtMostOnce).then(|| source.id()),
        properties,
        payload: &source.bytes(),
    });
    check(&packet, version);
}

fn ack(source: &mut Source<'_>, version: ProtocolVersion) {
    let properties = source.properties(version, &[0x1f, 0x26, 0x26]);
    let packet_type = source.pick(&[
        PacketType::PubAck,
        PacketType::PubRec,
        PacketType::PubRel,
        PacketType::PubComp,
    ]);
    let ack = Ack {
        packet_id: source.id(),
        reason: source.reason(packet_type, version),
        properties: properties.as_properties(),
    };
    let packet = match packet_type {
        PacketType::PubAck => Packet::PubAck(ack),
        PacketType::PubRec => Packet::PubRec(ack),
        PacketType::PubRel => Packet::PubRel(ack),
        _ => Packet::PubComp(ack),
    };
    check(&packet, version);
}

fn subscribe(source: &mut Source<'_>, version: ProtocolVersion) {
    let mut filters = SubscribeBuffer::new();
    for _ in 0..=source.byte() % 8 {
        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
        let options = SubscribeOptions {
            qos: source.qos(),
            no_local: source.flag(),
            retain_as_published: source.flag(),
            retain_handling: source.pick(&handling),
        };
        if version.is_v5() {
            filters.push(&source.text(), options);
        } else {
            filters.push(&source.text(), SubscribeOptions::with_qos(options.qos));
        }
    }
    let properties = source.properties(version, &[0x0b, 0x26, 0x26]);
    let packet = Packet::Subscribe(Subscribe {
        packet_id: source.id(),
        properties: properties.as_properties(),
        filters: filters.as_filters(),
    });
    check(&packet, version);
}

fn unsubscribe(source: &mut Source<'_>, version: ProtocolVersion) {
    let mut filters = UnsubscribeBuffer::new();
    for _ in 0..=source.byte() % 8 {
        filters.push(&source.text());
    }
    let properties = source.properties(version, &[0x26, 0x26]);
    let packet = Packet::Unsubscribe(Unsubscribe {
        packet_id: source.id(),
        properties: properties.as_properties(),
        filters: filters.as_filters(),
    });
    check(&packet, version);
}

fn suback(source: &mut Source<'_>, version: ProtocolVersion) {
    let packet_id = source.id();
    let properties = source.properties(version, &[0x1f, 0x26, 0x26]);
    let properties = properties.as_properties();
    let mut of_subscribe = ReasonCodeBuffer::new();
    let mut of_unsubscribe = ReasonCodeBuffer::new();
    for _ in 0..=source.byte() % 8 {
        of_subscribe.push(source.reason(PacketType::SubAck, version));
        if version.is_v5() {
            of_unsubscribe.push(source.reason(PacketType::UnsubAck, version));
        }
    }
    let suback = Packet::SubAck(SubAck { packet_id, properties, codes: of_subscribe.as_codes() });
    check(&suback, version);
    let unsuback =
        Packet::UnsubAck(UnsubAck { packet_id, properties, codes: of_unsubscribe.as_codes() });
    check(&unsuback, version);
}

fn disconnect(source: &mut Source<'_>, version: ProtocolVersion) {
    let properties = source.properties(version, &[0x11, 0x1c, 0x1f, 0x26, 0x26]);
    let packet = Packet::Disconnect(Disconnect {
        reason: source.reason(PacketType::Disconnect, version),
        properties: properties.as_properties(),
    });
    check(&packet, version);
}

fn auth(source: &mut Source<'_>) {
    let version = ProtocolVersion::V5_0;
    let mut properties = source.properties(version, &[0x16, 0x1f, 0x26, 0x26]);
    properties.push(Property::AuthenticationMethod(&source.text()));
    let packet = Packet::Auth(Auth {
        reason: source.reason(PacketType::Auth, version),
        properties: properties.as_properties(),
    });
    check(&packet, version);
}
