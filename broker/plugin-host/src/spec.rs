use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use pintle_plugin_api::{Plugin, Settings};

use crate::cases::CaseFile;
use crate::code::{Code, ScriptLimits};
use crate::hook::Hook;

/// One plugin as the configuration wants it.
#[derive(Clone)]
pub struct PluginSpec {
    /// Its name in configuration, logs and figures; unique.
    pub name: String,
    /// The plugin itself.
    pub code: Code,
    /// Topic Filters of the messages that `on_publish` and `on_deliver` want; empty for all. The
    /// other hooks are asked whatever the topic.
    pub topics: Vec<String>,
    /// What happens when a hook fails.
    pub on_error: ErrorPolicy,
    /// What it may make the broker do.
    pub grants: Grants,
    /// Its own configuration.
    pub settings: Settings,
    /// How long its calls may take.
    pub budgets: Budgets,
    /// What it may use at most, if it is a script or a component.
    pub limits: ScriptLimits,
    /// What it should answer to what; held against it before it takes another's place.
    pub cases: Vec<CaseFile>,
}

impl PluginSpec {
    /// A plugin without topics, policies, grants and settings.
    pub fn new(name: impl Into<String>, plugin: Arc<dyn Plugin>) -> Self {
        Self::of(name, Code::Native(plugin))
    }

    /// The same of any code.
    pub fn of(name: impl Into<String>, code: Code) -> Self {
        Self {
            name: name.into(),
            code,
            limits: ScriptLimits::default(),
            topics: Vec::new(),
            on_error: ErrorPolicy::default(),
            grants: Grants::default(),
            settings: Settings::default(),
            budgets: Budgets::default(),
            cases: Vec::new(),
        }
    }
}

/// What answers in place of a hook that failed, was late, or is not called because it failed too
/// often. There is no default: a plugin with one of these hooks declares it.
///
/// `authenticate` and `authorize` are not here: their failure is always a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// For `on_publish`.
    pub publish: Option<PublishErrorPolicy>,
    /// For `on_subscribe`.
    pub subscribe: Option<SubscribeErrorPolicy>,
    /// For `cohort` and `on_deliver`.
    pub deliver: Option<DeliverErrorPolicy>,
}

/// What a failed `on_publish` means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishErrorPolicy {
    /// It goes on as it is.
    Pass,
    /// It is acknowledged and routed to nobody.
    Drop,
    /// It is refused with 0x83.
    Reject,
}

/// What a failed `on_subscribe` means for the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeErrorPolicy {
    /// It goes on as it is.
    Pass,
    /// It is refused with 0x83.
    Reject,
}

/// What a failed `on_deliver` means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverErrorPolicy {
    /// It is delivered as it is.
    Pass,
    /// It is not delivered.
    Drop,
}

/// What a plugin may make the broker do. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Topic Filters it may publish to.
    pub publish: Vec<String>,
    /// Whether it may end connections.
    pub disconnect: bool,
    /// Whether it may read the broker's counters.
    pub stats: bool,
    /// Bytes of keys and values it may keep; `None` for no access.
    pub kv: Option<KvGrant>,
    /// Whether it may subscribe and unsubscribe in a client's place.
    pub subscribe: bool,
    /// Topic Filters whose retained messages it may read.
    pub retained: Vec<String>,
    /// Beginnings of addresses that it may reach by HTTP, as `https://auth.example.org/`.
    pub http: Vec<String>,
    /// Whether `authenticate` is handed passwords.
    pub credentials: bool,
    /// Values that are not for the plugin's ordinary settings, by name.
    pub secrets: BTreeMap<String, Vec<u8>>,
}

/// How much a plugin may keep, and whether it outlives the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvGrant {
    /// Bytes of keys and values together.
    pub bytes_max: usize,
    /// Whether it is kept in `data_dir`.
    pub persist: bool,
}

