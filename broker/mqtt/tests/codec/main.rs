//! The codec from outside: what is read, what is refused, and that what is written reads the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod any_packet;
mod budget;
mod headers;
mod packets;
mod properties;
mod property_table;
mod publications;
mod reason_codes;
mod refusals;
mod round_trip;
mod sample_packets;
mod strings;
mod time;
mod topics;
