use pintle_mqtt::QoS;

use super::Outbound;
use crate::run_part::RunPart;
use crate::waiting::Waiting;

impl Outbound {
    /// Takes out the messages of Shared Subscriptions that the client has not acknowledged, in their
    /// order; for a session that ends, so that other members may have them.
    ///
    /// QoS 2 messages that were sent once are nobody else's [MQTT-4.8.2-5].
    pub fn take_shared(&mut self) -> Vec<Waiting> {
        let sent = self.inflight.as_mut().map(|inflight| inflight.take_unacknowledged());
        let sent = sent.into_iter().flatten().filter(|part| part.qos() == QoS::AtLeastOnce);
        let queued = self.queue.as_mut().map(|queue| queue.take_all());
        let parts = sent.chain(queued.into_iter().flatten()).filter(RunPart::is_shared);
        let mut left = Vec::new();
        for mut part in parts {
            while part.count() > 0 {
                let end = part.offset() + part.first_len() as u32;
                left.push(Waiting::new(part.split_front(1, end)));
            }
        }
        self.clear();
        left
    }
}
