use std::cell::OnceCell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::bindings::pintle::plugin::{client, types};
use super::known_client::KnownClient;
use crate::{Client, Protocol, Transport};

/// The client that the running hook is about; the broker is asked for what is asked for here, if it
/// was not before.
#[derive(Default)]
pub(super) struct CallingClient {
    number: u64,
    known: OnceCell<Rc<KnownClient>>,
    listener: OnceCell<String>,
}

impl CallingClient {
    /// The client of this number.
    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    fn known(&self) -> &KnownClient {
        self.known.get_or_init(|| KnownClient::numbered(self.number))
    }
}

impl Client for CallingClient {
    fn client_id(&self) -> &str {
        self.known().id()
    }

    fn username(&self) -> Option<&str> {
        self.known().username()
    }

    fn principal(&self) -> Option<&str> {
        self.known().principal()
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
        self.known().session_key()
    }
}

/// An address as the broker writes it.
pub(super) fn address(text: Option<String>) -> Option<SocketAddr> {
    text?.parse().ok()
}
