use std::sync::Arc;
use std::sync::atomic::Ordering;

use pintle_mqtt::{Connect, ReasonCode, Timestamp};
use pintle_ports::{Epoch, Identity};
use pintle_session::{
    Ending, KeepAlive, SessionExpiry, WillFate, keep_alive_terms, waiting_will_fate, will_fate,
};

use crate::aside::Deadlines;
use crate::connect::{Opening, Refused, connection_terms};
use crate::connection::Connection;
use crate::counters::add;
use crate::deliver::Totals;
use crate::session::{DueWill, PendingWill, Session, SessionRef, SessionState};
use crate::session_end::farewell;
use crate::store::Unsaved;
use crate::worker::Worker;

/// A session that a connection has just got.
pub(crate) struct Opened {
    pub(crate) session: SessionRef,
    pub(crate) identity: Arc<Identity>,
    pub(crate) epoch: Epoch,
    pub(crate) resumed: bool,
    pub(crate) taken_over: bool,
    pub(crate) keep_alive_secs: u16,
}

impl Connection {
    /// Resumes the client's session, or begins one; a connection that has it is cut off
    /// [MQTT-3.1.4-3]. Refused if `sessions_max` is reached.
    pub(crate) fn open_session(
        &self,
        worker: &Worker,
        opening: &Opening<'_>,
        mut identity: Identity,
        will: Option<Box<PendingWill>>,
    ) -> Result<Opened, Refused> {
        let engine = worker.engine();
        let client_id = Arc::clone(&identity.client_id);
        let mut shard = engine.registry.shard(&client_id);
        // Who shuts down looks at this shard after it said so.
        if engine.is_shutting_down() {
            let what = "the broker is shutting down";
            return Err(Refused { reason: ReasonCode::ServerUnavailable, what });
        }
        let existing = shard.get(&*client_id).map(|found| found.0.clone());
        let resumable = existing.as_ref().filter(|session| {
            !opening.connect.clean_start && session.lock().is_resumable(worker.now)
        });
        let resumed = resumable.is_some();
        let session = match resumable {
            Some(session) => session.clone(),
            None => {
                let sessions_max = u64::from(worker.bounds().settings.sessions_max);
                if existing.is_none() && engine.registry.count() >= sessions_max {
                    let what = "sessions_max is reached";
                    return Err(Refused { reason: ReasonCode::QuotaExceeded, what });
                }
                let key = engine.new_session_key();
                let provisional = Arc::new(Identity { session_key: key, ..identity.copied() });
                let session = SessionRef(Arc::new(Session::new(key, client_id, provisional)));
                engine.registry.insert(&mut shard, session.clone());
                session
            }
        };
        identity.session_key = session.key;
        let identity = Arc::new(identity);
        let taken = self.take_session(worker, opening, &session, &identity, will, resumed);
        drop(shard);
        let mut taken_over = taken.was_connected;
        if let Some(due) = taken.cut_off_will {
            worker.send_will(&due);
        }
        if let Some(old) = existing.filter(|_| !resumed) {
            taken_over = worker.replace_session(&old);
        }
        let Taken { epoch, keep_alive_secs, .. } = taken;
        Ok(Opened { session, identity, epoch, resumed, taken_over, keep_alive_secs })
    }

    /// Everything that happens to the session under its lock.
    fn take_session(
        &self,
        worker: &Worker,
        opening: &Opening<'_>,
        session: &SessionRef,
        identity: &Arc<Identity>,
        will: Option<Box<PendingWill>>,
        resumed: bool,
    ) -> Taken {
        let connect = opening.connect;
        let (is_v5, asked_secs) = (connect.version.is_v5(), connect.keep_alive_secs);
        let keep_alive = keep_alive_terms(asked_secs, self.terms.keep_alive_secs_max, is_v5);
        let mut guard = session.lock();
        let state = &mut *guard;
        let (was_connected, cut_off_will) = cut_off(worker, session, state);
        if resumed && worker.rights_may_differ(&state.identity, identity) {
            worker.engine().forget_routes_to(state);
        }
        state.set_expiry_secs_max(expiry_secs_max(worker, opening));
        state.expiry = expiry_of(connect, state.expiry_secs_max());
        let connection_terms = connection_terms(connect);
        state.version = connect.version;
        state.packet_bytes_max = connection_terms.packet_bytes_max;
        state.identity = Arc::clone(identity);
        state.forget_cohort();
        state.set_will(will);
        state.queue_messages_max = opening.admission.bounds.queue_messages_max.unwrap_or(u32::MAX);
        let connack =
            self.terms.connack(opening, &session.client_id, resumed, state.expiry, keep_alive);
        let (receive_maximum, alias_maximum) = self.inbound_terms(is_v5);
        let link = Arc::clone(opening.link);
        let epoch = session.0.attach(state, link, receive_maximum, alias_maximum);
        let terms = worker.delivery_terms();
        let limits = terms.limits_for(state.queue_messages_max);
        let meets_hooks = worker.queue_meets_hooks(identity);
        let tally = state.write(|outbound, outbox| {
            outbound.set_queue_meets_hooks(meets_hooks);
            outbox.extend_from_slice(&connack);
            outbound.begin_connection(connection_terms, &limits, terms.now, outbox)
        });
        if resumed || state.is_lasting() {
            worker.engine().note(session, Unsaved::SESSION.and(Unsaved::OUTBOUND));
        }
        let bytes = (state.outbox_len() - connack.len()) as u64;
        Totals { tally, bytes, ..Totals::default() }.count(worker);
        count_connected(worker, connack.len());
        let keep_alive_secs = match keep_alive {
            KeepAlive::AsAsked(secs) | KeepAlive::Imposed(secs) => secs,
            KeepAlive::Refused => asked_secs,
        };
        Taken { epoch, keep_alive_secs, was_connected, cut_off_will }
    }

