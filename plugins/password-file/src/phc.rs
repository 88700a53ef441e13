use std::fmt;

use argon2::{Argon2, Params, Version};
use base64::engine::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;

use crate::edit_error::EditError;
use crate::hash::decode;

/// The most memory that a line may ask for: 1 GiB.
const MEMORY_KIB_MAX: u32 = 1 << 20;
/// The most passes over the memory that a line may ask for.
const PASSES_MAX: u32 = 1000;
const SALT_BYTES_MIN: usize = 8;
const DIGEST_BYTES: usize = 64;
const DIGEST_BYTES_MAX: usize = 1024;

/// A hash in the PHC string format, `$argon2id$v=19$m=47104,t=1,p=1$salt$hash`.
///
/// The salts of mosquitto are longer than the general reader of that format allows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Argon2id {
    version: Version,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Argon2id {
    /// Hashes `password` at the cost that mosquitto uses.
    pub(crate) fn new(password: &[u8], salt: Vec<u8>) -> Result<Self, EditError> {
        let mut hash = Self {
            version: Version::V0x13,
            memory_kib: 46 * 1024,
            passes: 1,
            lanes: 1,
            salt,
            digest: vec![0; DIGEST_BYTES],
        };
        hash.digest = hash.compute(password).ok_or(EditError::Password)?;
        Ok(hash)
    }

    /// Reads what follows `$argon2id$`.
    pub(crate) fn parse(fields: &str) -> Result<Self, String> {
        let (version, fields) = match fields.strip_prefix("v=") {
            Some(rest) => rest.split_once('$').ok_or("the hash is cut short")?,
            // The format before versions were written down.
            None => ("16", fields),
        };
        let version = match version {
            "19" => Version::V0x13,
            "16" => Version::V0x10,
            _ => return Err("the version of Argon2 is unknown".to_owned()),
        };
        let mut fields = fields.split('$');
        let (Some(cost), Some(salt), Some(digest), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("the hash is cut short or too long".to_owned());
        };
        let [memory_kib, passes, lanes] = parse_cost(cost)?;
        let hash = Self {
            version,
            memory_kib,
            passes,
            lanes,
            salt: decode(salt, "salt")?,
            digest: decode(digest, "hash")?,
        };
        hash.check()?;
        Ok(hash)
    }

    fn check(&self) -> Result<(), String> {
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX {
            return Err(format!("more than m={MEMORY_KIB_MAX} or t={PASSES_MAX} is not accepted"));
        }
        if self.salt.len() < SALT_BYTES_MIN {
            return Err(format!("the salt is shorter than {SALT_BYTES_MIN} bytes"));
        }
        if self.digest.len() > DIGEST_BYTES_MAX {
            return Err(format!("the hash is longer than {DIGEST_BYTES_MAX} bytes"));
        }
        match self.params() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("Argon2 can not work with m, t, p or the hash: {error}")),
        }
    }

    /// Memory in KiB, passes and lanes.
    pub(crate) fn cost(&self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }

    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        self.compute(password).is_some_and(|digest| digest.ct_eq(&self.digest).into())
    }

    fn compute(&self, password: &[u8]) -> Option<Vec<u8>> {
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, self.version, self.params().ok()?);
        let mut digest = vec![0; self.digest.len()];
        argon2.hash_password_into(password, &self.salt, &mut digest).ok()?;
        Some(digest)
    }

    fn params(&self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(self.digest.len()))
    }
}

/// Reads `m=…,t=…,p=…`.
fn parse_cost(text: &str) -> Result<[u32; 3], String> {
    let mut fields = text.split(',');
    let mut number = |key: &str| {
        let field = fields.next().and_then(|field| field.strip_prefix(key));
        field.and_then(|digits| digits.parse().ok())
    };
    let (m, t, p) = (number("m="), number("t="), number("p="));
    match (m, t, p, fields.next()) {
        (Some(m), Some(t), Some(p), None) => Ok([m, t, p]),
        _ => Err("the cost is not m=…,t=…,p=…".to_owned()),
    }
}

impl fmt::Display for Argon2id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, memory_kib, passes, lanes, salt, digest } = self;
        let version = u32::from(*version);
        let salt = STANDARD_NO_PAD.encode(salt);
        let digest = STANDARD_NO_PAD.encode(digest);
        write!(f, "$argon2id$v={version}$m={memory_kib},t={passes},p={lanes}${salt}${digest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_can_not_be_argon2id_is_refused_with_the_reason() {
        let salt = STANDARD_NO_PAD.encode([1; 64]);
        let digest = STANDARD_NO_PAD.encode([2; 64]);
        let short = STANDARD_NO_PAD.encode([1; 7]);
        let tiny = STANDARD_NO_PAD.encode([1; 3]);
        let huge = STANDARD_NO_PAD.encode([1; 1025]);
        for (fields, reason) in [
            ("v=19".to_owned(), "cut short"),
            (format!("v=18$m=64,t=1,p=1${salt}${digest}"), "version"),
            (format!("v=19$m=64,t=1,p=1${salt}"), "cut short"),
            (format!("v=19$m=64,t=1,p=1${salt}${digest}$x"), "too long"),
            (format!("v=19$m=64,t=1${salt}${digest}"), "the cost is not"),
            (format!("v=19$t=1,m=64,p=1${salt}${digest}"), "the cost is not"),
            (format!("v=19$m=64,t=1,p=1,keyid=a${salt}${digest}"), "the cost is not"),
            (format!("v=19$m=64,t=0,p=1${salt}${digest}"), "can not work with"),
            (format!("v=19$m=7,t=1,p=1${salt}${digest}"), "can not work with"),
            (format!("v=19$m=64,t=1,p=0${salt}${digest}"), "can not work with"),
            (format!("v=19$m=1048577,t=1,p=1${salt}${digest}"), "not accepted"),
            (format!("v=19$m=64,t=1001,p=1${salt}${digest}"), "not accepted"),
            (format!("v=19$m=64,t=1,p=1${short}${digest}"), "shorter than 8"),
            (format!("v=19$m=64,t=1,p=1${salt}${tiny}"), "can not work with"),
            (format!("v=19$m=64,t=1,p=1${salt}${huge}"), "longer than 1024"),
            (format!("v=19$m=64,t=1,p=1$*${digest}"), "salt is not base64"),
            (format!("v=19$m=64,t=1,p=1${salt}$*"), "hash is not base64"),
        ] {
            let error = Argon2id::parse(&fields).err().unwrap();
            assert!(error.contains(reason), "{fields}: {error}");
        }
    }

    #[test]
    fn padded_base64_is_read_too() {
        let salt = base64::engine::general_purpose::STANDARD.encode([1; 64]);
        let digest = base64::engine::general_purpose::STANDARD.encode([2; 64]);
        assert!(Argon2id::parse(&format!("v=19$m=64,t=1,p=1${salt}${digest}")).is_ok());
    }
}
