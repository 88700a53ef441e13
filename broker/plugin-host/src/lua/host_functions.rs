use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Error, FromLuaMulti, IntoLuaMulti, Lua, LuaString, Result, Table, Value};
use pintle_mqtt::{TopicFilter, TopicName};
use pintle_plugin_api::{
    Disconnect, Host, HostError, HttpRequest, LogLevel, Metric, NewMessage, Settings, Subscription,
};

use super::encodings::to_lua;
use super::failure::complaint;
use super::message_table::{changed_subscription, read_message, text_pairs};
use super::sandbox::Call;
use crate::guests::RANDOM_BYTES_MAX;
use crate::log_rate::{LEFT_OUT, LogRate};
use crate::ticker::ticks;
use crate::topic_set::TopicSet;

/// What the functions of `broker` stand on.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) host: Arc<dyn Host>,
    pub(super) call: Rc<Call>,
    pub(super) log_line_bytes_max: usize,
    pub(super) log_rate: Arc<LogRate>,
}

impl Ground {
    fn message(&self, lua: &Lua, table: &Table) -> Result<NewMessage> {
        let message = read_message(lua, table)?;
        self.call.count_message(lua, &message)?;
        Ok(message)
    }
}

/// The global `broker`.
pub(super) fn add(lua: &Lua, ground: &Ground, settings: &Settings) -> Result<()> {
    let broker = lua.create_table()?;
    broker.raw_set("config", frozen(to_lua(lua, &settings.config)?, lua)?)?;
    broker.raw_set("files", files(lua, settings)?)?;
    add_verdicts(lua, &broker)?;
    add_messages(lua, ground, &broker)?;
    add_clients(lua, ground, &broker)?;
    add_timers(lua, ground, &broker)?;
    add_http(lua, ground, &broker)?;
    for (name, module) in [
        ("log", log(lua, ground)?),
        ("kv", kv(lua, ground)?),
        ("attr", attributes(lua, ground)?),
        ("metric", metric(lua, ground)?),
        ("time", time(lua, ground)?),
    ] {
        module.set_readonly(true);
        broker.raw_set(name, module)?;
    }
    lua.globals().raw_set("broker", broker)
}

/// `config` is a table also where there is none, and cannot be written to.
fn frozen(config: Value, lua: &Lua) -> Result<Table> {
    let table = match config {
        Value::Table(table) => table,
        _ => lua.create_table()?,
    };
    freeze(&table)?;
    Ok(table)
}

fn freeze(table: &Table) -> Result<()> {
    table.for_each(|_: Value, inner: Value| match inner {
        Value::Table(inner) => freeze(&inner),
        _ => Ok(()),
    })?;
    table.set_readonly(true);
    Ok(())
}

fn files(lua: &Lua, settings: &Settings) -> Result<Table> {
    let files = lua.create_table()?;
    for (key, file) in &settings.files {
        files.raw_set(key.as_str(), lua.create_string(&file.bytes)?)?;
    }
    files.set_readonly(true);
    Ok(files)
}

/// Adds a function that counts against the bound on host calls, and whose errors say where in the
/// script it was called.
fn add_function<A, R>(
    lua: &Lua,
    ground: &Ground,
    module: &Table,
    name: &'static str,
    function: impl Fn(&Lua, &Ground, A) -> Result<R> + 'static,
) -> Result<()>
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    let ground = ground.clone();
    let function = lua.create_function(move |lua, args: A| {
        ground.call.count(lua)?;
        function(lua, &ground, args)
    })?;
    module.raw_set(name, function)
}

/// What a host function answered, or an error in the script.
fn done<T>(lua: &Lua, answer: std::result::Result<T, HostError>) -> Result<T> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => complaint(lua, error.to_string()),
    }
}

fn seconds(lua: &Lua, seconds: f64) -> Result<Duration> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => Ok(duration),
        Err(_) => complaint(lua, format!("{seconds} is no number of seconds")),
    }
}

fn ttl(lua: &Lua, secs: Option<f64>) -> Result<Option<Duration>> {
    secs.map(|secs| seconds(lua, secs)).transpose()
}

