use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::RwLock;
use pintle_mqtt::Timestamp;
use pintle_ports::{Broker, EventKinds, Interest, PluginId};
use tokio::runtime::Handle;

use crate::auth_gate::AuthGate;
use crate::cohort_table::CohortTable;
use crate::errands::Errands;
use crate::hook::Hook;
use crate::slot::Slot;
use crate::spec::ChainSpec;

/// The table of plugins and what they share. The slots and their order never change.
pub(crate) struct Core {
    pub(crate) slots: Vec<Arc<Slot>>,
    pub(crate) chains: Chains,
    pub(crate) interest: Interest,
    pub(crate) gate: AuthGate,
    pub(crate) cohorts: CohortTable,
    pub(crate) errands: Errands,
    pub(crate) message_bytes_max: usize,
    generation: AtomicU64,
    broker: RwLock<Option<Arc<dyn Broker>>>,
    runtime: OnceLock<Handle>,
    began: Instant,
}

/// The slots that have a hook, in the order in which they are asked.
#[derive(Default)]
pub(crate) struct Chains {
    pub(crate) authenticate: Vec<Arc<Slot>>,
    pub(crate) authorize: Vec<Arc<Slot>>,
    pub(crate) publish: Vec<Arc<Slot>>,
    pub(crate) subscribe: Vec<Arc<Slot>>,
    pub(crate) unsubscribe: Vec<Arc<Slot>>,
    pub(crate) deliver: Vec<Arc<Slot>>,
}

/// What a [`Core`] takes from a [`ChainSpec`] beside the plugins.
pub(crate) struct CoreTerms {
    pub(crate) began: Instant,
    pub(crate) auth_concurrency_max: usize,
    pub(crate) auth_queue_max: usize,
    pub(crate) cohorts_max: usize,
    pub(crate) publish_queue_max: usize,
    pub(crate) message_bytes_max: usize,
}

impl CoreTerms {
    pub(crate) fn of(spec: &ChainSpec) -> Self {
        Self {
            began: spec.began,
            auth_concurrency_max: spec.auth_concurrency_max,
            auth_queue_max: spec.auth_queue_max,
            cohorts_max: spec.cohorts_max,
            publish_queue_max: spec.publish_queue_max,
            message_bytes_max: spec.message_bytes_max,
        }
    }
}

impl Core {
    pub(crate) fn new(slots: Vec<Arc<Slot>>, chains: Chains, terms: &CoreTerms) -> Self {
        let has = |hook: Hook| slots.iter().any(|slot| slot.has(hook.flag()));
        let interest = Interest {
            authenticate: !chains.authenticate.is_empty(),
            enhanced_auth: has(Hook::EnhancedAuth),
            authorize: !chains.authorize.is_empty(),
            publish: !chains.publish.is_empty(),
            subscribe: !chains.subscribe.is_empty(),
            unsubscribe: !chains.unsubscribe.is_empty(),
            deliver: !chains.deliver.is_empty(),
            events: wanted_events(&slots),
        };
        Self {
            interest,
            gate: AuthGate::new(terms.auth_concurrency_max, terms.auth_queue_max),
            cohorts: CohortTable::new(terms.cohorts_max),
            errands: Errands::new(terms.publish_queue_max),
            message_bytes_max: terms.message_bytes_max,
            generation: AtomicU64::new(next_generation()),
            broker: RwLock::new(None),
            runtime: Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from),
            began: terms.began,
            slots,
            chains,
        }
    }

    pub(crate) fn slot(&self, id: PluginId) -> Option<&Arc<Slot>> {
        self.slots.get(usize::from(id.0))
    }

    pub(crate) fn slot_named(&self, name: &str) -> Option<&Arc<Slot>> {
        self.slots.iter().find(|slot| &*slot.name == name)
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

fn wanted_events(slots: &[Arc<Slot>]) -> EventKinds {
    let mut wanted = EventKinds::NONE;
    for slot in slots.iter().filter(|slot| slot.has(Hook::Events.flag())) {
        for (ours, theirs) in crate::events::KINDS {
            if slot.about.events.contains(theirs) {
                wanted = wanted.with(ours);
            }
        }
    }
    wanted
}
