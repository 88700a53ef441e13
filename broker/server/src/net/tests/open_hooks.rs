use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use pintle_mqtt::{Publish, Timestamp, TopicName};
use pintle_ports::{
    Action, Admission, AuthOutcome, AuthProgress, CohortId, ConnectAttempt, DeliverRuling, Event,
    HookPath, Hooks, Identity, Interest, PublishRuling, PublishVerdict, Ruling, Step,
    SubscribeRuling, SubscriptionRequest,
};
use tokio::sync::oneshot;

/// Hooks that let everything pass; CONNECTs only when a test says so, if it asks for that.
#[derive(Default)]
pub(super) struct OpenHooks {
    gate: Mutex<Option<oneshot::Receiver<()>>>,
}

impl OpenHooks {
    /// Lets the next CONNECT in when the sender is used, from whatever thread.
    pub(super) fn with_gate() -> (Arc<Self>, oneshot::Sender<()>) {
        let (open, gate) = oneshot::channel();
        (Arc::new(Self { gate: Mutex::new(Some(gate)) }), open)
    }
}

impl Hooks for OpenHooks {
    fn interest(&self) -> Interest {
        Interest { authenticate: self.gate.lock().is_some(), ..Interest::default() }
    }

    fn generation(&self) -> u64 {
        0
    }

    fn authenticate(&self, _: ConnectAttempt) -> Step<AuthOutcome> {
        let Some(gate) = self.gate.lock().take() else { return Step::Done(AuthOutcome::NoAnswer) };
        let outcome: Pin<Box<dyn Future<Output = AuthOutcome> + Send>> = Box::pin(async {
            gate.await.unwrap();
            AuthOutcome::Accept(Admission::default())
        });
        Step::Wait(outcome)
    }

    fn auth_begin(
        &self,
        _: &Arc<Identity>,
        _: &str,
        _: Option<&[u8]>,
        _: bool,
    ) -> Option<Step<AuthProgress>> {
        None
    }

    fn authorize(&self, _: &Identity, _: Action<'_>, _: Timestamp) -> Ruling {
        Ruling::ALLOW
    }

    fn wants_publish(&self, _: TopicName<'_>) -> bool {
        false
    }

    fn on_publish(
        &self,
        _: HookPath,
        _: Option<&Identity>,
        _: &Publish<'_>,
        _: Timestamp,
    ) -> PublishRuling {
        PublishRuling { verdict: PublishVerdict::Pass, emits: Vec::new() }
    }

    fn on_subscribe(&self, _: &Identity, _: &SubscriptionRequest) -> SubscribeRuling {
        SubscribeRuling::Pass
    }

    fn on_unsubscribe(&self, _: &Identity, _: &str) -> Option<String> {
        None
    }

    fn cohort(&self, _: &Identity) -> CohortId {
        CohortId::NONE
    }

    fn wants_deliver(&self, _: TopicName<'_>) -> bool {
        false
    }

    fn on_deliver(&self, _: CohortId, _: &Publish<'_>, _: Timestamp) -> DeliverRuling {
        DeliverRuling::Pass
    }

    fn event(&self, _: Event<'_>) {}
}
