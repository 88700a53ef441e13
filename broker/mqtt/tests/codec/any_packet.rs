//! Any packet that the standard allows, for property tests.

use pintle_mqtt::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketId, PacketType, Property,
    PropertyBuffer, PropertyContext, ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode,
    ReasonCodeBuffer, RetainHandling, SubAck, Subscribe, SubscribeBuffer, SubscribeOptions,
    TopicName, UnsubAck, Unsubscribe, UnsubscribeBuffer, Will, reason_is_legal,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::property_table::PROPERTIES;
use crate::sample_packets::VERSIONS;

/// What a packet is made of; one value feeds every kind of packet.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) version: ProtocolVersion,
    pub(crate) packet_id: u16,
    pub(crate) number: u32,
    pub(crate) bits: [bool; 6],
    pub(crate) qos: QoS,
    pub(crate) texts: [String; 3],
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) filters: Vec<(String, SubscribeOptions)>,
    pub(crate) pick: Index,
    pub(crate) picks: Vec<Index>,
    properties: Vec<(usize, OwnedValue)>,
    user_properties: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct OwnedValue {
    flag: bool,
    number: u32,
    text: String,
    bytes: Vec<u8>,
}

fn text() -> impl Strategy<Value = String> {
    let plain = "[ -~]{0,12}";
    let wide = "[ -~äß温\u{feff}😀/]{0,12}";
    prop_oneof![plain, wide, Just("x".repeat(200))]
}

fn topic() -> impl Strategy<Value = String> {
    "[a-z$ä/ ]{1,12}"
}

fn qos() -> impl Strategy<Value = QoS> {
    select(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][..])
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..40), (100..20_000_usize).prop_map(|len| vec![0xff; len])]
}

fn options() -> impl Strategy<Value = SubscribeOptions> {
    let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
    (qos(), any::<bool>(), any::<bool>(), select(handling.to_vec())).prop_map(
        |(qos, no_local, retain_as_published, retain_handling)| SubscribeOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        },
    )
}

fn value() -> impl Strategy<Value = OwnedValue> {
    (any::<bool>(), 1..u32::MAX, text(), vec(any::<u8>(), 0..12))
        .prop_map(|(flag, number, text, bytes)| OwnedValue { flag, number, text, bytes })
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let all: Vec<usize> = (0..PROPERTIES.len()).collect();
    let count = all.len();
    let properties = subsequence(all, 0..=count)
        .prop_shuffle()
        .prop_flat_map(|ids| ids.into_iter().map(|id| (Just(id), value())).collect::<Vec<_>>());
    let header = (select(&VERSIONS[..]), 1..=u16::MAX, any::<u32>(), any::<[bool; 6]>(), qos());
    let texts = ([text(), text(), text()], topic(), payload());
    let lists = (vec((text(), options()), 1..5), any::<Index>(), vec(any::<Index>(), 1..6));
    let user_properties = vec((text(), text()), 0..3);
    (header, texts, lists, properties, user_properties).prop_map(
        |(header, texts, lists, properties, user_properties)| Parts {
            version: header.0,
            packet_id: header.1,
            number: header.2,
            bits: header.3,
            qos: header.4,
            texts: texts.0,
            topic: texts.1,
            payload: texts.2,
            filters: lists.0,
            pick: lists.1,
            picks: lists.2,
            properties,
            user_properties,
        },
    )
}

fn property<'a>(id: u8, value: &'a OwnedValue) -> Property<'a> {
    let OwnedValue { flag, number, text, bytes } = value;
    let number16 = (*number as u16).max(1);
    match id {
        0x01 => Property::PayloadFormatIndicator(false),
        0x02 => Property::MessageExpiryInterval(*number),
        0x03 => Property::ContentType(text),
        0x08 => Property::ResponseTopic(text.split(['+', '#']).next().unwrap_or_default()),
        0x09 => Property::CorrelationData(bytes),
        0x0b => Property::SubscriptionIdentifier(*number % 268_435_455 + 1),
        0x11 => Property::SessionExpiryInterval(*number),
        0x12 => Property::AssignedClientIdentifier(text),
        0x13 => Property::ServerKeepAlive(number16),
        0x15 => Property::AuthenticationMethod(text),
        0x16 => Property::AuthenticationData(bytes),
        0x17 => Property::RequestProblemInformation(*flag),
        0x18 => Property::WillDelayInterval(*number),
        0x19 => Property::RequestResponseInformation(*flag),
        0x1a => Property::ResponseInformation(text),
        0x1c => Property::ServerReference(text),
        0x1f => Property::ReasonString(text),
        0x21 => Property::ReceiveMaximum(number16),
        0x22 => Property::TopicAliasMaximum(number16),
        0x23 => Property::TopicAlias(number16),
        0x24 => Property::MaximumQoS(u8::from(*flag)),
        0x25 => Property::RetainAvailable(*flag),
        0x26 => Property::UserProperty((text, text)),
        0x27 => Property::MaximumPacketSize(*number),
        0x28 => Property::WildcardSubscriptionAvailable(*flag),
        0x29 => Property::SubscriptionIdentifierAvailable(*flag),
        0x2a => Property::SharedSubscriptionAvailable(*flag),
        other => panic!("no property {other:#x}"),
    }
}

