//! The probe, in a component.

use pintle_plugin_api::{Hooks, Settings};
use pintle_server::{Code, PluginSpec, Script};

use crate::native_probe;
use crate::probe::HOOKS;

const COMPONENT: &[u8] = include_bytes!("component/probe.wasm");

/// The component under this name with these hooks alone; everything else is as for the probe that is
/// linked in.
pub(crate) fn spec(name: &str, hooks: Hooks) -> PluginSpec {
    let named = HOOKS.into_iter().filter(|(hook, _)| hooks.contains(*hook));
    let named: Vec<&str> = named.map(|(_, name)| name).collect();
    let settings = Settings {
        config: serde_json::json!({ "name": name, "hooks": named }),
        ..Settings::default()
    };
    let script = Script::new("probe.wasm", COMPONENT);
    PluginSpec { code: Code::Wasm(script), settings, ..native_probe::spec(name, hooks) }
}
