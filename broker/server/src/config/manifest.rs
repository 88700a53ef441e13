//! `plugin.toml`: what the folder of a plugin says about it.
//!
//! What an entry of the configuration leaves out holds as the manifest has it, but for the grants:
//! those the manifest only asks for.

use std::path::{Path, PathBuf};

use pintle_plugin_host::{Budgets, ErrorPolicy, Grants, ScriptLimits};

use super::file_layer;
use super::layers::{Layers, Origin};
use super::plugin::{check_filters, read_on_error, read_table};
use super::plugin_grants::read_needs;
use super::plugin_limits::{PluginLimits, read_limits};
use super::plugin_source::{ScriptKind, ScriptSource};
use super::problem::Problem;
use super::section::{Findings, Section, Shown};

/// The manifest of a plugin, checked.
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    pub(super) source: ScriptSource,
    pub(super) topics: Vec<String>,
    /// Keys of `config` that name files.
    pub(super) file_keys: Vec<String>,
    pub(super) on_error: ErrorPolicy,
    pub(super) limits: PluginLimits,
    /// What it can not do without; of secrets the names.
    pub(super) needs: Grants,
    /// Where the grants are asked for.
    pub(super) needs_origin: Origin,
    pub(super) config: serde_json::Value,
    /// Files that its `config` comes from.
    pub(super) files: Vec<PathBuf>,
    /// What is written in it and holds unless an entry says otherwise.
    pub(super) shown: Vec<Shown>,
}

/// The name of a manifest.
pub(super) const FILE: &str = "plugin.toml";

impl Manifest {
    /// Reads the one in `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn load(
        folder: &Path,
        environment: &[(String, String)],
    ) -> Result<Self, Vec<Problem>> {
        let path = folder.join(FILE);
        if !path.is_file() {
            let what = format!(
                "{} is a folder without a {FILE}. Write one with main = \"NAME.lua\", or name the \
                 script itself",
                folder.display()
            );
            return Err(vec![Problem::unplaced(what)]);
        }
        let mut layers = Layers::default();
        file_layer::apply(&mut layers, &path).map_err(|problem| vec![problem])?;
        let values = layers.values().map_err(|what| vec![Problem::unplaced(what)])?;
        let findings = Findings { layers, ..Findings::default() };
        let start = Origin::File { path: path.into(), line: 1 };
        let top = Section::new("", Some(&values), start, &findings);
        let manifest = read(top, folder, environment);
        let problems = findings.problems.into_inner();
        match manifest {
            Some(manifest) if problems.is_empty() => {
                let written = |shown: &Shown| {
                    shown.origin != Origin::Default && !shown.key.starts_with("grants.")
                };
                let shown = findings.shown.into_inner().into_iter().filter(written).collect();
                Ok(Self { shown, ..manifest })
            }
            Some(_) | None => Err(problems),
        }
    }
}

fn read(mut top: Section<'_>, folder: &Path, environment: &[(String, String)]) -> Option<Manifest> {
    let name = top.text("name");
    for about_it in ["version", "description"] {
        top.read(about_it, "a string", |node| node.text());
    }
    let source = read_main(&mut top, folder);
    let topics = top.texts("topics").unwrap_or_default();
    check_filters(&top, "topics", &topics);
    let file_keys = top.texts("files").unwrap_or_default();
    let on_error = read_on_error(top.section("on_error"), ErrorPolicy::default());
    let limits = read_limits(top.section("limits"), usual_limits(), true);
    let needs_origin = top.origin_of("grants");
    let needs = read_needs(top.section("grants"));
    let (config, files) = read_table(&mut top, &file_keys, environment);
    top.finish();
    Some(Manifest {
        name,
        source: source?,
        topics,
        file_keys,
        on_error,
        limits,
        needs,
        needs_origin,
        config,
        files,
        shown: Vec::new(),
    })
}

/// What holds for a script of which nothing else is written.
pub(super) fn usual_limits() -> PluginLimits {
    PluginLimits { budgets: Budgets::default(), script: ScriptLimits::default() }
}

fn read_main(top: &mut Section<'_>, folder: &Path) -> Option<ScriptSource> {
    let build = top.text("build");
    let Some(written) = top.text("main") else {
        if top.origin_of("main") == Origin::Default {
            let what = "missing: name the script or component, as in main = \"celsius.lua\"";
            top.problem("main", &top.origin, what);
        }
        return None;
    };
    let main = folder.join(&written);
    let kind = ScriptKind::of(&main);
    let what = match kind {
        None => format!("{written:?}: expected a file that ends in .lua or .wasm"),
        Some(_) if !main.is_file() => missing(&main, folder, build.as_deref()),
        Some(kind) => return Some(ScriptSource::of_folder(kind, main, folder.to_owned())),
    };
    top.problem("main", &top.origin_of("main"), what);
    None
}

fn missing(main: &Path, folder: &Path, build: Option<&str>) -> String {
    let there_is_none = format!("there is no file {}", main.display());
    match build {
        Some(build) => {
            format!("{there_is_none} yet. Build it in the folder {}: {build}", folder.display())
        }
        None => there_is_none,
    }
}
