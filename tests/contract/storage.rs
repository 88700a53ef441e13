//! A store that is linked in, whole and frail, under a broker with clients.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use pintle_plugin_api::{About, Hooks, Plugin, Space, StoreEntry, StoreError, StoreOp};
use pintle_server::PluginSpec;
use pintle_tests::V5;
use pintle_tests::wire::{Connect, Publish};

use crate::embedded::Embedded;

/// A store in memory, which outlives brokers as long as it is held.
#[derive(Clone, Default)]
struct MemoryStore(Arc<Shelf>);

#[derive(Default)]
struct Shelf {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    records: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    /// Batches so far, failed ones included.
    batches: u64,
    /// Batches that fail.
    failing: std::ops::Range<u64>,
}

impl MemoryStore {
    fn spec(&self) -> PluginSpec {
        PluginSpec::new("store", Arc::new(self.clone()))
    }

    /// Lets the next so many batches fail.
    fn fails(&self, batches: u64) {
        let mut state = self.0.state.lock().unwrap();
        state.failing = state.batches..state.batches.saturating_add(batches);
    }

    fn wait_for(&self, is_there: impl Fn(&State) -> bool) {
        let state = self.0.state.lock().unwrap();
        let waited = self
            .0
            .changed
            .wait_timeout_while(state, pintle_tests::PATIENCE, |state| !is_there(state));
        assert!(!waited.unwrap().1.timed_out(), "the store waits in vain");
    }
}

impl Plugin for MemoryStore {
    fn about(&self) -> About {
        About::new("memory", "0", Hooks::STORE)
    }

    fn store_apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        let mut state = self.0.state.lock().unwrap();
        let number = state.batches;
        state.batches += 1;
        self.0.changed.notify_all();
        if state.failing.contains(&number) {
            return Err(StoreError::Unavailable("it is frail".to_owned()));
        }
        for op in ops.iter().cloned() {
            match op {
                StoreOp::Put { space, key, value, .. } => state.records.insert((space, key), value),
                StoreOp::Delete { space, key } => state.records.remove(&(space, key)),
            };
        }
        Ok(())
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let state = self.0.state.lock().unwrap();
        let found = state.records.iter().filter(|((at, key), _)| {
            *at == space && key.starts_with(prefix) && after.is_none_or(|after| &**key > after)
        });
        let entry =
            found.map(|((_, key), value)| StoreEntry { key: key.clone(), value: value.clone() });
        Ok(entry.take(limit).collect())
    }
}

#[test]
fn what_a_store_holds_is_there_for_the_next_broker() {
    let store = MemoryStore::default();
    let connect = Connect::new("s").keeping_its_session();
    {
        let broker = Embedded::start([store.spec()]);
        let mut sub = broker.connect(V5, &connect);
        sub.subscribes("t/+", 2);
        sub.drops();
        let mut publisher = broker.v5("p");
        publisher.publishes_at(2, "t/1", "waits");
        publisher.retains("kept", "retained");
    }
    let broker = Embedded::start([store.spec()]);
    let mut sub = broker.open(V5);
    assert!(sub.connects(&connect).session_present);
    let delivery = sub.takes();
    assert_eq!((delivery.text().as_str(), delivery.qos), ("waits", 2));
    sub.subscribes("kept", 0);
    sub.receives("kept", "retained");
}

#[test]
fn a_store_that_fails_once_is_tried_again_and_loses_nothing() {
    let store = MemoryStore::default();
    let broker = Embedded::start([store.spec()]);
    store.fails(1);
    broker.v5("p").retains("kept", "retained");
    let key = (Space::Retained, b"kept".to_vec());
    store.wait_for(|state| state.batches >= 2);
    drop(broker);
    store.wait_for(|state| state.records.contains_key(&key));
}

#[test]
fn while_a_store_fails_qos_1_and_2_are_refused_and_taken_again_when_it_works() {
    let store = MemoryStore::default();
    let broker = Embedded::start([store.spec()]);
    let mut sub = broker.v5("s");
    sub.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    store.fails(u64::MAX);
    publisher.retains("kept", "retained");
    store.wait_for(|state| state.batches >= 2);
    assert_eq!(publisher.publish(&Publish::new("t", "1").qos(1)), 0x97);
    assert_eq!(publisher.publish(&Publish::new("t", "2").qos(2)), 0x97);
    publisher.publishes("t", "QoS 0");
    sub.receives("t", "QoS 0");

    store.fails(0);
    let key = (Space::Retained, b"kept".to_vec());
    store.wait_for(|state| state.batches > state.failing.end);
    let is_taken = |publisher: &mut pintle_tests::Client| {
        publisher.publish(&Publish::new("t", "3").qos(1)) == 0
    };
    // The batch is done a moment before that is known.
    assert!((0..1000).any(|_| is_taken(&mut publisher)));
    assert_eq!(sub.takes().text(), "3");
    store.wait_for(|state| state.records.contains_key(&key));
}
