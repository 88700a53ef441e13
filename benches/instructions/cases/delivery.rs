use std::sync::Arc;

use anyhow::Result;
use pintle_engine::Connection;
use pintle_mqtt::{
    AckKind, Frame, Layout, PacketId, Properties, ProtocolVersion, Publish, QoS, TopicName,
    encode_ack,
};
use pintle_plugin_host::no_hooks;
use pintle_ports::Hooks;

use super::hooks::acl_file;
use super::{TOPIC, message, messages, three_properties};
use crate::engine_loop::{EngineLoop, connect_packet, subscribe_packet, version_of};
use crate::workload::{Case, Workload, staged};

const LONG: u16 = 50;
const WIDE: u16 = 1000;

pub(crate) const CASES: &[Case] = &[
    case("extend-run-of-50", LONG, || deliver(QoS::AtMostOnce, LONG, &[])),
    case("deliver-qos0-to-1", 1, || deliver(QoS::AtMostOnce, 1, &ONE)),
    case("deliver-qos0-run-of-50", LONG, || deliver(QoS::AtMostOnce, LONG, &ONE)),
    case("deliver-qos1-to-1", 1, || deliver(QoS::AtLeastOnce, 1, &ONE)),
    case("deliver-qos1-run-of-50", LONG, || deliver(QoS::AtLeastOnce, LONG, &ONE)),
    case("deliver-qos2-run-of-50-to-the-end", LONG, deliver_qos2),
    case("deliver-50-topics", LONG, deliver_topics),
    case("deliver-v5-properties", 1, deliver_properties),
    case("deliver-qos0-run-of-50-acl-file", LONG, deliver_with_acl_file),
    case("fan-out-1000-same-form", WIDE, || deliver(QoS::AtMostOnce, 1, &[(WIDE, Layout::V3)])),
    case("fan-out-1000-two-forms", WIDE, || deliver(QoS::AtMostOnce, 1, &HALVES)),
    case("fan-out-1000-take", WIDE, take),
    case("ack-50-from-the-wire", LONG, acknowledge),
    case("retain", 1, retain),
    case("connect", 1, connect),
    case("subscribe-a-session", 1, subscribe),
];

const ONE: [(u16, Layout); 1] = [(1, Layout::V3)];
const HALVES: [(u16, Layout); 2] = [(WIDE / 2, Layout::V3), (WIDE / 2, Layout::V5)];

const fn case(
    name: &'static str,
    operations: u16,
    prepare: fn() -> Result<Box<dyn Workload>>,
) -> Case {
    Case { name, operations: operations as u32, prepare }
}

/// A publisher, its subscribers, and the broker between them.
struct Delivery {
    engine: EngineLoop,
    publisher: Connection,
    subscribers: Vec<Connection>,
    /// What the publisher sends.
    bytes: Vec<u8>,
    /// What the first subscriber got since it last acknowledged.
    ids: Vec<PacketId>,
}

impl Delivery {
    /// With so many subscribers of each layout.
    fn new(hooks: Arc<dyn Hooks>, qos: QoS, subscribers: &[(u16, Layout)]) -> Self {
        let mut engine = EngineLoop::new(hooks);
        let publisher = engine.connect("publisher", ProtocolVersion::V3_1_1);
        let mut all = Vec::new();
        for &(count, layout) in subscribers {
            for number in 0..count {
                let client_id = format!("{layout:?}-{number}");
                all.push(engine.subscriber(&client_id, version_of(layout), TOPIC, qos));
            }
        }
        Self { engine, publisher, subscribers: all, bytes: Vec::new(), ids: Vec::new() }
    }

    fn publish(&mut self) {
        self.engine.receive(&mut self.publisher, &self.bytes);
    }

    /// Sends what waits for all clients.
    fn send(&mut self) {
        let ids = &mut self.ids;
        self.engine.drain(|sent| ids_in(sent, ids));
    }

