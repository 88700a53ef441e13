use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pintle_mqtt::{Publish, ReasonCode, Timestamp, TopicName};
use pintle_ports::{
    Action, AuthOutcome, AuthProgress, CohortId, ConnectAttempt, DeliverRuling, Event, EventKind,
    EventKinds, HookPath, Hooks, Identity, Interest, PublishRuling, PublishVerdict, Ruling, Step,
    SubscribeRuling, SubscriptionRequest, Verdict,
};

type Hook<F> = Option<Box<F>>;

type Authenticate = dyn Fn(&ConnectAttempt) -> Step<AuthOutcome> + Send + Sync;
type AuthBegin = dyn Fn(&str, Option<&[u8]>, bool) -> Option<Step<AuthProgress>> + Send + Sync;
type Authorize = dyn Fn(&Identity, Action<'_>) -> Ruling + Send + Sync;
type OnPublish = dyn Fn(HookPath, &Publish<'_>) -> PublishRuling + Send + Sync;
type OnSubscribe = dyn Fn(&SubscriptionRequest) -> SubscribeRuling + Send + Sync;
type OnUnsubscribe = dyn Fn(&str) -> Option<String> + Send + Sync;
type Cohort = dyn Fn(&Identity) -> u32 + Send + Sync;
type OnDeliver = dyn Fn(u32, &Publish<'_>) -> DeliverRuling + Send + Sync;
type AtEachCall = dyn Fn() + Send + Sync;

/// Plugins made of closures. A hook without one is a hook that nobody registered.
#[derive(Default)]
pub(crate) struct TestHooks {
    interest: Interest,
    authenticate: Hook<Authenticate>,
    auth_begin: Hook<AuthBegin>,
    authorize: Hook<Authorize>,
    on_publish: Hook<OnPublish>,
    on_subscribe: Hook<OnSubscribe>,
    on_unsubscribe: Hook<OnUnsubscribe>,
    cohort: Hook<Cohort>,
    on_deliver: Hook<OnDeliver>,
    at_each_call: Mutex<Option<Arc<AtEachCall>>>,
    generation: AtomicU64,
    calls: Mutex<Vec<String>>,
    events: Mutex<Vec<String>>,
}

impl TestHooks {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn authenticating(
        mut self,
        hook: impl Fn(&ConnectAttempt) -> Step<AuthOutcome> + Send + Sync + 'static,
    ) -> Self {
        self.interest.authenticate = true;
        self.authenticate = Some(Box::new(hook));
        self
    }

    pub(crate) fn exchanging(
        mut self,
        hook: impl Fn(&str, Option<&[u8]>, bool) -> Option<Step<AuthProgress>> + Send + Sync + 'static,
    ) -> Self {
        self.interest.enhanced_auth = true;
        self.auth_begin = Some(Box::new(hook));
        self
    }

    pub(crate) fn authorizing(
        mut self,
        hook: impl Fn(&Identity, Action<'_>) -> Ruling + Send + Sync + 'static,
    ) -> Self {
        self.interest.authorize = true;
        self.authorize = Some(Box::new(hook));
        self
    }

    /// Whether a plugin votes beside the rules of clients.
    pub(crate) fn votes(&mut self, votes: bool) {
        self.interest.authorize = votes;
    }

    pub(crate) fn on_publish(
        mut self,
        hook: impl Fn(HookPath, &Publish<'_>) -> PublishRuling + Send + Sync + 'static,
    ) -> Self {
        self.interest.publish = true;
        self.on_publish = Some(Box::new(hook));
        self
    }

    pub(crate) fn on_subscribe(
        mut self,
        hook: impl Fn(&SubscriptionRequest) -> SubscribeRuling + Send + Sync + 'static,
    ) -> Self {
        self.interest.subscribe = true;
        self.on_subscribe = Some(Box::new(hook));
        self
    }

    pub(crate) fn on_unsubscribe(
        mut self,
        hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.interest.unsubscribe = true;
        self.on_unsubscribe = Some(Box::new(hook));
        self
    }

    pub(crate) fn on_deliver(
        mut self,
        cohort: impl Fn(&Identity) -> u32 + Send + Sync + 'static,
        hook: impl Fn(u32, &Publish<'_>) -> DeliverRuling + Send + Sync + 'static,
    ) -> Self {
        self.interest.deliver = true;
        self.cohort = Some(Box::new(cohort));
        self.on_deliver = Some(Box::new(hook));
        self
    }

    pub(crate) fn told(mut self, kinds: &[EventKind]) -> Self {
        let told = kinds.iter().fold(EventKinds::NONE, |told, kind| told.with(*kind));
        self.interest.events = told;
        self
    }

    /// Lets `look` run inside every hook.
    pub(crate) fn look_at_each_call(&self, look: impl Fn() + Send + Sync + 'static) {
        *self.at_each_call.lock().unwrap() = Some(Arc::new(look));
    }

    pub(crate) fn raise_generation(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The calls since the last look, each in a line.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// How many calls of one hook there were since the last look at the calls.
    pub(crate) fn calls_of(&self, hook: &str) -> usize {
        self.calls().iter().filter(|call| call.starts_with(hook)).count()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    fn called(&self, call: String) {
        self.calls.lock().unwrap().push(call);
        let look = self.at_each_call.lock().unwrap().clone();
        if let Some(look) = look {
            look();
        }
    }
}

/// No, with the code that clients know.
pub(crate) fn denied() -> Ruling {
    Ruling {
        verdict: Verdict::Deny(ReasonCode::NotAuthorized),
        valid_until: Timestamp::NEVER,
        decided_by: Some("test".into()),
    }
}

/// Yes, but only for now.
pub(crate) fn allowed_until(valid_until: Timestamp) -> Ruling {
    Ruling { valid_until, ..Ruling::ALLOW }
}

pub(crate) fn pass() -> PublishRuling {
    PublishRuling { verdict: PublishVerdict::Pass, emits: Vec::new() }
}

pub(crate) fn verdict(verdict: PublishVerdict) -> PublishRuling {
    PublishRuling { verdict, emits: Vec::new() }
}

fn payload(publish: &Publish<'_>) -> String {
    String::from_utf8_lossy(publish.payload).into_owned()
}

fn topic<'a>(publish: &Publish<'a>) -> &'a str {
    publish.topic.map_or("", |topic| topic.as_str())
}

impl Hooks for TestHooks {
    fn interest(&self) -> Interest {
        self.interest
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn authenticate(&self, attempt: ConnectAttempt) -> Step<AuthOutcome> {
        self.called(format!("authenticate {}", attempt.who.client_id));
        self.authenticate.as_ref().unwrap()(&attempt)
    }

    fn auth_begin(
        &self,
        who: &Arc<Identity>,
        method: &str,
        data: Option<&[u8]>,
        reauth: bool,
    ) -> Option<Step<AuthProgress>> {
        self.called(format!("auth_begin {} {method}", who.client_id));
        self.auth_begin.as_ref().unwrap()(method, data, reauth)
    }

    fn authorize(&self, who: &Identity, action: Action<'_>, _now: Timestamp) -> Ruling {
        let asked = match &action {
            Action::Publish(publish) => format!("publish {}", topic(publish)),
            Action::Subscribe(request) => format!("subscribe {}", request.filter),
            Action::Receive(publish) => format!("receive {}", topic(publish)),
            Action::Will(publish) => format!("will {}", topic(publish)),
        };
        self.called(format!("authorize {} {asked}", who.client_id));
        self.authorize.as_ref().map_or(Ruling::ALLOW, |hook| hook(who, action))
    }

    fn wants_publish(&self, topic: TopicName<'_>) -> bool {
        !topic.as_str().starts_with("plain")
    }

    fn on_publish(
        &self,
        path: HookPath,
        _who: Option<&Identity>,
        publish: &Publish<'_>,
        _now: Timestamp,
    ) -> PublishRuling {
        self.called(format!("on_publish {} {}", topic(publish), payload(publish)));
        self.on_publish.as_ref().unwrap()(path, publish)
    }

    fn on_subscribe(&self, _who: &Identity, request: &SubscriptionRequest) -> SubscribeRuling {
        self.called(format!("on_subscribe {}", request.filter));
        self.on_subscribe.as_ref().unwrap()(request)
    }

    fn on_unsubscribe(&self, _who: &Identity, filter: &str) -> Option<String> {
        self.called(format!("on_unsubscribe {filter}"));
        self.on_unsubscribe.as_ref().unwrap()(filter)
    }

    fn cohort(&self, who: &Identity) -> CohortId {
        self.called(format!("cohort {}", who.client_id));
        CohortId(self.cohort.as_ref().unwrap()(who))
    }

    fn wants_deliver(&self, topic: TopicName<'_>) -> bool {
        !topic.as_str().starts_with("plain")
    }

    fn on_deliver(
        &self,
        cohort: CohortId,
        publish: &Publish<'_>,
        _now: Timestamp,
    ) -> DeliverRuling {
        self.called(format!("on_deliver {} {} {}", cohort.0, topic(publish), payload(publish)));
        self.on_deliver.as_ref().unwrap()(cohort.0, publish)
    }

    fn event(&self, event: Event<'_>) {
        let told = match event {
            Event::Connected { who } => format!("connected {}", who.client_id),
            Event::AuthFailed { who, reason } => {
                format!("auth-failed {} {reason:?}", who.client_id)
            }
            Event::Disconnected { who, reason } => {
                format!("disconnected {} {reason:?}", who.client_id)
            }
            Event::ConnectionLost { who } => format!("lost {}", who.client_id),
            Event::SessionCreated { who } => format!("session-created {}", who.client_id),
            Event::SessionResumed { who } => format!("session-resumed {}", who.client_id),
            Event::SessionTakenOver { who } => format!("session-taken-over {}", who.client_id),
            Event::SessionExpired { who } => format!("session-expired {}", who.client_id),
            Event::Subscribed { who, subscription } => {
                format!("subscribed {} {}", who.client_id, subscription.filter)
            }
            Event::Unsubscribed { who, filter } => {
                format!("unsubscribed {} {filter}", who.client_id)
            }
            Event::Published { topic, payload_len, .. } => {
                format!("published {topic} {payload_len}")
            }
            Event::Dropped { who, topic, cause } => {
                format!("dropped {} {topic} {cause:?}", who.client_id)
            }
            Event::RetainedSet { topic } => format!("retained-set {topic}"),
            Event::RetainedCleared { topic } => format!("retained-cleared {topic}"),
            Event::WillSent { who, topic } => format!("will-sent {} {topic}", who.client_id),
        };
        self.called("event".to_owned());
        self.events.lock().unwrap().push(told);
    }
}
