use std::sync::{Arc, Mutex};

use pintle_engine::{Connection, EndCause, Engine, EngineSettings, ListenerTerms, Peer, Worker};
use pintle_mqtt::{
    Connect, Layout, PacketId, Properties, ProtocolVersion, QoS, Subscribe, SubscribeBuffer,
    SubscribeOptions, Timestamp,
};
use pintle_ports::{Epoch, Hooks, Link, Outbox, Transport};

/// An engine with one worker and no sockets: what a server does around it, without the server.
pub(crate) struct EngineLoop {
    worker: Worker,
    pump: Pump,
    buffer: Vec<u8>,
    terms: Arc<ListenerTerms>,
}

/// The links that have bytes.
type Pump = Arc<Mutex<Vec<Arc<PumpedLink>>>>;

/// A link whose bytes [`EngineLoop::drain`] takes.
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

impl EngineLoop {
    /// An engine that asks `hooks`.
    pub(crate) fn new(hooks: Arc<dyn Hooks>) -> Self {
        let settings = EngineSettings { outbox_bytes_max: 16 << 20, ..EngineSettings::default() };
        let mut worker = Worker::new(&Engine::new(settings, hooks));
        worker.set_now(Timestamp::from_millis(1));
        let terms = Arc::new(ListenerTerms::new("counted"));
        Self { worker, pump: Pump::default(), buffer: Vec::new(), terms }
    }

    /// A client that has just connected, with a clean session.
    pub(crate) fn connect(&mut self, client_id: &str, version: ProtocolVersion) -> Connection {
        let mut connection = self.accept();
        self.receive(&mut connection, &connect_packet(client_id, version));
        self.drain(|_| {});
        connection
    }

    /// A Network Connection on which nothing has come yet.
    pub(crate) fn accept(&self) -> Connection {
        let link = Arc::new(PumpedLink { outbox: Mutex::new(None), pump: Arc::clone(&self.pump) });
        let peer = Peer { remote_addr: None, transport: Transport::Tcp };
        Connection::new(link, Arc::clone(&self.terms), peer)
    }

    /// A client that has just subscribed to `filter`.
    pub(crate) fn subscriber(
        &mut self,
        client_id: &str,
        version: ProtocolVersion,
        filter: &str,
        qos: QoS,
    ) -> Connection {
        let mut connection = self.connect(client_id, version);
        self.receive(&mut connection, &subscribe_packet(filter, version, qos));
        self.drain(|_| {});
        connection
    }

    /// Has the engine take all of `bytes`.
    pub(crate) fn receive(&mut self, connection: &mut Connection, bytes: &[u8]) {
        let received = connection.receive(&mut self.worker, bytes);
        assert_eq!(received.consumed, bytes.len(), "the engine did not take what a client sent");
    }

    /// Takes what every link has, and shows it.
    pub(crate) fn drain(&mut self, mut look: impl FnMut(&[u8])) {
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

    /// The client has closed its side.
    pub(crate) fn end(&mut self, connection: &mut Connection) {
        connection.end(&mut self.worker, EndCause::PeerClosed);
    }
}

/// A CONNECT with Clean Start and no Keep Alive.
pub(crate) fn connect_packet(client_id: &str, version: ProtocolVersion) -> Vec<u8> {
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
    bytes
}

/// A SUBSCRIBE to one filter.
pub(crate) fn subscribe_packet(filter: &str, version: ProtocolVersion, qos: QoS) -> Vec<u8> {
    let mut filters = SubscribeBuffer::new();
    filters.push(filter, SubscribeOptions::with_qos(qos));
    let mut bytes = Vec::new();
    let (packet_id, properties) = (PacketId::FIRST, Properties::EMPTY);
    Subscribe { packet_id, properties, filters: filters.as_filters() }.encode(version, &mut bytes);
    bytes
}

/// The oldest version that has packets of `layout`.
pub(crate) fn version_of(layout: Layout) -> ProtocolVersion {
    match layout {
        Layout::V3 => ProtocolVersion::V3_1_1,
        Layout::V5 => ProtocolVersion::V5_0,
    }
}
