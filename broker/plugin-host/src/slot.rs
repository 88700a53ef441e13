use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pintle_mqtt::Timestamp;
use pintle_plugin_api::Hooks;
use tracing::warn;

use crate::breaker::Permit;
use crate::event_queue::EventQueue;
use crate::fault::{ErrorKind, Fault};
use crate::hook::Hook;
use crate::instance::{Abilities, Instance};
use crate::meter::{Answered, Counts, HookStats, Meter};
use crate::plugin_state::PluginState;
use crate::share::{SHORT, WorkerShare};
use crate::spec::{Budgets, ErrorPolicy};
use crate::thread_time::{take_built, thread_time};
use crate::ticker::{TICK, ticks};
use crate::topic_set::TopicSet;

/// A place in the table: an instance and everything that is kept about it outside of it.
pub(crate) struct Slot {
    pub(crate) state: Arc<PluginState>,
    /// Whether its calls are bounded in time, and the ticker thus runs.
    is_script: bool,
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) topics: TopicSet,
    pub(crate) on_error: ErrorPolicy,
    pub(crate) budgets: Budgets,
    pub(crate) events: EventQueue,
    /// What the last error was, if the plugin was asked at all.
    last_error: Mutex<Option<String>>,
    is_retired: AtomicBool,
    share: WorkerShare,
    meters: [Meter; Hook::ALL.len()],
}

/// What a new [`Slot`] is made of.
pub(crate) struct SlotParts {
    pub(crate) state: Arc<PluginState>,
    pub(crate) kind: &'static str,
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) topics: TopicSet,
    pub(crate) on_error: ErrorPolicy,
    pub(crate) budgets: Budgets,
    pub(crate) event_queue_max: usize,
    pub(crate) worker_share: Duration,
}

/// Reads the clock once between two calls rather than twice around each, and not at all where
/// nothing is called.
#[derive(Default)]
pub(crate) struct Stopwatch(Option<Instant>);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Some(Instant::now()))
    }

    /// Begins the first lap; the others begin where the one before ended.
    #[inline]
    fn run(&mut self) {
        if self.0.is_none() {
            self.0 = Some(Instant::now());
        }
    }

    /// The next lap begins when it is run again.
    #[inline]
    fn stop(&mut self) {
        self.0 = None;
    }

    /// The time since the start or the lap before.
    #[inline]
    pub(crate) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        self.0.replace(now).map_or(Duration::ZERO, |before| now - before)
    }
}

