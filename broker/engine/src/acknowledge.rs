use pintle_mqtt::{Ack, AckKind, Frame, PacketId, Properties, ReasonCode, Violation, encode_ack};
use pintle_session::Acked;

use crate::connection::{Connection, Halt};
use crate::worker::Worker;

/// The four bytes of a PUBACK without Reason Code.
const SHORT_PUBACK: [u8; 2] = [0x40, 2];

impl Connection {
    /// Handles a short PUBACK and those right behind it under one lock; returns their bytes.
    pub(crate) fn pubacks(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        bytes: &[u8],
    ) -> Result<usize, Halt> {
        let live = self.live()?;
        let mut used = 0;
        let mut outcome = Ok(());
        {
            let mut state = live.session.lock();
            let mut rest = bytes;
            while let Some((packet, after)) = rest.split_first_chunk::<4>() {
                let [a, b, high, low] = *packet;
                if [a, b] != SHORT_PUBACK {
                    break;
                }
                let Some(id) = PacketId::new(u16::from_be_bytes([high, low])) else {
                    outcome = Err(Violation::protocol_error("a Packet Identifier is 0"));
                    break;
                };
                outcome = check(state.outbound.puback(id), "a PUBACK came for a QoS 2 message");
                if outcome.is_err() {
                    break;
                }
                used += packet.len();
                rest = after;
            }
        }
        let counters = &worker.engine().counters;
        counters.received(&counters.puback_received, (used / 4) as u64);
        outcome?;
        if used == 0 {
            used = frame.bytes.len();
        }
        self.flush_replies(worker);
        let live = self.live()?;
        worker.pump(&live.session, live.epoch);
        Ok(used)
    }

    /// A PUBACK with a Reason Code.
    pub(crate) fn puback(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counters = &worker.engine().counters;
        counters.received(&counters.puback_received, 1);
        let acked = self.live()?.session.lock().outbound.puback(ack.packet_id);
        check(acked, "a PUBACK came for a QoS 2 message")?;
        self.sent_more(worker)
    }

    /// PUBREC: the second step of a QoS 2 delivery (4.3.3).
    pub(crate) fn pubrec(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counters = &worker.engine().counters;
        counters.received(&counters.pubrec_received, 1);
        let live = self.live()?;
        let mut pubrel = Vec::new();
        let acked = live.session.lock().outbound.pubrec(ack.packet_id, ack.reason, &mut pubrel);
        if acked == Acked::Unknown && !ack.reason.is_failure() {
            let reason = ReasonCode::PacketIdentifierNotFound;
            Ack { packet_id: ack.packet_id, reason, properties: Properties::EMPTY }.encode(
                AckKind::PubRel,
                live.version,
                &mut pubrel,
            );
        }
        if !pubrel.is_empty() {
            counters.sent(&counters.pubrel_sent, 1);
        }
        worker.replies.extend_from_slice(&pubrel);
        check(acked, "a PUBREC came for a QoS 1 message")?;
        self.sent_more(worker)
    }

    /// PUBREL: the client's message is no longer a duplicate of anything [MQTT-4.3.3-11].
    pub(crate) fn pubrel(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let live = self.live()?;
        let known = live.session.inbound.lock().pubrel(ack.packet_id);
        if known || !live.version.is_v5() {
            encode_ack(AckKind::PubComp, ack.packet_id, &mut worker.replies);
        } else {
            let reason = ReasonCode::PacketIdentifierNotFound;
            Ack { packet_id: ack.packet_id, reason, properties: Properties::EMPTY }.encode(
                AckKind::PubComp,
                live.version,
                &mut worker.replies,
            );
        }
        let counters = &worker.engine().counters;
        counters.received(&counters.pubrel_received, 1);
        counters.sent(&counters.pubcomp_sent, 1);
        Ok(())
    }

    /// PUBCOMP: a QoS 2 delivery is complete.
    pub(crate) fn pubcomp(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counters = &worker.engine().counters;
        counters.received(&counters.pubcomp_received, 1);
        let acked = self.live()?.session.lock().outbound.pubcomp(ack.packet_id);
        check(acked, "a PUBCOMP came where none was due")?;
        self.sent_more(worker)
    }

    /// An acknowledgement may have made room for what waits in the queue.
    fn sent_more(&mut self, worker: &mut Worker) -> Result<(), Halt> {
        self.flush_replies(worker);
        let live = self.live()?;
        worker.pump(&live.session, live.epoch);
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
