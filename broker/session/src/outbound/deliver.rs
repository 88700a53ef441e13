use std::sync::Arc;

use pintle_mqtt::{
    Budget, DeliveryFields, Layout, Publication, QoS, Timestamp, WireForm, copy_with_packet_ids,
};

use super::Outbound;
use crate::delivery::Delivery;
use crate::limits::OutboundLimits;
use crate::run_part::{RunPart, expiry_secs, frame_len, is_expired};
use crate::tally::Tally;
use crate::wire::{Wire, keeps_expiry};

impl Outbound {
    /// Appends to the outbox what may go now and queues the rest.
    ///
    /// QoS 1 and 2 stay in order: where anything waits, they wait behind it. QoS 0 goes at once, or
    /// is dropped: counted as `slow_consumer` if the outbox is full, not at all if there is no
    /// connection. A packet that the client says is too large is left out as if it had been sent
    /// [MQTT-3.1.2-24] [MQTT-3.1.2-25].
    pub fn deliver(
        &mut self,
        publication: &mut Publication<'_>,
        delivery: &Delivery<'_>,
        budget: &Arc<Budget>,
        limits: &OutboundLimits,
        now: Timestamp,
        outbox: &mut Vec<u8>,
    ) -> Tally {
        if is_expired(publication.expires_at(), publication.received_at(), now) {
            return Tally { expired: publication.run().count(), ..Tally::default() };
        }
        let qos = delivery.qos.min(publication.run().qos());
        let wire = self.terms.map(|terms| Wire::new(terms, limits, now, outbox));
        if qos == QoS::AtMostOnce {
            return wire.map_or(Tally::default(), |mut wire| {
                deliver_at_most_once(publication, delivery, &mut wire)
            });
        }
        let Some(mut wire) = wire.filter(|_| !self.must_wait()) else {
            return self.deliver_to_queue(publication, delivery, budget, limits, now);
        };
        if let Some(tally) = self.deliver_whole(publication, delivery, budget, limits, &mut wire) {
            return tally;
        }
        let mut part = part_of(publication, delivery, budget);
        let mut tally = self.send(&mut part, limits, &mut wire);
        if part.count() > 0 {
            tally.merge(self.enqueue(part, limits, now));
        }
        tally
    }

    /// Queues QoS 1 and 2 without sending any: what hooks are to see first.
    pub fn deliver_to_queue(
        &mut self,
        publication: &mut Publication<'_>,
        delivery: &Delivery<'_>,
        budget: &Arc<Budget>,
        limits: &OutboundLimits,
        now: Timestamp,
    ) -> Tally {
        if delivery.qos.min(publication.run().qos()) == QoS::AtMostOnce {
            return Tally::default();
        }
        self.enqueue(part_of(publication, delivery, budget), limits, now)
    }

    /// Whether `count` messages of `bytes` bytes in all would leave at once if they were delivered
    /// now; if not, at least one of them would be queued or dropped.
    pub fn would_send_all(
        &self,
        qos: QoS,
        count: u32,
        bytes: usize,
        limits: &OutboundLimits,
        outbox_len: usize,
    ) -> bool {
        let Some(terms) = self.terms else {
            return false;
        };
        let fits = outbox_len.saturating_add(bytes) <= limits.outbox_bytes_max;
        let alone = outbox_len == 0 && count == 1;
        let allowed = qos == QoS::AtMostOnce
            || (!self.must_wait() && count <= self.quota_left(terms, limits));
        allowed && (fits || alone)
    }

