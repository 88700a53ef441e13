use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::MutexGuard;
use pintle_mqtt::{Frame, Packet, ProtocolVersion, ReasonCode, Violation};
use pintle_ports::{Epoch, Identity, Link, Transport};
use pintle_session::{Inbound, keep_alive_limit};
use tracing::debug;

use crate::acknowledge::short_ack;
use crate::authenticate::{Challenged, LiveAuth};
use crate::connect::WaitingConnect;
use crate::counters::add;
use crate::session::{SessionRef, SessionState};
use crate::settings::ListenerTerms;
use crate::topic_pass::TopicPass;
use crate::worker::Worker;

/// The engine's side of one Network Connection: bytes in, and what to do next.
///
/// It owns what only the connection's own task needs; what others share is in the session.
pub struct Connection {
    pub(crate) terms: Arc<ListenerTerms>,
    pub(crate) phase: Phase,
    pub(crate) last: Option<Box<TopicPass>>,
}

/// Where the peer is connected from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub remote_addr: Option<SocketAddr>,
    /// How it is connected.
    pub transport: Transport,
}

pub(crate) enum Phase {
    /// CONNECT has not come yet.
    Fresh(Box<Fresh>),
    /// A hook is deciding on the CONNECT.
    Waiting(Box<WaitingConnect>),
    /// Enhanced authentication waits for the client's AUTH.
    Challenged(Box<Challenged>),
    /// CONNACK with success was sent.
    Live(Live),
    Closed,
}

/// A connection that has said nothing yet.
pub(crate) struct Fresh {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) peer: Peer,
}

impl Phase {
    pub(crate) const fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::Fresh(_) | Self::Waiting(_) | Self::Challenged(_) | Self::Closed => None,
        }
    }
}

/// A connection with a session.
pub(crate) struct Live {
    pub(crate) session: SessionRef,
    pub(crate) identity: Arc<Identity>,
    pub(crate) epoch: Epoch,
    pub(crate) version: ProtocolVersion,
    /// The peer did not take its acknowledgements when the last batch ended.
    pub(crate) is_held_back: bool,
    pub(crate) keep_alive_secs: u16,
    /// Present if CONNECT named an Authentication Method.
    pub(crate) auth: Option<Box<LiveAuth>>,
}

/// What [`Connection::receive`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes at the front that are done with.
    pub consumed: usize,
    /// What to do next.
    pub flow: Flow,
    /// Whether there were acknowledgements and nothing else: they end work and make none.
    pub only_acks: bool,
}

/// What the server is to do with a connection next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on reading.
    Read,
    /// A hook is being waited for: neither read nor parse, but poll [`Connection::poll_wait`].
    Wait,
    /// The broker is over `broker_bytes_max`, or the peer does not take its acknowledgements: stop
    /// reading for a while, then give the same bytes again.
    Pause,
    /// What these packets ask for takes long: let other connections have their turn, then give the
    /// rest again.
    Yield,
    /// The link was told to close.
    Close,
}

/// Why a connection ends, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The peer closed its side.
    PeerClosed,
    /// The socket, TLS or WebSocket failed.
    IoError,
    /// CONNECT did not come in time.
    HandshakeTimeout,
    /// The engine asked for it through [`Link::close`].
    ClosedByBroker,
}

/// Why the handling of a batch stops early.
pub(crate) enum Halt {
    /// The peer broke a rule.
    Violation(Violation),
    /// The broker ends the connection for another reason.
    Close {
        reason: ReasonCode,
        what: &'static str,
    },
    /// The client said DISCONNECT, or the session is no longer ours.
    Gone,
    Wait,
    Pause,
    Yield,
}

/// Packet types (2.1.2): PUBACK, PUBREC, PUBREL and PUBCOMP are in a row.
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBCOMP: u8 = 7;

/// Subscriptions made and ended before others have their turn; each takes as long as ten or twenty
/// messages. One packet is handled whole, however many it asks for.
const TREE_CHANGES_MAX: u32 = 10;

impl Halt {
    pub(crate) fn close(reason: ReasonCode, what: &'static str) -> Self {
        Self::Close { reason, what }
    }
}

impl From<Violation> for Halt {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Connection {
    /// A connection that has sent nothing yet.
    pub fn new(link: Arc<dyn Link>, terms: Arc<ListenerTerms>, peer: Peer) -> Self {
        Self { terms, phase: Phase::Fresh(Box::new(Fresh { link, peer })), last: None }
    }

