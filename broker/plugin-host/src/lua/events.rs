use mlua::{Lua, Result, Table};
use pintle_plugin_api::{DropReason, Event, EventKind, EventKinds, StampedEvent, Who};

use super::message_table::{qos_number, subscription_table};
use crate::fault::Fault;

/// The kinds of events by the names that scripts use.
pub(super) const KINDS: [(&str, EventKind); 15] = [
    ("connected", EventKind::Connected),
    ("auth_failed", EventKind::AuthFailed),
    ("disconnected", EventKind::Disconnected),
    ("connection_lost", EventKind::ConnectionLost),
    ("session_created", EventKind::SessionCreated),
    ("session_resumed", EventKind::SessionResumed),
    ("session_taken_over", EventKind::SessionTakenOver),
    ("session_expired", EventKind::SessionExpired),
    ("subscribed", EventKind::Subscribed),
    ("unsubscribed", EventKind::Unsubscribed),
    ("published", EventKind::Published),
    ("dropped", EventKind::Dropped),
    ("retained_set", EventKind::RetainedSet),
    ("retained_cleared", EventKind::RetainedCleared),
    ("will_sent", EventKind::WillSent),
];

/// # Errors
/// The first name that is none.
pub(super) fn kinds_of(names: &[String]) -> std::result::Result<EventKinds, Fault> {
    let mut kinds = EventKinds::NONE;
    for name in names {
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| known == name) else {
            let known = KINDS.map(|(name, _)| name).join(", ");
            return Err(Fault::invalid(format!("events: `{name}` is none of {known}")));
        };
        kinds = kinds.with(*kind);
    }
    Ok(kinds)
}

fn name_of(kind: EventKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

/// An event as the script sees it: its kind, when it was, whom and what it is about.
pub(super) fn event_table(lua: &Lua, stamped: &StampedEvent) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("kind", name_of(stamped.event.kind()))?;
    table.raw_set("at_ms", stamped.at_ms as f64)?;
    match &stamped.event {
        Event::Connected { who }
        | Event::ConnectionLost { who }
        | Event::SessionCreated { who }
        | Event::SessionResumed { who }
        | Event::SessionTakenOver { who }
        | Event::SessionExpired { who } => add_who(&table, who)?,
        Event::AuthFailed { who, code } | Event::Disconnected { who, code } => {
            add_who(&table, who)?;
            table.raw_set("code", *code)?;
        }
        Event::Subscribed { who, subscription } => {
            add_who(&table, who)?;
            table.raw_set("filter", subscription.filter.as_str())?;
            table.raw_set("subscription", subscription_table(lua, subscription)?)?;
        }
        Event::Unsubscribed { who, filter } => {
            add_who(&table, who)?;
            table.raw_set("filter", filter.as_str())?;
        }
        Event::Published { who, topic, qos, payload_len } => {
            if let Some(who) = who {
                add_who(&table, who)?;
            }
            table.raw_set("topic", topic.as_str())?;
            table.raw_set("qos", qos_number(*qos))?;
            table.raw_set("size", *payload_len)?;
        }
        Event::Dropped { who, topic, reason } => {
            add_who(&table, who)?;
            table.raw_set("topic", topic.as_str())?;
            table.raw_set("reason", reason_name(*reason))?;
        }
        Event::RetainedSet { topic } | Event::RetainedCleared { topic } => {
            table.raw_set("topic", topic.as_str())?;
        }
        Event::WillSent { who, topic } => {
            add_who(&table, who)?;
            table.raw_set("topic", topic.as_str())?;
        }
    }
    Ok(table)
}

fn add_who(table: &Table, who: &Who) -> Result<()> {
    table.raw_set("client_id", who.client_id.as_str())?;
    table.raw_set("principal", who.principal.as_deref())?;
    table.raw_set("session", who.session_key)?;
    table.raw_set("address", who.remote_addr.map(|address| address.to_string()))
}

const fn reason_name(reason: DropReason) -> &'static str {
    match reason {
        DropReason::QueueFull => "queue_full",
        DropReason::Expired => "expired",
        DropReason::TooLarge => "too_large",
        DropReason::SlowConsumer => "slow_consumer",
        DropReason::Unauthorized => "unauthorized",
        DropReason::Plugin => "plugin",
    }
}
