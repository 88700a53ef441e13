use std::sync::Arc;

use super::bindings::exports::pintle::plugin::{lifecycle, state};
use super::host::Broker;
use super::settings::Settings;
use super::{Component, Exported, events};
use crate::{Hooks, Plugin, SettingsError};

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
        let settings = Settings::new(&[about.files, about.optional_files]);
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
        // Not by `Display`, whose code is longer than all the rest of a small component.
        let path = error.path.and_then(|path| path.into_os_string().into_string().ok());
        Self { path, line: error.line, what: error.what }
    }
}
