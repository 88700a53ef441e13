//! `use`: what a plugin is.

use std::fmt;
use std::path::{Path, PathBuf};

use super::layers::Origin;
use super::problem::suggestion;
use super::section::Section;
use crate::builtin::Builtin;

/// What a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginSource {
    /// Linked in.
    Builtin(Builtin),
    /// A file: a script or a component.
    Script(ScriptSource),
}

/// A plugin that is a file, alone or with others in a folder of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSource {
    /// What runs it.
    pub kind: ScriptKind,
    /// The script or component.
    pub main: PathBuf,
    /// Its folder, if that has a manifest.
    pub folder: Option<PathBuf>,
    /// Files that say what it should answer to what.
    pub cases: Vec<PathBuf>,
}

/// What runs a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptKind {
    /// A Lua script.
    Lua,
    /// A WebAssembly component.
    Wasm,
}

impl fmt::Display for ScriptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lua => "lua",
            Self::Wasm => "wasm",
        })
    }
}

impl ScriptKind {
    /// As the end of the file's name has it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "lua" | "luau" => Some(Self::Lua),
            "wasm" => Some(Self::Wasm),
            _ => None,
        }
    }
}

impl PluginSource {
    /// The plugin that is linked in, if it is one.
    pub fn builtin(&self) -> Option<Builtin> {
        match self {
            Self::Builtin(builtin) => Some(*builtin),
            Self::Script(_) => None,
        }
    }
}

impl ScriptSource {
    /// A file that stands alone; its cases are those of `NAME.cases.toml` beside it.
    pub(super) fn of_file(kind: ScriptKind, main: PathBuf) -> Self {
        let cases = main.with_extension("cases.toml");
        let cases = if cases.is_file() { vec![cases] } else { Vec::new() };
        Self { kind, main, folder: None, cases }
    }

    /// The main file of a folder; its cases are those in the folder `cases`.
    pub(super) fn of_folder(kind: ScriptKind, main: PathBuf, folder: PathBuf) -> Self {
        let entries = std::fs::read_dir(folder.join("cases")).into_iter().flatten().flatten();
        let mut cases: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        cases.sort();
        Self { kind, main, folder: Some(folder), cases }
    }

    /// Files and folders whose change is a change of the plugin, whether they are there or not.
    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let cases = match &self.folder {
            Some(folder) => vec![folder.join("plugin.toml"), folder.join("cases")],
            None => vec![self.main.with_extension("cases.toml")],
        };
        std::iter::once(self.main.clone()).chain(cases).collect()
    }
}

/// What `use` names, before a manifest is read.
pub(super) enum Used {
    Builtin(Builtin),
    File(ScriptKind, PathBuf),
    Folder(PathBuf),
}

/// Reads `use`; a path begins at the folder of the file that names it.
pub(super) fn read_use(section: &mut Section<'_>) -> Option<Used> {
    let Some(written) = section.text("use") else {
        if section.origin_of("use") == Origin::Default {
            let what = "missing: say which plugin, as in use = \"builtin:password-file\" or \
                        use = \"plugins/celsius.lua\"";
            section.problem("use", &section.origin, what);
        }
        return None;
    };
    let origin = section.origin_of("use");
    let used = match written.strip_prefix("builtin:") {
        Some(name) => builtin_named(name, &written).map(Used::Builtin),
        None => file_at(origin.base().join(&written), &written),
    };
    match used {
        Ok(used) => Some(used),
        Err(what) => {
            section.problem("use", &origin, what);
            None
        }
    }
}

fn builtin_named(name: &str, written: &str) -> Result<Builtin, String> {
    let names = Builtin::ALL.map(|builtin| format!("builtin:{}", builtin.name()));
    let names = names.each_ref().map(String::as_str);
    Builtin::named(name)
        .ok_or_else(|| format!("there is no {written:?}. {}", suggestion(written, &names)))
}

fn file_at(path: PathBuf, written: &str) -> Result<Used, String> {
    if path.is_dir() {
        return Ok(Used::Folder(path));
    }
    if !path.exists() {
        let hint = match Builtin::named(written) {
            Some(builtin) => format!("Did you mean `builtin:{}`?", builtin.name()),
            None => format!("There is nothing at {}", path.display()),
        };
        return Err(format!("no such file or folder: {written:?}. {hint}"));
    }
    let kind = ScriptKind::of(&path).ok_or_else(|| {
        format!(
            "{written:?}: its name does not tell what runs it. Plugins are files that end in .lua \
             or .wasm, or folders with a plugin.toml"
        )
    })?;
    Ok(Used::File(kind, path))
}
