//! `[[listener]]`: where clients connect, and on what terms.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use figment::value::Value;
use pintle_engine::ListenerTerms;
use pintle_mqtt::QoS;

use super::layers::{Node, Origin};
use super::limits::{Limits, PACKET_BYTES_END};
use super::section::Section;
use crate::tls::{self, TlsFiles};

/// What a listener speaks below MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT over TCP.
    Mqtt,
    /// MQTT over WebSocket.
    WebSocket,
}

/// Which web pages may connect to a WebSocket listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Those that the listener's own host name served.
    SameHost,
    /// All.
    Any,
    /// These, written as browsers do: `https://example.org`.
    List(Vec<String>),
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Where it listens.
    pub bind: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Certificate and key, read and checked, if it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Whether clients that no plugin decided on are let in; `None` if the configuration leaves
    /// that to [`ListenerConfig::terms`].
    pub anonymous: Option<bool>,
    /// Which web pages may connect.
    pub allowed_origins: AllowedOrigins,
    /// Network Connections it takes.
    pub connections_max: u32,
    /// Network Connections it takes from one address; 0 for no limit.
    pub connections_per_address_max: u32,
    /// One of those that are there without any configuration.
    pub is_default: bool,
    /// Where it is written.
    pub origin: Origin,
    terms: ListenerTerms,
}

impl ListenerConfig {
    /// A listener as the configuration has it without a word.
    pub fn new(bind: SocketAddr, protocol: Protocol, limits: &Limits) -> Self {
        let mut terms = ListenerTerms::new(&bind.to_string());
        terms.packet_bytes_max = limits.packet_bytes_max;
        Self {
            bind,
            protocol,
            tls: None,
            anonymous: None,
            allowed_origins: AllowedOrigins::SameHost,
            connections_max: limits.connections_max,
            connections_per_address_max: limits.connections_per_address_max,
            is_default: false,
            origin: Origin::Default,
            terms,
        }
    }

    /// Its name in logs and for plugins.
    pub fn name(&self) -> &str {
        &self.terms.name
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        match self.bind.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        }
    }

    /// What clients may do here. Anonymous ones may connect if the configuration says so, or if it
    /// says nothing, the listener is a loopback one and no plugin authenticates.
    pub fn terms(&self, has_authenticator: bool) -> Arc<ListenerTerms> {
        let anonymous = self.anonymous.unwrap_or(self.is_loopback() && !has_authenticator);
        Arc::new(ListenerTerms { anonymous, ..self.terms.clone() })
    }

    /// Whether `other` is the same but for certificate and key.
    pub(crate) fn is_same_but_tls(&self, other: &Self) -> bool {
        self.bind == other.bind
            && self.protocol == other.protocol
            && self.tls.is_some() == other.tls.is_some()
            && self.anonymous == other.anonymous
            && self.allowed_origins == other.allowed_origins
            && self.connections_max == other.connections_max
            && self.connections_per_address_max == other.connections_per_address_max
            && self.terms == other.terms
    }

    /// What is wrong with letting it be, if something is: beyond loopback somebody has to say who
    /// may connect.
    pub fn anonymity_problem(&self, has_authenticator: bool) -> Option<String> {
        if self.is_loopback() || has_authenticator || self.anonymous.is_some() {
            return None;
        }
        Some(format!(
            "{} is reachable beyond this machine, but nothing says who may connect. \
             Either add a plugin that authenticates, as [[plugin]] use = \"builtin:password-file\", \
             or write anonymous = true in its [[listener]] to let everybody in.",
            self.bind
        ))
    }
}

/// The listeners without any configuration: MQTT and WebSocket.
pub(super) fn defaults() -> Value {
    let websocket = [("bind", "127.0.0.1:9001"), ("protocol", "websocket")];
    Value::from(vec![entry("127.0.0.1:1883"), Value::from(BTreeMap::from(websocket))])
}

/// An entry that listens for MQTT at `bind`.
pub(super) fn entry(bind: &str) -> Value {
    BTreeMap::from([("bind", bind)]).into()
}

/// Reads an entry; `None` if it does not say where to listen.
pub(super) fn read(mut section: Section<'_>, limits: &Limits) -> Option<ListenerConfig> {
    let bind = read_bind(&mut section);
    let protocol = section.choice_or("protocol", &PROTOCOLS, Protocol::Mqtt);
    let somewhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let base = ListenerConfig::new(bind.unwrap_or(somewhere), protocol, limits);
    let name = section.text_or("name", base.name());
    let listener = ListenerConfig {
        tls: read_tls(&mut section),
        anonymous: read_anonymous(&mut section),
        allowed_origins: read_origins(&mut section, protocol),
        connections_max: section.number_or("connections_max", base.connections_max, 1..=u32::MAX),
        connections_per_address_max: section.number_or(
            "connections_per_address_max",
            base.connections_per_address_max,
            0..=u32::MAX,
        ),
        terms: read_terms(&mut section, &name, &base.terms),
        origin: section.origin.clone(),
        ..base
    };
    section.finish();
    bind.map(|_| listener)
}

