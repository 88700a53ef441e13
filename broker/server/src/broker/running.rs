use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::info;

use super::controls::Controls;
use super::store_writer::StoreWriter;
use super::{Listening, ReloadError, Reloaded};
use crate::admin::{AdminPlace, SocketFile};
use crate::net::Net;

/// A broker that serves. Dropping it ends it without leave-taking; [`Running::shutdown`] is kinder.
pub struct Running {
    pub(super) net: Option<Net>,
    pub(super) store: Option<StoreWriter>,
    pub(super) controls: Arc<Controls>,
    pub(super) control: Option<JoinHandle<()>>,
    pub(super) admin: AdminPlace,
}

/// How long clients may take to hear that the broker ends.
const GRACE: Duration = Duration::from_secs(5);

impl Running {
    /// Its listeners, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.controls.listening
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.controls.listening.iter().map(|listening| listening.address).collect()
    }

    /// Open Network Connections.
    pub fn connection_count(&self) -> usize {
        self.net.as_ref().map_or(0, Net::connection_count)
    }

    /// Reads the configuration again and applies what can change while it runs: plugins with their
    /// settings and files, bounds of the engine, certificates, the log's filter. Everything is
    /// checked before anything is applied. Plugins that were loaded by command are read again too,
    /// each for itself.
    ///
    /// # Errors
    /// What is wrong; everything then stays as it was. Also if it was not started with
    /// [`super::Builder::sources`].
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.controls.reload()
    }

    /// Files whose change may be a change of the configuration.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        self.controls.watched()
    }

    /// Takes up what has changed of plugins that were loaded by command, which may have happened
    /// before their files were watched.
    pub(crate) fn refresh_loaded(&self) {
        for what in self.controls.refresh_loaded() {
            info!("Reloaded: {what}.");
        }
    }

    /// Waits until there are other files to watch than before.
    pub(crate) async fn watched_changed(&self) {
        self.controls.files_changed.notified().await;
    }

    /// The Unix socket that it takes commands on; `None` if there is none.
    pub fn admin_socket(&self) -> Option<&Path> {
        self.admin.socket.as_ref().map(SocketFile::path)
    }

    /// Where it takes commands over HTTP, with the port that the system chose; `None` if it does
    /// not.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.address
    }

    /// Ends it: no new connections, DISCONNECT 0x8B to the clients of MQTT 5, wills as the
    /// standard has them. Blocks until the clients have gone, at most five seconds.
    pub fn shutdown(mut self) {
        info!(connections = self.connection_count(), "The broker shuts down.");
        if let Some(net) = self.net.take() {
            net.shut_down(GRACE);
        }
        drop(self.store.take());
        info!("The broker has ended.");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.net.take());
        // Nothing changes any more; the last of it is stored while there are plugins.
        drop(self.store.take());
        self.controls.host.shutdown();
        if let Some(control) = self.control.take() {
            // A plugin that panicked there has been logged where it did.
            let _ = control.join();
        }
    }
}
