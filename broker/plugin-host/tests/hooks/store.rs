//! A plugin as the store, and plugins that are told what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pintle_plugin_api as api;
use pintle_plugin_api::{About, Hooks as HookSet, Plugin, StoreEntry, StoreError, StoreOp};
use pintle_plugin_host::{ChainSpec, ErrorKind, Hook, LoadError, PluginHost, PluginSpec};
use pintle_ports as ports;
use pintle_ports::Store;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Notebook, Scripted, load};

type Records = Arc<Mutex<BTreeMap<(api::Space, Vec<u8>), Vec<u8>>>>;

/// A store in memory that notes what it is asked and fails when it is told to.
#[derive(Clone, Default)]
struct MemoryPlugin {
    records: Records,
    calls: Arc<Mutex<Vec<String>>>,
    mark: &'static str,
    /// Calls of `store_apply` that are answered before one fails; 0 for never.
    fails_at: Arc<AtomicU64>,
    fails_to_open: bool,
    fails_to_close: bool,
    panics: bool,
}

impl MemoryPlugin {
    fn note(&self, call: &str) {
        self.calls.lock().push(format!("{}{call}", self.mark));
    }

    fn named(self, name: &str) -> PluginSpec {
        PluginSpec::new(name, Arc::new(self))
    }
}

impl Plugin for MemoryPlugin {
    fn about(&self) -> About {
        About::new("memory", "0", HookSet::STORE)
    }

    fn configure(&self, _: &api::Settings) -> Result<(), api::SettingsError> {
        self.note("configure");
        Ok(())
    }

    fn store_open(&self) -> Result<(), StoreError> {
        self.note("open");
        if self.fails_to_open { Err(StoreError::Corrupt("not mine".to_owned())) } else { Ok(()) }
    }

    fn store_apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        assert!(!self.panics, "no");
        if self.fails_at.load(Ordering::Relaxed) > 0
            && self.fails_at.fetch_sub(1, Ordering::Relaxed) == 1
        {
            return Err(StoreError::Full);
        }
        let mut records = self.records.lock();
        for op in ops.iter().cloned() {
            match op {
                StoreOp::Put { space, key, value, .. } => records.insert((space, key), value),
                StoreOp::Delete { space, key } => records.remove(&(space, key)),
            };
        }
        self.note("apply");
        Ok(())
    }

    fn store_scan(
        &self,
        space: api::Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let records = self.records.lock();
        let found = records.iter().filter(|((at, key), _)| {
            *at == space && key.starts_with(prefix) && after.is_none_or(|after| &**key > after)
        });
        let entry =
            found.map(|((_, key), value)| StoreEntry { key: key.clone(), value: value.clone() });
        Ok(entry.take(limit).collect())
    }

    fn store_flush(&self) -> Result<(), StoreError> {
        self.note("flush");
        Ok(())
    }

    fn store_close(&self) -> Result<(), StoreError> {
        self.note("close");
        if self.fails_to_close { Err(StoreError::Full) } else { Ok(()) }
    }
}

fn put(key: &str, value: &str) -> ports::StoreOp {
    ports::StoreOp::Put {
        space: ports::Space::Retained,
        key: key.into(),
        value: value.into(),
        expires_at_ms: Some(7),
    }
}

fn delete(key: &str) -> ports::StoreOp {
    ports::StoreOp::Delete { space: ports::Space::Retained, key: key.into() }
}

/// A host whose store is open and whose broker runs.
fn storing(plugin: &MemoryPlugin) -> (PluginHost, Arc<dyn Store>) {
    let host = load([plugin.clone().named("store")]);
    let store = host.store().unwrap();
    store.open().unwrap();
    host.connect_broker(Arc::new(Notebook::default()) as _);
    (host, store)
}

fn keys(store: &dyn Store) -> Vec<String> {
    let found = store.scan(ports::Space::Retained, b"", None, 10).unwrap();
    found.into_iter().map(|entry| String::from_utf8(entry.key).unwrap()).collect()
}

#[test]
fn what_is_applied_is_found_again() {
    let (_host, store) = storing(&MemoryPlugin::default());
    store.apply(&[put("a", "1"), put("b", "2"), put("c", "3"), delete("b")]).unwrap();
    assert_eq!(keys(&*store), ["a", "c"]);
    let page = store.scan(ports::Space::Retained, b"", Some(b"a"), 1).unwrap();
    assert_eq!(page, [ports::StoreEntry { key: b"c".to_vec(), value: b"3".to_vec() }]);
    assert_eq!(store.scan(ports::Space::Queue, b"", None, 1).unwrap(), []);
}

#[test]
fn without_a_store_there_is_none() {
    assert!(load([Scripted::default().timer(|_| {}).named("p")]).store().is_none());
}

#[test]
fn what_the_plugin_answers_reaches_whoever_asks() {
    let plugin = MemoryPlugin::default();
    plugin.fails_at.store(2, Ordering::Relaxed);
    let (host, store) = storing(&plugin);
    store.apply(&[put("a", "1")]).unwrap();
    assert_eq!(store.apply(&[put("b", "2")]), Err(ports::StoreError::Full));
    store.apply(&[put("b", "2")]).unwrap();
    let stats = host.stats();
    let figures = stats[0].hook(Hook::Store).unwrap();
    assert!(figures.verdicts.contains(&("reject", 1)), "{figures:?}");
    assert_eq!(stats[0].errors(ErrorKind::Panic), 0);
}

#[test]
fn a_fault_is_a_store_that_is_not_available() {
    let (host, store) = storing(&MemoryPlugin { panics: true, ..MemoryPlugin::default() });
    let error = store.apply(&[put("a", "1")]).unwrap_err();
    assert!(error.to_string().contains("plugin `store`: it panicked"), "{error}");
    assert_eq!(host.stats()[0].errors(ErrorKind::Panic), 1);
}

