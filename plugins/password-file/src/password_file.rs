use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pintle_plugin_api::{
    About, Accepted, Answer, AuthVerdict, Client, Credentials, Disconnect, Failure, Hooks, Host,
    LogLevel, Plugin, Settings, SettingsError,
};
use serde::Deserialize;

use crate::file::{LineError, PasswordFileText};
use crate::hash::PasswordHash;

const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
const NOT_AUTHORIZED: u8 = 0x87;

/// The plugin; the crate's page says what it does.
#[derive(Default)]
pub struct PasswordFile {
    users: Arc<RwLock<Arc<Users>>>,
    host: Mutex<Option<Arc<dyn Host>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Read by the host; here so that it is a known key.
    #[serde(rename = "path")]
    _path: Option<String>,
    #[serde(default = "yes")]
    reject_unknown: bool,
}

fn yes() -> bool {
    true
}

#[derive(Default)]
struct Users {
    by_name: HashMap<String, Arc<PasswordHash>>,
    /// Whose hash is worked out for a user who does not exist.
    stand_in: Option<Arc<PasswordHash>>,
    reject_unknown: bool,
}

impl PasswordFile {
    /// A plugin without users; [`Plugin::configure`] reads them.
    pub fn new() -> Self {
        Self::default()
    }

    fn users(&self) -> Arc<Users> {
        current(&self.users)
    }

    fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn disconnect(&self, user: &str) {
        let Some(host) = self.host() else { return };
        let whom = Disconnect::Principal(user.to_owned());
        if let Err(error) = host.disconnect(whom, NOT_AUTHORIZED) {
            let text = format!("User {user:?} is gone or changed, but stays connected: {error}");
            host.log(LogLevel::Error, &text);
        }
    }
}

impl Plugin for PasswordFile {
    fn about(&self) -> About {
        About {
            files: &["path"],
            ..About::new("password-file", env!("CARGO_PKG_VERSION"), Hooks::AUTHENTICATE)
        }
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let config: Config = settings.parse()?;
        let file = settings.file("path")?;
        let text = PasswordFileText::parse(&file.bytes)
            .map_err(|LineError { line, what }| SettingsError::at(file, line, what))?;
        let new = Arc::new(Users::new(text, config.reject_unknown));

        let mut place = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, Arc::clone(&new));
        drop(place);

        for user in old.changed_in(&new) {
            self.disconnect(user);
        }
        Ok(())
    }

    fn start(&self, host: Arc<dyn Host>) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }

    fn authenticate(&self, _: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        let Some(user) = &credentials.username else {
            return Answer::Now(AuthVerdict::Next);
        };
        let users = self.users();
        let own = users.by_name.get(user);
        if own.is_none() && !users.reject_unknown {
            return Answer::Now(AuthVerdict::Next);
        }
        let (Some(password), Some(hash)) = (&credentials.password, own.or(users.stand_in.as_ref()))
        else {
            return Answer::Now(reject());
        };
        let attempt = Attempt {
            user: user.clone(),
            password: password.clone(),
            hash: Arc::clone(hash),
            known: own.is_some(),
            users: Arc::clone(&self.users),
        };
        Answer::Blocking(Box::new(move || attempt.decide()))
    }
}

/// One password to be checked, beside the workers.
struct Attempt {
    user: String,
    password: Vec<u8>,
    hash: Arc<PasswordHash>,
    known: bool,
    users: Arc<RwLock<Arc<Users>>>,
}

impl Attempt {
    fn decide(self) -> AuthVerdict {
        let right = black_box(self.hash.verify(&self.password));
        if right && self.known && self.still_counts() {
            return AuthVerdict::Accept(Accepted {
                principal: Some(self.user),
                ..Accepted::default()
            });
        }
        reject()
    }

    /// Whether the user was not removed or changed while the password was checked.
    fn still_counts(&self) -> bool {
        current(&self.users).by_name.get(&self.user) == Some(&self.hash)
    }
}

impl Users {
    fn new(text: PasswordFileText, reject_unknown: bool) -> Self {
        let users: Vec<_> = text.into_users().map(|(name, hash)| (name, Arc::new(hash))).collect();
        let mut count = HashMap::new();
        for (_, hash) in &users {
            *count.entry(hash.work()).or_insert(0_usize) += 1;
        }
        let common = users.iter().map(|(_, hash)| hash).max_by_key(|hash| count.get(&hash.work()));
        Self { stand_in: common.cloned(), by_name: users.into_iter().collect(), reject_unknown }
    }

    /// The users of this table who are missing or have another hash in `new`.
    fn changed_in(&self, new: &Self) -> impl Iterator<Item = &str> {
        let changed = |(name, hash): &(&String, _)| new.by_name.get(*name) != Some(*hash);
        self.by_name.iter().filter(changed).map(|(name, _)| name.as_str())
    }
}

fn current(users: &RwLock<Arc<Users>>) -> Arc<Users> {
    Arc::clone(&users.read().unwrap_or_else(PoisonError::into_inner))
}

fn reject() -> AuthVerdict {
    AuthVerdict::Reject(Failure::code(BAD_USER_NAME_OR_PASSWORD))
}