    /// Handles the whole packets at the front of `bytes`; give the rest again with more behind it.
    pub fn receive(&mut self, worker: &mut Worker, bytes: &[u8]) -> Received {
        worker.begin_batch();
        if self.is_held_back(worker) {
            return Received { consumed: 0, flow: Flow::Pause, only_acks: false };
        }
        let mut consumed = 0;
        let halt = loop {
            let rest = bytes.get(consumed..).unwrap_or_default();
            if worker.tree_changes >= TREE_CHANGES_MAX && !rest.is_empty() {
                break Some(Halt::Yield);
            }
            match self.next(worker, rest) {
                Ok(0) => break None,
                Ok(used) => consumed += used,
                Err(halt) => break Some(halt),
            }
        };
        add(&worker.counts().bytes_received, consumed as u64);
        let flow = match halt {
            None => self.end_of_batch(worker),
            Some(halt) => self.halt(worker, halt),
        };
        Received { consumed, flow, only_acks: consumed > 0 && worker.only_acks }
    }

    /// Handles one packet, or one run of them; 0 if no whole packet is there.
    fn next(&mut self, worker: &mut Worker, bytes: &[u8]) -> Result<usize, Halt> {
        match &self.phase {
            Phase::Live(live) if !live.session.is_current(live.epoch) => return Err(Halt::Gone),
            Phase::Live(_) if self.is_waiting_live() => return Err(Halt::Wait),
            Phase::Live(_) => {}
            Phase::Fresh(_) | Phase::Challenged(_) => return self.handshake(worker, bytes),
            Phase::Waiting(_) => return Err(Halt::Wait),
            Phase::Closed => return Err(Halt::Gone),
        }
        let Some(frame) = Frame::split(bytes, self.terms.packet_bytes_max)? else {
            return Ok(0);
        };
        let bytes = if worker.packet_log {
            self.log_received(&frame);
            // One at a time, so that each has its line.
            frame.bytes
        } else {
            bytes
        };
        let packet_type = frame.first_byte >> 4;
        worker.only_acks &= (PUBACK..=PUBCOMP).contains(&packet_type);
        match packet_type {
            PUBLISH => self.publish(worker, &frame, bytes),
            _ => match short_ack(frame.bytes) {
                Some(kind) => self.short_acks(worker, kind, bytes),
                None => {
                    self.control(worker, &frame)?;
                    Ok(frame.bytes.len())
                }
            },
        }
    }

    /// Before CONNACK: CONNECT first, AUTH or DISCONNECT during enhanced authentication, nothing
    /// else [MQTT-3.1.0-1].
    fn handshake(&mut self, worker: &mut Worker, bytes: &[u8]) -> Result<usize, Halt> {
        if let Phase::Fresh(_) = &self.phase
            && let Some(first) = bytes.first()
            && *first >> 4 != 1
        {
            let what = "the first packet is not CONNECT";
            return Err(Violation::protocol_error(what).into());
        }
        let Some(frame) = Frame::split(bytes, self.terms.packet_bytes_max)? else {
            return Ok(0);
        };
        if worker.packet_log {
            self.log_received(&frame);
        }
        if let Phase::Challenged(_) = &self.phase {
            self.auth_during_connect(worker, &frame)?;
        } else if let Phase::Fresh(fresh) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.connect(worker, &frame, *fresh)?;
        }
        Ok(frame.bytes.len())
    }

