use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use pintle_mqtt::{Budget, ReasonCode, SubscriptionFilter, Timestamp, TopicFilter};
use pintle_ports::{
    Broker, HookPath, Hooks, Interest, MessageFrame, NotDone, SubscriptionRequest, Whom,
};
use pintle_router::{Generations, TopicTree};
use pintle_session::OutboundLimits;

use crate::admit::{Source, admit};
use crate::counters::{Counters, Tallies};
use crate::denials::Denials;
use crate::registry::Registry;
use crate::retained_store::RetainedStore;
use crate::session::{Session, SessionRef, SessionState};
use crate::settings::EngineSettings;
use crate::store::{Ledger, Unsaved};
use crate::timers::Timers;
use crate::worker::Worker;

/// The broker without its sockets: sessions, subscriptions, retained messages, and the rules.
///
/// Shared by all workers. Lock order: a shard of the registry, a session, the topic tree or the
/// timers or what its client sends. No lock is held across a hook.
pub struct Engine {
    me: Weak<Engine>,
    pub(crate) counters: Counters,
    pub(crate) tallies: Tallies,
    pub(crate) registry: Registry,
    pub(crate) topics: RwLock<TopicTree<SessionRef>>,
    pub(crate) generations: Generations,
    pub(crate) retained: RetainedStore,
    pub(crate) timers: Timers,
    pub(crate) denials: Denials,
    pub(crate) budget: Arc<Budget>,
    /// There is one if there is a store.
    ledger: OnceLock<Box<Ledger>>,
    table: ArcSwap<HookTable>,
    bounds: ArcSwap<Bounds>,
    /// Rises whenever `table` or `bounds` is replaced.
    version: AtomicU64,
    next_table: AtomicU64,
    /// Rises whenever plugins say that cohorts and decisions have changed.
    invalidations: AtomicU64,
    next_key: AtomicU64,
    /// Keyed with the system's randomness.
    id_seed: RandomState,
    shutting_down: AtomicBool,
    next_sweep: AtomicU64,
    /// The time as [`Engine::tick`] was told it last, in milliseconds: for calls without a worker.
    last_tick: AtomicU64,
}

/// The hooks in force, with what a worker looks at for every message.
pub(crate) struct HookTable {
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) interest: Interest,
    pub(crate) number: u64,
}

/// The settings in force, as the hot path wants them.
pub(crate) struct Bounds {
    pub(crate) settings: EngineSettings,
    pub(crate) outbound: OutboundLimits,
}

impl Bounds {
    fn new(settings: EngineSettings) -> Self {
        let outbound = OutboundLimits {
            queue_messages_max: settings.queue_messages_max,
            queue_bytes_max: settings.queue_bytes_max,
            inflight_max: settings.inflight_max,
            outbox_bytes_max: settings.outbox_bytes_max,
            queue_overflow: settings.queue_overflow,
        };
        Self { settings, outbound }
    }
}

impl Engine {
    /// How often expired retained messages are looked for, in milliseconds.
    const SWEEP_EVERY_MS: u64 = 10_000;