impl Parts {
    /// The properties among the parts that may stand in `context`; none before 5.0.
    pub(crate) fn properties(&self, context: PropertyContext) -> PropertyBuffer {
        let mut buffer = PropertyBuffer::new();
        if !self.version.is_v5() {
            return buffer;
        }
        for (at, value) in &self.properties {
            let (id, .., allowed) = PROPERTIES[*at];
            if allowed.contains(&context) {
                buffer.push(property(id, value));
            }
        }
        for (key, value) in &self.user_properties {
            buffer.push(Property::UserProperty((key, value)));
        }
        let so_far = buffer.as_properties();
        let needs_method = context == PropertyContext::Auth
            || (context == PropertyContext::Connect && so_far.authentication_data().is_some());
        if needs_method && so_far.authentication_method().is_none() {
            buffer.push(Property::AuthenticationMethod("method"));
        }
        buffer
    }

    pub(crate) fn id(&self) -> PacketId {
        PacketId::new(self.packet_id).unwrap()
    }

    /// A Reason Code that is legal in `packet`, which before 5.0 is as a rule Success.
    pub(crate) fn reason(&self, packet: PacketType) -> ReasonCode {
        if self.version.is_v5() {
            *self.pick.get(&legal_codes(packet))
        } else if packet == PacketType::ConnAck {
            ReasonCode::from_v3_return_code(self.pick.index(6) as u8).unwrap()
        } else {
            ReasonCode::Success
        }
    }

    /// Some Reason Codes that are legal in `packet`.
    pub(crate) fn reasons(&self, packet: PacketType) -> ReasonCodeBuffer {
        let mut legal = legal_codes(packet);
        if !self.version.is_v5() {
            legal.retain(|code| matches!(code.as_u8(), 0..=2 | 0x80));
        }
        self.picks.iter().map(|pick| *pick.get(&legal)).collect()
    }

