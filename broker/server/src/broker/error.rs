use std::io;
use std::net::SocketAddr;

use pintle_plugin_host::LoadError;
use pintle_ports::StoreError;
use thiserror::Error;

use crate::admin::AdminError;
use crate::config::{Config, ConfigError, Origin, Problem};
use crate::net::ListenError;

/// Why a broker does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration has faults, or a plugin does not take its settings.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// What was given to `listen` is no address and port.
    #[error("cannot listen on {0:?}: expected an address and a port, such as \"127.0.0.1:1883\"")]
    Bind(String),
    /// A port is taken.
    #[error("cannot listen on {address}: the port is in use. {}", port_advice(*.address, .origin))]
    PortInUse {
        /// Where it should have listened.
        address: SocketAddr,
        /// Where that is written.
        origin: Origin,
    },
    /// An address can not be listened on.
    #[error("{error} ({origin})")]
    Listen {
        /// What the system says.
        error: ListenError,
        /// Where the address is written.
        origin: Origin,
    },
    /// A certificate can not be used.
    #[error("cannot speak TLS on {address}: {error}")]
    Tls {
        /// The listener.
        address: SocketAddr,
        /// What is wrong.
        error: rustls::Error,
    },
    /// The admin interface has no place to answer at.
    #[error("{0}")]
    Admin(#[from] AdminError),
    /// The plugin that is the store can not be opened or read.
    #[error("cannot take up what is stored: {0}")]
    Store(#[from] StoreError),
    /// The system has no threads or descriptors left.
    #[error("cannot start the broker's threads: {0}")]
    Threads(#[from] io::Error),
}

fn port_advice(address: SocketAddr, origin: &Origin) -> String {
    let holder = if matches!(address.port(), 1883 | 8883) {
        "Perhaps another broker runs here: Debian and Ubuntu start mosquitto by themselves \
         (`systemctl status mosquitto` tells, `sudo systemctl disable --now mosquitto` stops it). "
    } else {
        "`ss -ltnp` tells what holds it. "
    };
    let port = address.port().checked_add(1).unwrap_or(1883);
    let other = SocketAddr::new(address.ip(), port);
    let way_out = match origin {
        Origin::Default | Origin::Flag(_) => format!("Or take another port: --bind {other}"),
        Origin::File { .. } | Origin::Environment(_) => {
            format!("Or take another port: change bind at {origin}")
        }
    };
    format!("{holder}{way_out}")
}

/// What a plugin has against its settings, with the place of its entry.
pub(crate) fn load_problem(config: &Config, error: &LoadError) -> ConfigError {
    let origin_of = |name: &String| {
        let plugin = config.plugins.iter().find(|plugin| plugin.name == *name);
        plugin.map(|plugin| plugin.origin.clone())
    };
    let origin = match error {
        LoadError::Settings { plugin, .. }
        | LoadError::NoErrorPolicy { plugin, .. }
        | LoadError::InvalidFilter { plugin, .. }
        | LoadError::Code { plugin, .. }
        | LoadError::Case { plugin, .. }
        | LoadError::StoreInUse { plugin }
        | LoadError::StoreTooLate { plugin }
        | LoadError::StoreStays { plugin, .. }
        | LoadError::NothingBefore { plugin } => origin_of(plugin),
        LoadError::DuplicateName { name }
        | LoadError::UnknownInOrder { name, .. }
        | LoadError::HooklessInOrder { name, .. }
        | LoadError::TwiceInOrder { name, .. }
        | LoadError::MissingInOrder { name, .. } => origin_of(name),
        LoadError::MethodTwice { second, .. } | LoadError::TwoStores { second, .. } => {
            origin_of(second)
        }
        LoadError::TooMany { .. } | LoadError::NoSuchPlugin { .. } => None,
    };
    Problem { origin, key: String::new(), what: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_of_mqtt_names_mosquitto_and_another_port() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1883));
        let error = StartError::PortInUse { address, origin: Origin::Default }.to_string();
        assert!(error.starts_with("cannot listen on 127.0.0.1:1883: the port is in use."));
        assert!(error.contains("Debian and Ubuntu start mosquitto by themselves"), "{error}");
        assert!(error.ends_with("--bind 127.0.0.1:1884"), "{error}");
    }
}
