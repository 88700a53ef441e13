//! Lets in the users of a password file.
//!
//! ```toml
//! [[plugin]]
//! name = "passwords"
//! use = "builtin:password-file"
//! config = { path = "passwd" }
//! ```
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `path` | – | the password file |
//! | `reject_unknown` | `true` | `false` leaves users that the file does not know to the next plugin |
//!
//! # The file
//!
//! One `user:hash` a line, as `pintle passwd` and `mosquitto_passwd` write it. A line that begins
//! with `#` is a comment, a line without `:` is skipped, what follows a second `:` is ignored.
//! These hashes are understood:
//!
//! | hash | what it is |
//! |---|---|
//! | `$argon2id$v=19$m=47104,t=1,p=1$salt$hash` | Argon2id; what `pintle passwd` writes |
//! | `$7$iterations$salt$hash` | PBKDF2-HMAC-SHA512, salt of 12 or 64 bytes |
//! | `$6$salt$hash` | SHA-512 of password and salt, salt of 12 or 64 bytes |
//!
//! # Who gets in
//!
//! | CONNECT has | answer |
//! |---|---|
//! | no User Name | no opinion: the listener's `anonymous` decides |
//! | a User Name that is not in the file | 0x86; no opinion with `reject_unknown = false` |
//! | a User Name of the file, and its password | accepted, the principal is the User Name |
//! | a User Name of the file, and another password or none | 0x86 |
//!
//! With `reject_unknown` an unknown user costs the same work as a known one, so that time does not
//! tell who exists (within a file whose hashes are all of one kind). Digests are compared in
//! constant time. The work is done beside the workers of the broker.
//!
//! # When the file changes
//!
//! The whole file is checked before any of it counts. A duplicate user or a hash that can not be
//! read is an error with its line; the users as they were stay in force, and at the start the
//! plugin is not loaded. Users who are gone or whose line holds another hash are disconnected
//! with 0x87; the others notice nothing.

mod edit_error;
pub mod file;
mod hash;
mod password_file;
mod phc;

#[cfg(test)]
mod password_file_tests;

pub use password_file::PasswordFile;