    /// Makes every kind of packet of the parts and shows each to `see`.
    pub(crate) fn each_packet(&self, mut see: impl FnMut(Packet<'_>)) {
        self.with_connect(&mut see);
        self.with_connack(&mut see);
        self.with_publish(&mut see);
        self.with_acks(&mut see);
        self.with_subscribe(&mut see);
        self.with_unsubscribe(&mut see);
        self.with_suback(&mut see);
        self.with_disconnect(&mut see);
        see(Packet::PingReq);
        see(Packet::PingResp);
    }

    fn with_connect(&self, see: &mut impl FnMut(Packet<'_>)) {
        let properties = self.properties(PropertyContext::Connect);
        let of_will = self.properties(PropertyContext::Will);
        let will = Will {
            topic: TopicName::new(&self.topic).unwrap(),
            payload: &self.payload,
            qos: self.qos,
            retain: self.bits[0],
            properties: of_will.as_properties(),
        };
        let username = self.bits[2].then_some(&self.texts[1][..]);
        let may_have_password = username.is_some() || self.version.is_v5();
        let has_password = self.bits[3] && may_have_password;
        see(Packet::Connect(Connect {
            version: self.version,
            clean_start: self.bits[1],
            keep_alive_secs: self.number as u16,
            client_id: &self.texts[0],
            will: self.bits[4].then_some(will),
            username,
            password: has_password.then_some(&self.payload),
            properties: properties.as_properties(),
        }));
    }

    fn with_connack(&self, see: &mut impl FnMut(Packet<'_>)) {
        let reason = self.reason(PacketType::ConnAck);
        let can_be_present = reason == ReasonCode::Success && self.version != ProtocolVersion::V3_1;
        see(Packet::ConnAck(ConnAck {
            session_present: self.bits[0] && can_be_present,
            reason,
            properties: self.properties(PropertyContext::ConnAck).as_properties(),
        }));
    }

    fn with_publish(&self, see: &mut impl FnMut(Packet<'_>)) {
        let properties = self.properties(PropertyContext::Publish);
        let properties = properties.as_properties();
        let has_id = self.qos != QoS::AtMostOnce;
        let flags =
            PublishFlags { dup: self.bits[0] && has_id, qos: self.qos, retain: self.bits[1] };
        let leaves_topic_out = self.bits[2] && properties.topic_alias().is_some();
        let topic = (!leaves_topic_out).then(|| TopicName::new(&self.topic).unwrap());
        see(Packet::Publish(Publish {
            flags,
            topic,
            packet_id: has_id.then(|| self.id()),
            properties,
            payload: &self.payload,
        }));
    }

    fn with_acks(&self, see: &mut impl FnMut(Packet<'_>)) {
        for (packet, context) in [
            (PacketType::PubAck, PropertyContext::PubAck),
            (PacketType::PubRec, PropertyContext::PubRec),
            (PacketType::PubRel, PropertyContext::PubRel),
            (PacketType::PubComp, PropertyContext::PubComp),
        ] {
            let properties = self.properties(context);
            let ack = Ack {
                packet_id: self.id(),
                reason: self.reason(packet),
                properties: properties.as_properties(),
            };
            see(match packet {
                PacketType::PubAck => Packet::PubAck(ack),
                PacketType::PubRec => Packet::PubRec(ack),
                PacketType::PubRel => Packet::PubRel(ack),
                _ => Packet::PubComp(ack),
            });
        }
    }

    fn with_subscribe(&self, see: &mut impl FnMut(Packet<'_>)) {
        let mut filters = SubscribeBuffer::new();
        for (filter, options) in &self.filters {
            if self.version.is_v5() {
                filters.push(filter, *options);
            } else {
                filters.push(filter, SubscribeOptions::with_qos(options.qos));
            }
        }
        see(Packet::Subscribe(Subscribe {
            packet_id: self.id(),
            properties: self.properties(PropertyContext::Subscribe).as_properties(),
            filters: filters.as_filters(),
        }));
    }

    fn with_unsubscribe(&self, see: &mut impl FnMut(Packet<'_>)) {
        let mut filters = UnsubscribeBuffer::new();
        for (filter, _) in &self.filters {
            filters.push(filter);
        }
        see(Packet::Unsubscribe(Unsubscribe {
            packet_id: self.id(),
            properties: self.properties(PropertyContext::Unsubscribe).as_properties(),
            filters: filters.as_filters(),
        }));
    }

    fn with_suback(&self, see: &mut impl FnMut(Packet<'_>)) {
        see(Packet::SubAck(SubAck {
            packet_id: self.id(),
            properties: self.properties(PropertyContext::SubAck).as_properties(),
            codes: self.reasons(PacketType::SubAck).as_codes(),
        }));
        let codes = if self.version.is_v5() {
            self.reasons(PacketType::UnsubAck)
        } else {
            ReasonCodeBuffer::new()
        };
        see(Packet::UnsubAck(UnsubAck {
            packet_id: self.id(),
            properties: self.properties(PropertyContext::UnsubAck).as_properties(),
            codes: codes.as_codes(),
        }));
    }

    fn with_disconnect(&self, see: &mut impl FnMut(Packet<'_>)) {
        see(Packet::Disconnect(Disconnect {
            reason: self.reason(PacketType::Disconnect),
            properties: self.properties(PropertyContext::Disconnect).as_properties(),
        }));
        if self.version.is_v5() {
            see(Packet::Auth(Auth {
                reason: self.reason(PacketType::Auth),
                properties: self.properties(PropertyContext::Auth).as_properties(),
            }));
        }
    }
}

fn legal_codes(packet: PacketType) -> Vec<ReasonCode> {
    (0..=255)
        .filter_map(ReasonCode::from_u8)
        .filter(|code| reason_is_legal(packet, *code))
        .collect()
}
