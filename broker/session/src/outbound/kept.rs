use pintle_mqtt::PacketId;

use super::Outbound;
use crate::packet_ids::PacketIds;
use crate::waiting::Waiting;

/// What of an [`Outbound`] must outlive the broker, message by message.
#[derive(Debug, Default)]
pub struct KeptOutbound {
    /// Sent and not acknowledged, in the order of the first sending.
    pub sent: Vec<Sent>,
    /// QoS 2 messages that wait for PUBCOMP, in the order of their PUBRECs.
    pub released: Vec<Released>,
    /// Waiting, oldest first.
    pub queue: Vec<Waiting>,
}

/// A message that was sent and not acknowledged.
#[derive(Debug)]
pub struct Sent {
    /// Its Packet Identifier.
    pub id: PacketId,
    /// Rises in the order of the first sending, together with that of [`Released`].
    pub sequence: u64,
    /// The message.
    pub message: Waiting,
}

/// A QoS 2 message that is the client's, but for its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Its Packet Identifier.
    pub id: PacketId,
    /// Rises in the order of the PUBRECs.
    pub sequence: u64,
}

impl Outbound {
    /// What is to be stored of it as it is now; `None` while hooks have messages of the queue, which
    /// are back in a moment.
    pub fn kept(&self) -> Option<KeptOutbound> {
        if self.gate.is_some() {
            return None;
        }
        let mut kept = KeptOutbound::default();
        if let Some(inflight) = &self.inflight {
            inflight.for_each_sent(|id, sequence, part| {
                kept.sent.push(Sent { id, sequence, message: Waiting::new(part) });
            });
            kept.sent.sort_unstable_by_key(|sent| sent.sequence);
            let released = inflight.released();
            kept.released = released.map(|(id, sequence)| Released { id, sequence }).collect();
            kept.released.sort_unstable_by_key(|released| released.sequence);
        }
        if let Some(queue) = &self.queue {
            queue.for_each(|part| kept.queue.push(Waiting::new(part)));
        }
        Some(kept)
    }

    /// An [`Outbound`] without a connection that goes on where `kept` was.
    ///
    /// `sent` and `released` are in their orders; their numbers are made anew.
    pub fn restored(kept: KeptOutbound) -> Self {
        let mut outbound = Self::new();
        if !kept.sent.is_empty() || !kept.released.is_empty() {
            let inflight = outbound.inflight.get_or_insert_default();
            let mut last = PacketId::FIRST;
            for Released { id, .. } in kept.released {
                inflight.restore_released(id);
                last = id;
            }
            for Sent { id, message, .. } in kept.sent {
                inflight.sent(message.into_part(), id);
                last = id;
            }
            outbound.ids = PacketIds::after(last);
        }
        for message in kept.queue {
            outbound.queue.get_or_insert_default().restore(message.into_part());
        }
        outbound
    }
}
