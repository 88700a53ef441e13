//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as enhanced authentication of MQTT 5.0: the password never
//! crosses the network, what the broker keeps does not let anybody in, and the client learns that
//! the broker knows it.

mod exchange;
mod verifier;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pintle_plugin_api::{
    About, AuthExchange, Client, Hooks, Host, LogLevel, Plugin, Settings, SettingsError,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::Exchange;
pub use crate::verifier::Verifier;

pintle_plugin_api::export!(Scram, interfaces: [enhanced_auth, control]);

/// What RFC 7677 asks for at least.
const ITERATIONS: u32 = 4096;
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 18;

/// The plugin.
#[derive(Default)]
pub struct Scram {
    users: Mutex<Arc<Users>>,
    host: Mutex<Option<Arc<dyn Host>>>,
}

/// Who may connect.
#[derive(Debug, Default)]
pub struct Users {
    verifiers: BTreeMap<String, Verifier>,
    /// Makes the salts of users that are not there.
    secret: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Verifiers as text, by user name. Nobody connects until there is one.
    #[serde(default)]
    users: BTreeMap<String, String>,
}

impl Users {
    /// Users by their verifiers.
    ///
    /// # Errors
    /// Whose verifier can not be read, and why.
    pub fn new(verifiers: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut users = Self::default();
        for (name, text) in verifiers {
            let verifier = Verifier::parse(text).map_err(|why| format!("users.{name}: {why}"))?;
            users.secret.extend_from_slice(verifier.server_key());
            users.verifiers.insert(name.clone(), verifier);
        }
        Ok(users)
    }

    /// The verifier of a user; one that nothing fits, always the same, where there is no such user.
    fn verifier(&self, name: &str) -> Verifier {
        let known = self.verifiers.get(name).cloned();
        known.unwrap_or_else(|| Verifier::of_nobody(&self.secret, name, ITERATIONS))
    }
}

impl Scram {
    fn host(&self) -> Option<Arc<dyn Host>> {
        locked(&self.host).clone()
    }

    fn random<const LEN: usize>(&self) -> Option<[u8; LEN]> {
        let mut bytes = [0; LEN];
        let host = self.host()?;
        match host.random(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) => {
                host.log(LogLevel::Error, &format!("no random bytes: {error}"));
                None
            }
        }
    }
}

impl Plugin for Scram {
    fn about(&self) -> About {
        let hooks = Hooks::ENHANCED_AUTH.and(Hooks::COMMAND);
        About {
            auth_methods: &["SCRAM-SHA-256"],
            ..About::new("scram", env!("CARGO_PKG_VERSION"), hooks)
        }
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let config: Config = settings.parse()?;
        *locked(&self.users) = Users::new(&config.users).map_err(SettingsError::new)?.into();
        Ok(())
    }

    fn start(&self, host: Arc<dyn Host>) {
        *locked(&self.host) = Some(host);
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        _: &str,
        reauth: bool,
    ) -> Option<Box<dyn AuthExchange>> {
        let nonce = STANDARD.encode(self.random::<NONCE_LEN>()?);
        let users = Arc::clone(&locked(&self.users));
        // Who is connected already stays who it is.
        let only = reauth.then(|| client.principal().unwrap_or_default().to_owned());
        Some(Box::new(Exchange::new(users, nonce, only)))
    }

    /// `verifier` makes what `users` holds of a password.
    fn on_command(&self, _: Option<&str>, command: &str, args: &str) -> Result<String, String> {
        if command != "verifier" {
            return Err(format!("there is no command `{command}`; there is: verifier"));
        }
        let args: Value = serde_json::from_slice(args.as_bytes()).unwrap_or_default();
        let password = args["password"].as_str().ok_or("give {\"password\": \"…\"}")?;
        let salt = self.random::<SALT_LEN>().ok_or("no random bytes")?;
        let verifier = Verifier::of_password(password, &salt, ITERATIONS);
        Ok(json!({ "verifier": verifier.to_string() }).to_string())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
