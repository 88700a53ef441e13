use std::sync::Arc;

use pintle_ports::PluginId;

use crate::slot::Slot;
use crate::spec::{HookOrder, PluginSpec};

/// Every plugin there is, also those that stand in no table for now.
#[derive(Clone)]
pub(crate) struct Roster {
    pub(crate) order: HookOrder,
    pub(crate) entries: Vec<Entry>,
}

/// One plugin through its generations.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: PluginId,
    /// As it is now.
    pub(crate) spec: PluginSpec,
    /// As it was before it was last replaced.
    pub(crate) previous: Option<PluginSpec>,
    /// Its place in the table; `None` while it is disabled.
    pub(crate) slot: Option<Arc<Slot>>,
    /// Counts its code: 1 for what was loaded first.
    pub(crate) code_generation: u64,
}

impl Roster {
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.spec.name == name)
    }

    pub(crate) fn entry_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.spec.name == name)
    }

    /// The places of all that are not disabled, in order of appearance.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.entries.iter().filter_map(|entry| entry.slot.clone()).collect()
    }

    /// A number that no plugin has; `None` if all are taken.
    pub(crate) fn free_id(&self) -> Option<PluginId> {
        let last = self.entries.iter().map(|entry| entry.id.0).max();
        let taken = |id: u16| self.entries.iter().any(|entry| entry.id.0 == id);
        match last {
            None => Some(PluginId(0)),
            Some(last) => match last.checked_add(1) {
                Some(next) => Some(PluginId(next)),
                None => (0..u16::MAX).find(|&id| !taken(id)).map(PluginId),
            },
        }
    }
}
