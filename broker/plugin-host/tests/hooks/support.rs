//! Plugins made of closures, clients, messages, and a broker that notes what it is told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pintle_mqtt::{ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode, Timestamp, TopicName};
use pintle_plugin_api::{
    About, Action as ApiAction, Answer, AuthExchange, AuthVerdict, CacheHint, Client, Credentials,
    Decision, DeliverVerdict, EventKinds, Hooks as HookSet, Host, Message, Origin, Plugin,
    PublishVerdict, Settings, SettingsError, StampedEvent, SubscribeVerdict, Subscription,
};
use pintle_plugin_host::{
    ChainSpec, DeliverErrorPolicy, ErrorPolicy, PluginHost, PluginSpec, PublishErrorPolicy,
    SubscribeErrorPolicy,
};
use pintle_ports::{
    Broker, ConnectAttempt, Granted, HookPath, Hooks, Identity, MessageFrame, NotDone,
    SubscriptionRequest, Transport, Voter, Whom,
};

type Hook<F> = Option<Box<F>>;

/// A plugin whose hooks are the closures it was given.
#[derive(Default)]
#[expect(clippy::type_complexity, reason = "each type is the signature of one hook")]
pub(crate) struct Scripted {
    events: EventKinds,
    auth_methods: &'static [&'static str],
    host: Arc<Mutex<Option<Arc<dyn Host>>>>,
    configure: Hook<dyn Fn(&Settings) -> Result<(), SettingsError> + Send + Sync>,
    authenticate: Hook<dyn Fn(&dyn Client, &Credentials) -> Answer<AuthVerdict> + Send + Sync>,
    auth_begin:
        Hook<dyn Fn(&dyn Client, &str, bool) -> Option<Box<dyn AuthExchange>> + Send + Sync>,
    authorize: Hook<dyn Fn(&dyn Client, &ApiAction<'_>) -> Decision + Send + Sync>,
    explain: Hook<dyn Fn(&dyn Client, &ApiAction<'_>) -> Option<String> + Send + Sync>,
    publish:
        Hook<dyn Fn(Origin, Option<&dyn Client>, &Message<'_>) -> PublishVerdict + Send + Sync>,
    subscribe: Hook<dyn Fn(&dyn Client, &Subscription) -> SubscribeVerdict + Send + Sync>,
    unsubscribe: Hook<dyn Fn(&dyn Client, &str) -> Option<String> + Send + Sync>,
    cohort: Hook<dyn Fn(&dyn Client) -> Option<String> + Send + Sync>,
    deliver: Hook<dyn Fn(&str, &Message<'_>) -> DeliverVerdict + Send + Sync>,
    on_events: Hook<dyn Fn(&[StampedEvent], u64) + Send + Sync>,
    timer: Hook<dyn Fn(&str) + Send + Sync>,
}

macro_rules! with {
    ($($name:ident($($arg:ty),*) -> $ret:ty;)*) => {
        $(pub(crate) fn $name(mut self, hook: impl Fn($($arg),*) -> $ret + Send + Sync + 'static) -> Self {
            self.$name = Some(Box::new(hook));
            self
        })*
    };
}

impl Scripted {
    with! {
        configure(&Settings) -> Result<(), SettingsError>;
        authenticate(&dyn Client, &Credentials) -> Answer<AuthVerdict>;
        authorize(&dyn Client, &ApiAction<'_>) -> Decision;
        explain(&dyn Client, &ApiAction<'_>) -> Option<String>;
        publish(Origin, Option<&dyn Client>, &Message<'_>) -> PublishVerdict;
        subscribe(&dyn Client, &Subscription) -> SubscribeVerdict;
        unsubscribe(&dyn Client, &str) -> Option<String>;
        cohort(&dyn Client) -> Option<String>;
        deliver(&str, &Message<'_>) -> DeliverVerdict;
    }

    pub(crate) fn timer(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.timer = Some(Box::new(hook));
        self
    }

    pub(crate) fn events(
        mut self,
        kinds: EventKinds,
        hook: impl Fn(&[StampedEvent], u64) + Send + Sync + 'static,
    ) -> Self {
        self.events = kinds;
        self.on_events = Some(Box::new(hook));
        self
    }

    pub(crate) fn auth_begin(
        mut self,
        methods: &'static [&'static str],
        hook: impl Fn(&dyn Client, &str, bool) -> Option<Box<dyn AuthExchange>> + Send + Sync + 'static,
    ) -> Self {
        self.auth_methods = methods;
        self.auth_begin = Some(Box::new(hook));
        self
    }

    /// Where the plugin's [`Host`] will be once it is started.
    pub(crate) fn host(&self) -> Arc<Mutex<Option<Arc<dyn Host>>>> {
        Arc::clone(&self.host)
    }

    /// A spec with this plugin, every failure policy the strictest.
    pub(crate) fn named(self, name: &str) -> PluginSpec {
        PluginSpec {
            on_error: ErrorPolicy {
                publish: Some(PublishErrorPolicy::Reject),
                subscribe: Some(SubscribeErrorPolicy::Reject),
                deliver: Some(DeliverErrorPolicy::Drop),
            },
            ..PluginSpec::new(name, Arc::new(self))
        }
    }
}

impl Plugin for Scripted {
    fn about(&self) -> About {
        let named = [
            (self.authenticate.is_some(), HookSet::AUTHENTICATE),
            (self.auth_begin.is_some(), HookSet::ENHANCED_AUTH),
            (self.authorize.is_some(), HookSet::AUTHORIZE),
            (self.publish.is_some(), HookSet::PUBLISH),
            (self.subscribe.is_some(), HookSet::SUBSCRIBE),
            (self.unsubscribe.is_some(), HookSet::UNSUBSCRIBE),
            (self.cohort.is_some(), HookSet::DELIVER),
            (self.on_events.is_some(), HookSet::EVENTS),
            (self.timer.is_some(), HookSet::TIMER),
        ];
        let hooks = named
            .iter()
            .filter(|(is_there, _)| *is_there)
            .fold(HookSet::NONE, |all, (_, hook)| all.and(*hook));
        About {
            events: self.events,
            auth_methods: self.auth_methods,
            ..About::new("scripted", "1.0.0", hooks)
        }
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        self.configure.as_ref().map_or(Ok(()), |hook| hook(settings))
    }

    fn start(&self, host: Arc<dyn Host>) {
        *self.host.lock() = Some(host);
    }

    fn authenticate(&self, client: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        self.authenticate.as_ref().unwrap()(client, credentials)
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Option<Box<dyn AuthExchange>> {
        self.auth_begin.as_ref().unwrap()(client, method, reauth)
    }

    fn authorize(&self, client: &dyn Client, action: &ApiAction<'_>) -> Decision {
        self.authorize.as_ref().unwrap()(client, action)
    }

    fn explain(&self, client: &dyn Client, action: &ApiAction<'_>) -> Option<String> {
        self.explain.as_ref().and_then(|hook| hook(client, action))
    }

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        self.publish.as_ref().unwrap()(origin, client, message)
    }

    fn on_subscribe(&self, client: &dyn Client, subscription: &Subscription) -> SubscribeVerdict {
        self.subscribe.as_ref().unwrap()(client, subscription)
    }

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Option<String> {
        self.unsubscribe.as_ref().unwrap()(client, filter)
    }

    fn cohort(&self, client: &dyn Client) -> Option<String> {
        self.cohort.as_ref().unwrap()(client)
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> DeliverVerdict {
        self.deliver.as_ref().unwrap()(cohort, message)
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) {
        self.on_events.as_ref().unwrap()(events, lost);
    }

    fn on_timer(&self, name: &str) {
        self.timer.as_ref().unwrap()(name);
    }
}

pub(crate) fn load(plugins: impl IntoIterator<Item = PluginSpec>) -> PluginHost {
    PluginHost::load(ChainSpec { plugins: plugins.into_iter().collect(), ..ChainSpec::default() })
        .unwrap()
}

pub(crate) fn client(client_id: &str) -> Identity {
    Identity {
        session_key: 1,
        client_id: client_id.into(),
        username: None,
        granted: None,
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: None,
    }
}

pub(crate) fn user(client_id: &str, username: &str) -> Identity {
    Identity { username: Some(username.into()), ..client(client_id) }
}

pub(crate) fn with_rules(who: Identity, rules: Option<Arc<dyn Voter>>) -> Identity {
    Identity { granted: Granted::new(None, rules), ..who }
}

pub(crate) fn attempt(who: Identity) -> ConnectAttempt {
    ConnectAttempt { who: Arc::new(who), password: Some(b"secret".to_vec()), will_topic: None }
}

pub(crate) fn message<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        flags: PublishFlags::default(),
        topic: Some(TopicName::new(topic).unwrap()),
        packet_id: None,
        properties: pintle_mqtt::Properties::EMPTY,
        payload,
    }
}

pub(crate) fn subscription(filter: &str) -> SubscriptionRequest {
    SubscriptionRequest {
        filter: filter.to_owned(),
        share_name: None,
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn hint(ttl: Duration) -> CacheHint {
    CacheHint { ttl, ..CacheHint::never() }
}

/// Topic and payload of a frame.
pub(crate) fn told(frame: &MessageFrame) -> (String, String) {
    let run = frame.as_run().unwrap();
    let payload = String::from_utf8(run.head().payload.to_vec()).unwrap();
    (run.topic().to_string(), payload)
}

/// Notes what it is told.
#[derive(Default)]
pub(crate) struct Notebook {
    pub(crate) published: Mutex<Vec<(String, String, HookPath)>>,
    pub(crate) disconnected: Mutex<Vec<(Whom, ReasonCode)>>,
    pub(crate) invalidations: Mutex<u32>,
    /// What was done in the place of clients.
    pub(crate) in_place: Mutex<Vec<String>>,
    /// The table it was given last.
    pub(crate) hooks: Mutex<Option<Arc<dyn Hooks>>>,
    /// Called for every message, after it was noted.
    pub(crate) on_publish: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Notebook {
    /// Everybody has a session but `nobody`; `guest` may nothing.
    fn found(&self, client_id: &str) -> Result<(), NotDone> {
        match client_id {
            "nobody" => Err(NotDone::NoSuchSession),
            "guest" => Err(NotDone::Refused(ReasonCode::NotAuthorized)),
            _ => Ok(()),
        }
    }
}

impl Broker for Notebook {
    fn publish(&self, message: &MessageFrame, path: HookPath) {
        let (topic, payload) = told(message);
        self.published.lock().push((topic, payload, path));
        if let Some(hook) = &*self.on_publish.lock() {
            hook();
        }
    }

    fn disconnect(&self, whom: &Whom, reason: ReasonCode) -> usize {
        self.disconnected.lock().push((whom.clone(), reason));
        1
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        vec![("clients/connected", 7)]
    }

    fn publish_to(&self, client_id: &str, message: &MessageFrame) -> Result<(), NotDone> {
        let (topic, payload) = told(message);
        self.in_place.lock().push(format!("to {client_id}: {topic} {payload}"));
        self.found(client_id)
    }

    fn subscribe_for(
        &self,
        client_id: &str,
        subscription: &SubscriptionRequest,
    ) -> Result<(), NotDone> {
        self.in_place.lock().push(format!("subscribe {client_id}: {}", subscription.filter));
        self.found(client_id)
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), NotDone> {
        self.in_place.lock().push(format!("unsubscribe {client_id}: {filter}"));
        self.found(client_id)
    }

    fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        (topic == "kept/here").then(|| b"here".to_vec())
    }

    fn set_hooks(&self, hooks: Arc<dyn Hooks>) {
        *self.hooks.lock() = Some(hooks);
    }

    fn invalidate(&self) {
        *self.invalidations.lock() += 1;
    }
}
