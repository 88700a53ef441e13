//! Publish to deliver through the engine, without sockets: one to one, many messages in one read,
//! one to a thousand. Every outbox is emptied each turn, as a server does.

use std::hint::black_box;
use std::sync::{Arc, Mutex};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pintle_engine::{Connection, Engine, EngineSettings, Flow, ListenerTerms, Peer, Worker};
use pintle_mqtt::{
    AckKind, Connect, Frame, Layout, PacketId, Properties, ProtocolVersion, Publish, PublishFlags,
    QoS, Subscribe, SubscribeBuffer, SubscribeOptions, Timestamp, TopicName, encode_ack,
};
use pintle_ports::{
    Action, AuthOutcome, AuthProgress, CohortId, ConnectAttempt, DeliverRuling, Epoch, Event,
    HookPath, Hooks, Identity, Interest, Link, Outbox, PublishRuling, Ruling, Step,
    SubscribeRuling, SubscriptionRequest, Transport,
};

/// No plugins at all.
struct NoHooks;

impl Hooks for NoHooks {
    fn interest(&self) -> Interest {
        Interest::default()
    }

    fn generation(&self) -> u64 {
        0
    }

    fn authenticate(&self, _: ConnectAttempt) -> Step<AuthOutcome> {
        Step::Done(AuthOutcome::NoAnswer)
    }

    fn auth_begin(
        &self,
        _: &Arc<Identity>,
        _: &str,
        _: Option<&[u8]>,
        _: bool,
    ) -> Option<Step<AuthProgress>> {
        None
    }

    fn authorize(&self, _: &Identity, _: Action<'_>, _: Timestamp) -> Ruling {
        Ruling::ALLOW
    }

    fn wants_publish(&self, _: TopicName<'_>) -> bool {
        false
    }

    fn on_publish(
        &self,
        _: HookPath,
        _: Option<&Identity>,
        _: &Publish<'_>,
        _: Timestamp,
    ) -> PublishRuling {
        PublishRuling { verdict: pintle_ports::PublishVerdict::Pass, emits: Vec::new() }
    }

    fn on_subscribe(&self, _: &Identity, _: &SubscriptionRequest) -> SubscribeRuling {
        SubscribeRuling::Pass
    }

    fn on_unsubscribe(&self, _: &Identity, _: &str) -> Option<String> {
        None
    }

    fn cohort(&self, _: &Identity) -> CohortId {
        CohortId::NONE
    }

    fn wants_deliver(&self, _: TopicName<'_>) -> bool {
        false
    }

    fn on_deliver(&self, _: CohortId, _: &Publish<'_>, _: Timestamp) -> DeliverRuling {
        DeliverRuling::Pass
    }

    fn event(&self, _: Event<'_>) {}
}

/// The links that have bytes, as a worker's pump knows them.
type Pump = Arc<Mutex<Vec<Arc<PumpedLink>>>>;

/// A link whose bytes nobody reads.
struct PumpedLink {
    outbox: Mutex<Option<(Arc<dyn Outbox>, Epoch)>>,
    pump: Pump,
}

impl Link for PumpedLink {
    fn send(&self, _: &[u8]) {}

    fn attach(&self, outbox: Arc<dyn Outbox>, epoch: Epoch) {
        if let Ok(mut slot) = self.outbox.lock() {
            *slot = Some((outbox, epoch));
        }
    }

    fn ready(self: Arc<Self>) {
        let pump = Arc::clone(&self.pump);
        if let Ok(mut pump) = pump.lock() {
            pump.push(self);
        }
    }

    fn close(&self, _: Vec<u8>) {}
}

/// An engine with one worker.
struct Bench {
    worker: Worker,
    pump: Pump,
    buffer: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let settings = EngineSettings { outbox_bytes_max: 16 << 20, ..EngineSettings::default() };
        let engine = Engine::new(settings, Arc::new(NoHooks));
        let mut worker = Worker::new(&engine);
        worker.set_now(Timestamp::from_millis(1));
        Self { worker, pump: Pump::default(), buffer: Vec::new() }
    }

    fn connect(&mut self, client_id: &str, version: ProtocolVersion) -> Connection {
        let link = Arc::new(PumpedLink { outbox: Mutex::new(None), pump: Arc::clone(&self.pump) });
        let peer = Peer { remote_addr: None, transport: Transport::Tcp };
        let terms = Arc::new(ListenerTerms::new("bench"));
        let mut connection = Connection::new(link, terms, peer);
        let mut bytes = Vec::new();
        Connect {
            version,
            clean_start: true,
            keep_alive_secs: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: Properties::EMPTY,
        }
        .encode(&mut bytes);
        self.receive(&mut connection, &bytes);
        self.drain(|_| {});
        connection
    }

    fn subscriber(&mut self, client_id: &str, qos: QoS) -> Connection {
        let mut connection = self.connect(client_id, ProtocolVersion::V3_1_1);
        let mut filters = SubscribeBuffer::new();
        filters.push(TOPIC, SubscribeOptions::with_qos(qos));
        let mut bytes = Vec::new();
        Subscribe {
            packet_id: PacketId::FIRST,
            properties: Properties::EMPTY,
            filters: filters.as_filters(),
        }
        .encode(ProtocolVersion::V3_1_1, &mut bytes);
        self.receive(&mut connection, &bytes);
        self.drain(|_| {});
        connection
    }