    /// What the first subscriber says on all it got.
    fn answer(&self, kind: AckKind) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.ids.iter().for_each(|&id| encode_ack(kind, id, &mut bytes));
        bytes
    }

    fn first_subscriber_says(&mut self, bytes: &[u8]) {
        if let Some(subscriber) = self.subscribers.first_mut() {
            self.engine.receive(subscriber, bytes);
        }
    }

    /// Sends what waits, and has it acknowledged.
    fn finish(&mut self) {
        self.send();
        let pubacks = self.answer(AckKind::PubAck);
        self.ids.clear();
        self.first_subscriber_says(&pubacks);
    }

    fn whole_qos2(&mut self) {
        self.publish();
        self.send();
        let [pubrecs, pubcomps] = [AckKind::PubRec, AckKind::PubComp].map(|kind| self.answer(kind));
        self.first_subscriber_says(&pubrecs);
        self.engine.drain(|_| {});
        self.first_subscriber_says(&pubcomps);
        self.ids.clear();
        let mut pubrels = Vec::new();
        (1..=LONG).filter_map(PacketId::new).for_each(|id| {
            encode_ack(AckKind::PubRel, id, &mut pubrels);
        });
        self.engine.receive(&mut self.publisher, &pubrels);
        self.engine.drain(|_| {});
    }
}

/// The Packet Identifiers of all PUBLISH packets in `bytes`.
fn ids_in(mut bytes: &[u8], ids: &mut Vec<PacketId>) {
    while let Ok(Some(frame)) = Frame::split(bytes, u32::MAX) {
        if frame.first_byte >> 4 == 3 {
            let publish = Publish::decode(&frame, Layout::V3, None).ok();
            ids.extend(publish.and_then(|publish| publish.packet_id));
        }
        bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
    }
}

fn deliver(qos: QoS, count: u16, subscribers: &[(u16, Layout)]) -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), qos, subscribers);
    delivery.bytes = messages(qos, Properties::EMPTY, Layout::V3, count);
    Ok(staged(delivery, Delivery::finish, Delivery::publish))
}

fn deliver_qos2() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::ExactlyOnce, &ONE);
    delivery.bytes = messages(QoS::ExactlyOnce, Properties::EMPTY, Layout::V3, LONG);
    Ok(staged(delivery, |_| (), Delivery::whole_qos2))
}

fn deliver_topics() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::AtMostOnce, &[]);
    let (version, qos) = (ProtocolVersion::V3_1_1, QoS::AtMostOnce);
    delivery.subscribers.push(delivery.engine.subscriber("all", version, "#", qos));
    for number in 0..LONG {
        let topic = format!("plant/{number}/line/3/temperature");
        let topic = Some(TopicName::trusted(&topic));
        Publish { topic, ..message(qos, Properties::EMPTY) }
            .encode(Layout::V3, &mut delivery.bytes);
    }
    Ok(staged(delivery, Delivery::finish, Delivery::publish))
}

fn deliver_properties() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::AtMostOnce, &[(1, Layout::V5)]);
    delivery.publisher = delivery.engine.connect("publisher-v5", ProtocolVersion::V5_0);
    let properties = three_properties();
    delivery.bytes = messages(QoS::AtMostOnce, properties.as_properties(), Layout::V5, 1);
    Ok(staged(delivery, Delivery::finish, Delivery::publish))
}

fn deliver_with_acl_file() -> Result<Box<dyn Workload>> {
    let hooks = acl_file("topic readwrite plant/#\n")?;
    let mut delivery = Delivery::new(hooks, QoS::AtMostOnce, &ONE);
    delivery.bytes = messages(QoS::AtMostOnce, Properties::EMPTY, Layout::V3, LONG);
    Ok(staged(delivery, Delivery::finish, Delivery::publish))
}

fn take() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::AtMostOnce, &[(WIDE, Layout::V3)]);
    delivery.bytes = messages(QoS::AtMostOnce, Properties::EMPTY, Layout::V3, 1);
    Ok(staged(delivery, Delivery::publish, |delivery| delivery.engine.drain(|_| {})))
}

