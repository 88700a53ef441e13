use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pintle_engine::{Engine, EngineSettings, Restored, StoreFeed};
use pintle_ports::{Hooks, Space, Store, StoreEntry, StoreError, StoreOp};

use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// When every broker of these tests began, in milliseconds since 1970.
const BEGAN_MS: u64 = 1_700_000_000_000;

type Records = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// A store in memory.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore {
    records: Arc<Mutex<Records>>,
}

impl Store for MemoryStore {
    fn open(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        let mut records = self.records.lock();
        for op in ops.iter().cloned() {
            match op {
                StoreOp::Put { space, key, value, .. } => {
                    records.insert((space, key), value);
                }
                StoreOp::Delete { space, key } => {
                    let removed = records.remove(&(space, key.clone()));
                    assert!(
                        removed.is_some() || space == Space::Retained,
                        "{space:?} {key:?} was not stored"
                    );
                }
            }
        }
        Ok(())
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        _limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let records = self.records.lock();
        let found = records.iter().filter(|((at, key), _)| {
            *at == space && key.starts_with(prefix) && after.is_none_or(|after| **key > *after)
        });
        let entry = |((_, key), value): (&(Space, Vec<u8>), &Vec<u8>)| StoreEntry {
            key: key.clone(),
            value: value.clone(),
        };
        // Pages so small that every scan has several.
        Ok(found.map(entry).take(3).collect())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl MemoryStore {
    pub(crate) fn count(&self, space: Space) -> usize {
        self.records.lock().keys().filter(|(at, _)| *at == space).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.lock().is_empty()
    }

    /// A broker could begin here: what refers to a message finds it.
    fn assert_whole(&self) {
        let records = self.records.lock();
        let is_there = |space, key: &[u8]| records.contains_key(&(space, key.to_vec()));
        for ((space, _), value) in &*records {
            match (space, value.get(9)) {
                (Space::Queue, Some(_)) => assert!(is_there(Space::Messages, &value[1..9])),
                (Space::InFlight, Some(1)) => {
                    assert!(is_there(Space::Messages, &value[10..18]));
                }
                _ => {}
            }
        }
    }

    /// Puts nonsense in the place of a record.
    pub(crate) fn spoil(&self, space: Space, key: &[u8], value: &[u8]) {
        self.records.lock().insert((space, key.to_vec()), value.to_vec());
    }

    /// Everything that is stored, with messages in the place of their numbers and places in the
    /// order for the numbers that make it.
    pub(crate) fn content(&self) -> Vec<(Space, Vec<u8>, Vec<u8>)> {
        let records = self.records.lock();
        let message = |number: &[u8]| {
            let key = (Space::Messages, number.to_vec());
            records.get(&key).unwrap().clone()
        };
        let mut content = Vec::new();
        let mut place = BTreeMap::<Vec<u8>, u64>::new();
        let mut in_flight = Vec::new();
        for ((space, key), value) in &*records {
            let client: Vec<u8> = key.split(|byte| *byte == 0).next().unwrap().to_vec();
            match space {
                Space::Messages => {}
                Space::Queue => {
                    let at = place.entry(client.clone()).or_default();
                    let key = [&*client, &at.to_be_bytes()].concat();
                    *at += 1;
                    content.push((*space, key, [&message(&value[1..9]), &value[9..]].concat()));
                }
                Space::InFlight if value[9] == 1 => {
                    let rest = [&message(&value[10..18]), &value[18..]].concat();
                    in_flight.push((client, value[1..9].to_vec(), key.clone(), rest));
                }
                Space::InFlight => {
                    in_flight.push((client, value[1..9].to_vec(), key.clone(), Vec::new()));
                }
                Space::Sessions | Space::Subscriptions | Space::Inbound | Space::Retained => {
                    content.push((*space, key.clone(), value.clone()));
                }
            }
        }
        // Messages and PUBRECs are numbered together; only the order of each matters.
        in_flight.sort_by_key(|(client, sequence, _, rest)| {
            (client.clone(), rest.is_empty(), sequence.clone())
        });
        let in_flight = in_flight.into_iter().map(|(_, _, key, rest)| (Space::InFlight, key, rest));
        content.extend(in_flight);
        content
    }
}

/// A broker that has a store.
pub(crate) struct Storing {
    pub(crate) b: Scenario,
    pub(crate) store: MemoryStore,
    pub(crate) restored: Restored,
    feed: RefCell<StoreFeed>,
    make_hooks: fn() -> TestHooks,
    settings: EngineSettings,
}

impl Storing {
    pub(crate) fn new() -> Self {
        Self::with(TestHooks::none, EngineSettings::default())
    }

    pub(crate) fn with(hooks: fn() -> TestHooks, settings: EngineSettings) -> Self {
        Self::on(MemoryStore::default(), hooks, settings)
    }

    fn on(store: MemoryStore, make_hooks: fn() -> TestHooks, settings: EngineSettings) -> Self {
        let hooks = Arc::new(make_hooks()) as Arc<dyn Hooks>;
        let engine = Engine::new(settings.clone(), hooks);
        let (feed, restored) = restore(&engine, &store);
        let b = Scenario::on(engine);
        Self { b, store, restored, feed: RefCell::new(feed), make_hooks, settings }
    }

    /// Stores everything that has changed.
    pub(crate) fn save(&self) {
        save(&self.b.engine, &mut self.feed.borrow_mut(), &self.store);
    }

    /// The changes that are to be stored next.
    pub(crate) fn changes(&self) -> Vec<StoreOp> {
        self.feed.borrow_mut().gather(&self.b.engine, 1000, 1 << 20)
    }

    /// Stores everything and ends without another word; then another broker begins.
    pub(crate) fn restart(self) -> Self {
        self.save();
        Self::on(self.store, self.make_hooks, self.settings)
    }

    /// What would be stored if nothing were.
    pub(crate) fn whole(&self) -> MemoryStore {
        self.save();
        let whole = MemoryStore::default();
        let (mut feed, _) = restore(&self.b.engine, &whole);
        self.b.engine.note_everything();
        save(&self.b.engine, &mut feed, &whole);
        whole
    }
}

fn restore(engine: &Engine, store: &MemoryStore) -> (StoreFeed, Restored) {
    engine.restore(store, BEGAN_MS, Box::new(|| {})).unwrap()
}

fn save(engine: &Engine, feed: &mut StoreFeed, store: &MemoryStore) {
    while feed.has_more(engine) {
        store.apply(&feed.gather(engine, 7, 1 << 20)).unwrap();
        store.assert_whole();
    }
}
