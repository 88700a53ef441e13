use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::RwLock;
use pintle_mqtt::Timestamp;
use pintle_ports::Broker;
use tokio::runtime::Handle;

use crate::auth_gate::AuthGate;
use crate::errands::Errands;
use crate::spec::ChainSpec;

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
    generation: AtomicU64,
    broker: RwLock<Option<Arc<dyn Broker>>>,
    runtime: OnceLock<Handle>,
    began: Instant,
}

impl Shared {
    pub(crate) fn new(spec: &ChainSpec) -> Self {
        Self {
            gate: AuthGate::new(spec.auth_concurrency_max, spec.auth_queue_max),
            errands: Errands::new(spec.publish_queue_max),
            message_bytes_max: spec.message_bytes_max,
            decisions_max: spec.decisions_max,
            event_queue_max: spec.event_queue_max,
            cohorts_max: spec.cohorts_max,
            last_cohort: Arc::default(),
            generation: AtomicU64::new(next_generation()),
            broker: RwLock::new(None),
            runtime: Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from),
            began: spec.began,
        }
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
