//! `[[plugin]]`: which plugins there are, and what they are told and allowed.

use std::path::PathBuf;

use figment::value::{Dict, Value};
use pintle_mqtt::TopicFilter;
use pintle_plugin_api::About;
use pintle_plugin_host::{
    Budgets, DeliverErrorPolicy, ErrorPolicy, Grants, PublishErrorPolicy, SubscribeErrorPolicy,
};

use super::layers::{Node, Origin};
use super::problem::suggestion;
use super::secret;
use super::section::{Findings, Section};
use crate::builtin::Builtin;

/// One plugin.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// What it is called here.
    pub name: String,
    /// What it is.
    pub builtin: Builtin,
    /// Its own settings, secrets fetched and paths of files made absolute or relative to the
    /// working directory.
    pub config: serde_json::Value,
    /// Files that its settings come from: a change of one is a change of the configuration.
    pub files: Vec<PathBuf>,
    /// The topics it is asked about; empty for all.
    pub topics: Vec<String>,
    /// What holds where one of its hooks fails.
    pub on_error: ErrorPolicy,
    /// What it may do.
    pub grants: Grants,
    /// How long its hooks may take.
    pub budgets: Budgets,
    /// Where it is written.
    pub origin: Origin,
}

/// What a built-in plugin may ask of the broker where its entry says nothing else: what it needs.
fn usual_grants(builtin: Builtin) -> Grants {
    match builtin {
        Builtin::PasswordFile => Grants { disconnect: true, ..Grants::default() },
        Builtin::AclFile => Grants::default(),
        Builtin::SysStats => {
            Grants { publish: vec!["$SYS/#".to_owned()], stats: true, ..Grants::default() }
        }
    }
}

/// Reads all entries; `builtin:sys-stats` is there unless an entry for it says `enabled = false`.
pub(super) fn read_all(
    entries: Vec<Section<'_>>,
    environment: &[(String, String)],
    findings: &Findings,
) -> Vec<PluginConfig> {
    let mut plugins: Vec<PluginConfig> = Vec::new();
    let mut wants_stats = true;
    for section in entries {
        let key = section.name("name");
        let Some((plugin, enabled)) = read(section, environment) else {
            continue;
        };
        wants_stats &= plugin.builtin != Builtin::SysStats;
        if let Some(other) = plugins.iter().find(|other| other.name == plugin.name) {
            let what = format!("{:?} is taken by the plugin at {}", plugin.name, other.origin);
            findings.problem(&plugin.origin, &key, what);
        }
        if enabled {
            plugins.push(plugin);
        }
    }
    if wants_stats {
        plugins.extend(default_plugin(plugins.len(), environment, findings));
    }
    plugins
}

/// The plugin that is there without any configuration.
fn default_plugin(
    place: usize,
    environment: &[(String, String)],
    findings: &Findings,
) -> Option<PluginConfig> {
    let written = format!("builtin:{}", Builtin::SysStats.name());
    let table = Dict::from([("use".to_owned(), written.into())]);
    let path = format!("plugin.{place}");
    let section = Section::new(&path, Some(&table), Origin::Default, findings);
    read(section, environment).map(|(plugin, _)| plugin)
}

fn read(
    mut section: Section<'_>,
    environment: &[(String, String)],
) -> Option<(PluginConfig, bool)> {
    let builtin = read_use(&mut section);
    let fallback = builtin.map_or("plugin", Builtin::name);
    let name = section.text_or("name", fallback);
    let enabled = section.bool_or("enabled", true);
    let about = builtin.map(|builtin| builtin.plugin().about());
    let (config, files) = read_config(&mut section, about.as_ref(), environment);
    let topics = section.texts_or("topics", Vec::new());
    check_filters(&section, "topics", &topics);
    let on_error = read_on_error(section.section("on_error"));
    let granted = builtin.map(usual_grants).unwrap_or_default();
    let grants = read_grants(section.section("grants"), granted);
    let budgets = read_budgets(section.section("limits"));
    let origin = section.origin.clone();
    section.finish();
    let plugin = PluginConfig {
        name,
        builtin: builtin?,
        config,
        files,
        topics,
        on_error,
        grants,
        budgets,
        origin,
    };
    Some((plugin, enabled))
}

