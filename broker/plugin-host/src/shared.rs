use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use pintle_mqtt::Timestamp;
use pintle_ports::Broker;
use tokio::runtime::Handle;
use tracing::error;

use crate::auth_gate::AuthGate;
use crate::errands::Errands;
use crate::error::LoadError;
use crate::kv_store::snapshot_path;
use crate::plugin_metrics::PluginMetric;
use crate::plugin_state::Keepsakes;
use crate::plugin_store::StoreGate;
use crate::spec::{ChainSpec, PluginSpec};

/// What outlives a table of plugins: the broker, the clock, and what waits to be done.
pub(crate) struct Shared {
    pub(crate) gate: AuthGate,
    pub(crate) errands: Errands,
    pub(crate) message_bytes_max: usize,
    pub(crate) decisions_max: usize,
    pub(crate) event_queue_max: usize,
    pub(crate) cohorts_max: usize,
    /// The number of the cohort that was named last; never given twice.
    pub(crate) last_cohort: Arc<AtomicU32>,
    data_dir: Option<PathBuf>,
    /// Whether there is a store, or somebody who is told what is stored, which is settled once.
    pub(crate) store: StoreGate,
    /// Held while snapshots are written.
    saving: Mutex<()>,
    keepsakes: Mutex<BTreeMap<String, Kept>>,
    generation: AtomicU64,
    broker: RwLock<Option<Arc<dyn Broker>>>,
    runtime: OnceLock<Handle>,
    began: Instant,
}

/// What a plugin keeps, and where that is written.
struct Kept {
    keepsakes: Arc<Keepsakes>,
    snapshot: Option<PathBuf>,
}

/// Moves a snapshot that is none out of the way; what is in it may still be worth something.
///
/// # Errors
/// `error`, if the file can not be read at all or not be moved, or one was set aside before.
fn set_aside(plugin: &str, path: &Path, error: &io::Error) -> io::Result<()> {
    let aside = path.with_extension("json.broken");
    if error.kind() != io::ErrorKind::InvalidData || aside.exists() {
        return Err(io::Error::new(error.kind(), error.to_string()));
    }
    fs::rename(path, &aside)?;
    let aside = aside.display();
    error!(plugin, %aside, %error, "What a plugin kept is broken: set aside, it begins with nothing.");
    Ok(())
}

impl Shared {
    /// What the plugin of this name has kept so far; the first time, what it kept before the broker
    /// was started.
    ///
    /// # Errors
    /// If that can not be read. It stays where it is; a broken one is set aside.
    pub(crate) fn keepsakes(&self, spec: &PluginSpec) -> Result<Arc<Keepsakes>, LoadError> {
        let persists = spec.grants.kv.is_some_and(|grant| grant.persist);
        let snapshot = self.data_dir.as_deref().filter(|_| persists);
        let snapshot = snapshot.map(|folder| snapshot_path(folder, &spec.name));
        let mut all = self.keepsakes.lock();
        let known = all.get(&spec.name);
        let keepsakes = known.map(|kept| Arc::clone(&kept.keepsakes)).unwrap_or_default();
        let was_written = known.is_some_and(|kept| kept.snapshot.is_some());
        let Some(path) = snapshot.as_deref().filter(|_| !was_written) else {
            all.entry(spec.name.clone())
                .or_insert_with(|| Kept { keepsakes: Arc::clone(&keepsakes), snapshot });
            return Ok(keepsakes);
        };
        let restored = keepsakes.kv.restore(path);
        restored.or_else(|error| set_aside(&spec.name, path, &error)).map_err(|error| {
            let why = format!("{}: what it kept can not be read: {error}", path.display());
            LoadError::Code { plugin: spec.name.clone(), why }
        })?;
        let kept = Kept { keepsakes: Arc::clone(&keepsakes), snapshot };
        all.insert(spec.name.clone(), kept);
        Ok(keepsakes)
    }

    /// Writes what plugins have kept since this was last called.
    pub(crate) fn save_keepsakes(&self) {
        let all: Vec<(String, Arc<Keepsakes>, PathBuf)> = {
            let all = self.keepsakes.lock();
            let persisting = all.iter().filter_map(|(name, kept)| {
                Some((name.clone(), Arc::clone(&kept.keepsakes), kept.snapshot.clone()?))
            });
            persisting.collect()
        };
        let _one_at_a_time = self.saving.lock();
        for (plugin, keepsakes, path) in all {
            if let Err(error) = keepsakes.kv.save(&path) {
                let path = path.display();
                error!(plugin, %path, %error, "What a plugin keeps can not be written.");
            }
        }
    }

    /// Writes what one plugin has kept.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn save_keepsakes_of(&self, plugin: &str) -> io::Result<()> {
        let found = self
            .keepsakes
            .lock()
            .get(plugin)
            .and_then(|kept| Some((Arc::clone(&kept.keepsakes), kept.snapshot.clone()?)));
        let Some((keepsakes, path)) = found else { return Ok(()) };
        let _one_at_a_time = self.saving.lock();
        keepsakes.kv.save(&path)
    }

    /// The figures that plugins keep.
    pub(crate) fn plugin_metrics(&self) -> Vec<PluginMetric> {
        let all = self.keepsakes.lock();
        all.iter().flat_map(|(name, kept)| kept.keepsakes.metrics.list(name)).collect()
    }

    /// A session has ended: nothing is kept with it any more.
    pub(crate) fn forget_session(&self, session: u64) {
        for kept in self.keepsakes.lock().values() {
            kept.keepsakes.attributes.forget(session);
        }
    }

    pub(crate) fn new(spec: &ChainSpec) -> Self {
        Self {
            gate: AuthGate::new(spec.auth_concurrency_max, spec.auth_queue_max),
            errands: Errands::new(spec.publish_queue_max),
            message_bytes_max: spec.message_bytes_max,
            decisions_max: spec.decisions_max,
            event_queue_max: spec.event_queue_max,
            cohorts_max: spec.cohorts_max,
            last_cohort: Arc::default(),
            data_dir: spec.data_dir.clone(),
            store: StoreGate::default(),
            saving: Mutex::default(),
            keepsakes: Mutex::default(),
            generation: AtomicU64::new(next_generation()),
            broker: RwLock::new(None),
            runtime: Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from),
            began: spec.began,
        }
    }

    /// Where what outlives the broker is written, if anywhere.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The time, for hooks that are not told it.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.began.elapsed())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn raise_generation(&self) {
        self.generation.fetch_max(next_generation(), Ordering::AcqRel);
    }

    /// Everything derived from decisions and cohorts is to be asked again.
    pub(crate) fn invalidate(&self) {
        self.raise_generation();
        if let Some(broker) = self.broker() {
            broker.invalidate();
        }
    }

    pub(crate) fn broker(&self) -> Option<Arc<dyn Broker>> {
        self.broker.read().clone()
    }

    pub(crate) fn set_broker(&self, broker: Option<Arc<dyn Broker>>) {
        *self.broker.write() = broker;
    }

    /// Notes the runtime of this thread, if it has one and none was noted before.
    pub(crate) fn note_runtime(&self) {
        if self.runtime.get().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            let _ = self.runtime.set(runtime);
        }
    }

    /// Where work that waits is done, if there is a runtime at all.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        let noted = self.runtime.get().cloned();
        noted.or_else(|| Handle::try_current().ok())
    }
}

/// Generations are given once in a process, so that those of two tables are never taken for one.
fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
