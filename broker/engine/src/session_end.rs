use std::sync::Arc;
use std::sync::atomic::Ordering;

use pintle_mqtt::{
    Disconnect, Packet, Property, PropertyBuffer, ReasonCode, SubscriptionFilter, Timestamp,
};
use pintle_ports::{Epoch, Event, EventKind, Identity};
use pintle_session::{Ending, Outbound, WillFate, will_fate};
use tracing::info;

use crate::aside::Deadlines;
use crate::connack::refuse;
use crate::connect::Refused;
use crate::connection::{Connection, Flow, Live, Phase};
use crate::counters::add;
use crate::session::{DueWill, SessionRef, SessionState};
use crate::store::Unsaved;
use crate::worker::{Worker, tell};

impl Connection {
    /// Ends the connection for a reason of the broker's: v5 clients are told it [MQTT-4.13.1-1].
    pub(crate) fn fail(
        &mut self,
        worker: &mut Worker,
        reason: ReasonCode,
        what: &'static str,
    ) -> Flow {
        let (link, version) = match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Live(live) => {
                worker.fail_connection(&live, reason, what);
                return Flow::Close;
            }
            Phase::Challenged(challenged) => challenged.pending.into_link(),
            Phase::Waiting(waiting) => waiting.pending.into_link(),
            Phase::Fresh(fresh) => (fresh.link, None),
            Phase::Closed => return Flow::Close,
        };
        refuse(worker, &*link, version, &Refused { reason, what }, None);
        Flow::Close
    }
}

/// What a connection is told at its end.
struct Parting {
    /// Answers that are still to be sent.
    answers: Vec<u8>,
    /// DISCONNECT, for v5 clients; a client that said it itself gets none.
    disconnect: Option<(ReasonCode, Option<&'static str>)>,
}

/// What is left to do, with no lock held, after a session and its connection have parted.
pub(crate) struct Parted {
    epoch: Epoch,
    will: Option<DueWill>,
    ends: bool,
}

/// DISCONNECT for a v5 client, without its Reason String where that would be too long for it
/// [MQTT-3.14.2-3]; nothing for an older one.
pub(crate) fn farewell(
    worker: &Worker,
    state: &SessionState,
    reason: ReasonCode,
    what: Option<&str>,
    out: &mut Vec<u8>,
) {
    if !state.version.is_v5() {
        return;
    }
    let mut properties = PropertyBuffer::new();
    properties.push_some(what.map(Property::ReasonString));
    let packet = Packet::Disconnect(Disconnect { reason, properties: properties.as_properties() });
    let before = out.len();
    if packet.encode_within(state.version, state.packet_bytes_max, out) {
        let counts = worker.counts();
        counts.sent(&counts.disconnect_sent, 1);
        add(&counts.bytes_sent, (out.len() - before) as u64);
    }
}

impl Worker {
    /// The broker closes a connection: what is still to be sent, the answers of this batch, and the
    /// reason.
    fn fail_connection(&mut self, live: &Live, reason: ReasonCode, what: &'static str) {
        let parting = Parting {
            answers: std::mem::take(&mut self.replies),
            disconnect: Some((reason, Some(what))),
        };
        let ending = if reason == ReasonCode::KeepAliveTimeout {
            Ending::ConnectionLost
        } else {
            Ending::Violation
        };
        if let Some(parted) = self.part(&live.session, live.epoch, ending, Some(parting)) {
            let who = &*live.identity;
            info!(client_id = %who.client_id, ?reason, what, "Client disconnected by the broker.");
            tell(self, EventKind::Disconnected, Event::Disconnected { who, reason });
            self.finish_parting(&live.session, parted);
        }
    }

    /// The connection broke without a DISCONNECT.
    pub(crate) fn connection_lost(&self, live: &Live) {
        let ending = Ending::ConnectionLost;
        if let Some(parted) = self.part(&live.session, live.epoch, ending, None) {
            let who = &*live.identity;
            info!(client_id = %who.client_id, "Client lost.");
            tell(self, EventKind::ConnectionLost, Event::ConnectionLost { who });
            self.finish_parting(&live.session, parted);
        }
    }

    /// The client said DISCONNECT with `reason`; the answers before it are still sent.
    pub(crate) fn client_disconnects(&mut self, live: &Live, reason: ReasonCode) {
        let ending = if reason == ReasonCode::Success {
            Ending::NormalDisconnect
        } else {
            Ending::DisconnectWithWill
        };
        let parting = Parting { answers: std::mem::take(&mut self.replies), disconnect: None };
        if let Some(parted) = self.part(&live.session, live.epoch, ending, Some(parting)) {
            let who = &*live.identity;
            info!(client_id = %who.client_id, ?reason, "Client disconnected.");
            tell(self, EventKind::Disconnected, Event::Disconnected { who, reason });
            self.finish_parting(&live.session, parted);
        }
    }

