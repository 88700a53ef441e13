//! A plugin as it was read, kept to see what differs when it is read again.

use std::path::PathBuf;
use std::sync::Arc;

use pintle_plugin_api::SettingsError;
use pintle_plugin_host::{Code, LoadError, PluginHost, PluginSpec};

use super::chain_spec::{plugin_spec, same_settings};
use crate::config::{PluginConfig, PluginSource, Problem};

/// One plugin with its files as they were when they were read.
#[derive(Clone)]
pub(super) struct KeptPlugin {
    pub(super) config: PluginConfig,
    pub(super) spec: PluginSpec,
    cases: Vec<(PathBuf, Vec<u8>)>,
}

/// What must be done so that a plugin is as it was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    Nothing,
    /// It is handed new settings.
    Settings,
    /// A new one takes its place.
    Plugin,
}

/// How what was done is undone.
pub(super) enum Undo {
    Remove(String),
    Settings(Box<PluginSpec>),
    Install(Box<PluginSpec>),
}

impl KeptPlugin {
    /// Reads the files of `config`.
    ///
    /// # Errors
    /// One that can not be read.
    pub(super) fn read(config: PluginConfig) -> Result<Self, Problem> {
        let spec = plugin_spec(&config)?;
        let cases = match &config.source {
            PluginSource::Builtin(_) => Vec::new(),
            // A file that is gone by now is as good as an empty one.
            PluginSource::Script(script) => {
                let read = |path: &PathBuf| (path.clone(), std::fs::read(path).unwrap_or_default());
                script.cases.iter().map(read).collect()
            }
        };
        Ok(Self { config, spec, cases })
    }

    /// Names itself.
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// What distinguishes `next` from this.
    pub(super) fn differs(&self, next: &Self) -> Difference {
        let is_same = self.config.source == next.config.source
            && same_code(&self.spec.code, &next.spec.code)
            && self.cases == next.cases
            && self.spec.topics == next.spec.topics
            && self.spec.on_error == next.spec.on_error
            && self.spec.grants == next.spec.grants
            && self.spec.budgets == next.spec.budgets
            && self.spec.limits == next.spec.limits;
        match (is_same, same_settings(&self.spec.settings, &next.spec.settings)) {
            (true, true) => Difference::Nothing,
            (true, false) => Difference::Settings,
            (false, _) => Difference::Plugin,
        }
    }

    /// Puts this in the place of what `host` has under its name. A plugin that is linked in stays
    /// the one it was, with what it knows.
    ///
    /// # Errors
    /// What is wrong with it; what ran before goes on.
    pub(super) fn install(&self, host: &PluginHost) -> Result<Undo, LoadError> {
        let mut spec = self.spec.clone();
        let Ok(old) = host.spec(self.name()) else {
            host.install(spec)?;
            return Ok(Undo::Remove(self.name().to_owned()));
        };
        if let (Code::Native(new), Code::Native(known)) = (&mut spec.code, &old.code)
            && new.about().name == known.about().name
        {
            *new = Arc::clone(known);
        }
        host.install(spec)?;
        Ok(Undo::Install(Box::new(old)))
    }

    /// Hands over the settings alone.
    ///
    /// # Errors
    /// What the plugin says against them; the old ones stay in force.
    pub(super) fn configure(&self, host: &PluginHost) -> Result<Undo, LoadError> {
        let old = host.spec(self.name())?;
        let refused =
            |error: SettingsError| LoadError::Settings { plugin: self.name().to_owned(), error };
        host.reconfigure(self.name(), &self.spec.settings).map_err(refused)?;
        Ok(Undo::Settings(Box::new(old)))
    }
}

impl Undo {
    /// Puts back what was there.
    ///
    /// # Errors
    /// What is wrong with it now.
    pub(super) fn undo(self, host: &PluginHost) -> Result<(), LoadError> {
        match self {
            Self::Remove(name) => host.remove(&name),
            Self::Install(spec) => host.install(*spec).map(drop),
            Self::Settings(spec) => {
                let PluginSpec { name, settings, .. } = *spec;
                let refused = host.reconfigure(&name, &settings);
                refused.map_err(|error| LoadError::Settings { plugin: name, error })
            }
        }
    }
}

fn same_code(a: &Code, b: &Code) -> bool {
    match (a, b) {
        // Which one it is, its source says.
        (Code::Native(_), Code::Native(_)) => true,
        (Code::Lua(a), Code::Lua(b)) | (Code::Wasm(a), Code::Wasm(b)) => a == b,
        (Code::Native(_) | Code::Lua(_) | Code::Wasm(_), _) => false,
    }
}