/// What hooks may return; plain tables, so that a script can also write them itself.
fn add_verdicts(lua: &Lua, broker: &Table) -> Result<()> {
    let drop = lua.create_table()?;
    drop.raw_set("verdict", "drop")?;
    drop.set_readonly(true);
    broker.raw_set("drop", lua.create_function(move |_, ()| Ok(drop.clone()))?)?;
    let refusing = |verdict: &'static str, default: Option<u8>| {
        lua.create_function(move |lua, (code, reason): (Option<u8>, Option<String>)| {
            let table = lua.create_table_with_capacity(0, 3)?;
            table.raw_set("verdict", verdict)?;
            table.raw_set("code", code.or(default))?;
            table.raw_set("reason", reason)?;
            Ok(table)
        })
    };
    broker.raw_set("reject", refusing("reject", Some(0x87))?)?;
    broker.raw_set("close", refusing("disconnect", Some(0x98))?)?;
    broker.raw_set(
        "rewrite",
        lua.create_function(|_, changes: Table| {
            changes.raw_set("verdict", "rewrite")?;
            Ok(changes)
        })?,
    )?;
    broker.raw_set(
        "challenge",
        lua.create_function(|lua, data: LuaString| {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("verdict", "challenge")?;
            table.raw_set("data", data)?;
            Ok(table)
        })?,
    )
}

fn add_messages(lua: &Lua, ground: &Ground, broker: &Table) -> Result<()> {
    add_function(lua, ground, broker, "publish", |lua, ground, message: Table| {
        done(lua, ground.host.publish(ground.message(lua, &message)?))
    })?;
    add_function(lua, ground, broker, "publish_to", |lua, ground, args: (String, Table)| {
        let (client, message) = args;
        done(lua, ground.host.publish_to(&client, ground.message(lua, &message)?))
    })?;
    add_function(lua, ground, broker, "emit", |lua, ground, message: Table| {
        if !ground.call.may_emit.get() {
            return complaint(
                lua,
                "broker.emit works in on_publish only; elsewhere: broker.publish",
            );
        }
        let message = ground.message(lua, &message)?;
        ground.call.emits.borrow_mut().push(message);
        Ok(())
    })?;
    add_function(lua, ground, broker, "retained", |lua, ground, topic: String| {
        let payload = done(lua, ground.host.retained(&topic))?;
        payload.map(|payload| lua.create_string(payload)).transpose()
    })?;
    add_function(lua, ground, broker, "topic_matches", |lua, _, args: (String, String)| {
        let (filter, topic) = args;
        if let Err(violation) = TopicFilter::new(&filter) {
            return complaint(lua, format!("{filter}: {}", violation.what));
        }
        let Ok(topic) = TopicName::new(&topic) else {
            return Ok(false);
        };
        Ok(TopicSet::new(&[filter]).is_ok_and(|set| set.matches(topic)))
    })
}

fn add_clients(lua: &Lua, ground: &Ground, broker: &Table) -> Result<()> {
    add_function(lua, ground, broker, "disconnect", |lua, ground, args: (Table, Option<u8>)| {
        let (whom, code) = args;
        let client: Option<String> = whom.raw_get("client")?;
        let principal: Option<String> = whom.raw_get("principal")?;
        let whom = match (client, principal) {
            (Some(client), None) => Disconnect::Client(client),
            (None, Some(principal)) => Disconnect::Principal(principal),
            _ => return complaint(lua, "say { client = \"id\" } or { principal = \"name\" }"),
        };
        done(lua, ground.host.disconnect(whom, code.unwrap_or(0x98)))
    })?;
    add_function(lua, ground, broker, "subscribe_for", |lua, ground, args: (String, Table)| {
        let (client, table) = args;
        let blank = Subscription {
            filter: String::new(),
            share_name: None,
            qos: pintle_plugin_api::QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        };
        let subscription = changed_subscription(lua, &blank, &table)?;
        done(lua, ground.host.subscribe_for(&client, subscription))
    })?;
    add_function(lua, ground, broker, "unsubscribe_for", |lua, ground, args: (String, String)| {
        done(lua, ground.host.unsubscribe_for(&args.0, &args.1))
    })?;
    add_function(lua, ground, broker, "invalidate", |_, ground, ()| {
        ground.host.invalidate();
        Ok(())
    })?;
    add_function(lua, ground, broker, "secret", |lua, ground, name: String| {
        lua.create_string(done(lua, ground.host.secret(&name))?)
    })?;
    add_function(lua, ground, broker, "stats", |lua, ground, ()| {
        let stats = done(lua, ground.host.stats())?;
        lua.create_table_from(stats.into_iter().map(|(name, value)| (name, value as f64)))
    })?;
    add_function(lua, ground, broker, "random", |lua, ground, length: usize| {
        if length > RANDOM_BYTES_MAX {
            return complaint(lua, format!("at most {RANDOM_BYTES_MAX} random bytes at once"));
        }
        let mut bytes = vec![0; length];
        done(lua, ground.host.random(&mut bytes))?;
        lua.create_string(bytes)
    })
}

