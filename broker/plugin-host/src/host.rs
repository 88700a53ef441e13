use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pintle_plugin_api::{Settings, SettingsError};
use pintle_ports::{Action, Broker, Hooks, Identity};
use tokio::sync::watch;
use tracing::error;

use crate::background;
use crate::chain::Chain;
use crate::core::{Chains, Core, CoreTerms};
use crate::error::LoadError;
use crate::explain::Explanation;
use crate::hook::Hook;
use crate::load::load;
use crate::plugin_handle::PluginHandle;
use crate::slot::{PluginStats, Slot};
use crate::spec::ChainSpec;

/// The plugins of a broker. The engine sees them as [`PluginHost::hooks`]; this is the side for the
/// server: it starts them, feeds them settings, and asks how they are.
///
/// Dropping it ends what runs in the background and lets go of the broker.
pub struct PluginHost {
    core: Arc<Core>,
    stop: watch::Sender<bool>,
    is_started: AtomicBool,
}

/// What a plugin is, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name in the configuration.
    pub name: String,
    /// What it calls itself.
    pub plugin: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What runs it: `native`.
    pub kind: &'static str,
    /// The hooks it has.
    pub hooks: Vec<Hook>,
    /// The topics it wants; empty for all.
    pub topics: Vec<String>,
    /// Rises with new settings and with each time it takes its decisions back.
    pub generation: u64,
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
        Ok(Self {
            core: Arc::new(load(spec)?),
            stop: watch::Sender::new(false),
            is_started: AtomicBool::new(false),
        })
    }

    /// The plugins as the engine sees them.
    pub fn hooks(&self) -> Arc<dyn Hooks> {
        Arc::new(Chain(Arc::clone(&self.core)))
    }

    /// Lets plugins act on `broker`, and starts them, the first time this is called.
    pub fn connect_broker(&self, broker: Arc<dyn Broker>) {
        self.core.note_runtime();
        self.core.set_broker(Some(broker));
        if self.is_started.swap(true, Ordering::AcqRel) {
            return;
        }
        for slot in &self.core.slots {
            let handle = PluginHandle {
                core: Arc::downgrade(&self.core),
                plugin: slot.id,
                name: Arc::clone(&slot.name),
            };
            if let Err(fault) = slot.instance.start(Arc::new(handle)) {
                error!(plugin = &*slot.name, error = %fault, "A plugin failed to start.");
            }
        }
    }

    /// Timers, events, and what plugins asked for inside hooks. To be spawned once, on a runtime
    /// with time enabled; plugins are called on its blocking threads. Ends with
    /// [`PluginHost::shutdown`] or when the host is dropped.
    pub fn run(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        background::run(Arc::clone(&self.core), self.stop.subscribe())
    }

    /// Ends [`PluginHost::run`] and lets go of the broker. The hooks still answer.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
        self.core.set_broker(None);
    }

    /// Gives the plugin named `name` new settings. What was derived from the old ones is asked
    /// again. To be called from one thread at a time.
    ///
    /// # Errors
    /// What the plugin says against them; the old ones stay in force.
    pub fn reconfigure(&self, name: &str, settings: &Settings) -> Result<(), SettingsError> {
        let Some(slot) = self.core.slot_named(name) else {
            let what = format!("there is no plugin named `{name}`");
            return Err(SettingsError::new(what));
        };
        slot.instance.configure(settings)?;
        slot.forget_decisions();
        self.core.invalidate();
        Ok(())
    }

    /// Who would say what on `action`, and what would come of it.
    pub fn explain(&self, who: &Identity, action: Action<'_>) -> Explanation {
        self.core.explain(who, action)
    }

    /// The plugins, in order of appearance.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.core.slots.iter().map(|slot| info_of(slot)).collect()
    }

    /// The figures of all plugins, in order of appearance.
    pub fn stats(&self) -> Vec<PluginStats> {
        let now = self.core.now();
        self.core.slots.iter().map(|slot| slot.stats(now)).collect()
    }

    /// Whether a plugin decides who connects, by password or by enhanced authentication.
    pub fn has_authenticator(&self) -> bool {
        self.core.interest.authenticate || self.core.interest.enhanced_auth
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn info_of(slot: &Slot) -> PluginInfo {
    let named = Hook::ALL.into_iter().filter(|hook| slot.has(hook.flag()));
    PluginInfo {
        name: slot.name.to_string(),
        plugin: slot.about.name,
        version: slot.about.version,
        kind: slot.instance.kind(),
        hooks: named.collect(),
        topics: slot.topics.texts().map(str::to_owned).collect(),
        generation: slot.generation.load(Ordering::Acquire),
    }
}

/// Hooks with no plugin at all, for tests and embedding.
pub fn no_hooks() -> Arc<dyn Hooks> {
    let spec = ChainSpec::default();
    let terms = CoreTerms::of(&spec);
    let core = Core::new(Vec::new(), Chains::default(), &terms);
    Arc::new(Chain(Arc::new(core)))
}
