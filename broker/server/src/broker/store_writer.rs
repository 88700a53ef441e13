use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};
use pintle_engine::{Engine, Restored, StoreFeed};
use pintle_mqtt::Timestamp;
use pintle_ports::{Store, StoreError, StoreOp};
use tracing::{error, info};

/// Takes to the store what must outlive the broker, on a thread of its own. Ends with a last look,
/// a flush and a close.
pub(super) struct StoreWriter {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread waits for.
#[derive(Default)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    something_changed: bool,
    ends: bool,
}

impl Signal {
    fn wake(&self) {
        self.state.lock().something_changed = true;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().ends = true;
        self.changed.notify_all();
    }

    /// Waits for a change, the end, or at most so long; whether something has changed.
    fn wait(&self, longest: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        let deadline = longest.map(|longest| Instant::now() + longest);
        while !state.something_changed && !state.ends {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut state.something_changed)
    }

    /// Waits so long, or until the end; whether that has come.
    fn pause(&self, span: Duration) -> bool {
        let mut state = self.state.lock();
        let deadline = Instant::now() + span;
        while !state.ends && !self.changed.wait_until(&mut state, deadline).timed_out() {}
        state.ends
    }

    fn ends(&self) -> bool {
        self.state.lock().ends
    }
}

impl StoreWriter {
    /// Opens `store`, gives the engine what it has, and writes from then on. Messages of QoS 1 and
    /// 2 are refused where a change waits for longer than `lag_max`.
    ///
    /// # Errors
    /// If the store can not be opened or read.
    pub(super) fn start(
        engine: &Arc<Engine>,
        store: Arc<dyn Store>,
        lag_max: Duration,
    ) -> Result<(Self, Restored), StoreError> {
        store.open()?;
        let signal = Arc::new(Signal::default());
        let waking = Arc::clone(&signal);
        let (feed, restored) =
            engine.restore(&*store, now_ms(), Box::new(move || waking.wake()))?;
        let writing = Writing {
            engine: Arc::clone(engine),
            store,
            feed,
            lag_max,
            signal: Arc::clone(&signal),
            is_failing: false,
            unflushed_since: None,
            flush_every: FLUSH_EVERY,
        };
        // What the restart left to be mended is the first change.
        signal.wake();
        let thread = thread::Builder::new()
            .name("pintle-store".to_owned())
            .spawn(move || writing.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok((Self { signal, thread: Some(thread) }, restored))
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        self.signal.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The thread that stores has panicked: what changed last is not stored.");
        }
    }
}

/// Changes are gathered for so long before they are written together.
const GATHER_MIN: Duration = Duration::from_millis(5);
const GATHER_MAX: Duration = Duration::from_secs(1);
/// About so many changes, and so many bytes, to a batch.
const BATCH_OPS: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
/// How often the store is flushed, if that does not take long.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a store that fails is tried at the end, and how often all is looked at.
const LAST_TRIES: u32 = 10;
const LAST_LOOKS: u32 = 3;

struct Writing {
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    feed: StoreFeed,
    lag_max: Duration,
    signal: Arc<Signal>,
    is_failing: bool,
    unflushed_since: Option<Instant>,
    flush_every: Duration,
}

impl Writing {
    fn run(mut self) {
        let mut gathering = GATHER_MIN;
        loop {
            let until_flush =
                self.unflushed_since.map(|at| self.flush_every.saturating_sub(at.elapsed()));
            if self.signal.wait(until_flush) {
                let refuse_from = self.engine.now().plus(self.lag_max);
                self.engine.refuse_from(refuse_from);
                self.signal.pause(gathering);
                let began = Instant::now();
                self.write_all();
                gathering = began.elapsed().clamp(GATHER_MIN, GATHER_MAX);
            }
            if self.signal.ends() {
                return self.finish();
            }
            if self.unflushed_since.is_some_and(|at| at.elapsed() >= self.flush_every) {
                self.flush();
            }
        }
    }

    /// One pass; false if it had to be given up at the end of the broker.
    fn write_all(&mut self) -> bool {
        loop {
            let batch = self.feed.gather(&self.engine, BATCH_OPS, BATCH_BYTES);
            if batch.is_empty() {
                break;
            }
            if !self.write(&batch) {
                return false;
            }
            if self.feed.is_pass_over() {
                break;
            }
        }
        self.engine.refuse_from(Timestamp::NEVER);
        true
    }

    /// Tries until it is done; false if it could not be at the end of the broker.
    fn write(&mut self, batch: &[StoreOp]) -> bool {
        let mut wait = RETRY_MIN;
        let mut last_tries = 0;
        loop {
            match self.store.apply(batch) {
                Ok(()) => {
                    self.engine.count_commit(batch.len());
                    self.unflushed_since.get_or_insert_with(Instant::now);
                    if std::mem::take(&mut self.is_failing) {
                        self.engine.refuse_from(self.engine.now().plus(self.lag_max));
                        info!("The store works again.");
                    }
                    return true;
                }
                Err(error) => self.fails(&error),
            }
            if self.signal.pause(wait) {
                last_tries += 1;
                if last_tries > LAST_TRIES {
                    return false;
                }
                thread::sleep(RETRY_MIN);
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    fn fails(&mut self, error: &StoreError) {
        self.engine.count_store_error();
        if *error == StoreError::Busy {
            return;
        }
        self.engine.refuse_from(Timestamp::default());
        if !std::mem::replace(&mut self.is_failing, true) {
            error!(%error, "The store fails: QoS 1 and 2 are refused until it works again.");
        }
    }

    fn flush(&mut self) {
        let began = Instant::now();
        match self.store.flush() {
            Ok(()) => self.unflushed_since = None,
            Err(error) => {
                self.engine.count_store_error();
                self.unflushed_since = Some(Instant::now());
                error!(%error, "The store can not be flushed.");
            }
        }
        // One that writes everything each time is not to do nothing else.
        self.flush_every = FLUSH_EVERY.max(began.elapsed() * 10);
    }

    /// The workers have ended: nothing changes any more.
    fn finish(mut self) {
        let mut is_written = true;
        for _ in 0..LAST_LOOKS {
            if is_written && self.feed.has_more(&self.engine) {
                is_written = self.write_all();
            }
        }
        if !is_written {
            error!("The store fails: what changed last is lost.");
        }
        let flushed = self.store.flush();
        if let Err(error) = flushed.and(self.store.close()) {
            error!(%error, "The store could not be closed: what changed last may be lost.");
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
