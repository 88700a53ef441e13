//! The rules of the hook table, one sentence each, told through the public face.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on is to say so"
)]

mod authenticate;
mod authorize;
mod background;
mod breaker;
mod decisions;
mod deliver;
mod enhanced_auth;
mod explain;
mod host_functions;
mod load;
mod publish;
mod replace;
mod rights_hold;
mod rules;
mod store;
mod subscribe;
mod support;
