use std::sync::Arc;

use pintle_mqtt::{Disconnect, Property, PropertyBuffer, ReasonCode, SubscriptionFilter};
use pintle_ports::{Epoch, Event, EventKind, HookPath, Identity, MessageFrame};
use pintle_session::{Ending, Outbound, WillFate, will_fate};
use tracing::info;

use crate::admit::{Source, admit};
use crate::connect::tell;
use crate::connection::{Connection, Live, Phase};
use crate::counters::{add, subtract};
use crate::session::{Deadlines, SessionRef};
use crate::worker::Worker;

impl Connection {
    /// Ends the connection for a reason of the broker's: v5 clients are told it [MQTT-4.13.1-1].
    pub(crate) fn fail(
        &mut self,
        worker: &mut Worker,
        reason: ReasonCode,
        what: &'static str,
    ) -> crate::connection::Flow {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        match phase {
            Phase::Live(live) => {
                info!(
                    client_id = %live.identity.client_id, ?reason, what,
                    "Client disconnected by the broker."
                );
                self.phase = Phase::Closed;
                worker.fail_connection(&live, reason, what);
            }
            Phase::Challenged(challenged) => {
                let refused = crate::connect::Refused { reason, what };
                let version = challenged.pending.identity.protocol;
                self.refuse(worker, Some(version), &refused, None);
            }
            Phase::Waiting(waiting) => {
                let refused = crate::connect::Refused { reason, what };
                let version = waiting.pending.identity.protocol;
                self.refuse(worker, Some(version), &refused, None);
            }
            Phase::Fresh(_) | Phase::Closed => {
                worker.replies.clear();
                self.link.close(Vec::new());
            }
        }
        crate::connection::Flow::Close
    }
}

impl Worker {
    /// The broker closes a connection: what is still to be sent, the answers of this batch, and the
    /// reason.
    fn fail_connection(&mut self, live: &Live, reason: ReasonCode, what: &'static str) {
        let mut last = std::mem::take(&mut self.replies);
        if live.version.is_v5() {
            let mut properties = PropertyBuffer::new();
            properties.push(Property::ReasonString(what));
            let properties = properties.as_properties();
            Disconnect { reason, properties }.encode(live.version, &mut last);
            let counters = &self.engine().counters;
            counters.sent(&counters.disconnect_sent, 1);
        }
        let ending = if reason == ReasonCode::KeepAliveTimeout {
            Ending::ConnectionLost
        } else {
            Ending::Violation
        };
        if self.settle(&live.session, live.epoch, ending, Some(last)) {
            let who = &*live.identity;
            tell(self, EventKind::Disconnected, Event::Disconnected { who, reason });
        }
    }

    /// The connection broke without a DISCONNECT.
    pub(crate) fn connection_lost(&mut self, live: &Live) {
        if self.settle(&live.session, live.epoch, Ending::ConnectionLost, None) {
            info!(client_id = %live.identity.client_id, "Client lost.");
            let who = &*live.identity;
            tell(self, EventKind::ConnectionLost, Event::ConnectionLost { who });
        }
    }

    /// An operator, a plugin or the end of the broker disconnects a client; false if it is not
    /// connected.
    pub(crate) fn disconnect_session(&mut self, session: &SessionRef, reason: ReasonCode) -> bool {
        let (epoch, identity, version) = {
            let state = session.lock();
            if state.link.is_none() {
                return false;
            }
            (state.epoch, Arc::clone(&state.identity), state.version)
        };
        let mut last = Vec::new();
        if version.is_v5() {
            Disconnect::new(reason).encode(version, &mut last);
            let counters = &self.engine().counters;
            counters.sent(&counters.disconnect_sent, 1);
        }
        let ending = if reason == ReasonCode::ServerShuttingDown {
            Ending::ServerShutdown
        } else {
            Ending::ServerDisconnect
        };
        if !self.settle(session, epoch, ending, Some(last)) {
            return false;
        }
        info!(client_id = %identity.client_id, ?reason, "Client disconnected by the broker.");
        let who = &*identity;
        tell(self, EventKind::Disconnected, Event::Disconnected { who, reason });
        true
    }

