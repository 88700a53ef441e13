//! Plugins that are components.

use pintle_plugin_host::{Code, PluginSpec, Script};

use crate::module_text::{authorize_component, publish_component};
use crate::support::named;

/// A plugin with the strictest policies that is this component.
pub(crate) fn plugin(component: Vec<u8>) -> PluginSpec {
    PluginSpec { code: Code::Wasm(Script::new("hostile.wasm", component)), ..named("hostile", "") }
}

pub(crate) fn on_publish(fields: &str, body: &str) -> PluginSpec {
    plugin(publish_component(fields, body))
}

pub(crate) fn authorize(fields: &str, body: &str) -> PluginSpec {
    plugin(authorize_component(fields, body))
}
