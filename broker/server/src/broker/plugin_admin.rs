//! What commands do to the plugins of a running broker.

use std::path::PathBuf;

use pintle_plugin_host::{Installed, LoadError, PluginInfo};
use toml::Table;
use tracing::info;

use super::controls::{Controls, Current};
use super::kept_plugin::{Difference, KeptPlugin};
use super::plugins::{LoadedPlugin, is_disabled};
use super::refusal::{Refusal, RefusalKind};
use super::saved_plugin;
use crate::config::{Config, Flags, Sources};

/// What a command has done to a plugin.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) info: PluginInfo,
    /// Whether one of its name was there before.
    pub(crate) replaced: bool,
    /// The file that brings it back at the next start.
    pub(crate) saved: Option<PathBuf>,
    /// What whoever asked should know.
    pub(crate) notes: Vec<String>,
}

impl Done {
    fn of(info: PluginInfo) -> Self {
        Self { info, replaced: false, saved: None, notes: Vec::new() }
    }
}

impl From<Installed> for Done {
    fn from(installed: Installed) -> Self {
        Self { replaced: installed.replaced, ..Self::of(installed.info) }
    }
}

impl Controls {
    /// Loads what `entry` describes, as an entry of the configuration would; with `save` it is
    /// there again after the next start.
    pub(crate) fn load_plugin(&self, entry: Table, save: bool) -> Result<Done, Refusal> {
        let mut current = self.current.lock();
        let mut loaded = LoadedPlugin::read(entry, &self.environment())?;
        let name = loaded.kept.name().to_owned();
        check_name(&name)?;
        let folder = save.then(|| self.folder_to_save(&current, &name)).transpose()?;
        let may_anybody = self.may_anybody(&current);
        let replaced = self.host.spec(&name).is_ok();
        loaded.kept.install(&self.host)?;
        let mut notes = Vec::new();
        if let Some(folder) = folder {
            match saved_plugin::save(&folder, &name, &loaded.entry) {
                Ok(path) => loaded.saved = Some(path),
                Err(error) => notes.push(format!("It runs, and could not be saved: {error}.")),
            }
        } else {
            notes.push(self.after_a_restart(&current, &name));
        }
        if !may_anybody.is_empty() && self.host.has_authenticator() {
            notes.push(format!(
                "It decides who connects, but those it says nothing of are let in at {} as before; \
                 write anonymous = false there.",
                may_anybody.join(" and ")
            ));
        }
        let saved = loaded.saved.clone();
        current.plugins.loaded.insert(name.clone(), loaded);
        drop(current);
        self.files_changed.notify_one();
        let info = self.plugin(&name)?;
        info!(
            plugin = name,
            kind = info.kind,
            generation = info.code_generation,
            "A plugin was loaded by command."
        );
        Ok(Done { info, replaced, saved, notes })
    }

    /// Reads a plugin again from where it came, and puts that in its place.
    pub(crate) fn reload_plugin(&self, name: &str) -> Result<Done, Refusal> {
        let mut current = self.current.lock();
        self.plugin(name)?;
        if is_disabled(&self.host, name) {
            let what = format!("the plugin `{name}` is disabled");
            let hint = format!("`pintle plugin enable {name}` reads it again, too");
            return Err(Refusal::new(RefusalKind::State, what).with_hint(hint));
        }
        let fresh = self.read_again(&current, name)?;
        fresh.install(&self.host)?;
        keep(&mut current, fresh);
        let info = self.plugin(name)?;
        info!(plugin = name, generation = info.code_generation, "A plugin was reloaded.");
        Ok(Done { replaced: true, ..Done::of(info) })
    }

    /// Stops asking a plugin, and keeps it.
    pub(crate) fn disable_plugin(&self, name: &str) -> Result<Done, Refusal> {
        let _one_at_a_time = self.current.lock();
        let info = self.host.disable(name)?;
        info!(plugin = name, "A plugin was disabled.");
        let mut done = Done::of(info);
        done.notes.push("It is asked again after `enable`, or the next start.".to_owned());
        Ok(done)
    }

