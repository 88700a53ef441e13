use std::path::Path;
use std::sync::Arc;

use pintle_plugin_api::Host;
use pintle_ports::PluginId;

use crate::code::Code;
#[cfg(any(feature = "lua", feature = "wasm"))]
use crate::code::Script;
use crate::core::{Chains, Core};
use crate::error::LoadError;
use crate::fault::Fault;
use crate::hook::Hook;
#[cfg(any(feature = "lua", feature = "wasm"))]
use crate::instance::Stage;
use crate::instance::{CarriedState, Instance, Native};
use crate::plugin_handle::PluginHandle;
use crate::plugin_state::{PluginState, Rights};
use crate::roster::{Entry, Roster};
use crate::shared::Shared;
use crate::slot::{Slot, SlotParts};
use crate::spec::{ChainSpec, PluginSpec};
use crate::topic_set::TopicSet;

/// Checks `spec`, hands every plugin its settings, and makes the table.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn load(spec: ChainSpec) -> Result<(Arc<Core>, Roster), LoadError> {
    check_names(&spec.plugins)?;
    let shared = Arc::new(Shared::new(&spec));
    let mut entries = Vec::with_capacity(spec.plugins.len());
    for (at, plugin) in (0..).zip(spec.plugins) {
        let id = PluginId(at);
        let slot = Some(Arc::new(slot_of(&shared, id, &plugin, None)?));
        entries.push(Entry { id, spec: plugin, previous: None, slot, code_generation: 1 });
    }
    let roster = Roster { order: spec.order, entries };
    let core = table(&shared, &roster, Listing::Strict)?;
    Ok((Arc::new(core), roster))
}

/// How exactly the lists of an order must fit the plugins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// As the configuration's do at the start.
    Strict,
    /// What is gone is skipped; what is new comes last.
    Lenient,
}

/// The table of those that are not disabled.
///
/// # Errors
/// If they do not fit together.
pub(crate) fn table(
    shared: &Arc<Shared>,
    roster: &Roster,
    listing: Listing,
) -> Result<Core, LoadError> {
    let slots = roster.slots();
    check_auth_methods(&slots)?;
    check_one_store(&slots)?;
    let order = &roster.order;
    let chain = |key, hook, listed: &Option<Vec<String>>| match listing {
        Listing::Strict => chain(key, hook, listed, &slots),
        Listing::Lenient => Ok(lenient_chain(hook, listed.as_deref(), &slots)),
    };
    let chains = Chains {
        authenticate: chain("authenticate", Hook::Authenticate, &order.authenticate)?,
        authorize: chain("authorize", Hook::Authorize, &order.authorize)?,
        publish: chain("publish", Hook::Publish, &order.publish)?,
        subscribe: chain("subscribe", Hook::Subscribe, &order.subscribe)?,
        unsubscribe: chain("unsubscribe", Hook::Unsubscribe, &order.unsubscribe)?,
        deliver: chain("deliver", Hook::Deliver, &order.deliver)?,
    };
    Ok(Core::new(Arc::clone(shared), slots, chains))
}

fn check_names(plugins: &[PluginSpec]) -> Result<(), LoadError> {
    let count = plugins.len();
    if count > usize::from(u16::MAX) {
        return Err(LoadError::TooMany { count });
    }
    for (at, plugin) in plugins.iter().enumerate() {
        if plugins.iter().take(at).any(|other| other.name == plugin.name) {
            let name = plugin.name.clone();
            return Err(LoadError::DuplicateName { name });
        }
    }
    Ok(())
}

