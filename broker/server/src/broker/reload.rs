//! A reload is a transaction: read and check everything, see what differs, apply it; on any fault
//! everything stays as it is.

use std::collections::BTreeMap;

use pintle_engine::EngineSettings;
use pintle_plugin_api::Settings;
use pintle_plugin_host::{ChainSpec, LoadError, PluginHost};
use thiserror::Error;
use tracing::{error, info, warn};

use super::chain_spec::same_settings;
use super::{Listening, Running, chain_spec, load_problem};
use crate::config::{Config, ConfigError, ListenerConfig, PluginConfig, Sources};
use crate::telemetry::TelemetryError;

/// What a reload has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// What is in force now and was not before.
    pub applied: Vec<String>,
    /// What differs in the configuration and only counts after a restart.
    pub needs_restart: Vec<String>,
}

/// Why a reload changed nothing.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The broker was started from a value, not from files.
    #[error("there is nothing to read again: the broker was started without sources")]
    NoSources,
    /// The configuration has faults.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The log can not be changed as asked.
    #[error("{0}")]
    Telemetry(#[from] TelemetryError),
}

/// What is in force.
pub(super) struct Current {
    pub(super) config: Config,
    settings: BTreeMap<String, Settings>,
}

impl Current {
    pub(super) fn new(config: Config, settings: BTreeMap<String, Settings>) -> Self {
        Self { config, settings }
    }
}

/// Reads `sources` again, tells the log what came of it, and returns that.
pub(super) fn reload(running: &Running, sources: &Sources) -> Result<Reloaded, ReloadError> {
    let result = transaction(running, sources);
    match &result {
        Ok(reloaded) => tell(reloaded),
        Err(fault) => {
            for line in fault.to_string().lines() {
                error!("Reload refused: {line}");
            }
            error!("Everything stays as it was before the reload.");
        }
    }
    result
}

fn tell(reloaded: &Reloaded) {
    if reloaded.applied.is_empty() && reloaded.needs_restart.is_empty() {
        info!("Reloaded: nothing has changed.");
    }
    for what in &reloaded.applied {
        info!("Reloaded: {what}.");
    }
    for what in &reloaded.needs_restart {
        warn!("Changed, but only in force after a restart: {what}.");
    }
}

fn transaction(running: &Running, sources: &Sources) -> Result<Reloaded, ReloadError> {
    let mut current = running.current.lock();
    let next = Config::load(sources)?;
    next.check_anonymity(running.host.has_authenticator())?;
    let settings = check_plugins(&next)?;
    let mut reloaded =
        Reloaded { needs_restart: needs_restart(&current.config, &next), ..Reloaded::default() };
    if let Some(telemetry) = &running.telemetry {
        telemetry.reload(&next.log)?;
    }
    reconfigure(&running.host, &mut current, &next, &settings, &mut reloaded)?;
    if next.log.directives() != current.config.log.directives() {
        reloaded.applied.push("the filter of the log".to_owned());
    }
    apply_limits(running, &current.config, &next, &mut reloaded);
    apply_certificates(&running.listening, &current.config, &next, &mut reloaded);
    keep_what_applies(&mut current.config, next);
    Ok(reloaded)
}

/// Lets fresh plugins try the settings, so that what fails fails before anything has changed.
fn check_plugins(next: &Config) -> Result<BTreeMap<String, Settings>, ConfigError> {
    let spec = chain_spec(next, &[])?;
    let settings = settings_of(&spec);
    PluginHost::load(spec).map_err(|error| load_problem(next, &error))?;
    Ok(settings)
}

/// The settings in `spec`, by the names of the plugins.
pub(super) fn settings_of(spec: &ChainSpec) -> BTreeMap<String, Settings> {
    let plugins = spec.plugins.iter();
    plugins.map(|plugin| (plugin.name.clone(), plugin.settings.clone())).collect()
}

