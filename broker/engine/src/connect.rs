use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pintle_mqtt::{
    ConnAck, Connect, Frame, Property, PropertyBuffer, ProtocolVersion, Publish, PublishFlags, QoS,
    ReasonCode, Violation, Will,
};
use pintle_ports::{
    Action, Admission, AuthOutcome, AuthProgress, ConnectAttempt, Event, EventKind, Identity,
    MessageFrame, Refusal, SessionBounds, Step, Verdict,
};
use pintle_session::{AuthExchange, ConnectionTerms, KeepAlive, SessionExpiry, keep_alive_terms};
use tracing::info;

use crate::authenticate::LiveAuth;
use crate::connection::{Connection, Halt, Live, Peer, Phase};
use crate::counters::add;
use crate::publish::check_topic_bounds;
use crate::session::{PendingWill, Session};
use crate::settings::ListenerTerms;
use crate::takeover::Opened;
use crate::worker::Worker;

/// A CONNECT that has not been answered yet.
pub(crate) struct PendingConnect {
    pub(crate) frame: Box<[u8]>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) auth: AuthExchange,
}

/// A CONNECT that a hook is deciding on.
pub(crate) struct WaitingConnect {
    pub(crate) pending: PendingConnect,
    pub(crate) awaited: Awaited,
}

pub(crate) enum Awaited {
    Outcome(Pin<Box<dyn Future<Output = AuthOutcome> + Send>>),
    Progress(Pin<Box<dyn Future<Output = AuthProgress> + Send>>),
}

/// Why a CONNECT is refused, for CONNACK and the log.
pub(crate) struct Refused {
    pub(crate) reason: ReasonCode,
    pub(crate) what: &'static str,
}

impl Connection {
    /// CONNECT: check it, ask who it is, open the session, answer.
    pub(crate) fn connect(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        peer: Peer,
    ) -> Result<(), Halt> {
        let counters = &worker.engine().counters;
        counters.received(&counters.connect_received, 1);
        add(&counters.connects, 1);
        let connect = match Connect::decode(frame) {
            Ok(connect) => connect,
            Err(error) => {
                let Violation { reason, what } = error.violation;
                return Err(self.refuse(worker, error.version, &Refused { reason, what }, None));
            }
        };
        if let Err(refused) = check(worker, &self.terms, &connect) {
            return Err(self.refuse(worker, Some(connect.version), &refused, None));
        }
        let method = connect.properties.authentication_method();
        let data = connect.properties.authentication_data();
        let auth = match AuthExchange::of_connect(method, data.is_some()) {
            Ok(auth) => auth,
            Err(Violation { reason, what }) => {
                let refused = Refused { reason, what };
                return Err(self.refuse(worker, Some(connect.version), &refused, None));
            }
        };
        let identity = Arc::new(self.identity_of(worker, &connect, peer));
        let pending = PendingConnect { frame: frame.bytes.into(), identity, auth };
        if method.is_some() {
            return self.begin_enhanced_auth(worker, pending, &connect);
        }
        if !worker.interest().authenticate {
            return self.conclude(worker, pending, AuthOutcome::NoAnswer);
        }
        let attempt = ConnectAttempt {
            who: Arc::clone(&pending.identity),
            password: connect.password.map(<[u8]>::to_vec),
            will_topic: connect.will.as_ref().map(|will| will.topic.as_str().to_owned()),
        };
        match worker.hooks().authenticate(attempt) {
            Step::Done(outcome) => self.conclude(worker, pending, outcome),
            Step::Wait(future) => {
                let awaited = Awaited::Outcome(future);
                self.phase = Phase::Waiting(Box::new(WaitingConnect { pending, awaited }));
                Ok(())
            }
        }
    }

