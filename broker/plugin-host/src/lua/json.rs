use std::cell::Cell;
use std::fmt;

use mlua::{Error, Lua, LuaSerdeExt, LuaString, Result, Table, Value};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::failure::complaint;
use super::host_functions::Ground;
use super::sandbox::Call;

/// How deep lists and objects may stand in each other, in either direction.
const DEPTH_MAX: usize = 128;
/// Fields of all objects of one text together.
const FIELDS_MAX: usize = 200_000;

/// The global `json`.
pub(super) fn add(lua: &Lua, ground: &Ground) -> Result<()> {
    let module = lua.create_table()?;
    let call = ground.call.clone();
    module.raw_set(
        "decode",
        lua.create_function(move |lua, text: Option<LuaString>| match text {
            Some(text) => decode(lua, &call, &text.as_bytes()),
            None => Ok((Value::Nil, Some("no text".to_owned()))),
        })?,
    )?;
    let call = ground.call.clone();
    module.raw_set(
        "encode",
        lua.create_function(move |lua, value: Value| match encode(lua, &call, &value) {
            Ok(text) => lua.create_string(text),
            Err(Unfit::Json(what)) => complaint(lua, format!("json.encode: {what}")),
            Err(Unfit::Lua(error)) => Err(error),
        })?,
    )?;
    lua.globals().raw_set("json", module)
}

/// Why a value cannot be written as JSON.
pub(super) enum Unfit {
    Json(String),
    Lua(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self::Lua(error)
    }
}

/// A value of Lua as JSON: whole numbers without a point, fields in order. A table that has a first
/// element is a list, as is an empty one that came out of `json.decode` as a list.
///
/// # Errors
/// For functions, tables within themselves, numbers that JSON does not have, text that is not UTF-8,
/// and what goes over a bound.
pub(super) fn encode(lua: &Lua, call: &Call, value: &Value) -> std::result::Result<Vec<u8>, Unfit> {
    let mut writer = Writer { out: Vec::new(), fields: 0, lua, call };
    writer.write(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: Vec<u8>,
    fields: usize,
    lua: &'a Lua,
    call: &'a Call,
}

fn unfit<T>(what: impl Into<String>) -> std::result::Result<T, Unfit> {
    Err(Unfit::Json(what.into()))
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> std::result::Result<(), Unfit> {
        self.call.check()?;
        if self.out.len() > self.call.bytes_max() {
            return unfit("the text would be longer than the memory of the plugin");
        }
        match value {
            Value::Nil => self.out.extend(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend(b"null"),
            Value::Boolean(true) => self.out.extend(b"true"),
            Value::Boolean(false) => self.out.extend(b"false"),
            Value::Integer(number) => self.out.extend(number.to_string().bytes()),
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.text(text)?,
            Value::Table(_) if depth == DEPTH_MAX => {
                return unfit(format!("tables are nested deeper than {DEPTH_MAX}"));
            }
            Value::Table(table) if table.raw_len() > 0 || is_list(self.lua, table) => {
                self.list(table, depth + 1)?;
            }
            Value::Table(table) => self.object(table, depth + 1)?,
            other => return unfit(format!("JSON has no {}", other.type_name())),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> std::result::Result<(), Unfit> {
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() {
            return unfit(format!("JSON has no {number}"));
        }
        if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
            self.out.extend((number as i64).to_string().bytes());
            return Ok(());
        }
        self.put(&number)
    }

    fn text(&mut self, text: &LuaString) -> std::result::Result<(), Unfit> {
        match std::str::from_utf8(&text.as_bytes()) {
            Ok(text) => self.put(text),
            Err(_) => unfit("a text is not UTF-8"),
        }
    }

    fn put<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> std::result::Result<(), Unfit> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| Unfit::Json(error.to_string()))
    }

    fn list(&mut self, table: &Table, depth: usize) -> std::result::Result<(), Unfit> {
        self.out.push(b'[');
        for at in 1..=table.raw_len() {
            if at > 1 {
                self.out.push(b',');
            }
            self.write(&table.raw_get(at)?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> std::result::Result<(), Unfit> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        for pair in table.pairs::<Value, Value>() {
            let (Value::String(name), value) = pair? else {
                return unfit("a name of a field is no text, and the table is no list");
            };
            self.fields += 1;
            if self.fields > FIELDS_MAX {
                return unfit(format!("there are more than {FIELDS_MAX} fields"));
            }
            match name.to_str() {
                Ok(name) => fields.push((name.to_owned(), value)),
                Err(_) => return unfit("a name of a field is not UTF-8"),
            }
        }
        fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.out.push(b'{');
        for (at, (name, value)) in fields.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.put(name)?;
            self.out.push(b':');
            self.write(value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Whether it was made of a list of JSON.
fn is_list(lua: &Lua, table: &Table) -> bool {
    table.metatable().is_some_and(|meta| meta == lua.array_metatable())
}

/// The value that a text of JSON holds, or `nil` and why there is none. It is made on the heap of the
/// state alone, so that the plugin's own memory bounds it.
fn decode(lua: &Lua, call: &Call, text: &[u8]) -> Result<(Value, Option<String>)> {
    let failed = Cell::new(None);
    let seed = Seed { lua, call, failed: &failed };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match (failed.take(), value) {
        (Some(error), _) => Err(error),
        (None, Ok(value)) => Ok((value, None)),
        (None, Err(error)) => Ok((Value::Nil, Some(error.to_string()))),
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    lua: &'a Lua,
    call: &'a Call,
    /// What Lua refused to do, kept apart from what is wrong with the text.
    failed: &'a Cell<Option<Error>>,
}

impl Seed<'_> {
    fn done<T, E: de::Error>(&self, answer: Result<T>) -> std::result::Result<T, E> {
        answer.map_err(|error| {
            self.failed.set(Some(error));
            E::custom("Lua")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(self.done(self.lua.create_string(value))?))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let table = self.done(self.lua.create_table())?;
        self.done(table.set_metatable(Some(self.lua.array_metatable())))?;
        let mut at = 0;
        while let Some(value) = list.next_element_seed(self)? {
            at += 1;
            self.done(self.call.check())?;
            self.done(table.raw_set(at, value))?;
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let table = self.done(self.lua.create_table())?;
        while let Some(name) = map.next_key_seed(self)? {
            self.done(self.call.check())?;
            let value = map.next_value_seed(self)?;
            self.done(table.raw_set(name, value))?;
        }
        Ok(Value::Table(table))
    }
}
