//! What `pub` and `sub` have in common: where to connect and as whom. The letters are those that
//! users of mosquitto's clients know.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{ArgAction, Args};
use pintle_mqtt::{ProtocolVersion, QoS};

use crate::client::{ConnectOptions, OutgoingMessage, OutgoingProperties, TlsOptions, Will};

#[derive(Args, Debug)]
pub(super) struct ClientArgs {
    /// Host name or address of the broker
    #[arg(short = 'h', long, default_value = "localhost", value_name = "HOST")]
    host: String,
    /// Port; 1883 if not given, 8883 with TLS, 9001 with --ws
    #[arg(short = 'p', long)]
    port: Option<u16>,
    /// User name
    #[arg(short = 'u', long)]
    username: Option<String>,
    /// Password; others on this machine can see it while the command runs
    #[arg(short = 'P', long)]
    password: Option<String>,
    /// Client Identifier; the broker assigns one if not given
    #[arg(short = 'i', long = "id")]
    client_id: Option<String>,
    /// MQTT version: 31, 311 or 5
    #[arg(short = 'V', long = "mqtt-version", default_value = "5", value_parser = parse_version)]
    version: Version,
    /// Seconds after which a silent connection is shown to be alive; 0 for never
    #[arg(short = 'k', long, default_value_t = 60, value_name = "SECONDS")]
    keepalive: u16,
    /// Keep the session when the connection ends, and come back to it; needs -i
    #[arg(short = 'c', long = "disable-clean-session", requires = "client_id")]
    keep_session: bool,
    /// How long the broker keeps the session, with MQTT 5
    #[arg(short = 'x', long, value_name = "SECONDS")]
    session_expiry: Option<u32>,
    /// Use TLS and trust the certificates in this file
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// Use TLS and trust what the system trusts
    #[arg(long)]
    tls: bool,
    /// Use WebSocket
    #[arg(long)]
    ws: bool,
    /// Path of the WebSocket
    #[arg(long, default_value = "mqtt", requires = "ws", value_name = "PATH")]
    ws_path: String,
    /// Topic of a message that the broker sends if this connection breaks
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<String>,
    /// Payload of that message
    #[arg(long, requires = "will_topic", default_value = "", value_name = "TEXT")]
    will_payload: String,
    /// QoS of that message
    #[arg(long, requires = "will_topic", default_value = "0", value_parser = parse_qos, value_name = "QOS")]
    will_qos: QoS,
    /// Retain that message
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
    /// Seconds until that message is sent, with MQTT 5
    #[arg(long, requires = "will_topic", value_name = "SECONDS")]
    will_delay: Option<u32>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Version(ProtocolVersion);

fn parse_version(text: &str) -> Result<Version, String> {
    match text.trim_start_matches("mqttv") {
        "31" | "3.1" => Ok(Version(ProtocolVersion::V3_1)),
        "311" | "3.1.1" => Ok(Version(ProtocolVersion::V3_1_1)),
        "5" | "5.0" => Ok(Version(ProtocolVersion::V5_0)),
        _ => Err("it is one of 31, 311 and 5".to_owned()),
    }
}

pub(super) fn parse_qos(text: &str) -> Result<QoS, String> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("it is one of 0, 1 and 2".to_owned()),
    }
}

impl ClientArgs {
    pub(super) fn is_v5(&self) -> bool {
        self.version.0.is_v5()
    }

    pub(super) fn options(&self) -> Result<ConnectOptions> {
        let version = self.version.0;
        if !version.is_v5() && (self.session_expiry.is_some() || self.will_delay.is_some()) {
            bail!("--session-expiry and --will-delay need MQTT 5 (-V 5)");
        }
        if !version.is_v5() && self.password.is_some() && self.username.is_none() {
            bail!("before MQTT 5 a password (-P) needs a user name (-u)");
        }
        let tls = (self.tls || self.cafile.is_some())
            .then(|| TlsOptions { ca_file: self.cafile.clone() });
        let usual_port = match (self.ws, tls.is_some()) {
            (true, _) => 9001,
            (false, true) => 8883,
            (false, false) => 1883,
        };
        Ok(ConnectOptions {
            host: self.host.clone(),
            port: self.port.unwrap_or(usual_port),
            tls,
            web_socket: self.ws.then(|| self.ws_path.clone()),
            version,
            client_id: self.client_id(),
            clean_start: !self.keep_session,
            session_expiry_secs: self.session_expiry_secs(),
            keep_alive_secs: self.keepalive,
            username: self.username.clone(),
            password: self.password.clone(),
            will: self.will(),
        })
    }

    fn client_id(&self) -> String {
        match (&self.client_id, self.version.0) {
            (Some(id), _) => id.clone(),
            // 3.1 has no assigned identifiers.
            (None, ProtocolVersion::V3_1) => format!("pintle-{}", std::process::id()),
            (None, ProtocolVersion::V3_1_1 | ProtocolVersion::V5_0) => String::new(),
        }
    }

    fn session_expiry_secs(&self) -> u32 {
        let usual = if self.keep_session && self.is_v5() { u32::MAX } else { 0 };
        self.session_expiry.unwrap_or(usual)
    }

    fn will(&self) -> Option<Will> {
        let message = OutgoingMessage {
            topic: self.will_topic.clone()?,
            payload: self.will_payload.clone().into_bytes(),
            qos: self.will_qos,
            retain: self.will_retain,
            properties: OutgoingProperties::default(),
        };
        Some(Will { message, delay_secs: self.will_delay })
    }
}
