//! Plugins as the configuration wants them, ready for the plugin host.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pintle_plugin_api::{FileContent, Hooks, Settings};
use pintle_plugin_host::{CaseFile, ChainSpec, Code, HookOrder, PluginSpec, Script, WrittenFor};
use serde_json::Value;

use crate::config::{Config, ConfigError, PluginConfig, PluginSource, Problem, ScriptKind};

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

/// One plugin with its code and the files that it names, as they are now.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn plugin_spec(plugin: &PluginConfig) -> Result<PluginSpec, Problem> {
    Ok(PluginSpec {
        topics: plugin.topics.clone(),
        on_error: plugin.on_error,
        grants: plugin.grants.clone(),
        settings: settings(plugin)?,
        budgets: plugin.budgets,
        limits: plugin.limits,
        cases: cases(plugin)?,
        ..PluginSpec::of(&plugin.name, code(plugin)?)
    })
}

fn code(plugin: &PluginConfig) -> Result<Code, Problem> {
    let script = match &plugin.source {
        PluginSource::Builtin(builtin) => return Ok(Code::Native(builtin.plugin())),
        PluginSource::Script(script) => script,
    };
    let bytes =
        std::fs::read(&script.main).map_err(|error| unread(plugin, &script.main, &error))?;
    let file = Script::new(&script.main, bytes);
    Ok(match script.kind {
        ScriptKind::Lua => Code::Lua(file),
        ScriptKind::Wasm => Code::Wasm(file),
    })
}

/// Its cases, to be run with the settings that it comes with: an operator who changes them breaks
/// none of its promises.
fn cases(plugin: &PluginConfig) -> Result<Vec<CaseFile>, Problem> {
    let PluginSource::Script(script) = &plugin.source else { return Ok(Vec::new()) };
    if script.cases.is_empty() {
        return Ok(Vec::new());
    }
    let own = &plugin.comes_with;
    let settings = settings_with(plugin, &own.config)?;
    let written_for = Some(WrittenFor { settings, topics: own.topics.clone() });
    let read = |path: &PathBuf| match CaseFile::read(path) {
        Ok(file) => Ok(CaseFile { written_for: written_for.clone(), ..file }),
        Err(error) => Err(Problem::unplaced(error.to_string())),
    };
    script.cases.iter().map(read).collect()
}

fn unread(plugin: &PluginConfig, path: &Path, error: &io::Error) -> Problem {
    let what = format!("plugin `{}`: cannot read {}: {error}", plugin.name, path.display());
    Problem::new(plugin.origin.clone(), "", what)
}

/// The settings of a plugin with the files as they are now.
///
/// # Errors
/// A file that cannot be read.
fn settings(plugin: &PluginConfig) -> Result<Settings, Problem> {
    settings_with(plugin, &plugin.config)
}

fn settings_with(plugin: &PluginConfig, config: &Value) -> Result<Settings, Problem> {
    let mut files = BTreeMap::new();
    for key in plugin.file_keys.iter().chain(&plugin.optional_file_keys) {
        // A key that is missing or is no text is for the plugin to complain of.
        let Some(path) = config.get(key).and_then(|value| value.as_str()) else {
            continue;
        };
        let path = PathBuf::from(path);
        match std::fs::read(&path) {
            Ok(bytes) => {
                files.insert(key.clone(), FileContent { path, bytes });
            }
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && plugin.optional_file_keys.contains(key) => {}
            Err(error) => return Err(unread(plugin, &path, &error)),
        }
    }
    Ok(Settings { config: config.clone(), files })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn cases_expect_the_settings_that_a_plugin_comes_with() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("p/main.lua", "return {}");
        write(
            "p/plugin.toml",
            "main = \"main.lua\"\ntopics = [\"a/#\"]\nfiles = [\"table\"]\n\
             [config]\nunit = \"C\"\ntable = \"own\"\n",
        );
        write("p/own", "own");
        write("theirs", "theirs");
        write("p/cases/first.toml", "[[case]]\npublish = { topic = \"a\" }\n");
        write(
            "pintle.toml",
            "[[plugin]]\nuse = \"p\"\ntopics = [\"b\"]\n\
             config = { unit = \"K\", table = \"theirs\" }\n",
        );
        let sources =
            Sources { file: Some(folder.path().join("pintle.toml")), ..Sources::default() };
        let config = Config::load(&sources).unwrap();

        let spec = plugin_spec(&config.plugins[0]).unwrap();

        assert_eq!(spec.topics, ["b"]);
        assert_eq!(spec.settings.config["unit"], "K");
        assert_eq!(spec.settings.files["table"].bytes, b"theirs");
        let written_for = spec.cases[0].written_for.as_ref().unwrap();
        assert_eq!(written_for.topics, ["a/#"]);
        assert_eq!(written_for.settings.config["unit"], "C");
        assert_eq!(written_for.settings.files["table"].bytes, b"own");
    }

    #[test]
    fn a_file_of_cases_with_an_error_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lua");
        std::fs::write(&path, "return {}").unwrap();
        std::fs::write(folder.path().join("x.cases.toml"), "[[case]]\nnme = \"a\"\n").unwrap();
        let file = folder.path().join("pintle.toml");
        std::fs::write(&file, "[[plugin]]\nuse = \"x.lua\"\n").unwrap();
        let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let error = plugin_spec(&config.plugins[0]).err().unwrap().to_string();
        assert!(error.contains("x.cases.toml:2: unknown field `nme`"), "{error}");
    }
}
