//! `pintle plugin dev`: a plugin at work, loaded again whenever it is saved.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::admin_client::{AdminClient, BrokerArgs};
use super::plugin_admin::{WhatArgs, is_there, loaded};
use super::plugin_text::{counted, log_line, number_of, span, text_of};
use super::run::{Signals, end, serve};
use super::{Exit, print};
use crate::admin::encode;
use crate::broker::{Broker, FileWatch, Running};
use crate::config::{Config, LogConfig, LogLevel};
use crate::telemetry::{Telemetry, Verbosity};

#[derive(Args, Debug)]
pub(super) struct DevArgs {
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// How often figures are asked for.
const PERIOD: Duration = Duration::from_millis(300);

pub(super) fn run(args: &DevArgs) -> Result<Exit> {
    let client = args.broker.client()?;
    let request = args.what.request()?;
    if is_there(&client)? {
        print(&format!("The broker at {} runs.\n", client.socket().display()))?;
        watch(&client, &request)?;
        return Ok(Exit::Success);
    }
    with_broker(args, client, request)
}

/// Loads the plugin, and prints what it says and does until the broker goes.
fn watch(client: &AdminClient, request: &Value) -> Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let done = client.post("/plugins", Some(request))?;
    print(&loaded(&done))?;
    let plugin = done.get("plugin").unwrap_or(&Value::Null);
    let name = encode(text_of(plugin, "name"));
    print("It is loaded again whenever it is saved. Ctrl-C ends this.\n")?;
    let figures = AdminClient::new(client.socket().to_owned())?;
    let path = format!("/plugins/{name}/stats");
    thread::Builder::new()
        .name("figures".to_owned())
        .spawn(move || follow_figures(&figures, &path))
        .context("cannot ask for figures beside the log")?;
    client.lines(&format!("/logs?plugin={name}&follow=1"), |line| {
        // What was said of an earlier one of its name is of no concern; what was said since it was
        // loaded is, also before anybody listened.
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let is_old = value.get("lost").is_none()
            && u128::from(number_of(&value, "time_ms")) < since.as_millis();
        match log_line(line).filter(|_| !is_old) {
            Some(line) => print(&line),
            None => Ok(()),
        }
    })
}

/// Prints what the hooks have answered since the last time, until nobody answers.
fn follow_figures(client: &AdminClient, path: &str) {
    let mut before = BTreeMap::new();
    let mut is_first = true;
    loop {
        match client.get(path) {
            Ok(stats) => {
                for (hook, answers) in news(&mut before, &stats) {
                    if !is_first && print(&format!("{hook}: {answers}\n")).is_err() {
                        return;
                    }
                }
                is_first = false;
            }
            // It is disabled or taken out for now.
            Err(_) if is_there(client).unwrap_or(false) => {}
            Err(_) => return,
        }
        thread::sleep(PERIOD);
    }
}

/// What each hook has done since `before`, in words.
fn news(before: &mut BTreeMap<String, Value>, stats: &Value) -> Vec<(String, String)> {
    let mut news = Vec::new();
    for hook in stats.get("hooks").and_then(Value::as_array).into_iter().flatten() {
        let name = text_of(hook, "hook").to_owned();
        let old = before.insert(name.clone(), hook.clone()).unwrap_or(Value::Null);
        // A new generation counts from the start.
        let old =
            if number_of(&old, "calls") > number_of(hook, "calls") { Value::Null } else { old };
        let since = since(&old, hook);
        let calls = number_of(&since, "calls");
        if calls == 0 && since.get("errors").and_then(Value::as_object).is_none_or(Map::is_empty) {
            continue;
        }
        let mean = number_of(&since, "total_ns").checked_div(calls).unwrap_or(0);
        news.push((name, format!("{}, mean {}", counted(&since), span(mean))));
    }
    news
}

fn since(old: &Value, new: &Value) -> Value {
    let number = |key| number_of(new, key).saturating_sub(number_of(old, key));
    let counts = |key: &str| -> Map<String, Value> {
        let none = Map::new();
        let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key));
        let new = new.and_then(Value::as_object).unwrap_or(&none);
        let more = new.iter().filter_map(|(name, count)| {
            let more = count.as_u64().unwrap_or(0).saturating_sub(number_of(old, name));
            (more > 0).then(|| (name.clone(), more.into()))
        });
        more.collect()
    };
    json!({
        "calls": number("calls"),
        "total_ns": number("total_ns"),
        "late": number("late"),
        "verdicts": counts("verdicts"),
        "errors": counts("errors"),
    })
}

/// The same with a broker of its own.
fn with_broker(args: &DevArgs, client: AdminClient, request: Value) -> Result<Exit> {
    let sources = args.broker.sources().sources();
    let mut config = Config::load(&sources)?;
    config.admin.socket = Some(client.socket().to_owned());
    config.admin.is_socket_default = false;
    // What plugins say is printed by this command.
    let log = LogConfig {
        level: LogLevel::Warn,
        filter: "plugin=off,pintle_plugin_host=off".to_owned(),
        ..LogConfig::default()
    };
    Telemetry::init(&log, Verbosity::Configured)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime for signals")?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let mut files = FileWatch::new(config.watched_files());
        let running = Broker::builder().config(config).sources(sources).start()?;
        print(&started(&running))?;
        let (failed, has_failed) = oneshot::channel();
        thread::Builder::new()
            .name("dev".to_owned())
            .spawn(move || {
                // Nobody listens if the broker was ended first.
                let _ = failed.send(watch(&client, &request));
            })
            .context("cannot follow the broker beside it")?;
        let outcome = tokio::select! {
            () = serve(&running, &mut signals, &mut files) => Ok(()),
            ended = has_failed => ended.unwrap_or(Ok(())),
        };
        let exit = end(running, &mut signals).await?;
        outcome.map(|()| exit)
    })
}

fn started(running: &Running) -> String {
    let addresses: Vec<String> =
        running.addresses().iter().map(|address| format!("on {address}")).collect();
    let socket = running.admin_socket().map(|path| format!(", commands on {}", path.display()));
    format!(
        "No broker was running: this one listens {}{}.\n",
        addresses.join(" and "),
        socket.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(calls: u64, pass: u64) -> Value {
        json!({ "hooks": [{
            "hook": "on_publish", "calls": calls, "total_ns": calls * 100, "late": 0,
            "verdicts": { "pass": pass }, "errors": {},
        }] })
    }

    #[test]
    fn what_is_new_is_told_once_and_a_new_generation_counts_from_the_start() {
        let mut before = BTreeMap::new();
        let told = |news: Vec<(String, String)>| news.into_iter().map(|(_, what)| what).next();
        let first = told(news(&mut before, &stats(3, 3)));
        assert_eq!(first.as_deref(), Some("3 calls (pass 3), mean 100 ns"));
        assert_eq!(told(news(&mut before, &stats(3, 3))), None);
        let more = told(news(&mut before, &stats(4, 4)));
        assert_eq!(more.as_deref(), Some("1 call (pass 1), mean 100 ns"));
        let again = told(news(&mut before, &stats(2, 2)));
        assert_eq!(again.as_deref(), Some("2 calls (pass 2), mean 100 ns"));
    }
}
