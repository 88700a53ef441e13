use std::net::SocketAddr;

/// The MQTT version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 3.1.
    Mqtt31,
    /// MQTT 3.1.1.
    Mqtt311,
    /// MQTT 5.0.
    Mqtt5,
}

/// How a client reaches the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket over TCP.
    WebSocket,
    /// WebSocket over TLS.
    WebSocketTls,
    /// Not a client of the network: a plugin, or the broker itself.
    Internal,
}

/// A client as hooks see it. Asking costs nothing; nothing is copied until it is asked for.
pub trait Client {
    /// Client Identifier, also where the broker assigned it.
    fn client_id(&self) -> &str;
    /// User Name of CONNECT.
    fn username(&self) -> Option<&str>;
    /// Who authentication found the client to be; the user name where it did not say.
    fn principal(&self) -> Option<&str>;
    /// MQTT version.
    fn protocol(&self) -> Protocol;
    /// How it is connected.
    fn transport(&self) -> Transport;
    /// Name of the listener it came by.
    fn listener(&self) -> &str;
    /// Its address; `None` for what is not on the network.
    fn remote_addr(&self) -> Option<SocketAddr>;
    /// Stable for the life of the session, unique in this process.
    fn session_key(&self) -> u64;
}

/// A [`Client`] made of plain values: for tests, `pintle plugin explain` and case files.
#[derive(Clone, Debug)]
pub struct ClientDescription {
    /// Client Identifier.
    pub client_id: String,
    /// User Name.
    pub username: Option<String>,
    /// Principal, if it differs from the user name.
    pub principal: Option<String>,
    /// MQTT version.
    pub protocol: Protocol,
    /// Transport.
    pub transport: Transport,
    /// Listener name.
    pub listener: String,
    /// Address.
    pub remote_addr: Option<SocketAddr>,
    /// Session key.
    pub session_key: u64,
}

impl ClientDescription {
    /// A client of MQTT 5.0 over TCP with this Client Identifier and User Name.
    pub fn new(client_id: &str, username: Option<&str>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            username: username.map(str::to_owned),
            principal: None,
            protocol: Protocol::Mqtt5,
            transport: Transport::Tcp,
            listener: "default".to_owned(),
            remote_addr: None,
            session_key: 1,
        }
    }
}

impl Client for ClientDescription {
    fn client_id(&self) -> &str {
        &self.client_id
    }
    fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }
    fn principal(&self) -> Option<&str> {
        self.principal.as_deref().or(self.username.as_deref())
    }
    fn protocol(&self) -> Protocol {
        self.protocol
    }
    fn transport(&self) -> Transport {
        self.transport
    }
    fn listener(&self) -> &str {
        &self.listener
    }
    fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }
    fn session_key(&self) -> u64 {
        self.session_key
    }
}
