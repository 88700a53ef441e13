//! The configuration: read in layers, checked once, kept in types.
//!
//! Defaults, then the file that `--config` names, then `conf.d/*.toml` beside it, then environment
//! variables `PINTLE_…`, then flags; later layers win. Lists of tables in `conf.d` come after those
//! of the file, so that each file there can add a listener or a plugin.

mod admin;
mod env_layer;
mod file_layer;
mod hook_order;
mod layers;
mod limits;
mod listener;
mod log;
mod manifest;
mod plugin;
mod plugin_entry;
mod plugin_grants;
mod plugin_limits;
mod plugin_source;
mod problem;
mod quantity;
mod secret;
mod section;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use admin::{AdminConfig, Token};
pub use layers::Origin;
pub use limits::Limits;
pub use listener::{AllowedOrigins, ListenerConfig, Protocol};
pub use log::{LogConfig, LogFormat, LogLevel};
pub(crate) use plugin::Granting;
pub use plugin::PluginConfig;
pub(crate) use plugin_entry::plugin_entry;
pub(crate) use plugin_grants::grants_line;
pub use plugin_source::{PluginSource, ScriptKind, ScriptSource};
pub use problem::{ConfigError, Problem};
pub use section::Shown;

use figment::value::{Dict, Value};
use pintle_plugin_host::HookOrder;

use layers::Layers;
use section::{Findings, Section};

/// Where a configuration comes from; loading it again is a reload.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Environment variables; [`Sources::from_environment`] takes those of the process.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line.
    pub flags: Flags,
}