    /// Parts a session from its connection: the will's fate, the session's expiry. False if the
    /// session has gone on to another connection.
    ///
    /// With `last`, the link is told to close after these bytes.
    pub(crate) fn settle(
        &mut self,
        session: &SessionRef,
        epoch: Epoch,
        ending: Ending,
        last: Option<Vec<u8>>,
    ) -> bool {
        let due = {
            let mut guard = session.lock();
            let state = &mut *guard;
            if state.epoch != epoch {
                return false;
            }
            let Some((link, mut unsent)) = state.detach() else {
                return false;
            };
            subtract(&self.engine().counters.connected, 1);
            if let Some(last) = last {
                unsent.extend_from_slice(&last);
                add(&self.engine().counters.bytes_sent, last.len() as u64);
                link.close(unsent);
            }
            let delay_secs = state.will.as_ref().map_or(0, |will| will.delay_secs);
            let fate = will_fate(ending, delay_secs, state.expiry.as_secs(), self.now);
            let mut deadlines =
                Deadlines { expires_at: state.expiry.ends_at(self.now), ..Deadlines::NONE };
            let due = match fate {
                WillFate::Discard => {
                    state.will = None;
                    None
                }
                WillFate::SendNow => {
                    let identity = Arc::clone(&state.identity);
                    state.will.take().map(|will| (will.message, identity))
                }
                WillFate::SendAt(at) => {
                    if state.will.is_some() {
                        deadlines.will_at = at;
                    }
                    None
                }
            };
            if !state.expiry.ends_with_connection() {
                self.engine().timers.set(&session.0, state.deadlines, deadlines);
                state.deadlines = deadlines;
            }
            due
        };
        if let Some((message, identity)) = due {
            self.send_will(&message, &identity);
        }
        if session.lock().expiry.ends_with_connection() {
            self.end_if_unconnected(session);
        }
        true
    }

    /// A timer of `session` has come up: its will, its end, or nothing any more.
    pub(crate) fn session_is_due(&mut self, session: &SessionRef) {
        let now = self.now;
        let (will, expired) = {
            let mut guard = session.lock();
            let state = &mut *guard;
            let mut left = state.deadlines;
            let mut will = None;
            if left.will_at <= now {
                left.will_at = pintle_mqtt::Timestamp::NEVER;
                let identity = Arc::clone(&state.identity);
                will = state.will.take().map(|will| (will.message, identity));
            }
            let expired = left.expires_at <= now;
            if !expired {
                self.engine().timers.set(&session.0, Deadlines::NONE, left);
            }
            state.deadlines = if expired { Deadlines::NONE } else { left };
            (will, expired)
        };
        if let Some((message, identity)) = will {
            self.send_will(&message, &identity);
        }
        if expired {
            self.end_if_unconnected(session);
        }
    }

    /// Ends a session, unless a connection has taken it meanwhile.
    fn end_if_unconnected(&mut self, session: &SessionRef) {
        let engine = Arc::clone(self.engine());
        let will = {
            let mut shard = engine.registry.shard(&session.client_id);
            let mut state = session.lock();
            if state.link.is_some() || state.ended {
                return;
            }
            state.ended = true;
            engine.registry.remove(&mut shard, session);
            let identity = Arc::clone(&state.identity);
            state.will.take().map(|will| (will.message, identity))
        };
        if let Some((message, identity)) = will {
            self.send_will(&message, &identity);
        }
        add(&engine.counters.sessions_expired, 1);
        self.forget_session(session);
    }

    /// Removes all that a session has in the broker. It is no longer in the registry.
    pub(crate) fn forget_session(&mut self, session: &SessionRef) {
        let (filters, identity) = {
            let mut state = session.lock();
            state.ended = true;
            self.engine().timers.set(&session.0, state.deadlines, Deadlines::NONE);
            state.deadlines = Deadlines::NONE;
            state.outbound = Outbound::new();
            state.backlog = None;
            (std::mem::take(&mut state.subscriptions), Arc::clone(&state.identity))
        };
        for filter in &filters {
            let Ok(parsed) = SubscriptionFilter::new(filter) else {
                continue;
            };
            self.engine().remove_subscription(session, &parsed);
        }
        let who = &*identity;
        tell(self, EventKind::SessionExpired, Event::SessionExpired { who });
    }

    /// A will takes the way of any other message [MQTT-3.1.2-8].
    pub(crate) fn send_will(&mut self, message: &MessageFrame, identity: &Arc<Identity>) {
        let Ok(run) = message.as_run() else { return };
        let topic = run.topic();
        let source = Source { who: Some(identity), session: None, path: HookPath::Will };
        admit(self, &source, run);
        let topic = topic.as_str();
        tell(self, EventKind::WillSent, Event::WillSent { who: identity, topic });
    }
}