/// Hands changed settings to the plugins that were there before under the same name; takes them
/// back from all if one refuses after all.
fn reconfigure(
    host: &PluginHost,
    current: &mut Current,
    next: &Config,
    settings: &BTreeMap<String, Settings>,
    reloaded: &mut Reloaded,
) -> Result<(), ConfigError> {
    let mut done: Vec<(String, Settings)> = Vec::new();
    for (name, new) in settings {
        let Some(old) = current.settings.get(name).filter(|old| !same_settings(old, new)) else {
            continue;
        };
        if let Err(refusal) = host.reconfigure(name, new) {
            for (name, old) in &done {
                // It took these settings before.
                if let Err(error) = host.reconfigure(name, old) {
                    error!(plugin = name, %error, "A plugin does not take its old settings.");
                }
            }
            let error = LoadError::Settings { plugin: name.clone(), error: refusal };
            return Err(load_problem(next, &error));
        }
        done.push((name.clone(), old.clone()));
        reloaded.applied.push(format!("settings and files of the plugin `{name}`"));
    }
    for (name, _) in done {
        if let Some(new) = settings.get(&name) {
            current.settings.insert(name, new.clone());
        }
    }
    Ok(())
}

fn apply_limits(running: &Running, old: &Config, new: &Config, reloaded: &mut Reloaded) {
    if live_limits(old) != live_limits(new) {
        running.engine.set_settings(live_limits(new));
        reloaded.applied.push("limits".to_owned());
    }
}

/// The bounds that may change while the broker runs.
fn live_limits(config: &Config) -> EngineSettings {
    EngineSettings { broker_bytes_max: 0, ..config.limits.engine.clone() }
}

fn apply_certificates(
    listening: &[Listening],
    old: &Config,
    new: &Config,
    reloaded: &mut Reloaded,
) {
    for listener in &new.listeners {
        let open = listening.iter().find(|open| open.name == listener.name());
        let slot = open.and_then(|open| open.certificate.as_ref());
        let (Some(slot), Some(files)) = (slot, &listener.tls) else { continue };
        let before = old.listeners.iter().find(|other| other.name() == listener.name());
        let before = before.and_then(|other| other.tls.as_ref());
        if before.is_none_or(|before| !before.shows_the_same(files)) {
            slot.replace(files);
            reloaded.applied.push(format!("the certificate of {}", listener.bind));
        }
    }
}

/// What differs and is not applied.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let (old_limits, new_limits) = (&old.limits, &new.limits);
    let checks = [
        ("data_dir", old.data_dir == new.data_dir),
        ("workers", old.workers == new.workers),
        (
            "limits.broker_bytes_max",
            old_limits.engine.broker_bytes_max == new_limits.engine.broker_bytes_max,
        ),
        ("limits.connections_max", old_limits.connections_max == new_limits.connections_max),
        ("limits.handshake_secs", old_limits.handshake_timeout == new_limits.handshake_timeout),
        ("log.format", old.log.format == new.log.format),
        ("log.file", old.log.file == new.log.file),
        ("[hooks]", old.hooks == new.hooks),
        ("[[listener]]", all_same(&old.listeners, &new.listeners, ListenerConfig::is_same_but_tls)),
        ("[[plugin]]", all_same(&old.plugins, &new.plugins, same_but_settings)),
    ];
    checks.into_iter().filter(|(_, same)| !same).map(|(what, _)| what.to_owned()).collect()
}

fn all_same<T>(old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
}

fn same_but_settings(old: &PluginConfig, new: &PluginConfig) -> bool {
    old.name == new.name
        && old.source == new.source
        && old.topics == new.topics
        && old.on_error == new.on_error
        && old.grants == new.grants
        && old.budgets == new.budgets
        && old.limits == new.limits
}

/// Notes what is in force now; what needs a restart stays noted as it was, so that the next reload
/// says so again.
fn keep_what_applies(current: &mut Config, next: Config) {
    let broker_bytes_max = current.limits.engine.broker_bytes_max;
    current.limits.engine = EngineSettings { broker_bytes_max, ..next.limits.engine };
    current.log.level = next.log.level;
    current.log.filter = next.log.filter;
    for listener in &mut current.listeners {
        let same = next.listeners.iter().find(|other| other.name() == listener.name());
        if let Some(files) = same.and_then(|other| other.tls.clone()) {
            listener.tls = Some(files);
        }
    }
    for plugin in &mut current.plugins {
        if let Some(same) = next.plugins.iter().find(|other| other.name == plugin.name) {
            plugin.config = same.config.clone();
            plugin.files = same.files.clone();
        }
    }
    current.files = next.files;
}
