use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaSerdeExt, LuaString, Result, Table, Value};

/// `base64` and `hex`.
pub(super) fn add(lua: &Lua) -> Result<()> {
    let globals = lua.globals();
    globals.raw_set("base64", base64_module(lua)?)?;
    globals.raw_set("hex", hex(lua)?)
}

/// A value of JSON as Lua has it; `null` is `nil`.
pub(super) fn to_lua(lua: &Lua, value: &serde_json::Value) -> Result<Value> {
    let options = SerializeOptions::new()
        .serialize_none_to_null(false)
        .serialize_unit_to_null(false)
        .set_array_metatable(true);
    lua.to_value_with(value, options)
}

fn base64_module(lua: &Lua) -> Result<Table> {
    let module = lua.create_table()?;
    module.raw_set(
        "encode",
        lua.create_function(|_, (bytes, url): (LuaString, Option<bool>)| {
            let engine = if url == Some(true) { &URL_SAFE_NO_PAD } else { &STANDARD };
            Ok(engine.encode(&*bytes.as_bytes()))
        })?,
    )?;
    module.raw_set(
        "decode",
        lua.create_function(|lua, text: LuaString| {
            let text = text.as_bytes();
            let is_url = text.iter().any(|byte| matches!(byte, b'-' | b'_'))
                || !text.len().is_multiple_of(4);
            let engine = if is_url { &URL_SAFE_NO_PAD } else { &STANDARD };
            decoded(lua, engine.decode(&*text).map_err(|error| error.to_string()))
        })?,
    )?;
    Ok(module)
}

fn hex(lua: &Lua) -> Result<Table> {
    let module = lua.create_table()?;
    module.raw_set(
        "encode",
        lua.create_function(|_, bytes: LuaString| {
            let digits = b"0123456789abcdef";
            let digit = |value: u8| digits.get(usize::from(value)).copied().map_or('0', char::from);
            let bytes = bytes.as_bytes();
            let pairs = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
            Ok(pairs.collect::<String>())
        })?,
    )?;
    module.raw_set(
        "decode",
        lua.create_function(|lua, text: LuaString| decoded(lua, unhex(&text.as_bytes())))?,
    )?;
    Ok(module)
}

fn unhex(text: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = pairs.map(|byte| u8::try_from(byte?).ok()).collect();
    bytes.ok_or_else(|| "not pairs of hexadecimal digits".to_owned())
}

/// Bytes, or `nil` and why there are none.
fn decoded(
    lua: &Lua,
    bytes: std::result::Result<Vec<u8>, String>,
) -> Result<(Option<LuaString>, Option<String>)> {
    match bytes {
        Ok(bytes) => Ok((Some(lua.create_string(bytes)?), None)),
        Err(why) => Ok((None, Some(why))),
    }
}
