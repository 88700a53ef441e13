use std::fmt;
use std::num::NonZeroU32;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::edit_error::EditError;
use crate::phc::Argon2id;

/// The most PBKDF2 iterations that a line may ask for: some seconds of work.
pub(crate) const ITERATIONS_MAX: u32 = 10_000_000;

const SHA512_BYTES: usize = 64;
const PASSWORD_BYTES_MAX: usize = 65_535;

/// Base64 with or without padding, to read; writers pad where their format does.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a new password is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Argon2id with one pass over 46 MiB and a salt of 64 bytes; mosquitto 2.1 reads it where it
    /// is built with Argon2.
    #[default]
    Argon2id,
    /// PBKDF2-HMAC-SHA512, which every mosquitto since 2.0 reads.
    Pbkdf2Sha512 {
        /// Rounds, at most 10 million. mosquitto 2.0 writes 101, 2.1 writes 1000.
        iterations: NonZeroU32,
        /// Size of the salt; mosquitto 2.0 reads 12 bytes only.
        salt: SaltLength,
    },
    /// One SHA-512 over password and salt, for brokers older than mosquitto 2.0. It costs an
    /// attacker nothing.
    Sha512,
}

impl Algorithm {
    /// What `mosquitto_passwd` 2.0 writes and mosquitto 2.0 reads: 101 rounds of PBKDF2 with a salt
    /// of 12 bytes. So few rounds protect weak passwords badly.
    pub const MOSQUITTO_2_0: Self = Self::Pbkdf2Sha512 {
        iterations: NonZeroU32::MIN.saturating_add(100),
        salt: SaltLength::Bytes12,
    };
}

/// Size of a salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaltLength {
    /// 12 bytes: mosquitto up to 2.0, read by all.
    Bytes12,
    /// 64 bytes: mosquitto since 2.1, which 2.0 does not read.
    Bytes64,
}

/// The part of a line after the user name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PasswordHash {
    Sha512(Salted),
    Pbkdf2Sha512 { iterations: u32, salted: Salted },
    Argon2id(Argon2id),
}

/// Salt and digest of the formats that begin with a number.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Salted {
    salt: Vec<u8>,
    digest: [u8; SHA512_BYTES],
}

/// What checking a password costs: hashes with equal work take equal time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    Sha512,
    Pbkdf2Sha512(u32),
    Argon2id(u32, u32, u32),
}

