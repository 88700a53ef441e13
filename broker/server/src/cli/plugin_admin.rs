//! `pintle plugin` on a running broker: load, reload, disable, enable, remove, rollback, list,
//! stats, command, logs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin_client::{AdminClient, BrokerArgs, NoBroker};
use super::plugin_text::{figures, listed, log_line, text_of};
use super::{Exit, plugin_dev, print};
use crate::admin::encode;
use crate::config::plugin_entry;

#[derive(Subcommand, Debug)]
pub(super) enum AdminCommand {
    /// Load a plugin into the running broker, or put it in the place of the one of its name
    Load(LoadArgs),
    /// Read a plugin again from where it came
    Reload(NameArgs),
    /// Stop asking a plugin, and keep it
    Disable(NameArgs),
    /// Ask a disabled plugin again
    Enable(NameArgs),
    /// Take a plugin out
    Remove(NameArgs),
    /// Put the generation before the present one of a plugin in its place
    Rollback(NameArgs),
    /// Print what plugins were asked, what they answered, and how long it took
    Stats(StatsArgs),
    /// Give a plugin a command
    Command(CommandArgs),
    /// Print what plugins say, and what is said of them
    Logs(LogsArgs),
    /// Load a plugin, and show what it does; it is loaded again whenever it is saved
    Dev(plugin_dev::DevArgs),
}

/// Which plugin, and what it may.
#[derive(Args, Debug)]
pub(super) struct WhatArgs {
    /// The script, the component, or the folder with its plugin.toml
    path: PathBuf,
    /// What to call it; else as its manifest or file is called
    #[arg(long)]
    name: Option<String>,
    /// What it may do, as publish=alerts/#, disconnect or kv=1MiB; may come several times
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// What holds where a hook fails, as publish=pass; may come several times
    #[arg(long = "on-error", value_name = "HOOK=POLICY")]
    on_error: Vec<String>,
    /// Another key of its entry, as topics=["a/#"] or config.unit=K; may come several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl WhatArgs {
    /// What the admin interface takes for it.
    pub(super) fn request(&self) -> Result<Value> {
        let is_builtin = self.path.to_string_lossy().starts_with("builtin:");
        let path = if is_builtin { self.path.clone() } else { whole(&self.path)? };
        let on_error = self.on_error.iter().map(|word| format!("on_error.{word}"));
        let set: Vec<String> = on_error.chain(self.set.iter().cloned()).collect();
        let mut entry = plugin_entry(&path, self.name.as_deref(), &self.grants, &set)
            .map_err(crate::config::ConfigError::from)?;
        let path = entry.remove("use");
        let mut request = serde_json::to_value(entry)?;
        if let (Some(request), Some(path)) = (request.as_object_mut(), path) {
            request.insert("path".to_owned(), serde_json::to_value(path)?);
        }
        Ok(request)
    }
}

/// The broker may run in another folder.
fn whole(path: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(path);
    whole.with_context(|| format!("cannot tell where {} is", path.display()))
}

#[derive(Args, Debug)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Keep it in conf.d, so that the next start brings it back
    #[arg(long)]
    save: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Args, Debug)]
pub(super) struct NameArgs {
    /// The name of the plugin
    name: String,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Args, Debug)]
pub(super) struct StatsArgs {
    /// The name of the plugin; else all
    name: Option<String>,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Args, Debug)]
pub(super) struct CommandArgs {
    /// The name of the plugin
    name: String,
    /// The command, as the plugin knows it
    command: String,
    /// What goes with it
    #[arg(value_name = "JSON")]
    args: Option<String>,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Args, Debug)]
