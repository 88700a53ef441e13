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
mod broker_port;
mod connect;
mod delivery_hooks;
mod publish;
mod publish_hooks;
mod qos2;
mod retained;
mod rights;
mod session_expiry;
mod subscriptions;
mod takeover;
mod wills;