    /// Everything that is known of the client before authentication.
    fn identity_of(&self, worker: &Worker, connect: &Connect<'_>, peer: Peer) -> Identity {
        let engine = worker.engine();
        let client_id: Arc<str> = if connect.client_id.is_empty() {
            engine.new_client_id().into()
        } else {
            connect.client_id.into()
        };
        Identity {
            session_key: engine.registry.find(&client_id).map_or(0, |session| session.key),
            client_id,
            username: connect.username.map(Box::from),
            principal: None,
            protocol: connect.version,
            transport: peer.transport,
            listener: Arc::clone(&self.terms.name),
            remote_addr: peer.remote_addr,
            rules: None,
        }
    }

    /// Polls the hook that decides on a CONNECT, or on a re-authentication.
    pub(crate) fn poll_waiting(
        &mut self,
        worker: &mut Worker,
        task: &mut Context<'_>,
    ) -> Poll<Result<(), Halt>> {
        if matches!(self.phase, Phase::Live(_)) {
            return self.poll_reauthentication(worker, task);
        }
        let Phase::Waiting(waiting) = &mut self.phase else {
            return Poll::Ready(Ok(()));
        };
        let decided = match &mut waiting.awaited {
            Awaited::Outcome(future) => match future.as_mut().poll(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => Decided::Outcome(outcome),
            },
            Awaited::Progress(future) => match future.as_mut().poll(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(progress) => Decided::Progress(progress),
            },
        };
        let Phase::Waiting(waiting) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return Poll::Ready(Ok(()));
        };
        Poll::Ready(match decided {
            Decided::Outcome(outcome) => self.conclude(worker, waiting.pending, outcome),
            Decided::Progress(progress) => self.progress(worker, waiting.pending, progress),
        })
    }

    /// The answer of the `authenticate` chain.
    pub(crate) fn conclude(
        &mut self,
        worker: &mut Worker,
        pending: PendingConnect,
        outcome: AuthOutcome,
    ) -> Result<(), Halt> {
        match outcome {
            AuthOutcome::Accept(admission) => self.open(worker, pending, admission, None),
            AuthOutcome::NoAnswer if self.terms.anonymous => {
                self.open(worker, pending, Admission::default(), None)
            }
            AuthOutcome::NoAnswer => {
                let refusal = Refusal {
                    reason: ReasonCode::NotAuthorized,
                    message: None,
                    decided_by: "core: anonymous clients are not let in".into(),
                };
                Err(self.refuse_client(worker, &pending, &refusal))
            }
            AuthOutcome::Refuse(refusal) => Err(self.refuse_client(worker, &pending, &refusal)),
        }
    }

    /// Opens the session and answers with success.
    pub(crate) fn open(
        &mut self,
        worker: &mut Worker,
        mut pending: PendingConnect,
        admission: Admission,
        auth_data: Option<Vec<u8>>,
    ) -> Result<(), Halt> {
        let frame = std::mem::take(&mut pending.frame);
        let Ok(Some(whole)) = Frame::split(&frame, u32::MAX) else {
            return Err(Halt::Gone);
        };
        let Ok(connect) = Connect::decode(&whole) else {
            return Err(Halt::Gone);
        };
        if admission.bounds != SessionBounds::default() {
            self.terms = Arc::new(self.terms.lowered_by(&admission.bounds));
        }
        if let Err(refused) = check(worker, &self.terms, &connect) {
            return Err(self.refuse(worker, Some(connect.version), &refused, None));
        }
        let assigned = connect.client_id.is_empty();
        let identity = Identity {
            principal: admission.principal.clone(),
            rules: admission.rules.clone(),
            ..pending.identity.copied()
        };
        let will = match connect.will.as_ref() {
            None => None,
            Some(will) => Some(self.checked_will(worker, &connect, will, &identity)?),
        };
        let opening = Opening { connect: &connect, admission: &admission, assigned, auth_data };
        let opened = self.open_session(worker, &opening, identity, will);
        let Some(opened) = opened else {
            let refused =
                Refused { reason: ReasonCode::QuotaExceeded, what: "sessions_max is reached" };
            return Err(self.refuse(worker, Some(connect.version), &refused, None));
        };
        self.begin(worker, &connect, pending, opened);
        Ok(())
    }

    /// The connection has its session: tell who wants to know, send what waits.
    fn begin(
        &mut self,
        worker: &mut Worker,
        connect: &Connect<'_>,
        mut pending: PendingConnect,
        opened: Opened,
    ) {
        let Opened { session, identity, epoch, resumed, taken_over, keep_alive_secs } = opened;
        let counters = &worker.engine().counters;
        counters.sent(&counters.connack_sent, 1);
        add(&counters.connected, 1);
        let connected = counters.connected.load(std::sync::atomic::Ordering::Relaxed);
        counters.connected_max.fetch_max(connected, std::sync::atomic::Ordering::Relaxed);
        info!(
            client_id = %identity.client_id,
            user = identity.principal().unwrap_or("-"),
            listener = %identity.listener,
            peer = ?identity.remote_addr,
            version = ?connect.version,
            resumed,
            "Client connected."
        );
        pending.auth.succeeded();
        let enhanced = pending.auth.method().is_some();
        let auth = enhanced.then(|| Box::new(LiveAuth::new(pending.auth)));
        self.phase = Phase::Live(Live {
            session: session.clone(),
            identity: Arc::clone(&identity),
            epoch,
            version: connect.version,
            keep_alive_secs,
            auth,
        });
        let who = &*identity;
        if taken_over {
            tell(worker, EventKind::SessionTakenOver, Event::SessionTakenOver { who });
        }
        tell(worker, EventKind::Connected, Event::Connected { who });
        if resumed {
            tell(worker, EventKind::SessionResumed, Event::SessionResumed { who });
        } else {
            tell(worker, EventKind::SessionCreated, Event::SessionCreated { who });
        }
        worker.pump(&session, epoch);
    }

    /// A will that the client may have: within the listener's terms, and authorised.
    fn checked_will(
        &mut self,
        worker: &mut Worker,
        connect: &Connect<'_>,
        will: &Will<'_>,
        identity: &Identity,
    ) -> Result<Box<PendingWill>, Halt> {
        let mut properties = PropertyBuffer::new();
        for property in will.properties.iter() {
            if !matches!(property, Property::WillDelayInterval(_)) {
                properties.push(property);
            }
        }
        let retain = will.retain && self.terms.retain_available;
        let publish = Publish {
            flags: PublishFlags { dup: false, qos: will.qos, retain },
            topic: Some(will.topic),
            packet_id: None,
            properties: properties.as_properties(),
            payload: will.payload,
        };
        let ruling = worker.authorize(identity, Action::Will(&publish));
        let denied = if will.topic.as_str().starts_with("$SYS/") {
            Some((ReasonCode::NotAuthorized, Some("core: $SYS topics are the broker's own".into())))
        } else {
            match ruling.verdict {
                Verdict::Allow => None,
                Verdict::Deny(reason) | Verdict::Disconnect(reason) => {
                    Some((reason, ruling.decided_by))
                }
            }
        };
        if let Some((reason, by)) = denied {
            let topic = Some(will.topic.as_str());
            worker.tell_denial(identity, "Will", topic, reason, by.as_deref());
            let refused = Refused { reason: ReasonCode::NotAuthorized, what: "the will is denied" };
            return Err(self.refuse(worker, Some(connect.version), &refused, None));
        }
        let delay_secs = will.properties.will_delay_interval().unwrap_or(0);
        match MessageFrame::new(&publish) {
            Ok(message) => Ok(Box::new(PendingWill { message, delay_secs })),
            Err(Violation { reason, what }) => {
                let refused = Refused { reason, what };
                Err(self.refuse(worker, Some(connect.version), &refused, None))
            }
        }
    }

    /// A client that a plugin, or the want of one, turned away.
    pub(crate) fn refuse_client(
        &mut self,
        worker: &mut Worker,
        pending: &PendingConnect,
        refusal: &Refusal,
    ) -> Halt {
        let who = &*pending.identity;
        let by = Some(&*refusal.decided_by);
        worker.tell_denial(who, "Connect", None, refusal.reason, by);
        let reason = refusal.reason;
        tell(worker, EventKind::AuthFailed, Event::AuthFailed { who, reason });
        let refused = Refused { reason, what: "not let in" };
        self.refuse(worker, Some(who.protocol), &refused, refusal.message.as_deref())
    }

    /// CONNACK with a failure, and the end of the connection [MQTT-3.1.4-2].
    pub(crate) fn refuse(
        &mut self,
        worker: &mut Worker,
        version: Option<ProtocolVersion>,
        refused: &Refused,
        message: Option<&str>,
    ) -> Halt {
        tracing::debug!(what = refused.what, reason = ?refused.reason, "CONNECT refused.");
        let mut last = Vec::new();
        if let Some(version) = version {
            let mut properties = PropertyBuffer::new();
            properties.push_some(message.map(Property::ReasonString));
            let reason = refused.reason;
            let properties = properties.as_properties();
            ConnAck { session_present: false, reason, properties }.encode(version, &mut last);
            let counters = &worker.engine().counters;
            counters.sent(&counters.connack_sent, 1);
            add(&counters.bytes_sent, last.len() as u64);
        }
        self.link.close(last);
        self.phase = Phase::Closed;
        Halt::Gone
    }
}

