//! `pintle check`: whether the broker would start with a configuration.

use std::fmt::Write;

use anyhow::Result;

use super::{Exit, SourceArgs, print};
use crate::broker::{chain_spec, load_problem, plain_passwords};
use crate::config::{Config, ConfigError};
use pintle_plugin_host::PluginHost;

/// The configuration and its plugins with their settings, none of them started.
pub(super) fn load(sources: &SourceArgs) -> Result<(Config, PluginHost), ConfigError> {
    let config = Config::load(&sources.sources())?;
    let spec = chain_spec(&config, &[])?;
    let host = PluginHost::load(spec).map_err(|error| load_problem(&config, &error))?;
    config.check_anonymity(host.has_authenticator())?;
    Ok((config, host))
}

pub(super) fn run(sources: &SourceArgs) -> Result<Exit> {
    let (config, host) = match load(sources) {
        Ok(loaded) => loaded,
        Err(error) => {
            for problem in &error.problems {
                eprintln!("{problem}");
            }
            eprintln!("{}", count(error.problems.len(), "error"));
            return Ok(Exit::No);
        }
    };
    let has_authenticator = host.has_authenticator();
    let mut text = String::new();
    for warning in &config.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    for warning in plain_passwords(&config, has_authenticator) {
        writeln!(text, "warning: {warning}")?;
    }
    for listener in &config.listeners {
        let who = if listener.terms(has_authenticator).anonymous {
            "anybody may connect"
        } else {
            "who may connect is decided by plugins"
        };
        writeln!(text, "listener {}: {who}", listener.bind)?;
    }
    let plugins: Vec<String> = host.list().into_iter().map(|plugin| plugin.name).collect();
    writeln!(text, "plugins: {}", plugins.join(", "))?;
    writeln!(text, "The configuration is fine.")?;
    print(&text)?;
    Ok(Exit::Success)
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
