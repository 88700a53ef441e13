//! Plugins that are Lua scripts, run by Luau.
//!
//! One state for each worker and for each thread of the plugin's own; nothing is shared between
//! them but what the host keeps. A script returns a table; its functions are the hooks.

mod answer;
mod bound;
mod client_table;
mod crypto;
mod encodings;
mod events;
mod failure;
mod host_functions;
mod json;
mod message_table;
mod sandbox;
mod script;
mod source;
mod state;
mod storage;
#[cfg(test)]
mod tests;
mod texts;

use crate::fault::Fault;
use crate::guests::{GuestPlugin, Program};
use crate::instance::{Instance, Stage};

/// Loads a script, and says what it is.
///
/// # Errors
/// What is wrong with it, with file and line.
pub(crate) fn stage(stage: Stage) -> Result<Box<dyn Instance>, Fault> {
    let source = source::Source::of(&stage)?;
    Ok(Box::new(GuestPlugin::<state::LuaState>::new(Program::new(stage, source))?))
}
