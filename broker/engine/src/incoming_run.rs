use pintle_mqtt::{
    Frame, Layout, PacketId, Property, PropertyBuffer, Publish, PublishFlags, QoS, Run, TopicName,
};
use pintle_session::{Acceptance, ResolvedTopic};
use smallvec::SmallVec;

use crate::connection::{Connection, Halt};
use crate::store::Unsaved;
use crate::worker::Worker;

/// The Packet Identifiers of a run, in order; none at QoS 0.
pub(crate) type PacketIds = SmallVec<[PacketId; 64]>;

/// A PUBLISH with what may not be sent on left out of it.
pub(crate) struct Canonical<'a> {
    publish: Publish<'a>,
    properties: PropertyBuffer,
}

impl Canonical<'_> {
    pub(crate) fn encode(&self, layout: Layout, out: &mut Vec<u8>) {
        let properties = self.properties.as_properties();
        Publish { properties, ..self.publish }.encode(layout, out);
    }
}

impl Connection {
    /// The topic that a Topic Alias stands for; it is learnt here, whatever becomes of the message.
    pub(crate) fn resolve_alias<'a>(
        &self,
        publish: &Publish<'a>,
    ) -> Result<Option<ResolvedTopic<'a>>, Halt> {
        if publish.properties.is_empty() || publish.properties.topic_alias().is_none() {
            return Ok(None);
        }
        Ok(Some(self.own_inbound()?.resolve_topic(publish)?))
    }

    /// Step accept; false for a QoS 2 message that is here already, whose id is then in `ids`.
    pub(crate) fn accept(
        &self,
        qos: QoS,
        id: Option<PacketId>,
        ids: &mut PacketIds,
    ) -> Result<bool, Halt> {
        let Some(id) = id else {
            return Ok(true);
        };
        let acceptance = match qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => Acceptance::New,
            QoS::ExactlyOnce => self.own_inbound()?.accept(QoS::ExactlyOnce, Some(id))?,
        };
        match acceptance {
            Acceptance::New => {
                ids.push(id);
                Ok(true)
            }
            // A run in the making ends before a duplicate, which is then looked at by itself.
            Acceptance::Duplicate if ids.is_empty() => {
                ids.push(id);
                Ok(false)
            }
            Acceptance::Duplicate => Ok(false),
        }
    }

    /// Forgets that these QoS 2 messages came: the next with their identifiers are new.
    pub(crate) fn release(&self, worker: &Worker, ids: &[PacketId]) {
        if let Ok(mut inbound) = self.own_inbound() {
            ids.iter().for_each(|&id| inbound.refuse(id));
        }
        if let Ok(live) = self.live() {
            worker.engine().note(&live.session, Unsaved::INBOUND);
        }
    }

    /// Whether the bytes as they came may stand in a run.
    pub(crate) fn may_be_sent_on(&self, head: &Publish<'_>, frame: &Frame<'_>) -> bool {
        !head.flags.dup
            && (!head.flags.retain || self.terms.retain_available)
            && frame.is_minimal()
            && (head.properties.is_empty() || head.properties.topic_alias().is_none())
    }

    /// Turns a packet that may not be sent on as it came into one that may: without alias, DUP,
    /// and RETAIN where that is not available; its length minimal.
    pub(crate) fn canonical<'a>(&self, head: &Publish<'a>, topic: TopicName<'a>) -> Canonical<'a> {
        let mut properties = PropertyBuffer::new();
        for property in head.properties.iter() {
            if !matches!(property, Property::TopicAlias(_)) {
                properties.push(property);
            }
        }
        let retain = head.flags.retain && self.terms.retain_available;
        let flags = PublishFlags { dup: false, retain, ..head.flags };
        Canonical { publish: Publish { flags, topic: Some(topic), ..*head }, properties }
    }

    /// The run that begins with `head`: as many packets behind it as differ in nothing but payload
    /// and Packet Identifier. Where a hook is to see each message, it is one: at QoS above 0 each is
    /// answered for itself, and of retained ones a hook may read the last.
    pub(crate) fn extend_run<'a>(
        &self,
        worker: &Worker,
        head: Publish<'a>,
        frame: &Frame<'a>,
        bytes: &'a [u8],
        ids: &mut PacketIds,
    ) -> Result<(Run<'a>, usize), Halt> {
        let layout = self.live()?.version.layout();
        let packet_bytes_max = self.terms.packet_bytes_max;
        let topic = head.topic;
        let (mut used, mut count) = (frame.bytes.len(), 1);
        let is_one = worker.interest().publish
            && (head.flags.qos > QoS::AtMostOnce || head.flags.retain)
            && topic.is_some_and(|topic| worker.hooks().wants_publish(topic));
        if !head.properties.is_empty() || is_one {
            return Ok((Run::new(head, layout, frame.bytes, 1), used));
        }
        let qos = head.flags.qos;
        let topic_len = topic.map_or(0, |topic| topic.as_str().len());
        let topic_field = frame.body.get(..topic_len + 2).unwrap_or(frame.body);
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let Ok(Some(next)) = Frame::split(rest, packet_bytes_max) else {
                break;
            };
            if next.first_byte != frame.first_byte || !next.is_minimal() {
                break;
            }
            let Some(id) = successor_id(next.body, topic_field, qos, layout) else {
                break;
            };
            if !self.accept(qos, id, ids).unwrap_or(false) {
                break;
            }
            used += next.bytes.len();
            count += 1;
        }
        Ok((Run::new(head, layout, bytes.get(..used).unwrap_or(frame.bytes), count), used))
    }
}

/// The Packet Identifier (none at QoS 0) of a PUBLISH with this body, if it has the topic that
/// `topic_field` encodes and no properties. A bad packet is none: it is looked at by itself.
fn successor_id(
    body: &[u8],
    topic_field: &[u8],
    qos: QoS,
    layout: Layout,
) -> Option<Option<PacketId>> {
    let mut rest = body.strip_prefix(topic_field)?;
    let mut id = None;
    if qos > QoS::AtMostOnce {
        let (bytes, after) = rest.split_first_chunk::<2>()?;
        id = Some(PacketId::new(u16::from_be_bytes(*bytes))?);
        rest = after;
    }
    match layout {
        Layout::V3 => Some(id),
        Layout::V5 => (rest.first() == Some(&0)).then_some(id),
    }
}
