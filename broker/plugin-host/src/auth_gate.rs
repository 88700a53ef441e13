use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time;

use crate::fault::{Fault, caught};
use crate::service::gone;

/// Where checks that take long are made: off the workers, a few at once, a bounded number waiting.
#[derive(Debug)]
pub(crate) struct AuthGate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// What came of work that was to be done off the workers.
pub(crate) enum OffWorker<T> {
    /// It was begun; how it ended, and how long that took.
    Ran(Result<T, Fault>, Duration),
    /// There was no place for it in time. No plugin is to blame.
    Busy,
}

/// A plugin's own threads see at the next tick that a call is late.
const GRACE: Duration = Duration::from_millis(20);

/// When waiting for a place ends, and when everything does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    place: time::Instant,
    answer: time::Instant,
}

impl Deadlines {
    /// Half of `budget` may pass before the work begins, so that it is not the plugin's fault when
    /// time runs out.
    pub(crate) fn within(budget: Duration) -> Self {
        let now = time::Instant::now();
        Self { place: now + budget / 2, answer: now + budget }
    }

    /// Waits for what is being done elsewhere, where it ends in time by itself: a little longer, to
    /// hear what held it up.
    pub(crate) async fn wait_for<T>(
        self,
        answer: oneshot::Receiver<Result<T, Fault>>,
    ) -> OffWorker<T> {
        let began = Instant::now();
        let answer = match time::timeout_at(self.answer + GRACE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(Fault::late()),
        };
        OffWorker::Ran(answer, began.elapsed())
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AuthGate {
    pub(crate) fn new(concurrency_max: usize, waiting_max: usize) -> Self {
        let places = concurrency_max.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), waiting_max }
    }

    /// Runs `work` on the blocking threads of the present runtime. Work that is too late goes on to
    /// its end and keeps its place until then; only its answer is not waited for.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        deadlines: Deadlines,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> OffWorker<T> {
        let Some(place) = self.place(deadlines.place).await else {
            return OffWorker::Busy;
        };
        let began = Instant::now();
        let running = Handle::current().spawn_blocking(move || {
            let answer = caught(work);
            drop(place);
            answer
        });
        let answer = match time::timeout_at(deadlines.answer, running).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Fault::late()),
        };
        OffWorker::Ran(answer, began.elapsed())
    }

    async fn place(&self, until: time::Instant) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let ahead = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if ahead >= self.waiting_max {
            return None;
        }
        let place = Arc::clone(&self.places).acquire_owned();
        time::timeout_at(until, place).await.ok()?.ok()
    }
}
