use std::borrow::Cow;
use std::time::Duration;

use mlua::{Lua, LuaString, Table, Value};
use pintle_plugin_api::{
    Accepted, AuthStep, AuthVerdict, CacheHint, CacheScope, Decision, DeliverVerdict, Failure,
    Limits, MessagePatch, PublishOutcome, QoS, Rule, RuleAction, RuleEffect, SubscribeVerdict,
    Subscription,
};

use super::failure::fault_of;
use super::message_table::{changed_subscription, read_patch, read_qos, user_properties};
use crate::fault::{ErrorKind, Fault};
use crate::guests::{FILTER_BYTES_MAX, RULES_MAX};

/// What a hook returned: a short form, or a table that names its verdict.
enum Said {
    Nothing,
    Yes,
    No,
    Text(LuaString),
    Table(Box<str>, Table),
}

const NOT_AUTHORIZED: u8 = 0x87;

fn said(hook: &str, value: Value) -> Result<Said, Fault> {
    Ok(match value {
        Value::Nil => Said::Nothing,
        Value::Boolean(true) => Said::Yes,
        Value::Boolean(false) => Said::No,
        Value::String(text) => Said::Text(text),
        Value::Table(table) => {
            let verdict: Option<LuaString> = get(&table, "verdict")?;
            let verdict = verdict.map_or_else(String::new, |text| text.to_string_lossy());
            Said::Table(verdict.into(), table)
        }
        other => {
            let what = format!("{hook} returned a {}, which is no answer", other.type_name());
            return Err(Fault::invalid(what));
        }
    })
}

fn get<T: mlua::FromLua>(table: &Table, key: &str) -> Result<T, Fault> {
    table.raw_get(key).map_err(|error| Fault::invalid(format!("`{key}`: {}", fault_of(&error))))
}

fn no_such(hook: &str, verdict: &str, possible: &str) -> Fault {
    Fault::invalid(format!("{hook} returned `{verdict}`: it may return {possible}"))
}

fn failure(table: &Table) -> Result<Failure, Fault> {
    let reason: Option<String> = get(table, "reason")?;
    let code = get::<Option<u8>>(table, "code")?.unwrap_or(NOT_AUTHORIZED);
    Ok(Failure { code, message: reason.map(Cow::Owned) })
}

fn patch(lua: &Lua, table: &Table) -> Result<MessagePatch, Fault> {
    read_patch(lua, table).map_err(|error| Fault::invalid(fault_of(&error).to_string()))
}

fn payload(text: &LuaString) -> MessagePatch {
    MessagePatch { payload: Some(text.as_bytes().to_vec()), ..MessagePatch::default() }
}

pub(super) fn publish_outcome(lua: &Lua, value: Value) -> Result<PublishOutcome, Fault> {
    const POSSIBLE: &str =
        "nothing, a new payload, broker.rewrite{…}, broker.drop() or broker.reject(code)";
    Ok(match said("on_publish", value)? {
        Said::Nothing | Said::Yes => PublishOutcome::Pass,
        Said::Text(text) => PublishOutcome::Rewrite(payload(&text)),
        Said::No => return Err(no_such("on_publish", "false", POSSIBLE)),
        Said::Table(verdict, table) => match &*verdict {
            "pass" => PublishOutcome::Pass,
            "rewrite" => PublishOutcome::Rewrite(patch(lua, &table)?),
            "drop" => PublishOutcome::Drop,
            "reject" => PublishOutcome::Reject(failure(&table)?),
            other => return Err(no_such("on_publish", other, POSSIBLE)),
        },
    })
}

pub(super) fn deliver_verdict(lua: &Lua, value: Value) -> Result<DeliverVerdict, Fault> {
    const POSSIBLE: &str = "nothing, a new payload, broker.rewrite{…} or broker.drop()";
    Ok(match said("on_deliver", value)? {
        Said::Nothing | Said::Yes => DeliverVerdict::Pass,
        Said::Text(text) => DeliverVerdict::Rewrite(payload(&text)),
        Said::No => return Err(no_such("on_deliver", "false", POSSIBLE)),
        Said::Table(verdict, table) => match &*verdict {
            "pass" => DeliverVerdict::Pass,
            "rewrite" => DeliverVerdict::Rewrite(patch(lua, &table)?),
            "drop" => DeliverVerdict::Drop,
            other => return Err(no_such("on_deliver", other, POSSIBLE)),
        },
    })
}

