use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use pintle_plugin_api as api;
use pintle_plugin_api::{Settings, SettingsError};
use pintle_ports::{Space, Store, StoreEntry, StoreError, StoreOp};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::core::Core;
use crate::error::LoadError;
use crate::fault::Fault;
use crate::hook::Hook;
use crate::instance::{Instance, StoreAnswer};
use crate::meter::Answered;
use crate::shared::Shared;
use crate::slot::{Slot, Stopwatch};

/// Whether the store is in use, and a lock that is held while it is asked or changes hands.
#[derive(Debug, Default)]
pub(crate) struct StoreGate {
    asking: Mutex<()>,
    in_use: AtomicBool,
}

/// The plugin that is the store, whichever generation of it is in force, and those that are told
/// what is stored. Where nobody is the store, everything is taken and nothing kept.
pub(crate) struct PluginStore {
    shared: Arc<Shared>,
    table: watch::Receiver<Arc<Core>>,
    commits: AtomicU64,
}

impl PluginStore {
    /// `None` if no plugin is a store or is told what is stored.
    pub(crate) fn of(shared: &Arc<Shared>, table: watch::Receiver<Arc<Core>>) -> Option<Self> {
        let is_wanted = {
            let core = table.borrow();
            core.store().is_some() || core.observers().next().is_some()
        };
        is_wanted.then(|| Self { shared: Arc::clone(shared), table, commits: AtomicU64::new(0) })
    }

    /// Asks the plugin; `nothing` answers where there is none.
    fn ask<T>(
        &self,
        nothing: T,
        ask: impl FnOnce(&dyn Instance) -> Result<StoreAnswer<T>, Fault>,
    ) -> Result<T, StoreError> {
        let _gate = self.shared.store.asking.lock();
        let core = Arc::clone(&self.table.borrow());
        match core.store() {
            None => Ok(nothing),
            Some(slot) => ask_slot(&self.shared, slot, ask),
        }
    }

    fn is_plugin(&self) -> Option<Arc<Slot>> {
        self.table.borrow().store().cloned()
    }
}

/// A fault is a store that can not be reached.
fn ask_slot<T>(
    shared: &Shared,
    slot: &Slot,
    ask: impl FnOnce(&dyn Instance) -> Result<StoreAnswer<T>, Fault>,
) -> Result<T, StoreError> {
    let mut watch = Stopwatch::start();
    let answer = slot.call(Hook::Store, shared.now(), &mut watch, |instance| {
        let answer = ask(instance)?;
        let answered = if answer.is_ok() { Answered::Done } else { Answered::Reject };
        Ok((answered, answer))
    });
    match answer {
        Ok(answer) => answer.map_err(error_of),
        Err(fault) => {
            Err(StoreError::Unavailable(format!("plugin `{}`: {fault}", slot.state.name)))
        }
    }
}

/// Lets the plugin and what it keeps reach the disk.
fn flush(shared: &Shared, slot: &Slot) -> Result<(), StoreError> {
    ask_slot(shared, slot, |instance| instance.store_flush())?;
    shared.save_keepsakes_of(&slot.state.name).map_err(|error| {
        StoreError::Unavailable(format!("what the plugin keeps can not be written: {error}"))
    })
}

impl Store for PluginStore {
    fn open(&self) -> Result<(), StoreError> {
        self.ask((), |instance| instance.store_open())?;
        self.shared.store.in_use.store(true, Ordering::Release);
        Ok(())
    }

