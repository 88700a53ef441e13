use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use pintle_engine::Worker;

use super::clock::{Clock, CoarseTime};
use super::connection::{Conn, Writer};
use super::share::Share;
use super::signals::Signal;
use super::spare_buffers::SpareBuffers;

/// What a worker thread has at hand, and shares with no other.
pub(super) struct Desk {
    is_staffed: Cell<bool>,
    clock: Cell<Option<Clock>>,
    batch_time: Cell<CoarseTime>,
    engine: RefCell<Option<Worker>>,
    read_buffer: RefCell<Vec<u8>>,
    /// Connections of any worker that have something to be sent by the end of the turn.
    deferred: RefCell<VecDeque<Arc<Conn>>>,
    pump: RefCell<Option<Waker>>,
    feeder: RefCell<Option<Waker>>,
    /// Tasks that have had their share of this turn and have more to read.
    unsated: RefCell<Vec<Waker>>,
    /// What the greediest of them reads at once.
    unsated_bytes: Cell<usize>,
    last_reader: Cell<usize>,
    /// When it was another connection that read than the one before.
    crowded_at: Cell<CoarseTime>,
    connections: RefCell<Vec<Option<Arc<Conn>>>>,
    free_places: RefCell<Vec<usize>>,
    paused: RefCell<Vec<Arc<Conn>>>,
    spare_buffers: RefCell<SpareBuffers>,
    load: RefCell<Option<Arc<AtomicUsize>>>,
    /// Bytes given to the engine since everything deferred was sent.
    unsent_bytes: Cell<usize>,
}

/// One buffer a worker, for whoever reads.
pub(super) const READ_BUFFER_BYTES: usize = 64 * 1024;
/// What may be read in one turn before the receivers are sent to without waiting for its end: less
/// than an outbox holds, so that many publishers together do not overrun a subscriber that keeps up.
const UNSENT_BYTES_MAX: usize = 256 * 1024;

/// How long a worker counts as crowded after two of its connections have read in turn.
const CROWDED_MILLIS: u32 = 100;

/// In how many ticks the sweep comes to every connection: within 0.8 s.
const SWEEP_TICKS: usize = 8;

thread_local! {
    static DESK: Desk = const { Desk::new() };
}

/// Runs `f` with this thread's desk.
///
/// # Panics
/// While the thread is ending, when no task runs any more.
pub(super) fn at_desk<R>(f: impl FnOnce(&Desk) -> R) -> R {
    DESK.with(f)
}

/// Notes `conn` down for the end of this worker's turn; gives it back where no worker runs.
pub(super) fn defer(conn: Arc<Conn>) -> Result<(), Arc<Conn>> {
    let mut conn = Some(conn);
    let _ = DESK.try_with(|desk| {
        if desk.is_staffed.get() {
            desk.defer(conn.take());
        }
    });
    conn.map_or(Ok(()), Err)
}

/// An empty buffer that need not grow first, if there is one.
pub(super) fn spare_buffer() -> Vec<u8> {
    DESK.try_with(|desk| desk.spare_buffers.borrow_mut().take()).unwrap_or_default()
}

/// Keeps a buffer for the next who needs one, if it is worth it.
pub(super) fn recycle(buffer: Vec<u8>) {
    let _ = DESK.try_with(|desk| {
        if desk.is_staffed.get() {
            desk.spare_buffers.borrow_mut().put(buffer);
        }
    });
}

fn remember(place: &RefCell<Option<Waker>>, task: &Context<'_>) {
    let mut place = place.borrow_mut();
    if !place.as_ref().is_some_and(|known| known.will_wake(task.waker())) {
        *place = Some(task.waker().clone());
    }
}