pub(super) fn subscribe_verdict(
    lua: &Lua,
    subscription: &Subscription,
    value: Value,
) -> Result<SubscribeVerdict, Fault> {
    const POSSIBLE: &str =
        "nothing, another filter, broker.rewrite{…}, false or broker.reject(code)";
    Ok(match said("on_subscribe", value)? {
        Said::Nothing | Said::Yes => SubscribeVerdict::Pass,
        Said::No => SubscribeVerdict::Reject(Failure::code(NOT_AUTHORIZED)),
        Said::Text(text) => {
            let filter = text.to_str().map_err(|error| Fault::invalid(error.to_string()))?;
            let filter = filter.to_owned();
            SubscribeVerdict::Rewrite(Subscription { filter, ..subscription.clone() })
        }
        Said::Table(verdict, table) => match &*verdict {
            "pass" => SubscribeVerdict::Pass,
            "rewrite" => {
                let changed = changed_subscription(lua, subscription, &table);
                let fault = |error| Fault::invalid(fault_of(&error).to_string());
                SubscribeVerdict::Rewrite(changed.map_err(fault)?)
            }
            "reject" => SubscribeVerdict::Reject(failure(&table)?),
            other => return Err(no_such("on_subscribe", other, POSSIBLE)),
        },
    })
}

/// `hint` is the second thing that `authorize` may return.
pub(super) fn decision(value: Value, hint: Option<Table>) -> Result<Decision, Fault> {
    const POSSIBLE: &str = "nothing, true, false, broker.reject(code) or broker.close(code)";
    let hint = || cache_hint(hint.as_ref());
    Ok(match said("authorize", value)? {
        Said::Nothing => Decision::Next,
        Said::Yes => Decision::Allow(hint()?),
        Said::No => Decision::Deny(Failure::code(NOT_AUTHORIZED), hint()?),
        Said::Text(_) => return Err(no_such("authorize", "a text", POSSIBLE)),
        Said::Table(verdict, table) => match &*verdict {
            "allow" => Decision::Allow(hint()?),
            "reject" | "deny" => Decision::Deny(failure(&table)?, hint()?),
            "disconnect" => Decision::Disconnect(failure(&table)?),
            other => return Err(no_such("authorize", other, POSSIBLE)),
        },
    })
}

fn cache_hint(table: Option<&Table>) -> Result<CacheHint, Fault> {
    let Some(table) = table else {
        return Ok(CacheHint::default());
    };
    let scope: Option<String> = get(table, "scope")?;
    let ttl: Option<f64> = get(table, "ttl")?;
    let ttl = match ttl {
        None => CacheHint::default().ttl,
        Some(secs) if secs.is_infinite() && secs > 0.0 => Duration::MAX,
        Some(secs) => Duration::try_from_secs_f64(secs)
            .map_err(|_| Fault::invalid(format!("`ttl` is {secs}: it should be seconds")))?,
    };
    Ok(CacheHint {
        scope: match scope.as_deref() {
            None | Some("session") => CacheScope::Session,
            Some("principal") => CacheScope::Principal,
            Some(other) => {
                let what = format!("`scope` is `{other}`: it should be `session` or `principal`");
                return Err(Fault::invalid(what));
            }
        },
        ttl,
        filter: get(table, "filter")?,
    })
}

pub(super) fn auth_verdict(lua: &Lua, value: Value) -> Result<AuthVerdict, Fault> {
    const POSSIBLE: &str =
        "nothing, true, false, { principal = …, rules = … } or broker.reject(code)";
    Ok(match said("authenticate", value)? {
        Said::Nothing => AuthVerdict::Next,
        Said::Yes => AuthVerdict::Accept(Accepted::default()),
        Said::No => AuthVerdict::Reject(Failure::code(NOT_AUTHORIZED)),
        Said::Text(_) => return Err(no_such("authenticate", "a text", POSSIBLE)),
        Said::Table(verdict, table) => match &*verdict {
            "" | "accept" => AuthVerdict::Accept(accepted(lua, &table)?),
            "reject" => AuthVerdict::Reject(failure(&table)?),
            other => return Err(no_such("authenticate", other, POSSIBLE)),
        },
    })
}

