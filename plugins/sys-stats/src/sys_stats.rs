use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pintle_plugin_api::{
    About, Hooks, Host, HostError, LogLevel, NewMessage, Plugin, QoS, Settings, SettingsError,
};
use serde::Deserialize;

use crate::load::LoadAverages;
use crate::stats::{LOADS, is_published};

const PREFIX: &str = "$SYS/broker/";
const TIMER: &str = "publish";
const VERSION: &str = concat!("pintle version ", env!("CARGO_PKG_VERSION"));

/// The plugin; the crate's page says what it does.
#[derive(Default)]
pub struct SysStats {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    host: Option<Arc<dyn Host>>,
    interval: Option<Duration>,
    /// The last payload by topic, without the prefix.
    published: HashMap<String, String>,
    loads: HashMap<&'static str, LoadAverages>,
    looked_at_ms: Option<u64>,
    /// What failed last, so that the log tells of it once.
    failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "ten")]
    interval_secs: u32,
}

fn ten() -> u32 {
    10
}

impl Config {
    /// `None` if it is switched off.
    fn interval(&self) -> Option<Duration> {
        (self.interval_secs > 0).then(|| Duration::from_secs(self.interval_secs.into()))
    }
}

impl SysStats {
    /// A plugin that publishes nothing until it is configured and started.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugin for SysStats {
    fn about(&self) -> About {
        About::new("sys-stats", env!("CARGO_PKG_VERSION"), Hooks::TIMER)
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let interval = settings.parse::<Config>()?.interval();
        let mut state = self.state();
        if state.interval == interval {
            return Ok(());
        }
        state.interval = interval;
        let host = state.host.clone();
        drop(state);
        if let Some(host) = host {
            set_timer(&*host, interval);
        }
        Ok(())
    }

    fn start(&self, host: Arc<dyn Host>) {
        let mut state = self.state();
        state.host = Some(Arc::clone(&host));
        let interval = state.interval;
        drop(state);
        set_timer(&*host, interval);
    }

    fn on_timer(&self, name: &str) {
        if name != TIMER {
            return;
        }
        let Some(host) = self.state().host.clone() else {
            return;
        };
        let result = host.stats().and_then(|stats| {
            let now_ms = host.now_ms();
            let values = self.state().values(&stats, now_ms);
            self.publish(&*host, values)
        });
        let failure = result.err().map(|error| error.to_string());
        let news = self.state().note_failure(failure);
        if let Some(text) = news {
            host.log(LogLevel::Warn, &format!("Some values are not published: {text}."));
        }
    }
}

impl SysStats {
    /// Publishes what changed. What the host does not take stays to be published.
    fn publish(&self, host: &dyn Host, values: Vec<(String, String)>) -> Result<(), HostError> {
        let mut result = Ok(());
        for (name, payload) in values {
            if self.state().published.get(&name) == Some(&payload) {
                continue;
            }
            let message = NewMessage::new(format!("{PREFIX}{name}"), payload.as_str());
            match host.publish(message.retained().with_qos(QoS::ExactlyOnce)) {
                Ok(()) => {
                    self.state().published.insert(name, payload);
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl State {
    /// All topics, without the prefix, and what they are to hold now.
    fn values(&mut self, stats: &[(String, u64)], now_ms: u64) -> Vec<(String, String)> {
        let mut values = vec![("version".to_owned(), VERSION.to_owned())];
        for (name, value) in stats.iter().filter(|(name, _)| is_published(name)) {
            values.push((name.clone(), text_of(name, *value)));
            if let Some(old_name) = old_name_of(name) {
                values.push((old_name.to_owned(), value.to_string()));
            }
        }
        let elapsed = self.elapsed(now_ms);
        let by_name: HashMap<_, _> = stats.iter().map(|(name, value)| (&**name, *value)).collect();
        for load in LOADS {
            let Some(&counter) = by_name.get(load.stat) else {
                continue;
            };
            let averages =
                self.loads.entry(load.topic).or_insert_with(|| LoadAverages::new(counter));
            averages.update(counter, elapsed);
            for (span, per_minute) in averages.per_minute() {
                values.push((format!("load/{}/{span}", load.topic), format!("{per_minute:.2}")));
            }
        }
        values
    }

    /// The time since the last look. If the clock was set back, the interval stands in for it.
    fn elapsed(&mut self, now_ms: u64) -> Duration {
        match self.looked_at_ms.replace(now_ms) {
            None => Duration::ZERO,
            Some(before) if now_ms < before => self.interval.unwrap_or_default(),
            Some(before) => Duration::from_millis(now_ms - before),
        }
    }

    /// What to log: a failure that is not the one before.
    fn note_failure(&mut self, failure: Option<String>) -> Option<String> {
        let before = std::mem::replace(&mut self.failure, failure);
        self.failure.clone().filter(|now| before.as_ref() != Some(now))
    }
}

fn text_of(name: &str, value: u64) -> String {
    match name {
        "uptime" => format!("{value} seconds"),
        _ => value.to_string(),
    }
}

/// The name that a value had in mosquitto before, and still has beside the new one.
fn old_name_of(name: &str) -> Option<&'static str> {
    match name {
        "clients/connected" => Some("clients/active"),
        "clients/disconnected" => Some("clients/inactive"),
        _ => None,
    }
}

fn set_timer(host: &dyn Host, interval: Option<Duration>) {
    let Some(interval) = interval else {
        host.cancel_timer(TIMER);
        return;
    };
    if let Err(error) = host.set_timer(TIMER, Duration::ZERO, Some(interval)) {
        host.log(LogLevel::Error, &format!("Nothing is published below $SYS: {error}."));
    }
}