impl Desk {
    const fn new() -> Self {
        Self {
            is_staffed: Cell::new(false),
            clock: Cell::new(None),
            batch_time: Cell::new(CoarseTime(0)),
            engine: RefCell::new(None),
            read_buffer: RefCell::new(Vec::new()),
            deferred: RefCell::new(VecDeque::new()),
            pump: RefCell::new(None),
            feeder: RefCell::new(None),
            unsated: RefCell::new(Vec::new()),
            unsated_bytes: Cell::new(0),
            last_reader: Cell::new(usize::MAX),
            crowded_at: Cell::new(CoarseTime(0)),
            connections: RefCell::new(Vec::new()),
            free_places: RefCell::new(Vec::new()),
            paused: RefCell::new(Vec::new()),
            spare_buffers: RefCell::new(SpareBuffers::new()),
            load: RefCell::new(None),
            unsent_bytes: Cell::new(0),
        }
    }

    /// Makes this thread a worker.
    pub(super) fn open(&self, worker: Worker, clock: Clock, load: Arc<AtomicUsize>) {
        self.engine.replace(Some(worker));
        self.clock.set(Some(clock));
        self.read_buffer.replace(vec![0; READ_BUFFER_BYTES]);
        self.load.replace(Some(load));
        self.is_staffed.set(true);
    }

    /// Ends what [`Desk::open`] began; sends first what is still to be sent.
    pub(super) fn close(&self) {
        while self.flush_deferred(usize::MAX) {}
        self.is_staffed.set(false);
        self.paused.take();
        self.connections.take();
        self.spare_buffers.take();
        self.unsated.take();
        self.feeder.take();
        self.pump.take();
        self.engine.take();
    }

    /// Runs `f` with the engine's worker, which is told the time first. Nothing if it is in use.
    pub(super) fn with_worker<R>(&self, f: impl FnOnce(&mut Worker) -> R) -> Option<R> {
        let mut engine = self.engine.try_borrow_mut().ok()?;
        let worker = engine.as_mut()?;
        let now = self.clock.get()?.now();
        self.batch_time.set(CoarseTime::of(now));
        worker.set_now(now);
        Some(f(worker))
    }

    /// When the engine's worker was last used: the present moment for who has just used it.
    pub(super) fn batch_time(&self) -> CoarseTime {
        self.batch_time.get()
    }

    pub(super) fn now(&self) -> CoarseTime {
        CoarseTime::of(self.clock.get().map(Clock::now).unwrap_or_default())
    }

    pub(super) fn read_buffer(&self) -> &RefCell<Vec<u8>> {
        &self.read_buffer
    }

    /// Takes a connection in; returns its place, to be given back with [`Desk::leave`].
    pub(super) fn take_in(&self, conn: Arc<Conn>) -> usize {
        let mut connections = self.connections.borrow_mut();
        let place = self.free_places.borrow_mut().pop().unwrap_or(connections.len());
        match connections.get_mut(place) {
            Some(free) => *free = Some(conn),
            None => connections.push(Some(conn)),
        }
        place
    }

    pub(super) fn leave(&self, place: usize) {
        if let Some(taken) = self.connections.borrow_mut().get_mut(place)
            && taken.take().is_some()
        {
            self.free_places.borrow_mut().push(place);
        }
        self.lighten();
    }

