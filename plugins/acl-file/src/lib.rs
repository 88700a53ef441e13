//! Confines clients to the topics of an ACL file.
//!
//! ```toml
//! [[plugin]]
//! name = "topics"
//! use = "builtin:acl-file"
//! config = { path = "acl" }
//! ```
//!
//! # The file
//!
//! The ACL file of mosquitto, unchanged:
//!
//! ```text
//! # clients without a user name
//! topic read public/#
//!
//! user alice
//! topic readwrite home/alice/#
//! topic deny home/alice/secret
//! topic read shared room/temperature
//!
//! # everybody
//! pattern write devices/%c/status
//! pattern home/%u/inbox
//! ```
//!
//! - `topic` lines before the first `user` line are for clients without a user name, and for them
//!   alone. Later ones are for the user of the `user` line above; a user may have several blocks.
//!   The user is the client's principal, which is its User Name unless authentication said
//!   otherwise.
//! - `pattern` lines are for everybody, wherever they stand. A whole level `%c` is the Client
//!   Identifier, `%u` the user; one with `%u` is not for clients without a user.
//! - The word before the filter is `read`, `write`, `readwrite` or `deny`. It may be left out, which
//!   means `readwrite`, unless the filter holds a space.
//! - `#` begins a comment in the first column only.
//!
//! # Who may
//!
//! The client's own lines are asked first, then the patterns; in each, `deny` lines before the
//! others, and else in the order of the file. The first line that matches topic and action decides.
//!
//! | | answer |
//! |---|---|
//! | a line allows it | allowed, unless another plugin says no |
//! | a `deny` line matches | 0x87 |
//! | no line matches | no opinion: if no other plugin allows it, it is refused |
//! | a SUBSCRIBE | allowed: what is read is decided for each message |
//! | publishing below `$SYS`, other than `$SYS/broker/connection/+/state` | 0x87 |
//! | patterns are asked for a client whose user or Client Identifier holds `+` or `#` | 0x87 |
//!
//! A filter that does not begin with `$` matches no topic that does. `%c` and `%u` stand for one
//! level, so a name with a `/` in it matches none.
//!
//! # When the file changes
//!
//! The whole file is checked before any of it counts. A line that can not be read is an error with
//! its number; the rules as they were stay in force, and at the start the plugin is not loaded. New
//! rules count from the next message, retained and queued ones included; nobody is disconnected.

mod acl;
mod acl_file;
mod acl_line;
mod topic_pattern;

#[cfg(test)]
mod acl_file_tests;

pub use acl_file::AclFile;
