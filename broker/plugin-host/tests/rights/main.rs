//! The plugin host and the engine together, without sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test that cannot go on is to say so"
)]
#![allow(
    clippy::wrong_self_convention,
    reason = "a scenario reads as a story: `b.client(..).is_lost()` is what happens to the client"
)]

mod any_chain;
mod story;
mod witness;

#[path = "../../../engine/tests/engine/client.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod client;
#[path = "../../../engine/tests/engine/connecting.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod connecting;
#[path = "../../../engine/tests/engine/draft.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod draft;
#[path = "../../../engine/tests/engine/memory_link.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod memory_link;
#[path = "../../../engine/tests/engine/scenario.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod scenario;
#[path = "../../../engine/tests/engine/seen.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod seen;
#[path = "../hooks/support.rs"]
#[allow(dead_code, reason = "the tests of hooks use all of it")]
mod support;
#[path = "../../../engine/tests/engine/test_hooks.rs"]
#[allow(dead_code, reason = "the tests of the engine use all of it")]
mod test_hooks;
