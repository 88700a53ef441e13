use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pintle_plugin_api::{Settings, SettingsError};
use pintle_ports::{Action, Broker, Hooks, Identity, Store};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::background;
use crate::cases::first_failure;
use crate::chain::Chain;
use crate::code::Code;
use crate::core::{Chains, Core};
use crate::error::LoadError;
use crate::explain::Explanation;
use crate::hook::Hook;
use crate::instance::CarriedState;
use crate::load::{Listing, load, slot_of, table};
use crate::meter::Answered;
use crate::plugin_handle::PluginHandle;
use crate::plugin_metrics::PluginMetric;
use crate::plugin_store::{self, PluginStore, hand_over};
use crate::roster::{Entry, Roster};
use crate::shared::Shared;
use crate::slot::{PluginStats, Slot, Stopwatch};
use crate::spec::{ChainSpec, PluginSpec};

/// The plugins of a broker. The engine sees them as [`PluginHost::hooks`]; this is the side for the
/// server: it starts them, feeds them settings, replaces them, and asks how they are.
///
/// Dropping it ends what runs in the background and lets go of the broker.
pub struct PluginHost {
    shared: Arc<Shared>,
    table: watch::Sender<Arc<Core>>,
    roster: Mutex<Roster>,
    /// Held while plugins are added, replaced or taken out: one such change at a time.
    changes: Mutex<()>,
    stop: watch::Sender<bool>,
    is_started: AtomicBool,
}

/// What a plugin is, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name in the configuration.
    pub name: String,
    /// What it calls itself.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// What runs it: `native`, `lua`, `wasm`.
    pub kind: &'static str,
    /// The file of a script or component.
    pub path: Option<PathBuf>,
    /// The hooks it has.
    pub hooks: Vec<Hook>,
    /// The topics it wants; empty for all.
    pub topics: Vec<String>,
    /// Rises with new settings and with each time it takes its decisions back.
    pub generation: u64,
    /// Counts its code: 1 for what was loaded first.
    pub code_generation: u64,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Whether there is an earlier generation to go back to.
    pub can_roll_back: bool,
}

/// What a change of plugins came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The plugin as it is now.
    pub info: PluginInfo,
    /// Whether one of its name was there before.
    pub replaced: bool,
}

impl PluginHost {
    /// Checks `spec`, gives each plugin its settings, and puts the table together.
    ///
    /// Called inside a tokio runtime with time enabled, checks that take long go to the blocking
    /// threads of that runtime; else to those of the first one that [`PluginHost::connect_broker`],
    /// [`PluginHost::run`] or the check itself is called in.
    ///
    /// # Errors
    /// The first thing that is wrong, with the name of the plugin and the key to mend.
    pub fn load(spec: ChainSpec) -> Result<Self, LoadError> {
        let (core, roster) = load(spec)?;
        Ok(Self {
            shared: Arc::clone(&core.shared),
            table: watch::Sender::new(core),
            roster: Mutex::new(roster),
            changes: Mutex::new(()),
            stop: watch::Sender::new(false),
            is_started: AtomicBool::new(false),
        })
    }

    fn core(&self) -> Arc<Core> {
        Arc::clone(&self.table.borrow())
    }

    /// The plugins as the engine sees them.
    pub fn hooks(&self) -> Arc<dyn Hooks> {
        Arc::new(Chain(self.core()))
    }

    /// Lets plugins act on `broker`, and starts them, the first time this is called.
    pub fn connect_broker(&self, broker: Arc<dyn Broker>) {
        self.shared.note_runtime();
        self.shared.set_broker(Some(broker));
        if self.is_started.swap(true, Ordering::AcqRel) {
            return;
        }
        for slot in &self.core().slots {
            self.start(slot);
        }
    }

    fn start(&self, slot: &Slot) {
        let handle = PluginHandle::new(&self.shared, &slot.state);
        if let Err(fault) = slot.instance.start(Arc::new(handle)) {
            error!(plugin = &*slot.state.name, error = %fault, "A plugin failed to start.");
        }
    }

    /// Timers, events, and what plugins asked for inside hooks. To be spawned once, on a runtime
    /// with time enabled; plugins are called on its blocking threads. Ends with
    /// [`PluginHost::shutdown`] or when the host is dropped.
    pub fn run(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        background::run(Arc::clone(&self.shared), self.table.subscribe(), self.stop.subscribe())
    }

    /// The plugin that is the store, whichever generation of it is in force; `None` if there is
    /// none, and no plugin that is told what is stored. To be opened before
    /// [`PluginHost::connect_broker`], and asked off the workers.
    pub fn store(&self) -> Option<Arc<dyn Store>> {
        let store = PluginStore::of(&self.shared, self.table.subscribe())?;
        Some(Arc::new(store))
    }

