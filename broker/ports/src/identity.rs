use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use pintle_mqtt::ProtocolVersion;

/// How a client reaches the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket over TCP.
    WebSocket,
    /// WebSocket over TLS.
    WebSocketTls,
    /// No Network Connection: a plugin, or the broker itself.
    Internal,
}

/// Who a client is, as authentication left it; made once for each Network Connection.
#[derive(Debug)]
pub struct Identity {
    /// Stable for the life of the session, unique in this process.
    pub session_key: u64,
    /// Client Identifier, also where the server assigned it.
    pub client_id: Arc<str>,
    /// User Name of CONNECT.
    pub username: Option<Box<str>>,
    /// Who authentication says it is, where that is not the user name.
    pub principal: Option<Box<str>>,
    /// MQTT version.
    pub protocol: ProtocolVersion,
    /// How it is connected.
    pub transport: Transport,
    /// Name of the listener it came by.
    pub listener: Arc<str>,
    /// Its address.
    pub remote_addr: Option<SocketAddr>,
    /// The rules that authentication returned, compiled: the first voter on what it may do.
    pub rules: Option<Arc<dyn Voter>>,
}

impl Identity {
    /// The same identity again, to be changed.
    pub fn copied(&self) -> Self {
        Self {
            session_key: self.session_key,
            client_id: Arc::clone(&self.client_id),
            username: self.username.clone(),
            principal: self.principal.clone(),
            protocol: self.protocol,
            transport: self.transport,
            listener: Arc::clone(&self.listener),
            remote_addr: self.remote_addr,
            rules: self.rules.clone(),
        }
    }

    /// The principal, or else the user name.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref().or(self.username.as_deref())
    }
}

/// Compiled rules of one session. Only the plugin host, which makes them, looks inside.
pub trait Voter: Any + Send + Sync + std::fmt::Debug {
    /// The value itself, for the plugin host to take back its own type.
    fn as_any(&self) -> &dyn Any;
}
