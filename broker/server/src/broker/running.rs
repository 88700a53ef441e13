use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use pintle_engine::Engine;
use pintle_plugin_host::PluginHost;
use tracing::info;

use super::reload::{self, Current};
use super::{Listening, ReloadError, Reloaded};
use crate::config::Sources;
use crate::net::Net;
use crate::telemetry::Telemetry;

/// A broker that serves. Dropping it ends it without leave-taking; [`Running::shutdown`] is kinder.
pub struct Running {
    pub(super) net: Option<Net>,
    pub(super) listening: Vec<Listening>,
    pub(super) engine: Arc<Engine>,
    pub(super) host: Arc<PluginHost>,
    pub(super) control: Option<JoinHandle<()>>,
    pub(super) sources: Option<Sources>,
    pub(super) telemetry: Option<Telemetry>,
    pub(super) current: Mutex<Current>,
}

/// How long clients may take to hear that the broker ends.
const GRACE: Duration = Duration::from_secs(5);

impl Running {
    /// Its listeners, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening.iter().map(|listening| listening.address).collect()
    }

    /// Open Network Connections.
    pub fn connection_count(&self) -> usize {
        self.net.as_ref().map_or(0, Net::connection_count)
    }

    /// Reads the configuration again and applies what can change while it runs: settings and files
    /// of plugins, bounds of the engine, certificates, the log's filter. Everything is checked
    /// before anything is applied.
    ///
    /// # Errors
    /// What is wrong; everything then stays as it was. Also if it was not started with
    /// [`super::Builder::sources`].
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        let sources = self.sources.as_ref().ok_or(ReloadError::NoSources)?;
        reload::reload(self, sources)
    }

    /// Files whose change may be a change of the configuration.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        self.current.lock().config.watched_files()
    }

    /// Ends it: no new connections, DISCONNECT 0x8B to the clients of MQTT 5, wills as the
    /// standard has them. Blocks until the clients have gone, at most five seconds.
    pub fn shutdown(mut self) {
        info!(connections = self.connection_count(), "The broker shuts down.");
        if let Some(net) = self.net.take() {
            net.shut_down(GRACE);
        }
        info!("The broker has ended.");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.net.take());
        self.host.shutdown();
        if let Some(control) = self.control.take() {
            // A plugin that panicked there has been logged where it did.
            let _ = control.join();
        }
    }
}