    /// Ends [`PluginHost::run`] and lets go of the broker. The hooks still answer.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
        self.shared.save_keepsakes();
        self.shared.set_broker(None);
    }

    /// Gives the plugin named `name` new settings. What was derived from the old ones is asked
    /// again. To be called from one thread at a time.
    ///
    /// # Errors
    /// What the plugin says against them; the old ones stay in force.
    pub fn reconfigure(&self, name: &str, settings: &Settings) -> Result<(), SettingsError> {
        let core = self.core();
        let Some(slot) = core.slot_named(name) else {
            let what = format!("there is no plugin named `{name}`");
            return Err(SettingsError::new(what));
        };
        plugin_store::configure(&self.shared, slot, settings)?;
        if let Some(entry) = self.roster.lock().entry_mut(name) {
            entry.spec.settings = settings.clone();
        }
        slot.state.forget_decisions();
        self.shared.invalidate();
        Ok(())
    }

    /// Adds a plugin, or puts it in the place of the one of its name, while the broker runs. Every
    /// connection is under the new one from its next read batch on; calls under way are finished by
    /// the old one.
    ///
    /// # Errors
    /// What is wrong with it; whatever ran before goes on.
    pub fn install(&self, spec: PluginSpec) -> Result<Installed, LoadError> {
        let _one_at_a_time = self.changes.lock();
        self.install_spec(spec)
    }

    fn install_spec(&self, spec: PluginSpec) -> Result<Installed, LoadError> {
        let known = self.roster.lock().entry(&spec.name).map(|entry| entry.id);
        let free = || self.roster.lock().free_id();
        let id =
            known.or_else(free).ok_or(LoadError::TooMany { count: usize::from(u16::MAX) + 1 })?;
        let state = self.state_of(&spec.name);
        let slot = Arc::new(slot_of(&self.shared, id, &spec, state)?);
        check_cases(&spec, self.shared.data_dir())?;
        let name = spec.name.clone();
        self.change(|roster| {
            match roster.entry_mut(&name) {
                Some(entry) => {
                    entry.previous = Some(std::mem::replace(&mut entry.spec, spec));
                    if let Some(old) = &entry.slot {
                        slot.state.timers.adopt(&old.state.timers);
                    }
                    entry.slot = Some(Arc::clone(&slot));
                    entry.code_generation += 1;
                }
                None => {
                    let slot = Some(Arc::clone(&slot));
                    roster.entries.push(Entry {
                        id,
                        spec,
                        previous: None,
                        slot,
                        code_generation: 1,
                    });
                }
            }
            Ok(())
        })?;
        let info = self.info(&name)?;
        Ok(Installed { info, replaced: known.is_some() })
    }

    /// What the present generation of a plugin has to say to the next. One that can not say is still
    /// to be replaced.
    fn state_of(&self, name: &str) -> Option<CarriedState> {
        let slot = self.roster.lock().entry(name)?.slot.clone()?;
        slot.instance.export_state().unwrap_or_else(|fault| {
            warn!(plugin = name, error = %fault, "A plugin's state is not carried over.");
            None
        })
    }

    /// Stops asking a plugin, and keeps it.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn disable(&self, name: &str) -> Result<PluginInfo, LoadError> {
        let _one_at_a_time = self.changes.lock();
        self.change(|roster| {
            entry_of(roster, name)?.slot = None;
            Ok(())
        })?;
        self.info(name)
    }

    /// Asks a plugin again that was disabled.
    ///
    /// # Errors
    /// If there is none of this name, or it can no longer be loaded.
    pub fn enable(&self, name: &str) -> Result<PluginInfo, LoadError> {
        let _one_at_a_time = self.changes.lock();
        let (id, spec) = {
            let mut roster = self.roster.lock();
            let entry = entry_of(&mut roster, name)?;
            if entry.slot.is_some() {
                drop(roster);
                return self.info(name);
            }
            (entry.id, entry.spec.clone())
        };
        let slot = Arc::new(slot_of(&self.shared, id, &spec, None)?);
        self.change(|roster| {
            entry_of(roster, name)?.slot = Some(slot);
            Ok(())
        })?;
        self.info(name)
    }

    /// Takes a plugin out.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn remove(&self, name: &str) -> Result<(), LoadError> {
        let _one_at_a_time = self.changes.lock();
        self.change(|roster| {
            let id = entry_of(roster, name)?.id;
            roster.entries.retain(|entry| entry.id != id);
            Ok(())
        })
    }

    /// Puts the generation before the present one in its place.
    ///
    /// # Errors
    /// If there is none, or it can no longer be loaded.
    pub fn roll_back(&self, name: &str) -> Result<Installed, LoadError> {
        let _one_at_a_time = self.changes.lock();
        let previous = entry_of(&mut self.roster.lock(), name)?.previous.clone();
        let plugin = || name.to_owned();
        let spec = previous.ok_or_else(|| LoadError::NothingBefore { plugin: plugin() })?;
        self.install_spec(spec)
    }

    /// The configuration of a plugin as it is now.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn spec(&self, name: &str) -> Result<PluginSpec, LoadError> {
        Ok(entry_of(&mut self.roster.lock(), name)?.spec.clone())
    }

    /// Makes one change of the roster and puts the table that comes of it in force; on an error
    /// the roster is as before.
    fn change(
        &self,
        make: impl FnOnce(&mut Roster) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let old = self.core();
        let mut roster = self.roster.lock();
        let mut changed = roster.clone();
        make(&mut changed)?;
        let core = Arc::new(table(&self.shared, &changed, Listing::Lenient)?);
        let is_started = self.is_started.load(Ordering::Acquire);
        let _store_rests = hand_over(&self.shared, &old, &core, is_started)?;
        *roster = changed;
        drop(roster);
        let is_in = |slots: &[Arc<Slot>], one| slots.iter().any(|slot| Arc::ptr_eq(slot, one));
        if is_started {
            for slot in core.slots.iter().filter(|slot| !is_in(&old.slots, slot)) {
                self.start(slot);
            }
        }
        self.table.send_replace(Arc::clone(&core));
        if let Some(broker) = self.shared.broker() {
            broker.set_hooks(Arc::new(Chain(Arc::clone(&core))));
        }
        self.shared.invalidate();
        for slot in old.slots.iter().filter(|slot| !is_in(&core.slots, slot)) {
            slot.retire();
        }
        Ok(())
    }

    /// Who would say what on `action`, and what would come of it.
    pub fn explain(&self, who: &Identity, action: Action<'_>) -> Explanation {
        self.core().explain(who, action)
    }

    /// Gives a plugin a command. Its answer, or its refusal, is the inner result.
    ///
    /// # Errors
    /// If there is no such plugin, it takes no commands, or it fails.
    pub fn command(
        &self,
        name: &str,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, LoadError> {
        let core = self.core();
        let fault = |why: String| LoadError::Code { plugin: name.to_owned(), why };
        let slot = core.slot_named(name).ok_or_else(|| no_such(&self.roster.lock(), name))?;
        if !slot.has(Hook::Command.flag()) {
            return Err(fault("it takes no commands".to_owned()));
        }
        let mut watch = Stopwatch::start();
        let answer = slot.call(Hook::Command, self.shared.now(), &mut watch, |instance| {
            Ok((Answered::Done, instance.on_command(principal, command, args)?))
        });
        answer.map_err(|error| fault(error.to_string()))
    }

    /// The plugins, in order of appearance.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.roster.lock().entries.iter().map(info_of).collect()
    }

    fn info(&self, name: &str) -> Result<PluginInfo, LoadError> {
        Ok(info_of(entry_of(&mut self.roster.lock(), name)?))
    }

    /// The figures of all plugins that are asked, in order of appearance.
    pub fn stats(&self) -> Vec<PluginStats> {
        let now = self.shared.now();
        self.core().slots.iter().map(|slot| slot.stats(now)).collect()
    }

    /// The figures that plugins keep themselves.
    pub fn metrics(&self) -> Vec<PluginMetric> {
        self.shared.plugin_metrics()
    }

    /// Whether a plugin decides who connects, by password or by enhanced authentication.
    pub fn has_authenticator(&self) -> bool {
        let interest = self.core().interest;
        interest.authenticate || interest.enhanced_auth
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Holds its own cases against a plugin that nothing leads to yet.
fn check_cases(spec: &PluginSpec, data_dir: Option<&Path>) -> Result<(), LoadError> {
    match first_failure(spec, data_dir) {
        None => Ok(()),
        Some(result) => Err(LoadError::Case {
            plugin: spec.name.clone(),
            case: result.name,
            why: format!(
                "{} ({}:{})",
                result.failures.join("; "),
                result.path.display(),
                result.line
            ),
        }),
    }
}

fn entry_of<'a>(roster: &'a mut Roster, name: &str) -> Result<&'a mut Entry, LoadError> {
    let missing = no_such(roster, name);
    roster.entry_mut(name).ok_or(missing)
}

