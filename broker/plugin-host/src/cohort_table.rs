use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use foldhash::HashMap;
use parking_lot::RwLock;
use pintle_ports::CohortId;

/// What one plugin made of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Membership {
    /// It does not touch the client's messages.
    Untouched,
    /// The group it named.
    Named(Arc<str>),
    /// It failed to say, or there were too many groups: its failure policy answers.
    Failed,
}

/// The memberships of a client, one for each plugin of the `on_deliver` chain.
pub(crate) type Memberships = Arc<[Membership]>;

/// Gives every distinct tuple of memberships a number.
///
/// Numbers are never given twice. When the table is full, those that nobody asked for since the
/// generation rose are taken out; a client that still has one meets the failure policies.
#[derive(Debug)]
pub(crate) struct CohortTable {
    cohorts_max: usize,
    last_id: Arc<AtomicU32>,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<Memberships, Seen>,
    memberships: HashMap<CohortId, Memberships>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    id: CohortId,
    generation: u64,
}

impl CohortTable {
    /// A table that goes on counting at `last_id`, which it shares with the tables before it.
    pub(crate) fn new(cohorts_max: usize, last_id: Arc<AtomicU32>) -> Self {
        Self { cohorts_max, last_id, table: RwLock::default() }
    }

    /// The number of `memberships`; `None` if there is no room for it.
    pub(crate) fn intern(&self, memberships: &[Membership], generation: u64) -> Option<CohortId> {
        if memberships.iter().all(|one| *one == Membership::Untouched) {
            return Some(CohortId::NONE);
        }
        let mut table = self.table.write();
        if let Some(seen) = table.ids.get_mut(memberships) {
            seen.generation = generation;
            return Some(seen.id);
        }
        let is_bounded = memberships.iter().any(|one| matches!(one, Membership::Named(_)));
        if is_bounded && table.ids.len() >= self.cohorts_max {
            table.forget_before(generation);
            if table.ids.len() >= self.cohorts_max {
                return None;
            }
        }
        let last = self.last_id.fetch_update(Relaxed, Relaxed, |last| last.checked_add(1)).ok()?;
        Some(table.add(CohortId(last + 1), memberships.into(), generation))
    }

    pub(crate) fn get(&self, cohort: CohortId) -> Option<Memberships> {
        self.table.read().memberships.get(&cohort).cloned()
    }
}

impl Table {
    fn add(&mut self, id: CohortId, memberships: Memberships, generation: u64) -> CohortId {
        self.ids.insert(Arc::clone(&memberships), Seen { id, generation });
        self.memberships.insert(id, memberships);
        id
    }

    fn forget_before(&mut self, generation: u64) {
        let memberships = &mut self.memberships;
        self.ids.retain(|_, seen| {
            let stays = seen.generation >= generation;
            if !stays {
                memberships.remove(&seen.id);
            }
            stays
        });
    }
}
