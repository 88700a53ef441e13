use mlua::{Lua, LuaString, Result, Table, Value};
use pintle_plugin_api::{Message, MessagePatch, NewMessage, Origin, QoS, Subscription};

use super::failure::complaint;

/// The fields of a message beside topic and payload.
pub(super) fn message_table(
    lua: &Lua,
    message: &Message<'_>,
    origin: Option<Origin>,
) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("qos", qos_number(message.qos))?;
    table.raw_set("retain", message.retain)?;
    table.raw_set("size", message.payload.len())?;
    table.raw_set("utf8", message.payload_is_utf8)?;
    if let Some(origin) = origin {
        table.raw_set("origin", origin_name(origin))?;
    }
    if let Some(secs) = message.expiry_secs {
        table.raw_set("expiry", secs)?;
    }
    if let Some(text) = message.content_type {
        table.raw_set("content_type", text)?;
    }
    if let Some(text) = message.response_topic {
        table.raw_set("response_topic", text)?;
    }
    if let Some(data) = message.correlation_data {
        table.raw_set("correlation_data", lua.create_string(data)?)?;
    }
    let properties = lua.create_table_with_capacity(message.user_properties.len(), 0)?;
    for (name, value) in message.user_properties {
        let pair = lua.create_sequence_from([*name, *value])?;
        properties.raw_push(pair)?;
    }
    table.raw_set("user_properties", properties)?;
    Ok(table)
}

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "client",
        Origin::Will => "will",
        Origin::Plugin => "plugin",
        Origin::Admin => "admin",
    }
}

/// A subscription as the script sees it.
pub(super) fn subscription_table(lua: &Lua, subscription: &Subscription) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 6)?;
    table.raw_set("filter", subscription.filter.as_str())?;
    table.raw_set("share_name", subscription.share_name.as_deref())?;
    table.raw_set("qos", qos_number(subscription.qos))?;
    table.raw_set("no_local", subscription.no_local)?;
    table.raw_set("retain_as_published", subscription.retain_as_published)?;
    table.raw_set("retain_handling", subscription.retain_handling)?;
    Ok(table)
}

/// `subscription` with what `table` changes.
pub(super) fn changed_subscription(
    lua: &Lua,
    subscription: &Subscription,
    table: &Table,
) -> Result<Subscription> {
    let old = subscription.clone();
    let share_name: Option<String> = table.raw_get("share_name")?;
    Ok(Subscription {
        filter: table.raw_get::<Option<String>>("filter")?.unwrap_or(old.filter),
        share_name: share_name.or(old.share_name),
        qos: read_qos(lua, table)?.unwrap_or(old.qos),
        no_local: table.raw_get::<Option<bool>>("no_local")?.unwrap_or(old.no_local),
        retain_as_published: table
            .raw_get::<Option<bool>>("retain_as_published")?
            .unwrap_or(old.retain_as_published),
        retain_handling: table
            .raw_get::<Option<u8>>("retain_handling")?
            .unwrap_or(old.retain_handling),
    })
}

pub(super) const fn qos_number(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

pub(super) fn read_qos(lua: &Lua, table: &Table) -> Result<Option<QoS>> {
    Ok(match table.raw_get::<Option<u8>>("qos")? {
        None => None,
        Some(0) => Some(QoS::AtMostOnce),
        Some(1) => Some(QoS::AtLeastOnce),
        Some(2) => Some(QoS::ExactlyOnce),
        Some(other) => return complaint(lua, format!("qos is {other}: it should be 0, 1 or 2")),
    })
}

fn bytes(table: &Table, key: &str) -> Result<Option<Vec<u8>>> {
    Ok(table.raw_get::<Option<LuaString>>(key)?.map(|text| text.as_bytes().to_vec()))
}

/// `false` removes a field, `nil` leaves it.
fn change<T: mlua::FromLua>(table: &Table, key: &str) -> Result<Option<Option<T>>> {
    Ok(match table.raw_get::<Value>(key)? {
        Value::Nil => None,
        Value::Boolean(false) => Some(None),
        _ => Some(Some(table.raw_get(key)?)),
    })
}

pub(super) fn user_properties(lua: &Lua, table: &Table) -> Result<Option<Vec<(String, String)>>> {
    let list: Option<Table> = table.raw_get("user_properties")?;
    list.map(|list| text_pairs(lua, "user_properties", &list)).transpose()
}

/// Names and values, either as `{ name = "value" }` or in order as `{ { "name", "value" } }`. All
/// together have 64 KiB at most: a table can hold the same text many times.
pub(super) fn text_pairs(lua: &Lua, what: &str, list: &Table) -> Result<Vec<(String, String)>> {
    const BYTES_MAX: usize = 64 << 10;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    for entry in list.pairs::<Value, Value>() {
        let (name, value): (LuaString, LuaString) = match entry? {
            (Value::String(name), Value::String(value)) => (name, value),
            (_, Value::Table(pair)) => (pair.raw_get(1)?, pair.raw_get(2)?),
            _ => {
                let say = "should be { name = \"value\" } or { { \"name\", \"value\" } }";
                return complaint(lua, format!("{what} {say}"));
            }
        };
        bytes += name.as_bytes().len() + value.as_bytes().len() + 1;
        if bytes > BYTES_MAX {
            return complaint(lua, format!("{what} are longer than {BYTES_MAX} bytes together"));
        }
        pairs.push((name.to_str()?.to_owned(), value.to_str()?.to_owned()));
    }
    Ok(pairs)
}

/// What `broker.rewrite { … }` changes.
pub(super) fn read_patch(lua: &Lua, table: &Table) -> Result<MessagePatch> {
    let correlation_data = match table.raw_get::<Value>("correlation_data")? {
        Value::Nil => None,
        Value::Boolean(false) => Some(None),
        _ => Some(bytes(table, "correlation_data")?),
    };
    Ok(MessagePatch {
        topic: table.raw_get("topic")?,
        payload: bytes(table, "payload")?,
        qos: read_qos(lua, table)?,
        retain: table.raw_get("retain")?,
        expiry_secs: change(table, "expiry")?,
        content_type: change(table, "content_type")?,
        response_topic: change(table, "response_topic")?,
        correlation_data,
        user_properties: user_properties(lua, table)?,
    })
}

/// A whole message, as `broker.publish { … }` takes it.
pub(super) fn read_message(lua: &Lua, table: &Table) -> Result<NewMessage> {
    let Some(topic) = table.raw_get::<Option<String>>("topic")? else {
        return complaint(
            lua,
            "a message needs a topic, as in { topic = \"a/b\", payload = \"…\" }",
        );
    };
    Ok(NewMessage {
        topic,
        payload: bytes(table, "payload")?.unwrap_or_default(),
        qos: read_qos(lua, table)?.unwrap_or_default(),
        retain: table.raw_get::<Option<bool>>("retain")?.unwrap_or_default(),
        expiry_secs: table.raw_get("expiry")?,
        content_type: table.raw_get("content_type")?,
        response_topic: table.raw_get("response_topic")?,
        correlation_data: bytes(table, "correlation_data")?,
        user_properties: user_properties(lua, table)?.unwrap_or_default(),
    })
}
