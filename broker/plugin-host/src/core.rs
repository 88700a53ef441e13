use std::sync::Arc;

use pintle_ports::{EventKind, EventKinds, Interest};

use crate::cohort_table::CohortTable;
use crate::hook::Hook;
use crate::shared::Shared;
use crate::slot::Slot;

/// One table of plugins. Its slots and their order never change; another table takes its place.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slots: Vec<Arc<Slot>>,
    pub(crate) chains: Chains,
    pub(crate) interest: Interest,
    pub(crate) cohorts: CohortTable,
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

impl Core {
    pub(crate) fn new(shared: Arc<Shared>, slots: Vec<Arc<Slot>>, chains: Chains) -> Self {
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
        let cohorts = CohortTable::new(shared.cohorts_max, Arc::clone(&shared.last_cohort));
        Self { interest, cohorts, shared, slots, chains }
    }

    /// The plugin that is the store.
    pub(crate) fn store(&self) -> Option<&Arc<Slot>> {
        self.slots.iter().find(|slot| slot.has(Hook::Store.flag()))
    }

    /// The plugins that are told what was stored.
    pub(crate) fn observers(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.slots.iter().filter(|slot| slot.has(Hook::Commit.flag()))
    }

    pub(crate) fn slot_named(&self, name: &str) -> Option<&Arc<Slot>> {
        self.slots.iter().find(|slot| &*slot.state.name == name)
    }
}

fn wanted_events(slots: &[Arc<Slot>]) -> EventKinds {
    let mut wanted = EventKinds::NONE;
    // Attributes end with their sessions, whether or not a plugin asks to be told.
    if !slots.is_empty() {
        wanted = wanted.with(EventKind::SessionExpired);
    }
    for slot in slots.iter().filter(|slot| slot.has(Hook::Events.flag())) {
        for (ours, theirs) in crate::events::KINDS {
            if slot.about().events.contains(theirs) {
                wanted = wanted.with(ours);
            }
        }
    }
    wanted
}
