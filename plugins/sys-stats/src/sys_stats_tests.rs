use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle_plugin_api::{
    Disconnect, Hooks, Host, HostError, LogLevel, NewMessage, Plugin, QoS, Settings,
};
use serde_json::json;

use crate::{LOADS, STATS, SysStats};

/// A broker that counts what it is told to, and keeps what it is asked to do.
#[derive(Default)]
struct Broker {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    now_ms: u64,
    stats: BTreeMap<String, u64>,
    stats_error: Option<HostError>,
    publish_error: Option<HostError>,
    published: Vec<NewMessage>,
    logged: Vec<String>,
    timers: Vec<String>,
}

impl Broker {
    fn set(&self, name: &str, value: u64) {
        self.inner.lock().unwrap().stats.insert(name.to_owned(), value);
    }
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap())
    }
    /// What was published since it was asked last, by topic.
    fn published(&self) -> BTreeMap<String, String> {
        let messages = self.change(|inner| std::mem::take(&mut inner.published));
        let text = |message: NewMessage| String::from_utf8(message.payload).unwrap();
        messages.into_iter().map(|message| (message.topic.clone(), text(message))).collect()
    }
}

impl Host for Broker {
    fn log(&self, level: LogLevel, message: &str) {
        self.change(|inner| inner.logged.push(format!("{level:?} {message}")));
    }
    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        self.change(|inner| match &inner.publish_error {
            Some(error) => Err(error.clone()),
            None => {
                inner.published.push(message);
                Ok(())
            }
        })
    }
    fn disconnect(&self, _: Disconnect, _: u8) -> Result<(), HostError> {
        Err(HostError::NotGranted("disconnect".to_owned()))
    }
    fn invalidate(&self) {}
    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        self.change(|inner| inner.timers.push(format!("{name} {delay:?} {every:?}")));
        Ok(())
    }
    fn cancel_timer(&self, name: &str) -> bool {
        self.change(|inner| inner.timers.push(format!("{name} off")));
        true
    }
    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        self.change(|inner| match &inner.stats_error {
            Some(error) => Err(error.clone()),
            None => Ok(inner.stats.clone().into_iter().collect()),
        })
    }
    fn now_ms(&self) -> u64 {
        self.change(|inner| inner.now_ms)
    }
}

fn settings(config: serde_json::Value) -> Settings {
    Settings { config, ..Settings::default() }
}

fn started() -> (SysStats, Arc<Broker>) {
    let plugin = SysStats::new();
    let broker = Arc::new(Broker::default());
    plugin.configure(&settings(json!({}))).unwrap();
    plugin.start(broker.clone());
    (plugin, broker)
}

fn later(broker: &Broker, plugin: &SysStats, seconds: u64) {
    broker.change(|inner| inner.now_ms += seconds * 1000);
    plugin.on_timer("publish");
}

#[test]
fn it_names_its_hook() {
    let about = SysStats::new().about();
    assert_eq!((about.name, about.hooks), ("sys-stats", Hooks::TIMER));
}

#[test]
fn it_looks_at_once_and_then_every_ten_seconds() {
    let (_, broker) = started();
    assert_eq!(broker.change(|inner| inner.timers.clone()), ["publish 0ns Some(10s)"]);
}

#[test]
fn a_new_interval_counts_while_it_runs_and_zero_switches_it_off() {
    let (plugin, broker) = started();
    for seconds in [10, 60, 0, 5] {
        plugin.configure(&settings(json!({ "interval_secs": seconds }))).unwrap();
    }
    let expected =
        ["publish 0ns Some(10s)", "publish 0ns Some(60s)", "publish off", "publish 0ns Some(5s)"];
    assert_eq!(broker.change(|inner| inner.timers.clone()), expected);
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    for config in [json!({ "interval": 1 }), json!({ "interval_secs": -1 })] {
        let error = SysStats::new().configure(&settings(config)).unwrap_err();
        assert!(error.what.contains("interval") || error.what.contains("-1"), "{error}");
    }
}

