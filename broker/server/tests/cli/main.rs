//! The binary `pintle` as its users meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can not go on stops"
)]

mod busy_port;
mod check;
mod components;
mod config_show;
mod embedding;
mod examples;
mod explain;
mod harness;
mod messages;
mod passwd;
mod plugins;
mod reload;
mod security;
mod shutdown;
