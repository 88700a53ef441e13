//! Plugins as the configuration wants them, ready for the plugin host.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use pintle_plugin_api::{FileContent, Hooks, Settings};
use pintle_plugin_host::{ChainSpec, Code, HookOrder, PluginSpec, ScriptLimits};

use crate::config::{Config, ConfigError, PluginConfig, Problem};

/// `own` first, then the plugins of the configuration with the files that they name.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn chain_spec(config: &Config, own: &[PluginSpec]) -> Result<ChainSpec, ConfigError> {
    let mut plugins = own.to_vec();
    let mut problems = Vec::new();
    for plugin in &config.plugins {
        match plugin_spec(plugin) {
            Ok(spec) => plugins.push(spec),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let order = with_own_first(config.hooks.clone(), own);
    Ok(ChainSpec { plugins, order, ..ChainSpec::default() })
}

fn plugin_spec(plugin: &PluginConfig) -> Result<PluginSpec, Problem> {
    Ok(PluginSpec {
        name: plugin.name.clone(),
        code: Code::Native(plugin.builtin.plugin()),
        limits: ScriptLimits::default(),
        topics: plugin.topics.clone(),
        on_error: plugin.on_error,
        grants: plugin.grants.clone(),
        settings: settings(plugin)?,
        budgets: plugin.budgets,
    })
}

/// The settings of a plugin with the files as they are now.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn settings(plugin: &PluginConfig) -> Result<Settings, Problem> {
    let about = plugin.builtin.plugin().about();
    let mut files = BTreeMap::new();
    for key in about.files.iter().chain(about.optional_files) {
        // A key that is missing or is no text is for the plugin to complain of.
        let Some(path) = plugin.config.get(*key).and_then(|value| value.as_str()) else {
            continue;
        };
        let path = PathBuf::from(path);
        match std::fs::read(&path) {
            Ok(bytes) => {
                files.insert((*key).to_owned(), FileContent { path, bytes });
            }
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && about.optional_files.contains(key) => {}
            Err(error) => {
                let what =
                    format!("plugin `{}`: cannot read {}: {error}", plugin.name, path.display());
                return Err(Problem::new(plugin.origin.clone(), "", what));
            }
        }
    }
    Ok(Settings { config: plugin.config.clone(), files })
}

/// Whether both are the same to a plugin.
pub(super) fn same_settings(a: &Settings, b: &Settings) -> bool {
    let content = |settings: &Settings| -> Vec<(String, Vec<u8>)> {
        let files = settings.files.iter();
        files.map(|(key, file)| (key.clone(), file.bytes.clone())).collect()
    };
    a.config == b.config && content(a) == content(b)
}

/// Lists of the configuration do not know the plugins that a program brings; those come first.
fn with_own_first(order: HookOrder, own: &[PluginSpec]) -> HookOrder {
    let extend = |list: Option<Vec<String>>, kind: Hooks| {
        let has = |spec: &&PluginSpec| match &spec.code {
            Code::Native(plugin) => plugin.about().hooks.contains(kind),
            Code::Lua(_) | Code::Wasm(_) => false,
        };
        let first = own.iter().filter(has).map(|plugin| plugin.name.clone());
        list.map(|list| first.chain(list).collect())
    };
    HookOrder {
        authenticate: extend(order.authenticate, Hooks::AUTHENTICATE),
        authorize: extend(order.authorize, Hooks::AUTHORIZE),
        publish: extend(order.publish, Hooks::PUBLISH),
        subscribe: extend(order.subscribe, Hooks::SUBSCRIBE),
        unsubscribe: extend(order.unsubscribe, Hooks::UNSUBSCRIBE),
        deliver: extend(order.deliver, Hooks::DELIVER),
    }
}