    /// Asks a plugin again, as its files are now if they can be loaded, else as it was.
    pub(crate) fn enable_plugin(&self, name: &str) -> Result<Done, Refusal> {
        let mut current = self.current.lock();
        let mut notes = Vec::new();
        if is_disabled(&self.host, name)
            && let Some(fresh) = self.changed_since(&current, name)
        {
            match fresh.install(&self.host) {
                Ok(_) => keep(&mut current, fresh),
                Err(error) => {
                    notes
                        .push(format!("It is as it was, for its files can not be loaded: {error}"));
                }
            }
        }
        let info = self.host.enable(name)?;
        info!(plugin = name, "A plugin was enabled.");
        Ok(Done { notes, ..Done::of(info) })
    }

    /// Takes a plugin out, and the file that would bring it back if a command has written that.
    pub(crate) fn remove_plugin(&self, name: &str) -> Result<Done, Refusal> {
        let mut current = self.current.lock();
        let info = self.plugin(name)?;
        self.host.remove(name)?;
        let mut notes = Vec::new();
        let drop_ins = self.sources.as_ref().and_then(Sources::drop_in_folder);
        let was_saved = match drop_ins.map(|folder| saved_plugin::forget(&folder, name)) {
            Some(Ok(true)) => true,
            Some(Ok(false)) | None => false,
            Some(Err(error)) => {
                notes.push(format!("The file that it is saved in can not be removed: {error}."));
                true
            }
        };
        let was_loaded = current.plugins.loaded.remove(name).is_some();
        let written = current.config.plugins.iter().find(|plugin| plugin.name == name);
        if let Some(written) = written.filter(|_| !was_saved) {
            let place = &written.origin;
            notes.push(format!("The configuration brings it back at the next start ({place})."));
        } else if !was_loaded && !was_saved {
            notes.push("The next start brings it back.".to_owned());
        }
        drop(current);
        self.files_changed.notify_one();
        info!(plugin = name, "A plugin was taken out.");
        Ok(Done { notes, ..Done::of(info) })
    }

    /// Puts the generation before the present one in its place.
    pub(crate) fn roll_back_plugin(&self, name: &str) -> Result<Done, Refusal> {
        let _one_at_a_time = self.current.lock();
        let mut done = Done::from(self.host.roll_back(name)?);
        done.notes.push("The next change of its files puts those in force again.".to_owned());
        info!(plugin = name, generation = done.info.code_generation, "A plugin was rolled back.");
        Ok(done)
    }

    /// What is known of one plugin.
    pub(crate) fn plugin(&self, name: &str) -> Result<PluginInfo, Refusal> {
        let mut all = self.host.list();
        let known = all.iter().map(|plugin| plugin.name.clone()).collect();
        let place = all.iter().position(|plugin| plugin.name == name);
        let missing = || LoadError::NoSuchPlugin { name: name.to_owned(), known };
        Ok(place.map(|place| all.swap_remove(place)).ok_or_else(missing)?)
    }

    /// Where each plugin comes from, in words.
    pub(crate) fn origin_of(&self, name: &str) -> String {
        let current = self.current.lock();
        match (current.plugins.loaded.get(name), current.plugins.configured.get(name)) {
            (Some(loaded), _) => match &loaded.saved {
                Some(path) => format!("loaded by command, saved in {}", path.display()),
                None => "loaded by command, gone at the next start".to_owned(),
            },
            (None, Some(kept)) => kept.config.origin.to_string(),
            (None, None) => "linked into the program".to_owned(),
        }
    }

    pub(super) fn environment(&self) -> Vec<(String, String)> {
        match &self.sources {
            Some(sources) => sources.environment.clone(),
            None => Sources::from_environment(None, Flags::default()).environment,
        }
    }

