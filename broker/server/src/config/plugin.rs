//! `[[plugin]]`: which plugins there are, and what they are told and allowed.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};
use pintle_mqtt::TopicFilter;
use pintle_plugin_host::{
    Budgets, DeliverErrorPolicy, ErrorPolicy, Grants, PublishErrorPolicy, ScriptLimits,
    SubscribeErrorPolicy,
};

use super::layers::{Node, Origin};
use super::manifest::{Manifest, usual_limits};
use super::plugin_grants::{both, grants_line, missing, read_grants};
use super::plugin_limits::{PluginLimits, read_limits};
use super::plugin_source::{PluginSource, ScriptSource, Used, read_use};
use super::secret;
use super::section::{Findings, Section};
use crate::builtin::Builtin;

/// One plugin.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// What it is called here.
    pub name: String,
    /// What it is.
    pub source: PluginSource,
    /// Its own settings, secrets fetched and paths of files made absolute or relative to the
    /// working directory.
    pub config: serde_json::Value,
    /// Keys of `config` that name files for it to be given.
    pub file_keys: Vec<String>,
    /// The same of files that may be missing.
    pub optional_file_keys: Vec<String>,
    /// Files that it comes from: a change of one is a change of the configuration.
    pub files: Vec<PathBuf>,
    /// The topics it is asked about; empty for all.
    pub topics: Vec<String>,
    /// What holds where one of its hooks fails.
    pub on_error: ErrorPolicy,
    /// What it may do.
    pub grants: Grants,
    /// How long its hooks may take.
    pub budgets: Budgets,
    /// What it may use, if it is a script.
    pub limits: ScriptLimits,
    /// Where it is written.
    pub origin: Origin,
    /// What its cases expect: the settings and topics that it comes with.
    pub(crate) comes_with: ComesWith,
}

/// The part of a manifest that an entry may overrule and cases do not want overruled.
#[derive(Clone, Debug, Default)]
pub(crate) struct ComesWith {
    pub(crate) config: serde_json::Value,
    pub(crate) topics: Vec<String>,
}

/// Whose word on grants counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granting {
    /// The entry's; what the plugin needs beyond it is an error.
    AsWritten,
    /// The plugin is given what it needs: nothing comes of what it then does.
    AsNeeded,
}

/// What a built-in plugin may ask of the broker where its entry says nothing else: what it needs.
fn usual_grants(builtin: Builtin) -> Grants {
    match builtin {
        Builtin::PasswordFile => {
            Grants { disconnect: true, credentials: true, ..Grants::default() }
        }
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
        let Some((plugin, enabled)) = read(section, environment, Granting::AsWritten) else {
            continue;
        };
        wants_stats &= plugin.source.builtin() != Some(Builtin::SysStats);
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
    read(section, environment, Granting::AsWritten).map(|(plugin, _)| plugin)
}

/// What holds where an entry says nothing.
struct Fallback {
    name: String,
    source: PluginSource,
    topics: Vec<String>,
    file_keys: Vec<String>,
    optional_file_keys: Vec<String>,
    on_error: ErrorPolicy,
    limits: PluginLimits,
    grants: Grants,
    manifest: Option<Manifest>,
}

impl Fallback {
    fn of(used: Used, section: &Section<'_>, environment: &[(String, String)]) -> Option<Self> {
        match used {
            Used::Builtin(builtin) => Some(Self::of_builtin(builtin)),
            Used::File(kind, path) => {
                let name = stem(&path);
                let source = ScriptSource::of_file(kind, path);
                Some(Self::of_script(name, source))
            }
            Used::Folder(folder) => match Manifest::load(&folder, environment) {
                Ok(manifest) => Some(Self::of_manifest(&folder, manifest)),
                Err(problems) => {
                    let place = section.origin_of("use");
                    for problem in problems {
                        let origin = problem.origin.as_ref().unwrap_or(&place);
                        section.findings.problem(origin, &problem.key, problem.what.as_str());
                    }
                    None
                }
            },
        }
    }

    fn of_builtin(builtin: Builtin) -> Self {
        let about = builtin.plugin().about();
        let owned = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        Self {
            name: builtin.name().to_owned(),
            source: PluginSource::Builtin(builtin),
            topics: Vec::new(),
            file_keys: owned(about.files),
            optional_file_keys: owned(about.optional_files),
            on_error: ErrorPolicy::default(),
            limits: PluginLimits { budgets: Budgets::default(), script: ScriptLimits::default() },
            grants: usual_grants(builtin),
            manifest: None,
        }
    }

    fn of_script(name: String, source: ScriptSource) -> Self {
        Self {
            name,
            limits: usual_limits(),
            source: PluginSource::Script(source),
            topics: Vec::new(),
            file_keys: Vec::new(),
            optional_file_keys: Vec::new(),
            on_error: ErrorPolicy::default(),
            grants: Grants::default(),
            manifest: None,
        }
    }

    fn of_manifest(folder: &Path, manifest: Manifest) -> Self {
        let name = manifest.name.clone().unwrap_or_else(|| stem(folder));
        Self {
            topics: manifest.topics.clone(),
            file_keys: manifest.file_keys.clone(),
            on_error: manifest.on_error,
            limits: manifest.limits,
            ..Self::of_script(name, manifest.source.clone())
        }
        .with(manifest)
    }

    fn with(self, manifest: Manifest) -> Self {
        Self { manifest: Some(manifest), ..self }
    }
}

/// The name of a file or folder without its end.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "plugin".to_owned())
}

