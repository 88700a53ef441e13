//! `[limits]`: every bound of the broker.

use std::path::Path;
use std::time::Duration;

use pintle_engine::EngineSettings;
use pintle_session::QueueOverflow;

use super::section::Section;

/// The bounds that hold for the whole broker, and defaults for its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the engine keeps to.
    pub engine: EngineSettings,
    /// Largest packet taken, where a listener says nothing else.
    pub packet_bytes_max: u32,
    /// Network Connections of all listeners together.
    pub connections_max: u32,
    /// Network Connections of one address, where a listener says nothing else; 0 for no limit.
    pub connections_per_address_max: u32,
    /// How long TLS, the WebSocket upgrade and CONNECT may take.
    pub handshake_timeout: Duration,
    /// How long a change may wait for the store before messages of QoS 1 and 2 are refused.
    pub store_lag_max: Duration,
}

pub(super) fn read(mut section: Section<'_>) -> Limits {
    let ours = EngineSettings::default();
    let memory = physical_memory().map_or(ours.broker_bytes_max, half_in_mebibytes);
    let limits = Limits {
        engine: EngineSettings {
            outbox_bytes_max: section.bytes_or(
                "outbox_bytes_max",
                ours.outbox_bytes_max,
                1024..=1 << 30,
            ),
            queue_messages_max: section.number_or(
                "queue_messages_max",
                ours.queue_messages_max,
                0..=u32::MAX,
            ),
            queue_bytes_max: section.bytes_or(
                "queue_bytes_max",
                ours.queue_bytes_max,
                0..=u64::MAX,
            ),
            queue_overflow: section.choice_or("queue_overflow", &OVERFLOW, ours.queue_overflow),
            inflight_max: section.number_or("inflight_max", ours.inflight_max, 1..=u16::MAX),
            topic_levels_max: section.number_or(
                "topic_levels_max",
                ours.topic_levels_max,
                1..=32_768,
            ),
            topic_bytes_max: section.bytes_or("topic_bytes_max", ours.topic_bytes_max, 1..=65_535),
            subscriptions_max: section.number_or(
                "subscriptions_max",
                ours.subscriptions_max,
                0..=u32::MAX,
            ),
            broker_bytes_max: section.bytes_or("broker_bytes_max", memory, 1 << 20..=u64::MAX),
            sessions_max: section.number_or("sessions_max", ours.sessions_max, 1..=u32::MAX),
            retained_messages_max: section.number_or(
                "retained_messages_max",
                ours.retained_messages_max,
                0..=u32::MAX,
            ),
            session_expiry_secs_max: section
                .seconds_or("session_expiry_secs_max", ours.session_expiry_secs_max),
        },
        packet_bytes_max: section.bytes_or("packet_bytes_max", 1 << 20, 128..=PACKET_BYTES_END),
        connections_max: section.number_or("connections_max", 100_000, 1..=u32::MAX),
        connections_per_address_max: section.number_or(
            "connections_per_address_max",
            0,
            0..=u32::MAX,
        ),
        handshake_timeout: section.span_or("handshake_secs", Duration::from_secs(10)),
        store_lag_max: section.span_or("store_lag_max", Duration::from_secs(5)),
    };
    section.finish();
    limits
}

/// Half of so many bytes, rounded down to whole mebibytes.
fn half_in_mebibytes(bytes: u64) -> u64 {
    (bytes / 2) & !0xf_ffff
}

/// The largest packet that MQTT can express: 268,435,455 bytes and the header.
pub(super) const PACKET_BYTES_END: u32 = 268_435_460;

const OVERFLOW: [(&str, QueueOverflow); 2] =
    [("drop-oldest", QueueOverflow::DropOldest), ("drop-newest", QueueOverflow::DropNewest)];

/// Bytes of memory that this process may hope for: the machine's, or its control group's if that
/// is less. `None` where the system does not tell.
fn physical_memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = total_of_meminfo(&machine)?;
    let group = std::fs::read_to_string(Path::new("/sys/fs/cgroup/memory.max")).ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}

fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read_from_meminfo() {
        let text = "MemTotal:        4028440 kB\nMemFree:          110000 kB\n";
        assert_eq!(total_of_meminfo(text), Some(4_028_440 * 1024));
        assert_eq!(total_of_meminfo("nothing of the kind"), None);
    }
}