/// What the command line may set.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--bind`: where the default listener listens for MQTT.
    pub bind: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--workers`.
    pub workers: Option<String>,
}

impl Sources {
    /// The file, or else the one that `PINTLE_CONFIG` names, and the variables of this process.
    pub fn from_environment(file: Option<PathBuf>, flags: Flags) -> Self {
        let named = || std::env::var_os("PINTLE_CONFIG").map(PathBuf::from);
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self { file: file.or_else(named), environment: variables.collect(), flags }
    }
}

/// A configuration that has been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state will be kept.
    pub data_dir: PathBuf,
    /// Threads that serve connections.
    pub workers: usize,
    /// Bounds.
    pub limits: Limits,
    /// Where clients connect.
    pub listeners: Vec<ListenerConfig>,
    /// Plugins, in the order of their appearance.
    pub plugins: Vec<PluginConfig>,
    /// In which order they are asked.
    pub hooks: HookOrder,
    /// The log.
    pub log: LogConfig,
    /// The admin interface.
    pub admin: AdminConfig,
    /// What somebody should look at, though it is no error.
    pub warnings: Vec<Problem>,
    /// Every effective value with its origin, for `pintle config show`.
    pub shown: Vec<Shown>,
    /// The files it was read from.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Every problem found, each with its place and the way out.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let (layers, files) = read_layers(sources)?;
        let values = layers.values().map_err(Problem::unplaced)?;
        let findings = Findings { layers, ..Findings::default() };
        let mut config = read_config(&values, sources, &findings);
        let problems = findings.problems.into_inner();
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        config.warnings = findings.warnings.into_inner();
        config.shown = findings.shown.into_inner();
        config.show_who_may_connect();
        config.files = files;
        Ok(config)
    }

    /// Fills in what a listener takes for `anonymous` where it does not say, which depends on the
    /// plugins.
    fn show_who_may_connect(&mut self) {
        let has_authenticator = self.has_authenticator();
        let has_scripts = self.plugins.iter().any(|plugin| plugin.source.builtin().is_none());
        for (i, listener) in self.listeners.iter().enumerate() {
            let key = format!("listener.{i}.anonymous");
            let Some(shown) = self.shown.iter_mut().find(|shown| shown.key == key) else {
                continue;
            };
            let anonymous = listener.terms(has_authenticator).anonymous;
            let if_a_script_asks = listener.terms(true).anonymous;
            shown.value = if has_scripts && anonymous != if_a_script_asks {
                format!("{anonymous} unless a script authenticates")
            } else {
                anonymous.to_string()
            };
        }
    }

    /// Whether a plugin that is linked in decides who may connect. What scripts do is only known
    /// once they are loaded.
    pub fn has_authenticator(&self) -> bool {
        use pintle_plugin_api::Hooks;
        let builtins = self.plugins.iter().filter_map(|plugin| plugin.source.builtin());
        builtins.map(|builtin| builtin.plugin().about().hooks).any(|hooks| {
            hooks.contains(Hooks::AUTHENTICATE) || hooks.contains(Hooks::ENHANCED_AUTH)
        })
    }

    /// Problems of the listeners that depend on whether somebody authenticates.
    ///
    /// # Errors
    /// A listener beyond loopback of which nothing says who may connect.
    pub fn check_anonymity(&self, has_authenticator: bool) -> Result<(), ConfigError> {
        let problems: Vec<Problem> = self
            .listeners
            .iter()
            .filter_map(|listener| {
                let what = listener.anonymity_problem(has_authenticator)?;
                Some(Problem::new(listener.origin.clone(), "listener", what))
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Files whose change may be a change of the configuration, and the folder `conf.d`.
    pub(crate) fn watched_files(&self) -> Vec<PathBuf> {
        let drop_ins = self.files.first().map(|file| file_layer::drop_in_folder(file));
        let of_plugins = self.plugins.iter().flat_map(|plugin| plugin.files.clone());
        let tls = self.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let tls = tls.flat_map(|files| [files.cert.clone(), files.key.clone()]);
        self.files.iter().cloned().chain(drop_ins).chain(of_plugins).chain(tls).collect()
    }
}

impl Sources {
    /// `conf.d` beside the file, if there is a file: what stands there is read with it.
    pub(crate) fn drop_in_folder(&self) -> Option<PathBuf> {
        self.file.as_deref().map(file_layer::drop_in_folder)
    }
}

fn read_layers(sources: &Sources) -> Result<(Layers, Vec<PathBuf>), ConfigError> {
    let mut layers = Layers::default();
    let mut files = Vec::new();
    let mut problems = Vec::new();
    if let Some(file) = &sources.file {
        files.push(file.clone());
        files.extend(file_layer::drop_ins(file));
    }
    for file in &files {
        problems.extend(file_layer::apply(&mut layers, file).err());
    }
    env_layer::apply(&mut layers, &sources.environment, &mut problems);
    layers.add_defaults(Dict::from([("listener".to_owned(), listener::defaults())]));
    apply_flags(&mut layers, &sources.flags, &mut problems);
    if problems.is_empty() { Ok((layers, files)) } else { Err(ConfigError { problems }) }
}

/// Lays the flags over `layers`; `--bind` stands in for a listener only if that is a default.
fn apply_flags(layers: &mut Layers, flags: &Flags, problems: &mut Vec<Problem>) {
    let data_dir = flags.data_dir.as_ref().map(|path| path.display().to_string().into());
    let workers = flags.workers.as_ref().map(|workers| {
        let number = workers.parse::<i64>().map(Value::from);
        number.unwrap_or_else(|_| workers.as_str().into())
    });
    let bind = flags.bind.as_deref().filter(|_| layers.is_default("listener"));
    let bind = bind.map(listener::entry);
    let flags = [
        ("--data-dir", "data_dir", data_dir),
        ("--workers", "workers", workers),
        ("--bind", "listener.0", bind),
    ];
    for (flag, name, value) in flags {
        let added = value.map(|value| layers.add(Origin::Flag(flag), name, value));
        problems.extend(added.and_then(Result::err));
    }
}

fn read_config(values: &Dict, sources: &Sources, findings: &Findings) -> Config {
    let mut top = Section::new("", Some(values), Origin::Default, findings);
    let data_dir = read_data_dir(&mut top);
    read_persistence(&mut top);
    let workers = read_workers(&mut top);
    let limits = limits::read(top.section("limits"));
    let listeners = read_listeners(&mut top, &limits, &sources.flags, findings);
    let plugins = plugin::read_all(top.sections("plugin"), &sources.environment, findings);
    let hooks = hook_order::read(top.section("hooks"), &plugins);
    let log = log::read(top.section("log"));
    let admin = admin::read(top.section("admin"), &data_dir, &sources.environment);
    top.finish();
    Config {
        data_dir,
        workers,
        limits,
        listeners,
        plugins,
        hooks,
        log,
        admin,
        warnings: Vec::new(),
        shown: Vec::new(),
        files: Vec::new(),
    }
}

fn read_data_dir(top: &mut Section<'_>) -> PathBuf {
    top.path("data_dir").unwrap_or_else(|| {
        top.show("data_dir", &"\"pintle-data\"", &Origin::Default);
        PathBuf::from("pintle-data")
    })
}

fn read_persistence(top: &mut Section<'_>) {
    let disk = top.choice_or("persistence", &[("off", false), ("disk", true)], false);
    if disk {
        let what = "\"disk\" is refused: the store on disk is not there yet, and state would be \
                    lost at exit without a word. Write \"off\" to run with that";
        top.problem("persistence", &top.origin_of("persistence"), what);
    }
}

fn read_workers(top: &mut Section<'_>) -> usize {
    let expected = "\"auto\" or a number from 1 to 1024";
    let found = top.read("workers", expected, |node| match node.value.as_str() {
        Some("auto") => Some(automatic_workers()),
        Some(_) => None,
        None => node.value.to_i128()?.try_into().ok(),
    });
    let workers = found.unwrap_or_else(automatic_workers);
    let origin = top.origin_of("workers");
    if !(1..=1024).contains(&workers) {
        top.problem("workers", &origin, format!("expected {expected}, found {workers}"));
    }
    top.show("workers", &workers, &origin);
    workers
}

/// One worker on two cores or fewer, else one a core.
fn automatic_workers() -> usize {
    match std::thread::available_parallelism() {
        Ok(cores) if cores.get() > 2 => cores.get().min(1024),
        Ok(_) | Err(_) => 1,
    }
}

fn read_listeners(
    top: &mut Section<'_>,
    limits: &Limits,
    flags: &Flags,
    findings: &Findings,
) -> Vec<ListenerConfig> {
    let is_default = top.origin_of("listener") == Origin::Default;
    let entries = top.sections("listener");
    if !is_default && flags.bind.is_some() {
        let place = entries.first().map_or(Origin::Default, |entry| entry.origin.clone());
        let what = format!(
            "moves the default listener, but there are listeners of your own at {place}; \
             change bind there"
        );
        findings.problem(&Origin::Flag("--bind"), "", what);
    }
    let read = |entry| listener::read(entry, limits);
    let mut listeners: Vec<ListenerConfig> = entries.into_iter().filter_map(read).collect();
    listeners.iter_mut().for_each(|listener| listener.is_default = is_default);
    if !is_default {
        check_twins(&listeners, findings);
    }
    listeners
}

/// Names and addresses tell listeners apart.
fn check_twins(listeners: &[ListenerConfig], findings: &Findings) {
    for (i, listener) in listeners.iter().enumerate() {
        let twin = listeners.iter().take(i).find(|other| {
            let same_place = other.bind == listener.bind && listener.bind.port() != 0;
            same_place || (other.name() == listener.name() && listener.bind.port() != 0)
        });
        if let Some(twin) = twin {
            let what = format!(
                "{} ({}) is there already, at {}",
                listener.bind,
                listener.name(),
                twin.origin
            );
            findings.problem(&listener.origin, "listener", what);
        }
    }
}