#[test]
fn two_stores_are_refused_by_their_names() {
    let plugins = [MemoryPlugin::default().named("one"), MemoryPlugin::default().named("two")];
    let error = PluginHost::load(ChainSpec { plugins: plugins.into(), ..ChainSpec::default() });
    let expected = LoadError::TwoStores { first: "one".to_owned(), second: "two".to_owned() };
    assert_eq!(error.err(), Some(expected));
}

#[test]
fn another_generation_opens_once_the_old_one_is_flushed_and_closed() {
    let plugin = MemoryPlugin { mark: "1 ", ..MemoryPlugin::default() };
    let (host, store) = storing(&plugin);
    store.apply(&[put("a", "1")]).unwrap();
    let next = MemoryPlugin { mark: "2 ", ..plugin.clone() };
    host.install(next.named("store")).unwrap();
    store.apply(&[put("b", "2")]).unwrap();
    let calls = [
        "1 configure",
        "1 open",
        "1 apply",
        "2 configure",
        "1 flush",
        "1 close",
        "2 open",
        "2 apply",
    ];
    assert_eq!(*plugin.calls.lock(), calls);
    assert_eq!(keys(&*store), ["a", "b"]);
}

#[test]
fn a_generation_that_can_not_open_what_there_is_leaves_the_old_one_in_place() {
    let plugin = MemoryPlugin { mark: "1 ", ..MemoryPlugin::default() };
    let (host, store) = storing(&plugin);
    let next = MemoryPlugin { mark: "2 ", fails_to_open: true, ..plugin.clone() };
    let error = host.install(next.named("store")).unwrap_err();
    assert!(matches!(error, LoadError::StoreStays { .. }), "{error}");
    store.apply(&[put("a", "1")]).unwrap();
    let calls = [
        "1 configure",
        "1 open",
        "2 configure",
        "1 flush",
        "1 close",
        "2 open",
        "1 open",
        "1 apply",
    ];
    assert_eq!(*plugin.calls.lock(), calls);
    assert_eq!(host.list()[0].code_generation, 1);
}

#[test]
fn a_store_that_fails_can_be_replaced() {
    let plugin = MemoryPlugin { panics: true, fails_to_close: true, ..MemoryPlugin::default() };
    let (host, store) = storing(&plugin);
    for _ in 0..10 {
        store.apply(&[put("a", "1")]).unwrap_err();
    }
    let next = MemoryPlugin { panics: false, fails_to_close: false, ..plugin.clone() };
    host.install(next.named("store")).unwrap();
    store.apply(&[put("a", "1")]).unwrap();
    assert_eq!(keys(&*store), ["a"]);
}

#[test]
fn new_settings_come_between_a_close_and_an_open() {
    let plugin = MemoryPlugin::default();
    let (host, store) = storing(&plugin);
    host.reconfigure("store", &api::Settings::default()).unwrap();
    store.apply(&[put("a", "1")]).unwrap();
    let calls = ["configure", "open", "flush", "close", "configure", "open", "apply"];
    assert_eq!(*plugin.calls.lock(), calls);
}

#[test]
fn a_store_stays_while_the_broker_runs_and_none_comes_late() {
    let (host, store) = storing(&MemoryPlugin::default());
    let in_use = LoadError::StoreInUse { plugin: "store".to_owned() };
    assert_eq!(host.remove("store").unwrap_err(), in_use);
    assert_eq!(host.disable("store").unwrap_err(), in_use);
    assert!(host.list()[0].enabled);
    store.close().unwrap();
    host.remove("store").unwrap();

    let late = MemoryPlugin::default().named("late");
    let too_late = LoadError::StoreTooLate { plugin: "late".to_owned() };
    assert_eq!(host.install(late).unwrap_err(), too_late);
}

/// A plugin that passes on what it is told of.
struct Watcher(UnboundedSender<(u64, usize, u64)>);

impl Plugin for Watcher {
    fn about(&self) -> About {
        About::new("watcher", "0", HookSet::OBSERVE)
    }

    fn on_commit(&self, commit: u64, ops: &[StoreOp], lost: u64) {
        let _ = self.0.send((commit, ops.len(), lost));
    }
}

#[tokio::test]
async fn observers_are_told_what_was_stored_and_only_that() {
    let plugin = MemoryPlugin::default();
    plugin.fails_at.store(2, Ordering::Relaxed);
    let (told, mut hears) = unbounded_channel();
    let watcher = PluginSpec::new("watcher", Arc::new(Watcher(told)));
    let host = load([plugin.named("store"), watcher]);
    let store = host.store().unwrap();
    host.connect_broker(Arc::new(Notebook::default()) as _);
    tokio::spawn(host.run());
    store.apply(&[put("a", "1"), put("b", "2")]).unwrap();
    store.apply(&[put("c", "3")]).unwrap_err();
    store.apply(&[put("c", "3")]).unwrap();
    assert_eq!(hears.recv().await, Some((1, 2, 0)));
    assert_eq!(hears.recv().await, Some((2, 1, 0)));
}

#[tokio::test]
async fn an_observer_hears_also_where_nothing_is_kept() {
    let (told, mut hears) = unbounded_channel();
    let host = load([PluginSpec::new("watcher", Arc::new(Watcher(told)))]);
    let store = host.store().unwrap();
    store.open().unwrap();
    host.connect_broker(Arc::new(Notebook::default()) as _);
    tokio::spawn(host.run());
    store.apply(&[put("a", "1")]).unwrap();
    assert_eq!(hears.recv().await, Some((1, 1, 0)));
    assert_eq!(keys(&*store), [""; 0]);
}