enum Decided {
    Outcome(AuthOutcome),
    Progress(AuthProgress),
}

/// What opening a session needs to know.
pub(crate) struct Opening<'a> {
    pub(crate) connect: &'a Connect<'a>,
    pub(crate) admission: &'a Admission,
    pub(crate) assigned: bool,
    pub(crate) auth_data: Option<Vec<u8>>,
}

pub(crate) fn tell(worker: &Worker, kind: EventKind, event: Event<'_>) {
    if worker.interest().events.contains(kind) {
        worker.hooks().event(event);
    }
}

/// What the listener and the broker ask of a CONNECT, whoever sends it.
fn check(worker: &Worker, terms: &ListenerTerms, connect: &Connect<'_>) -> Result<(), Refused> {
    let refused = |reason, what| Err(Refused { reason, what });
    if worker.engine().is_shutting_down() {
        return refused(ReasonCode::ServerUnavailable, "the broker is shutting down");
    }
    check_client_id(terms, connect)?;
    let (asked, max) = (connect.keep_alive_secs, terms.keep_alive_secs_max);
    if keep_alive_terms(asked, max, connect.version.is_v5()) == KeepAlive::Refused {
        let what = "the Keep Alive is above the listener's";
        return refused(ReasonCode::ServerUnavailable, what);
    }
    let Some(will) = &connect.will else {
        return Ok(());
    };
    if will.qos > terms.max_qos {
        return refused(ReasonCode::QosNotSupported, "the will's QoS is above the Maximum QoS");
    }
    if will.retain && !terms.retain_available && connect.version.is_v5() {
        return refused(ReasonCode::RetainNotSupported, "the will is retained");
    }
    check_topic_bounds(worker, will.topic)
        .map_err(|violation| Refused { reason: violation.reason, what: violation.what })
}