/// Reads one entry, and whether it is enabled.
pub(super) fn read(
    mut section: Section<'_>,
    environment: &[(String, String)],
    granting: Granting,
) -> Option<(PluginConfig, bool)> {
    let used = read_use(&mut section);
    let fallback = Fallback::of(used?, &section, environment)?;
    let name = section.text_or("name", &fallback.name);
    let enabled = section.bool_or("enabled", true);
    let keys = [fallback.file_keys.as_slice(), &fallback.optional_file_keys].concat();
    let (config, mut files) = read_table(&mut section, &keys, environment);
    let topics = section.texts_or("topics", fallback.topics);
    check_filters(&section, "topics", &topics);
    let on_error = read_on_error(section.section("on_error"), fallback.on_error);
    let granted = read_grants(section.section("grants"), fallback.grants, environment);
    let is_script = fallback.source.builtin().is_none();
    let limits = read_limits(section.section("limits"), fallback.limits, is_script);
    files.extend(granted.files);
    let mut plugin = PluginConfig {
        name,
        source: fallback.source,
        config,
        file_keys: fallback.file_keys,
        optional_file_keys: fallback.optional_file_keys,
        files,
        topics,
        on_error,
        grants: granted.grants,
        budgets: limits.budgets,
        limits: limits.script,
        origin: section.origin.clone(),
        comes_with: ComesWith::default(),
    };
    if let PluginSource::Script(script) = &plugin.source {
        plugin.files.extend(script.watched());
    }
    if let Some(manifest) = fallback.manifest {
        take_manifest(&mut plugin, &section, manifest, granting);
    }
    section.finish();
    Some((plugin, enabled))
}

/// Lets the manifest speak where the entry does not, and holds its needs against the grants.
fn take_manifest(
    plugin: &mut PluginConfig,
    section: &Section<'_>,
    manifest: Manifest,
    granting: Granting,
) {
    plugin.comes_with = ComesWith { config: manifest.config.clone(), topics: manifest.topics };
    plugin.config = over(manifest.config, std::mem::take(&mut plugin.config));
    plugin.files.extend(manifest.files);
    let absent = missing(&plugin.grants, &manifest.needs);
    let all = both(&plugin.grants, &manifest.needs);
    match granting {
        Granting::AsNeeded => plugin.grants = all,
        Granting::AsWritten if absent.is_empty() => {}
        Granting::AsWritten => {
            let what = format!(
                "the plugin needs {} ({}), which its entry does not grant. If you trust it with \
                 that, write {}",
                absent.join(" and "),
                manifest.needs_origin,
                grants_line(&all),
            );
            let origin = section.origin_of("grants");
            let origin = if origin == Origin::Default { section.origin.clone() } else { origin };
            section.problem("grants", &origin, what);
        }
    }
    for shown in manifest.shown {
        section.findings.show_unless_written(section.name(&shown.key), shown);
    }
}

/// The keys of `config` over those of `below`.
fn over(below: serde_json::Value, config: serde_json::Value) -> serde_json::Value {
    use serde_json::Value::{Null, Object};
    match (below, config) {
        (Object(mut below), Object(config)) => {
            below.extend(config);
            Object(below)
        }
        (below, Null) => below,
        (_, config) => config,
    }
}

/// Reads the table `config`: values with secrets fetched, and the files that it names.
pub(super) fn read_table(
    section: &mut Section<'_>,
    file_keys: &[String],
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
    let mut files = Vec::new();
    for key in file_keys {
        files.extend(table.get_mut(key).and_then(|value| anchor(&node, value)));
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

pub(super) fn check_filters(section: &Section<'_>, key: &'static str, filters: &[String]) {
    for filter in filters {
        if let Err(violation) = TopicFilter::new(filter) {
            let what = format!("{filter:?} is no Topic Filter: {}", violation.what);
            section.problem(key, &section.origin_of(key), what);
        }
    }
}

pub(super) fn read_on_error(mut section: Section<'_>, ours: ErrorPolicy) -> ErrorPolicy {
    use {DeliverErrorPolicy as Deliver, PublishErrorPolicy as Publish};
    let publish = [("pass", Publish::Pass), ("drop", Publish::Drop), ("reject", Publish::Reject)];
    let subscribe =
        [("pass", SubscribeErrorPolicy::Pass), ("reject", SubscribeErrorPolicy::Reject)];
    let on_error = ErrorPolicy {
        publish: section.choice("publish", &publish).or(ours.publish),
        subscribe: section.choice("subscribe", &subscribe).or(ours.subscribe),
        deliver: section
            .choice("deliver", &[("pass", Deliver::Pass), ("drop", Deliver::Drop)])
            .or(ours.deliver),
    };
    for key in ["publish", "subscribe", "deliver"] {
        section.show_as_written(key);
    }
    section.finish();
    on_error
}

#[cfg(test)]
mod tests;
