//! The plugins of a running broker by where they come from, and how they are read again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintle_plugin_host::{LoadError, PluginHost};
use toml::Table;
use tracing::{error, info};

use super::kept_plugin::{Difference, KeptPlugin, Undo};
use super::load_problem;
use crate::config::{Config, ConfigError, Granting, PluginConfig, Problem};

/// The plugins that can be read again.
#[derive(Default)]
pub(super) struct Plugins {
    /// Those of the configuration, as they were when it was last applied.
    pub(super) configured: BTreeMap<String, KeptPlugin>,
    /// Those that were loaded by command.
    pub(super) loaded: BTreeMap<String, LoadedPlugin>,
}

/// A plugin that was loaded by command.
#[derive(Clone)]
pub(super) struct LoadedPlugin {
    /// What the command said, as an entry of the configuration.
    pub(super) entry: Table,
    pub(super) kept: KeptPlugin,
    /// The file that brings it back at the next start.
    pub(super) saved: Option<PathBuf>,
}

/// The plugins that the next configuration wants.
pub(super) type Wanted = BTreeMap<String, KeptPlugin>;

/// Reads the plugins of `config` with their files.
///
/// # Errors
/// Files that can not be read.
pub(super) fn wanted(config: &Config) -> Result<Wanted, ConfigError> {
    let mut wanted = Wanted::new();
    let mut problems = Vec::new();
    for plugin in &config.plugins {
        match KeptPlugin::read(plugin.clone()) {
            Ok(kept) => {
                wanted.insert(plugin.name.clone(), kept);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(wanted) } else { Err(ConfigError { problems }) }
}

impl LoadedPlugin {
    /// Reads what `entry` names.
    ///
    /// # Errors
    /// What is wrong with the entry, the manifest or the files.
    pub(super) fn read(
        entry: Table,
        environment: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let config = PluginConfig::of_entry(&entry, Granting::AsWritten, environment)?;
        let kept =
            KeptPlugin::read(config).map_err(|problem| Problem { origin: None, ..problem })?;
        Ok(Self { entry, kept, saved: None })
    }
}

impl Plugins {
    /// Files of the plugins that were loaded by command.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.loaded.values().flat_map(|loaded| loaded.kept.config.files.clone())
    }

    /// Brings the host from the plugins of the configuration before to those of `next`: adds,
    /// replaces, hands over settings, takes out. A disabled plugin is left alone until it is
    /// enabled. Returns what was done.
    ///
    /// # Errors
    /// The first plugin that fails; everything is then as it was before.
    pub(super) fn apply(
        &mut self,
        host: &PluginHost,
        next: &Config,
        wanted: Wanted,
    ) -> Result<Vec<String>, ConfigError> {
        let mut applied = Vec::new();
        let mut undo = Vec::new();
        let mut configured = Wanted::new();
        let mut taken_over = Vec::new();
        for (name, new) in wanted {
            let loaded = self.loaded.get(&name);
            let old = self.configured.get(&name);
            let is_unchanged = old.is_some_and(|old| old.differs(&new) == Difference::Nothing);
            if is_unchanged {
                configured.insert(name, new);
                continue;
            }
            let before = loaded.map(|loaded| &loaded.kept).or(old);
            if before.is_some() && is_disabled(host, &name) {
                configured.extend(before.map(|before| (name, before.clone())));
                continue;
            }
            match bring(host, before, &new) {
                Ok(done) => {
                    applied.extend(done.as_ref().map(|(_, what)| what.clone()));
                    undo.extend(done.map(|(undo, _)| undo));
                }
                Err(error) => {
                    take_back(host, undo);
                    return Err(load_problem(next, &error));
                }
            }
            taken_over.extend(loaded.map(|_| name.clone()));
            configured.insert(name, new);
        }
        for name in self.configured.keys().filter(|name| !configured.contains_key(*name)) {
            // One that was loaded by command under its name stays, and one that is gone is gone.
            if !self.loaded.contains_key(name) && host.remove(name).is_ok() {
                applied.push(format!("the plugin `{name}` is taken out"));
            }
        }
        for name in taken_over {
            self.loaded.remove(&name);
        }
        self.configured = configured;
        Ok(applied)
    }

    /// Reads the plugins again that were loaded by command, and replaces those whose files have
    /// changed. One that fails is told of in the log and goes on as it was. Returns what was done.
    pub(super) fn refresh(
        &mut self,
        host: &PluginHost,
        environment: &[(String, String)],
    ) -> Vec<String> {
        let mut applied = Vec::new();
        for (name, loaded) in &mut self.loaded {
            if is_disabled(host, name) {
                continue;
            }
            let read = LoadedPlugin::read(loaded.entry.clone(), environment);
            let brought = read.map_err(|error| error.to_string()).and_then(|new| {
                let done = bring(host, Some(&loaded.kept), &new.kept);
                done.map(|done| (new, done)).map_err(|error| error.to_string())
            });
            match brought {
                Ok((new, done)) => {
                    loaded.kept = new.kept;
                    if let Some((_, what)) = done {
                        info!(plugin = name, "Its files have changed, and it was loaded again.");
                        applied.push(what);
                    }
                }
                Err(fault) => {
                    for line in fault.lines() {
                        error!(plugin = name, "Reload refused: {line}");
                    }
                    error!(plugin = name, "It goes on as it was.");
                }
            }
        }
        applied
    }
}

/// Whether it is there and is not asked.
pub(super) fn is_disabled(host: &PluginHost, name: &str) -> bool {
    host.list().iter().any(|plugin| plugin.name == name && !plugin.enabled)
}

/// Does what makes `new` of `before`; says how that is undone and what it was.
fn bring(
    host: &PluginHost,
    before: Option<&KeptPlugin>,
    new: &KeptPlugin,
) -> Result<Option<(Undo, String)>, LoadError> {
    let name = new.name();
    let difference = before.map_or(Difference::Plugin, |before| before.differs(new));
    Ok(match difference {
        Difference::Nothing => None,
        Difference::Settings => {
            let what = format!("settings and files of the plugin `{name}`");
            // One that was taken out by command comes back with the change.
            match host.spec(name) {
                Ok(_) => Some((new.configure(host)?, what)),
                Err(_) => Some((new.install(host)?, what)),
            }
        }
        Difference::Plugin => {
            let undo = new.install(host)?;
            let what = match &undo {
                Undo::Remove(_) => format!("the plugin `{name}` is new"),
                Undo::Install(_) | Undo::Settings(_) => format!("the plugin `{name}` is replaced"),
            };
            Some((undo, what))
        }
    })
}

fn take_back(host: &PluginHost, undo: Vec<Undo>) {
    for undo in undo.into_iter().rev() {
        if let Err(error) = undo.undo(host) {
            error!(%error, "A plugin can not be put back as it was.");
        }
    }
}
