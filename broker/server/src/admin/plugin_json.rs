//! What is known of plugins, as JSON.

use pintle_plugin_host::{HookStats, PluginInfo, PluginStats};
use serde_json::{Map, Value, json};

use crate::broker::Done;

pub(super) fn info(info: &PluginInfo, origin: &str) -> Value {
    json!({
        "name": info.name,
        "plugin": info.plugin,
        "version": info.version,
        "kind": info.kind,
        "path": info.path.as_ref().map(|path| path.display().to_string()),
        "hooks": info.hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>(),
        "topics": info.topics,
        "enabled": info.enabled,
        "generation": info.code_generation,
        "settings_generation": info.generation,
        "can_roll_back": info.can_roll_back,
        "origin": origin,
    })
}

pub(super) fn done(done: &Done, origin: &str) -> Value {
    json!({
        "plugin": info(&done.info, origin),
        "replaced": done.replaced,
        "saved": done.saved.as_ref().map(|path| path.display().to_string()),
        "notes": done.notes,
    })
}

pub(super) fn stats(stats: &PluginStats) -> Value {
    json!({
        "name": stats.name,
        "hooks": stats.hooks.iter().map(hook).collect::<Vec<_>>(),
        "last_error": stats.last_error,
        "events_lost": stats.events_lost,
        "messages_refused": stats.messages_refused,
        "decisions_cached": stats.decisions_cached,
        "decisions_reused": stats.decisions_reused,
    })
}

fn hook(hook: &HookStats) -> Value {
    let verdicts = hook.verdicts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into()));
    let errors = hook.errors.iter().map(|(kind, count)| (kind.name().to_owned(), (*count).into()));
    json!({
        "hook": hook.hook.name(),
        "calls": hook.calls,
        "verdicts": Map::from_iter(verdicts),
        "errors": Map::from_iter(errors),
        "late": hook.late,
        "total_ns": hook.total_ns,
        "mean_ns": hook.total_ns.checked_div(hook.calls).unwrap_or(0),
        "max_ns": hook.max_ns,
        "breaker": hook.breaker.name(),
    })
}