fn no_such(roster: &Roster, name: &str) -> LoadError {
    let known = roster.entries.iter().map(|entry| entry.spec.name.clone()).collect();
    LoadError::NoSuchPlugin { name: name.to_owned(), known }
}

fn info_of(entry: &Entry) -> PluginInfo {
    let slot = entry.slot.as_deref();
    let has = |hook: &Hook| slot.is_some_and(|slot| slot.has(hook.flag()));
    PluginInfo {
        name: entry.spec.name.clone(),
        plugin: slot.map_or_else(String::new, |slot| slot.about().name.clone()),
        version: slot.map_or_else(String::new, |slot| slot.about().version.clone()),
        kind: entry.spec.code.kind(),
        path: match &entry.spec.code {
            Code::Native(_) => None,
            Code::Lua(script) | Code::Wasm(script) => Some(script.path.clone()),
        },
        hooks: Hook::ALL.into_iter().filter(has).collect(),
        topics: entry.spec.topics.clone(),
        generation: slot.map_or(0, |slot| slot.state.generation.load(Ordering::Acquire)),
        code_generation: entry.code_generation,
        enabled: slot.is_some(),
        can_roll_back: entry.previous.is_some(),
    }
}

/// Hooks with no plugin at all, for tests and embedding.
pub fn no_hooks() -> Arc<dyn Hooks> {
    let shared = Arc::new(Shared::new(&ChainSpec::default()));
    Arc::new(Chain(Arc::new(Core::new(shared, Vec::new(), Chains::default()))))
}
