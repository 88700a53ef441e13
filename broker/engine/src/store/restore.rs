use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use pintle_mqtt::{KeptRun, PacketId, SubscriptionFilter, TopicName};
use pintle_ports::{Identity, Space, Store, StoreEntry, StoreError, StoreOp};
use pintle_session::{KeptOutbound, Outbound, Released, Sent, SessionExpiry, Waiting};
use tracing::error;

use super::bodies::{Bodies, Place};
use super::feed::StoreFeed;
use super::fields::Broken;
use super::ledger::Ledger;
use super::records::{
    Reference, SessionRecord, read_in_flight_record, read_inbound_record, read_message_record,
    read_queue_record, read_retained_record, read_session_record, read_subscription_record,
    split_key,
};
use super::shadow::Shadow;
use super::wall_clock::WallClock;
use crate::aside::Deadlines;
use crate::engine::Engine;
use crate::retained_store::Author;
use crate::session::{PendingWill, Session, SessionRef};

/// Records asked for at once.
const PAGE: usize = 500;

/// What came back of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Sessions.
    pub sessions: u64,
    /// Their subscriptions.
    pub subscriptions: u64,
    /// Messages that wait for clients or are in flight to them, counted for each.
    pub messages: u64,
    /// Retained messages.
    pub retained: u64,
    /// Records that make no sense. They stay where they are.
    pub broken: u64,
}

impl Engine {
    /// Takes up what `store`, which is open, has, and notes from then on what changes. Called once,
    /// before there are workers; `began_ms` is when the broker began, in milliseconds since 1970.
    /// `wake` is called when something has changed and nothing had before, from any thread; it may
    /// not call back.
    ///
    /// Records that make no sense are logged and left out.
    ///
    /// # Errors
    /// If the store can not be read.
    pub fn restore(
        &self,
        store: &dyn Store,
        began_ms: u64,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<(StoreFeed, Restored), StoreError> {
        let restoring = Restoring {
            engine: self,
            store,
            clock: WallClock { began_ms },
            counts: Restored::default(),
            clients: HashMap::new(),
            messages: HashMap::new(),
            next_message: 0,
            strays: Vec::new(),
        };
        let (feed, counts) = restoring.run()?;
        let ledger = Ledger::new(wake);
        ledger.figures.broken.store(counts.broken, std::sync::atomic::Ordering::Relaxed);
        self.begin_ledger(ledger);
        Ok((feed, counts))
    }
}

struct Restoring<'a> {
    engine: &'a Engine,
    store: &'a dyn Store,
    clock: WallClock,
    counts: Restored,
    clients: HashMap<Arc<str>, Client>,
    messages: HashMap<u64, Arc<KeptRun>>,
    next_message: u64,
    /// Records of sessions that are no more.
    strays: Vec<StoreOp>,
}

struct Client {
    session: SessionRef,
    shadow: Shadow,
    outbound: KeptOutbound,
}

/// What is wrong with a record, or that it belongs to nobody.
enum Flaw {
    Broken(Broken),
    Stray,
}

impl From<Broken> for Flaw {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

const BAD_KEY: Flaw = Flaw::Broken(Broken::Field("key"));

impl Restoring<'_> {
    fn run(mut self) -> Result<(StoreFeed, Restored), StoreError> {
        self.each(Space::Messages, Self::message)?;
        self.each(Space::Sessions, Self::session)?;
        self.each(Space::Subscriptions, Self::subscription)?;
        self.each(Space::Queue, Self::queued)?;
        self.each(Space::InFlight, Self::in_flight)?;
        self.each(Space::Inbound, Self::open)?;
        let mut authors = Authors::default();
        self.each(Space::Retained, |it, entry| it.retained(entry, &mut authors))?;
        Ok(self.finish())
    }

