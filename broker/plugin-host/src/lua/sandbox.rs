use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Error, Function, Lua, LuaOptions, Result, StdLib, Value, VmState};
use pintle_plugin_api::NewMessage;

use super::failure::{complaint, place};
use crate::fault::{ErrorKind, Fault};
use crate::ticker::ticks;

/// What bounds the call under way, and what it has asked for so far.
pub(super) struct Call {
    /// The tick at which it is late; `u64::MAX` while nothing is called.
    deadline: Cell<u64>,
    is_late: Cell<bool>,
    /// Where in the script it was first seen to be late.
    late_at: RefCell<Option<String>>,
    host_calls_left: Cell<u32>,
    /// Bytes of messages that may still be handed to the host.
    message_bytes_left: Cell<usize>,
    bytes_max: usize,
    /// Whether `broker.emit` makes sense.
    pub(super) may_emit: Cell<bool>,
    pub(super) emits: RefCell<Vec<NewMessage>>,
}

/// Globals that lead out of the sandbox, or into its walls.
const REMOVED: [&str; 15] = [
    "load",
    "loadstring",
    "dofile",
    "loadfile",
    "require",
    "collectgarbage",
    "print",
    "newproxy",
    "getfenv",
    "setfenv",
    "debug",
    "io",
    "package",
    "module",
    "gcinfo",
];

impl Call {
    /// What one call makes off the heap of the state is at most `bytes_max` long: a text of JSON, and
    /// all messages together.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            deadline: Cell::new(u64::MAX),
            is_late: Cell::new(false),
            late_at: RefCell::default(),
            host_calls_left: Cell::new(0),
            message_bytes_left: Cell::new(0),
            bytes_max,
            may_emit: Cell::new(false),
            emits: RefCell::default(),
        }
    }

    pub(super) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// A call begins that has until `deadline`.
    pub(super) fn begin(&self, deadline: u64, host_calls_max: u32) {
        self.deadline.set(deadline);
        self.is_late.set(false);
        self.host_calls_left.set(host_calls_max);
        self.message_bytes_left.set(self.bytes_max);
        self.may_emit.set(false);
    }

    /// It is over; whether it was late.
    pub(super) fn end(&self) -> bool {
        self.deadline.set(u64::MAX);
        self.is_late.get()
    }

    /// What there is to say of a call that was late.
    #[cold]
    pub(super) fn late(&self) -> Fault {
        let at = self.late_at.take().unwrap_or_default();
        Fault::new(ErrorKind::Late, format!("{at}it did not answer in time"))
    }

    /// Counts a call of a host function.
    ///
    /// # Errors
    /// If there were too many.
    pub(super) fn count(&self, lua: &Lua) -> Result<()> {
        match self.host_calls_left.get().checked_sub(1) {
            Some(left) => {
                self.host_calls_left.set(left);
                Ok(())
            }
            None => complaint(lua, "too many calls of host functions in one hook (host_calls_max)"),
        }
    }

    /// Counts a message that the host is handed.
    ///
    /// # Errors
    /// If all of this call together are too long.
    pub(super) fn count_message(&self, lua: &Lua, message: &NewMessage) -> Result<()> {
        match self.message_bytes_left.get().checked_sub(message.payload.len()) {
            Some(left) => {
                self.message_bytes_left.set(left);
                Ok(())
            }
            None => complaint(lua, "the messages of one hook are longer than limits.memory"),
        }
    }

    /// Whether there is time left.
    ///
    /// # Errors
    /// If there is none: the call ends.
    pub(super) fn check(&self) -> Result<VmState> {
        if ticks() >= self.deadline.get() {
            self.is_late.set(true);
            return Err(Error::RuntimeError("it did not answer in time".to_owned()));
        }
        Ok(VmState::Continue)
    }

    /// The same, while the script itself runs.
    fn check_script(&self, lua: &Lua) -> Result<VmState> {
        let checked = self.check();
        if checked.is_err() {
            self.late_at.borrow_mut().get_or_insert_with(|| place(lua, 0));
        }
        checked
    }
}

/// What a state takes before it is cleared of what is not used any more, in percent of what is. Lua's
/// own 200 lets the texts of messages gone by spread over more of the processor's cache than pays.
const HEAP_PERCENT: i32 = 150;

/// A state with a bound on memory and time, and without what leads out of it. `furnish` adds
/// globals before they become read-only.
///
/// # Errors
/// If the state cannot be made.
pub(super) fn sandbox(
    call: &Rc<Call>,
    memory_bytes_max: usize,
    furnish: impl FnOnce(&Lua) -> Result<()>,
) -> Result<Lua> {
    let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
    lua.set_memory_limit(memory_bytes_max)?;
    let globals = lua.globals();
    for name in REMOVED {
        globals.raw_set(name, Value::Nil)?;
    }
    furnish(&lua)?;
    let watched = Rc::clone(call);
    lua.set_interrupt(move |lua| watched.check_script(lua));
    lua.sandbox(true)?;
    let collector = GcIncParams::default().goal(HEAP_PERCENT);
    lua.gc_set_mode(GcMode::Incremental(collector));
    Ok(lua)
}

/// The function that runs `source`. Bytecode is refused: the interpreter trusts it.
///
/// # Errors
/// What is wrong with the source, with `name` and line.
pub(super) fn compile(lua: &Lua, name: &str, source: &[u8]) -> Result<Function> {
    lua.load(source).set_name(format!("={name}")).set_mode(ChunkMode::Text).into_function()
}