    /// An operator, a plugin or the end of the broker disconnects a client; false if it is not
    /// connected.
    pub(crate) fn disconnect_session(&self, session: &SessionRef, reason: ReasonCode) -> bool {
        let (epoch, identity) = {
            let state = session.lock();
            (state.epoch, Arc::clone(&state.identity))
        };
        let ending = if reason == ReasonCode::ServerShuttingDown {
            Ending::ServerShutdown
        } else {
            Ending::ServerDisconnect
        };
        let parting = Parting { answers: Vec::new(), disconnect: Some((reason, None)) };
        let Some(parted) = self.part(session, epoch, ending, Some(parting)) else {
            return false;
        };
        let who: &Identity = &identity;
        info!(client_id = %who.client_id, ?reason, "Client disconnected by the broker.");
        tell(self, EventKind::Disconnected, Event::Disconnected { who, reason });
        self.finish_parting(session, parted);
        true
    }

    /// Parts a session from its connection: the will's fate, the session's expiry. `None` if the
    /// session has gone on to another connection, or has none.
    ///
    /// With `parting`, the link is told to close.
    fn part(
        &self,
        session: &SessionRef,
        epoch: Epoch,
        ending: Ending,
        parting: Option<Parting>,
    ) -> Option<Parted> {
        let mut guard = session.lock_as(epoch)?;
        let state = &mut *guard;
        let (link, mut unsent) = session.detach(state)?;
        let counts = self.counts();
        self.engine().counters.connected.fetch_sub(1, Ordering::Relaxed);
        if let Some(Parting { answers, disconnect }) = parting {
            unsent.extend_from_slice(&answers);
            add(&counts.bytes_sent, answers.len() as u64);
            if let Some((reason, what)) = disconnect {
                farewell(self, state, reason, what, &mut unsent);
            }
            link.close(unsent);
        }
        let delay_secs = state.will_delay_secs();
        let expires_at = state.expiry.ends_at(self.now);
        let mut deadlines = Deadlines { expires_at, ..Deadlines::NONE };
        let mut will = None;
        match will_fate(ending, delay_secs, state.expiry.as_secs(), self.now) {
            WillFate::Discard => state.set_will(None),
            WillFate::SendNow => will = state.take_will(),
            WillFate::SendAt(at) if state.has_will() => deadlines.will_at = at,
            WillFate::SendAt(_) => {}
        }
        let ends = state.expiry.ends_with_connection();
        if !ends {
            self.engine().timers.set(&session.0, state.deadlines(), deadlines);
            state.set_deadlines(deadlines);
            self.engine().note(session, Unsaved::SESSION);
        }
        Some(Parted { epoch: state.epoch, will, ends })
    }

    fn finish_parting(&self, session: &SessionRef, parted: Parted) {
        if let Some(due) = parted.will {
            self.send_will(&due);
        }
        if parted.ends {
            self.end_session(session, parted.epoch);
        }
    }

    /// A timer of `session` has come up: its will, its end, or nothing any more.
    pub(crate) fn session_is_due(&self, session: &SessionRef) {
        let now = self.now;
        let (will, expired, epoch) = {
            let mut guard = session.lock();
            let state = &mut *guard;
            let mut left = state.deadlines();
            let mut will = None;
            if left.will_at <= now {
                left.will_at = Timestamp::NEVER;
                will = state.take_will();
            }
            let expired = left.expires_at <= now;
            if expired {
                left = Deadlines::NONE;
            }
            self.engine().timers.set(&session.0, Deadlines::NONE, left);
            state.set_deadlines(left);
            self.engine().note(session, Unsaved::SESSION);
            (will, expired, state.epoch)
        };
        if let Some(due) = will {
            self.send_will(&due);
        }
        if expired && self.end_session(session, epoch) {
            add(&self.counts().sessions_expired, 1);
        }
    }

    /// Ends a session that has no connection, unless one has had it since `epoch`; whether it did.
    fn end_session(&self, session: &SessionRef, epoch: Epoch) -> bool {
        let engine = self.engine();
        let will = {
            let mut shard = engine.registry.shard(&session.client_id);
            let Some(mut state) = session.lock_as(epoch).filter(|state| !state.ended) else {
                return false;
            };
            state.ended = true;
            engine.registry.remove(&mut shard, session);
            state.take_will()
        };
        if let Some(due) = will {
            self.send_will(&due);
        }
        self.forget_session(session);
        true
    }

    /// Removes all that a session has in the broker. It is no longer in the registry.
    pub(crate) fn forget_session(&self, session: &SessionRef) {
        let (filters, identity, left) = {
            let mut state = session.lock();
            state.ended = true;
            if state.is_lasting() {
                self.engine().note(session, Unsaved::SESSION);
            }
            self.engine().timers.set(&session.0, state.deadlines(), Deadlines::NONE);
            state.set_deadlines(Deadlines::NONE);
            let left = state.outbound.take_shared();
            state.outbound = Outbound::new();
            let aside = state.aside.take().unwrap_or_default();
            (aside.subscriptions, Arc::clone(&state.identity), left)
        };
        if !self.engine().is_shutting_down() {
            self.pass_on(session, &left);
        }
        for filter in &filters {
            if let Ok(parsed) = SubscriptionFilter::new(filter) {
                self.engine().remove_subscription(session, &parsed);
            }
        }
        let who = &*identity;
        tell(self, EventKind::SessionExpired, Event::SessionExpired { who });
    }
}
