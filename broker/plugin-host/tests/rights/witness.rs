use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle_engine::Engine;
use pintle_mqtt::ReasonCode;
use pintle_ports::{Broker, HookPath, Hooks, MessageFrame, NotDone, SubscriptionRequest, Whom};

/// The engine, and how often plugins have made it do something.
pub(crate) struct Witness {
    engine: Arc<Engine>,
    done: AtomicUsize,
}

impl Witness {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, done: AtomicUsize::new(0) }
    }

    /// Messages that plugins published, or gave to a client, and that have come to their end.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }
}

impl Broker for Witness {
    fn publish(&self, message: &MessageFrame, path: HookPath) {
        self.engine.publish(message, path);
        self.done.fetch_add(1, Ordering::Release);
    }

    fn disconnect(&self, whom: &Whom, reason: ReasonCode) -> usize {
        self.engine.disconnect(whom, reason)
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        self.engine.stats()
    }

    fn publish_to(&self, client_id: &str, message: &MessageFrame) -> Result<(), NotDone> {
        let given = self.engine.publish_to(client_id, message);
        self.done.fetch_add(1, Ordering::Release);
        given
    }

    fn subscribe_for(
        &self,
        client_id: &str,
        subscription: &SubscriptionRequest,
    ) -> Result<(), NotDone> {
        self.engine.subscribe_for(client_id, subscription)
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), NotDone> {
        self.engine.unsubscribe_for(client_id, filter)
    }

    fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        self.engine.retained(topic)
    }

    fn set_hooks(&self, hooks: Arc<dyn Hooks>) {
        self.engine.set_hooks(hooks);
    }

    fn invalidate(&self) {
        self.engine.invalidate();
    }
}
