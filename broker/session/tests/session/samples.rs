//! Messages to publish, and packets as a client reads them.

use std::sync::Arc;

use pintle_mqtt::{
    Budget, Frame, KeptRun, Layout, PacketId, Property, PropertyBuffer, Publication, Publish,
    PublishFlags, QoS, Run, Timestamp, TopicName,
};

pub(crate) const TOPIC: &str = "sensors/kitchen/temp";

/// Messages of one run.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) layout: Layout,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) payloads: Vec<Vec<u8>>,
    pub(crate) expiry_secs: Option<u32>,
    pub(crate) content_type: Option<&'static str>,
}

impl Sample {
    pub(crate) fn new(qos: QoS, payloads: &[&str]) -> Self {
        Self {
            layout: Layout::V5,
            qos,
            retain: false,
            payloads: payloads.iter().map(|text| text.as_bytes().to_vec()).collect(),
            expiry_secs: None,
            content_type: None,
        }
    }

    /// One message for each number, which is its payload.
    pub(crate) fn numbered(qos: QoS, numbers: std::ops::Range<u32>) -> Self {
        let payloads = numbers.map(|number| number.to_string().into_bytes());
        Self { payloads: payloads.collect(), ..Self::new(qos, &[]) }
    }

    pub(crate) fn in_layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn expiring(self, secs: u32) -> Self {
        Self { expiry_secs: Some(secs), ..self }
    }

    pub(crate) fn frames(&self) -> Vec<u8> {
        let mut properties = PropertyBuffer::new();
        properties.push_some(self.expiry_secs.map(Property::MessageExpiryInterval));
        properties.push_some(self.content_type.map(Property::ContentType));
        let stale_id = PacketId::new(0x7777);
        let mut bytes = Vec::new();
        for payload in &self.payloads {
            let flags = PublishFlags { dup: false, qos: self.qos, retain: self.retain };
            let publish = Publish {
                flags,
                topic: Some(TopicName::new(TOPIC).unwrap()),
                packet_id: stale_id.filter(|_| self.qos > QoS::AtMostOnce),
                properties: properties.as_properties(),
                payload,
            };
            publish.encode(self.layout, &mut bytes);
        }
        bytes
    }

    /// Lets `use_it` have the publication that the broker took at `received_at`.
    pub(crate) fn publication<R>(
        &self,
        received_at: Timestamp,
        use_it: impl FnOnce(&mut Publication<'_>) -> R,
    ) -> R {
        let frames = self.frames();
        let frame = Frame::split(&frames, u32::MAX).unwrap().unwrap();
        let head = Publish::decode(&frame, self.layout, None).unwrap();
        let run = Run::new(head, self.layout, &frames, self.payloads.len() as u32);
        use_it(&mut Publication::new(run, received_at))
    }

    pub(crate) fn kept(&self, budget: &Arc<Budget>) -> Arc<KeptRun> {
        self.publication(Timestamp::default(), |publication| publication.kept(budget))
    }
}

/// A packet as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Publish(Message),
    PubRel(u16),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) qos: QoS,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) payload: String,
    pub(crate) subscription_ids: Vec<u32>,
    pub(crate) expiry_secs: Option<u32>,
    pub(crate) content_type: Option<String>,
    /// Bytes of the whole packet.
    pub(crate) len: usize,
}

impl Message {
    /// The number that the payload is.
    pub(crate) fn number(&self) -> u32 {
        self.payload.parse().unwrap()
    }
}

/// All packets of `bytes`, which hold nothing but whole ones.
pub(crate) fn packets(mut bytes: &[u8], layout: Layout) -> Vec<Packet> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let frame = Frame::split(bytes, u32::MAX).unwrap().unwrap();
        packets.push(packet(&frame, layout));
        bytes = &bytes[frame.bytes.len()..];
    }
    packets
}

fn packet(frame: &Frame<'_>, layout: Layout) -> Packet {
    if frame.first_byte == 0x62 {
        let id = u16::from_be_bytes(frame.body.try_into().unwrap());
        return Packet::PubRel(id);
    }
    let publish = Publish::decode(frame, layout, None).unwrap();
    assert_eq!(publish.topic.unwrap().as_str(), TOPIC);
    let properties = publish.properties;
    let subscription_ids = properties.iter().filter_map(|property| match property {
        Property::SubscriptionIdentifier(id) => Some(id),
        _ => None,
    });
    Packet::Publish(Message {
        id: publish.packet_id.map_or(0, PacketId::get),
        qos: publish.flags.qos,
        dup: publish.flags.dup,
        retain: publish.flags.retain,
        payload: String::from_utf8(publish.payload.to_vec()).unwrap(),
        subscription_ids: subscription_ids.collect(),
        expiry_secs: properties.message_expiry_interval(),
        content_type: properties.content_type().map(str::to_owned),
        len: frame.bytes.len(),
    })
}