/// How long calls may take. What is over is counted as late; only authentication is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// `authenticate`, all plugins and the wait for a free place together.
    pub authenticate: Duration,
    /// One step of enhanced authentication.
    pub auth_step: Duration,
    /// `authorize`.
    pub authorize: Duration,
    /// `on_publish`.
    pub publish: Duration,
    /// `on_subscribe` and `on_unsubscribe`.
    pub subscribe: Duration,
    /// `cohort` and `on_deliver`.
    pub deliver: Duration,
    /// A batch of `on_events`.
    pub events: Duration,
    /// `on_timer`.
    pub timer: Duration,
    /// `on_command`.
    pub command: Duration,
    /// One call of a store.
    pub store: Duration,
    /// A batch of `on_commit`.
    pub commit: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            authenticate: Duration::from_secs(3),
            auth_step: Duration::from_secs(5),
            authorize: Duration::from_millis(1),
            publish: Duration::from_millis(2),
            subscribe: Duration::from_millis(2),
            deliver: Duration::from_millis(1),
            events: Duration::from_secs(1),
            timer: Duration::from_secs(1),
            command: Duration::from_secs(1),
            store: Duration::from_secs(5),
            commit: Duration::from_secs(1),
        }
    }
}

impl Budgets {
    pub(crate) fn of(&self, hook: Hook) -> Duration {
        match hook {
            Hook::Authenticate => self.authenticate,
            Hook::EnhancedAuth => self.auth_step,
            Hook::Authorize => self.authorize,
            Hook::Publish => self.publish,
            Hook::Subscribe | Hook::Unsubscribe => self.subscribe,
            Hook::Cohort | Hook::Deliver => self.deliver,
            Hook::Events => self.events,
            Hook::Timer => self.timer,
            Hook::Command => self.command,
            Hook::Store => self.store,
            Hook::Commit => self.commit,
        }
    }
}

/// In which order plugins are asked: names, one list for each hook. `None` is the order in which
/// they appear. A list names every plugin that has the hook, and no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after the hooks")]
pub struct HookOrder {
    pub authenticate: Option<Vec<String>>,
    pub authorize: Option<Vec<String>>,
    pub publish: Option<Vec<String>>,
    pub subscribe: Option<Vec<String>>,
    pub unsubscribe: Option<Vec<String>>,
    pub deliver: Option<Vec<String>>,
}

/// All plugins, their order, and the bounds around them.
#[derive(Clone)]
pub struct ChainSpec {
    /// The plugins, in order of appearance.
    pub plugins: Vec<PluginSpec>,
    /// The order in which each hook asks them.
    pub order: HookOrder,
    /// The moment that [`pintle_mqtt::Timestamp`] counts from; that of the engine's clock.
    pub began: Instant,
    /// Authentications at work at once, off the workers; the number of cores.
    pub auth_concurrency_max: usize,
    /// Authentications that wait for one of these places; 1024. Beyond it clients are refused with
    /// 0x89.
    pub auth_queue_max: usize,
    /// Events that wait for one plugin; 10 000. Newer ones are lost and counted.
    pub event_queue_max: usize,
    /// Groups of clients that `on_deliver` tells apart; 10 000. A client beyond it meets the
    /// failure policy of the plugins that named its group.
    pub cohorts_max: usize,
    /// Decisions kept for each plugin; 10 000. When they are that many, all are forgotten.
    pub decisions_max: usize,
    /// Messages that plugins made inside a hook and that are not routed yet; 10 000.
    pub publish_queue_max: usize,
    /// Largest message a plugin may make, in bytes as encoded; 16 MiB.
    pub message_bytes_max: usize,
    /// Where what plugins keep with `persist = true` is written, and compiled components in a folder
    /// `compiled`; `None` keeps the former in memory alone, and the latter not at all.
    pub data_dir: Option<PathBuf>,
}

impl Default for ChainSpec {
    fn default() -> Self {
        Self {
            plugins: Vec::new(),
            order: HookOrder::default(),
            began: Instant::now(),
            auth_concurrency_max: available_parallelism().map_or(1, usize::from),
            auth_queue_max: 1024,
            event_queue_max: 10_000,
            cohorts_max: 10_000,
            decisions_max: 10_000,
            publish_queue_max: 10_000,
            message_bytes_max: 16 << 20,
            data_dir: None,
        }
    }
}
