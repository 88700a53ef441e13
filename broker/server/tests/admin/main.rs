//! The admin interface of a broker that runs, over its socket and over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test stops where it can not go on"
)]

mod client;
#[cfg(feature = "lua")]
mod command_line;
mod commands;
mod configuration;
mod doors;
mod figures;
#[cfg_attr(not(feature = "lua"), allow(dead_code, reason = "scripts' tests follow a log"))]
mod http;
mod load;
#[cfg(feature = "lua")]
mod lua;
mod place;
mod probe;
