use std::path::PathBuf;

use pintle_mqtt::ProtocolVersion;

use super::OutgoingMessage;

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<TlsOptions>,
    /// The path of the WebSocket, if MQTT runs over one.
    pub(crate) web_socket: Option<String>,
    pub(crate) version: ProtocolVersion,
    pub(crate) client_id: String,
    pub(crate) clean_start: bool,
    pub(crate) session_expiry_secs: u32,
    pub(crate) keep_alive_secs: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) will: Option<Will>,
}

/// Whom to trust.
#[derive(Clone, Debug)]
pub(crate) struct TlsOptions {
    /// A file of certificates; `None` for those that the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
}

/// What the broker sends if the connection breaks.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) message: OutgoingMessage,
    pub(crate) delay_secs: Option<u32>,
}
