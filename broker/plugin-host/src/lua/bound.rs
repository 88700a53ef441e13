use mlua::{Error, FromLuaMulti, IntoLuaMulti, Lua, MultiValue, Result};

use super::failure::fault_of;
use crate::fault::Fault;

/// The bound on what a state takes of memory.
///
/// Under it Lua makes each text in a protected call of its own, which costs more than the text. What
/// the host makes is thus made without it, and held against it as soon as it is there; a script
/// never runs without it.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    bytes_max: usize,
}

/// The last argument of a call, and none itself: once those before it are made, the bound is there
/// again.
pub(super) struct Bounded(Bound);

impl Bound {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max }
    }

    pub(super) fn set(self, lua: &Lua) -> Result<()> {
        lua.set_memory_limit(self.bytes_max)?;
        if lua.used_memory() > self.bytes_max {
            return Err(Error::MemoryError("more than the bound".to_owned()));
        }
        Ok(())
    }

    /// What `make` makes in the state.
    ///
    /// # Errors
    /// If it was too much.
    pub(super) fn after<T>(self, lua: &Lua, make: impl FnOnce() -> T) -> Result<T> {
        lua.set_memory_limit(0)?;
        let made = make();
        self.set(lua)?;
        Ok(made)
    }

    /// Calls a function of the script with arguments that end with what `call` is given.
    ///
    /// # Errors
    /// What went wrong: with the arguments, in the script, or with what it returned.
    #[inline]
    pub(super) fn around<R: FromLuaMulti>(
        self,
        lua: &Lua,
        call: impl FnOnce(Bounded) -> Result<R>,
    ) -> std::result::Result<R, Fault> {
        let unbound = lua.set_memory_limit(0);
        let answer = unbound.and_then(|_| call(Bounded(self)));
        if answer.is_err() {
            // It may have gone wrong before the last of the arguments.
            let _ = lua.set_memory_limit(self.bytes_max);
        }
        answer.map_err(|error| fault_of(&error))
    }
}

impl IntoLuaMulti for Bounded {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        self.0.set(lua)?;
        Ok(MultiValue::new())
    }
}