    fn receive(&mut self, connection: &mut Connection, bytes: &[u8]) {
        let received = connection.receive(&mut self.worker, bytes);
        assert_eq!((received.consumed, received.flow), (bytes.len(), Flow::Read));
    }

    /// Takes what every link has, and shows it.
    fn drain(&mut self, mut look: impl FnMut(&[u8])) {
        let Ok(ready) = self.pump.lock().map(|mut pump| std::mem::take(&mut *pump)) else { return };
        for link in &ready {
            if let Ok(slot) = link.outbox.lock()
                && let Some((outbox, epoch)) = &*slot
            {
                outbox.take(*epoch, &mut self.buffer);
                look(&self.buffer);
                self.buffer.clear();
            }
        }
    }
}

const TOPIC: &str = "plant/7/line/3/temperature";

/// `count` packets of 64 bytes payload, as one read brings them.
fn publishes(qos: QoS, count: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=count {
        let packet_id = if qos == QoS::AtMostOnce { None } else { PacketId::new(id) };
        let flags = PublishFlags { qos, ..PublishFlags::default() };
        let topic = TopicName::new(TOPIC).ok();
        let properties = Properties::EMPTY;
        Publish { flags, topic, packet_id, properties, payload: &[b'x'; 64] }
            .encode(Layout::V3, &mut bytes);
    }
    bytes
}

/// PUBACKs for all PUBLISH packets in `bytes`.
fn acknowledge(mut bytes: &[u8], acks: &mut Vec<u8>) {
    acks.clear();
    let known = TopicName::new(TOPIC).ok();
    while let Ok(Some(frame)) = Frame::split(bytes, u32::MAX) {
        if let Ok(publish) = Publish::decode(&frame, Layout::V3, known)
            && let Some(id) = publish.packet_id
        {
            encode_ack(AckKind::PubAck, id, acks);
        }
        bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
    }
}

fn to_one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_to_one");
    for (qos, name) in [(QoS::AtMostOnce, "qos0"), (QoS::AtLeastOnce, "qos1")] {
        for count in [1, 50] {
            let mut b = Bench::new();
            let mut publisher = b.connect("p", ProtocolVersion::V3_1_1);
            let mut subscriber = b.subscriber("s", qos);
            let bytes = publishes(qos, count);
            let mut acks = Vec::new();
            group.throughput(Throughput::Elements(u64::from(count)));
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    b.receive(&mut publisher, black_box(&bytes));
                    b.drain(|sent| {
                        if qos > QoS::AtMostOnce && sent.first() == Some(&0x32) {
                            acknowledge(sent, &mut acks);
                        }
                        black_box(sent);
                    });
                    if qos > QoS::AtMostOnce {
                        b.receive(&mut subscriber, &acks);
                    }
                });
            });
        }
    }
    group.finish();
}

/// One read with as many topics as messages, to a subscriber of all: no runs.
fn many_topics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("many_topics");
    let mut b = Bench::new();
    let mut publisher = b.connect("p", ProtocolVersion::V3_1_1);
    let mut subscriber = b.connect("s", ProtocolVersion::V3_1_1);
    let mut filters = SubscribeBuffer::new();
    filters.push("#", SubscribeOptions::with_qos(QoS::AtMostOnce));
    let mut bytes = Vec::new();
    let (packet_id, properties) = (PacketId::FIRST, Properties::EMPTY);
    Subscribe { packet_id, properties, filters: filters.as_filters() }
        .encode(ProtocolVersion::V3_1_1, &mut bytes);
    b.receive(&mut subscriber, &bytes);
    let mut bytes = Vec::new();
    for number in 0..50 {
        let topic = format!("plant/{number}/line/3/temperature");
        let flags = PublishFlags::default();
        let topic = TopicName::new(&topic).ok();
        Publish { flags, topic, packet_id: None, properties, payload: &[b'x'; 64] }
            .encode(Layout::V3, &mut bytes);
    }
    group.throughput(Throughput::Elements(50));
    group.bench_function("qos0/50", |bencher| {
        bencher.iter(|| {
            b.receive(&mut publisher, black_box(&bytes));
            b.drain(|sent| {
                black_box(sent);
            });
        });
    });
    group.finish();
}

fn to_thousand(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_to_thousand");
    let mut b = Bench::new();
    let mut publisher = b.connect("p", ProtocolVersion::V3_1_1);
    let subscribers: Vec<Connection> =
        (0..1000).map(|n| b.subscriber(&format!("s{n}"), QoS::AtMostOnce)).collect();
    for count in [1, 50] {
        let bytes = publishes(QoS::AtMostOnce, count);
        group.throughput(Throughput::Elements(1000 * u64::from(count)));
        group.bench_function(BenchmarkId::new("qos0", count), |bencher| {
            bencher.iter(|| {
                b.receive(&mut publisher, black_box(&bytes));
                b.drain(|sent| {
                    black_box(sent);
                });
            });
        });
    }
    group.finish();
    drop(subscribers);
}

criterion_group!(benches, to_one, many_topics, to_thousand);
criterion_main!(benches);
