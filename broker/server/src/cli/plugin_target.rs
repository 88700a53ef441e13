//! The plugin that `check`, `test` and `bench` are about: a path, without a configuration.

use std::path::PathBuf;

use clap::Args;
use pintle_plugin_host::PluginSpec;

use crate::broker::plugin_spec;
use crate::config::{ConfigError, Flags, Granting, PluginConfig, Problem, Sources, plugin_entry};

/// A plugin by its path.
#[derive(Args, Debug)]
pub(super) struct TargetArgs {
    /// A script, a component, or the folder of a plugin
    path: PathBuf,
    /// Name; without it that of the manifest or the file
    #[arg(long)]
    name: Option<String>,
    /// Grant beside those that the manifest asks for, as publish=alerts/#, kv=1MiB or disconnect
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// Key of its entry, as on_error.publish=pass, limits.memory=32MiB or config.unit=K
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl TargetArgs {
    /// Its entry as these arguments have it, with all that the manifest needs if `granting` says so.
    pub(super) fn config(&self, granting: Granting) -> Result<PluginConfig, ConfigError> {
        let entry = plugin_entry(&self.path, self.name.as_deref(), &self.grants, &self.set)?;
        let environment = Sources::from_environment(None, Flags::default()).environment;
        PluginConfig::of_entry(&entry, granting, &environment)
    }

    /// The plugin with all that its manifest needs: nothing comes of what it does.
    pub(super) fn spec(&self) -> Result<PluginSpec, ConfigError> {
        let plugin = self.config(Granting::AsNeeded)?;
        let mut spec =
            plugin_spec(&plugin).map_err(|problem| Problem { origin: None, ..problem })?;
        // What the command line sets holds for the cases too.
        spec.cases.iter_mut().for_each(|file| file.written_for = None);
        Ok(spec)
    }

    /// As it was written on the command line.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// Tells the problems, one a line.
pub(super) fn tell(error: &ConfigError) {
    for problem in &error.problems {
        eprintln!("{problem}");
    }
}
