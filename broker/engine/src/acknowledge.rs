use pintle_mqtt::{Ack, AckKind, PacketId, ProtocolVersion, ReasonCode, Violation, encode_ack};
use pintle_session::{Acked, Outbound};

use crate::connection::{Connection, Halt};
use crate::store::Unsaved;
use crate::worker::Worker;

const PUBACK_FOR_QOS_2: &str = "a PUBACK came for a QoS 2 message";

const PUBREC_FOR_QOS_1: &str = "a PUBREC came for a QoS 1 message";
const PUBCOMP_NOT_DUE: &str = "a PUBCOMP came where none was due";

/// The length of an acknowledgement without Reason Code, and its Remaining Length.
const SHORT_ACK_BYTES: usize = 4;
const SHORT_ACK_REMAINING: u8 = 2;

/// Which acknowledgement a packet is, if it has no Reason Code.
pub(crate) fn short_ack(frame: &[u8]) -> Option<AckKind> {
    let begins = frame.first_chunk::<2>()?;
    let kinds = [AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp];
    kinds.into_iter().find(|kind| *begins == short_header(*kind))
}

/// The first bytes of an acknowledgement without Reason Code.
const fn short_header(kind: AckKind) -> [u8; 2] {
    let first_byte = match kind {
        AckKind::PubAck => 0x40,
        AckKind::PubRec => 0x50,
        AckKind::PubRel => 0x62,
        AckKind::PubComp => 0x70,
    };
    [first_byte, SHORT_ACK_REMAINING]
}

/// Gives `apply` the identifiers of the acknowledgements at the front of `bytes` that are of `kind`
/// and have no Reason Code; returns how many there were before one that it refuses.
#[inline]
fn each_short_ack(
    kind: AckKind,
    bytes: &[u8],
    mut apply: impl FnMut(PacketId) -> Result<(), Violation>,
) -> (u64, Result<(), Violation>) {
    let (packets, _) = bytes.as_chunks::<SHORT_ACK_BYTES>();
    let header = short_header(kind);
    let mut count = 0;
    for packet in packets {
        let [first, remaining, high, low] = *packet;
        if [first, remaining] != header {
            break;
        }
        let outcome = match PacketId::new(u16::from_be_bytes([high, low])) {
            Some(id) => apply(id),
            None => Err(Violation::protocol_error("a Packet Identifier is 0")),
        };
        if outcome.is_err() {
            return (count, outcome);
        }
        count += 1;
    }
    (count, Ok(()))
}

impl Connection {
    /// Handles the acknowledgements of `kind` and without Reason Code at the front of `bytes`, all
    /// under one lock; returns their bytes.
    pub(crate) fn short_acks(
        &mut self,
        worker: &mut Worker,
        kind: AckKind,
        bytes: &[u8],
    ) -> Result<usize, Halt> {
        let version = self.live()?.version;
        let mut waits = false;
        let replies = &mut worker.replies;
        let before = replies.len();
        let (count, outcome) = if kind == AckKind::PubRel {
            let mut inbound = self.own_inbound()?;
            each_short_ack(kind, bytes, |id| {
                released(id, inbound.pubrel(id), version, replies);
                Ok(())
            })
        } else {
            let mut state = self.own_state()?;
            let outbound = &mut state.outbound;
            // One loop for each kind, in which the kind is known.
            let done = match kind {
                AckKind::PubAck => each_short_ack(AckKind::PubAck, bytes, |id| {
                    check(outbound.puback(id), PUBACK_FOR_QOS_2)
                }),
                AckKind::PubRec => each_short_ack(AckKind::PubRec, bytes, |id| {
                    check(received(outbound, &Ack::success(id), version, replies), PUBREC_FOR_QOS_1)
                }),
                AckKind::PubComp | AckKind::PubRel => {
                    each_short_ack(kind, bytes, |id| check(outbound.pubcomp(id), PUBCOMP_NOT_DUE))
                }
            };
            waits = state.holds_more();
            if state.is_lasting() {
                worker.engine().note(&self.live()?.session, Unsaved::OUTBOUND);
            }
            done
        };
        if kind == AckKind::PubRel {
            worker.engine().note(&self.live()?.session, Unsaved::INBOUND);
        }
        let replied = worker.replies.len() > before;
        let counts = worker.counts();
        match kind {
            AckKind::PubAck => counts.received(&counts.puback_received, count),
            AckKind::PubRec => counts.received(&counts.pubrec_received, count),
            AckKind::PubRel => counts.received(&counts.pubrel_received, count),
            AckKind::PubComp => counts.received(&counts.pubcomp_received, count),
        }
        if replied && kind == AckKind::PubRec {
            counts.sent(&counts.pubrel_sent, count);
        } else if replied {
            counts.sent(&counts.pubcomp_sent, count);
        }
        outcome?;
        self.send_more(worker, waits)?;
        Ok(count as usize * SHORT_ACK_BYTES)
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
        self.acknowledged(worker, PUBREC_FOR_QOS_1, |outbound, replies| {
            received(outbound, ack, version, replies)
        })
    }

    /// PUBREL: the client's message is no longer a duplicate of anything [MQTT-4.3.3-11].
    pub(crate) fn pubrel(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let version = self.live()?.version;
        let known = self.own_inbound()?.pubrel(ack.packet_id);
        worker.engine().note(&self.live()?.session, Unsaved::INBOUND);
        released(ack.packet_id, known, version, &mut worker.replies);
        let counts = worker.counts();
        counts.received(&counts.pubrel_received, 1);
        counts.sent(&counts.pubcomp_sent, 1);
        Ok(())
    }

    /// PUBCOMP: a QoS 2 delivery is complete.
    pub(crate) fn pubcomp(&mut self, worker: &mut Worker, ack: &Ack<'_>) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.pubcomp_received, 1);
        self.acknowledged(worker, PUBCOMP_NOT_DUE, |outbound, _| outbound.pubcomp(ack.packet_id))
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
            if state.is_lasting() {
                worker.engine().note(&self.live()?.session, Unsaved::OUTBOUND);
            }
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

/// PUBREC: PUBREL goes out, also where nothing is known of the message.
fn received(
    outbound: &mut Outbound,
    ack: &Ack<'_>,
    version: ProtocolVersion,
    replies: &mut Vec<u8>,
) -> Acked {
    let acked = outbound.pubrec(ack.packet_id, ack.reason, replies);
    if acked == Acked::Unknown && !ack.reason.is_failure() {
        let unknown = Ack::new(ack.packet_id, ReasonCode::PacketIdentifierNotFound);
        unknown.encode(AckKind::PubRel, version, replies);
    }
    acked
}

/// PUBREL: PUBCOMP goes out, with 0x92 to 5.0 clients where nothing is known of the message.
fn released(id: PacketId, known: bool, version: ProtocolVersion, replies: &mut Vec<u8>) {
    if known || !version.is_v5() {
        encode_ack(AckKind::PubComp, id, replies);
    } else {
        let unknown = Ack::new(id, ReasonCode::PacketIdentifierNotFound);
        unknown.encode(AckKind::PubComp, version, replies);
    }
}

/// A late acknowledgement is of no harm; one that does not fit its flow breaks the protocol.
fn check(acked: Acked, what: &'static str) -> Result<(), Violation> {
    match acked {
        Acked::Done | Acked::Unknown => Ok(()),
        Acked::WrongState => Err(Violation::protocol_error(what)),
    }
}
