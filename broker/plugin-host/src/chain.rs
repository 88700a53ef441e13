use std::sync::Arc;

use pintle_mqtt::{Publish, Timestamp, TopicName};
use pintle_ports::{
    Action, AuthOutcome, AuthProgress, CohortId, ConnectAttempt, DeliverRuling, Event, HookPath,
    Hooks, Identity, Interest, PublishRuling, Ruling, Step, SubscribeRuling, SubscriptionRequest,
};

use crate::core::Core;

/// The table as the engine sees it.
pub(crate) struct Chain(pub(crate) Arc<Core>);

impl Hooks for Chain {
    fn interest(&self) -> Interest {
        self.0.interest
    }

    fn generation(&self) -> u64 {
        self.0.shared.generation()
    }

    fn authenticate(&self, attempt: ConnectAttempt) -> Step<AuthOutcome> {
        self.0.authenticate(attempt)
    }

    fn auth_begin(
        &self,
        who: &Arc<Identity>,
        method: &str,
        data: Option<&[u8]>,
        reauth: bool,
    ) -> Option<Step<AuthProgress>> {
        self.0.auth_begin(who, method, data, reauth)
    }

    fn authorize(&self, who: &Identity, action: Action<'_>, now: Timestamp) -> Ruling {
        self.0.authorize(who, action, now)
    }

    fn wants_publish(&self, topic: TopicName<'_>) -> bool {
        self.0.wants_publish(topic)
    }

    fn on_publish(
        &self,
        path: HookPath,
        who: Option<&Identity>,
        publish: &Publish<'_>,
        now: Timestamp,
    ) -> PublishRuling {
        self.0.on_publish(path, who, publish, now)
    }

    fn on_subscribe(&self, who: &Identity, request: &SubscriptionRequest) -> SubscribeRuling {
        self.0.on_subscribe(who, request)
    }

    fn on_unsubscribe(&self, who: &Identity, filter: &str) -> Option<String> {
        self.0.on_unsubscribe(who, filter)
    }

    fn cohort(&self, who: &Identity) -> CohortId {
        self.0.cohort(who)
    }

    fn wants_deliver(&self, topic: TopicName<'_>) -> bool {
        self.0.wants_deliver(topic)
    }

    fn on_deliver(&self, cohort: CohortId, publish: &Publish<'_>, now: Timestamp) -> DeliverRuling {
        self.0.on_deliver(cohort, publish, now)
    }

    fn event(&self, event: Event<'_>) {
        self.0.event(event);
    }
}