/// [MQTT-3.1.3-5] [MQTT-3.1.3-8]: an empty Client Identifier only where one may be assigned.
fn check_client_id(terms: &ListenerTerms, connect: &Connect<'_>) -> Result<(), Refused> {
    let refused = |what| Err(Refused { reason: ReasonCode::ClientIdentifierNotValid, what });
    if connect.client_id.is_empty() {
        let may_assign = match connect.version {
            ProtocolVersion::V3_1 => false,
            ProtocolVersion::V3_1_1 => connect.clean_start,
            ProtocolVersion::V5_0 => true,
        };
        if !may_assign || !terms.assign_client_id {
            return refused("the Client Identifier is empty");
        }
    } else if !connect.client_id.starts_with(&*terms.client_id_prefix) {
        return refused("the Client Identifier has not the listener's prefix");
    }
    Ok(())
}

impl ListenerTerms {
    /// The same terms, where `bounds` does not set lower ones.
    fn lowered_by(&self, bounds: &SessionBounds) -> Self {
        let mut terms = self.clone();
        if let Some(max) = bounds.packet_bytes_max {
            terms.packet_bytes_max = terms.packet_bytes_max.min(max);
        }
        if let Some(max) = bounds.receive_maximum {
            terms.receive_maximum = terms.receive_maximum.min(max.max(1));
        }
        if let Some(max) = bounds.max_qos {
            terms.max_qos = terms.max_qos.min(max);
        }
        if let Some(max) = bounds.subscriptions_max {
            terms.subscriptions_max = Some(max);
        }
        terms
    }