pub(super) fn auth_step(lua: &Lua, value: Value) -> Result<AuthStep, Fault> {
    const POSSIBLE: &str =
        "broker.challenge(data), true, { principal = …, data = … }, false or broker.reject(code)";
    Ok(match said("the step", value)? {
        Said::Yes => AuthStep::Accept(Box::default(), None),
        Said::No => AuthStep::Reject(Failure::code(NOT_AUTHORIZED)),
        Said::Nothing => return Err(no_such("the step", "nothing", POSSIBLE)),
        Said::Text(_) => return Err(no_such("the step", "a text", POSSIBLE)),
        Said::Table(verdict, table) => {
            let data: Option<LuaString> = get(&table, "data")?;
            let data = data.map(|data| data.as_bytes().to_vec());
            match &*verdict {
                "" | "accept" => AuthStep::Accept(Box::new(accepted(lua, &table)?), data),
                "challenge" => AuthStep::Challenge(data.unwrap_or_default()),
                "reject" => AuthStep::Reject(failure(&table)?),
                other => return Err(no_such("the step", other, POSSIBLE)),
            }
        }
    })
}

fn accepted(lua: &Lua, table: &Table) -> Result<Accepted, Fault> {
    let rules: Option<Vec<Table>> = get(table, "rules")?;
    let rules = rules.unwrap_or_default();
    let limits: Option<Table> = get(table, "limits")?;
    if rules.len() > RULES_MAX {
        let what = format!("there are {} rules, and at most {RULES_MAX} are taken", rules.len());
        return Err(Fault::new(ErrorKind::Bound, what));
    }
    let properties = user_properties(lua, table);
    let properties = properties.map_err(|error| Fault::invalid(fault_of(&error).to_string()))?;
    Ok(Accepted {
        principal: get(table, "principal")?,
        rules: rules.iter().map(|table| rule(lua, table)).collect::<Result<_, _>>()?,
        limits: limits.map(|table| read_limits(lua, &table)).transpose()?.unwrap_or_default(),
        connack_user_properties: properties.unwrap_or_default(),
    })
}

fn rule(lua: &Lua, table: &Table) -> Result<Rule, Fault> {
    let effect: Option<String> = get(table, "effect")?;
    let action: Option<String> = get(table, "action")?;
    let filter: Option<String> = get(table, "filter")?;
    Ok(Rule {
        effect: match effect.as_deref() {
            Some("allow") | None => RuleEffect::Allow,
            Some("deny") => RuleEffect::Deny,
            Some("ask") => RuleEffect::Ask,
            Some(other) => {
                return Err(Fault::invalid(format!(
                    "a rule's effect is `{other}`: allow, deny or ask"
                )));
            }
        },
        action: match action.as_deref() {
            Some("all") | None => RuleAction::All,
            Some("publish") => RuleAction::Publish,
            Some("subscribe") => RuleAction::Subscribe,
            Some("receive") => RuleAction::Receive,
            Some(other) => {
                let possible = "publish, subscribe, receive or all";
                return Err(Fault::invalid(format!("a rule's action is `{other}`: {possible}")));
            }
        },
        filter: match filter {
            Some(filter) if filter.len() <= FILTER_BYTES_MAX => filter,
            Some(_) => return Err(Fault::new(ErrorKind::Bound, "a rule's filter is too long")),
            None => return Err(Fault::invalid("a rule needs a filter")),
        },
        max_qos: qos(lua, table, "max_qos")?,
        allow_retain: get(table, "retain")?,
    })
}

fn read_limits(lua: &Lua, table: &Table) -> Result<Limits, Fault> {
    Ok(Limits {
        packet_bytes_max: get(table, "packet_bytes_max")?,
        receive_maximum: get(table, "receive_maximum")?,
        max_qos: qos(lua, table, "max_qos")?,
        subscriptions_max: get(table, "subscriptions_max")?,
        queue_messages_max: get(table, "queue_messages_max")?,
        session_expiry_secs_max: get(table, "session_expiry_max")?,
    })
}

fn qos(lua: &Lua, table: &Table, key: &str) -> Result<Option<QoS>, Fault> {
    let Some(number) = get::<Option<u8>>(table, key)? else {
        return Ok(None);
    };
    let fault = |error: mlua::Error| Fault::invalid(format!("`{key}`: {}", fault_of(&error)));
    let holder = lua.create_table().map_err(fault)?;
    holder.raw_set("qos", number).map_err(fault)?;
    read_qos(lua, &holder).map_err(fault)
}