fn acknowledge() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::AtLeastOnce, &ONE);
    delivery.bytes = messages(QoS::AtLeastOnce, Properties::EMPTY, Layout::V3, LONG);
    Ok(staged(
        (delivery, Vec::new()),
        |(delivery, pubacks)| {
            delivery.publish();
            delivery.send();
            *pubacks = delivery.answer(AckKind::PubAck);
            delivery.ids.clear();
        },
        |(delivery, pubacks)| delivery.first_subscriber_says(pubacks),
    ))
}

fn retain() -> Result<Box<dyn Workload>> {
    let mut delivery = Delivery::new(no_hooks(), QoS::AtMostOnce, &[]);
    let mut publish = message(QoS::AtMostOnce, Properties::EMPTY);
    publish.flags.retain = true;
    publish.encode(Layout::V3, &mut delivery.bytes);
    Ok(staged(delivery, Delivery::finish, Delivery::publish))
}

fn connect() -> Result<Box<dyn Workload>> {
    let engine = EngineLoop::new(no_hooks());
    let packet = connect_packet("device", ProtocolVersion::V3_1_1);
    let connection = engine.accept();
    Ok(staged(
        (engine, connection),
        |(engine, connection)| {
            engine.drain(|_| {});
            engine.end(connection);
            *connection = engine.accept();
        },
        move |(engine, connection)| engine.receive(connection, &packet),
    ))
}

fn subscribe() -> Result<Box<dyn Workload>> {
    let mut engine = EngineLoop::new(no_hooks());
    let connection = engine.connect("device", ProtocolVersion::V3_1_1);
    let packet = subscribe_packet(TOPIC, ProtocolVersion::V3_1_1, QoS::AtLeastOnce);
    Ok(staged(
        (engine, connection),
        |(engine, connection)| {
            engine.drain(|_| {});
            engine.end(connection);
            *connection = engine.connect("device", ProtocolVersion::V3_1_1);
        },
        move |(engine, connection)| engine.receive(connection, &packet),
    ))
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::{Layout, Properties, QoS};
    use pintle_plugin_host::no_hooks;

    use super::{Delivery, LONG, messages};
    use crate::cases::hooks::acl_file;

    /// How many packets the subscribers get of `count` messages.
    fn packets(mut delivery: Delivery, qos: QoS, count: u16) -> usize {
        delivery.bytes = messages(qos, Properties::EMPTY, Layout::V3, count);
        delivery.publish();
        let (frame_len, mut sent_bytes) = (delivery.bytes.len() / usize::from(count), 0);
        delivery.engine.drain(|sent| {
            let is_publish = sent.first().is_some_and(|byte| byte >> 4 == 3);
            sent_bytes += if is_publish { sent.len() } else { 0 };
        });
        sent_bytes / frame_len
    }

    #[test]
    fn every_message_goes_to_every_subscriber() {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let delivery = Delivery::new(no_hooks(), qos, &[(3, Layout::V3)]);
            assert_eq!(packets(delivery, qos, LONG), 3 * usize::from(LONG), "{qos:?}");
        }
    }

    #[test]
    fn the_acl_file_decides_who_publishes() {
        let delivery =
            |acl| Delivery::new(acl_file(acl).unwrap(), QoS::AtMostOnce, &[(1, Layout::V3)]);
        assert_eq!(packets(delivery("topic readwrite plant/#"), QoS::AtMostOnce, LONG), 50);
        assert_eq!(packets(delivery("topic read plant/#"), QoS::AtMostOnce, LONG), 0);
    }

    #[test]
    fn a_qos_2_run_leaves_nothing_in_flight() {
        let mut delivery = Delivery::new(no_hooks(), QoS::ExactlyOnce, &super::ONE);
        delivery.bytes = messages(QoS::ExactlyOnce, Properties::EMPTY, Layout::V3, LONG);
        let rounds = u32::from(u16::MAX) / u32::from(LONG) + 1;
        (0..rounds).for_each(|_| delivery.whole_qos2());
        // Every Packet Identifier has been in use, and is free again.
        delivery.publish();
        delivery.send();
        assert_eq!(delivery.ids.len(), usize::from(LONG));
    }
}
