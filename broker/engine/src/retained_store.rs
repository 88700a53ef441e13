use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use pintle_mqtt::{KeptRun, Timestamp, TopicFilter, TopicName};
use pintle_ports::Identity;
use pintle_router::RetainedIndex;

/// A retained message, with who published it: a right lost later counts.
pub(crate) struct Retained {
    pub(crate) message: Arc<KeptRun>,
    pub(crate) author: Option<Arc<Identity>>,
    superseded: AtomicBool,
}

impl Retained {
    /// Whether it has been replaced or deleted since it was found.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }
}

/// All retained messages, by topic.
#[derive(Default)]
pub(crate) struct RetainedStore {
    index: RwLock<RetainedIndex<Arc<Retained>>>,
}

impl RetainedStore {
    /// Replaces the retained message of `topic` [MQTT-3.3.1-5]; false if `retained_messages_max`
    /// is reached.
    pub(crate) fn set(
        &self,
        topic: TopicName<'_>,
        message: Arc<KeptRun>,
        author: Option<Arc<Identity>>,
        retained_messages_max: u32,
    ) -> bool {
        let retained = Arc::new(Retained { message, author, superseded: AtomicBool::new(false) });
        let mut index = self.index.write();
        if index.len() >= retained_messages_max as usize && index.get(topic).is_none() {
            return false;
        }
        if let Some(old) = index.set(topic, retained) {
            old.supersede();
        }
        true
    }

    /// Deletes the retained message of `topic` [MQTT-3.3.1-6]; false if there was none.
    pub(crate) fn clear(&self, topic: TopicName<'_>) -> bool {
        let old = self.index.write().remove(topic);
        if let Some(old) = &old {
            old.supersede();
        }
        old.is_some()
    }

    /// Every retained message that `filter` matches and that has not expired.
    pub(crate) fn matching(&self, filter: TopicFilter<'_>, now: Timestamp) -> Vec<Arc<Retained>> {
        let mut found = Vec::new();
        self.index.read().for_each_match(filter, &mut |retained: &Arc<Retained>| {
            if !retained.message.is_expired(now) {
                found.push(Arc::clone(retained));
            }
        });
        found
    }

    /// Forgets what has expired.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let has_expired = |retained: &Arc<Retained>| retained.message.is_expired(now);
        self.index.write().retain(|retained| !has_expired(retained));
    }

    pub(crate) fn len(&self) -> usize {
        self.index.read().len()
    }
}
