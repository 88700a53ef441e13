//! One client's conversation as its users see it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and its helpers too"
)]

mod acknowledgements;
mod any_schedule;
mod authentication;
mod conversation;
mod delivery;
mod endings;
mod expiry;
mod hooked_queue;
mod inbound;
mod keep_alive;
mod left_behind;
mod model_client;
mod packet_ids;
mod queue_bounds;
mod quota;
mod resending;
mod samples;
mod sizes;
