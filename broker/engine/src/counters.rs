use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

macro_rules! counters {
    ($(#[$doc:meta])* $visibility:vis struct $Name:ident { $($field:ident $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        $visibility struct $Name { $(pub $field: AtomicU64,)* }

        impl $Name {
            const NAMES: &[&str] = &[$($name),*];

            fn each(&self) -> impl Iterator<Item = &AtomicU64> {
                [$(&self.$field),*].into_iter()
            }

            /// Every one by its name, without `$SYS/broker/`.
            pub(crate) fn snapshot(&self) -> impl Iterator<Item = (&'static str, u64)> {
                let values = self.each().map(|counter| counter.load(Ordering::Relaxed));
                Self::NAMES.iter().copied().zip(values)
            }
        }
    };
}

counters! {
    /// What any thread counts, by its `$SYS` name. The server counts its sockets here.
    #[expect(missing_docs, reason = "each is named by the $SYS topic it feeds")]
    pub struct Counters {
        sockets_opened "sockets/opened",
        sockets_open "connections/socket/count",
        connected "clients/connected",
        connected_max "clients/maximum",
    }
}

counters! {
    /// What one worker counts, by its `$SYS` name. Only that worker writes, so that counting a
    /// message costs no more than adding.
    pub(crate) struct Counts {
        connects "connections/opened",
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
}

impl Counts {
    fn add_all(&self, other: &Self) {
        for (counter, other) in self.each().zip(other.each()) {
            add(counter, other.load(Ordering::Relaxed));
        }
    }

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

/// Adds to a counter of the worker that calls.
pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// What all workers count, those that are gone included.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    of_workers: Vec<Arc<Counts>>,
    of_gone: Counts,
}

impl Tallies {
    /// A worker begins to count.
    pub(crate) fn begin(&self) -> Arc<Counts> {
        let counts = Arc::new(Counts::default());
        self.inner.lock().of_workers.push(Arc::clone(&counts));
        counts
    }

    /// It is gone; what it counted stays.
    pub(crate) fn end(&self, counts: &Arc<Counts>) {
        let mut inner = self.inner.lock();
        inner.of_workers.retain(|known| !Arc::ptr_eq(known, counts));
        inner.of_gone.add_all(counts);
    }

    pub(crate) fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let totals = Counts::default();
        let inner = self.inner.lock();
        totals.add_all(&inner.of_gone);
        inner.of_workers.iter().for_each(|counts| totals.add_all(counts));
        totals.snapshot().collect()
    }
}
