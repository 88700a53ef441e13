use std::sync::Arc;

use pintle_mqtt::{
    Frame, KeptRun, Layout, Properties, Publish, PublishFlags, QoS, Timestamp, WireForm,
};

use crate::delivery::Delivery;
use crate::subscription_ids::SubscriptionIds;

/// Consecutive messages of a kept run, and how one session is to get them.
///
/// The offset is always that of a message, so long as `count` is not 0.
#[derive(Clone, Debug)]
pub(crate) struct RunPart {
    run: Arc<KeptRun>,
    subscription_ids: SubscriptionIds,
    offset: u32,
    count: u32,
    qos: QoS,
    retain: bool,
    shared: bool,
}

/// Length of the packet at the front of `frames`; 0 if there is none.
pub(crate) fn frame_len(frames: &[u8]) -> usize {
    match Frame::split(frames, u32::MAX) {
        Ok(Some(frame)) => frame.bytes.len(),
        Ok(None) | Err(_) => 0,
    }
}

impl RunPart {
    /// All `count` messages of `run`, as `delivery` has them but with `qos`.
    pub(crate) fn whole(run: Arc<KeptRun>, count: u32, qos: QoS, delivery: &Delivery<'_>) -> Self {
        Self {
            run,
            subscription_ids: SubscriptionIds::new(delivery.subscription_ids),
            offset: 0,
            count,
            qos,
            retain: delivery.retain,
            shared: delivery.shared,
        }
    }

    pub(crate) fn run(&self) -> &Arc<KeptRun> {
        &self.run
    }

    pub(crate) fn qos(&self) -> QoS {
        self.qos
    }

    pub(crate) fn retain(&self) -> bool {
        self.retain
    }

    /// Whether it came by a Shared Subscription.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    pub(crate) fn subscription_ids(&self) -> &[u32] {
        self.subscription_ids.as_slice()
    }

    /// How many messages are left.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Where in the run the first of them stands.
    pub(crate) fn offset(&self) -> u32 {
        self.offset
    }

    /// Whether its time is over. A message that came in just now is never too late, whatever its
    /// interval.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        is_expired(self.run.expires_at(), self.run.received_at(), now)
    }

    /// Seconds left of the Message Expiry Interval, rounded up; `None` if it has none.
    pub(crate) fn expiry_secs(&self, now: Timestamp) -> Option<u32> {
        expiry_secs(self.run.expires_at(), now)
    }

    pub(crate) fn form(&self, layout: Layout) -> WireForm {
        WireForm { layout, qos: self.qos, retain: self.retain }
    }

    /// Whether the kept bytes are those of the delivery but for the Packet Identifiers and DUP.
    pub(crate) fn is_ready_for(&self, layout: Layout) -> bool {
        let Some(flags) =
            self.frames().first().and_then(|byte| PublishFlags::from_first_byte(*byte).ok())
        else {
            return false;
        };
        let bare = self.subscription_ids().is_empty() && self.run.expires_at() == Timestamp::NEVER;
        flags.qos == self.qos
            && flags.retain == self.retain
            && self.run.layout() == layout
            && (bare || layout == Layout::V3)
    }

    /// The run's bytes from the first message on; they may reach beyond the last of this part.
    pub(crate) fn frames(&self) -> &[u8] {
        self.run.frames().get(self.offset as usize..).unwrap_or_default()
    }

    /// Bytes of the first message as it is kept.
    pub(crate) fn first_len(&self) -> usize {
        frame_len(self.frames())
    }

    /// Bytes of all messages as they are kept.
    pub(crate) fn bytes_len(&self) -> u64 {
        let frames = self.frames();
        let end = skip_frames(frames, self.count);
        end as u64
    }

    /// The first message.
    pub(crate) fn first(&self) -> Publish<'_> {
        self.run.message_at(self.offset).map_or(NOTHING, |(publish, _)| publish)
    }

    /// Forgets the first message; gives its length in bytes.
    pub(crate) fn drop_first(&mut self) -> usize {
        let len = self.first_len();
        self.offset += len as u32;
        self.count = self.count.saturating_sub(1);
        len
    }

    /// Forgets all messages; gives their number.
    pub(crate) fn drop_all(&mut self) -> u32 {
        self.offset += self.bytes_len() as u32;
        std::mem::take(&mut self.count)
    }

    /// Takes the first `count` messages, which end at `end`, off the front.
    pub(crate) fn split_front(&mut self, count: u32, end: u32) -> Self {
        let front = Self { count, ..self.clone() };
        self.offset = end;
        self.count = self.count.saturating_sub(count);
        front
    }

    /// Takes `count` more messages of the run to this part.
    pub(crate) fn extend(&mut self, count: u32) {
        self.count += count;
    }

    /// The same run from `offset` on, `count` messages long.
    pub(crate) fn moved(&self, offset: u32, count: u32) -> Self {
        Self { offset, count, ..self.clone() }
    }

    /// Moves in place to `count` messages from `offset` on.
    pub(crate) fn set_span(&mut self, offset: u32, count: u32) {
        self.offset = offset;
        self.count = count;
    }

    /// The one message of `run` in place of this one.
    pub(crate) fn replaced(self, run: Arc<KeptRun>) -> Self {
        Self { run, offset: 0, count: 1, ..self }
    }
}

/// Stands in for a message where there is none, which no caller asks for.
const NOTHING: Publish<'static> = Publish {
    flags: PublishFlags { dup: false, qos: QoS::AtMostOnce, retain: false },
    topic: None,
    packet_id: None,
    properties: Properties::EMPTY,
    payload: &[],
};

/// Byte length of the first `count` packets of `frames`.
pub(crate) fn skip_frames(frames: &[u8], count: u32) -> usize {
    let mut end = 0;
    for _ in 0..count {
        let len = frame_len(frames.get(end..).unwrap_or_default());
        if len == 0 {
            break;
        }
        end += len;
    }
    end
}

/// Whether the time of a message is over [MQTT-3.3.2-5].
pub(crate) fn is_expired(expires_at: Timestamp, received_at: Timestamp, now: Timestamp) -> bool {
    expires_at <= now && received_at < now
}

/// Seconds from `now` to `expires_at` [MQTT-3.3.2-6], rounded up, so never 0 before it is reached.
pub(crate) fn expiry_secs(expires_at: Timestamp, now: Timestamp) -> Option<u32> {
    if expires_at == Timestamp::NEVER {
        return None;
    }
    let millis = expires_at.as_millis().saturating_sub(now.as_millis());
    Some(u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_queue_takes_at_most_40_bytes() {
        assert!(size_of::<RunPart>() <= 40, "{}", size_of::<RunPart>());
    }
}
