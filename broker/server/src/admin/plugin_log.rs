//! What plugins say, and what is said of them, kept for a while and handed to who asks.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;

/// One line of the log.
#[derive(Debug)]
pub(super) struct PluginLine {
    pub(super) plugin: String,
    json: Value,
}

impl PluginLine {
    /// As one line of JSON.
    pub(super) fn text(&self) -> String {
        format!("{}\n", self.json)
    }
}

struct PluginLog {
    recent: VecDeque<Arc<PluginLine>>,
    readers: broadcast::Sender<Arc<PluginLine>>,
}

/// Lines that are kept for who asks later.
const RECENT_MAX: usize = 1000;
/// Lines that a slow reader may be behind.
const BEHIND_MAX: usize = 1024;
/// The log itself cuts lines at 4 KiB; this is for fields.
const FIELD_BYTES_MAX: usize = 8 << 10;

/// One for the process, as the log is.
static LOG: LazyLock<Mutex<PluginLog>> = LazyLock::new(|| {
    let (readers, _) = broadcast::channel(BEHIND_MAX);
    Mutex::new(PluginLog { recent: VecDeque::new(), readers })
});

/// The lines that there were, and those to come.
pub(super) fn read() -> (Vec<Arc<PluginLine>>, broadcast::Receiver<Arc<PluginLine>>) {
    let log = LOG.lock();
    (log.recent.iter().cloned().collect(), log.readers.subscribe())
}

fn write(line: PluginLine) {
    let line = Arc::new(line);
    let mut log = LOG.lock();
    if log.recent.len() >= RECENT_MAX {
        log.recent.pop_front();
    }
    log.recent.push_back(Arc::clone(&line));
    // Without readers there is nobody to tell.
    let _ = log.readers.send(line);
}

/// Takes down what plugins say and what is said of them.
pub(crate) struct PluginLogLayer;

/// What the layer is to see: all that plugins say, and what the host warns of.
pub(crate) fn plugin_log_filter() -> Targets {
    Targets::new()
        .with_target("plugin", LevelFilter::TRACE)
        .with_target("pintle_plugin_host", LevelFilter::WARN)
        .with_target("pintle_server::broker", LevelFilter::INFO)
}

impl<S: Subscriber> Layer<S> for PluginLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(plugin) = fields.plugin else { return };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let json = json!({
            "time_ms": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            "level": event.metadata().level().as_str(),
            "plugin": plugin,
            "message": fields.message,
            "fields": fields.others,
        });
        write(PluginLine { plugin, json });
    }
}

#[derive(Default)]
struct Fields {
    plugin: Option<String>,
    message: String,
    others: Map<String, Value>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" => self.plugin = Some(value.to_owned()),
            "message" => self.message = cut(value),
            name => {
                self.others.insert(name.to_owned(), cut(value).into());
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(FIELD_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn lines_of(plugin: &str, tell: impl FnOnce()) -> Vec<Value> {
        let layer = PluginLogLayer.with_filter(plugin_log_filter());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, tell);
        let (recent, _) = read();
        let ours = recent.iter().filter(|line| line.plugin == plugin);
        ours.map(|line| serde_json::from_str(&line.text()).unwrap()).collect()
    }

    #[test]
    fn what_a_plugin_says_is_kept_with_its_level() {
        let lines = lines_of("talker", || {
            tracing::debug!(target: "plugin", plugin = "talker", "hello");
            tracing::info!(plugin = "talker", "of no concern here");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "hello");
        assert_eq!(lines[0]["level"], "DEBUG");
    }

    #[test]
    fn what_the_host_warns_of_is_kept_with_its_fields() {
        let lines = lines_of("failing", || {
            tracing::warn!(
                target: "pintle_plugin_host::slot",
                plugin = "failing", hook = "on_publish", count = 3_u64, "A plugin failed."
            );
        });
        assert_eq!(lines[0]["fields"], json!({ "hook": "on_publish", "count": 3 }));
    }
}