fn add_timers(lua: &Lua, ground: &Ground, broker: &Table) -> Result<()> {
    add_function(lua, ground, broker, "after", |lua, ground, (secs, name): (f64, String)| {
        done(lua, ground.host.set_timer(&name, seconds(lua, secs)?, None))
    })?;
    add_function(lua, ground, broker, "every", |lua, ground, (secs, name): (f64, String)| {
        let every = seconds(lua, secs)?;
        done(lua, ground.host.set_timer(&name, every, Some(every)))
    })?;
    add_function(lua, ground, broker, "cancel", |_, ground, name: String| {
        Ok(ground.host.cancel_timer(&name))
    })
}

fn add_http(lua: &Lua, ground: &Ground, broker: &Table) -> Result<()> {
    add_function(lua, ground, broker, "http", |lua, ground, request: Table| {
        let Some(url) = request.raw_get::<Option<String>>("url")? else {
            return complaint(lua, "broker.http needs a url");
        };
        let body: Option<LuaString> = request.raw_get("body")?;
        let headers: Option<Table> = request.raw_get("headers")?;
        let headers = headers.map(|table| text_pairs(lua, "headers", &table));
        let request = HttpRequest {
            method: request
                .raw_get::<Option<String>>("method")?
                .unwrap_or_else(|| "GET".to_owned()),
            url,
            headers: headers.transpose()?.unwrap_or_default(),
            body: body.map(|body| body.as_bytes().to_vec()).unwrap_or_default(),
            timeout: ttl(lua, request.raw_get("timeout")?)?,
        };
        match ground.host.http(&request) {
            Ok(response) => {
                let table = lua.create_table()?;
                table.raw_set("status", response.status)?;
                table.raw_set("headers", lua.create_table_from(response.headers)?)?;
                table.raw_set("body", lua.create_string(response.body)?)?;
                Ok((Some(table), None))
            }
            Err(error) => Ok((None, Some(error.to_string()))),
        }
    })
}