    fn apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        let ops: Arc<[api::StoreOp]> = ops.iter().map(op_of).collect();
        self.ask((), |instance| instance.store_apply(&ops))?;
        let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let core = Arc::clone(&self.table.borrow());
        for observer in core.observers() {
            observer.state.commits.push(number, &ops);
            observer.state.work.notify_one();
        }
        Ok(())
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let space = space_of(space);
        let page =
            self.ask(Vec::new(), |instance| instance.store_scan(space, prefix, after, limit))?;
        let entry = |api::StoreEntry { key, value }| StoreEntry { key, value };
        Ok(page.into_iter().map(entry).collect())
    }

    fn flush(&self) -> Result<(), StoreError> {
        let _gate = self.shared.store.asking.lock();
        self.is_plugin().map_or(Ok(()), |slot| flush(&self.shared, &slot))
    }

    fn close(&self) -> Result<(), StoreError> {
        self.shared.store.in_use.store(false, Ordering::Release);
        let closed = self.ask((), |instance| instance.store_close());
        let _gate = self.shared.store.asking.lock();
        let saved = self.is_plugin().map(|slot| self.shared.save_keepsakes_of(&slot.state.name));
        closed?;
        saved.transpose().map(|_| ()).map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

/// Lets the store change hands between two tables: what the old one has is on the disk before the
/// new one opens it. Nobody asks either before what this returns is dropped.
///
/// # Errors
/// If that can not be, or not now; the old one goes on.
pub(crate) fn hand_over<'s>(
    shared: &'s Shared,
    old: &Core,
    new: &Core,
    is_started: bool,
) -> Result<Option<MutexGuard<'s, ()>>, LoadError> {
    let name = |slot: &Slot| slot.state.name.to_string();
    let is_in_use = shared.store.in_use.load(Ordering::Acquire);
    let (before, after) = match (old.store(), new.store()) {
        (Some(before), None) if is_in_use => {
            return Err(LoadError::StoreInUse { plugin: name(before) });
        }
        (None, Some(after)) if is_started => {
            return Err(LoadError::StoreTooLate { plugin: name(after) });
        }
        (Some(before), Some(after)) if is_in_use && !Arc::ptr_eq(before, after) => (before, after),
        _ => return Ok(None),
    };
    let gate = shared.store.asking.lock();
    leave(shared, before);
    if let Err(why) = ask_slot(shared, after, |instance| instance.store_open()) {
        if let Err(error) = ask_slot(shared, before, |instance| instance.store_open()) {
            let plugin = name(before);
            error!(plugin, %error, "The store can not be opened again.");
        }
        return Err(LoadError::StoreStays { plugin: name(before), why: why.to_string() });
    }
    info!(plugin = name(after), "The store has changed hands.");
    Ok(Some(gate))
}

/// Gives the store new settings between a close and an open.
///
/// # Errors
/// What the plugin says against them; it is then open with the old ones.
pub(crate) fn configure(
    shared: &Shared,
    slot: &Slot,
    settings: &Settings,
) -> Result<(), SettingsError> {
    let is_store = slot.has(Hook::Store.flag()) && shared.store.in_use.load(Ordering::Acquire);
    if !is_store {
        return slot.instance.configure(settings);
    }
    let _gate = shared.store.asking.lock();
    leave(shared, slot);
    let taken = slot.instance.configure(settings);
    if let Err(error) = ask_slot(shared, slot, |instance| instance.store_open()) {
        error!(plugin = &*slot.state.name, %error, "The store can not be opened again.");
    }
    taken
}

/// Flushes and closes a store. One that fails is left all the same: perhaps that is why.
fn leave(shared: &Shared, slot: &Slot) {
    let flushed = flush(shared, slot);
    let closed = ask_slot(shared, slot, |instance| instance.store_close());
    if let Err(error) = flushed.and(closed) {
        warn!(plugin = &*slot.state.name, %error, "The store could not be closed.");
    }
}

fn space_of(space: Space) -> api::Space {
    match space {
        Space::Sessions => api::Space::Sessions,
        Space::Subscriptions => api::Space::Subscriptions,
        Space::Messages => api::Space::Messages,
        Space::Queue => api::Space::Queue,
        Space::InFlight => api::Space::InFlight,
        Space::Inbound => api::Space::Inbound,
        Space::Retained => api::Space::Retained,
    }
}

fn op_of(op: &StoreOp) -> api::StoreOp {
    match op {
        StoreOp::Put { space, key, value, expires_at_ms } => api::StoreOp::Put {
            space: space_of(*space),
            key: key.clone(),
            value: value.clone(),
            expires_at_ms: *expires_at_ms,
        },
        StoreOp::Delete { space, key } => {
            api::StoreOp::Delete { space: space_of(*space), key: key.clone() }
        }
    }
}

fn error_of(error: api::StoreError) -> StoreError {
    match error {
        api::StoreError::Busy => StoreError::Busy,
        api::StoreError::Full => StoreError::Full,
        api::StoreError::Corrupt(what) => StoreError::Corrupt(what),
        api::StoreError::Unavailable(what) => StoreError::Unavailable(what),
    }
}
