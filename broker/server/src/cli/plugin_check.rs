//! `pintle plugin check`: what a plugin is, needs, and would be allowed.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use pintle_plugin_host::{ChainSpec, Hook, PluginHost, PluginInfo, PluginSpec};

use super::plugin_target::{TargetArgs, tell};
use super::{Exit, print};
use crate::broker::plugin_spec;
use crate::config::{Granting, PluginConfig, PluginSource, grants_line};

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit> {
    let plugin = match args.target.config(Granting::AsNeeded) {
        Ok(plugin) => plugin,
        Err(error) => {
            tell(&error);
            return Ok(Exit::No);
        }
    };
    let spec = match plugin_spec(&plugin) {
        Ok(spec) => spec,
        Err(problem) => {
            eprintln!("{problem}");
            return Ok(Exit::No);
        }
    };
    let chain = ChainSpec { plugins: vec![spec.clone()], ..ChainSpec::default() };
    let host = match PluginHost::load(chain) {
        Ok(host) => host,
        Err(error) => {
            eprintln!("{error}");
            return Ok(Exit::No);
        }
    };
    for info in host.list() {
        print(&report(&args.target, &plugin, &spec, &info)?)?;
    }
    Ok(Exit::Success)
}

fn report(
    target: &TargetArgs,
    plugin: &PluginConfig,
    spec: &PluginSpec,
    info: &PluginInfo,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let mut line = |key: &str, value: String| writeln!(text, "{key:<10}{value}");
    line("plugin", format!("{} {} ({})", info.plugin, info.version, info.kind))?;
    if let Some(path) = &info.path {
        line("code", path.display().to_string())?;
    }
    let hooks: Vec<&str> = info.hooks.iter().map(|hook| hook.name()).collect();
    line("hooks", if hooks.is_empty() { "none".to_owned() } else { hooks.join(", ") })?;
    if info.hooks.iter().any(|hook| matches!(hook, Hook::Publish | Hook::Deliver)) {
        let topics = if info.topics.is_empty() { "all".to_owned() } else { info.topics.join(", ") };
        line("topics", topics)?;
    }
    line("on_error", on_error(spec))?;
    let granted = target.config(Granting::AsWritten);
    let needs = grants_line(&spec.grants);
    line("grants", needs.trim_start_matches("grants = ").to_owned())?;
    line("limits", plugin.limit_lines(&info.hooks).join(", "))?;
    line("cases", cases(plugin))?;
    match granted {
        Ok(_) => writeln!(text, "\nIt loads.")?,
        Err(_) => writeln!(
            text,
            "\nIt loads if it is granted what it needs. In its [[plugin]] entry:\n  {needs}"
        )?,
    }
    Ok(text)
}

/// What holds where its hooks fail.
fn on_error(spec: &PluginSpec) -> String {
    let policy = &spec.on_error;
    let words = [
        ("publish", policy.publish.map(|policy| format!("{policy:?}"))),
        ("subscribe", policy.subscribe.map(|policy| format!("{policy:?}"))),
        ("deliver", policy.deliver.map(|policy| format!("{policy:?}"))),
    ];
    let words = words.into_iter().filter_map(|(key, word)| Some((key, word?)));
    let words: Vec<String> =
        words.map(|(key, word)| format!("{key} = {:?}", word.to_lowercase())).collect();
    if words.is_empty() { "none needed".to_owned() } else { words.join(", ") }
}

fn cases(plugin: &PluginConfig) -> String {
    let paths: &[PathBuf] = match &plugin.source {
        PluginSource::Script(script) => &script.cases,
        PluginSource::Builtin(_) => &[],
    };
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
