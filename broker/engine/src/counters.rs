use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($field:ident $name:literal,)*) => {
        /// What the broker counts, by its `$SYS` name. All rise only, but for the gauges
        /// `sockets_open` and `connected`.
        #[derive(Debug, Default)]
        #[expect(missing_docs, reason = "each is named by the $SYS topic it feeds")]
        pub struct Counters { $(pub $field: AtomicU64,)* }

        impl Counters {
            /// Every counter by its name, without `$SYS/broker/`.
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    sockets_opened "sockets/opened",
    sockets_open "connections/socket/count",
    connects "connections/opened",
    connected "clients/connected",
    connected_max "clients/maximum",
    sessions_expired "clients/expired",
    packets_received "messages/received",
    packets_sent "messages/sent",
    bytes_received "bytes/received",
    bytes_sent "bytes/sent",
    publishes_received "publish/messages/received",
    publishes_sent "publish/messages/sent",
    publishes_dropped "publish/messages/dropped",
    publish_bytes_received "publish/bytes/received",
    publish_bytes_sent "publish/bytes/sent",
    connect_received "mqtt/connect/received",
    connack_sent "mqtt/connack/sent",
    publish_received "mqtt/publish/received",
    publish_sent "mqtt/publish/sent",
    puback_received "mqtt/puback/received",
    puback_sent "mqtt/puback/sent",
    pubrec_received "mqtt/pubrec/received",
    pubrec_sent "mqtt/pubrec/sent",
    pubrel_received "mqtt/pubrel/received",
    pubrel_sent "mqtt/pubrel/sent",
    pubcomp_received "mqtt/pubcomp/received",
    pubcomp_sent "mqtt/pubcomp/sent",
    subscribe_received "mqtt/subscribe/received",
    suback_sent "mqtt/suback/sent",
    unsubscribe_received "mqtt/unsubscribe/received",
    unsuback_sent "mqtt/unsuback/sent",
    pingreq_received "mqtt/pingreq/received",
    pingresp_sent "mqtt/pingresp/sent",
    disconnect_received "mqtt/disconnect/received",
    disconnect_sent "mqtt/disconnect/sent",
    auth_received "mqtt/auth/received",
    auth_sent "mqtt/auth/sent",
}

impl Counters {
    /// Counts `packets` received of one type.
    pub(crate) fn received(&self, of_type: &AtomicU64, packets: u64) {
        add(of_type, packets);
        add(&self.packets_received, packets);
    }

    /// Counts `packets` sent of one type.
    pub(crate) fn sent(&self, of_type: &AtomicU64, packets: u64) {
        add(of_type, packets);
        add(&self.packets_sent, packets);
    }
}

/// Adds to one counter.
pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Subtracts from one gauge.
pub(crate) fn subtract(gauge: &AtomicU64, by: u64) {
    gauge.fetch_sub(by, Ordering::Relaxed);
}
