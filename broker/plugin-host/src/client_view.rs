use std::net::SocketAddr;

use pintle_mqtt::ProtocolVersion;
use pintle_plugin_api as api;
use pintle_ports::{Identity, Transport};

/// A client as plugins see it.
#[derive(Clone, Copy)]
pub(crate) struct ClientView<'a>(pub(crate) &'a Identity);

impl api::Client for ClientView<'_> {
    fn client_id(&self) -> &str {
        &self.0.client_id
    }

    fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    fn principal(&self) -> Option<&str> {
        self.0.principal()
    }

    fn protocol(&self) -> api::Protocol {
        match self.0.protocol {
            ProtocolVersion::V3_1 => api::Protocol::Mqtt31,
            ProtocolVersion::V3_1_1 => api::Protocol::Mqtt311,
            ProtocolVersion::V5_0 => api::Protocol::Mqtt5,
        }
    }

    fn transport(&self) -> api::Transport {
        match self.0.transport {
            Transport::Tcp => api::Transport::Tcp,
            Transport::Tls => api::Transport::Tls,
            Transport::WebSocket => api::Transport::WebSocket,
            Transport::WebSocketTls => api::Transport::WebSocketTls,
            Transport::Internal => api::Transport::Internal,
        }
    }

    fn listener(&self) -> &str {
        &self.0.listener
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote_addr.map(SocketAddr::from)
    }

    fn session_key(&self) -> u64 {
        self.0.session_key
    }
}