    /// Hands every record of a space to `take`.
    fn each(
        &mut self,
        space: Space,
        mut take: impl FnMut(&mut Self, &StoreEntry) -> Result<(), Flaw>,
    ) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.store.scan(space, &[], after.as_deref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            if after.as_ref().is_some_and(|after| last.key <= *after) {
                let what = format!("{space:?}: the records do not come in the order of their keys");
                return Err(StoreError::Corrupt(what));
            }
            for entry in &page {
                match take(self, entry) {
                    Ok(()) => {}
                    Err(Flaw::Stray) => {
                        self.strays.push(StoreOp::Delete { space, key: entry.key.clone() });
                    }
                    Err(Flaw::Broken(why)) => self.complain(space, &entry.key, &why),
                }
            }
            after = page.into_iter().next_back().map(|last| last.key);
        }
    }

    fn complain(&mut self, space: Space, key: &[u8], why: &Broken) {
        self.counts.broken += 1;
        let key = String::from_utf8_lossy(key);
        error!(?space, %key, %why, "A stored record makes no sense and is left out.");
    }

    fn message(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let number = u64::from_be_bytes(*entry.key.as_array().ok_or(BAD_KEY)?);
        self.next_message = self.next_message.max(number.saturating_add(1));
        let run = read_message_record(&entry.value, self.clock, &self.engine.budget)?;
        self.messages.insert(number, run);
        Ok(())
    }

    fn session(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let client_id = std::str::from_utf8(&entry.key).map_err(|_| BAD_KEY)?;
        let engine = self.engine;
        let stored = read_session_record(client_id, &entry.value, self.clock, &engine.budget)?;
        if stored.ends_at_ms.is_some_and(|at| self.clock.is_past(at)) {
            return Err(Flaw::Stray);
        }
        let session = self.made_again(stored);
        let mut shard = engine.registry.shard(client_id);
        engine.registry.insert(&mut shard, session.clone());
        drop(shard);
        let shadow = Shadow::restored(session.key, entry.value.clone());
        let client_id = Arc::clone(&session.client_id);
        let outbound = KeptOutbound::default();
        self.clients.insert(client_id, Client { session, shadow, outbound });
        self.counts.sessions += 1;
        Ok(())
    }

    /// One that was connected when the broker ended was cut off by that: its expiry and the delay
    /// of its will count from now.
    fn made_again(&self, stored: SessionRecord) -> SessionRef {
        let key = self.engine.new_session_key();
        let identity = Arc::new(Identity { session_key: key, ..stored.identity });
        let client_id = Arc::clone(&identity.client_id);
        let session = SessionRef(Arc::new(Session::new(key, client_id, identity)));
        let now = self.clock.to_broker(0);
        let mut guard = session.lock();
        let state = &mut *guard;
        state.expiry = SessionExpiry::from_secs(stored.expiry_secs);
        state.set_expiry_secs_max(stored.expiry_secs_max);
        state.queue_messages_max = stored.queue_messages_max;
        let ends_now = || state.expiry.ends_at(now);
        let mut deadlines = Deadlines {
            expires_at: stored.ends_at_ms.map_or_else(ends_now, |at| self.clock.to_broker(at)),
            ..Deadlines::NONE
        };
        if let Some(will) = stored.will {
            deadlines.will_at = match stored.ends_at_ms {
                Some(_) => self.clock.to_broker(will.at_ms),
                None => now.plus_secs(will.delay_secs),
            };
            let (message, delay_secs) = (will.message, will.delay_secs);
            state.set_will(Some(Box::new(PendingWill { message, delay_secs })));
        }
        self.engine.timers.set(&session.0, Deadlines::NONE, deadlines);
        state.set_deadlines(deadlines);
        drop(guard);
        session
    }

    fn subscription(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let (client, filter) = owner(&mut self.clients, &entry.key)?;
        let options = read_subscription_record(&entry.value)?;
        let filter = std::str::from_utf8(filter).map_err(|_| BAD_KEY)?;
        let parsed = SubscriptionFilter::new(filter).map_err(|_| BAD_KEY)?;
        self.engine.add_subscription(&client.session, &parsed, options);
        client.session.lock().aside_mut().subscriptions.insert(filter.into());
        client.shadow.restore_subscription(filter, options);
        self.counts.subscriptions += 1;
        Ok(())
    }

    fn queued(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let (client, rest) = owner(&mut self.clients, &entry.key)?;
        let number = u64::from_be_bytes(*rest.as_array().ok_or(BAD_KEY)?);
        client.shadow.skip_in_queue(number);
        let reference = read_queue_record(&entry.value)?;
        let message = referred(&self.messages, &reference)?;
        client.shadow.restore_queued(number, &message);
        client.outbound.queue.push(message);
        self.counts.messages += 1;
        Ok(())
    }

    fn in_flight(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let (client, rest) = owner(&mut self.clients, &entry.key)?;
        let id = packet_id(rest)?;
        let (sequence, reference) = read_in_flight_record(&entry.value)?;
        match &reference {
            None => {
                client.shadow.restore_in_flight(id, sequence, None);
                client.outbound.released.push(Released { id, sequence });
            }
            Some(reference) => {
                let message = referred(&self.messages, reference)?;
                client.shadow.restore_in_flight(id, sequence, Some(&message));
                client.outbound.sent.push(Sent { id, sequence, message });
            }
        }
        self.counts.messages += 1;
        Ok(())
    }

    fn open(&mut self, entry: &StoreEntry) -> Result<(), Flaw> {
        let (client, rest) = owner(&mut self.clients, &entry.key)?;
        let id = packet_id(rest)?;
        read_inbound_record(&entry.value)?;
        client.session.inbound().restore_open(id);
        client.shadow.restore_open(id);
        Ok(())
    }

    fn retained(&mut self, entry: &StoreEntry, authors: &mut Authors) -> Result<(), Flaw> {
        let budget = &self.engine.budget;
        let stored = read_retained_record(&entry.value, self.clock, budget)?;
        let topic = std::str::from_utf8(&entry.key).map_err(|_| BAD_KEY)?;
        let topic = TopicName::new(topic).map_err(|_| BAD_KEY)?;
        let (publish, _) = stored.message.message_at(0).ok_or(BAD_KEY)?;
        if publish.topic != Some(topic) {
            return Err(BAD_KEY);
        }
        if stored.message.expires_at() <= self.clock.to_broker(0) {
            return Err(Flaw::Stray);
        }
        let author = stored.author.map(|(identity, is_will)| {
            let identity = authors.one(self.engine, identity);
            Author { identity, is_will }
        });
        let message = Arc::clone(&stored.message);
        self.engine.retained.restore(topic, message, author);
        self.counts.retained += 1;
        Ok(())
    }

    /// Gives each session what is on its way to it, and the feed all that is stored.
    fn finish(self) -> (StoreFeed, Restored) {
        let mut bodies = Bodies::new(self.next_message);
        for (number, run) in self.messages {
            bodies.restore(number, run);
        }
        let mut feed = StoreFeed::new(self.clock, bodies);
        for (client_id, mut client) in self.clients {
            let kept = &mut client.outbound;
            kept.sent.sort_unstable_by_key(|sent| sent.sequence);
            kept.released.sort_unstable_by_key(|released| released.sequence);
            let messages = kept.sent.iter().map(|sent| &sent.message).chain(&kept.queue);
            messages.for_each(|message| feed.bodies().use_again(Place::of(message)));
            client.session.lock().outbound = Outbound::restored(client.outbound);
            feed.add_shadow(client_id, client.shadow);
        }
        let mut strays = self.strays;
        feed.bodies().sweep(&mut strays);
        feed.add_ops(strays);
        (feed, self.counts)
    }
}