    /// A plugin as its files are now.
    fn read_again(&self, current: &Current, name: &str) -> Result<KeptPlugin, Refusal> {
        if let Some(loaded) = current.plugins.loaded.get(name) {
            let entry = loaded.entry.clone();
            return Ok(LoadedPlugin::read(entry, &self.environment())?.kept);
        }
        let config = match &self.sources {
            Some(sources) => {
                let plugins = Config::load(sources)?.plugins;
                plugins.into_iter().find(|plugin| plugin.name == name)
            }
            None => current.plugins.configured.get(name).map(|kept| kept.config.clone()),
        };
        let Some(config) = config else {
            let what = format!("the plugin `{name}` stands in no file that could be read again");
            return Err(Refusal::new(RefusalKind::State, what));
        };
        let read = KeptPlugin::read(config);
        read.map_err(|problem| Refusal::new(RefusalKind::Plugin, problem.to_string()))
    }

    /// A plugin as its files are now, if that can be read and is another than it was.
    fn changed_since(&self, current: &Current, name: &str) -> Option<KeptPlugin> {
        let loaded = current.plugins.loaded.get(name).map(|loaded| &loaded.kept);
        let before = loaded.or_else(|| current.plugins.configured.get(name))?;
        let fresh = self.read_again(current, name).ok()?;
        (before.differs(&fresh) != Difference::Nothing).then_some(fresh)
    }

    /// `conf.d`, if there is one and the plugin may stand there.
    fn folder_to_save(&self, current: &Current, name: &str) -> Result<PathBuf, Refusal> {
        let folder = self.sources.as_ref().and_then(Sources::drop_in_folder);
        let Some(folder) = folder else {
            let what = "the broker runs without a configuration file, so there is no conf.d to \
                        save the plugin in; nothing was loaded";
            let hint = "start it with --config FILE, or load the plugin without --save";
            return Err(Refusal::new(RefusalKind::State, what).with_hint(hint));
        };
        let written = current.config.plugins.iter().find(|plugin| plugin.name == name);
        if let Some(written) = written.filter(|_| !saved_plugin::is_ours(&folder, name)) {
            let what = format!(
                "the plugin `{name}` stands in the configuration already ({}); nothing was loaded",
                written.origin
            );
            let hint = "change it there, or give this one another --name";
            return Err(Refusal::new(RefusalKind::State, what).with_hint(hint));
        }
        Ok(folder)
    }

    fn after_a_restart(&self, current: &Current, name: &str) -> String {
        let written = current.config.plugins.iter().find(|plugin| plugin.name == name);
        match written {
            Some(written) => {
                format!("It takes the place of the one at {} until the next start.", written.origin)
            }
            None => "It is gone at the next start; --save keeps it.".to_owned(),
        }
    }

    /// Listeners that let in anybody because nothing authenticated when they were opened.
    fn may_anybody(&self, current: &Current) -> Vec<String> {
        if self.host.has_authenticator() {
            return Vec::new();
        }
        let listeners = current.config.listeners.iter();
        let open = listeners
            .filter(|listener| listener.anonymous.is_none() && listener.terms(false).anonymous);
        open.map(|listener| listener.bind.to_string()).collect()
    }
}

/// Notes how a plugin was when it was read again.
fn keep(current: &mut Current, fresh: KeptPlugin) {
    let name = fresh.name().to_owned();
    match current.plugins.loaded.get_mut(&name) {
        Some(loaded) => loaded.kept = fresh,
        None => {
            current.plugins.configured.insert(name, fresh);
        }
    }
}

/// Names stand in addresses and in names of files.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_fine) {
        return Ok(());
    }
    let what = format!(
        "{name:?} is no name for a plugin: letters, digits, `-`, `_` and `.` make one, 64 at most"
    );
    Err(Refusal::new(RefusalKind::Question, what).with_hint("give it one with --name"))
}
