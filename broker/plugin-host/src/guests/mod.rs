//! What all plugins that are loaded at run time have in common: an instance on each thread that
//! calls it, deadlines, and instances that are made anew after a failure.

mod bounds;
mod guest;
mod guest_plugin;
mod program;

#[cfg(feature = "wasm")]
pub(crate) use bounds::COMPILED_BYTES_MAX;
pub(crate) use bounds::{EXCHANGES_MAX, FILTER_BYTES_MAX, RANDOM_BYTES_MAX, RULES_MAX};
pub(crate) use guest::Guest;
pub(crate) use guest_plugin::GuestPlugin;
pub(crate) use program::Program;