fn owner<'c, 'k>(
    clients: &'c mut HashMap<Arc<str>, Client>,
    key: &'k [u8],
) -> Result<(&'c mut Client, &'k [u8]), Flaw> {
    let (client_id, rest) = split_key(key).ok_or(BAD_KEY)?;
    let client = clients.get_mut(client_id).ok_or(Flaw::Stray)?;
    Ok((client, rest))
}

fn packet_id(bytes: &[u8]) -> Result<PacketId, Flaw> {
    let bytes = bytes.as_array().ok_or(BAD_KEY)?;
    PacketId::new(u16::from_be_bytes(*bytes)).ok_or(BAD_KEY)
}

fn referred(messages: &HashMap<u64, Arc<KeptRun>>, reference: &Reference) -> Result<Waiting, Flaw> {
    let run = messages.get(&reference.message).ok_or(Broken::Field("message"))?;
    Ok(Waiting::restored(Arc::clone(run), &reference.delivery()))
}

/// Those who published what is retained, each once.
#[derive(Default)]
struct Authors {
    known: HashMap<String, Arc<Identity>>,
}

impl Authors {
    fn one(&mut self, engine: &Engine, identity: Identity) -> Arc<Identity> {
        let key = format!("{:?}", Identity { session_key: 0, ..identity.copied() });
        let known = self.known.entry(key);
        let made = || {
            let session_key = engine.new_session_key();
            Arc::new(Identity { session_key, ..identity })
        };
        Arc::clone(known.or_insert_with(made))
    }
}
