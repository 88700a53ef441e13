use std::time::Duration;

use pintle_mqtt::Timestamp;

/// How long a client may be silent: one and a half times its Keep Alive [MQTT-3.1.2-22].
///
/// `None` for 0, which switches the rule off.
pub fn keep_alive_limit(keep_alive_secs: u16) -> Option<Duration> {
    (keep_alive_secs > 0).then(|| Duration::from_millis(u64::from(keep_alive_secs) * 1500))
}

/// Whether a client whose last packet came at `last` has been silent for too long.
pub fn is_overdue(last: Timestamp, now: Timestamp, keep_alive_secs: u16) -> bool {
    keep_alive_limit(keep_alive_secs).is_some_and(|limit| now.since(last) > limit)
}

/// What the server makes of the Keep Alive in a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// It holds, in seconds [MQTT-3.2.2-22].
    AsAsked(u16),
    /// The server's own holds, in seconds; CONNACK must say so as Server Keep Alive.
    Imposed(u16),
    /// It is above the maximum, and this version cannot be told another.
    Refused,
}

/// Holds the Keep Alive that a CONNECT asks for against `keep_alive_max_secs`, where 0 means that
/// there is no maximum. A client that asks for 0, never, is above any maximum.
pub fn keep_alive_terms(asked_secs: u16, keep_alive_max_secs: u16, is_v5: bool) -> KeepAlive {
    let within = asked_secs != 0 && asked_secs <= keep_alive_max_secs;
    if keep_alive_max_secs == 0 || within {
        KeepAlive::AsAsked(asked_secs)
    } else if is_v5 {
        KeepAlive::Imposed(keep_alive_max_secs)
    } else {
        KeepAlive::Refused
    }
}