thread_local! {
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a hook that the engine called, and the engine thus not to be
/// called back.
pub(crate) fn is_in_hook() -> bool {
    IN_HOOK.get()
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        parts.state.has_hooks(parts.instance.about().hooks);
        Self {
            state: parts.state,
            is_script: parts.kind != "native",
            instance: parts.instance,
            topics: parts.topics,
            on_error: parts.on_error,
            budgets: parts.budgets,
            events: EventQueue::new(parts.event_queue_max),
            last_error: Mutex::default(),
            is_retired: AtomicBool::new(false),
            share: WorkerShare::new(parts.worker_share),
            meters: Default::default(),
        }
    }

    pub(crate) fn about(&self) -> &Abilities {
        self.instance.about()
    }

    /// Another slot has taken its place, or none. Calls under way are finished.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.state.work.notify_one();
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }

    pub(crate) fn has(&self, hooks: Hooks) -> bool {
        self.about().hooks.contains(hooks)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is a meter for each variant, and a hook's number is below their count"
    )]
    pub(crate) fn meter(&self, hook: Hook) -> &Meter {
        &self.meters[hook as usize]
    }

    /// Calls one hook: the one way to an instance for everything that breaker, figures and log
    /// know about.
    ///
    /// # Errors
    /// What `ask` returned, or that the breaker is open; counted and logged.
    #[inline]
    pub(crate) fn call<T>(
        &self,
        hook: Hook,
        now: Timestamp,
        watch: &mut Stopwatch,
        ask: impl FnOnce(&dyn Instance) -> Result<(Answered, T), Fault>,
    ) -> Result<T, Fault> {
        let is_bounded = self.is_script && hook.is_on_worker();
        if is_bounded && self.share.is_used_up(now) {
            let fault = Fault::new(ErrorKind::Share, "it has used its share of the worker's time");
            self.note(hook, None, now, &fault);
            return Err(fault);
        }
        let permit = self.begin(hook, now)?;
        let counts = self.meter(hook).here();
        let answer = if !is_bounded {
            watch.run();
            let answer = self.in_hook(hook, ask);
            counts.took(watch.lap(), 1, self.budgets.of(hook));
            answer
        } else if self.share.is_watched() || self.share.is_strict(now) {
            self.in_watched_hook(hook, counts, now, watch, ask)
        } else {
            match counts.pace.begin() {
                Some(calls) => {
                    watch.run();
                    let answer = self.in_hook(hook, ask);
                    let took = watch.lap();
                    counts.took(took, calls, self.budgets.of(hook));
                    counts.pace.was(took);
                    self.share.count_seen(took, now);
                    answer
                }
                None => self.in_untimed_hook(hook, counts, now, watch, ask),
            }
        };
        self.count(hook, permit, now, answer)
    }

    /// The call of a plugin that is watched: if it is timed, what the thread ran is measured too.
    #[cold]
    fn in_watched_hook<T>(
        &self,
        hook: Hook,
        counts: &Counts,
        now: Timestamp,
        watch: &mut Stopwatch,
        ask: impl FnOnce(&dyn Instance) -> T,
    ) -> T {
        let is_strict = self.share.is_strict(now);
        let calls = if is_strict { Some(counts.pace.begin_timed()) } else { counts.pace.begin() };
        let Some(calls) = calls else {
            return self.in_untimed_hook(hook, counts, now, watch, ask);
        };
        watch.run();
        take_built();
        let began = thread_time();
        let answer = self.in_hook(hook, ask);
        let (ran, built) = (thread_time().saturating_sub(began), take_built());
        counts.took(watch.lap(), calls, self.budgets.of(hook));
        counts.pace.was(ran);
        self.share.count_measured(ran.saturating_sub(built), built, now);
        answer
    }

    #[inline]
    fn in_untimed_hook<T>(
        &self,
        hook: Hook,
        counts: &Counts,
        now: Timestamp,
        watch: &mut Stopwatch,
        ask: impl FnOnce(&dyn Instance) -> T,
    ) -> T {
        watch.stop();
        let began = ticks();
        let answer = self.in_hook(hook, ask);
        let passed = ticks() - began;
        if passed > 0 {
            self.count_ticks(hook, counts, passed, now);
        }
        answer
    }

    /// Counts the time of a call during which this many ticks passed, and that was not timed: it took
    /// at least what is between them.
    #[cold]
    fn count_ticks(&self, hook: Hook, counts: &Counts, passed: u64, now: Timestamp) {
        let ticks = u32::try_from(passed - 1).unwrap_or(u32::MAX);
        let took = TICK.saturating_mul(ticks);
        if took > SHORT {
            counts.took(took, 1, self.budgets.of(hook));
            self.share.count_seen(took, now);
        }
        counts.pace.was(TICK);
    }

    /// The bare call. `ask` does not panic: instances catch what their code lets loose.
    #[inline]
    pub(crate) fn in_hook<T>(&self, hook: Hook, ask: impl FnOnce(&dyn Instance) -> T) -> T {
        let was_in_hook = IN_HOOK.replace(hook.is_on_worker());
        let answer = ask(&*self.instance);
        IN_HOOK.set(was_in_hook);
        answer
    }

    /// Asks the breaker whether a call may be made.
    ///
    /// # Errors
    /// It may not; counted and logged.
    #[inline]
    pub(crate) fn begin(&self, hook: Hook, now: Timestamp) -> Result<Permit, Fault> {
        match self.meter(hook).breaker().admit(now) {
            Some(permit) => {
                if permit.is_trial() {
                    self.instance.renew();
                }
                Ok(permit)
            }
            None => {
                let fault = Fault::breaker_open();
                self.note(hook, None, now, &fault);
                Err(fault)
            }
        }
    }

    /// Counts a call that was begun, and waited for.
    ///
    /// # Errors
    /// That of `answer`.
    pub(crate) fn end<T>(
        &self,
        hook: Hook,
        permit: Permit,
        now: Timestamp,
        took: Duration,
        answer: Result<(Answered, T), Fault>,
    ) -> Result<T, Fault> {
        self.meter(hook).here().took(took, 1, self.budgets.of(hook));
        self.count(hook, permit, now, answer)
    }

    #[inline]
    fn count<T>(
        &self,
        hook: Hook,
        permit: Permit,
        now: Timestamp,
        answer: Result<(Answered, T), Fault>,
    ) -> Result<T, Fault> {
        match answer {
            Ok((answered, value)) => {
                let meter = self.meter(hook);
                meter.here().answered(answered);
                meter.breaker().succeeded(permit);
                Ok(value)
            }
            Err(fault) => {
                self.note(hook, Some(permit), now, &fault);
                Err(fault)
            }
        }
    }

    /// Counts an error, and logs it if none of its kind was logged for a while.
    #[cold]
    pub(crate) fn note(&self, hook: Hook, permit: Option<Permit>, now: Timestamp, fault: &Fault) {
        if !matches!(fault.kind, ErrorKind::BreakerOpen | ErrorKind::Share) {
            *self.last_error.lock() = Some(format!("{}: {fault}", hook.name()));
        }
        let Some(count) = self.meter(hook).failed(permit, fault.kind, now) else {
            return;
        };
        let (plugin, kind) = (&*self.state.name, fault.kind.name());
        warn!(plugin, hook = hook.name(), kind, count, error = %fault, "A plugin failed.");
    }

    pub(crate) fn stats(&self, now: Timestamp) -> PluginStats {
        let named = Hook::ALL.into_iter().filter(|hook| self.has(hook.flag()));
        PluginStats {
            name: self.state.name.to_string(),
            hooks: named.map(|hook| self.meter(hook).stats(hook, now)).collect(),
            last_error: self.last_error.lock().clone(),
            events_lost: self.events.lost_total(),
            messages_refused: self.state.messages_refused(),
            decisions_cached: self.state.decisions.len(),
            decisions_reused: self.state.decisions.hits(),
        }
    }
}

/// The figures of one plugin since it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginStats {
    /// Its name.
    pub name: String,
    /// One entry for each hook it has.
    pub hooks: Vec<HookStats>,
    /// The last error of the plugin's own, with its hook.
    pub last_error: Option<String>,
    /// Events that did not fit into its queue, or came while it failed.
    pub events_lost: u64,
    /// Messages it made that were not granted, or became what is not, or came through too many
    /// plugins.
    pub messages_refused: u64,
    /// Decisions that are kept for more than one topic or session.
    pub decisions_cached: usize,
    /// Times that such a decision answered in its place.
    pub decisions_reused: u64,
}

impl PluginStats {
    /// The figures of `hook`; `None` if the plugin does not have it.
    pub fn hook(&self, hook: Hook) -> Option<&HookStats> {
        self.hooks.iter().find(|stats| stats.hook == hook)
    }

    /// Errors of `kind` in all hooks together.
    pub fn errors(&self, kind: ErrorKind) -> u64 {
        let errors = self.hooks.iter().flat_map(|stats| &stats.errors);
        errors.filter(|(found, _)| *found == kind).map(|(_, count)| count).sum()
    }
}