/// A place for one plugin, settings and the state of the generation before handed over; nothing yet
/// leads to it.
///
/// # Errors
/// What is wrong with the plugin.
pub(crate) fn slot_of(
    shared: &Arc<Shared>,
    id: PluginId,
    spec: &PluginSpec,
    carried: Option<CarriedState>,
) -> Result<Slot, LoadError> {
    let topics = topic_set(spec, "topics", &spec.topics)?;
    let publish_grant = topic_set(spec, "grants.publish", &spec.grants.publish)?;
    let rights = Rights {
        grants: spec.grants.clone(),
        publish: publish_grant,
        retained: topic_set(spec, "grants.retained", &spec.grants.retained)?,
    };
    let kept = shared.keepsakes(spec)?;
    let decisions_max = shared.decisions_max;
    let state = Arc::new(PluginState::new(id, &spec.name, rights, kept, decisions_max));
    let host = Arc::new(PluginHandle::new(shared, &state));
    let data_dir = shared.data_dir();
    let instance = instance_on(spec, &state.name, Surroundings { host, state: carried, data_dir })?;
    let slot = Slot::new(SlotParts {
        state,
        kind: spec.code.kind(),
        instance,
        topics,
        on_error: spec.on_error,
        budgets: spec.budgets,
        event_queue_max: shared.event_queue_max,
        worker_share: spec.limits.worker_share,
    });
    check_policy(&slot)?;
    Ok(slot)
}

/// What a new instance finds.
pub(crate) struct Surroundings<'a> {
    pub(crate) host: Arc<dyn Host>,
    /// What the generation before said.
    pub(crate) state: Option<CarriedState>,
    /// Below it compiled code is kept, if it is known.
    pub(crate) data_dir: Option<&'a Path>,
}

/// An instance of the plugin.
///
/// # Errors
/// What is wrong with its code or settings.
pub(crate) fn instance_on(
    spec: &PluginSpec,
    name: &Arc<str>,
    around: Surroundings<'_>,
) -> Result<Box<dyn Instance>, LoadError> {
    let settings = |error| LoadError::Settings { plugin: spec.name.clone(), error };
    let fault =
        |fault: Fault| LoadError::Code { plugin: spec.name.clone(), why: fault.to_string() };
    match &spec.code {
        Code::Native(plugin) => {
            let native = Native::new(Arc::clone(plugin)).map_err(fault)?;
            native.configure(&spec.settings).map_err(settings)?;
            if let Some(state) = &around.state {
                native.import_state(state).map_err(settings)?;
            }
            Ok(Box::new(native))
        }
        #[cfg(feature = "lua")]
        Code::Lua(script) => crate::lua::stage(stage(spec, name, script, around)).map_err(fault),
        #[cfg(feature = "wasm")]
        Code::Wasm(script) => crate::wasm::stage(stage(spec, name, script, around)).map_err(fault),
        #[cfg(not(all(feature = "lua", feature = "wasm")))]
        code => {
            let _ = (name, around.host, around.data_dir);
            let what =
                format!("this pintle was built without plugins of the kind `{}`", code.kind());
            Err(fault(Fault::invalid(what)))
        }
    }
}

#[cfg(any(feature = "lua", feature = "wasm"))]
fn stage(spec: &PluginSpec, name: &Arc<str>, script: &Script, around: Surroundings<'_>) -> Stage {
    Stage {
        name: Arc::clone(name),
        script: script.clone(),
        settings: spec.settings.clone(),
        budgets: spec.budgets,
        limits: spec.limits,
        with_password: spec.grants.credentials,
        #[cfg(feature = "wasm")]
        data_dir: around.data_dir.map(Path::to_owned),
        host: around.host,
        state: around.state,
    }
}

pub(crate) fn topic_set(
    spec: &PluginSpec,
    key: &'static str,
    filters: &[String],
) -> Result<TopicSet, LoadError> {
    TopicSet::new(filters).map_err(|(filter, why)| LoadError::InvalidFilter {
        plugin: spec.name.clone(),
        key,
        filter,
        why,
    })
}