    /// The hot path: a whole run in one copy and one entry in flight, or `None` and nothing done.
    #[inline]
    fn deliver_whole(
        &mut self,
        publication: &mut Publication<'_>,
        delivery: &Delivery<'_>,
        budget: &Arc<Budget>,
        limits: &OutboundLimits,
        wire: &mut Wire<'_>,
    ) -> Option<Tally> {
        let count = publication.run().count();
        if count > self.quota_left(wire.terms, limits)
            || !goes_as_encoded(publication, delivery, wire)
        {
            return None;
        }
        let inflight = &self.inflight;
        let in_use = || inflight.iter().flat_map(|inflight| inflight.ids());
        let range = self.ids.peek(count, in_use)?;
        if u32::from(range.count) != count {
            return None;
        }
        let frames = publication.encoded(form_of(publication, delivery, wire.terms.layout));
        if wire.is_too_large(frames.len()) || !fits_whole(frames, wire) {
            return None;
        }
        copy_with_packet_ids(frames, range.in_turn(), false, wire.outbox);
        self.ids.take(range);
        let part = part_of(publication, delivery, budget);
        self.inflight.get_or_insert_default().sent(part, range.first);
        Some(Tally { sent: count, ..Tally::default() })
    }
}

fn form_of(publication: &Publication<'_>, delivery: &Delivery<'_>, layout: Layout) -> WireForm {
    WireForm { layout, qos: delivery.qos.min(publication.run().qos()), retain: delivery.retain }
}

fn part_of(
    publication: &mut Publication<'_>,
    delivery: &Delivery<'_>,
    budget: &Arc<Budget>,
) -> RunPart {
    let qos = delivery.qos.min(publication.run().qos());
    let count = publication.run().count();
    RunPart::whole(publication.kept(budget), count, qos, delivery)
}

/// Whether the bytes that the publication makes for all receivers serve this one too.
fn goes_as_encoded(
    publication: &Publication<'_>,
    delivery: &Delivery<'_>,
    wire: &Wire<'_>,
) -> bool {
    let layout = wire.terms.layout;
    if !delivery.subscription_ids.is_empty() && layout == Layout::V5 {
        return false;
    }
    if publication.expires_at() == Timestamp::NEVER {
        return true;
    }
    let published = publication.run().head().properties.message_expiry_interval();
    keeps_expiry(published, expiry_secs(publication.expires_at(), wire.now), layout)
}

fn fits_whole(frames: &[u8], wire: &Wire<'_>) -> bool {
    wire.outbox.len().saturating_add(frames.len()) <= wire.outbox_bytes_max
}

fn deliver_at_most_once(
    publication: &mut Publication<'_>,
    delivery: &Delivery<'_>,
    wire: &mut Wire<'_>,
) -> Tally {
    let count = publication.run().count();
    let form = form_of(publication, delivery, wire.terms.layout);
    let mut tally = Tally::default();
    if goes_as_encoded(publication, delivery, wire) {
        let mut frames = publication.encoded(form);
        if !wire.is_too_large(frames.len()) && fits_whole(frames, wire) {
            wire.outbox.extend_from_slice(frames);
            tally.sent = count;
            return tally;
        }
        while let Some((frame, rest)) = frames.split_at_checked(frame_len(frames))
            && !frame.is_empty()
        {
            frames = rest;
            append_if_it_fits(wire, &mut tally, |outbox| outbox.extend_from_slice(frame));
        }
        return tally;
    }
    let fields = DeliveryFields {
        dup: false,
        packet_id: None,
        subscription_ids: delivery.subscription_ids,
        expiry_secs: expiry_secs(publication.expires_at(), wire.now),
    };
    for (publish, _) in publication.run().iter() {
        append_if_it_fits(wire, &mut tally, |outbox| {
            publish.encode_delivery(form, &fields, outbox);
        });
    }
    tally
}

/// Lets `append` write one packet and takes it back if the client or the outbox cannot have it.
fn append_if_it_fits(wire: &mut Wire<'_>, tally: &mut Tally, append: impl FnOnce(&mut Vec<u8>)) {
    let before = wire.outbox.len();
    append(wire.outbox);
    let len = wire.outbox.len() - before;
    if wire.is_too_large(len) {
        wire.outbox.truncate(before);
        tally.too_large += 1;
    } else if before > 0 && wire.outbox.len() > wire.outbox_bytes_max {
        wire.outbox.truncate(before);
        tally.slow_consumer += 1;
    } else {
        tally.sent += 1;
    }
}
