use pintle_mqtt::{
    Properties, ReasonCode, ReasonCodeBuffer, SubscriptionFilter, UnsubAck, Unsubscribe,
};
use pintle_ports::{Event, EventKind};

use crate::connection::{Connection, Halt};
use crate::worker::{Worker, tell};

impl Connection {
    /// UNSUBSCRIBE: one code for each filter, in their order [MQTT-3.11.3-1] [MQTT-3.11.3-2]. What is in flight or
    /// queued already is still delivered.
    pub(crate) fn unsubscribe(
        &mut self,
        worker: &mut Worker,
        unsubscribe: &Unsubscribe<'_>,
    ) -> Result<(), Halt> {
        let mut codes = ReasonCodeBuffer::new();
        for filter in unsubscribe.filters.iter() {
            worker.tree_changes += 1;
            codes.push(self.unsubscribe_from(worker, filter)?);
        }
        let codes = codes.as_codes();
        UnsubAck { packet_id: unsubscribe.packet_id, properties: Properties::EMPTY, codes }
            .encode(self.live()?.version, &mut worker.replies);
        let counts = worker.counts();
        counts.received(&counts.unsubscribe_received, 1);
        counts.sent(&counts.unsuback_sent, 1);
        Ok(())
    }

    fn unsubscribe_from(&self, worker: &Worker, asked: &str) -> Result<ReasonCode, Halt> {
        let live = self.live()?;
        let instead = if worker.interest().unsubscribe {
            worker.hooks().on_unsubscribe(&live.identity, asked)
        } else {
            None
        };
        let text = instead.as_deref().unwrap_or(asked);
        let Ok(filter) = SubscriptionFilter::new(text) else {
            return Ok(ReasonCode::TopicFilterInvalid);
        };
        {
            let mut state = self.own_state()?;
            if !state.aside_mut().subscriptions.remove(text) {
                return Ok(ReasonCode::NoSubscriptionExisted);
            }
            worker.engine().remove_subscription(&live.session, &filter);
        }
        let who = &*live.identity;
        tell(worker, EventKind::Unsubscribed, Event::Unsubscribed { who, filter: text });
        Ok(ReasonCode::Success)
    }
}
