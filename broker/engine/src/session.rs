use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use foldhash::HashSet;
use parking_lot::{Mutex, MutexGuard};
use pintle_mqtt::{ProtocolVersion, Publication, QoS, Timestamp};
use pintle_ports::{CohortId, Epoch, Identity, Link, MessageFrame, Outbox, Taken};
use pintle_session::{Delivery, Inbound, Outbound, OutboundLimits, SessionExpiry, Tally};

use crate::retained_backlog::RetainedBacklog;

/// A Session (4.1): what is kept of a client, whether it is connected or not.
pub(crate) struct Session {
    /// Unique in this process, the same for the whole life of the session.
    pub(crate) key: u64,
    pub(crate) client_id: Arc<str>,
    /// Only the connection that owns the session takes this lock.
    pub(crate) inbound: Mutex<Inbound>,
    state: Mutex<SessionState>,
}

/// What is shared between the connection, the publishers that deliver to it, and the server that
/// takes the bytes.
pub(crate) struct SessionState {
    pub(crate) outbound: Outbound,
    /// Encoded bytes for the present connection.
    outbox: Vec<u8>,
    /// Whether the link knows that the outbox has bytes.
    noted: bool,
    pub(crate) ended: bool,
    pub(crate) epoch: Epoch,
    pub(crate) version: ProtocolVersion,
    pub(crate) link: Option<Arc<dyn Link>>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) cohort: Option<(u64, CohortId)>,
    /// Filters as they were asked for, share prefix included.
    pub(crate) subscriptions: HashSet<Box<str>>,
    pub(crate) backlog: Option<Box<RetainedBacklog>>,
    pub(crate) will: Option<Box<PendingWill>>,
    pub(crate) expiry: SessionExpiry,
    /// Bound of its own on queued messages.
    pub(crate) queue_messages_max: Option<u32>,
    pub(crate) deadlines: Deadlines,
}

/// When something is due for a session without a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) will_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Deadlines {
    pub(crate) const NONE: Self = Self { will_at: Timestamp::NEVER, expires_at: Timestamp::NEVER };

    pub(crate) fn first(self) -> Timestamp {
        self.will_at.min(self.expires_at)
    }
}

/// A Will Message that has not been sent or deleted.
pub(crate) struct PendingWill {
    pub(crate) message: MessageFrame,
    pub(crate) delay_secs: u32,
}

impl Session {
    pub(crate) fn new(key: u64, client_id: Arc<str>, identity: Arc<Identity>) -> Self {
        let state = SessionState {
            outbound: Outbound::new(),
            outbox: Vec::new(),
            noted: false,
            ended: false,
            epoch: Epoch::default(),
            version: identity.protocol,
            link: None,
            identity,
            cohort: None,
            subscriptions: HashSet::default(),
            backlog: None,
            will: None,
            expiry: SessionExpiry::from_secs(0),
            queue_messages_max: None,
            deadlines: Deadlines::NONE,
        };
        Self { key, client_id, inbound: Mutex::new(Inbound::new()), state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock()
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.lock().identity)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.lock().link.is_some()
    }
}

impl SessionState {
    /// Lets `write` append to the outbox, and sees that the bytes are sent by the end of the turn.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut Outbound, &mut Vec<u8>) -> R) -> R {
        let result = write(&mut self.outbound, &mut self.outbox);
        self.note();
        result
    }

    fn note(&mut self) {
        if !self.noted
            && !self.outbox.is_empty()
            && let Some(link) = &self.link
        {
            self.noted = true;
            Arc::clone(link).ready();
        }
    }

    /// Delivers a run to this session, or queues it.
    pub(crate) fn deliver(
        &mut self,
        publication: &mut Publication<'_>,
        delivery: &Delivery<'_>,
        terms: &DeliveryTerms<'_>,
    ) -> Tally {
        let limits = terms.limits_for(self.queue_messages_max);
        self.write(|outbound, outbox| {
            outbound.deliver(publication, delivery, terms.budget, &limits, terms.now, outbox)
        })
    }

    /// Whether [`SessionState::deliver`] would queue a message of QoS 1 or 2.
    pub(crate) fn would_queue(
        &self,
        publication: &Publication<'_>,
        delivery: &Delivery<'_>,
        terms: &DeliveryTerms<'_>,
    ) -> bool {
        let limits = terms.limits_for(self.queue_messages_max);
        let qos = delivery.qos.min(publication.run().qos());
        let bytes = publication.run().frames().len();
        let (count, outbox_len) = (publication.run().count(), self.outbox.len());
        qos > QoS::AtMostOnce
            && !self.outbound.would_send_all(qos, count, bytes, &limits, outbox_len)
    }

    /// Queues a message of QoS 1 or 2 that hooks are to see when it leaves the queue.
    pub(crate) fn queue(
        &mut self,
        publication: &mut Publication<'_>,
        delivery: &Delivery<'_>,
        terms: &DeliveryTerms<'_>,
    ) -> Tally {
        let limits = terms.limits_for(self.queue_messages_max);
        self.outbound.deliver_to_queue(publication, delivery, terms.budget, &limits, terms.now)
    }

    pub(crate) fn outbox_len(&self) -> usize {
        self.outbox.len()
    }

    /// Cuts the connection off the session: what it had still to be sent, and its link.
    pub(crate) fn detach(&mut self) -> Option<(Arc<dyn Link>, Vec<u8>)> {
        let link = self.link.take()?;
        self.outbound.end_connection();
        self.backlog = None;
        self.noted = false;
        self.epoch.0 += 1;
        Some((link, std::mem::take(&mut self.outbox)))
    }

    /// Gives the session to a new connection, whose link is to take from `outbox`.
    pub(crate) fn attach(&mut self, link: Arc<dyn Link>, outbox: Arc<dyn Outbox>) -> Epoch {
        self.epoch.0 += 1;
        link.attach(outbox, self.epoch);
        self.link = Some(link);
        self.outbox.clear();
        self.noted = false;
        self.epoch
    }
}

impl Outbox for Session {
    fn take(&self, epoch: Epoch, into: &mut Vec<u8>) -> Taken {
        let mut state = self.lock();
        if state.epoch != epoch {
            return Taken::Nothing;
        }
        state.noted = false;
        if state.outbox.is_empty() {
            return Taken::Nothing;
        }
        std::mem::swap(&mut state.outbox, into);
        if tracing::enabled!(target: "pintle::packets", tracing::Level::DEBUG) {
            crate::packet_log::sent(&self.client_id, state.version, into);
        }
        let waits = state.backlog.is_some() || state.outbound.has_waiting();
        if waits { Taken::BytesAndMoreWaits } else { Taken::Bytes }
    }
}

/// What every delivery needs beside the message.
pub(crate) struct DeliveryTerms<'a> {
    pub(crate) limits: &'a OutboundLimits,
    pub(crate) budget: &'a Arc<pintle_mqtt::Budget>,
    pub(crate) now: Timestamp,
}

impl DeliveryTerms<'_> {
    pub(crate) fn limits_for(&self, queue_messages_max: Option<u32>) -> OutboundLimits {
        let mut limits = *self.limits;
        if let Some(own) = queue_messages_max {
            limits.queue_messages_max = limits.queue_messages_max.min(own);
        }
        limits
    }
}

/// A session as routes hold it: two are equal if they are the same session.
#[derive(Clone)]
pub(crate) struct SessionRef(pub(crate) Arc<Session>);

impl PartialEq for SessionRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SessionRef {}

impl Hash for SessionRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl Deref for SessionRef {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}
