use pintle_mqtt::{Ack, AckKind, PacketId, ReasonCode, Violation};
use pintle_session::{Acked, Outbound};

use crate::connection::{Connection, Halt};
use crate::worker::Worker;

const PUBACK_FOR_QOS_2: &str = "a PUBACK came for a QoS 2 message";

/// Fixed Header of a PUBACK without Reason Code.
pub(crate) const SHORT_PUBACK: [u8; 2] = [0x40, 2];

impl Connection {
    /// Handles the short PUBACKs at the front of `bytes` under one lock; returns their bytes.
    pub(crate) fn pubacks(&mut self, worker: &mut Worker, bytes: &[u8]) -> Result<usize, Halt> {
        let mut used = 0;
        let mut outcome = Ok(());
        let waits = {
            let mut state = self.own_state()?;
            let (packets, _) = bytes.as_chunks::<4>();
            for &[first, len, high, low] in packets {
                if [first, len] != SHORT_PUBACK {
                    break;
                }
                let id = PacketId::new(u16::from_be_bytes([high, low]));
                outcome = match id {
                    Some(id) => check(state.outbound.puback(id), PUBACK_FOR_QOS_2),
                    None => Err(Violation::protocol_error("a Packet Identifier is 0")),
                };
                if outcome.is_err() {
                    break;
                }
                used += SHORT_PUBACK.len() + 2;
            }
            state.holds_more()
        };
        let counts = worker.counts();
        counts.received(&counts.puback_received, (used / 4) as u64);
        outcome?;
        self.send_more(worker, waits)?;
        Ok(used)
    }

    /// A PUBACK with a Reason Code.
    pub(crate) fn puback(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.puback_received, 1);
        self.acknowledged(worker, PUBACK_FOR_QOS_2, |outbound, _| outbound.puback(ack.packet_id))
    }

    /// PUBREC: the second step of a QoS 2 delivery (4.3.3).
    pub(crate) fn pubrec(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.pubrec_received, 1);
        let version = self.live()?.version;
        let what = "a PUBREC came for a QoS 1 message";
        self.acknowledged(worker, what, |outbound, replies| {
            let acked = outbound.pubrec(ack.packet_id, ack.reason, replies);
            if acked == Acked::Unknown && !ack.reason.is_failure() {
                let unknown = Ack::new(ack.packet_id, ReasonCode::PacketIdentifierNotFound);
                unknown.encode(AckKind::PubRel, version, replies);
            }
            acked
        })
    }

    /// PUBREL: the client's message is no longer a duplicate of anything [MQTT-4.3.3-11].
    pub(crate) fn pubrel(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let version = self.live()?.version;
        let known = self.own_inbound()?.pubrel(ack.packet_id);
        let reason = if known || !version.is_v5() {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        Ack::new(ack.packet_id, reason).encode(AckKind::PubComp, version, &mut worker.replies);
        let counts = worker.counts();
        counts.received(&counts.pubrel_received, 1);
        counts.sent(&counts.pubcomp_sent, 1);
        Ok(())
    }

    /// PUBCOMP: a QoS 2 delivery is complete.
    pub(crate) fn pubcomp(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.pubcomp_received, 1);
        let what = "a PUBCOMP came where none was due";
        self.acknowledged(worker, what, |outbound, _| outbound.pubcomp(ack.packet_id))
    }

    /// Applies an acknowledgement, whose answer goes to the replies, and sends what it made room
    /// for.
    fn acknowledged(
        &self,
        worker: &mut Worker,
        what: &'static str,
        apply: impl FnOnce(&mut Outbound, &mut Vec<u8>) -> Acked,
    ) -> Result<(), Halt> {
        let before = worker.replies.len();
        let (acked, waits) = {
            let mut state = self.own_state()?;
            (apply(&mut state.outbound, &mut worker.replies), state.holds_more())
        };
        if worker.replies.len() > before {
            let counts = worker.counts();
            counts.sent(&counts.pubrel_sent, 1);
        }
        check(acked, what)?;
        self.send_more(worker, waits)
    }

    /// An acknowledgement may have made room for what waits.
    fn send_more(&self, worker: &mut Worker, waits: bool) -> Result<(), Halt> {
        if waits {
            self.flush_replies(worker);
            let live = self.live()?;
            worker.pump(&live.session, live.epoch);
        }
        Ok(())
    }
}

/// A late acknowledgement is of no harm; one that does not fit its flow breaks the protocol.
fn check(acked: Acked, what: &'static str) -> Result<(), Violation> {
    match acked {
        Acked::Done | Acked::Unknown => Ok(()),
        Acked::WrongState => Err(Violation::protocol_error(what)),
    }
}
