use pintle_mqtt::{DeliveryFields, Layout, PacketId, Timestamp, copy_with_packet_ids};

use crate::limits::{ConnectionTerms, OutboundLimits};
use crate::packet_ids::IdRange;
use crate::run_part::{RunPart, frame_len};

/// The way to one connected client: its terms, and the outbox with its bound.
pub(crate) struct Wire<'a> {
    pub(crate) terms: ConnectionTerms,
    pub(crate) outbox_bytes_max: usize,
    pub(crate) now: Timestamp,
    pub(crate) outbox: &'a mut Vec<u8>,
}

/// How far [`Wire::append`] came.
pub(crate) struct Appended {
    /// Messages appended.
    pub(crate) count: u32,
    /// Where in the run the first message stands that was not appended.
    pub(crate) end: u32,
    /// Why no more were.
    pub(crate) stop: Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// As many as were asked for, or all of them.
    Enough,
    /// The outbox is full.
    OutboxFull,
    /// The next message is larger than the client takes.
    TooLarge,
}

/// Whether a message of `len` bytes may join an outbox: any may if it is empty.
pub(crate) fn has_room(outbox_len: usize, len: usize, outbox_bytes_max: usize) -> bool {
    outbox_len == 0 || outbox_len.saturating_add(len) <= outbox_bytes_max
}

impl<'a> Wire<'a> {
    pub(crate) fn new(
        terms: ConnectionTerms,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox: &'a mut Vec<u8>,
    ) -> Self {
        Self { terms, outbox_bytes_max: limits.outbox_bytes_max, now, outbox }
    }

    /// The same way without the outbox's bound.
    pub(crate) fn unbounded(self) -> Self {
        Self { outbox_bytes_max: usize::MAX, ..self }
    }

    pub(crate) fn has_room(&self, len: usize) -> bool {
        has_room(self.outbox.len(), len, self.outbox_bytes_max)
    }

    pub(crate) fn is_too_large(&self, len: usize) -> bool {
        len > self.terms.packet_bytes_max as usize
    }

    /// Appends the first messages of `part` with the identifiers of `range`, as many as there are;
    /// DUP is not set the first time [MQTT-4.3.3-2].
    pub(crate) fn append(&mut self, part: &RunPart, range: IdRange, dup: bool) -> Appended {
        let limit = u32::from(range.count).min(part.count());
        if part.is_ready_for(self.terms.layout) {
            self.append_as_kept(part, limit, range, dup)
        } else {
            self.append_encoded(part, limit, range, dup)
        }
    }

    /// Appends the one message of `part` with the identifier that `next_id` gives, if it holds
    /// one and that goes as it is kept; gives its length in bytes.
    pub(crate) fn append_single(
        &mut self,
        part: &RunPart,
        next_id: &mut impl FnMut() -> PacketId,
    ) -> Option<usize> {
        if part.count() != 1 || !part.is_ready_for(self.terms.layout) || part.is_expired(self.now) {
            return None;
        }
        let frames = part.frames();
        let frame = frames.get(..frame_len(frames)).filter(|frame| !frame.is_empty())?;
        if self.is_too_large(frame.len()) || !self.has_room(frame.len()) {
            return None;
        }
        copy_with_packet_ids(frame, next_id, false, self.outbox);
        Some(frame.len())
    }

    fn append_as_kept(
        &mut self,
        part: &RunPart,
        limit: u32,
        range: IdRange,
        dup: bool,
    ) -> Appended {
        let frames = part.frames();
        let (mut count, mut end, mut stop) = (0, 0, Stop::Enough);
        while count < limit {
            let len = frame_len(frames.get(end..).unwrap_or_default());
            if self.is_too_large(len) {
                stop = Stop::TooLarge;
                break;
            }
            if !has_room(self.outbox.len() + end, len, self.outbox_bytes_max) {
                stop = Stop::OutboxFull;
                break;
            }
            count += 1;
            end += len;
        }
        let whole = frames.get(..end).unwrap_or_default();
        copy_with_packet_ids(whole, range.in_turn(), dup, self.outbox);
        let end = part.offset() + end as u32;
        Appended { count, end, stop }
    }

    fn append_encoded(
        &mut self,
        part: &RunPart,
        limit: u32,
        range: IdRange,
        dup: bool,
    ) -> Appended {
        let form = part.form(self.terms.layout);
        let mut fields = DeliveryFields {
            dup,
            packet_id: Some(range.first),
            subscription_ids: part.subscription_ids(),
            expiry_secs: part.expiry_secs(self.now),
        };
        let (mut count, mut end, mut stop) = (0, part.offset(), Stop::Enough);
        while count < limit {
            let Some((publish, next)) = part.run().message_at(end) else {
                break;
            };
            if !self.has_room((next - end) as usize) {
                stop = Stop::OutboxFull;
                break;
            }
            let before = self.outbox.len();
            publish.encode_delivery(form, &fields, self.outbox);
            if self.is_too_large(self.outbox.len() - before) {
                self.outbox.truncate(before);
                stop = Stop::TooLarge;
                break;
            }
            fields.packet_id = fields.packet_id.map(PacketId::next);
            count += 1;
            end = next;
        }
        Appended { count, end, stop }
    }
}

/// Seconds to send with a message right now, against those it was published with: equal ones let
/// its bytes go out as they are.
pub(crate) fn keeps_expiry(published: Option<u32>, left: Option<u32>, layout: Layout) -> bool {
    layout == Layout::V3 || published == left
}
