//! The router as its users see it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod against_naive;
mod cost;
mod generations;
mod retained;
mod routing;
mod shared_groups;
mod shorthand;
mod strategies;