const PROTOCOLS: [(&str, Protocol); 2] =
    [("mqtt", Protocol::Mqtt), ("websocket", Protocol::WebSocket)];

const QOS: [(u64, QoS); 3] = [(0, QoS::AtMostOnce), (1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)];

fn read_bind(section: &mut Section<'_>) -> Option<SocketAddr> {
    if section.node("bind").is_none() {
        let what = "missing: say where to listen, as in bind = \"127.0.0.1:1883\"";
        section.problem("bind", &section.origin, what);
        return None;
    }
    let expected = "an address and a port, such as \"127.0.0.1:1883\" or \"[::]:1883\"";
    let bind = section.read("bind", expected, |node| parse_bind(&node.text()?))?;
    let origin = section.origin_of("bind");
    section.show("bind", &format!("\"{bind}\""), &origin);
    Some(bind)
}

/// Reads an address and port; `localhost` is 127.0.0.1.
fn parse_bind(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into());
    }
    text.parse().ok()
}

fn read_tls(section: &mut Section<'_>) -> Option<TlsFiles> {
    let written = section.node("tls")?.origin();
    let mut files = section.section("tls");
    let (cert, key) = (files.path("cert"), files.path("key"));
    files.finish();
    let (Some(cert), Some(key)) = (cert, key) else {
        let what = "needs both files, as in tls = { cert = \"cert.pem\", key = \"key.pem\" }";
        section.problem("tls", &written, what);
        return None;
    };
    match tls::load(cert, key) {
        Ok(files) => {
            if let Some(warning) = &files.warning {
                let name = section.name("tls");
                section.findings.warning(&written, &name, warning.as_str());
            }
            Some(files)
        }
        Err(error) => {
            section.problem("tls", &written, error.to_string());
            None
        }
    }
}

fn read_anonymous(section: &mut Section<'_>) -> Option<bool> {
    let anonymous = section.bool("anonymous");
    match anonymous {
        Some(_) => section.show_as_written("anonymous"),
        None => section.show("anonymous", &"…", &Origin::Default),
    }
    anonymous
}

fn read_origins(section: &mut Section<'_>, protocol: Protocol) -> AllowedOrigins {
    let expected = "\"same-host\", \"any\" or a list such as [\"https://example.org\"]";
    let found = section.read("allowed_origins", expected, origins);
    let origin = section.origin_of("allowed_origins");
    match (&found, protocol) {
        (Some(_), Protocol::Mqtt) => {
            let what = "only protocol = \"websocket\" has origins";
            section.problem("allowed_origins", &origin, what);
        }
        (Some(_), Protocol::WebSocket) => section.show_as_written("allowed_origins"),
        (None, Protocol::WebSocket) => section.show("allowed_origins", &"\"same-host\"", &origin),
        (None, Protocol::Mqtt) => {}
    }
    found.unwrap_or(AllowedOrigins::SameHost)
}

fn origins(node: &Node<'_>) -> Option<AllowedOrigins> {
    match node.value.as_str() {
        Some("same-host") => Some(AllowedOrigins::SameHost),
        Some("any") => Some(AllowedOrigins::Any),
        Some(_) => None,
        None => {
            let list = node.items()?.map(|item| item.text()).collect::<Option<_>>()?;
            Some(AllowedOrigins::List(list))
        }
    }
}

fn read_terms(section: &mut Section<'_>, name: &str, base: &ListenerTerms) -> ListenerTerms {
    let max_qos = section.number_or("max_qos", 2, 0..=2);
    let max_qos = QOS.iter().find(|(number, _)| *number == max_qos);
    ListenerTerms {
        name: name.into(),
        anonymous: base.anonymous,
        max_qos: max_qos.map_or(base.max_qos, |(_, qos)| *qos),
        retain_available: section.bool_or("retain_available", base.retain_available),
        wildcard_subscription_available: section
            .bool_or("wildcard_subscription_available", base.wildcard_subscription_available),
        shared_subscription_available: section
            .bool_or("shared_subscription_available", base.shared_subscription_available),
        subscription_identifier_available: section
            .bool_or("subscription_identifier_available", base.subscription_identifier_available),
        receive_maximum: section.number_or("receive_maximum", base.receive_maximum, 1..=u16::MAX),
        topic_alias_maximum: section.number_or(
            "topic_alias_maximum",
            base.topic_alias_maximum,
            0..=u16::MAX,
        ),
        packet_bytes_max: section.bytes_or(
            "packet_bytes_max",
            base.packet_bytes_max,
            128..=PACKET_BYTES_END,
        ),
        keep_alive_secs_max: section.number_or(
            "keep_alive_secs_max",
            base.keep_alive_secs_max,
            0..=u16::MAX,
        ),
        client_id_prefix: section.text_or("client_id_prefix", "").into(),
        subscriptions_max: read_subscriptions_max(section),
        assign_client_id: section.bool_or("assign_client_id", base.assign_client_id),
    }
}

fn read_subscriptions_max(section: &mut Section<'_>) -> Option<u32> {
    let expected = "a number";
    let max =
        section.read("subscriptions_max", expected, |node| node.value.to_i128()?.try_into().ok());
    section.show_as_written("subscriptions_max");
    max
}