    /// Receive Maximum and Topic Alias Maximum towards this client; before 5.0 there are none.
    fn inbound_terms(&self, is_v5: bool) -> (u16, u16) {
        if is_v5 {
            (self.terms.receive_maximum, self.terms.topic_alias_maximum)
        } else {
            (u16::MAX, 0)
        }
    }
}

/// What [`Connection::take_session`] found and left.
struct Taken {
    epoch: Epoch,
    keep_alive_secs: u16,
    was_connected: bool,
    cut_off_will: Option<DueWill>,
}

/// Under the session's lock, so that whoever ends this connection counts after.
fn count_connected(worker: &Worker, connack_len: usize) {
    let counts = worker.counts();
    counts.sent(&counts.connack_sent, 1);
    add(&counts.bytes_sent, connack_len as u64);
    worker.engine().counters.connected.fetch_add(1, Ordering::Relaxed);
}

fn expiry_secs_max(worker: &Worker, opening: &Opening<'_>) -> u32 {
    let of_all = worker.bounds().settings.session_expiry_secs_max;
    let own = opening.admission.bounds.session_expiry_secs_max;
    own.map_or(of_all, |own| own.min(of_all))
}

fn expiry_of(connect: &Connect<'_>, secs_max: u32) -> SessionExpiry {
    if connect.version.is_v5() {
        SessionExpiry::of_v5(connect.properties.session_expiry_interval(), secs_max)
    } else {
        SessionExpiry::of_v3(connect.clean_start, secs_max)
    }
}

impl SessionState {
    /// Whether a connection without Clean Start may have it: it does not end with its connection,
    /// and its time has not passed unnoticed.
    fn is_resumable(&self, now: Timestamp) -> bool {
        !self.expiry.ends_with_connection() && self.deadlines().expires_at > now
    }
}

/// Ends the connection that a resumed session still has, or the wait of its will. Whether it was
/// connected, and the will if it is to be sent.
fn cut_off(
    worker: &Worker,
    session: &SessionRef,
    state: &mut SessionState,
) -> (bool, Option<DueWill>) {
    let was_connected = state.link.is_some();
    let delay_secs = state.will_delay_secs();
    let fate = if was_connected {
        let ending = Ending::TakenOver { clean_start: false };
        will_fate(ending, delay_secs, state.expiry.as_secs(), worker.now)
    } else if state.deadlines().will_at <= worker.now {
        WillFate::SendNow
    } else {
        waiting_will_fate(false)
    };
    let will = match fate {
        WillFate::SendNow => state.take_will(),
        WillFate::Discard | WillFate::SendAt(_) => None,
    };
    worker.engine().timers.set(&session.0, state.deadlines(), Deadlines::NONE);
    state.set_deadlines(Deadlines::NONE);
    close_link(worker, session, state, ReasonCode::SessionTakenOver);
    (was_connected, will)
}

/// Detaches the connection, if there is one, and tells it why; true if there was one.
fn close_link(
    worker: &Worker,
    session: &SessionRef,
    state: &mut SessionState,
    reason: ReasonCode,
) -> bool {
    let Some((link, mut last)) = session.detach(state) else {
        return false;
    };
    worker.engine().counters.connected.fetch_sub(1, Ordering::Relaxed);
    farewell(worker, state, reason, None, &mut last);
    link.close(last);
    true
}

impl Worker {
    /// A session gives way to a new one of the same client (Clean Start) [MQTT-3.1.2-4]; true if it
    /// was connected.
    fn replace_session(&self, session: &SessionRef) -> bool {
        let (was_connected, will) = {
            let mut state = session.lock();
            let was_connected = close_link(self, session, &mut state, ReasonCode::SessionTakenOver);
            (was_connected, state.take_will())
        };
        if let Some(due) = will {
            self.send_will(&due);
        }
        self.forget_session(session);
        was_connected
    }

    /// Whether a route made for `before` may be wrong for `now`.
    fn rights_may_differ(&self, before: &Identity, now: &Identity) -> bool {
        let interest = self.interest();
        interest.authorize || interest.deliver || before.rules().is_some() || now.rules().is_some()
    }
}
