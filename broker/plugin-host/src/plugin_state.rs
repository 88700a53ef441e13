use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pintle_mqtt::{Timestamp, TopicName};
use pintle_plugin_api::Hooks;
use pintle_ports::PluginId;
use tokio::sync::Notify;
use tracing::warn;

use crate::attributes::Attributes;
use crate::commit_queue::CommitQueue;
use crate::decision_cache::DecisionCache;
use crate::kv_store::KvStore;
use crate::log_gate::LogGate;
use crate::plugin_metrics::PluginMetrics;
use crate::spec::Grants;
use crate::timers::Timers;
use crate::topic_set::TopicSet;

/// What the host functions of one plugin act on. It is there before the plugin has a place in the
/// table, so that a script can use them while it is being loaded.
pub(crate) struct PluginState {
    pub(crate) id: PluginId,
    pub(crate) name: Arc<str>,
    pub(crate) grants: Grants,
    pub(crate) publish_grant: TopicSet,
    pub(crate) timers: Timers,
    /// Events or timers have changed.
    pub(crate) work: Notify,
    /// Rises with new settings and with `invalidate`.
    pub(crate) generation: AtomicU64,
    pub(crate) decisions: DecisionCache,
    pub(crate) kept: Arc<Keepsakes>,
    pub(crate) log: LogGate,
    /// What it has yet to be told of the store.
    pub(crate) commits: CommitQueue,
    pub(crate) retained_grant: TopicSet,
    /// The hooks it has, once that is known.
    hooks: AtomicU64,
    refused: RefusedMessages,
}

/// Messages that a plugin emitted and that go nowhere.
#[derive(Debug, Default)]
struct RefusedMessages {
    count: AtomicU64,
    warn_at_ms: AtomicU64,
}

/// What a plugin keeps through all its generations.
#[derive(Debug, Default)]
pub(crate) struct Keepsakes {
    pub(crate) kv: KvStore,
    pub(crate) attributes: Attributes,
    pub(crate) metrics: PluginMetrics,
}

/// What a plugin may touch.
pub(crate) struct Rights {
    pub(crate) grants: Grants,
    pub(crate) publish: TopicSet,
    pub(crate) retained: TopicSet,
}

impl PluginState {
    pub(crate) fn new(
        id: PluginId,
        name: &str,
        rights: Rights,
        kept: Arc<Keepsakes>,
        decisions_max: usize,
    ) -> Self {
        Self {
            id,
            name: Arc::from(name),
            grants: rights.grants,
            publish_grant: rights.publish,
            retained_grant: rights.retained,
            kept,
            log: LogGate::default(),
            commits: CommitQueue::default(),
            timers: Timers::default(),
            work: Notify::new(),
            generation: AtomicU64::new(1),
            decisions: DecisionCache::new(decisions_max),
            hooks: AtomicU64::new(UNKNOWN),
            refused: RefusedMessages::default(),
        }
    }

    /// Notes which hooks the plugin has.
    pub(crate) fn has_hooks(&self, hooks: Hooks) {
        self.hooks.store(u64::from(hooks.contains(Hooks::TIMER)), Ordering::Release);
    }

    /// Whether a timer can be of any use to it, as far as is known.
    pub(crate) fn may_have_timers(&self) -> bool {
        self.hooks.load(Ordering::Acquire) != 0
    }

    /// Whether a grant covers `topic`.
    pub(crate) fn may_publish(&self, topic: &str) -> bool {
        TopicName::new(topic).is_ok_and(|topic| self.publish_grant.matches(topic))
    }

    /// Counts a message of the plugin that is not routed.
    #[cold]
    pub(crate) fn refuse_message(&self, topic: &str, why: &'static str, now: Timestamp) {
        let count = self.refused.count.fetch_add(1, Ordering::Relaxed) + 1;
        let warn_at = self.refused.warn_at_ms.load(Ordering::Relaxed);
        if now.as_millis() >= warn_at {
            let next = now.plus_secs(10).as_millis();
            self.refused.warn_at_ms.store(next, Ordering::Relaxed);
            let plugin = &*self.name;
            warn!(plugin, topic, why, count, "A plugin's message was dropped.");
        }
    }

    pub(crate) fn messages_refused(&self) -> u64 {
        self.refused.count.load(Ordering::Relaxed)
    }

    /// Forgets every decision of the plugin that is cached.
    pub(crate) fn forget_decisions(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.decisions.clear();
    }
}

const UNKNOWN: u64 = u64::MAX;
