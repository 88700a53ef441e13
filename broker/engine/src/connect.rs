use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use pintle_mqtt::{Connect, Frame, ProtocolVersion, ReasonCode, Violation};
use pintle_ports::{
    Admission, AuthOutcome, AuthProgress, ConnectAttempt, Event, EventKind, Granted, Identity,
    Link, Refusal, RemoteAddr, SessionBounds, Step,
};
use pintle_session::{AuthExchange, ConnectionTerms, KeepAlive, keep_alive_terms};
use tracing::info;

use crate::authenticate::LiveAuth;
use crate::connack::{Message, refuse};
use crate::connection::{Connection, Fresh, Halt, Live, Peer, Phase};
use crate::counters::add;
use crate::publish::check_topic_bounds;
use crate::settings::ListenerTerms;
use crate::takeover::Opened;
use crate::worker::{Worker, tell};

/// A CONNECT that has not been answered yet.
pub(crate) struct PendingConnect {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) frame: Box<[u8]>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) auth: AuthExchange,
    pub(crate) packet_bytes_max: u32,
}

impl PendingConnect {
    /// What is needed to refuse it: the link, and the version to answer in.
    pub(crate) fn into_link(self) -> (Arc<dyn Link>, Option<ProtocolVersion>) {
        (self.link, Some(self.identity.protocol))
    }
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

impl From<Violation> for Refused {
    fn from(violation: Violation) -> Self {
        Self { reason: violation.reason, what: violation.what }
    }
}

impl Connection {
    /// CONNECT: check it, ask who it is, open the session, answer.
    pub(crate) fn connect(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        fresh: Fresh,
    ) -> Result<(), Halt> {
        let Fresh { link, peer } = fresh;
        let counts = worker.counts();
        counts.received(&counts.connect_received, 1);
        add(&counts.connects, 1);
        let connect = match Connect::decode(frame) {
            Ok(connect) => connect,
            Err(error) => {
                let refused = Refused::from(error.violation);
                let version = answered_in(error.version, refused.reason);
                return Err(refuse(worker, &*link, version, &refused, None));
            }
        };
        if let Err(refused) = check(worker, &self.terms, &connect) {
            return Err(refuse(worker, &*link, Some(connect.version), &refused, None));
        }
        let method = connect.properties.authentication_method();
        let data = connect.properties.authentication_data();
        let auth = match AuthExchange::of_connect(method, data.is_some()) {
            Ok(auth) => auth,
            Err(violation) => {
                let refused = Refused::from(violation);
                return Err(refuse(worker, &*link, Some(connect.version), &refused, None));
            }
        };
        let identity = Arc::new(self.identity_of(worker, &connect, peer));
        let packet_bytes_max = packet_bytes_max(&connect);
        let frame = frame.bytes.into();
        let pending = PendingConnect { link, frame, identity, auth, packet_bytes_max };
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
            granted: None,
            protocol: connect.version,
            transport: peer.transport,
            listener: Arc::clone(&self.terms.name),
            remote_addr: peer.remote_addr.map(RemoteAddr::from),
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
            return Err(refuse(worker, &*pending.link, Some(connect.version), &refused, None));
        }
        let assigned = connect.client_id.is_empty();
        let identity = Identity {
            granted: Granted::new(admission.principal.clone(), admission.rules.clone()),
            ..pending.identity.copied()
        };
        let opening = Opening {
            connect: &connect,
            admission: &admission,
            assigned,
            auth_data,
            link: &pending.link,
        };
        let opened = self
            .checked_will(worker, &connect, &identity)
            .and_then(|will| self.open_session(worker, &opening, identity, will));
        match opened {
            Ok(opened) => {
                self.begin(worker, &connect, pending, opened);
                Ok(())
            }
            Err(refused) => {
                Err(refuse(worker, &*pending.link, Some(connect.version), &refused, None))
            }
        }
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
        let connected = counters.connected.load(Ordering::Relaxed);
        counters.connected_max.fetch_max(connected, Ordering::Relaxed);
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
            is_held_back: false,
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
        let packet_bytes_max = pending.packet_bytes_max;
        let message = refusal.message.as_deref().map(|text| Message { text, packet_bytes_max });
        refuse(worker, &*pending.link, Some(who.protocol), &refused, message.as_ref())
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
    pub(crate) link: &'a Arc<dyn Link>,
}

/// The version to say in why a CONNECT could not be read: before 5.0 one that does not conform gets
/// no CONNACK, unless it is of a version that is not spoken here [MQTT-3.1.4-1].
fn answered_in(version: Option<ProtocolVersion>, reason: ReasonCode) -> Option<ProtocolVersion> {
    let unspoken = reason == ReasonCode::UnsupportedProtocolVersion;
    version.filter(|version| unspoken || version.is_v5())
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
    check_topic_bounds(worker, will.topic).map_err(Refused::from)
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
            let own = terms.subscriptions_max.unwrap_or(u32::MAX);
            terms.subscriptions_max = Some(own.min(max));
        }
        terms
    }
}

/// What the client said of how it wants to be sent to.
pub(crate) fn connection_terms(connect: &Connect<'_>) -> ConnectionTerms {
    ConnectionTerms {
        layout: connect.version.layout(),
        receive_maximum: connect.properties.receive_maximum().unwrap_or(u16::MAX),
        packet_bytes_max: packet_bytes_max(connect),
    }
}

/// The largest packet that the client takes.
pub(crate) fn packet_bytes_max(connect: &Connect<'_>) -> u32 {
    connect.properties.maximum_packet_size().unwrap_or(u32::MAX)
}
