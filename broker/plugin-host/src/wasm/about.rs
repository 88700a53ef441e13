use pintle_plugin_api::{EventKind, EventKinds, Hooks, Settings};

use super::bindings::exports::pintle::plugin::lifecycle;
use super::code::Indices;
use crate::fault::Fault;
use crate::instance::Abilities;

const KINDS: [(&str, EventKind); 15] = [
    ("connected", EventKind::Connected),
    ("auth-failed", EventKind::AuthFailed),
    ("disconnected", EventKind::Disconnected),
    ("connection-lost", EventKind::ConnectionLost),
    ("session-created", EventKind::SessionCreated),
    ("session-resumed", EventKind::SessionResumed),
    ("session-taken-over", EventKind::SessionTakenOver),
    ("session-expired", EventKind::SessionExpired),
    ("subscribed", EventKind::Subscribed),
    ("unsubscribed", EventKind::Unsubscribed),
    ("published", EventKind::Published),
    ("dropped", EventKind::Dropped),
    ("retained-set", EventKind::RetainedSet),
    ("retained-cleared", EventKind::RetainedCleared),
    ("will-sent", EventKind::WillSent),
];

/// What a component says of itself, checked against what it exports.
///
/// # Errors
/// What does not fit together.
pub(super) fn abilities(
    about: &lifecycle::About,
    exports: &Indices,
    settings: &Settings,
) -> Result<Abilities, Fault> {
    if let Some(key) = about.files.iter().find(|key| !settings.files.contains_key(*key)) {
        return Err(Fault::invalid(format!(
            "it reads the file that `{key}` names: say files = [\"{key}\"] in its plugin.toml, and \
             {key} = \"…\" in its config"
        )));
    }
    let hooks = hooks(about.hooks, exports)?;
    let events = events(&about.events)?;
    if Hooks::STATE.contains(hooks) {
        return Err(Fault::invalid("describe names no hook"));
    }
    if hooks.contains(Hooks::EVENTS) == (events == EventKinds::NONE) {
        return Err(Fault::invalid(
            "the hook `events` and the kinds in `about.events` belong together",
        ));
    }
    if hooks.contains(Hooks::ENHANCED_AUTH) == about.auth_methods.is_empty() {
        return Err(Fault::invalid(
            "the hook `enhanced-auth` and the names in `about.auth-methods` belong together",
        ));
    }
    Ok(Abilities {
        name: about.name.clone(),
        version: about.version.clone(),
        hooks,
        events,
        auth_methods: about.auth_methods.clone(),
    })
}

fn hooks(named: lifecycle::Hooks, exports: &Indices) -> Result<Hooks, Fault> {
    use lifecycle::Hooks as Named;
    let all = [
        (Named::AUTHENTICATE, Hooks::AUTHENTICATE, "auth", exports.auth.is_some()),
        (
            Named::ENHANCED_AUTH,
            Hooks::ENHANCED_AUTH,
            "enhanced-auth",
            exports.enhanced_auth.is_some(),
        ),
        (Named::AUTHORIZE, Hooks::AUTHORIZE, "acl", exports.acl.is_some()),
        (Named::PUBLISH, Hooks::PUBLISH, "publish", exports.publish.is_some()),
        (Named::SUBSCRIBE, Hooks::SUBSCRIBE, "subscribe", exports.subscribe.is_some()),
        (Named::UNSUBSCRIBE, Hooks::UNSUBSCRIBE, "subscribe", exports.subscribe.is_some()),
        (Named::DELIVER, Hooks::DELIVER, "deliver", exports.deliver.is_some()),
        (Named::EVENTS, Hooks::EVENTS, "events", exports.events.is_some()),
        (Named::TIMER, Hooks::TIMER, "timers", exports.timers.is_some()),
        (Named::COMMAND, Hooks::COMMAND, "control", exports.control.is_some()),
        (Named::STORE, Hooks::STORE, "store", exports.store.is_some()),
        (Named::OBSERVE, Hooks::OBSERVE, "commits", exports.commits.is_some()),
        (Named::STATE, Hooks::STATE, "state", exports.state.is_some()),
    ];
    let mut hooks = Hooks::NONE;
    for (name, hook, interface, is_exported) in all {
        if !named.contains(name) {
            continue;
        }
        if !is_exported {
            return Err(Fault::invalid(format!(
                "describe names a hook of the interface `{interface}`, which the component does not \
                 export"
            )));
        }
        hooks = hooks.and(hook);
    }
    Ok(hooks)
}

fn events(names: &[String]) -> Result<EventKinds, Fault> {
    let mut kinds = EventKinds::NONE;
    for name in names {
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| known == name) else {
            let known = KINDS.map(|(name, _)| name).join(", ");
            return Err(Fault::invalid(format!("events: `{name}` is none of {known}")));
        };
        kinds = kinds.with(*kind);
    }
    Ok(kinds)
}
