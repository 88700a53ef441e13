use std::sync::Arc;

use pintle_plugin_api::{
    Action, Answer, AuthExchange, AuthVerdict, Client, Credentials, Decision, DeliverVerdict, Host,
    Message, Origin, Plugin, PublishVerdict, Settings, SettingsError, StampedEvent,
    SubscribeVerdict, Subscription,
};

use crate::fault::{Fault, caught};

/// What stands in a slot: it answers the hooks, or fails in a way that can be counted.
///
/// Order, policy, breaker and figures are the same for every kind of instance; they are kept
/// outside, in the slot.
pub(crate) trait Instance: Send + Sync {
    /// `native`.
    fn kind(&self) -> &'static str;

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError>;
    fn start(&self, host: Arc<dyn Host>) -> Result<(), Fault>;

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Answer<AuthVerdict>, Fault>;

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn AuthExchange>>, Fault>;

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Result<Decision, Fault>;
    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Result<Option<String>, Fault>;

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<PublishVerdict, Fault>;

    fn on_subscribe(
        &self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault>;

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Result<Option<String>, Fault>;
    fn cohort(&self, client: &dyn Client) -> Result<Option<String>, Fault>;
    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault>;
    fn on_events(&self, events: &[StampedEvent], lost: u64) -> Result<(), Fault>;
    fn on_timer(&self, name: &str) -> Result<(), Fault>;
}

/// A plugin linked into the broker. It has no deadline: a call is as long as it takes.
pub(crate) struct Native(pub(crate) Arc<dyn Plugin>);

impl Instance for Native {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        caught(|| self.0.configure(settings))
            .unwrap_or_else(|fault| Err(SettingsError::new(fault.to_string())))
    }

    fn start(&self, host: Arc<dyn Host>) -> Result<(), Fault> {
        caught(|| self.0.start(host))
    }

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Answer<AuthVerdict>, Fault> {
        caught(|| self.0.authenticate(client, credentials))
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn AuthExchange>>, Fault> {
        caught(|| self.0.auth_begin(client, method, reauth))
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Result<Decision, Fault> {
        caught(|| self.0.authorize(client, action))
    }

    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Result<Option<String>, Fault> {
        caught(|| self.0.explain(client, action))
    }

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<PublishVerdict, Fault> {
        caught(|| self.0.on_publish(origin, client, message))
    }

    fn on_subscribe(
        &self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault> {
        caught(|| self.0.on_subscribe(client, subscription))
    }

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Result<Option<String>, Fault> {
        caught(|| self.0.on_unsubscribe(client, filter))
    }

    fn cohort(&self, client: &dyn Client) -> Result<Option<String>, Fault> {
        caught(|| self.0.cohort(client))
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        caught(|| self.0.on_deliver(cohort, message))
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        caught(|| self.0.on_events(events, lost))
    }

    fn on_timer(&self, name: &str) -> Result<(), Fault> {
        caught(|| self.0.on_timer(name))
    }
}
