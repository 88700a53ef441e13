/// A value that the broker counts, offered by [`pintle_plugin_api::Host::stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its name, without `$SYS/broker/`.
    pub name: &'static str,
    /// What it counts; since the start where it does not say otherwise.
    pub meaning: &'static str,
}

/// A counter whose rate is published as `load/<topic>/{1min,5min,15min}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The part of the topic between `load/` and the span of time.
    pub topic: &'static str,
    /// Name of the counter.
    pub stat: &'static str,
}

const fn stat(name: &'static str, meaning: &'static str) -> Stat {
    Stat { name, meaning }
}

const fn load(topic: &'static str, stat: &'static str) -> Load {
    Load { topic, stat }
}

/// What the broker counts. It may leave some out, and have others.
///
/// `uptime` is published with its unit. `sockets/opened` and `connections/opened` only feed the
/// loads. `heap/…` is there if the broker's allocator counts.
pub const STATS: &[Stat] = &[
    stat("uptime", "seconds since the start"),
    stat("clients/total", "sessions now, connected or not"),
    stat("clients/connected", "clients connected now"),
    stat("clients/disconnected", "sessions now whose client is not connected"),
    stat("clients/maximum", "the most clients that were connected at once"),
    stat("clients/expired", "sessions removed because their Session Expiry Interval passed"),
    stat("messages/received", "MQTT packets of any type received"),
    stat("messages/sent", "MQTT packets of any type sent"),
    stat("messages/stored", "messages held now: retained, queued, in flight"),
    stat("store/messages/count", "messages held now: retained, queued, in flight"),
    stat("store/messages/bytes", "bytes of their payloads"),
    stat("retained messages/count", "retained messages now"),
    stat("subscriptions/count", "subscriptions now"),
    stat("shared_subscriptions/count", "Shared Subscriptions now"),
    stat("heap/current", "bytes allocated now"),
    stat("heap/maximum", "the most bytes that were allocated at once"),
    stat("bytes/received", "bytes received from clients"),
    stat("bytes/sent", "bytes sent to clients"),
    stat("publish/messages/received", "PUBLISH packets received"),
    stat("publish/messages/sent", "PUBLISH packets sent"),
    stat("publish/messages/dropped", "messages not delivered to one of their receivers"),
    stat("publish/bytes/received", "payload bytes of PUBLISH packets received"),
    stat("publish/bytes/sent", "payload bytes of PUBLISH packets sent"),
    stat("packet/out/count", "packets that wait to be sent now"),
    stat("packet/out/bytes", "bytes that wait to be sent now"),
    stat("connections/socket/count", "sockets open now"),
    stat("sockets/opened", "sockets accepted; not published"),
    stat("connections/opened", "CONNECT packets received; not published"),
    stat("mqtt/connect/received", "CONNECT packets received"),
    stat("mqtt/connack/sent", "CONNACK packets sent"),
    stat("mqtt/publish/received", "PUBLISH packets received"),
    stat("mqtt/publish/sent", "PUBLISH packets sent"),
    stat("mqtt/puback/received", "PUBACK packets received"),
    stat("mqtt/puback/sent", "PUBACK packets sent"),
    stat("mqtt/pubrec/received", "PUBREC packets received"),
    stat("mqtt/pubrec/sent", "PUBREC packets sent"),
    stat("mqtt/pubrel/received", "PUBREL packets received"),
    stat("mqtt/pubrel/sent", "PUBREL packets sent"),
    stat("mqtt/pubcomp/received", "PUBCOMP packets received"),
    stat("mqtt/pubcomp/sent", "PUBCOMP packets sent"),
    stat("mqtt/subscribe/received", "SUBSCRIBE packets received"),
    stat("mqtt/suback/sent", "SUBACK packets sent"),
    stat("mqtt/unsubscribe/received", "UNSUBSCRIBE packets received"),
    stat("mqtt/unsuback/sent", "UNSUBACK packets sent"),
    stat("mqtt/pingreq/received", "PINGREQ packets received"),
    stat("mqtt/pingresp/sent", "PINGRESP packets sent"),
    stat("mqtt/disconnect/received", "DISCONNECT packets received"),
    stat("mqtt/disconnect/sent", "DISCONNECT packets sent"),
    stat("mqtt/auth/received", "AUTH packets received"),
    stat("mqtt/auth/sent", "AUTH packets sent"),
];

/// The counters with a load, and its topic.
pub const LOADS: &[Load] = &[
    load("messages/received", "messages/received"),
    load("messages/sent", "messages/sent"),
    load("publish/dropped", "publish/messages/dropped"),
    load("publish/received", "publish/messages/received"),
    load("publish/sent", "publish/messages/sent"),
    load("bytes/received", "bytes/received"),
    load("bytes/sent", "bytes/sent"),
    load("sockets", "sockets/opened"),
    load("connections", "connections/opened"),
];

/// Counters that only feed a load.
pub(crate) fn is_published(name: &str) -> bool {
    !matches!(name, "sockets/opened" | "connections/opened")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_is_of_a_counter_and_no_counter_is_named_twice() {
        let names: std::collections::BTreeSet<_> = STATS.iter().map(|stat| stat.name).collect();
        assert_eq!(names.len(), STATS.len());
        assert!(LOADS.iter().all(|load| names.contains(load.stat)));
    }
}
