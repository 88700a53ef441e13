use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use pintle_mqtt::{KeptRun, QoS, Timestamp, TopicFilter, TopicName};
use pintle_ports::Identity;
use pintle_router::RetainedIndex;

/// A retained message, with who published it: a right lost later counts.
pub(crate) struct Retained {
    pub(crate) message: Arc<KeptRun>,
    /// Nobody, for messages of plugins and operators: they were granted where they were made.
    pub(crate) author: Option<Author>,
    superseded: AtomicBool,
}

/// Who published a retained message, and whether as a will.
pub(crate) struct Author {
    pub(crate) identity: Arc<Identity>,
    pub(crate) is_will: bool,
}

impl Retained {
    /// Whether it has been replaced or deleted since it was found.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    pub(crate) fn topic(&self) -> &str {
        let message = self.message.message_at(0);
        message.and_then(|(publish, _)| publish.topic).map_or("", |topic| topic.as_str())
    }

    /// QoS as published.
    pub(crate) fn qos(&self) -> QoS {
        let first = self.message.frames().first();
        first.and_then(|byte| QoS::from_bits(byte >> 1 & 3)).unwrap_or_default()
    }

    fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }
}

/// How much may be retained.
#[derive(Clone, Copy)]
pub(crate) struct RetainedBounds {
    pub(crate) messages_max: u32,
    /// Not over `broker_bytes_max`; otherwise a message may only take the place of one that is not
    /// shorter.
    pub(crate) may_grow: bool,
}

/// What [`RetainedStore::set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Kept,
    /// A bound is reached; nothing was kept of this topic before either.
    Refused,
    /// A bound is reached; what was kept of this topic is deleted, since it is no longer true.
    Cleared,
}

/// All retained messages, by topic.
#[derive(Default)]
pub(crate) struct RetainedStore {
    kept: RwLock<Kept>,
}

struct Kept {
    index: RetainedIndex<Arc<Retained>>,
    /// Nothing expires before this.
    soonest_expiry: Timestamp,
}

impl Default for Kept {
    fn default() -> Self {
        Self { index: RetainedIndex::new(), soonest_expiry: Timestamp::NEVER }
    }
}

impl RetainedStore {
    /// Replaces the retained message of `topic` [MQTT-3.3.1-5].
    pub(crate) fn set(
        &self,
        topic: TopicName<'_>,
        message: Arc<KeptRun>,
        author: Option<Author>,
        bounds: RetainedBounds,
    ) -> Stored {
        let expires_at = message.expires_at();
        let len = message.frames().len();
        let retained = Arc::new(Retained { message, author, superseded: AtomicBool::new(false) });
        let mut kept = self.kept.write();
        let known = kept.index.get(topic).map(|old| old.message.frames().len());
        let has_room = match known {
            Some(old_len) => bounds.may_grow || len <= old_len,
            None => bounds.may_grow && kept.index.len() < bounds.messages_max as usize,
        };
        let old = if has_room {
            kept.soonest_expiry = kept.soonest_expiry.min(expires_at);
            kept.index.set(topic, retained)
        } else {
            kept.index.remove(topic)
        };
        if let Some(old) = &old {
            old.supersede();
        }
        match (has_room, old) {
            (true, _) => Stored::Kept,
            (false, None) => Stored::Refused,
            (false, Some(_)) => Stored::Cleared,
        }
    }

    /// Deletes the retained message of `topic` [MQTT-3.3.1-6]; false if there was none.
    pub(crate) fn clear(&self, topic: TopicName<'_>) -> bool {
        let old = self.kept.write().index.remove(topic);
        if let Some(old) = &old {
            old.supersede();
        }
        old.is_some()
    }

    /// Every retained message that `filter` matches and that has not expired.
    pub(crate) fn matching(&self, filter: TopicFilter<'_>, now: Timestamp) -> Vec<Arc<Retained>> {
        let mut found = Vec::new();
        self.kept.read().index.for_each_match(filter, &mut |retained: &Arc<Retained>| {
            if !retained.message.is_expired(now) {
                found.push(Arc::clone(retained));
            }
        });
        found
    }

    /// A message that was retained before the broker began.
    pub(crate) fn restore(
        &self,
        topic: TopicName<'_>,
        message: Arc<KeptRun>,
        author: Option<Author>,
    ) {
        let bounds = RetainedBounds { messages_max: u32::MAX, may_grow: true };
        self.set(topic, message, author, bounds);
    }

    /// What is retained of `topic`.
    pub(crate) fn get(&self, topic: TopicName<'_>) -> Option<Arc<Retained>> {
        self.kept.read().index.get(topic).cloned()
    }

    /// Calls `found` with each topic that has something.
    pub(crate) fn for_each_topic(&self, mut found: impl FnMut(&str)) {
        let kept = self.kept.read();
        kept.index.for_each(|retained| found(retained.topic()));
    }

    /// Forgets what has expired; `expired` is called with each topic of it.
    pub(crate) fn sweep(&self, now: Timestamp, mut expired: impl FnMut(&str)) {
        if self.kept.read().soonest_expiry > now {
            return;
        }
        let mut kept = self.kept.write();
        let mut soonest = Timestamp::NEVER;
        kept.index.retain(|retained| {
            let stays = !retained.message.is_expired(now);
            if stays {
                soonest = soonest.min(retained.message.expires_at());
            } else {
                expired(retained.topic());
            }
            stays
        });
        kept.soonest_expiry = soonest;
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.read().index.len()
    }
}
