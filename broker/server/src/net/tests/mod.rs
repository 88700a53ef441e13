mod client;
mod closing;
mod held_back;
mod limits;
mod open_hooks;
mod plain;
mod slow_receivers;
mod tls;
mod waiting;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pintle_engine::{Engine, EngineSettings, ListenerTerms};
use pintle_ports::Hooks;

use self::client::Client;
use self::open_hooks::OpenHooks;
use super::*;

/// A broker on a port of its own, and how to reach it.
struct TestBroker {
    net: Net,
    engine: Arc<Engine>,
    address: SocketAddr,
}

impl TestBroker {
    fn open() -> Self {
        Self::with(settings(), plain())
    }

    fn with(settings: NetSettings, spec: ListenerSpec) -> Self {
        Self::with_hooks(settings, spec, Arc::new(OpenHooks::default()))
    }

    fn with_hooks(settings: NetSettings, spec: ListenerSpec, hooks: Arc<dyn Hooks>) -> Self {
        Self::around(Engine::new(EngineSettings::default(), hooks), settings, spec)
    }

    fn with_engine(settings: EngineSettings) -> Self {
        let engine = Engine::new(settings, Arc::new(OpenHooks::default()));
        Self::around(engine, self::settings(), plain())
    }

    fn around(engine: Arc<Engine>, settings: NetSettings, spec: ListenerSpec) -> Self {
        let net = Net::start(Arc::clone(&engine), settings).unwrap();
        let address = net.listen(spec).unwrap();
        Self { net, engine, address }
    }

    fn client(&self, id: &str) -> Client {
        Client::connect(self.address, id)
    }

    /// Returns once the broker has let go of all connections.
    fn wait_until_empty(&self) {
        self.net.connections.wait_until_empty(std::time::Instant::now() + Duration::from_secs(20));
        assert_eq!(self.net.connection_count(), 0);
    }
}

fn settings() -> NetSettings {
    NetSettings { workers: 1, connections_max: 1000, handshake_timeout: Duration::from_secs(10) }
}

fn plain() -> ListenerSpec {
    ListenerSpec {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        terms: Arc::new(ListenerTerms::new("test")),
        kind: Kind::Tcp,
        tls: None,
        allowed_origins: OriginPolicy::SameHost,
        connections_max: 1000,
        connections_per_address_max: 1000,
    }
}

fn web() -> ListenerSpec {
    ListenerSpec { kind: Kind::WebSocket, ..plain() }
}
