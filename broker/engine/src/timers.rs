use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pintle_mqtt::Timestamp;

use crate::aside::Deadlines;
use crate::session::{Session, SessionRef};

/// When sessions without a connection are to be looked at again; one entry a session at most.
#[derive(Default)]
pub(crate) struct Timers {
    due: Mutex<BTreeMap<(Timestamp, u64), SessionRef>>,
}

impl Timers {
    /// Replaces what `session` waits for. The caller holds the session's lock, and stores
    /// `deadlines` there.
    pub(crate) fn set(&self, session: &Arc<Session>, old: Deadlines, new: Deadlines) {
        if old.first() == Timestamp::NEVER && new.first() == Timestamp::NEVER {
            return;
        }
        let mut due = self.due.lock();
        due.remove(&(old.first(), session.key));
        if new.first() != Timestamp::NEVER {
            due.insert((new.first(), session.key), SessionRef(Arc::clone(session)));
        }
    }

    /// Takes one session that is due.
    pub(crate) fn pop(&self, now: Timestamp) -> Option<SessionRef> {
        let mut due = self.due.lock();
        let first = due.first_entry()?;
        if first.key().0 <= now { Some(first.remove()) } else { None }
    }
}
