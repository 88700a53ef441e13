//! Listeners as the configuration wants them, opened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{info, warn};

use super::StartError;
use crate::config::{AllowedOrigins, Config, ListenerConfig, Protocol};
use crate::net::{Kind, ListenerSpec, Net, OriginPolicy};
use crate::tls::CertificateSlot;

/// A listener that is open.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Its name in logs and for plugins.
    pub name: String,
    /// Where it listens, with the port where the system chose one.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its certificate, exchangeable, if it speaks TLS.
    pub(super) certificate: Option<Arc<CertificateSlot>>,
}

/// Opens all listeners. That of the WebSocket that is there without any configuration may fail
/// with a warning.
pub(super) fn start_listening(
    net: &Net,
    config: &Config,
    has_authenticator: bool,
) -> Result<Vec<Listening>, StartError> {
    let mut open = Vec::new();
    for listener in &config.listeners {
        match listen(net, listener, has_authenticator) {
            Ok(listening) => open.push(listening),
            Err(error) if listener.is_default && listener.protocol == Protocol::WebSocket => {
                warn!("There is no WebSocket: cannot listen on {}: {error}", listener.bind);
            }
            Err(error) => return Err(start_error(listener, error)),
        }
    }
    Ok(open)
}

fn listen(
    net: &Net,
    listener: &ListenerConfig,
    has_authenticator: bool,
) -> Result<Listening, Failure> {
    let certificate = listener.tls.as_ref().map(CertificateSlot::new);
    let spec = listener_spec(listener, certificate.as_ref(), has_authenticator)?;
    let address = net.listen(spec)?;
    let what = match (listener.protocol, certificate.is_some()) {
        (Protocol::Mqtt, false) => "MQTT",
        (Protocol::Mqtt, true) => "MQTT over TLS",
        (Protocol::WebSocket, false) => "MQTT over WebSocket",
        (Protocol::WebSocket, true) => "MQTT over WebSocket and TLS",
    };
    info!("Listening for {what} on {address}.");
    Ok(Listening {
        name: listener.name().to_owned(),
        address,
        protocol: listener.protocol,
        certificate,
    })
}

fn listener_spec(
    listener: &ListenerConfig,
    certificate: Option<&Arc<CertificateSlot>>,
    has_authenticator: bool,
) -> Result<ListenerSpec, rustls::Error> {
    let connections_per_address_max = match listener.connections_per_address_max {
        0 => usize::MAX,
        max => max as usize,
    };
    Ok(ListenerSpec {
        bind: listener.bind,
        terms: listener.terms(has_authenticator),
        kind: match listener.protocol {
            Protocol::Mqtt => Kind::Tcp,
            Protocol::WebSocket => Kind::WebSocket,
        },
        tls: certificate.map(CertificateSlot::server_config).transpose()?,
        allowed_origins: match &listener.allowed_origins {
            AllowedOrigins::SameHost => OriginPolicy::SameHost,
            AllowedOrigins::Any => OriginPolicy::Any,
            AllowedOrigins::List(list) => OriginPolicy::List(list.clone()),
        },
        connections_max: listener.connections_max as usize,
        connections_per_address_max,
    })
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", .0.source)]
    Listen(#[from] crate::net::ListenError),
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

fn start_error(listener: &ListenerConfig, failure: Failure) -> StartError {
    let (address, origin) = (listener.bind, listener.origin.clone());
    match failure {
        Failure::Tls(error) => StartError::Tls { address, error },
        Failure::Listen(error) if error.source.kind() == io::ErrorKind::AddrInUse => {
            StartError::PortInUse { address, origin }
        }
        Failure::Listen(error) => StartError::Listen { error, origin },
    }
}

/// A warning for each listener that takes passwords where others can read them.
pub(crate) fn plain_passwords(
    config: &Config,
    has_authenticator: bool,
) -> impl Iterator<Item = String> {
    config
        .listeners
        .iter()
        .filter(move |listener| {
            has_authenticator && listener.tls.is_none() && !listener.is_loopback()
        })
        .map(|listener| {
            format!(
                "{} takes passwords without TLS, and is reachable beyond this machine: others on \
                 the way can read them. Give the listener tls = {{ cert = \"…\", key = \"…\" }}",
                listener.bind
            )
        })
}
