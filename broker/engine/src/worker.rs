use std::cell::RefCell;
use std::sync::Arc;

use pintle_mqtt::{Publish, ReasonCode, Timestamp, TopicName};
use pintle_ports::{
    Action, CohortId, Event, EventKind, Hooks, Identity, Interest, Ruling, Verdict,
};

use crate::counters::Counts;
use crate::denials::Denial;
use crate::engine::{Bounds, Engine, HookTable};
use crate::route::{Route, RouteCache};
use crate::session::{DeliveryTerms, Session};

/// What one worker thread needs to handle packets: the engine, the hooks as loaded for the present
/// batch, cached routes, scratch space, and the time as the server told it.
pub struct Worker {
    engine: Arc<Engine>,
    pub(crate) now: Timestamp,
    table: Arc<HookTable>,
    bounds: Arc<Bounds>,
    version: u64,
    hooks_stamp: HooksStamp,
    counts: Arc<Counts>,
    routes: RefCell<RouteCache>,
    /// Acknowledgements and answers to the connection whose batch this is.
    pub(crate) replies: Vec<u8>,
    /// Subscriptions that this batch has made and ended.
    pub(crate) tree_changes: u32,
    /// Whether nothing but acknowledgements has come in this batch.
    pub(crate) only_acks: bool,
    pub(crate) packet_log: bool,
}

/// How a member of a shared group stands to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Connected,
    /// Its session keeps what it is given.
    Away,
    /// Its session has ended, or it has not the right.
    Excluded,
}

/// Tells the plugins that asked for this kind.
pub(crate) fn tell(worker: &Worker, kind: EventKind, event: Event<'_>) {
    if worker.interest().events.contains(kind) {
        worker.hooks().event(event);
    }
}

/// Under which hook table, rights and cohorts something was worked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HooksStamp {
    table: u64,
    generation: u64,
    invalidations: u64,
}

impl Worker {
    /// A worker of `engine`.
    pub fn new(engine: &Arc<Engine>) -> Self {
        let mut worker = Self {
            engine: Arc::clone(engine),
            now: Timestamp::default(),
            table: engine.table(),
            bounds: engine.bounds(),
            version: engine.version(),
            hooks_stamp: HooksStamp::default(),
            counts: engine.tallies.begin(),
            routes: RefCell::default(),
            replies: Vec::new(),
            tree_changes: 0,
            only_acks: true,
            packet_log: false,
        };
        worker.begin_batch();
        worker
    }

    /// Tells the time; it holds until it is told again.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The engine it works for.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Loads what is to stay the same for a batch of packets: hooks, bounds, generations.
    pub(crate) fn begin_batch(&mut self) {
        self.replies.clear();
        self.tree_changes = 0;
        self.only_acks = true;
        let version = self.engine.version();
        if self.version != version {
            self.table = self.engine.table();
            self.bounds = self.engine.bounds();
            self.version = version;
        }
        self.hooks_stamp = HooksStamp {
            table: self.table.number,
            generation: self.table.hooks.generation(),
            invalidations: self.engine.invalidations(),
        };
        self.packet_log = tracing::enabled!(target: "pintle::packets", tracing::Level::DEBUG);
    }

    pub(crate) fn hooks(&self) -> &dyn Hooks {
        &*self.table.hooks
    }

    pub(crate) fn interest(&self) -> &Interest {
        &self.table.interest
    }

    pub(crate) fn hooks_stamp(&self) -> HooksStamp {
        self.hooks_stamp
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(crate) fn delivery_terms(&self) -> DeliveryTerms<'_> {
        DeliveryTerms { limits: &self.bounds.outbound, budget: &self.engine.budget, now: self.now }
    }

    /// Asks the voters; a yes until further notice if there is none.
    pub(crate) fn authorize(&self, who: &Identity, action: Action<'_>) -> Ruling {
        if !self.interest().authorize && who.rules().is_none() {
            return Ruling::ALLOW;
        }
        self.hooks().authorize(who, action, self.now)
    }

    /// Whether `who` may be given `publish`, and until when that holds.
    pub(crate) fn may_receive(&self, who: &Identity, publish: &Publish<'_>) -> (bool, Timestamp) {
        let ruling = self.authorize(who, Action::Receive(publish));
        (ruling.verdict == Verdict::Allow, ruling.valid_until)
    }

    /// How a member of a shared group stands to a message.
    pub(crate) fn standing(&self, session: &Session, publish: &Publish<'_>) -> Standing {
        let (standing, identity) = {
            let state = session.lock();
            if state.ended {
                return Standing::Excluded;
            }
            let asks = self.interest().authorize || state.identity.rules().is_some();
            let connected = state.link.is_some();
            let standing = if connected { Standing::Connected } else { Standing::Away };
            (standing, asks.then(|| Arc::clone(&state.identity)))
        };
        match identity {
            Some(who) if !self.may_receive(&who, publish).0 => Standing::Excluded,
            Some(_) | None => standing,
        }
    }

    /// The group that `session` is delivered messages of `topic` with.
    pub(crate) fn cohort_for(&self, session: &Session, topic: TopicName<'_>) -> CohortId {
        if self.interest().deliver && self.hooks().wants_deliver(topic) {
            self.cohort_of(session)
        } else {
            CohortId::NONE
        }
    }

    /// The group that `session` is in for `on_deliver`; asked again when cohorts may have changed.
    pub(crate) fn cohort_of(&self, session: &Session) -> CohortId {
        if !self.interest().deliver {
            return CohortId::NONE;
        }
        let stamp = self.hooks_stamp.as_number();
        let (known, identity) = {
            let state = session.lock();
            (state.cohort(), Arc::clone(&state.identity))
        };
        match known {
            Some((at, cohort)) if at == stamp => cohort,
            Some(_) | None => {
                let cohort = self.hooks().cohort(&identity);
                let mut state = session.lock();
                if Arc::ptr_eq(&state.identity, &identity) {
                    state.aside_mut().cohort = Some((stamp, cohort));
                }
                cohort
            }
        }
    }

    /// Logs that `who` was denied something.
    pub(crate) fn tell_denial(
        &self,
        who: &Identity,
        what: &'static str,
        topic: Option<&str>,
        reason: ReasonCode,
        decided_by: Option<&str>,
    ) {
        let decided_by = decided_by.unwrap_or("core");
        self.engine.denials.tell(who, &Denial { what, topic, reason, decided_by }, self.now);
    }

    /// What this worker counts.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Shows `use_it` all receivers of a topic, from the cache if nothing has changed since.
    pub(crate) fn with_route<R>(
        &self,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        use_it: impl FnOnce(&Route) -> R,
    ) -> R {
        // Hooks that are called meanwhile publish by workers of their own.
        match self.routes.try_borrow_mut() {
            Ok(mut routes) => use_it(routes.find(self, topic, publish)),
            Err(_) => use_it(&Route::build(self, topic, publish)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.engine.tallies.end(&self.counts);
    }
}

impl HooksStamp {
    /// One number that differs when the stamp does, but for a chance of one in many.
    fn as_number(self) -> u64 {
        self.table.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ self.generation.wrapping_mul(0xd6e8_feb8_6659_fd93)
            ^ self.invalidations
    }
}