fn read_use(section: &mut Section<'_>) -> Option<Builtin> {
    let Some(written) = section.text("use") else {
        if section.origin_of("use") == Origin::Default {
            let what = "missing: say which plugin, as in use = \"builtin:password-file\"";
            section.problem("use", &section.origin, what);
        }
        return None;
    };
    let names = Builtin::ALL.map(|builtin| format!("builtin:{}", builtin.name()));
    let found = written.strip_prefix("builtin:").and_then(Builtin::named);
    if found.is_none() {
        let names = names.each_ref().map(String::as_str);
        let what = match written.strip_prefix("builtin:") {
            Some(_) => format!("there is no {written:?}. {}", suggestion(&written, &names)),
            None => format!(
                "{written:?}: plugins in Lua and WebAssembly are not there yet. There are: {}.",
                names.join(", ")
            ),
        };
        section.problem("use", &section.origin_of("use"), what);
    }
    found
}

fn read_config(
    section: &mut Section<'_>,
    about: Option<&About>,
    environment: &[(String, String)],
) -> (serde_json::Value, Vec<PathBuf>) {
    let Some(node) = section.node("config") else {
        return (serde_json::Value::Null, Vec::new());
    };
    let Some(table) = node.value.as_dict() else {
        section.problem("config", &node.origin(), format!("expected a table, found {node}"));
        return (serde_json::Value::Null, Vec::new());
    };
    let mut table = table.clone();
    let keys = about.map_or([&[][..]; 2], |about| [about.files, about.optional_files]);
    let mut files = Vec::new();
    for key in keys.into_iter().flatten() {
        files.extend(table.get_mut(*key).and_then(|value| anchor(&node, value)));
    }
    show_config(section, &node, &table);
    let fetched = secret::fetch(&node, &table, environment);
    for (origin, what) in &fetched.problems {
        section.problem("config", origin, what.as_str());
    }
    files.extend(fetched.files);
    (fetched.config, files)
}

/// Lets a path begin at the folder of the file that names it.
fn anchor(config: &Node<'_>, value: &mut Value) -> Option<PathBuf> {
    let origin = config.layers.origin(&config.name, value);
    let Value::String(_, text) = value else {
        return None;
    };
    let path = origin.base().join(&*text);
    *text = path.display().to_string();
    Some(path)
}

fn show_config(section: &Section<'_>, config: &Node<'_>, table: &Dict) {
    for (key, value) in table {
        let name = format!("{}.{key}", config.name);
        let node = Node { value, name, layers: config.layers };
        section.show(&format!("config.{key}"), &node, &node.origin());
    }
}

fn check_filters(section: &Section<'_>, key: &'static str, filters: &[String]) {
    for filter in filters {
        if let Err(violation) = TopicFilter::new(filter) {
            let what = format!("{filter:?} is no Topic Filter: {}", violation.what);
            section.problem(key, &section.origin_of(key), what);
        }
    }
}

fn read_on_error(mut section: Section<'_>) -> ErrorPolicy {
    use {DeliverErrorPolicy as Deliver, PublishErrorPolicy as Publish};
    let publish = [("pass", Publish::Pass), ("drop", Publish::Drop), ("reject", Publish::Reject)];
    let subscribe =
        [("pass", SubscribeErrorPolicy::Pass), ("reject", SubscribeErrorPolicy::Reject)];
    let on_error = ErrorPolicy {
        publish: section.choice("publish", &publish),
        subscribe: section.choice("subscribe", &subscribe),
        deliver: section.choice("deliver", &[("pass", Deliver::Pass), ("drop", Deliver::Drop)]),
    };
    for key in ["publish", "subscribe", "deliver"] {
        section.show_as_written(key);
    }
    section.finish();
    on_error
}

fn read_budgets(mut section: Section<'_>) -> Budgets {
    let ours = Budgets::default();
    let budgets = Budgets {
        authenticate: section.span_or("authenticate", ours.authenticate),
        auth_step: section.span_or("auth_step", ours.auth_step),
        authorize: section.span_or("authorize", ours.authorize),
        publish: section.span_or("publish", ours.publish),
        subscribe: section.span_or("subscribe", ours.subscribe),
        deliver: section.span_or("deliver", ours.deliver),
        events: section.span_or("events", ours.events),
        timer: section.span_or("timer", ours.timer),
        command: section.span_or("command", ours.command),
    };
    section.finish();
    budgets
}

fn read_grants(mut section: Section<'_>, granted: Grants) -> Grants {
    let publish = section.texts_or("publish", granted.publish);
    check_filters(&section, "publish", &publish);
    let grants = Grants {
        publish,
        disconnect: section.bool_or("disconnect", granted.disconnect),
        stats: section.bool_or("stats", granted.stats),
        ..granted
    };
    section.finish();
    grants
}