pub(super) struct LogsArgs {
    /// The name of the plugin; else all
    name: Option<String>,
    /// Go on with what comes, until Ctrl-C
    #[arg(short = 'f', long)]
    follow: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

pub(super) fn run(command: &AdminCommand) -> Result<Exit> {
    match command {
        AdminCommand::Load(args) => load(args),
        AdminCommand::Reload(args) => act(args, "reload", "reloaded"),
        AdminCommand::Disable(args) => act(args, "disable", "disabled"),
        AdminCommand::Enable(args) => act(args, "enable", "enabled"),
        AdminCommand::Rollback(args) => act(args, "rollback", "rolled back"),
        AdminCommand::Remove(args) => remove(args),
        AdminCommand::Stats(args) => stats(args),
        AdminCommand::Command(args) => command_to(args),
        AdminCommand::Logs(args) => logs(args),
        AdminCommand::Dev(args) => plugin_dev::run(args),
    }
}

fn load(args: &LoadArgs) -> Result<Exit> {
    let mut request = args.what.request()?;
    if args.save
        && let Some(request) = request.as_object_mut()
    {
        request.insert("save".to_owned(), true.into());
    }
    let done = args.broker.client()?.post("/plugins", Some(&request))?;
    print(&loaded(&done))?;
    Ok(Exit::Success)
}

/// What came of loading a plugin.
pub(super) fn loaded(done: &Value) -> String {
    let is_replaced = done.get("replaced").and_then(Value::as_bool).unwrap_or(false);
    told(done, if is_replaced { "replaced" } else { "loaded" })
}

fn told(done: &Value, what: &str) -> String {
    let mut text = String::new();
    let plugin = done.get("plugin").unwrap_or(&Value::Null);
    let generation = plugin.get("generation").and_then(Value::as_u64).unwrap_or(0);
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "{}: {what}, generation {generation} ({}{})",
        text_of(plugin, "name"),
        text_of(plugin, "kind"),
        match (text_of(plugin, "plugin"), text_of(plugin, "version")) {
            ("", _) => String::new(),
            (name, version) => format!(", {name} {version}"),
        }
    );
    if let Some(path) = done.get("saved").and_then(Value::as_str) {
        let _ = writeln!(text, "Saved in {path}.");
    }
    for note in done.get("notes").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(text, "{}", note.as_str().unwrap_or_default());
    }
    text
}

fn act(args: &NameArgs, action: &str, what: &str) -> Result<Exit> {
    let path = format!("/plugins/{}/{action}", encode(&args.name));
    let done = args.broker.client()?.post(&path, None)?;
    print(&told(&done, what))?;
    Ok(Exit::Success)
}

fn remove(args: &NameArgs) -> Result<Exit> {
    let path = format!("/plugins/{}", encode(&args.name));
    let done = args.broker.client()?.delete(&path)?;
    print(&told(&done, "taken out"))?;
    Ok(Exit::Success)
}

/// The plugins of the running broker; `None` if none answers.
pub(super) fn list(broker: &BrokerArgs) -> Result<Option<String>> {
    let client = broker.client()?;
    let plugins = match client.get("/plugins") {
        Ok(plugins) => plugins,
        Err(error) if error.is::<NoBroker>() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = format!("Of the broker that runs ({}):\n", client.socket().display());
    for plugin in plugins.as_array().into_iter().flatten() {
        text.push_str(&listed(plugin));
    }
    Ok(Some(text))
}

fn stats(args: &StatsArgs) -> Result<Exit> {
    let client = args.broker.client()?;
    let infos = match &args.name {
        Some(name) => vec![client.get(&format!("/plugins/{}", encode(name)))?],
        None => client.get("/plugins")?.as_array().cloned().unwrap_or_default(),
    };
    let mut text = String::new();
    for info in &infos {
        let name = text_of(info, "name");
        let is_enabled = info.get("enabled").and_then(Value::as_bool).unwrap_or(false);
        let stats = if is_enabled {
            client.get(&format!("/plugins/{}/stats", encode(name)))?
        } else {
            Value::Null
        };
        text.push_str(&figures(info, &stats));
    }
    print(&text)?;
    Ok(Exit::Success)
}

fn command_to(args: &CommandArgs) -> Result<Exit> {
    let request = json!({ "command": args.command, "args": args.args });
    let path = format!("/plugins/{}/command", encode(&args.name));
    let answer = args.broker.client()?.post(&path, Some(&request))?;
    print(&format!("{}\n", text_of(&answer, "answer")))?;
    Ok(Exit::Success)
}

fn logs(args: &LogsArgs) -> Result<Exit> {
    let plugin = args.name.as_deref().map(|name| format!("plugin={}&", encode(name)));
    let path = format!("/logs?{}follow={}", plugin.unwrap_or_default(), u8::from(args.follow));
    args.broker.client()?.lines(&path, |line| match log_line(line) {
        Some(line) => print(&line),
        None => Ok(()),
    })?;
    Ok(Exit::Success)
}

/// What the broker says to a question; its text, and whether the answer is yes.
pub(super) fn explain(broker: &BrokerArgs, question: &Value) -> Result<(String, bool)> {
    let answer = broker.client()?.post("/explain", Some(question))?;
    let is_yes = text_of(&answer, "verdict") == "allow";
    Ok((format!("{}\n", text_of(&answer, "text")), is_yes))
}

/// Whether a broker answers.
pub(super) fn is_there(client: &AdminClient) -> Result<bool> {
    match client.get("/health") {
        Ok(_) => Ok(true),
        Err(error) if error.is::<NoBroker>() => Ok(false),
        Err(error) => Err(error),
    }
}