fn check_policy(slot: &Slot) -> Result<(), LoadError> {
    let policy = &slot.on_error;
    let hooks = [
        (Hook::Publish, "publish", policy.publish.is_some()),
        (Hook::Subscribe, "subscribe", policy.subscribe.is_some()),
        (Hook::Deliver, "deliver", policy.deliver.is_some()),
    ];
    for (hook, key, is_declared) in hooks {
        if slot.has(hook.flag()) && !is_declared {
            let (example, values) = match hook {
                Hook::Publish => ("pass", "pass, drop, reject"),
                Hook::Subscribe => ("pass", "pass, reject"),
                _ => ("pass", "pass, drop"),
            };
            return Err(LoadError::NoErrorPolicy {
                plugin: slot.state.name.to_string(),
                hook: key,
                example,
                values,
            });
        }
    }
    Ok(())
}

fn check_one_store(slots: &[Arc<Slot>]) -> Result<(), LoadError> {
    let mut stores = slots.iter().filter(|slot| slot.has(Hook::Store.flag()));
    match (stores.next(), stores.next()) {
        (Some(first), Some(second)) => Err(LoadError::TwoStores {
            first: first.state.name.to_string(),
            second: second.state.name.to_string(),
        }),
        _ => Ok(()),
    }
}

fn check_auth_methods(slots: &[Arc<Slot>]) -> Result<(), LoadError> {
    let mut owners: Vec<(&str, &Slot)> = Vec::new();
    for slot in slots.iter().filter(|slot| slot.has(Hook::EnhancedAuth.flag())) {
        for method in &slot.about().auth_methods {
            if let Some((_, first)) = owners.iter().find(|(owned, _)| *owned == method.as_str()) {
                return Err(LoadError::MethodTwice {
                    method: method.clone(),
                    first: first.state.name.to_string(),
                    second: slot.state.name.to_string(),
                });
            }
            owners.push((method, slot));
        }
    }
    Ok(())
}

/// The slots that have `hook`, in the order that the configuration lists or else of appearance.
fn chain(
    key: &'static str,
    hook: Hook,
    listed: &Option<Vec<String>>,
    slots: &[Arc<Slot>],
) -> Result<Vec<Arc<Slot>>, LoadError> {
    let having = slots.iter().filter(|slot| slot.has(hook.flag())).cloned();
    let Some(listed) = listed else {
        return Ok(having.collect());
    };
    let mut chain: Vec<Arc<Slot>> = Vec::with_capacity(listed.len());
    for name in listed {
        let owned = || name.clone();
        let Some(slot) = slots.iter().find(|slot| *slot.state.name == **name) else {
            return Err(LoadError::UnknownInOrder { hook: key, name: owned() });
        };
        if !slot.has(hook.flag()) {
            return Err(LoadError::HooklessInOrder { hook: key, name: owned() });
        }
        if chain.iter().any(|other| other.state.id == slot.state.id) {
            return Err(LoadError::TwiceInOrder { hook: key, name: owned() });
        }
        chain.push(Arc::clone(slot));
    }
    let is_listed = |slot: &Arc<Slot>| chain.iter().any(|other| other.state.id == slot.state.id);
    match having.clone().find(|slot| !is_listed(slot)) {
        Some(left_out) => {
            Err(LoadError::MissingInOrder { hook: key, name: left_out.state.name.to_string() })
        }
        None => Ok(chain),
    }
}

/// The same for a table that changes while the broker runs.
fn lenient_chain(hook: Hook, listed: Option<&[String]>, slots: &[Arc<Slot>]) -> Vec<Arc<Slot>> {
    let having = || slots.iter().filter(|slot| slot.has(hook.flag()));
    let listed = listed.unwrap_or_default();
    let place = |slot: &Arc<Slot>| listed.iter().position(|name| **name == *slot.state.name);
    let mut chain: Vec<Arc<Slot>> = having().cloned().collect();
    // The sort is stable: those without a place stay in order of appearance.
    chain.sort_by_key(|slot| place(slot).unwrap_or(usize::MAX));
    chain
}
