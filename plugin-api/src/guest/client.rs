use std::cell::OnceCell;
use std::net::SocketAddr;

use super::bindings::pintle::plugin::{client, types};
use crate::{Client, Protocol, Transport};

/// The client that the running hook is about; the broker is asked for what is asked for here, once.
#[derive(Default)]
pub(super) struct CallingClient {
    id: OnceCell<String>,
    username: OnceCell<Option<String>>,
    principal: OnceCell<Option<String>>,
    listener: OnceCell<String>,
}

impl Client for CallingClient {
    fn client_id(&self) -> &str {
        self.id.get_or_init(client::id)
    }

    fn username(&self) -> Option<&str> {
        self.username.get_or_init(client::username).as_deref()
    }

    fn principal(&self) -> Option<&str> {
        self.principal.get_or_init(client::principal).as_deref()
    }

    fn protocol(&self) -> Protocol {
        match client::protocol() {
            types::Protocol::Mqtt31 => Protocol::Mqtt31,
            types::Protocol::Mqtt311 => Protocol::Mqtt311,
            types::Protocol::Mqtt5 => Protocol::Mqtt5,
        }
    }

    fn transport(&self) -> Transport {
        match client::transport() {
            types::Transport::Tcp => Transport::Tcp,
            types::Transport::Tls => Transport::Tls,
            types::Transport::WebSocket => Transport::WebSocket,
            types::Transport::WebSocketTls => Transport::WebSocketTls,
            types::Transport::Internal => Transport::Internal,
        }
    }

    fn listener(&self) -> &str {
        self.listener.get_or_init(client::listener)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        address(client::remote_addr())
    }

    fn session_key(&self) -> u64 {
        client::session_key()
    }
}

/// An address as the broker writes it.
pub(super) fn address(text: Option<String>) -> Option<SocketAddr> {
    text?.parse().ok()
}
