use std::hash::{Hash, Hasher};
use std::mem;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};
use pintle_mqtt::{KeptRun, ProtocolVersion, Publication, QoS, Timestamp};
use pintle_ports::{Epoch, Identity, Link, Outbox, Taken};
use pintle_session::{Delivery, Inbound, Outbound, OutboundLimits, SessionExpiry, Tally};

use crate::aside::Aside;

/// What a packet may grow by when it is delivered, Subscription Identifiers aside: a Packet
/// Identifier, the length of its properties, a longer Remaining Length.
pub(crate) const DELIVERY_GROWTH: usize = 16;

/// A Session (4.1): what is kept of a client, whether it is connected or not.
pub(crate) struct Session {
    /// Unique in this process, the same for the whole life of the session.
    pub(crate) key: u64,
    pub(crate) client_id: Arc<str>,
    /// The epoch in `state`, to be looked at without its lock; it changes only under it.
    current: AtomicU32,
    /// What of it is not as it is stored, as [`crate::store::Unsaved`]; 0 where there is no store.
    pub(crate) unsaved: AtomicU8,
    /// Locked after `state`, where both are.
    inbound: Mutex<Inbound>,
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
    /// The client's Maximum Packet Size, in bytes.
    pub(crate) packet_bytes_max: u32,
    pub(crate) link: Option<Arc<dyn Link>>,
    pub(crate) identity: Arc<Identity>,
    /// Nothing for a client that is only connected.
    pub(crate) aside: Option<Box<Aside>>,
    pub(crate) expiry: SessionExpiry,
    /// Bound of its own on queued messages; `u32::MAX` if it has none.
    pub(crate) queue_messages_max: u32,
}

/// A Will Message that has not been sent or deleted.
pub(crate) struct PendingWill {
    pub(crate) message: Arc<KeptRun>,
    pub(crate) delay_secs: u32,
}

/// A will whose time has come, to be sent once no lock is held.
pub(crate) struct DueWill {
    pub(crate) message: Arc<KeptRun>,
    pub(crate) identity: Arc<Identity>,
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
            packet_bytes_max: u32::MAX,
            link: None,
            identity,
            aside: None,
            expiry: SessionExpiry::from_secs(0),
            queue_messages_max: u32::MAX,
        };
        Self {
            key,
            client_id,
            current: AtomicU32::new(state.epoch.0),
            unsaved: AtomicU8::new(0),
            inbound: Mutex::new(Inbound::new()),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock()
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.lock().identity)
    }

    /// The state, unless the connection of `epoch` has lost the session.
    pub(crate) fn lock_as(&self, epoch: Epoch) -> Option<MutexGuard<'_, SessionState>> {
        let state = self.state.lock();
        (state.epoch == epoch).then_some(state)
    }

    /// What the client sends.
    pub(crate) fn inbound(&self) -> MutexGuard<'_, Inbound> {
        self.inbound.lock()
    }

    /// What the client sends, unless the connection of `epoch` has lost the session.
    pub(crate) fn inbound_as(&self, epoch: Epoch) -> Option<MutexGuard<'_, Inbound>> {
        let inbound = self.inbound.lock();
        self.is_current(epoch).then_some(inbound)
    }

    /// Whether the session is still that connection's.
    pub(crate) fn is_current(&self, epoch: Epoch) -> bool {
        self.current.load(Ordering::Acquire) == epoch.0
    }

    /// Of the connection that has it, or of none.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.current.load(Ordering::Acquire))
    }

    /// Cuts the connection off the session: its link, and what it had still to be sent.
    pub(crate) fn detach(&self, state: &mut SessionState) -> Option<(Arc<dyn Link>, Vec<u8>)> {
        let link = state.link.take()?;
        state.outbound.end_connection();
        state.end_backlog();
        state.noted = false;
        self.begin_epoch(state);
        // Nothing is connected: this only forgets what belonged to the connection.
        self.inbound.lock().begin_connection(u16::MAX, 0);
        Some((link, mem::take(&mut state.outbox)))
    }

    /// Gives the session to a new connection, whose link is to take from it.
    pub(crate) fn attach(
        self: &Arc<Self>,
        state: &mut SessionState,
        link: Arc<dyn Link>,
        receive_maximum: u16,
        topic_alias_maximum: u16,
    ) -> Epoch {
        self.begin_epoch(state);
        self.inbound.lock().begin_connection(receive_maximum, topic_alias_maximum);
        link.attach(Arc::clone(self) as Arc<dyn Outbox>, state.epoch);
        state.link = Some(link);
        state.outbox.clear();
        state.noted = false;
        state.epoch
    }

    fn begin_epoch(&self, state: &mut SessionState) {
        state.epoch.0 = state.epoch.0.wrapping_add(1);
        self.current.store(state.epoch.0, Ordering::Release);
    }
}

impl SessionState {
    /// Lets `write` append to the outbox, and sees that the bytes are sent by the end of the turn.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut Outbound, &mut Vec<u8>) -> R) -> R {
        if self.outbox.capacity() == 0
            && let Some(link) = &self.link
        {
            self.outbox = link.spare_buffer();
        }
        let result = write(&mut self.outbound, &mut self.outbox);
        self.note();
        result
    }

    fn note(&mut self) {
        let Some(link) = &self.link else { return };
        if self.outbox.is_empty() {
            link.recycle(mem::take(&mut self.outbox));
        } else if !self.noted {
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
        let growth = DELIVERY_GROWTH + delivery.subscription_ids.len() * 5;
        let bytes = publication.run().frames().len() + growth;
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

    /// Whether it outlives its connection.
    pub(crate) fn is_lasting(&self) -> bool {
        !self.expiry.ends_with_connection()
    }

    /// Whether anything waits for room, or for the client's quota.
    pub(crate) fn holds_more(&self) -> bool {
        self.has_backlog() || self.outbound.has_waiting()
    }

    /// The will, which is now due.
    pub(crate) fn take_will(&mut self) -> Option<DueWill> {
        let will = self.aside.as_mut()?.will.take()?;
        Some(DueWill { message: will.message, identity: Arc::clone(&self.identity) })
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
        mem::swap(&mut state.outbox, into);
        if tracing::enabled!(target: "pintle::packets", tracing::Level::DEBUG) {
            crate::packet_log::sent(&self.client_id, state.version, into);
        }
        if state.holds_more() { Taken::BytesAndMoreWaits } else { Taken::Bytes }
    }
}

/// What every delivery needs beside the message.
pub(crate) struct DeliveryTerms<'a> {
    pub(crate) limits: &'a OutboundLimits,
    pub(crate) budget: &'a Arc<pintle_mqtt::Budget>,
    pub(crate) now: Timestamp,
}

impl DeliveryTerms<'_> {
    pub(crate) fn limits_for(&self, queue_messages_max: u32) -> OutboundLimits {
        let mut limits = *self.limits;
        limits.queue_messages_max = limits.queue_messages_max.min(queue_messages_max);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 232, "{}", size_of::<Session>());
        assert!(size_of::<Aside>() <= 104, "{}", size_of::<Aside>());
        assert!(size_of::<Identity>() <= 88, "{}", size_of::<Identity>());
    }
}
