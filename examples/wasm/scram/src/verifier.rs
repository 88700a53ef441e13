use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const KEY_LEN: usize = 32;
const PREFIX: &str = "SCRAM-SHA-256$";

type Key = [u8; KEY_LEN];

/// What a broker keeps of a password: enough to check it, not to log in with.
///
/// As text it is `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` with Base64, as other
/// programs write it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    /// None for a user that is not there.
    stored_key: Option<Key>,
    server_key: Key,
}

impl Verifier {
    /// The one of a password.
    pub fn of_password(password: &str, salt: &[u8], iterations: u32) -> Self {
        let mut salted = [0; KEY_LEN];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
        let client_key = hmac(&salted, b"Client Key");
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Some(Sha256::digest(client_key).into()),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// One that fits no password, for a user that is not there.
    pub(crate) fn of_nobody(secret: &[u8], name: &str, iterations: u32) -> Self {
        let salt = hmac(secret, name.as_bytes());
        let salt = salt.iter().copied().take(crate::SALT_LEN).collect();
        Self { iterations, salt, stored_key: None, server_key: [0; KEY_LEN] }
    }

    /// Reads one from text.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('$'));
        let pairs = parts.and_then(|(how, keys)| how.split_once(':').zip(keys.split_once(':')));
        let ((iterations, salt), (stored_key, server_key)) = pairs.ok_or_else(|| {
            format!("expected {PREFIX}<iterations>:<salt>$<StoredKey>:<ServerKey>")
        })?;
        let iterations = iterations.parse().map_err(|error| format!("iterations: {error}"))?;
        let salt = STANDARD.decode(salt).map_err(|error| format!("salt: {error}"))?;
        if iterations == 0 || salt.is_empty() {
            return Err("iterations and salt are not 0 or empty".to_owned());
        }
        let stored_key = Some(key("StoredKey", stored_key)?);
        Ok(Self { iterations, salt, stored_key, server_key: key("ServerKey", server_key)? })
    }

    pub(crate) fn server_key(&self) -> &[u8] {
        &self.server_key
    }

    /// What the client is to derive its key with: `s=<salt>,i=<iterations>`.
    pub(crate) fn terms(&self) -> String {
        format!("s={},i={}", STANDARD.encode(&self.salt), self.iterations)
    }

    /// The proof that the broker knows the client, if `proof` shows that the client knows the
    /// password.
    pub(crate) fn answer(&self, auth_message: &str, proof: &[u8]) -> Option<Key> {
        let stored_key = self.stored_key.as_ref()?;
        let signature = hmac(stored_key, auth_message.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let found: Key = Sha256::digest(client_key).into();
        // Every byte is looked at, however many differ.
        let difference = found.iter().zip(stored_key).fold(0, |all, (a, b)| all | (a ^ b));
        (difference == 0).then(|| hmac(&self.server_key, auth_message.as_bytes()))
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
        let stored_key = self.stored_key.as_ref().map_or(String::new(), |key| base64(key));
        let (salt, server_key) = (base64(&self.salt), base64(&self.server_key));
        write!(f, "{PREFIX}{}:{salt}${stored_key}:{server_key}", self.iterations)
    }
}

fn key(name: &str, text: &str) -> Result<Key, String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("{name}: {error}"))?;
    bytes.try_into().map_err(|_| format!("{name}: it has {KEY_LEN} bytes"))
}

fn hmac(key: &[u8], message: &[u8]) -> Key {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; KEY_LEN] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}
