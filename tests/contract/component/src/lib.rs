//! The probe that is linked into the tests, as a component.

#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "it fails when asked to")]

#[path = "../../probe.rs"]
mod probe;

pintle_plugin_api::export!(probe::Probe, interfaces: [
    auth, enhanced_auth, acl, publish, subscribe, deliver, events, timers, control, state,
]);
