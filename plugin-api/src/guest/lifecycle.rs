use std::sync::Arc;

use super::bindings::exports::pintle::plugin::{lifecycle, state};
use super::bindings::pintle::plugin::config;
use super::host::Broker;
use super::{Component, Exported, events};
use crate::{FileContent, Hooks, Plugin, Settings, SettingsError};

impl<E: Exported> lifecycle::Guest for Component<E> {
    fn describe() -> lifecycle::About {
        let about = E::guest().plugin.about();
        lifecycle::About {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            hooks: flags(about.hooks),
            events: events::names(about.events),
            auth_methods: owned(about.auth_methods),
            payload: about.payload,
            files: owned(about.files),
            optional_files: owned(about.optional_files),
        }
    }

    fn init() -> Result<(), lifecycle::SettingsError> {
        let plugin = &E::guest().plugin;
        let about = plugin.about();
        let settings = settings(about.files.iter().chain(about.optional_files))?;
        plugin.configure(&settings)?;
        plugin.start(Arc::new(Broker));
        Ok(())
    }
}

impl<E: Exported> state::Guest for Component<E> {
    fn export_state() -> Option<Vec<u8>> {
        E::guest().plugin.export_state()
    }

    fn import_state(state: Vec<u8>) -> Result<(), lifecycle::SettingsError> {
        Ok(E::guest().plugin.import_state(&state)?)
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn settings<'a>(keys: impl Iterator<Item = &'a &'a str>) -> Result<Settings, SettingsError> {
    let config = serde_json::from_slice(config::get().as_bytes())
        .map_err(|error| SettingsError::new(format!("the configuration is no JSON: {error}")))?;
    let mut settings = Settings { config, ..Settings::default() };
    for key in keys {
        if let Some(file) = config::file(key) {
            let file = FileContent { path: file.path.into(), bytes: file.bytes };
            settings.files.insert((*key).to_owned(), file);
        }
    }
    Ok(settings)
}

fn flags(hooks: Hooks) -> lifecycle::Hooks {
    let all = [
        (Hooks::AUTHENTICATE, lifecycle::Hooks::AUTHENTICATE),
        (Hooks::ENHANCED_AUTH, lifecycle::Hooks::ENHANCED_AUTH),
        (Hooks::AUTHORIZE, lifecycle::Hooks::AUTHORIZE),
        (Hooks::PUBLISH, lifecycle::Hooks::PUBLISH),
        (Hooks::SUBSCRIBE, lifecycle::Hooks::SUBSCRIBE),
        (Hooks::UNSUBSCRIBE, lifecycle::Hooks::UNSUBSCRIBE),
        (Hooks::DELIVER, lifecycle::Hooks::DELIVER),
        (Hooks::EVENTS, lifecycle::Hooks::EVENTS),
        (Hooks::TIMER, lifecycle::Hooks::TIMER),
        (Hooks::COMMAND, lifecycle::Hooks::COMMAND),
        (Hooks::STORE, lifecycle::Hooks::STORE),
        (Hooks::OBSERVE, lifecycle::Hooks::OBSERVE),
        (Hooks::STATE, lifecycle::Hooks::STATE),
    ];
    let named = all.into_iter().filter(|(ours, _)| hooks.contains(*ours));
    named.fold(lifecycle::Hooks::empty(), |set, (_, flag)| set | flag)
}

impl From<SettingsError> for lifecycle::SettingsError {
    fn from(error: SettingsError) -> Self {
        let path = error.path.map(|path| path.display().to_string());
        Self { path, line: error.line, what: error.what }
    }
}
