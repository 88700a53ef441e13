use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::HashSet;
use parking_lot::Mutex;
use pintle_mqtt::Timestamp;

use crate::session::Session;

/// What of a session is no longer as it was stored; a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsaved(pub(crate) u8);

impl Unsaved {
    /// Who it is, its expiry, its will, and whether it is connected.
    pub(crate) const SESSION: Self = Self(1);
    pub(crate) const SUBSCRIPTIONS: Self = Self(1 << 1);
    /// What is in flight and what waits.
    pub(crate) const OUTBOUND: Self = Self(1 << 2);
    /// Open QoS 2 identifiers of the client's messages.
    pub(crate) const INBOUND: Self = Self(1 << 3);
    pub(crate) const ALL: Self = Self(0b1111);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Which sessions and retained messages are no longer as they were stored. There is one only if
/// there is a store.
pub(crate) struct Ledger {
    sessions: Mutex<HashSet<Arc<str>>>,
    topics: Mutex<HashSet<Box<str>>>,
    /// Wakes who stores. Called with a session locked, so it may not call back.
    wake: Box<dyn Fn() + Send + Sync>,
    /// From when on messages of QoS 1 and 2 are refused, in milliseconds of the broker's time.
    refuse_from: AtomicU64,
    pub(crate) figures: StoreFigures,
}

/// What is counted of the store.
#[derive(Default)]
pub(crate) struct StoreFigures {
    pub(crate) commits: AtomicU64,
    pub(crate) changes: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) broken: AtomicU64,
}

impl StoreFigures {
    pub(crate) fn snapshot(&self) -> [(&'static str, u64); 5] {
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        [
            ("store/commits", read(&self.commits)),
            ("store/changes", read(&self.changes)),
            ("store/errors", read(&self.errors)),
            ("store/refused", read(&self.refused)),
            ("store/broken", read(&self.broken)),
        ]
    }
}

impl Ledger {
    pub(crate) fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            sessions: Mutex::default(),
            topics: Mutex::default(),
            wake,
            refuse_from: AtomicU64::new(u64::MAX),
            figures: StoreFigures::default(),
        }
    }

    /// Notes that `what` of the session has changed, or is about to with its lock held.
    pub(crate) fn note(&self, session: &Session, what: Unsaved) {
        let known = Unsaved(session.unsaved.load(Ordering::Acquire));
        if known.contains(what) {
            return;
        }
        if session.unsaved.fetch_or(what.0, Ordering::AcqRel) == 0 {
            self.note_client(Arc::clone(&session.client_id));
        }
    }

    /// Notes that what is stored of a client has to be looked at.
    pub(crate) fn note_client(&self, client_id: Arc<str>) {
        let mut sessions = self.sessions.lock();
        if sessions.insert(client_id) && sessions.len() == 1 {
            drop(sessions);
            (self.wake)();
        }
    }

    /// Notes that another message is retained of `topic`, or none. What the broker says of itself
    /// is said anew when it begins.
    pub(crate) fn note_topic(&self, topic: &str) {
        if topic.starts_with("$SYS/") {
            return;
        }
        let mut topics = self.topics.lock();
        if !topics.contains(topic) {
            topics.insert(topic.into());
            if topics.len() == 1 {
                drop(topics);
                (self.wake)();
            }
        }
    }

    /// Everything that was noted since this was last called.
    pub(crate) fn take(&self) -> (VecDeque<Arc<str>>, VecDeque<Box<str>>) {
        let sessions = mem::take(&mut *self.sessions.lock());
        let topics = mem::take(&mut *self.topics.lock());
        (sessions.into_iter().collect(), topics.into_iter().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.lock().is_empty() && self.topics.lock().is_empty()
    }

    /// Whether what is published now could get lost: the store fails, or is too far behind.
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.refuse_from.load(Ordering::Relaxed)
    }

    pub(crate) fn set_refuse_from(&self, from: Timestamp) {
        self.refuse_from.store(from.as_millis(), Ordering::Relaxed);
    }
}
