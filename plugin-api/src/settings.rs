use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::setting::Setting;

/// What the configuration says to one plugin.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The `config` table of the `[[plugin]]` entry.
    pub config: serde_json::Value,
    /// What the files named in `config` hold, by the key that names them.
    ///
    /// The host reads and watches the keys that [`crate::About::files`] lists.
    pub files: BTreeMap<String, FileContent>,
}

/// A file that the host read for the plugin.
#[derive(Clone, Debug)]
pub struct FileContent {
    /// Where it was read.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Settings {
    /// `config` as a type of the plugin's own.
    ///
    /// # Errors
    /// Names the key that does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        let empty = serde_json::Value::Object(serde_json::Map::new());
        let config = if self.config.is_null() { &empty } else { &self.config };
        T::deserialize(Setting(config)).map_err(|misfit| SettingsError::new(misfit.to_string()))
    }

    /// The file that the key `key` names.
    ///
    /// # Errors
    /// If the configuration does not have the key.
    pub fn file(&self, key: &str) -> Result<&FileContent, SettingsError> {
        self.files.get(key).ok_or_else(|| no_file(key))
    }
}

pub(crate) fn no_file(key: &str) -> SettingsError {
    SettingsError::new(format!("`{key}` is missing: name a file, as in {key} = \"…\""))
}

/// Why a plugin does not take its settings. What it had before stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The file at fault, if it is one.
    pub path: Option<PathBuf>,
    /// The line at fault, counted from 1.
    pub line: Option<u32>,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl SettingsError {
    /// An error in the `config` table.
    pub fn new(what: impl Into<String>) -> Self {
        Self { path: None, line: None, what: what.into() }
    }

    /// An error at a line of a file.
    pub fn at(file: &FileContent, line: u32, what: impl Into<String>) -> Self {
        Self { path: Some(file.path.clone()), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}", path.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for SettingsError {}
