use std::sync::Arc;

use pintle_plugin_api::Plugin;
use pintle_ports::PluginId;

use crate::core::{Chains, Core, CoreTerms};
use crate::error::LoadError;
use crate::fault::caught;
use crate::hook::Hook;
use crate::instance::Native;
use crate::slot::{Slot, SlotParts};
use crate::spec::{ChainSpec, PluginSpec};
use crate::topic_set::TopicSet;

/// Checks `spec`, hands every plugin its settings, and makes the table.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn load(spec: ChainSpec) -> Result<Core, LoadError> {
    check_names(&spec.plugins)?;
    let terms = CoreTerms::of(&spec);
    let (decisions_max, event_queue_max) = (spec.decisions_max, spec.event_queue_max);
    let mut slots = Vec::with_capacity(spec.plugins.len());
    for (at, plugin) in (0..).zip(spec.plugins) {
        let id = PluginId(at);
        slots.push(Arc::new(slot_of(id, plugin, decisions_max, event_queue_max)?));
    }
    check_auth_methods(&slots)?;
    let order = &spec.order;
    let chains = Chains {
        authenticate: chain("authenticate", Hook::Authenticate, &order.authenticate, &slots)?,
        authorize: chain("authorize", Hook::Authorize, &order.authorize, &slots)?,
        publish: chain("publish", Hook::Publish, &order.publish, &slots)?,
        subscribe: chain("subscribe", Hook::Subscribe, &order.subscribe, &slots)?,
        unsubscribe: chain("unsubscribe", Hook::Unsubscribe, &order.unsubscribe, &slots)?,
        deliver: chain("deliver", Hook::Deliver, &order.deliver, &slots)?,
    };
    Ok(Core::new(slots, chains, &terms))
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

fn slot_of(
    id: PluginId,
    spec: PluginSpec,
    decisions_max: usize,
    event_queue_max: usize,
) -> Result<Slot, LoadError> {
    let named = |error| LoadError::Settings { plugin: spec.name.clone(), error };
    let about = caught(|| Plugin::about(&*spec.plugin))
        .map_err(|fault| named(pintle_plugin_api::SettingsError::new(fault.to_string())))?;
    let instance = Native(Arc::clone(&spec.plugin));
    let topics = topic_set(&spec, "topics", &spec.topics)?;
    let publish_grant = topic_set(&spec, "grants.publish", &spec.grants.publish)?;
    let slot = Slot::new(SlotParts {
        id,
        name: Arc::from(&*spec.name),
        about,
        instance: Box::new(instance),
        topics,
        on_error: spec.on_error,
        publish_grant,
        grants: spec.grants.clone(),
        budgets: spec.budgets,
        decisions_max,
        event_queue_max,
    });
    check_policy(&slot)?;
    slot.instance.configure(&spec.settings).map_err(named)?;
    Ok(slot)
}

fn topic_set(
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
                plugin: slot.name.to_string(),
                hook: key,
                example,
                values,
            });
        }
    }
    Ok(())
}

fn check_auth_methods(slots: &[Arc<Slot>]) -> Result<(), LoadError> {
    let mut owners: Vec<(&str, &Slot)> = Vec::new();
    for slot in slots.iter().filter(|slot| slot.has(Hook::EnhancedAuth.flag())) {
        for method in slot.about.auth_methods {
            if let Some((_, first)) = owners.iter().find(|(owned, _)| owned == method) {
                return Err(LoadError::MethodTwice {
                    method: (*method).to_owned(),
                    first: first.name.to_string(),
                    second: slot.name.to_string(),
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
        let Some(slot) = slots.iter().find(|slot| *slot.name == **name) else {
            return Err(LoadError::UnknownInOrder { hook: key, name: owned() });
        };
        if !slot.has(hook.flag()) {
            return Err(LoadError::HooklessInOrder { hook: key, name: owned() });
        }
        if chain.iter().any(|other| other.id == slot.id) {
            return Err(LoadError::TwiceInOrder { hook: key, name: owned() });
        }
        chain.push(Arc::clone(slot));
    }
    let is_listed = |slot: &Arc<Slot>| chain.iter().any(|other| other.id == slot.id);
    match having.clone().find(|slot| !is_listed(slot)) {
        Some(left_out) => {
            Err(LoadError::MissingInOrder { hook: key, name: left_out.name.to_string() })
        }
        None => Ok(chain),
    }
}
