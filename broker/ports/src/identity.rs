use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
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

/// Address and port of a peer, in fewer bytes than a [`SocketAddr`]: without flow and scope of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RemoteAddr {
    ip: IpAddr,
    port: u16,
}

impl RemoteAddr {
    /// The address without the port.
    pub const fn ip(self) -> IpAddr {
        self.ip
    }
}

impl From<SocketAddr> for RemoteAddr {
    fn from(addr: SocketAddr) -> Self {
        Self { ip: addr.ip(), port: addr.port() }
    }
}

impl From<RemoteAddr> for SocketAddr {
    fn from(addr: RemoteAddr) -> Self {
        Self::new(addr.ip, addr.port)
    }
}

impl fmt::Debug for RemoteAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&SocketAddr::from(*self), f)
    }
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
    /// What authentication gave it, if it gave anything.
    pub granted: Option<Box<Granted>>,
    /// MQTT version.
    pub protocol: ProtocolVersion,
    /// How it is connected.
    pub transport: Transport,
    /// Name of the listener it came by.
    pub listener: Arc<str>,
    /// Its address.
    pub remote_addr: Option<RemoteAddr>,
}

/// What authentication says of a client beyond that it may come in.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Who it is, where that is not the user name.
    pub principal: Option<Box<str>>,
    /// Its rules, compiled: the first voter on what it may do.
    pub rules: Option<Arc<dyn Voter>>,
}

impl Granted {
    /// Nothing if both are nothing, which takes no memory.
    pub fn new(principal: Option<Box<str>>, rules: Option<Arc<dyn Voter>>) -> Option<Box<Self>> {
        (principal.is_some() || rules.is_some()).then(|| Box::new(Self { principal, rules }))
    }
}

impl Identity {
    /// The same identity again, to be changed.
    pub fn copied(&self) -> Self {
        Self {
            session_key: self.session_key,
            client_id: Arc::clone(&self.client_id),
            username: self.username.clone(),
            granted: self.granted.clone(),
            protocol: self.protocol,
            transport: self.transport,
            listener: Arc::clone(&self.listener),
            remote_addr: self.remote_addr,
        }
    }

    /// The principal, or else the user name.
    pub fn principal(&self) -> Option<&str> {
        let granted = self.granted.as_ref().and_then(|granted| granted.principal.as_deref());
        granted.or(self.username.as_deref())
    }

    /// The rules that authentication returned.
    #[inline]
    pub fn rules(&self) -> Option<&Arc<dyn Voter>> {
        self.granted.as_ref()?.rules.as_ref()
    }
}

/// Compiled rules of one session. Only the plugin host, which makes them, looks inside.
pub trait Voter: Any + Send + Sync + std::fmt::Debug {
    /// The value itself, for the plugin host to take back its own type.
    fn as_any(&self) -> &dyn Any;
}