impl PasswordHash {
    /// Reads `$6$…`, `$7$…` or `$argon2id$…`.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(fields) = text.strip_prefix("$6$") {
            return Salted::parse(fields).map(Self::Sha512);
        }
        if let Some(fields) = text.strip_prefix("$7$") {
            return Self::parse_pbkdf2(fields);
        }
        if let Some(fields) = text.strip_prefix("$argon2id$") {
            return Argon2id::parse(fields).map(Self::Argon2id);
        }
        Err(match text.starts_with('$') {
            true => {
                "the kind of hash is unknown; $argon2id$, $7$ and $6$ are understood".to_owned()
            }
            false => "the password is not hashed; `pintle passwd` converts plain lists".to_owned(),
        })
    }

    fn parse_pbkdf2(fields: &str) -> Result<Self, String> {
        let (iterations, fields) = fields.split_once('$').ok_or("the hash is cut short")?;
        let iterations: u32 = iterations
            .parse()
            .map_err(|_| "the number of iterations is not a number".to_owned())?;
        if !(1..=ITERATIONS_MAX).contains(&iterations) {
            return Err(format!("the number of iterations is not in 1 to {ITERATIONS_MAX}"));
        }
        let salted = Salted::parse(fields)?;
        Ok(Self::Pbkdf2Sha512 { iterations, salted })
    }

    /// Hashes `password` with a new salt.
    ///
    /// # Errors
    /// `Iterations`, `Password` or `Random`.
    pub(crate) fn new(password: &[u8], algorithm: Algorithm) -> Result<Self, EditError> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(EditError::Password);
        }
        match algorithm {
            Algorithm::Argon2id => {
                Argon2id::new(password, random::<64>()?.to_vec()).map(Self::Argon2id)
            }
            Algorithm::Pbkdf2Sha512 { iterations, salt } => {
                let iterations = iterations.get();
                if iterations > ITERATIONS_MAX {
                    return Err(EditError::Iterations);
                }
                let salt = match salt {
                    SaltLength::Bytes12 => random::<12>()?.to_vec(),
                    SaltLength::Bytes64 => random::<64>()?.to_vec(),
                };
                let digest = pbkdf2_sha512(password, &salt, iterations);
                let salted = Salted { salt, digest };
                Ok(Self::Pbkdf2Sha512 { iterations, salted })
            }
            Algorithm::Sha512 => {
                let salt = random::<12>()?.to_vec();
                let digest = sha512(password, &salt);
                Ok(Self::Sha512(Salted { salt, digest }))
            }
        }
    }

    /// Whether `password` is the one; the digests are compared in constant time.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Sha512(salted) => salted.is(&sha512(password, &salted.salt)),
            Self::Pbkdf2Sha512 { iterations, salted } => {
                salted.is(&pbkdf2_sha512(password, &salted.salt, *iterations))
            }
            Self::Argon2id(hash) => hash.verify(password),
        }
    }

    pub(crate) fn work(&self) -> Work {
        match self {
            Self::Sha512(_) => Work::Sha512,
            Self::Pbkdf2Sha512 { iterations, .. } => Work::Pbkdf2Sha512(*iterations),
            Self::Argon2id(hash) => {
                let (memory_kib, passes, lanes) = hash.cost();
                Work::Argon2id(memory_kib, passes, lanes)
            }
        }
    }
}

impl Salted {
    fn parse(fields: &str) -> Result<Self, String> {
        let (salt, digest) = fields.split_once('$').ok_or("the hash is cut short")?;
        let salt = decode(salt, "salt")?;
        if !matches!(salt.len(), 12 | 64) {
            return Err(format!("the salt is {} bytes long, not 12 or 64", salt.len()));
        }
        let digest = decode(digest, "hash")?;
        let digest = <[u8; SHA512_BYTES]>::try_from(digest)
            .map_err(|digest| format!("the hash is {} bytes long, not 64", digest.len()))?;
        Ok(Self { salt, digest })
    }

    fn is(&self, digest: &[u8]) -> bool {
        self.digest.ct_eq(digest).into()
    }
}

pub(crate) fn decode(text: &str, what: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|_| format!("the {what} is not base64"))
}

fn random<const N: usize>() -> Result<[u8; N], EditError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| EditError::Random)?;
    Ok(bytes)
}

fn sha512(password: &[u8], salt: &[u8]) -> [u8; SHA512_BYTES] {
    Sha512::new().chain_update(password).chain_update(salt).finalize().into()
}

fn pbkdf2_sha512(password: &[u8], salt: &[u8], iterations: u32) -> [u8; SHA512_BYTES] {
    pbkdf2::pbkdf2_hmac_array::<Sha512, SHA512_BYTES>(password, salt, iterations)
}

impl fmt::Display for Salted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}${}", STANDARD.encode(&self.salt), STANDARD.encode(self.digest))
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha512(salted) => write!(f, "$6${salted}"),
            Self::Pbkdf2Sha512 { iterations, salted } => write!(f, "$7${iterations}${salted}"),
            Self::Argon2id(hash) => write!(f, "{hash}"),
        }
    }
}

