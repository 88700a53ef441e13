use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::HashMap;
use pintle_mqtt::{Timestamp, TopicName};
use pintle_ports::{Space, StoreOp};

use super::bodies::Bodies;
use super::lasting::{Found, Lasting};
use super::ledger::{Ledger, Unsaved};
use super::records::retained_record;
use super::shadow::{Changes, Shadow};
use super::wall_clock::WallClock;
use crate::engine::Engine;

/// Gives the changes that lead what is stored to what is, in batches. Knows what is stored; there
/// is one, and one thread asks it.
///
/// What it gave counts as stored: a batch that fails has to be tried again before the next.
pub struct StoreFeed {
    clock: WallClock,
    shadows: HashMap<Arc<str>, Shadow>,
    bodies: Bodies,
    /// Clients and topics that are to be looked at.
    clients: VecDeque<Arc<str>>,
    topics: VecDeque<Box<str>>,
    /// Changes that did not fit into a batch.
    ready: VecDeque<StoreOp>,
}

impl StoreFeed {
    /// How far over its bound a batch may go so that the changes of a session stay together.
    const TOGETHER: usize = 4;

    pub(crate) fn new(clock: WallClock, bodies: Bodies) -> Self {
        Self {
            clock,
            shadows: HashMap::default(),
            bodies,
            clients: VecDeque::new(),
            topics: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn add_shadow(&mut self, client_id: Arc<str>, shadow: Shadow) {
        self.shadows.insert(client_id, shadow);
    }

    pub(crate) fn add_ops(&mut self, ops: Vec<StoreOp>) {
        self.ready.extend(ops);
    }

    pub(crate) fn bodies(&mut self) -> &mut Bodies {
        &mut self.bodies
    }

    /// Whether [`StoreFeed::gather`] has something to give.
    pub fn has_more(&self, engine: &Engine) -> bool {
        !self.is_pass_over() || engine.ledger().is_some_and(|ledger| !ledger.is_empty())
    }

    /// Whether all is given of what had changed when this pass began.
    pub fn is_pass_over(&self) -> bool {
        self.clients.is_empty() && self.topics.is_empty() && self.ready.is_empty()
    }

    /// The next changes, about `ops_max` of them and about `bytes_max` bytes; none if nothing has
    /// changed. A pass takes up all that has changed until it begins; what changes while it lasts
    /// is left to the next.
    pub fn gather(&mut self, engine: &Engine, ops_max: usize, bytes_max: usize) -> Vec<StoreOp> {
        let Some(ledger) = engine.ledger() else { return Vec::new() };
        if self.is_pass_over() {
            (self.clients, self.topics) = ledger.take();
        }
        let mut bytes: usize = self.ready.iter().map(cost).sum();
        while self.ready.len() < ops_max && bytes < bytes_max {
            let mut ops = Vec::new();
            if let Some(client_id) = self.clients.pop_front() {
                self.look_at_client(engine, ledger, &client_id, &mut ops);
            } else if let Some(topic) = self.topics.pop_front() {
                ops.push(self.topic_now(engine, &topic));
            } else {
                break;
            }
            bytes += ops.iter().map(cost).sum::<usize>();
            self.ready.extend(ops);
        }
        self.next_batch(ops_max, bytes_max, bytes)
    }

    fn next_batch(&mut self, ops_max: usize, bytes_max: usize, bytes: usize) -> Vec<StoreOp> {
        let is_together = self.ready.len() <= ops_max.saturating_mul(Self::TOGETHER)
            && bytes <= bytes_max.saturating_mul(Self::TOGETHER);
        if is_together {
            return std::mem::take(&mut self.ready).into();
        }
        let mut left = bytes_max;
        let mut batch = Vec::new();
        while batch.len() < ops_max
            && let Some(op) = self.ready.front()
            && (batch.is_empty() || cost(op) <= left)
        {
            left = left.saturating_sub(cost(op));
            batch.extend(self.ready.pop_front());
        }
        batch
    }

    fn look_at_client(
        &mut self,
        engine: &Engine,
        ledger: &Ledger,
        client_id: &Arc<str>,
        ops: &mut Vec<StoreOp>,
    ) {
        let session = engine.registry.find(client_id);
        let stored = self.shadows.get(client_id).map(|shadow| shadow.session_key);
        let found = session.as_ref().map_or(Found::Nothing, |session| {
            let is_stored = stored == Some(session.key);
            let known = if is_stored { Unsaved::ALL } else { Unsaved(0) };
            Lasting::of(engine, session, known, self.clock)
        });
        let mut changes = Changes { client_id, clock: self.clock, bodies: &mut self.bodies, ops };
        match found {
            Found::NotNow => ledger.note_client(Arc::clone(client_id)),
            Found::Nothing => {
                if let Some(shadow) = self.shadows.remove(client_id) {
                    shadow.end(&mut changes);
                }
            }
            Found::Lasting(lasting) => {
                let shadow = self.shadows.entry(Arc::clone(client_id)).or_default();
                shadow.session_key = session.map_or(0, |session| session.key);
                shadow.become_like(lasting, &mut changes);
            }
        }
    }

    fn topic_now(&self, engine: &Engine, topic: &str) -> StoreOp {
        let (space, key) = (Space::Retained, topic.as_bytes().to_vec());
        match engine.retained.get(TopicName::trusted(topic)) {
            None => StoreOp::Delete { space, key },
            Some(retained) => StoreOp::Put {
                space,
                key,
                value: retained_record(&retained, self.clock),
                expires_at_ms: self.clock.end_of_life(retained.message.expires_at()),
            },
        }
    }
}

/// Bytes that a change carries.
fn cost(op: &StoreOp) -> usize {
    match op {
        StoreOp::Put { key, value, .. } => key.len() + value.len(),
        StoreOp::Delete { key, .. } => key.len(),
    }
}

impl Engine {
    /// Notes that all there is has to be looked at.
    pub fn note_everything(&self) {
        let Some(ledger) = self.ledger() else { return };
        for session in self.registry.all() {
            ledger.note(&session, Unsaved::ALL);
        }
        self.retained.for_each_topic(|topic| ledger.note_topic(topic));
    }

    /// A batch of so many changes was stored.
    pub fn count_commit(&self, changes: usize) {
        if let Some(ledger) = self.ledger() {
            ledger.figures.commits.fetch_add(1, Ordering::Relaxed);
            ledger.figures.changes.fetch_add(changes as u64, Ordering::Relaxed);
        }
    }

    /// The store did not do what it was asked.
    pub fn count_store_error(&self) {
        if let Some(ledger) = self.ledger() {
            ledger.figures.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages of QoS 1 and 2 are refused from then on, until another moment is set:
    /// [`Timestamp::NEVER`] where the store keeps up.
    pub fn refuse_from(&self, from: Timestamp) {
        if let Some(ledger) = self.ledger() {
            ledger.set_refuse_from(from);
        }
    }
}
