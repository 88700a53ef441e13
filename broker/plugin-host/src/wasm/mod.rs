//! Plugins that are WebAssembly components.
//!
//! The contract is the WIT package in `plugin-api/wit`. A component is compiled once, and has an
//! instance for each worker and for each thread of the plugin's own. What a hook is about stays in
//! the host (`subject.rs`); the component asks for what it wants to know, and remembers what it was told of
//! clients (`client_numbers.rs`). A hook returns a word; what goes with it was said before (`answer.rs`).

mod about;
mod answer;
mod bindings;
mod client_numbers;
mod code;
mod compiled;
mod convert;
mod failure;
mod from_guest;
mod imports;
mod instance;
mod private_folder;
mod runtime;
mod store_data;
mod subject;
mod sums;

use crate::fault::Fault;
use crate::guests::{GuestPlugin, Program};
use crate::instance::{Instance, Stage};
use crate::wasm::code::ComponentCode;
use crate::wasm::instance::WasmGuest;

/// Loads a component, and says what it is.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn stage(stage: Stage) -> Result<Box<dyn Instance>, Fault> {
    let runtime = runtime::runtime(stage.data_dir.as_deref())?;
    let code = ComponentCode::compile(runtime, &stage)?;
    Ok(Box::new(GuestPlugin::<WasmGuest>::new(Program::new(stage, code))?))
}
