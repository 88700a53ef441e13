use wasmtime::{Error, Trap, WasmBacktrace};

use super::store_data::MemoryBound;
use crate::fault::{ErrorKind, Fault};

/// What it says of a call that did not return.
pub(super) fn fault_of(error: &Error, memory: &MemoryBound) -> Fault {
    if memory.is_exceeded {
        return Fault::new(ErrorKind::Memory, "it used more memory than it may (limits.memory)");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let what = format!("it did not answer in time{}", place(error));
            Fault::new(ErrorKind::Late, what)
        }
        Some(Trap::StackOverflow) => {
            Fault::new(ErrorKind::Trap, format!("it called itself too deeply{}", place(error)))
        }
        Some(Trap::UnreachableCodeReached) => {
            let what = format!("it trapped: it panicked, or aborted{}", place(error));
            Fault::new(ErrorKind::Trap, what)
        }
        Some(trap) => Fault::new(ErrorKind::Trap, format!("it trapped: {trap}{}", place(error))),
        // Where the code of the component was on the stack, it is a host function that refused.
        None if error.is::<WasmBacktrace>() => {
            Fault::new(ErrorKind::Trap, shortened(&error.root_cause().to_string()))
        }
        None => {
            let what = shortened(&error.root_cause().to_string());
            Fault::invalid(format!("its answer can not be read: {what}"))
        }
    }
}

/// The innermost function whose name is known.
fn place(error: &Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    match frames.iter().find_map(|frame| frame.func_name()) {
        Some(name) => format!(", in {}", shortened(name)),
        None => String::new(),
    }
}

/// What a person wants to read of it.
pub(super) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 400;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}
