use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use pintle_engine::{
    Connection, EndCause, Engine, EngineSettings, Flow, ListenerTerms, Peer, Worker,
};
use pintle_mqtt::{Packet, ProtocolVersion, QoS, Timestamp};
use pintle_ports::{Hooks, Link, Taken, Transport};

use crate::client::Client;
use crate::connecting::Connecting;
use crate::memory_link::MemoryLink;
use crate::seen::Seen;
use crate::test_hooks::TestHooks;

/// A broker without sockets, its clients, and the time.
///
/// Everything has come to rest between two calls, unless a client has stopped reading.
pub(crate) struct Scenario {
    pub(crate) engine: Arc<Engine>,
    pub(crate) worker: Worker,
    pub(crate) hooks: Arc<TestHooks>,
    pub(crate) terms: ListenerTerms,
    pub(crate) wires: BTreeMap<String, Wire>,
    now: Timestamp,
    bytes_seen: u64,
}

/// One Network Connection, from the client's side.
pub(crate) struct Wire {
    pub(crate) connection: Connection,
    pub(crate) link: Arc<MemoryLink>,
    pub(crate) version: ProtocolVersion,
    pub(crate) inbox: Vec<Seen>,
    /// What the engine has not consumed.
    pub(crate) kept: Vec<u8>,
    pub(crate) flow: Flow,
    /// How often the engine has asked to let others go first.
    pub(crate) yields: usize,
    /// Whether acknowledgements were all that came the last time.
    pub(crate) only_acks: bool,
    pub(crate) next_id: u16,
    pub(crate) reads: bool,
    pub(crate) acknowledges: bool,
    has_ended: bool,
}

impl Scenario {
    pub(crate) fn new() -> Self {
        Self::with(TestHooks::none())
    }

    pub(crate) fn with(hooks: TestHooks) -> Self {
        Self::build(hooks, |_| {})
    }

    pub(crate) fn bounded(change: impl FnOnce(&mut EngineSettings)) -> Self {
        Self::build(TestHooks::none(), change)
    }

    pub(crate) fn build(hooks: TestHooks, change: impl FnOnce(&mut EngineSettings)) -> Self {
        let mut settings = EngineSettings::default();
        change(&mut settings);
        let hooks = Arc::new(hooks);
        let engine = Engine::new(settings, Arc::clone(&hooks) as Arc<dyn Hooks>);
        Self { hooks, ..Self::on(engine) }
    }

    /// Clients of an engine that other scenarios may share, by a worker of their own.
    pub(crate) fn on(engine: Arc<Engine>) -> Self {
        let mut worker = Worker::new(&engine);
        let now = Timestamp::from_millis(1_000_000);
        worker.set_now(now);
        engine.tick(&mut worker);
        Self {
            engine,
            worker,
            hooks: Arc::default(),
            terms: ListenerTerms::new("test"),
            wires: BTreeMap::new(),
            now,
            bytes_seen: 0,
        }
    }

