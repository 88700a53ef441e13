//! An [`Outbound`] with all it is given by its callers, and the client at the other end.

use std::sync::Arc;

use pintle_mqtt::{Budget, KeptRun, Layout, PacketId, QoS, ReasonCode, Timestamp};
use pintle_session::{
    Acked, ConnectionTerms, Delivery, Hooked, KeptOutbound, Outbound, OutboundLimits, Sent, Tally,
    Waiting,
};

use crate::samples::{Message, Packet, Sample, packets};

pub(crate) use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

pub(crate) struct Conversation {
    pub(crate) outbound: Outbound,
    pub(crate) limits: OutboundLimits,
    pub(crate) terms: ConnectionTerms,
    pub(crate) now: Timestamp,
    pub(crate) budget: Arc<Budget>,
    pub(crate) outbox: Vec<u8>,
}

/// What a v5 client has said that says nothing.
pub(crate) const TERMS: ConnectionTerms =
    ConnectionTerms { layout: Layout::V5, receive_maximum: u16::MAX, packet_bytes_max: u32::MAX };

pub(crate) fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub(crate) fn sent(count: u32) -> Tally {
    Tally { sent: count, ..Tally::default() }
}

pub(crate) fn queued(count: u32) -> Tally {
    Tally { queued: count, ..Tally::default() }
}

impl Conversation {
    /// A client that is not connected.
    pub(crate) fn offline() -> Self {
        Self {
            outbound: Outbound::new(),
            limits: OutboundLimits::default(),
            terms: TERMS,
            now: Timestamp::from_millis(1_000_000),
            budget: Budget::new(u64::MAX),
            outbox: Vec::new(),
        }
    }

    /// A client that is connected on `terms`.
    pub(crate) fn on(terms: ConnectionTerms) -> Self {
        let mut conversation = Self::offline();
        conversation.terms = terms;
        conversation.connect();
        conversation
    }

    /// A v5 client without wishes, connected.
    pub(crate) fn v5() -> Self {
        Self::on(TERMS)
    }

    pub(crate) fn with_receive_maximum(receive_maximum: u16) -> Self {
        Self::on(ConnectionTerms { receive_maximum, ..TERMS })
    }

    pub(crate) fn connect(&mut self) -> Tally {
        self.outbox.clear();
        self.outbound.begin_connection(self.terms, &self.limits, self.now, &mut self.outbox)
    }

    pub(crate) fn disconnect(&mut self) {
        self.outbound.end_connection();
        self.outbox.clear();
    }

    pub(crate) fn reconnect(&mut self) -> Tally {
        self.disconnect();
        self.connect()
    }

    /// Makes everything anew from what a store would have of it.
    pub(crate) fn restart(&mut self) {
        let kept = self.outbound.kept().unwrap();
        let again = |message: &Waiting| {
            let run = message.run();
            let (received_at, expires_at) = (run.received_at(), run.expires_at());
            let frame = message.frame();
            let run = KeptRun::restored(frame, run.layout(), received_at, expires_at, &self.budget);
            Waiting::restored(Arc::new(run.unwrap()), &message.delivery())
        };
        let sent = kept.sent.iter();
        let sent = sent.map(|sent| Sent { message: again(&sent.message), ..*sent }).collect();
        let queue = kept.queue.iter().map(again).collect();
        let released = kept.released;
        self.outbound = Outbound::restored(KeptOutbound { sent, released, queue });
        self.outbox.clear();
    }

    pub(crate) fn pass_secs(&mut self, secs: u32) {
        self.now = self.now.plus_secs(secs);
    }

    /// Delivers at the QoS of the message.
    pub(crate) fn deliver(&mut self, sample: &Sample) -> Tally {
        let delivery =
            Delivery { qos: ExactlyOnce, retain: false, subscription_ids: &[], shared: false };
        self.deliver_as(sample, &delivery)
    }

    pub(crate) fn deliver_as(&mut self, sample: &Sample, delivery: &Delivery<'_>) -> Tally {
        let now = self.now;
        sample.publication(now, |publication| {
            self.outbound.deliver(
                publication,
                delivery,
                &self.budget,
                &self.limits,
                now,
                &mut self.outbox,
            )
        })
    }

    pub(crate) fn deliver_numbers(&mut self, qos: QoS, numbers: std::ops::Range<u32>) -> Tally {
        self.deliver(&Sample::numbered(qos, numbers))
    }

    pub(crate) fn drain(&mut self) -> Tally {
        self.outbound.drain(&self.limits, self.now, &mut self.outbox)
    }

    pub(crate) fn can_drain(&self) -> bool {
        self.outbound.can_drain(&self.limits, self.outbox.len())
    }

    /// Takes all out of the outbox.
    pub(crate) fn read(&mut self) -> Vec<Packet> {
        packets(&std::mem::take(&mut self.outbox), self.terms.layout)
    }

    /// Takes all out of the outbox, which holds nothing but PUBLISH packets.
    pub(crate) fn read_messages(&mut self) -> Vec<Message> {
        let message = |packet| match packet {
            Packet::Publish(message) => message,
            Packet::PubRel(id) => panic!("a PUBREL of {id}"),
        };
        self.read().into_iter().map(message).collect()
    }

    pub(crate) fn read_payloads(&mut self) -> Vec<String> {
        let messages = self.read_messages();
        messages.into_iter().map(|message| message.payload).collect()
    }

    pub(crate) fn read_ids(&mut self) -> Vec<u16> {
        let messages = self.read_messages();
        messages.into_iter().map(|message| message.id).collect()
    }

    pub(crate) fn puback(&mut self, packet_id: u16) -> Acked {
        self.outbound.puback(id(packet_id))
    }

    pub(crate) fn pubrec(&mut self, packet_id: u16) -> Acked {
        self.pubrec_with(packet_id, ReasonCode::Success)
    }

    pub(crate) fn pubrec_with(&mut self, packet_id: u16, reason: ReasonCode) -> Acked {
        self.outbound.pubrec(id(packet_id), reason, &mut self.outbox)
    }

    pub(crate) fn pubcomp(&mut self, packet_id: u16) -> Acked {
        self.outbound.pubcomp(id(packet_id))
    }

    pub(crate) fn take_for_hooks(&mut self, max: usize) -> Vec<Waiting> {
        self.outbound.take_for_hooks(max, &self.limits, self.now, self.outbox.len())
    }

    pub(crate) fn send_hooked(&mut self, messages: Vec<(Waiting, Hooked)>) -> Tally {
        self.outbound.send_hooked(messages, &self.limits, self.now, &mut self.outbox)
    }

    /// Nothing is left, and nothing is held.
    pub(crate) fn assert_at_rest(&self) {
        assert!(!self.outbound.holds_state());
        assert_eq!(self.outbound.queue_len(), 0);
        assert_eq!(self.outbound.queue_bytes(), 0);
        assert_eq!(self.outbound.inflight_len(), 0);
        assert_eq!(self.budget.used(), 0);
    }
}
