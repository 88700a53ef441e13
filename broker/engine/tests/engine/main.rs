//! The engine as its users see it: clients that speak MQTT to it, over links in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and its helpers too"
)]

mod client;
mod connecting;
mod draft;
mod memory_link;
mod scenario;
mod seen;
mod test_hooks;

mod acknowledgements;
mod connect;
mod publish;
mod qos2;
mod retained;
mod session_expiry;
mod takeover;
mod wills;