/// Hashes stay out of logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha512(_) => "$6$…",
            Self::Pbkdf2Sha512 { .. } => "$7$…",
            Self::Argon2id(_) => "$argon2id$…",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse ümlaut";

    /// Computed with Python: hashlib.sha512, hashlib.pbkdf2_hmac, and the reference Argon2.
    const VECTORS: [&str; 9] = [
        "$6$AQIDBAUGBwgJCgsM$kVGOASPawKANpGvKVYObnNqhMNEThT9kP4/mOkzg+3EaZW+k3lwIiWekExPi4jNQfz\
         HxR1LFr2Fu7gxzNvbXJg==",
        "$6$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKG\
         iow==$DnmoSRdlcl3nbuFiP5YKJpA4fdRxrzT4L7f9VpArnGt2P4+DgBcfH+oCq8mMEQeXsw224ObmpPaSK6N0\
         h9E5TA==",
        "$7$101$AQIDBAUGBwgJCgsM$8BdnyabtlCgefErnSCwkSqFq6FVcfNAUT2a5Olg/Hm3f/ep2Dn5Jm17Ab98+GX\
         VKgVFBMfTkhFTyRh/suUgjMg==",
        "$7$1000$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ\
         6foKGiow==$tJfFQo9oJBj3MZDp9JVruab0FHS3SOkHEAyEen34mffxMisBYIkjOYImGPNGxNbFHUS+XroZjmZ\
         YmpYmBbauKg==",
        "$7$1$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6fo\
         KGiow==$NvO1v6Fc1tgjILfe/A/+6i1SVgPEmG7swfogbwDqbUsaT1DMDwkYZOD8Il14WuqHEHOxQ3u4IblHEj\
         5b9MNqbQ==",
        "$7$20000$AQIDBAUGBwgJCgsM$88HeS7LffjIMRbq7lkbscLNoUo/dxxyNDpny6NxHuMUvDMnCV+wwnQPScKyf\
         1/vCxgMPvKBolAvQmRybv1HVIA==",
        "$argon2id$v=19$m=47104,t=1,p=1$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4y\
         Njo+QkZKTlJWWl5iZmpucnZ6foKGiow$XNPhLL9rcZOPvIPJPiLdlYhtPaohBIh6iUAblga9JeqXq6EuQcJ4+Y\
         7RiQpP08pNaAO7wT8KxJqAcqCNHZgHIA",
        "$argon2id$v=19$m=256,t=3,p=2$AQIDBAUGBwgJCgsM$+tf5rQNHEshQQbaodJtEfohRHIXVDY6BO7YhMavR\
         ix4",
        "$argon2id$v=16$m=64,t=1,p=1$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo\
         +QkZKTlJWWl5iZmpucnZ6foKGiow$ezOmzBtnXzA828cIb7JI+rOi/hFIzdVCW+YMzWCb5TpX/NzpjehBncbvH\
         ScLWTf+YJKI8wXYqW9g4O4FIYQVSQ",
    ];

    #[test]
    fn hashes_computed_elsewhere_are_verified() {
        for vector in VECTORS {
            let hash = PasswordHash::parse(vector).unwrap();
            assert!(hash.verify(PASSWORD.as_bytes()), "{vector}");
        }
    }

    #[test]
    fn another_password_is_not_accepted() {
        for vector in VECTORS {
            let hash = PasswordHash::parse(vector).unwrap();
            for wrong in ["", "correct horse umlaut", "correct horse ümlaut "] {
                assert!(!hash.verify(wrong.as_bytes()), "{vector} {wrong:?}");
            }
        }
    }

    #[test]
    fn a_hash_is_written_as_it_was_read() {
        for vector in VECTORS {
            assert_eq!(PasswordHash::parse(vector).unwrap().to_string(), vector);
        }
    }

    #[test]
    fn every_algorithm_makes_a_hash_that_reads_back_and_verifies() {
        let iterations = NonZeroU32::new(3).unwrap();
        for (algorithm, prefix) in [
            (Algorithm::Argon2id, "$argon2id$v=19$m=47104,t=1,p=1$"),
            (Algorithm::MOSQUITTO_2_0, "$7$101$"),
            (Algorithm::Pbkdf2Sha512 { iterations, salt: SaltLength::Bytes64 }, "$7$3$"),
            (Algorithm::Sha512, "$6$"),
        ] {
            let text = PasswordHash::new(b"secret", algorithm).unwrap().to_string();
            assert!(text.starts_with(prefix), "{text}");
            let read = PasswordHash::parse(&text).unwrap();
            assert!(read.verify(b"secret") && !read.verify(b"Secret"), "{text}");
        }
    }

    #[test]
    fn salt_and_hash_have_the_sizes_that_mosquitto_writes() {
        fn sizes(algorithm: Algorithm) -> Vec<usize> {
            let text = PasswordHash::new(b"p", algorithm).unwrap().to_string();
            text.rsplit('$').take(2).map(|part| BASE64.decode(part).unwrap().len()).collect()
        }
        assert_eq!(sizes(Algorithm::Argon2id), [64, 64]);
        assert_eq!(sizes(Algorithm::MOSQUITTO_2_0), [64, 12]);
        assert_eq!(sizes(Algorithm::Sha512), [64, 12]);
    }

    #[test]
    fn the_same_password_never_hashes_the_same() {
        let hash = || PasswordHash::new(b"p", Algorithm::Sha512).unwrap();
        assert_ne!(hash(), hash());
    }

    #[test]
    fn what_can_not_be_a_password_is_not_hashed() {
        for password in [Vec::new(), vec![b'x'; 65_536]] {
            let hashed = PasswordHash::new(&password, Algorithm::Sha512);
            assert_eq!(hashed, Err(EditError::Password));
        }
    }

    #[test]
    fn more_iterations_than_are_read_are_not_written() {
        let iterations = NonZeroU32::new(ITERATIONS_MAX + 1).unwrap();
        let algorithm = Algorithm::Pbkdf2Sha512 { iterations, salt: SaltLength::Bytes12 };
        assert_eq!(PasswordHash::new(b"p", algorithm), Err(EditError::Iterations));
    }

    #[test]
    fn a_hash_that_can_not_be_read_is_refused_with_the_reason() {
        let digest = STANDARD.encode([7; 64]);
        let salt = STANDARD.encode([1; 12]);
        let short = STANDARD.encode([1; 11]);
        for (text, reason) in [
            ("secret".to_owned(), "not hashed"),
            (String::new(), "not hashed"),
            ("$5$abc$def".to_owned(), "kind of hash is unknown"),
            ("$argon2i$v=19$m=64,t=1,p=1$x$y".to_owned(), "kind of hash is unknown"),
            (format!("$6${salt}"), "cut short"),
            (format!("$6${short}${digest}"), "salt is 11 bytes long, not 12 or 64"),
            (format!("$6$!{salt}${digest}"), "salt is not base64"),
            (format!("$6${salt}$%%%"), "hash is not base64"),
            (format!("$6${salt}${short}"), "hash is 11 bytes long, not 64"),
            (format!("$6${salt}${digest}$"), "hash is not base64"),
            (format!("$7$0${salt}${digest}"), "iterations is not in 1 to"),
            (format!("$7$-1${salt}${digest}"), "iterations is not a number"),
            (format!("$7$10000001${salt}${digest}"), "iterations is not in 1 to"),
            (format!("$7${salt}${digest}"), "iterations is not a number"),
            (format!("$7$5${salt}"), "cut short"),
        ] {
            let error = PasswordHash::parse(&text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        for vector in VECTORS {
            let debug = format!("{:?}", PasswordHash::parse(vector).unwrap());
            assert!(debug.len() < 16, "{debug}");
        }
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn reading_any_text_ends_with_an_answer(text in "\\PC*", tag in 0..4usize) {
                let tag = ["", "$6$", "$7$", "$argon2id$"][tag];
                let _ = PasswordHash::parse(&format!("{tag}{text}"));
            }

            #[test]
            fn only_the_password_itself_verifies(
                password in proptest::collection::vec(any::<u8>(), 1..40),
                other in proptest::collection::vec(any::<u8>(), 0..40),
            ) {
                let hash = PasswordHash::new(&password, Algorithm::Sha512).unwrap();
                let read = PasswordHash::parse(&hash.to_string()).unwrap();
                prop_assert_eq!(&read, &hash);
                prop_assert!(read.verify(&password));
                prop_assert_eq!(read.verify(&other), other == password);
            }
        }
    }
}
