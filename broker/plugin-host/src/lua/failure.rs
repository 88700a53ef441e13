use mlua::{Error, Lua, Result};

use crate::fault::{ErrorKind, Fault};

/// A host function's complaint, with the place in the script that called it.
pub(super) fn complaint<T>(lua: &Lua, what: impl AsRef<str>) -> Result<T> {
    Err(Error::RuntimeError(format!("{}{}", place(lua, 1), what.as_ref())))
}

/// File and line of the function so many calls up, as the beginning of a message; empty if it is
/// none of a script.
pub(super) fn place(lua: &Lua, level: usize) -> String {
    let at = lua.inspect_stack(level, |frame| {
        let source = frame.source().short_src.map(|name| name.into_owned());
        Some(format!("{}:{}: ", source?, frame.current_line()?))
    });
    at.flatten().unwrap_or_default()
}

/// The fault that an error of Lua comes to.
pub(super) fn fault_of(error: &Error) -> Fault {
    match error {
        Error::CallbackError { cause, .. } => fault_of(cause),
        Error::WithContext { cause, .. } => fault_of(cause),
        Error::MemoryError(_) => Fault::new(ErrorKind::Memory, "it used more memory than it may"),
        Error::SyntaxError { message, .. } => Fault::new(ErrorKind::Trap, first_lines(message)),
        Error::RuntimeError(message) if message.ends_with("not enough memory") => {
            Fault::new(ErrorKind::Memory, "it used more memory than it may")
        }
        Error::RuntimeError(message) => Fault::new(ErrorKind::Trap, first_lines(message)),
        other => Fault::new(ErrorKind::Trap, first_lines(&other.to_string())),
    }
}

/// What a person wants to read of an error: not the whole stack, nor a book.
fn first_lines(message: &str) -> String {
    const CHARS_MAX: usize = 400;
    let message = message.split("\nstack traceback").next().unwrap_or(message);
    match message.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", message.get(..at).unwrap_or(message)),
        None => message.to_owned(),
    }
}