    /// Every packet but PUBLISH and the short PUBACK.
    fn control(&mut self, worker: &mut Worker, frame: &Frame<'_>) -> Result<(), Halt> {
        let version = self.live()?.version;
        let counts = worker.counts();
        match Packet::decode(frame, version)? {
            Packet::PubAck(ack) => self.puback(worker, &ack),
            Packet::PubRec(ack) => self.pubrec(worker, &ack),
            Packet::PubRel(ack) => self.pubrel(worker, &ack),
            Packet::PubComp(ack) => self.pubcomp(worker, &ack),
            Packet::Subscribe(subscribe) => self.subscribe(worker, &subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(worker, &unsubscribe),
            Packet::PingReq => {
                counts.received(&counts.pingreq_received, 1);
                counts.sent(&counts.pingresp_sent, 1);
                Packet::PingResp.encode(version, &mut worker.replies);
                Ok(())
            }
            Packet::Disconnect(disconnect) => self.disconnect(worker, &disconnect),
            Packet::Auth(auth) => self.reauthenticate(worker, &auth),
            Packet::Connect(_) => Err(Violation::protocol_error("a second CONNECT came").into()),
            Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Publish(_) => {
                Err(Violation::protocol_error("a packet came that only servers send").into())
            }
        }
    }

    fn end_of_batch(&mut self, worker: &mut Worker) -> Flow {
        match &self.phase {
            Phase::Waiting(_) => Flow::Wait,
            Phase::Closed => Flow::Close,
            Phase::Fresh(_) | Phase::Challenged(_) => Flow::Read,
            Phase::Live(_) if worker.replies.is_empty() => Flow::Read,
            Phase::Live(_) => {
                self.flush_replies(worker);
                self.hold_back(worker)
            }
        }
    }

    fn halt(&mut self, worker: &mut Worker, halt: Halt) -> Flow {
        match halt {
            Halt::Wait => {
                self.flush_replies(worker);
                Flow::Wait
            }
            Halt::Pause => {
                self.flush_replies(worker);
                Flow::Pause
            }
            Halt::Yield => {
                self.flush_replies(worker);
                match self.hold_back(worker) {
                    Flow::Read => Flow::Yield,
                    flow => flow,
                }
            }
            Halt::Violation(violation) => self.fail(worker, violation.reason, violation.what),
            Halt::Close { reason, what } => self.fail(worker, reason, what),
            Halt::Gone => {
                worker.replies.clear();
                self.phase = Phase::Closed;
                Flow::Close
            }
        }
    }

    /// Appends the answers of this batch to the connection's own outbox.
    pub(crate) fn flush_replies(&self, worker: &mut Worker) {
        if worker.replies.is_empty() {
            return;
        }
        if let Phase::Live(live) = &self.phase
            && let Some(mut state) = live.session.lock_as(live.epoch)
        {
            state.write(|_, outbox| outbox.extend_from_slice(&worker.replies));
            add(&worker.counts().bytes_sent, worker.replies.len() as u64);
        }
        worker.replies.clear();
    }

    /// Stops reading a publisher that does not take its own acknowledgements.
    fn hold_back(&mut self, worker: &Worker) -> Flow {
        let Phase::Live(live) = &mut self.phase else {
            return Flow::Read;
        };
        let bytes_max = worker.bounds().settings.outbox_bytes_max.saturating_mul(2);
        let state = live.session.lock_as(live.epoch);
        live.is_held_back = state.is_some_and(|state| state.outbox_len() > bytes_max);
        if live.is_held_back { Flow::Pause } else { Flow::Read }
    }

    /// Whether it was stopped, and still has to be.
    fn is_held_back(&mut self, worker: &Worker) -> bool {
        let was_held_back = self.phase.live().is_some_and(|live| live.is_held_back);
        was_held_back && self.hold_back(worker) == Flow::Pause
    }

    /// Polls what [`Flow::Wait`] waits for.
    pub fn poll_wait(&mut self, worker: &mut Worker, task: &mut Context<'_>) -> Poll<Flow> {
        worker.begin_batch();
        let halt = match self.poll_waiting(worker, task) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(halt)) => Some(halt),
        };
        Poll::Ready(match halt {
            None => self.end_of_batch(worker),
            Some(halt) => self.halt(worker, halt),
        })
    }

    /// What had waited for room in the outbox is to be sent on.
    pub fn on_room(&mut self, worker: &mut Worker) {
        worker.begin_batch();
        if let Phase::Live(live) = &self.phase {
            worker.pump(&live.session, live.epoch);
        }
    }

    /// How long the peer may be silent: 1.5 times its Keep Alive [MQTT-3.1.2-22]; `None` before
    /// CONNECT and for a Keep Alive of 0.
    pub fn silence_max(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Live(live) => keep_alive_limit(live.keep_alive_secs),
            Phase::Fresh(_) | Phase::Waiting(_) | Phase::Challenged(_) | Phase::Closed => None,
        }
    }

    /// The peer was silent for longer than [`Connection::silence_max`].
    pub fn keep_alive_expired(&mut self, worker: &mut Worker) {
        worker.begin_batch();
        self.fail(worker, ReasonCode::KeepAliveTimeout, "the Keep Alive has passed");
    }

    /// Whether CONNACK with success was sent and the connection has not ended.
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// The connection is gone, however it came to that. Later calls do nothing.
    pub fn end(&mut self, worker: &mut Worker, cause: EndCause) {
        worker.begin_batch();
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        self.last = None;
        if let Phase::Live(live) = phase {
            debug!(client_id = %live.identity.client_id, ?cause, "Network Connection ended.");
            worker.connection_lost(&live);
        }
    }

    pub(crate) fn live(&self) -> Result<&Live, Halt> {
        self.phase.live().ok_or(Halt::Gone)
    }

    /// The locked state of the session, so long as it is this connection's.
    pub(crate) fn own_state(&self) -> Result<MutexGuard<'_, SessionState>, Halt> {
        let live = self.live()?;
        live.session.lock_as(live.epoch).ok_or(Halt::Gone)
    }

    /// What this client sends, so long as the session is this connection's.
    pub(crate) fn own_inbound(&self) -> Result<MutexGuard<'_, Inbound>, Halt> {
        let live = self.live()?;
        live.session.inbound_as(live.epoch).ok_or(Halt::Gone)
    }

    pub(crate) fn live_version(&self) -> Option<ProtocolVersion> {
        self.live().ok().map(|live| live.version)
    }

    fn log_received(&self, frame: &Frame<'_>) {
        let client_id = match &self.phase {
            Phase::Live(live) => &*live.identity.client_id,
            Phase::Fresh(_) | Phase::Waiting(_) | Phase::Challenged(_) | Phase::Closed => "-",
        };
        crate::packet_log::received(client_id, self.live_version(), frame);
    }
}