#[test]
fn values_are_published_under_the_names_that_people_know() {
    let (plugin, broker) = started();
    for (value, stat) in (1..).zip(STATS) {
        broker.set(stat.name, value);
    }
    plugin.on_timer("publish");
    let published = broker.published();

    let value = |name: &str| published.get(&format!("$SYS/broker/{name}")).map(String::as_str);
    assert_eq!(value("version"), Some(concat!("pintle version ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(value("uptime"), Some("1 seconds"));
    assert_eq!(value("clients/total"), Some("2"));
    assert_eq!((value("clients/connected"), value("clients/active")), (Some("3"), Some("3")));
    assert_eq!((value("clients/disconnected"), value("clients/inactive")), (Some("4"), Some("4")));
    assert_eq!(value("retained messages/count"), Some("12"));
    assert_eq!(value("load/bytes/received/15min"), Some("0.00"));
    assert_eq!(value("load/connections/1min"), Some("0.00"));
    assert_eq!((value("sockets/opened"), value("connections/opened")), (None, None));
    // Version and two old names come on top, two counters only feed loads.
    assert_eq!(published.len(), STATS.len() + 3 - 2 + LOADS.len() * 3);
}

#[test]
fn messages_are_retained_and_of_qos_2() {
    let (plugin, broker) = started();
    broker.set("uptime", 1);
    plugin.on_timer("publish");
    let published = broker.change(|inner| std::mem::take(&mut inner.published));
    assert_eq!(published.len(), 2);
    for message in published {
        assert!(message.retain && message.qos == QoS::ExactlyOnce, "{message:?}");
    }
}

#[test]
fn only_what_changed_is_published_again() {
    let (plugin, broker) = started();
    broker.set("clients/total", 1);
    broker.set("subscriptions/count", 7);
    plugin.on_timer("publish");
    assert_eq!(broker.published().len(), 3);

    broker.set("clients/total", 2);
    later(&broker, &plugin, 10);
    let changed = broker.published();
    assert_eq!(
        changed.into_iter().collect::<Vec<_>>(),
        [("$SYS/broker/clients/total".to_owned(), "2".to_owned())]
    );

    later(&broker, &plugin, 10);
    assert!(broker.published().is_empty());
}

#[test]
fn loads_are_averages_of_events_a_minute() {
    let (plugin, broker) = started();
    broker.set("sockets/opened", 100);
    plugin.on_timer("publish");
    assert_eq!(broker.published()["$SYS/broker/load/sockets/1min"], "0.00");

    broker.set("sockets/opened", 110);
    later(&broker, &plugin, 10);
    let published = broker.published();
    let load = |span: &str| published[&format!("$SYS/broker/load/sockets/{span}")].clone();
    assert_eq!([load("1min"), load("5min"), load("15min")], ["9.21", "1.97", "0.66"]);
}

#[test]
fn a_clock_that_is_set_back_does_not_spoil_the_loads() {
    let (plugin, broker) = started();
    broker.change(|inner| inner.now_ms = 1_000_000);
    broker.set("sockets/opened", 0);
    plugin.on_timer("publish");
    broker.change(|inner| inner.now_ms = 5);
    broker.set("sockets/opened", 10);
    plugin.on_timer("publish");
    assert_eq!(broker.published()["$SYS/broker/load/sockets/1min"], "9.21");
}

#[test]
fn values_that_are_not_known_are_published_as_they_are() {
    let (plugin, broker) = started();
    broker.set("plugins/celsius/calls", 3);
    plugin.on_timer("publish");
    assert_eq!(broker.published()["$SYS/broker/plugins/celsius/calls"], "3");
}

#[test]
fn what_was_not_taken_is_published_the_next_time_and_logged_once() {
    let (plugin, broker) = started();
    broker.set("uptime", 1);
    broker.change(|inner| inner.publish_error = Some(HostError::Quota("messages_max")));
    plugin.on_timer("publish");
    later(&broker, &plugin, 10);
    broker.change(|inner| inner.publish_error = None);
    later(&broker, &plugin, 10);
    assert_eq!(broker.published()["$SYS/broker/uptime"], "1 seconds");
    let expected = "Warn Some values are not published: the bound messages_max is reached.";
    assert_eq!(broker.change(|inner| std::mem::take(&mut inner.logged)), [expected]);
}

#[test]
fn a_missing_grant_is_logged_once() {
    let (plugin, broker) = started();
    broker.change(|inner| inner.stats_error = Some(HostError::NotGranted("stats".to_owned())));
    plugin.on_timer("publish");
    later(&broker, &plugin, 10);
    assert!(broker.published().is_empty());
    let expected = "Warn Some values are not published: not granted: stats.";
    assert_eq!(broker.change(|inner| inner.logged.clone()), [expected]);
}

#[test]
fn timers_of_others_are_nothing_to_it() {
    let (plugin, broker) = started();
    broker.set("uptime", 1);
    plugin.on_timer("other");
    assert!(broker.published().is_empty());
}
