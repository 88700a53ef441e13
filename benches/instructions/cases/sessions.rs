use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use pintle_mqtt::{
    Budget, Frame, Layout, PacketId, Properties, Publication, Publish, QoS, Run, Timestamp,
};
use pintle_session::{ConnectionTerms, Delivery, Inbound, Outbound, OutboundLimits, ResolvedTopic};

use super::{messages, three_properties};
use crate::workload::{Case, Workload, repeated, staged};

const BATCH: u16 = 50;
const NOW: Timestamp = Timestamp::from_millis(1000);

pub(crate) const CASES: &[Case] = &[
    case("ack-puback-in-order", || ack(false)),
    case("ack-puback-in-reverse", || ack(true)),
    case("queue-qos1-run-of-50", queue),
    case("drain-queue-of-50", drain),
    case("accept-and-release-qos2", accept_qos2),
    case("resolve-topic-alias", resolve_alias),
];

const fn case(name: &'static str, prepare: fn() -> Result<Box<dyn Workload>>) -> Case {
    Case { name, operations: BATCH as u32, prepare }
}

/// One session that gets the same run of QoS 1 messages again and again.
struct Receiver {
    outbound: Outbound,
    limits: OutboundLimits,
    budget: Arc<Budget>,
    outbox: Vec<u8>,
    run: Vec<u8>,
}

impl Receiver {
    fn new() -> Self {
        Self {
            outbound: Outbound::new(),
            limits: OutboundLimits::default(),
            budget: Budget::new(1 << 30),
            outbox: Vec::new(),
            run: messages(QoS::AtLeastOnce, Properties::EMPTY, Layout::V3, BATCH),
        }
    }

    fn connect(&mut self) {
        let terms =
            ConnectionTerms { layout: Layout::V3, receive_maximum: 0, packet_bytes_max: u32::MAX };
        let Self { outbound, limits, outbox, .. } = self;
        outbound.begin_connection(terms, limits, NOW, outbox);
    }

    fn deliver(&mut self) {
        let Some(head) = head_of(&self.run, Layout::V3) else { return };
        let run = Run::new(head, Layout::V3, &self.run, u32::from(BATCH));
        let mut publication = Publication::new(run, NOW);
        let delivery =
            Delivery { qos: QoS::AtLeastOnce, retain: false, shared: false, subscription_ids: &[] };
        let Self { outbound, limits, budget, outbox, .. } = self;
        outbound.deliver(&mut publication, &delivery, budget, limits, NOW, outbox);
    }

    fn drain(&mut self) {
        self.outbound.drain(&self.limits, NOW, &mut self.outbox);
    }

    /// Identifiers of what is in the outbox, which is empty afterwards.
    fn take_ids(&mut self) -> Vec<PacketId> {
        let mut ids = Vec::new();
        let mut rest = &*self.outbox;
        while let Ok(Some(frame)) = Frame::split(rest, u32::MAX) {
            ids.extend(Publish::decode(&frame, Layout::V3, None).ok().and_then(|p| p.packet_id));
            rest = rest.get(frame.bytes.len()..).unwrap_or_default();
        }
        self.outbox.clear();
        ids
    }

    fn acknowledge(&mut self, ids: &[PacketId]) {
        ids.iter().for_each(|&id| _ = black_box(self.outbound.puback(id)));
    }
}

fn head_of(bytes: &[u8], layout: Layout) -> Option<Publish<'_>> {
    Publish::decode(&Frame::split(bytes, u32::MAX).ok()??, layout, None).ok()
}

fn ack(in_reverse: bool) -> Result<Box<dyn Workload>> {
    let mut receiver = Receiver::new();
    receiver.connect();
    Ok(staged(
        (receiver, Vec::new()),
        move |(receiver, ids)| {
            receiver.deliver();
            *ids = receiver.take_ids();
            if in_reverse {
                ids.reverse();
            }
        },
        |(receiver, ids)| receiver.acknowledge(ids),
    ))
}

fn queue() -> Result<Box<dyn Workload>> {
    Ok(staged(Receiver::new(), |receiver| receiver.outbound.clear(), Receiver::deliver))
}

fn drain() -> Result<Box<dyn Workload>> {
    Ok(staged(
        Receiver::new(),
        |receiver| {
            let ids = receiver.take_ids();
            receiver.acknowledge(&ids);
            receiver.outbound.end_connection();
            receiver.deliver();
        },
        |receiver| {
            receiver.connect();
            receiver.drain();
        },
    ))
}

fn accept_qos2() -> Result<Box<dyn Workload>> {
    let mut inbound = Inbound::new();
    inbound.begin_connection(u16::MAX, 0);
    let ids: Vec<PacketId> = (1..=BATCH).filter_map(PacketId::new).collect();
    Ok(repeated(inbound, move |inbound| {
        for &id in &ids {
            _ = black_box(inbound.accept(QoS::ExactlyOnce, Some(id)));
        }
        for &id in &ids {
            black_box(inbound.pubrel(id));
        }
    }))
}

fn resolve_alias() -> Result<Box<dyn Workload>> {
    let mut inbound = Inbound::new();
    inbound.begin_connection(u16::MAX, 10);
    let mut properties = three_properties();
    properties.push(pintle_mqtt::Property::TopicAlias(3));
    let first = messages(QoS::AtMostOnce, properties.as_properties(), Layout::V5, 1);
    let mut later = Vec::new();
    if let Some(publish) = head_of(&first, Layout::V5) {
        _ = inbound.resolve_topic(&publish);
        Publish { topic: None, ..publish }.encode(Layout::V5, &mut later);
    }
    Ok(repeated(inbound, move |inbound| {
        let Some(publish) = head_of(&later, Layout::V5) else { return };
        for _ in 0..BATCH {
            _ = black_box::<Result<ResolvedTopic<'_>, _>>(inbound.resolve_topic(&publish));
        }
    }))
}

#[cfg(test)]
mod tests {
    use pintle_session::Acked;

    use super::{BATCH, Receiver};

    #[test]
    fn all_that_is_delivered_is_acknowledged() {
        let mut receiver = Receiver::new();
        receiver.connect();
        receiver.deliver();
        let ids = receiver.take_ids();
        assert_eq!(ids.len(), usize::from(BATCH));
        assert!(ids.iter().all(|&id| receiver.outbound.puback(id) == Acked::Done));
    }

    #[test]
    fn what_was_queued_goes_out_with_the_next_connection() {
        let mut receiver = Receiver::new();
        receiver.deliver();
        assert_eq!(receiver.outbound.queue_len(), u32::from(BATCH));
        receiver.connect();
        receiver.drain();
        assert_eq!(receiver.take_ids().len(), usize::from(BATCH));
    }
}
