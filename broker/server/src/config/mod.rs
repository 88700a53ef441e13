//! The configuration: read in layers, checked once, kept in types.
//!
//! Defaults, then the file that `--config` names, then `conf.d/*.toml` beside it, then environment
//! variables `PINTLE_…`, then flags; later layers win. Lists of tables in `conf.d` come after those
//! of the file, so that each file there can add a listener or a plugin.

mod env_layer;
mod file_layer;
mod hook_order;
mod layers;
mod limits;
mod listener;
mod log;
mod plugin;
mod problem;
mod quantity;
mod secret;
mod section;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use layers::Origin;
pub use limits::Limits;
pub use listener::{AllowedOrigins, ListenerConfig, Protocol};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use plugin::PluginConfig;
pub use problem::{ConfigError, Problem};
pub use section::Shown;

use pintle_plugin_host::HookOrder;

use layers::{Lists, Node, Table, Value, merge};
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
        let (table, files) = read_layers(sources)?;
        let findings = Findings::default();
        let mut config = read_config(&table, sources, &findings);
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
        for (i, listener) in self.listeners.iter().enumerate() {
            let key = format!("listener.{i}.anonymous");
            if let Some(shown) = self.shown.iter_mut().find(|shown| shown.key == key) {
                shown.value = listener.terms(has_authenticator).anonymous.to_string();
            }
        }
    }

    /// Whether a configured plugin decides who may connect.
    pub fn has_authenticator(&self) -> bool {
        use pintle_plugin_api::Hooks;
        self.plugins.iter().any(|plugin| {
            let hooks = plugin.builtin.plugin().about().hooks;
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

fn read_layers(sources: &Sources) -> Result<(Table, Vec<PathBuf>), ConfigError> {
    let mut table = Table::new();
    let mut files = Vec::new();
    let mut problems = Vec::new();
    if let Some(file) = &sources.file {
        files.push(file.clone());
        files.extend(file_layer::drop_ins(file));
    }
    for file in &files {
        match file_layer::read(file) {
            Ok(layer) => merge(&mut table, layer, Lists::Append),
            Err(problem) => problems.push(problem),
        }
    }
    env_layer::apply(&mut table, &sources.environment, &mut problems);
    merge(&mut table, flag_layer(&sources.flags), Lists::Replace);
    if problems.is_empty() { Ok((table, files)) } else { Err(ConfigError { problems }) }
}

fn flag_layer(flags: &Flags) -> Table {
    let data_dir = flags.data_dir.as_ref().map(|path| {
        let text = path.display().to_string();
        ("data_dir", "--data-dir", Value::Text(text))
    });
    let workers = flags.workers.as_ref().map(|workers| {
        let number = workers.parse().map(Value::Integer);
        ("workers", "--workers", number.unwrap_or_else(|_| Value::Text(workers.clone())))
    });
    [data_dir, workers]
        .into_iter()
        .flatten()
        .map(|(key, flag, value)| {
            let origin = Origin::Flag(flag);
            (key.to_owned(), Node { value, origin })
        })
        .collect()
}

fn read_config(table: &Table, sources: &Sources, findings: &Findings) -> Config {
    let mut top = Section::new("", Some(table), Origin::Default, findings);
    let data_dir = read_data_dir(&mut top);
    read_persistence(&mut top);
    let workers = read_workers(&mut top);
    let limits = limits::read(top.section("limits"));
    let entries = top.sections("listener");
    let listeners = read_listeners(entries, &limits, &sources.flags, findings);
    let plugins = plugin::read_all(top.sections("plugin"), &sources.environment, findings);
    let hooks = hook_order::read(top.section("hooks"), &plugins);
    let log = log::read(top.section("log"));
    top.finish();
    Config {
        data_dir,
        workers,
        limits,
        listeners,
        plugins,
        hooks,
        log,
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
    let found = top.read("workers", expected, |node| match &node.value {
        Value::Text(word) if word == "auto" => Some(automatic_workers()),
        Value::Integer(number) => usize::try_from(*number).ok(),
        _ => None,
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
    entries: Option<Vec<Section<'_>>>,
    limits: &Limits,
    flags: &Flags,
    findings: &Findings,
) -> Vec<ListenerConfig> {
    let flag = flags.bind.as_deref().map(|bind| (bind, Origin::Flag("--bind")));
    let Some(entries) = entries else {
        return listener::defaults(flag, limits, findings);
    };
    if let Some((_, flag)) = flag {
        let place = entries.first().map_or(Origin::Default, |entry| entry.origin.clone());
        let what = format!(
            "moves the default listener, but there are listeners of your own at {place}; \
             change bind there"
        );
        findings.problem(&flag, "", what);
    }
    let listeners: Vec<ListenerConfig> =
        entries.into_iter().filter_map(|entry| listener::read(entry, limits)).collect();
    check_twins(&listeners, findings);
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