fn log(lua: &Lua, ground: &Ground) -> Result<Table> {
    let module = lua.create_table()?;
    for (name, level) in [
        ("trace", LogLevel::Trace),
        ("debug", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("warn", LogLevel::Warn),
        ("error", LogLevel::Error),
    ] {
        add_function(lua, ground, &module, name, move |_, ground, text: LuaString| {
            let Some(left_out) = ground.log_rate.admit(ticks()) else {
                return Ok(());
            };
            if left_out > 0 {
                let what = format!("{left_out} {LEFT_OUT}");
                ground.host.log(LogLevel::Warn, &what);
            }
            let bytes = text.as_bytes();
            let shown = bytes.get(..ground.log_line_bytes_max).unwrap_or(&bytes);
            ground.host.log(level, &String::from_utf8_lossy(shown));
            Ok(())
        })?;
    }
    Ok(module)
}

fn kv(lua: &Lua, ground: &Ground) -> Result<Table> {
    let module = lua.create_table()?;
    add_function(lua, ground, &module, "get", |lua, ground, key: String| {
        let value = done(lua, ground.host.kv_get(&key))?;
        value.map(|value| lua.create_string(value)).transpose()
    })?;
    type Set = (String, LuaString, Option<f64>);
    add_function(lua, ground, &module, "set", |lua, ground, (key, value, secs): Set| {
        done(lua, ground.host.kv_set(&key, &value.as_bytes(), ttl(lua, secs)?))
    })?;
    add_function(lua, ground, &module, "delete", |lua, ground, key: String| {
        done(lua, ground.host.kv_delete(&key))
    })?;
    type Incr = (String, Option<i64>, Option<f64>);
    add_function(lua, ground, &module, "incr", |lua, ground, (key, by, secs): Incr| {
        done(lua, ground.host.kv_increment(&key, by.unwrap_or(1), ttl(lua, secs)?))
    })?;
    type Cas = (String, Option<LuaString>, Option<LuaString>);
    add_function(lua, ground, &module, "cas", |lua, ground, (key, expected, value): Cas| {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        let value = value.map(|text| text.as_bytes().to_vec());
        let answer = ground.host.kv_compare_and_set(&key, expected.as_deref(), value.as_deref());
        done(lua, answer)
    })?;
    type List = (String, Option<usize>, Option<String>);
    add_function(lua, ground, &module, "list", |lua, ground, (prefix, limit, after): List| {
        let limit = limit.unwrap_or(100);
        done(lua, ground.host.kv_list(&prefix, after.as_deref(), limit))
    })?;
    Ok(module)
}

fn attributes(lua: &Lua, ground: &Ground) -> Result<Table> {
    fn session_of(lua: &Lua, client: &Table) -> Result<u64> {
        match client.raw_get::<Option<u64>>("session")? {
            Some(session) => Ok(session),
            None => complaint(lua, "broker.attr wants the client that a hook was given"),
        }
    }
    let module = lua.create_table()?;
    add_function(lua, ground, &module, "get", |lua, ground, (client, name): (Table, String)| {
        let value = ground.host.attribute(session_of(lua, &client)?, &name);
        value.map(|value| lua.create_string(value)).transpose()
    })?;
    type Set = (Table, String, Option<LuaString>);
    add_function(lua, ground, &module, "set", |lua, ground, (client, name, value): Set| {
        let value = value.map(|text| text.as_bytes().to_vec());
        let session = session_of(lua, &client)?;
        done(lua, ground.host.set_attribute(session, &name, value.as_deref()))
    })?;
    Ok(module)
}

fn metric(lua: &Lua, ground: &Ground) -> Result<Table> {
    fn keep(
        lua: &Lua,
        ground: &Ground,
        name: &str,
        labels: Option<Table>,
        value: Metric,
    ) -> Result<()> {
        let labels: Vec<(String, String)> = match labels {
            Some(labels) => text_pairs(lua, "labels", &labels)?,
            None => Vec::new(),
        };
        let borrowed: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        done(lua, ground.host.metric(name, &borrowed, value))
    }
    let module = lua.create_table()?;
    type Count = (String, Option<u64>, Option<Table>);
    add_function(lua, ground, &module, "count", |lua, ground, (name, by, labels): Count| {
        keep(lua, ground, &name, labels, Metric::Count(by.unwrap_or(1)))
    })?;
    type Value = (String, f64, Option<Table>);
    add_function(lua, ground, &module, "gauge", |lua, ground, (name, value, labels): Value| {
        keep(lua, ground, &name, labels, Metric::Gauge(value))
    })?;
    add_function(lua, ground, &module, "observe", |lua, ground, (name, value, labels): Value| {
        keep(lua, ground, &name, labels, Metric::Observe(value))
    })?;
    Ok(module)
}

fn time(lua: &Lua, ground: &Ground) -> Result<Table> {
    let module = lua.create_table()?;
    // A number of Lua holds milliseconds exactly for some 280,000 years.
    add_function(lua, ground, &module, "now_ms", |_, ground, ()| Ok(ground.host.now_ms() as f64))?;
    add_function(lua, ground, &module, "monotonic_ns", |_, ground, ()| {
        Ok::<f64, Error>(ground.host.monotonic_ns() as f64)
    })?;
    Ok(module)
}
