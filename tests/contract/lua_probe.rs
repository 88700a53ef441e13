//! The probe, written in Lua.

use pintle_plugin_api::{Hooks, Settings};
use pintle_server::{Code, PluginSpec, Script};

use crate::native_probe;

const SOURCE: &str = include_str!("lua_probe.lua");

const HOOKS: [(Hooks, &[&str]); 11] = [
    (Hooks::AUTHENTICATE, &["authenticate"]),
    (Hooks::ENHANCED_AUTH, &["auth_begin"]),
    (Hooks::AUTHORIZE, &["authorize"]),
    (Hooks::PUBLISH, &["on_publish"]),
    (Hooks::SUBSCRIBE, &["on_subscribe"]),
    (Hooks::UNSUBSCRIBE, &["on_unsubscribe"]),
    (Hooks::DELIVER, &["cohort", "on_deliver"]),
    (Hooks::EVENTS, &["on_events"]),
    (Hooks::TIMER, &["on_timer"]),
    (Hooks::COMMAND, &["on_command"]),
    (Hooks::STATE, &["export_state", "import_state"]),
];

/// The script under this name with these hooks alone; policies, grants and budgets are those of the
/// probe that is linked in.
pub(crate) fn spec(name: &str, hooks: Hooks) -> PluginSpec {
    let there = HOOKS.into_iter().filter(|(hook, _)| hooks.contains(*hook));
    let functions: Vec<&str> = there.flat_map(|(_, names)| names).copied().collect();
    let settings = Settings {
        config: serde_json::json!({ "name": name, "hooks": functions }),
        ..Settings::default()
    };
    let script = Script::new("lua_probe.lua", SOURCE.as_bytes());
    PluginSpec { code: Code::Lua(script), settings, ..native_probe::spec(name, hooks) }
}
