use mlua::{FromLua, Lua, LuaString, Table, Value};
use pintle_plugin_api::{Space, StoreEntry, StoreError, StoreOp};

use super::failure::fault_of;
use super::script::HookFunction;
use super::state::LuaState;
use crate::fault::Fault;
use crate::instance::StoreAnswer;

/// A call of a script that is a store.
pub(super) enum StoreCall<'a> {
    Open,
    Apply(&'a [StoreOp]),
    Flush,
    Close,
}

/// What a script is asked to find.
pub(super) struct ScanCall<'a> {
    pub(super) space: Space,
    pub(super) prefix: &'a [u8],
    pub(super) after: Option<&'a [u8]>,
    pub(super) limit: usize,
}

impl LuaState {
    /// What the script has no function for is done.
    pub(super) fn store(&self, call: &StoreCall<'_>) -> Result<StoreAnswer, Fault> {
        let hooks = &self.hooks;
        let hook = match call {
            StoreCall::Open => &hooks.store_open,
            StoreCall::Apply(_) => &hooks.store_apply,
            StoreCall::Flush => &hooks.store_flush,
            StoreCall::Close => &hooks.store_close,
        };
        let Some(hook) = hook else { return Ok(Ok(())) };
        let args = match call {
            StoreCall::Apply(ops) => Some(checked(ops_table(self.lua(), ops))?),
            StoreCall::Open | StoreCall::Flush | StoreCall::Close => None,
        };
        let (value, complaint) = called(hook, args)?;
        match (value, complaint) {
            (Value::Nil | Value::Boolean(false), Some(why)) => Ok(Err(error_named(why))),
            (Value::Nil | Value::Boolean(true), None) => Ok(Ok(())),
            (Value::Boolean(false), None) => {
                Ok(Err(StoreError::Unavailable("the script says no".to_owned())))
            }
            (other, _) => Err(Fault::invalid(format!(
                "a function of a store returned a {}: it should return nothing, or nil and why",
                other.type_name()
            ))),
        }
    }

    pub(super) fn scan(&self, scan: &ScanCall<'_>) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        let Some(hook) = &self.hooks.store_scan else {
            return Err(Fault::invalid("the script has no store_scan"));
        };
        let lua = self.lua();
        let text = |bytes: &[u8]| checked(lua.create_string(bytes));
        let after = scan.after.map(text).transpose()?;
        let args = (scan.space.name(), text(scan.prefix)?, after, scan.limit);
        let (value, complaint) = called(hook, args)?;
        match (value, complaint) {
            (Value::Table(list), _) => entries(lua, &list).map(Ok),
            (Value::Nil, Some(why)) => Ok(Err(error_named(why))),
            (other, _) => Err(Fault::invalid(format!(
                "store_scan returned a {}: it should return a list of {{ key = …, value = … }}, or \
                 nil and why",
                other.type_name()
            ))),
        }
    }

    pub(super) fn told(&self, commit: u64, ops: &[StoreOp], lost: u64) -> Result<(), Fault> {
        let Some(hook) = &self.hooks.on_commit else {
            return Err(Fault::invalid("the script has no on_commit"));
        };
        let ops = checked(ops_table(self.lua(), ops))?;
        checked(hook.function.call((ops, commit as f64, lost as f64)))
    }
}

fn checked<T>(answer: mlua::Result<T>) -> Result<T, Fault> {
    answer.map_err(|error| fault_of(&error))
}

fn called(
    hook: &HookFunction,
    args: impl mlua::IntoLuaMulti,
) -> Result<(Value, Option<String>), Fault> {
    checked(hook.function.call(args))
}

/// `busy` and `full` are words; everything else is said to people.
fn error_named(why: String) -> StoreError {
    match why.as_str() {
        "busy" => StoreError::Busy,
        "full" => StoreError::Full,
        _ => StoreError::Unavailable(why),
    }
}

fn ops_table(lua: &Lua, ops: &[StoreOp]) -> mlua::Result<Table> {
    let list = lua.create_table_with_capacity(ops.len(), 0)?;
    for op in ops {
        let table = lua.create_table_with_capacity(0, 5)?;
        match op {
            StoreOp::Put { space, key, value, expires_at_ms } => {
                table.raw_set("op", "put")?;
                table.raw_set("space", space.name())?;
                table.raw_set("key", lua.create_string(key)?)?;
                table.raw_set("value", lua.create_string(value)?)?;
                table.raw_set("expires_at_ms", expires_at_ms.map(|at| at as f64))?;
            }
            StoreOp::Delete { space, key } => {
                table.raw_set("op", "delete")?;
                table.raw_set("space", space.name())?;
                table.raw_set("key", lua.create_string(key)?)?;
            }
        }
        list.raw_push(table)?;
    }
    Ok(list)
}

fn entries(lua: &Lua, list: &Table) -> Result<Vec<StoreEntry>, Fault> {
    let text = |entry: &Table, key: &str| {
        let value: Value = checked(entry.raw_get(key))?;
        let text = LuaString::from_lua(value, lua).map_err(|_| {
            Fault::invalid(format!("store_scan: an entry has no text as its {key}"))
        })?;
        Ok::<_, Fault>(text.as_bytes().to_vec())
    };
    let mut found = Vec::with_capacity(list.raw_len());
    for entry in list.sequence_values::<Table>() {
        let entry = checked(entry)?;
        found.push(StoreEntry { key: text(&entry, "key")?, value: text(&entry, "value")? });
    }
    Ok(found)
}
