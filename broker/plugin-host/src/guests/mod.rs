//! What all plugins that are loaded at run time have in common: an instance on each thread that
//! calls it, deadlines, and instances that are made anew after a failure.

mod guest;
mod guest_plugin;
mod program;

pub(crate) use guest::Guest;
pub(crate) use guest_plugin::GuestPlugin;
pub(crate) use program::Program;
