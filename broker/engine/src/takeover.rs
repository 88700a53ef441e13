use std::sync::Arc;

use pintle_mqtt::{Disconnect, ReasonCode};
use pintle_ports::{Epoch, Identity, MessageFrame};
use pintle_session::{
    Ending, KeepAlive, SessionExpiry, WillFate, keep_alive_terms, waiting_will_fate, will_fate,
};

use crate::connect::{Opening, connection_terms};
use crate::connection::Connection;
use crate::counters::subtract;
use crate::session::{Deadlines, PendingWill, Session, SessionRef, SessionState};
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

/// A will that is to be sent once no lock is held.
type DueWill = (MessageFrame, Arc<Identity>);

impl Connection {
    /// Resumes the client's session, or begins one; a connection that has it is cut off
    /// [MQTT-3.1.4-3]. `None` if `sessions_max` is reached.
    pub(crate) fn open_session(
        &self,
        worker: &mut Worker,
        opening: &Opening<'_>,
        mut identity: Identity,
        will: Option<Box<PendingWill>>,
    ) -> Option<Opened> {
        let engine = Arc::clone(worker.engine());
        let client_id = Arc::clone(&identity.client_id);
        let mut shard = engine.registry.shard(&client_id);
        let existing = shard.get(&client_id).cloned();
        let resumable = existing.as_ref().filter(|session| {
            !opening.connect.clean_start && !session.lock().expiry.ends_with_connection()
        });
        let resumed = resumable.is_some();
        let session = match resumable {
            Some(session) => session.clone(),
            None => {
                let sessions_max = u64::from(worker.bounds().settings.sessions_max);
                if existing.is_none() && engine.registry.count() >= sessions_max {
                    return None;
                }
                let key = engine.new_session_key();
                let provisional = Arc::new(Identity { session_key: key, ..identity.copied() });
                let session =
                    SessionRef(Arc::new(Session::new(key, Arc::clone(&client_id), provisional)));
                engine.registry.insert(&mut shard, session.clone());
                session
            }
        };
        identity.session_key = session.key;
        let identity = Arc::new(identity);
        let (epoch, keep_alive_secs, cut) =
            self.take_session(worker, opening, &session, &identity, will, resumed);
        drop(shard);
        let mut taken_over = cut.was_connected;
        if let Some(due) = cut.will {
            worker.send_will(&due.0, &due.1);
        }
        if let Some(old) = existing.filter(|_| !resumed) {
            taken_over = worker.replace_session(&old);
        }
        Some(Opened { session, identity, epoch, resumed, taken_over, keep_alive_secs })
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
    ) -> (Epoch, u16, Cut) {
        let connect = opening.connect;
        session
            .inbound
            .lock()
            .begin_connection(self.terms.receive_maximum, self.terms.topic_alias_maximum);
        let mut guard = session.lock();
        let state = &mut *guard;
        let cut = cut_off(worker, session, state);
        let settings = &worker.bounds().settings;
        let bounds = &opening.admission.bounds;
        let expiry_max =
            bounds.session_expiry_secs_max.map_or(settings.session_expiry_secs_max, |max| {
                max.min(settings.session_expiry_secs_max)
            });
        let expiry = if connect.version.is_v5() {
            SessionExpiry::of_v5(connect.properties.session_expiry_interval(), expiry_max)
        } else {
            SessionExpiry::of_v3(connect.clean_start, expiry_max)
        };
        let asked = connect.keep_alive_secs;
        let keep_alive =
            keep_alive_terms(asked, self.terms.keep_alive_secs_max, connect.version.is_v5());
        state.expiry = expiry;
        state.version = connect.version;
        state.identity = Arc::clone(identity);
        state.cohort = None;
        state.will = will;
        state.queue_messages_max = bounds.queue_messages_max;
        let outbox: Arc<Session> = Arc::clone(&session.0);
        let epoch = state.attach(Arc::clone(&self.link), outbox);
        let connack = self.terms.connack(opening, session, resumed, expiry, keep_alive);
        let terms = worker.delivery_terms();
        let limits = terms.limits_for(state.queue_messages_max);
        let meets_hooks = worker.queue_meets_hooks() || identity.rules.is_some();
        state.write(|outbound, outbox| {
            outbound.set_queue_meets_hooks(meets_hooks);
            outbox.extend_from_slice(&connack);
            outbound.begin_connection(connection_terms(connect), &limits, terms.now, outbox);
        });
        let keep_alive_secs = match keep_alive {
            KeepAlive::AsAsked(secs) | KeepAlive::Imposed(secs) => secs,
            KeepAlive::Refused => asked,
        };
        (epoch, keep_alive_secs, cut)
    }
}

/// What was cut off a session that is resumed.
struct Cut {
    was_connected: bool,
    will: Option<DueWill>,
}

/// Ends the connection that a resumed session still has, or the wait of its will.
fn cut_off(worker: &Worker, session: &SessionRef, state: &mut SessionState) -> Cut {
    let was_connected = state.link.is_some();
    let delay_secs = state.will.as_ref().map_or(0, |will| will.delay_secs);
    let fate = if was_connected {
        let ending = Ending::TakenOver { clean_start: false };
        will_fate(ending, delay_secs, state.expiry.as_secs(), worker.now)
    } else {
        waiting_will_fate(false)
    };
    let pending = state.will.take();
    let will = match fate {
        WillFate::SendNow => pending.map(|will| (will.message, Arc::clone(&state.identity))),
        WillFate::Discard | WillFate::SendAt(_) => None,
    };
    worker.engine().timers.set(&session.0, state.deadlines, Deadlines::NONE);
    state.deadlines = Deadlines::NONE;
    close_link(worker, state, ReasonCode::SessionTakenOver);
    Cut { was_connected, will }
}

/// Detaches the connection, if there is one, and tells it why; true if there was one.
pub(crate) fn close_link(worker: &Worker, state: &mut SessionState, reason: ReasonCode) -> bool {
    let version = state.version;
    let Some((link, mut last)) = state.detach() else {
        return false;
    };
    let counters = &worker.engine().counters;
    subtract(&counters.connected, 1);
    if version.is_v5() {
        Disconnect::new(reason).encode(version, &mut last);
        counters.sent(&counters.disconnect_sent, 1);
    }
    link.close(last);
    true
}

impl Worker {
    /// A session gives way to a new one of the same client (Clean Start) [MQTT-3.1.2-4]; true if it
    /// was connected.
    pub(crate) fn replace_session(&mut self, session: &SessionRef) -> bool {
        let (was_connected, will) = {
            let mut state = session.lock();
            let was_connected = close_link(self, &mut state, ReasonCode::SessionTakenOver);
            let identity = Arc::clone(&state.identity);
            (was_connected, state.will.take().map(|will| (will.message, identity)))
        };
        if let Some((message, identity)) = will {
            self.send_will(&message, &identity);
        }
        self.forget_session(session);
        was_connected
    }
}
