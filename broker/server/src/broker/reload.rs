//! A reload is a transaction: read and check everything, see what differs, apply it; on any fault
//! everything stays as it is.

use pintle_engine::EngineSettings;
use pintle_plugin_host::PluginHost;
use thiserror::Error;
use tracing::{error, info, warn};

use super::controls::Controls;
use super::{Listening, chain_spec, load_problem, plugins};
use crate::config::{Config, ConfigError, ListenerConfig, Sources};
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

/// Reads `sources` again, tells the log what came of it, and returns that.
pub(super) fn reload(controls: &Controls, sources: &Sources) -> Result<Reloaded, ReloadError> {
    let mut result = transaction(controls, sources);
    let refreshed = controls.refresh_loaded();
    if let Ok(reloaded) = &mut result {
        reloaded.applied.extend(refreshed);
    } else {
        // They are not of the configuration, and have no part in its faults.
        refreshed.iter().for_each(|what| info!("Reloaded: {what}."));
    }
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

fn transaction(controls: &Controls, sources: &Sources) -> Result<Reloaded, ReloadError> {
    let mut current = controls.current.lock();
    let current = &mut *current;
    let next = Config::load(sources)?;
    let wanted = plugins::wanted(&next)?;
    let trial = try_plugins(&next)?;
    next.check_anonymity(trial.has_authenticator() || controls.host.has_authenticator())?;
    drop(trial);
    let mut reloaded =
        Reloaded { needs_restart: needs_restart(&current.config, &next), ..Reloaded::default() };
    if let Some(telemetry) = &controls.telemetry {
        telemetry.reload(&next.log)?;
    }
    reloaded.applied = current.plugins.apply(&controls.host, &next, wanted)?;
    if next.log.directives() != current.config.log.directives() {
        reloaded.applied.push("the filter of the log".to_owned());
    }
    apply_limits(controls, &current.config, &next, &mut reloaded);
    apply_certificates(&controls.listening, &current.config, &next, &mut reloaded);
    keep_what_applies(&mut current.config, next);
    Ok(reloaded)
}

/// Lets fresh plugins try the whole configuration, so that what fails fails before anything has
/// changed.
fn try_plugins(next: &Config) -> Result<PluginHost, ConfigError> {
    PluginHost::load(chain_spec(next, &[])?).map_err(|error| load_problem(next, &error))
}

fn apply_limits(controls: &Controls, old: &Config, new: &Config, reloaded: &mut Reloaded) {
    if live_limits(old) != live_limits(new) {
        controls.engine.set_settings(live_limits(new));
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
        ("limits.store_lag_max", old_limits.store_lag_max == new_limits.store_lag_max),
        ("log.format", old.log.format == new.log.format),
        ("log.file", old.log.file == new.log.file),
        ("[hooks]", old.hooks == new.hooks),
        ("[[listener]]", all_same(&old.listeners, &new.listeners, ListenerConfig::is_same_but_tls)),
        ("[admin]", old.admin == new.admin),
    ];
    checks.into_iter().filter(|(_, same)| !same).map(|(what, _)| what.to_owned()).collect()
}

fn all_same<T>(old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
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
    current.plugins = next.plugins;
    current.files = next.files;
}
