//! `[hooks]`: in which order plugins are asked.

use pintle_plugin_api::Hooks;
use pintle_plugin_host::HookOrder;

use super::plugin::PluginConfig;
use super::problem::suggestion;
use super::section::Section;

pub(super) fn read(mut section: Section<'_>, plugins: &[PluginConfig]) -> HookOrder {
    let mut list = |hook, kind| {
        let list = section.texts(hook)?;
        check(&section, hook, kind, &list, plugins);
        Some(list)
    };
    let order = HookOrder {
        authenticate: list("authenticate", Hooks::AUTHENTICATE),
        authorize: list("authorize", Hooks::AUTHORIZE),
        publish: list("publish", Hooks::PUBLISH),
        subscribe: list("subscribe", Hooks::SUBSCRIBE),
        unsubscribe: list("unsubscribe", Hooks::UNSUBSCRIBE),
        deliver: list("deliver", Hooks::DELIVER),
    };
    section.finish();
    order
}

/// A list names plugins that exist and have the hook, each once, and leaves none of them out.
fn check(
    section: &Section<'_>,
    hook: &'static str,
    kind: Hooks,
    list: &[String],
    plugins: &[PluginConfig],
) {
    let origin = section.origin_of(hook);
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    for (i, name) in list.iter().enumerate() {
        let what = match plugins.iter().find(|plugin| plugin.name == *name) {
            None => format!("there is no plugin {name:?}. {}", suggestion(name, &names)),
            Some(plugin) if has(plugin, kind) == Some(false) => {
                format!("{name:?} has no such hook; take it out of the list")
            }
            Some(_) if list.iter().take(i).any(|before| before == name) => {
                format!("{name:?} is listed twice")
            }
            Some(_) => continue,
        };
        section.problem(hook, &origin, what);
    }
    let left_out = plugins
        .iter()
        .find(|plugin| has(plugin, kind) == Some(true) && !list.contains(&plugin.name));
    if let Some(plugin) = left_out {
        let what = format!("{:?} has this hook too; say where in the list it comes", plugin.name);
        section.problem(hook, &origin, what);
    }
}

/// Whether the plugin has the hook; `None` for scripts, of which only loading tells.
fn has(plugin: &PluginConfig, kind: Hooks) -> Option<bool> {
    Some(plugin.source.builtin()?.plugin().about().hooks.contains(kind))
}