    /// An engine with no sessions. `broker_bytes_max` stays what it is here; all other settings may
    /// be changed later.
    pub fn new(settings: EngineSettings, hooks: Arc<dyn Hooks>) -> Arc<Self> {
        let budget = Budget::new(settings.broker_bytes_max);
        let interest = hooks.interest();
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            counters: Counters::default(),
            tallies: Tallies::default(),
            registry: Registry::new(),
            topics: RwLock::new(TopicTree::new()),
            generations: Generations::new(),
            retained: RetainedStore::default(),
            timers: Timers::default(),
            denials: Denials::default(),
            budget,
            ledger: OnceLock::new(),
            table: ArcSwap::from_pointee(HookTable { hooks, interest, number: 0 }),
            bounds: ArcSwap::from_pointee(Bounds::new(settings)),
            version: AtomicU64::new(0),
            next_table: AtomicU64::new(1),
            invalidations: AtomicU64::new(0),
            next_key: AtomicU64::new(1),
            id_seed: RandomState::default(),
            shutting_down: AtomicBool::new(false),
            next_sweep: AtomicU64::new(0),
            last_tick: AtomicU64::new(0),
        })
    }

    /// Swaps the hook table. Every connection is under the new one from its next read batch on.
    pub fn set_hooks(&self, hooks: Arc<dyn Hooks>) {
        let interest = hooks.interest();
        let number = self.next_table.fetch_add(1, Ordering::Relaxed);
        self.table.store(Arc::new(HookTable { hooks, interest, number }));
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Replaces the settings, `broker_bytes_max` excepted.
    pub fn set_settings(&self, settings: EngineSettings) {
        self.bounds.store(Arc::new(Bounds::new(settings)));
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The time as it was told last; up to one tick old.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.last_tick.load(Ordering::Relaxed))
    }

    /// What any thread may count; the server counts its sockets here. All that the broker counts
    /// is in [`Broker::stats`].
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether `broker_bytes_max` is exceeded.
    pub fn is_over_budget(&self) -> bool {
        self.budget.is_exceeded()
    }

    /// Does what has become due: delayed wills, the end of sessions, expired retained messages.
    pub fn tick(&self, worker: &mut Worker) {
        worker.begin_batch();
        let now = worker.now;
        self.last_tick.fetch_max(now.as_millis(), Ordering::Relaxed);
        while let Some(session) = self.timers.pop(now) {
            worker.session_is_due(&session);
        }
        let sweep_at = self.next_sweep.load(Ordering::Relaxed);
        if sweep_at <= now.as_millis() {
            self.next_sweep.store(now.as_millis() + Self::SWEEP_EVERY_MS, Ordering::Relaxed);
            self.retained.sweep(now, |topic| self.note_topic(topic));
        }
    }

    /// Ends every connection with 0x8B, and refuses new ones from here on. Wills are sent.
    pub fn shut_down(&self, worker: &mut Worker) {
        self.shutting_down.store(true, Ordering::Release);
        worker.begin_batch();
        // Wills first, while those who wait for them are still there.
        for session in self.registry.all() {
            let will = session.lock().take_will();
            if let Some(due) = will {
                self.note(&session, Unsaved::SESSION);
                worker.send_will(&due);
            }
        }
        for session in self.registry.all() {
            worker.disconnect_session(&session, ReasonCode::ServerShuttingDown);
        }
    }

    /// The first is for good.
    pub(crate) fn begin_ledger(&self, ledger: Ledger) {
        let _ = self.ledger.set(Box::new(ledger));
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.get().map(|ledger| &**ledger)
    }

    /// Notes that `what` of a session that outlives its connection is no longer as it is stored.
    #[inline]
    pub(crate) fn note(&self, session: &Session, what: Unsaved) {
        if let Some(ledger) = self.ledger() {
            ledger.note(session, what);
        }
    }

    /// Notes that what is retained of `topic` is no longer as it is stored.
    #[inline]
    pub(crate) fn note_topic(&self, topic: &str) {
        if let Some(ledger) = self.ledger() {
            ledger.note_topic(topic);
        }
    }

    /// Whether messages of QoS 1 and 2 are to be refused for now: there is no room for them, or the
    /// store does not keep up.
    pub(crate) fn refuses(&self, now: Timestamp) -> bool {
        self.budget.is_exceeded() || self.ledger().is_some_and(|ledger| ledger.is_behind(now))
    }

    /// Counts a message that was refused, if that was for the store.
    pub(crate) fn count_refused(&self, now: Timestamp) {
        if let Some(ledger) = self.ledger().filter(|ledger| ledger.is_behind(now)) {
            ledger.figures.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn table(&self) -> Arc<HookTable> {
        self.table.load_full()
    }

    pub(crate) fn bounds(&self) -> Arc<Bounds> {
        self.bounds.load_full()
    }

    pub(crate) fn invalidations(&self) -> u64 {
        self.invalidations.load(Ordering::Acquire)
    }

    pub(crate) fn new_session_key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// A Client Identifier that nobody has and nobody can guess [MQTT-3.1.3-6].
    pub(crate) fn new_client_id(&self) -> String {
        let key = self.new_session_key();
        format!("auto-{:016x}-{key:x}", self.id_seed.hash_one(key))
    }

    /// A worker for one call from a thread that has none. Its time is up to one tick old.
    fn passing_worker(&self, me: &Arc<Self>) -> Worker {
        let mut worker = Worker::new(me);
        worker.set_now(Timestamp::from_millis(self.last_tick.load(Ordering::Relaxed)));
        worker
    }

    /// Lets routes to a session be made again, whose rights or cohort may have changed.
    pub(crate) fn forget_routes_to(&self, state: &SessionState) {
        for filter in state.subscriptions() {
            if let Ok(parsed) = SubscriptionFilter::new(filter) {
                self.generations.bump(parsed.filter);
            }
        }
    }

    fn gauges(&self) -> Vec<(&'static str, u64)> {
        let connected = self.counters.connected.load(Ordering::Relaxed);
        let total = self.registry.count();
        let topics = self.topics.read();
        let retained = self.retained.len() as u64;
        let mut all = vec![
            ("uptime", self.last_tick.load(Ordering::Relaxed) / 1000),
            ("clients/total", total),
            ("clients/disconnected", total.saturating_sub(connected)),
            ("messages/stored", self.budget.runs()),
            ("store/messages/count", self.budget.runs()),
            ("store/messages/bytes", self.budget.used()),
            ("retained messages/count", retained),
            ("subscriptions/count", topics.subscription_count() as u64),
            ("shared_subscriptions/count", topics.shared_subscription_count() as u64),
        ];
        if let Some(ledger) = self.ledger() {
            all.extend(ledger.figures.snapshot());
        }
        all
    }
}

impl Broker for Engine {
    fn publish(&self, message: &MessageFrame, path: HookPath) {
        let Some(me) = self.me.upgrade() else { return };
        let Ok(run) = message.as_run() else { return };
        let worker = self.passing_worker(&me);
        admit(&worker, &Source { who: None, session: None, path }, run);
    }

    fn disconnect(&self, whom: &Whom, reason: ReasonCode) -> usize {
        let Some(me) = self.me.upgrade() else {
            return 0;
        };
        let worker = self.passing_worker(&me);
        let found: Vec<SessionRef> = match whom {
            Whom::Client(client_id) => self.registry.find(client_id).into_iter().collect(),
            Whom::Principal(principal) => self
                .registry
                .all()
                .filter(|session| session.identity().principal() == Some(principal))
                .collect(),
        };
        found.iter().filter(|session| worker.disconnect_session(session, reason)).count()
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        let mut all: Vec<_> = self.counters.snapshot().collect();
        all.extend(self.tallies.snapshot());
        all.extend(self.gauges());
        all
    }

    fn publish_to(&self, client_id: &str, message: &MessageFrame) -> Result<(), NotDone> {
        let me = self.me.upgrade().ok_or(NotDone::NoSuchSession)?;
        self.give_to(&self.passing_worker(&me), client_id, message)
    }

    fn subscribe_for(
        &self,
        client_id: &str,
        subscription: &SubscriptionRequest,
    ) -> Result<(), NotDone> {
        let me = self.me.upgrade().ok_or(NotDone::NoSuchSession)?;
        self.subscribe_in_place_of(&self.passing_worker(&me), client_id, subscription)
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), NotDone> {
        let me = self.me.upgrade().ok_or(NotDone::NoSuchSession)?;
        self.unsubscribe_in_place_of(&self.passing_worker(&me), client_id, filter)
    }

    fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        let now = Timestamp::from_millis(self.last_tick.load(Ordering::Relaxed));
        let filter = TopicFilter::new(topic).ok()?;
        let found = self.retained.matching(filter, now);
        let message = &found.first()?.message;
        let (publish, _) = message.message_at(0)?;
        Some(publish.payload.to_vec())
    }

    fn set_hooks(&self, hooks: Arc<dyn Hooks>) {
        Self::set_hooks(self, hooks);
    }

    fn invalidate(&self) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
    }
}