    /// One connection less is served here, or about to be.
    pub(super) fn lighten(&self) {
        if let Some(load) = &*self.load.borrow() {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Tells `conn` at the next tick that its pause is over.
    pub(super) fn pause(&self, conn: Arc<Conn>) {
        self.paused.borrow_mut().push(conn);
    }

    /// What is due every tick: ends pauses, and tells one part of the connections if their peers
    /// have been silent for too long.
    pub(super) fn tick(&self, count: usize) {
        for conn in self.paused.take() {
            conn.signal(Signal::Retry);
        }
        let now = self.now();
        let connections = self.connections.borrow();
        let part = connections.iter().skip(count % SWEEP_TICKS).step_by(SWEEP_TICKS);
        for conn in part.flatten().filter(|conn| conn.is_silent_too_long(now)) {
            conn.signal(Signal::Silent);
        }
    }

    fn defer(&self, conn: Option<Arc<Conn>>) {
        let mut deferred = self.deferred.borrow_mut();
        let was_empty = deferred.is_empty();
        deferred.extend(conn);
        drop(deferred);
        if was_empty && let Some(pump) = &*self.pump.borrow() {
            pump.wake_by_ref();
        }
    }

    /// What the connection at `place` may read in the turn that it has now.
    pub(super) fn share_of(&self, place: usize) -> Share {
        let now = self.batch_time();
        if self.last_reader.replace(place) != place {
            self.crowded_at.set(now);
        }
        Share::among(self.is_crowded())
    }

    /// Whether several connections of this worker have something to say.
    pub(super) fn is_crowded(&self) -> bool {
        self.batch_time().millis_since(self.crowded_at.get()) < CROWDED_MILLIS
    }

    /// Has the task, which reads `bytes` at once, go on once the others have had their turn.
    pub(super) fn go_on_later(&self, bytes: usize, task: &Context<'_>) {
        self.unsated_bytes.set(self.unsated_bytes.get().max(bytes));
        let mut unsated = self.unsated.borrow_mut();
        let was_empty = unsated.is_empty();
        unsated.push(task.waker().clone());
        drop(unsated);
        if was_empty && let Some(feeder) = &*self.feeder.borrow() {
            feeder.wake_by_ref();
        }
    }

    /// Lets those go on who had more to read.
    pub(super) fn wake_unsated(&self) {
        self.unsated_bytes.set(0);
        let mut unsated = self.unsated.take();
        unsated.drain(..).for_each(Waker::wake);
        self.unsated.replace(unsated);
    }

    /// How much those who have more to read may read at once.
    pub(super) fn unsated_bytes(&self) -> usize {
        self.unsated_bytes.get()
    }

    /// Ready once somebody has more to read than it was to; the task that asks is the feeder.
    pub(super) fn poll_unsated(&self, task: &Context<'_>) -> Poll<()> {
        remember(&self.feeder, task);
        if self.unsated.borrow().is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The engine was given `bytes` bytes; sends at once if that is much for one turn.
    pub(super) fn count_read(&self, bytes: usize) {
        let unsent = self.unsent_bytes.get() + bytes;
        self.unsent_bytes.set(unsent);
        if unsent > UNSENT_BYTES_MAX {
            self.flush_deferred(usize::MAX);
        }
    }

    /// Ready once something is deferred; the task that asks is the pump.
    pub(super) fn poll_deferred(&self, task: &Context<'_>) -> Poll<()> {
        remember(&self.pump, task);
        if self.deferred.borrow().is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Sends for at most `receivers_max` of the deferred; whether some are left.
    pub(super) fn flush_deferred(&self, receivers_max: usize) -> bool {
        for _ in 0..receivers_max {
            // A statement of its own, so that the list is free while the connection is flushed.
            let next = self.deferred.borrow_mut().pop_front();
            let Some(conn) = next else {
                self.unsent_bytes.set(0);
                return false;
            };
            conn.flush(Writer::Anyone);
        }
        !self.deferred.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_reads_as_much_as_there_is() {
        let desk = Desk::new();
        desk.batch_time.set(CoarseTime(1_000));
        desk.share_of(1);
        desk.batch_time.set(CoarseTime(1_000 + CROWDED_MILLIS));

        assert_eq!(desk.share_of(1), Share::among(false));
        assert!(!desk.is_crowded());
    }

    #[test]
    fn where_several_read_each_reads_a_little() {
        let desk = Desk::new();
        desk.batch_time.set(CoarseTime(1_000));
        desk.share_of(1);
        desk.share_of(2);
        desk.batch_time.set(CoarseTime(1_000 + CROWDED_MILLIS - 1));

        assert_eq!(desk.share_of(2), Share::among(true));
        assert_eq!(desk.share_of(1), Share::among(true));
    }

    #[test]
    fn who_has_more_to_read_waits_for_the_feeder() {
        let desk = Desk::new();
        let task = Context::from_waker(Waker::noop());
        assert_eq!(desk.poll_unsated(&task), Poll::Pending);

        desk.go_on_later(100, &task);
        desk.go_on_later(50, &task);

        assert_eq!(desk.poll_unsated(&task), Poll::Ready(()));
        assert_eq!(desk.unsated_bytes(), 100);
        desk.wake_unsated();
        assert_eq!(desk.poll_unsated(&task), Poll::Pending);
        assert_eq!(desk.unsated_bytes(), 0);
    }
}
