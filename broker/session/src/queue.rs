use std::collections::VecDeque;

use pintle_mqtt::Timestamp;

use crate::limits::{OutboundLimits, QueueOverflow};
use crate::run_part::RunPart;
use crate::tally::Tally;

/// QoS 1 and 2 messages that wait for their client, oldest first; one entry for each run.
#[derive(Debug)]
pub(crate) struct Queue {
    parts: VecDeque<RunPart>,
    messages: u32,
    bytes: u64,
    /// No message in the queue expires before this.
    soonest_expiry: Timestamp,
}

/// What the queue may hold right now.
#[derive(Clone, Copy)]
pub(crate) struct QueueBounds {
    messages_max: u32,
    bytes_max: u64,
    overflow: QueueOverflow,
}

impl QueueBounds {
    /// The configured bounds, less what has been handed out and may come back.
    pub(crate) fn new(limits: &OutboundLimits, out_messages: u32, out_bytes: u64) -> Self {
        Self {
            messages_max: limits.queue_messages_max.saturating_sub(out_messages),
            bytes_max: limits.queue_bytes_max.saturating_sub(out_bytes),
            overflow: limits.queue_overflow,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            parts: VecDeque::with_capacity(1),
            messages: 0,
            bytes: 0,
            soonest_expiry: Timestamp::NEVER,
        }
    }
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> u32 {
        self.messages
    }

    /// Bytes of their packets as they are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn first(&self) -> Option<&RunPart> {
        self.parts.front()
    }

    /// Adds the messages of `part` at the end as far as `bounds` allow.
    pub(crate) fn push(&mut self, part: RunPart, bounds: QueueBounds, now: Timestamp) -> Tally {
        let mut tally = Tally::default();
        let (count, bytes) = (part.count(), part.bytes_len());
        if !self.fits(count, bytes, bounds) {
            tally.expired = self.drop_expired(now);
        }
        if self.fits(count, bytes, bounds) {
            tally.queued = count;
            self.append(part, bytes);
        } else {
            self.push_one_by_one(part, bounds, &mut tally);
        }
        tally
    }

    fn fits(&self, count: u32, bytes: u64, bounds: QueueBounds) -> bool {
        u64::from(self.messages) + u64::from(count) <= u64::from(bounds.messages_max)
            && self.bytes + bytes <= bounds.bytes_max
    }

    fn push_one_by_one(&mut self, mut part: RunPart, bounds: QueueBounds, tally: &mut Tally) {
        let mut back_ends_at = None;
        while part.count() > 0 {
            let (start, len) = (part.offset(), part.first_len());
            let end = start + len as u32;
            if self.make_room(len as u64, bounds, tally) {
                tally.queued += 1;
                match self.parts.back_mut() {
                    Some(back) if back_ends_at == Some(start) => {
                        back.extend(1);
                        self.messages += 1;
                        self.bytes += len as u64;
                    }
                    Some(_) | None => self.append(part.moved(start, 1), len as u64),
                }
                back_ends_at = Some(end);
            } else {
                tally.queue_full += 1;
            }
            part.drop_first();
        }
    }

    /// Whether there is room for one message of `bytes` bytes, made by dropping older ones if that
    /// is the rule.
    fn make_room(&mut self, bytes: u64, bounds: QueueBounds, tally: &mut Tally) -> bool {
        if bounds.messages_max == 0 || bytes > bounds.bytes_max {
            return false;
        }
        while !self.fits(1, bytes, bounds) {
            match bounds.overflow {
                QueueOverflow::DropNewest => return false,
                QueueOverflow::DropOldest => {
                    if !self.drop_oldest() {
                        return false;
                    }
                    tally.queue_full += 1;
                }
            }
        }
        true
    }

    fn drop_oldest(&mut self) -> bool {
        let before = self.messages;
        self.take_from_first(|part| {
            part.drop_first();
        });
        self.messages < before
    }

    fn append(&mut self, part: RunPart, bytes: u64) {
        self.count_in(&part, bytes);
        self.parts.push_back(part);
    }

    fn count_in(&mut self, part: &RunPart, bytes: u64) {
        self.messages += part.count();
        self.bytes += bytes;
        self.soonest_expiry = self.soonest_expiry.min(part.run().expires_at());
    }

    /// Lets `take` take messages off the front of the oldest entry. Whether it took all of them, so
    /// that it is worth asking for the next.
    pub(crate) fn take_from_first(&mut self, take: impl FnOnce(&mut RunPart)) -> bool {
        let Some(part) = self.parts.front_mut() else {
            return false;
        };
        let (offset, count) = (part.offset(), part.count());
        take(part);
        self.messages -= count - part.count();
        self.bytes -= u64::from(part.offset() - offset);
        if part.count() > 0 {
            return false;
        }
        self.parts.pop_front();
        true
    }

    /// How many entries the messages take.
    pub(crate) fn entries(&self) -> u32 {
        self.parts.len() as u32
    }

    /// Takes the oldest entry out if `take` gives its length in bytes.
    pub(crate) fn pop_if(
        &mut self,
        take: impl FnOnce(&RunPart) -> Option<usize>,
    ) -> Option<RunPart> {
        let bytes = take(self.parts.front()?)?;
        let part = self.parts.pop_front()?;
        self.messages -= part.count();
        self.bytes -= bytes as u64;
        Some(part)
    }

    /// Takes everything out, oldest first.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = RunPart> + use<> {
        (self.messages, self.bytes) = (0, 0);
        std::mem::take(&mut self.parts).into_iter()
    }

    /// Takes the oldest message out.
    pub(crate) fn take_first_message(&mut self) -> Option<RunPart> {
        let mut message = None;
        self.take_from_first(|part| {
            let end = part.offset() + part.first_len() as u32;
            message = Some(part.split_front(1, end));
        });
        message
    }

    /// Drops the messages at the front whose time is over; gives their number.
    pub(crate) fn drop_first_if_expired(&mut self, now: Timestamp) -> u32 {
        let mut dropped = 0;
        while self.first().is_some_and(|part| part.is_expired(now)) {
            self.take_from_first(|part| dropped += part.drop_all());
        }
        dropped
    }

    /// Puts messages in front of all others, bounds or not: they were counted before.
    pub(crate) fn put_back(&mut self, part: RunPart) {
        let bytes = part.bytes_len();
        self.count_in(&part, bytes);
        self.parts.push_front(part);
    }

    /// Calls `found` with each message by itself, oldest first.
    pub(crate) fn for_each(&self, mut found: impl FnMut(RunPart)) {
        for part in &self.parts {
            let mut rest = part.clone();
            while rest.count() > 0 {
                found(rest.moved(rest.offset(), 1));
                rest.drop_first();
            }
        }
    }

    /// Adds a message behind all others, bounds or not: it was there before.
    pub(crate) fn restore(&mut self, part: RunPart) {
        let bytes = part.bytes_len();
        self.append(part, bytes);
    }

    /// Drops every message whose time is over; gives their number.
    pub(crate) fn drop_expired(&mut self, now: Timestamp) -> u32 {
        if self.soonest_expiry > now {
            return 0;
        }
        let before = self.messages;
        let (mut bytes, mut messages, mut soonest) = (self.bytes, before, Timestamp::NEVER);
        self.parts.retain(|part| {
            if part.is_expired(now) {
                messages -= part.count();
                bytes -= part.bytes_len();
                return false;
            }
            soonest = soonest.min(part.run().expires_at());
            true
        });
        (self.bytes, self.messages, self.soonest_expiry) = (bytes, messages, soonest);
        before - messages
    }
}
