//! What scripts in Lua may say, and what they can not do, told through the public face.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on is to say so"
)]

mod bounds;
mod hooks;
mod hostile;
mod libraries;
mod loading;
mod renewal;
mod share;
mod store;
mod support;
mod transitions;
mod transitions_of_scripts;