    /// The client of this name; one of 5.0 with a clean start connects if there is none.
    pub(crate) fn client(&mut self, name: &str) -> Client<'_> {
        if self.wires.contains_key(name) {
            return Client::new(self, name);
        }
        self.connects(name).is_let_in()
    }

    /// The same for a client of 3.1.1.
    pub(crate) fn v3_client(&mut self, name: &str) -> Client<'_> {
        if self.wires.contains_key(name) {
            return Client::new(self, name);
        }
        self.connects(name).v3().is_let_in()
    }

    /// A CONNECT to be put together.
    pub(crate) fn connects(&mut self, name: &str) -> Connecting<'_> {
        Connecting::new(self, name)
    }

    /// Puts a socket under `name`, with nothing said on it yet.
    pub(crate) fn opens_socket(&mut self, name: &str, version: ProtocolVersion) {
        let link = Arc::new(MemoryLink::default());
        let peer = Peer {
            remote_addr: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))),
            transport: Transport::Tcp,
        };
        let terms = Arc::new(self.terms.clone());
        let connection = Connection::new(Arc::clone(&link) as Arc<dyn Link>, terms, peer);
        let wire = Wire {
            connection,
            link,
            version,
            inbox: Vec::new(),
            kept: Vec::new(),
            flow: Flow::Read,
            yields: 0,
            only_acks: false,
            next_id: 1,
            reads: true,
            acknowledges: true,
            has_ended: false,
        };
        self.wires.insert(name.to_owned(), wire);
    }

    pub(crate) fn wire(&mut self, name: &str) -> &mut Wire {
        self.wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"))
    }

    /// Lets time pass, and the engine notice.
    pub(crate) fn seconds_pass(&mut self, secs: u32) {
        self.now = self.now.plus_secs(secs);
        self.worker.set_now(self.now);
        self.engine.tick(&mut self.worker);
        self.settle();
    }

    /// Lets time pass without the engine looking at what has become due.
    pub(crate) fn seconds_pass_unnoticed(&mut self, secs: u32) {
        self.now = self.now.plus_secs(secs);
        self.worker.set_now(self.now);
    }

    /// Bytes that the engine has sent to all clients together.
    pub(crate) const fn bytes_seen(&self) -> u64 {
        self.bytes_seen
    }

    /// The link has sent all that it took.
    pub(crate) fn on_room(&mut self, name: &str) {
        let Self { worker, wires, .. } = self;
        let wire = wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"));
        wire.connection.on_room(worker);
        self.settle();
    }

    /// What a counter or gauge stands at.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let all = pintle_ports::Broker::stats(&*self.engine);
        let found = all.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no counter is called {name}")).1
    }

    pub(crate) fn connected(&self) -> u64 {
        self.engine.counters().connected.load(Ordering::Relaxed)
    }

    /// Gives the engine bytes from a client.
    pub(crate) fn feed(&mut self, name: &str, bytes: &[u8]) {
        let Self { worker, wires, .. } = self;
        let wire = wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"));
        wire.kept.extend_from_slice(bytes);
        loop {
            let received = wire.connection.receive(worker, &wire.kept);
            wire.kept.drain(..received.consumed);
            wire.flow = received.flow;
            wire.only_acks = received.only_acks;
            if wire.flow != Flow::Yield {
                break;
            }
            wire.yields += 1;
        }
        self.settle();
    }

    /// Polls the hook that a connection waits for.
    pub(crate) fn poll(&mut self, name: &str) -> Poll<Flow> {
        let Self { worker, wires, .. } = self;
        let wire = wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"));
        let polled = wire.connection.poll_wait(worker, &mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(flow) = polled {
            wire.flow = flow;
            if flow == Flow::Read {
                self.feed(name, &[]);
            }
        }
        self.settle();
        polled
    }

    /// The connection is gone without a word.
    pub(crate) fn ends(&mut self, name: &str, cause: EndCause) {
        let Self { worker, wires, .. } = self;
        let wire = wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"));
        wire.has_ended = true;
        wire.connection.end(worker, cause);
        self.settle();
    }

    /// The server finds that the client was silent for too long.
    pub(crate) fn keep_alive_expires(&mut self, name: &str) {
        let Self { worker, wires, .. } = self;
        let wire = wires.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"));
        wire.connection.keep_alive_expired(worker);
        self.settle();
    }

    /// Lets bytes flow until nothing moves any more.
    pub(crate) fn settle(&mut self) {
        while self.turn() {}
    }

    fn turn(&mut self) -> bool {
        let Self { worker, wires, bytes_seen, .. } = self;
        let mut moved = false;
        for wire in wires.values_mut() {
            if wire.reads
                && let Some(taken) = wire.link.take()
            {
                moved = true;
                if taken == Taken::BytesAndMoreWaits {
                    wire.connection.on_room(worker);
                }
            }
            let bytes = wire.read(worker);
            *bytes_seen += bytes;
            moved |= bytes > 0;
            if wire.link.is_closed() && !wire.has_ended {
                wire.has_ended = true;
                wire.connection.end(worker, EndCause::ClosedByBroker);
                moved = true;
            }
        }
        moved
    }
}

impl Wire {
    /// Looks at what came, and answers as clients do. How many bytes came.
    fn read(&mut self, worker: &mut Worker) -> u64 {
        let bytes = self.link.sent();
        let seen = Seen::all_in(&bytes, self.version);
        let mut answers = Vec::new();
        if self.acknowledges && !self.link.is_closed() {
            for seen in &seen {
                self.answer(seen, &mut answers);
            }
        }
        self.inbox.extend(seen);
        if !answers.is_empty() {
            self.kept.extend_from_slice(&answers);
            let received = self.connection.receive(worker, &self.kept);
            self.kept.drain(..received.consumed);
            self.flow = received.flow;
        }
        bytes.len() as u64
    }

    fn answer(&self, seen: &Seen, answers: &mut Vec<u8>) {
        use pintle_mqtt::{AckKind, encode_ack};
        match seen.packet() {
            Packet::Publish(publish) => match (publish.flags.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => encode_ack(AckKind::PubAck, id, answers),
                (QoS::ExactlyOnce, Some(id)) => encode_ack(AckKind::PubRec, id, answers),
                _ => {}
            },
            Packet::PubRec(ack) if !ack.reason.is_failure() => {
                encode_ack(AckKind::PubRel, ack.packet_id, answers);
            }
            Packet::PubRel(ack) => encode_ack(AckKind::PubComp, ack.packet_id, answers),
            _ => {}
        }
    }

    pub(crate) fn take_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