    /// CONNACK with everything that the client has to know [MQTT-3.2.2-21].
    pub(crate) fn connack(
        &self,
        opening: &Opening<'_>,
        session: &Session,
        session_present: bool,
        expiry: SessionExpiry,
        keep_alive: KeepAlive,
    ) -> Vec<u8> {
        let version = opening.connect.version;
        let mut out = Vec::new();
        let mut properties = PropertyBuffer::new();
        if version.is_v5() {
            self.announce(opening, session, expiry, keep_alive, &mut properties);
        }
        for (name, value) in &opening.admission.user_properties {
            properties.push(Property::UserProperty((name, value)));
        }
        let properties = properties.as_properties();
        ConnAck { session_present, reason: ReasonCode::Success, properties }
            .encode(version, &mut out);
        out
    }

    fn announce(
        &self,
        opening: &Opening<'_>,
        session: &Session,
        expiry: SessionExpiry,
        keep_alive: KeepAlive,
        properties: &mut PropertyBuffer,
    ) {
        let off = |available: bool| (!available).then_some(false);
        properties.push_some(expiry.to_announce().map(Property::SessionExpiryInterval));
        properties.push(Property::ReceiveMaximum(self.receive_maximum));
        if self.max_qos < QoS::ExactlyOnce {
            properties.push(Property::MaximumQoS(self.max_qos as u8));
        }
        properties.push_some(off(self.retain_available).map(Property::RetainAvailable));
        properties.push(Property::MaximumPacketSize(self.packet_bytes_max));
        if opening.assigned {
            properties.push(Property::AssignedClientIdentifier(&session.client_id));
        }
        if self.topic_alias_maximum > 0 {
            properties.push(Property::TopicAliasMaximum(self.topic_alias_maximum));
        }
        let wildcard = off(self.wildcard_subscription_available);
        properties.push_some(wildcard.map(Property::WildcardSubscriptionAvailable));
        let identifier = off(self.subscription_identifier_available);
        properties.push_some(identifier.map(Property::SubscriptionIdentifierAvailable));
        let shared = off(self.shared_subscription_available);
        properties.push_some(shared.map(Property::SharedSubscriptionAvailable));
        if let KeepAlive::Imposed(secs) = keep_alive {
            properties.push(Property::ServerKeepAlive(secs));
        }
        let asked = opening.connect.properties;
        properties.push_some(asked.authentication_method().map(Property::AuthenticationMethod));
        properties.push_some(opening.auth_data.as_deref().map(Property::AuthenticationData));
    }
}

/// What the client said of how it wants to be sent to.
pub(crate) fn connection_terms(connect: &Connect<'_>) -> ConnectionTerms {
    ConnectionTerms {
        layout: connect.version.layout(),
        receive_maximum: connect.properties.receive_maximum().unwrap_or(u16::MAX),
        packet_bytes_max: connect.properties.maximum_packet_size().unwrap_or(u32::MAX),
    }
}
