//! What acts on a running broker beside its workers: reloads, and the admin interface.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pintle_engine::Engine;
use pintle_plugin_host::PluginHost;
use pintle_ports::Broker as _;
use tokio::sync::Notify;

use super::plugins::Plugins;
use super::{Listening, ReloadError, Reloaded, reload};
use crate::config::{Config, Sources};
use crate::telemetry::Telemetry;

/// A running broker as those see it who may change it.
pub(crate) struct Controls {
    pub(super) engine: Arc<Engine>,
    pub(crate) host: Arc<PluginHost>,
    pub(super) listening: Vec<Listening>,
    pub(super) sources: Option<Sources>,
    pub(super) telemetry: Option<Telemetry>,
    /// Held through every change, so that there is one at a time.
    pub(super) current: Mutex<Current>,
    /// Other files are to be watched than before.
    pub(super) files_changed: Notify,
}

/// What is in force.
pub(super) struct Current {
    pub(super) config: Config,
    pub(super) plugins: Plugins,
}

impl Controls {
    /// As [`super::Running::reload`].
    pub(crate) fn reload(&self) -> Result<Reloaded, ReloadError> {
        let sources = self.sources.as_ref().ok_or(ReloadError::NoSources)?;
        reload::reload(self, sources)
    }

    /// Reads the plugins again that were loaded by command.
    pub(super) fn refresh_loaded(&self) -> Vec<String> {
        self.current.lock().plugins.refresh(&self.host, &self.environment())
    }

    /// Files whose change may be a change of the configuration or of a plugin.
    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let current = self.current.lock();
        let mut files = current.config.watched_files();
        files.extend(current.plugins.files());
        files
    }

    /// Every counter and gauge by its `$SYS` name, without `$SYS/broker/`.
    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        self.engine.stats()
    }
}
