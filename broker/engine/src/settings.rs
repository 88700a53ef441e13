use std::sync::Arc;

use pintle_mqtt::QoS;
use pintle_session::QueueOverflow;

/// Bounds that hold for the whole broker. Each has the default of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Encoded bytes that may wait for one connection; beyond it QoS 0 is dropped and counted.
    pub outbox_bytes_max: usize,
    /// Messages that may wait in one session's queue.
    pub queue_messages_max: u32,
    /// Bytes that may wait in one session's queue.
    pub queue_bytes_max: u64,
    /// What gives way when a queue is full.
    pub queue_overflow: QueueOverflow,
    /// QoS 1 and 2 messages in flight towards a client of 3.1 or 3.1.1.
    pub inflight_max: u16,
    /// Levels of a Topic Name or Topic Filter.
    pub topic_levels_max: usize,
    /// Bytes of a Topic Name or Topic Filter.
    pub topic_bytes_max: usize,
    /// Subscriptions of one session.
    pub subscriptions_max: u32,
    /// Retained, queued and in flight bytes of all sessions together.
    pub broker_bytes_max: u64,
    /// Sessions, connected or not.
    pub sessions_max: u32,
    /// Retained messages.
    pub retained_messages_max: u32,
    /// Longest a session outlives its connection, in seconds; 3.1 and 3.1.1 sessions that are not
    /// clean get this.
    pub session_expiry_secs_max: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            outbox_bytes_max: 1 << 20,
            queue_messages_max: 1000,
            queue_bytes_max: 16 << 20,
            queue_overflow: QueueOverflow::DropOldest,
            inflight_max: u16::MAX,
            topic_levels_max: 200,
            topic_bytes_max: 4096,
            subscriptions_max: 10_000,
            broker_bytes_max: 1 << 30,
            sessions_max: 1_000_000,
            retained_messages_max: 10_000_000,
            session_expiry_secs_max: u32::MAX,
        }
    }
}

/// What one listener allows; what it switches off is announced in CONNACK and enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTerms {
    /// Its name in logs and for plugins.
    pub name: Arc<str>,
    /// Whether clients that no plugin decided on are let in.
    pub anonymous: bool,
    /// The highest QoS that clients may publish with [MQTT-3.2.2-11].
    pub max_qos: QoS,
    /// Whether clients may retain messages [MQTT-3.2.2-14].
    pub retain_available: bool,
    /// Whether filters may hold wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether Shared Subscriptions are served.
    pub shared_subscription_available: bool,
    /// Whether Subscription Identifiers are served.
    pub subscription_identifier_available: bool,
    /// QoS 2 publications that a client may have open, at least 1.
    pub receive_maximum: u16,
    /// The highest Topic Alias a client may use; 0 allows none.
    pub topic_alias_maximum: u16,
    /// The largest packet taken, in bytes, header included.
    pub packet_bytes_max: u32,
    /// The longest Keep Alive, in seconds; 0 for no limit. v5 clients are told, v3 clients that ask
    /// for more (or for none) are refused.
    pub keep_alive_secs_max: u16,
    /// What Client Identifiers must begin with; empty for anything.
    pub client_id_prefix: Arc<str>,
    /// Subscriptions of one session, where that is fewer than the broker allows.
    pub subscriptions_max: Option<u32>,
    /// Whether a client may leave its Client Identifier empty and have one assigned.
    pub assign_client_id: bool,
}

impl ListenerTerms {
    /// A listener that allows everything the broker can do.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            anonymous: true,
            max_qos: QoS::ExactlyOnce,
            retain_available: true,
            wildcard_subscription_available: true,
            shared_subscription_available: true,
            subscription_identifier_available: true,
            receive_maximum: 1024,
            topic_alias_maximum: 64,
            packet_bytes_max: 1 << 20,
            keep_alive_secs_max: 0,
            client_id_prefix: "".into(),
            subscriptions_max: None,
            assign_client_id: true,
        }
    }
}
