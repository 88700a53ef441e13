//! What components can not do, and how broken ones are refused, told through the public face.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on is to say so"
)]

mod celsius;
mod component;
mod damaged;
mod hostile;
mod kept_code;
mod loading;
#[allow(dead_code, reason = "tests of a broker that runs use the rest")]
mod module_text;
#[path = "../lua/support.rs"]
#[allow(dead_code, reason = "the tests of Lua use all of it")]
mod support;
#[path = "../lua/transitions.rs"]
mod transitions;
mod transitions_of_components;
