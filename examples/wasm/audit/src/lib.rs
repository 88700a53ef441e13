//! Writes down who came, went and subscribed: a line of JSON in the log for each event, counters that
//! survive a reload, figures for Prometheus, and a command that tells the counters.

use std::sync::{Arc, OnceLock};

use pintle_plugin_api::{
    About, Event, EventKind, EventKinds, Hooks, Host, HostError, LogLevel, Metric, Plugin,
    StampedEvent, Who,
};
use serde_json::{Map, Value, json};

pintle_plugin_api::export!(Audit, interfaces: [events, control]);

const EVENTS: EventKinds = EventKinds::NONE
    .with(EventKind::Connected)
    .with(EventKind::AuthFailed)
    .with(EventKind::Disconnected)
    .with(EventKind::ConnectionLost)
    .with(EventKind::SessionTakenOver)
    .with(EventKind::Subscribed)
    .with(EventKind::Unsubscribed)
    .with(EventKind::WillSent);

/// Before the names of counters in kv.
const COUNTERS: &str = "count/";
const COUNTERS_MAX: usize = 100;

/// The plugin.
#[derive(Default)]
pub struct Audit {
    host: OnceLock<Arc<dyn Host>>,
}

impl Plugin for Audit {
    fn about(&self) -> About {
        let hooks = Hooks::EVENTS.and(Hooks::COMMAND);
        About { events: EVENTS, ..About::new("audit", env!("CARGO_PKG_VERSION"), hooks) }
    }

    fn start(&self, host: Arc<dyn Host>) {
        // The first is kept; there is one broker.
        let _ = self.host.set(host);
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) {
        let Some(host) = self.host.get() else { return };
        if lost > 0 {
            host.log(LogLevel::Warn, &format!("{lost} events are missing here"));
        }
        for stamped in events {
            if let Some(entry) = Entry::of(&stamped.event) {
                host.log(LogLevel::Info, &entry.line(stamped.at_ms));
                if let Err(error) = entry.count(&**host) {
                    host.log(LogLevel::Warn, &format!("not counted: {error}"));
                }
            }
        }
    }

    /// `report` tells the counters, `reset` forgets them.
    fn on_command(&self, who: Option<&str>, command: &str, _: &str) -> Result<String, String> {
        let host = self.host.get().ok_or("not started")?;
        let answer = match command {
            "report" => report(&**host),
            "reset" => {
                let by = who.unwrap_or("somebody unknown");
                host.log(LogLevel::Info, &format!("the counters are reset by {by}"));
                reset(&**host)
            }
            other => {
                return Err(format!("there is no command `{other}`; there are: report, reset"));
            }
        };
        answer.map(|value| value.to_string()).map_err(|error| error.to_string())
    }
}

/// What is written down of an event.
struct Entry<'a> {
    name: &'static str,
    who: &'a Who,
    /// What else there is to say, and its name.
    detail: Option<(&'static str, Value)>,
}

impl<'a> Entry<'a> {
    /// Nothing for events that were not asked for.
    fn of(event: &'a Event) -> Option<Self> {
        let (name, who, detail) = match event {
            Event::Connected { who } => ("connected", who, None),
            Event::AuthFailed { who, code } => ("auth_failed", who, Some(("code", json!(code)))),
            Event::Disconnected { who, code } => ("disconnected", who, Some(("code", json!(code)))),
            Event::ConnectionLost { who } => ("connection_lost", who, None),
            Event::SessionTakenOver { who } => ("session_taken_over", who, None),
            Event::Subscribed { who, subscription } => {
                ("subscribed", who, Some(("filter", json!(subscription.filter))))
            }
            Event::Unsubscribed { who, filter } => {
                ("unsubscribed", who, Some(("filter", json!(filter))))
            }
            Event::WillSent { who, topic } => ("will_sent", who, Some(("topic", json!(topic)))),
            Event::SessionCreated { .. }
            | Event::SessionResumed { .. }
            | Event::SessionExpired { .. }
            | Event::Published { .. }
            | Event::Dropped { .. }
            | Event::RetainedSet { .. }
            | Event::RetainedCleared { .. } => return None,
        };
        Some(Self { name, who, detail })
    }

    fn line(&self, at_ms: u64) -> String {
        let mut line = Map::new();
        line.insert("at_ms".to_owned(), json!(at_ms));
        line.insert("event".to_owned(), json!(self.name));
        line.insert("client".to_owned(), json!(self.who.client_id));
        if let Some(principal) = &self.who.principal {
            line.insert("principal".to_owned(), json!(principal));
        }
        if let Some(addr) = self.who.remote_addr {
            line.insert("addr".to_owned(), json!(addr.to_string()));
        }
        if let Some((name, value)) = &self.detail {
            line.insert((*name).to_owned(), value.clone());
        }
        Value::Object(line).to_string()
    }

    fn count(&self, host: &dyn Host) -> Result<(), HostError> {
        host.kv_increment(&format!("{COUNTERS}{}", self.name), 1, None)?;
        host.metric("audited", &[("event", self.name)], Metric::Count(1))
    }
}

fn counters(host: &dyn Host) -> Result<Vec<String>, HostError> {
    host.kv_list(COUNTERS, None, COUNTERS_MAX)
}

fn report(host: &dyn Host) -> Result<Value, HostError> {
    let mut report = Map::new();
    for key in counters(host)? {
        let name = key.trim_start_matches(COUNTERS).to_owned();
        // What is there is told as a number: adding nothing does not change it.
        report.insert(name, json!(host.kv_increment(&key, 0, None)?));
    }
    Ok(Value::Object(report))
}

fn reset(host: &dyn Host) -> Result<Value, HostError> {
    let counters = counters(host)?;
    for key in &counters {
        host.kv_delete(key)?;
    }
    Ok(json!({ "reset": counters.len() }))
}
