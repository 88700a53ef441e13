use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use pintle_plugin_api::{
    About, Action, CacheHint, Client, Decision, Failure, FileContent, Hooks, Host, LogLevel,
    Plugin, Settings, SettingsError,
};
use serde::Deserialize;

use crate::acl::{Acl, Finding};
use crate::acl_line::Access;
use crate::topic_pattern::Names;

const NOT_AUTHORIZED: u8 = 0x87;

/// The plugin; the crate's page says what it does.
#[derive(Default)]
pub struct AclFile {
    loaded: RwLock<Loaded>,
    host: Mutex<Option<Arc<dyn Host>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Read by the host; here so that it is a known key.
    #[serde(rename = "path")]
    _path: Option<String>,
}

/// The rules in force.
#[derive(Default)]
struct Loaded {
    acl: Acl,
    /// Name of their file, for people.
    file: String,
}

impl AclFile {
    /// A plugin without rules; [`Plugin::configure`] reads them.
    pub fn new() -> Self {
        Self::default()
    }

    fn loaded(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Plugin for AclFile {
    fn about(&self) -> About {
        About {
            files: &["path"],
            ..About::new("acl-file", env!("CARGO_PKG_VERSION"), Hooks::AUTHORIZE)
        }
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let _: Config = settings.parse()?;
        let file = settings.file("path")?;
        let acl = Acl::parse(&file.bytes)
            .map_err(|(line, reason)| SettingsError::at(file, line, reason))?;
        let new = Loaded { acl, file: name_of(file) };
        let warnings = new.warnings();

        let mut place = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, new);
        drop(place);
        drop(old);

        if let Some(host) = self.host() {
            host.invalidate();
            warn(&*host, &warnings);
        }
        Ok(())
    }

    fn start(&self, host: Arc<dyn Host>) {
        let warnings = self.loaded().warnings();
        warn(&*host, &warnings);
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Decision {
        let hint = CacheHint::until_invalidated();
        let Some((access, topic)) = what(action) else {
            return Decision::Allow(hint);
        };
        match self.loaded().acl.decide(names_of(client), access, topic) {
            Finding::Allowed(_) => Decision::Allow(hint),
            Finding::Denied(_) | Finding::SysWrite | Finding::WildcardInName => {
                Decision::Deny(Failure::code(NOT_AUTHORIZED), hint)
            }
            Finding::NoRule => Decision::Next,
        }
    }

    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Option<String> {
        let loaded = self.loaded();
        let file = &loaded.file;
        let Some((access, topic)) = what(action) else {
            let text = "SUBSCRIBE is always allowed; reading is decided for each message";
            return Some(format!("{file}: {text}"));
        };
        Some(match loaded.acl.decide(names_of(client), access, topic) {
            Finding::Allowed(rule) | Finding::Denied(rule) => {
                format!("{file}:{}: {}", rule.line, rule.text)
            }
            Finding::SysWrite => format!("{file}: clients do not publish to $SYS"),
            Finding::WildcardInName => {
                format!("{file}: patterns are not for a user or Client Identifier with + or #")
            }
            Finding::NoRule => format!("{file}: no line allows it"),
        })
    }
}

impl Loaded {
    fn warnings(&self) -> Vec<String> {
        let line = |line: u32, text: &str| {
            let file = &self.file;
            format!("{file}:{line}: {text}: a pattern without %c and %u is for everybody alike")
        };
        self.acl.patterns_without_names().map(|rule| line(rule.line, &rule.text)).collect()
    }
}

fn warn(host: &dyn Host, warnings: &[String]) {
    warnings.iter().for_each(|warning| host.log(LogLevel::Warn, warning));
}

/// Which access to which topic an action is; nothing for a SUBSCRIBE.
fn what<'a>(action: &Action<'a>) -> Option<(Access, &'a str)> {
    match action {
        Action::Publish(message) | Action::Will(message) => Some((Access::Write, message.topic)),
        Action::Receive(message) => Some((Access::Read, message.topic)),
        Action::Subscribe(_) => None,
    }
}

fn names_of(client: &dyn Client) -> Names<'_> {
    Names { client_id: client.client_id(), user: client.principal() }
}

fn name_of(file: &FileContent) -> String {
    let name = file.path.file_name().unwrap_or(file.path.as_os_str());
    name.to_string_lossy().into_owned()
}
