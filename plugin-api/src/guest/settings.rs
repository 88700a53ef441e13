use std::ops::Deref;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bindings::pintle::plugin::config;
use crate::settings::{Settings as Read, no_file};
use crate::{FileContent, SettingsError};

/// What the configuration says to one plugin, read when it is first looked at: a plugin that has no
/// settings has no code to read them either.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// By the keys of `config` that name them.
    files: Vec<(&'static str, OnceLock<Option<FileContent>>)>,
    all: OnceLock<Read>,
}

impl Settings {
    pub(super) fn new(files: &[&[&'static str]]) -> Self {
        let keys = files.iter().copied().flatten();
        Self { files: keys.map(|key| (*key, OnceLock::new())).collect(), all: OnceLock::new() }
    }

    /// `config` as a type of the plugin's own.
    ///
    /// # Errors
    /// Names the key that does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        Read { config: config(), ..Read::default() }.parse()
    }

    /// The file that the key `key` names.
    ///
    /// # Errors
    /// If the configuration does not have the key.
    pub fn file(&self, key: &str) -> Result<&FileContent, SettingsError> {
        let named = self.files.iter().find(|(other, _)| *other == key);
        let content = named.and_then(|(key, content)| content.get_or_init(|| file(key)).as_ref());
        content.ok_or_else(|| no_file(key))
    }
}

impl Deref for Settings {
    type Target = Read;

    fn deref(&self) -> &Read {
        self.all.get_or_init(|| {
            let mut all = Read { config: config(), ..Read::default() };
            for (key, _) in &self.files {
                if let Ok(content) = self.file(key) {
                    all.files.insert((*key).to_owned(), content.clone());
                }
            }
            all
        })
    }
}

/// The broker writes nothing that can not be read.
fn config() -> Value {
    serde_json::from_slice(config::get().as_bytes()).unwrap_or_default()
}

fn file(key: &str) -> Option<FileContent> {
    let file = config::file(key)?;
    Some(FileContent { path: file.path.into(), bytes: file.bytes })
}
