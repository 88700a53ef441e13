//! The engine as its users see it: clients that speak MQTT to it, over links in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and its helpers too"
)]
#![expect(
    clippy::wrong_self_convention,
    reason = "a scenario reads as a story: `b.client(..).is_lost()` is what happens to the client"
)]

mod client;
mod connecting;
mod draft;
mod memory_link;
mod memory_store;
mod scenario;
mod seen;
mod test_hooks;

mod acknowledgements;
mod any_schedule;
mod broker_port;
mod connect;
mod counting;
mod delivery_hooks;
mod enhanced_auth;
mod keep_alive;
mod locks;
mod logs;
mod on_behalf;
mod outbox;
mod publish;
mod publish_hooks;
mod qos2;
mod retained;
mod rights;
mod rights_hold;
mod session_expiry;
mod storing;
mod storing_any_schedule;
mod subscriptions;
mod takeover;
mod waiting;
mod wills;
