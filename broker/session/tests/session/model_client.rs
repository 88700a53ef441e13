//! A client that does what the standard asks of a receiver, and an observer of what it is sent.

use std::collections::{BTreeMap, BTreeSet};

use pintle_mqtt::{QoS, ReasonCode};
use pintle_session::Acked;

use crate::conversation::Conversation;
use crate::samples::{Message, Packet};

/// An acknowledgement that the client has yet to send.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// PUBACK.
    Ack(u16),
    /// PUBREC.
    Rec(u16),
    /// PUBCOMP.
    Comp(u16),
}

#[derive(Debug, Default)]
pub(crate) struct ModelClient {
    /// The client's Session: QoS 2 identifiers it has taken and not seen released.
    taken: BTreeSet<u16>,
    due: Vec<Due>,
    /// How often each message reached the application, by number.
    pub(crate) received: BTreeMap<u32, u32>,
    /// At which QoS each came.
    pub(crate) qos_seen: BTreeMap<u32, QoS>,
    /// What the server must consider in use, and whether it sent PUBREL.
    in_use: BTreeMap<u16, bool>,
    /// Messages of this connection that are not finished.
    open_here: BTreeSet<u16>,
    last_number_here: Option<u32>,
}

impl ModelClient {
    pub(crate) fn begin_connection(&mut self) {
        self.due.clear();
        self.open_here.clear();
        self.last_number_here = None;
    }

    pub(crate) fn is_due_to_answer(&self) -> bool {
        !self.due.is_empty()
    }

    /// Reads what the outbox holds, as far as the observer goes; the client itself gets it too
    /// unless it is `lost` on the way.
    pub(crate) fn read(&mut self, c: &mut Conversation, lost: bool) {
        for packet in c.read() {
            match &packet {
                Packet::Publish(message) => self.observe(c, message),
                Packet::PubRel(id) => {
                    assert_eq!(self.in_use.get(id), Some(&true), "PUBREL {id} too early");
                }
            }
            if !lost {
                self.take(packet);
            }
        }
    }

    fn observe(&mut self, c: &Conversation, message: &Message) {
        if message.qos == QoS::AtMostOnce {
            return;
        }
        let id = message.id;
        let known = self.in_use.insert(id, false);
        assert_eq!(message.dup, known.is_some(), "DUP of {message:?}");
        assert_ne!(known, Some(true), "PUBLISH {id} after its PUBREL");
        assert!(self.open_here.insert(id), "{id} twice on one connection");
        assert!(self.open_here.len() <= usize::from(c.terms.receive_maximum));
        let number = Some(message.number());
        assert!(self.last_number_here < number, "out of order: {message:?}");
        self.last_number_here = number;
    }

    fn take(&mut self, packet: Packet) {
        match packet {
            Packet::PubRel(id) => {
                self.taken.remove(&id);
                self.due.push(Due::Comp(id));
            }
            Packet::Publish(message) => match message.qos {
                QoS::AtMostOnce => self.deliver(&message),
                QoS::AtLeastOnce => {
                    self.deliver(&message);
                    self.due.push(Due::Ack(message.id));
                }
                QoS::ExactlyOnce => {
                    if self.taken.insert(message.id) {
                        self.deliver(&message);
                    }
                    self.due.push(Due::Rec(message.id));
                }
            },
        }
    }

    fn deliver(&mut self, message: &Message) {
        *self.received.entry(message.number()).or_default() += 1;
        self.qos_seen.insert(message.number(), message.qos);
    }

    /// Sends one of the acknowledgements that are due.
    pub(crate) fn acknowledge(&mut self, c: &mut Conversation, which: usize) {
        if self.due.is_empty() {
            return;
        }
        let due = self.due.remove(which % self.due.len());
        let acked = match due {
            Due::Ack(id) => self.finished(id, c.puback(id)),
            Due::Rec(id) => {
                self.in_use.insert(id, true);
                c.pubrec(id)
            }
            Due::Comp(id) => self.finished(id, c.pubcomp(id)),
        };
        assert_eq!(acked, Acked::Done, "{due:?}");
    }

    /// Refuses a QoS 2 message, if one waits for its PUBREC.
    pub(crate) fn refuse(&mut self, c: &mut Conversation, which: usize) {
        let refusable = |due: &Due| matches!(due, Due::Rec(_));
        let places: Vec<_> = (0..self.due.len()).filter(|at| refusable(&self.due[*at])).collect();
        if places.is_empty() {
            return;
        }
        if let Due::Rec(id) = self.due.remove(places[which % places.len()]) {
            self.taken.remove(&id);
            let acked = c.pubrec_with(id, ReasonCode::UnspecifiedError);
            assert_eq!(self.finished(id, acked), Acked::Done);
        }
    }

    fn finished(&mut self, id: u16, acked: Acked) -> Acked {
        self.in_use.remove(&id);
        self.open_here.remove(&id);
        acked
    }
}
