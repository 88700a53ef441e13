use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use pintle_mqtt::{ReasonCode, SubscriptionFilter, TopicName};
use pintle_plugin_api::{
    Disconnect, Host, HostError, HttpError, HttpRequest, HttpResponse, LogLevel, Metric,
    NewMessage, Subscription,
};
use pintle_ports::{Broker, HookPath, MessageFrame, Whom};
use tracing::{debug, error, info, trace, warn};

use crate::errands::Errand;
use crate::events::now_ms;
use crate::hops::{HOPS_MAX, TOO_MANY_HOPS, hops};
use crate::http_client;
use crate::log_gate::one_line;
use crate::made_message::made;
use crate::message_view::from_api;
use crate::on_subscribe::check_request;
use crate::plugin_state::PluginState;
use crate::refusal_code::Carrier;
use crate::shared::Shared;
use crate::slot::is_in_hook;

/// The broker as one plugin may use it.
pub(crate) struct PluginHandle {
    /// Weak, since the table holds the plugin and the plugin this.
    shared: Weak<Shared>,
    state: Arc<PluginState>,
}

impl PluginHandle {
    pub(crate) fn new(shared: &Arc<Shared>, state: &Arc<PluginState>) -> Self {
        Self { shared: Arc::downgrade(shared), state: Arc::clone(state) }
    }

    fn shared(&self) -> Result<Arc<Shared>, HostError> {
        self.shared.upgrade().ok_or_else(no_broker)
    }
}

fn no_broker() -> HostError {
    HostError::Invalid("the broker is not running".to_owned())
}

impl Shared {
    /// Does `errand` now, or a little later if the engine is the caller.
    fn send_on(&self, errand: Errand) -> Result<(), HostError> {
        let broker: Arc<dyn Broker> = self.broker().ok_or_else(no_broker)?;
        let hops = hops().saturating_add(1);
        if is_in_hook() {
            return self.errands.add(errand, hops);
        }
        errand.run(&*broker, hops)
    }
}

impl Host for PluginHandle {
    fn log(&self, level: LogLevel, message: &str) {
        let plugin = &*self.state.name;
        let Some(lost) = self.state.log.admit(now_ms()) else {
            return;
        };
        if lost > 0 {
            warn!(target: "plugin", plugin, lost, "Lines of the plugin were left out: too many.");
        }
        let message = one_line(message);
        match level {
            LogLevel::Trace => trace!(target: "plugin", plugin, "{message}"),
            LogLevel::Debug => debug!(target: "plugin", plugin, "{message}"),
            LogLevel::Info => info!(target: "plugin", plugin, "{message}"),
            LogLevel::Warn => warn!(target: "plugin", plugin, "{message}"),
            LogLevel::Error => error!(target: "plugin", plugin, "{message}"),
        }
    }

    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        let shared = self.shared()?;
        let frame = self.granted(&shared, &message)?;
        let hops = self.one_more_hop(&shared, &message.topic)?;
        let path = HookPath::Plugin { plugin: self.state.id, hops };
        shared.send_on(Errand::Publish(frame, path))
    }

    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError> {
        let shared = self.shared()?;
        if !self.state.grants.disconnect {
            return Err(HostError::NotGranted("disconnect = true".to_owned()));
        }
        let reason = match reason_code {
            0 => Some(ReasonCode::Success),
            code => Carrier::Disconnect.refusal(code),
        };
        let Some(reason) = reason else {
            let what = format!("DISCONNECT can not carry Reason Code 0x{reason_code:02x}");
            return Err(HostError::Invalid(what));
        };
        let whom = match whom {
            Disconnect::Client(id) => Whom::Client(id.into()),
            Disconnect::Principal(name) => Whom::Principal(name.into()),
        };
        shared.send_on(Errand::Disconnect(whom, reason))
    }

    fn invalidate(&self) {
        if let Ok(shared) = self.shared() {
            self.state.forget_decisions();
            shared.raise_generation();
            let _ = shared.send_on(Errand::Invalidate);
        }
    }

    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        if !self.state.may_have_timers() {
            let what = "the plugin does not name the hook for timers";
            return Err(HostError::Invalid(what.to_owned()));
        }
        self.state.timers.set(name, delay, every)?;
        self.state.work.notify_one();
        Ok(())
    }

    fn cancel_timer(&self, name: &str) -> bool {
        self.state.timers.cancel(name)
    }

    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        let shared = self.shared()?;
        if !self.state.grants.stats {
            return Err(HostError::NotGranted("stats = true".to_owned()));
        }
        let stats = shared.broker().ok_or_else(no_broker)?.stats();
        let owned = |(name, value): (&str, u64)| (name.to_owned(), value);
        Ok(stats.into_iter().map(owned).collect())
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        let failed = |error: getrandom::Error| HostError::Invalid(error.to_string());
        getrandom::fill(bytes).map_err(failed)
    }

    fn publish_to(&self, client_id: &str, message: NewMessage) -> Result<(), HostError> {
        let shared = self.shared()?;
        let frame = self.granted(&shared, &message)?;
        self.one_more_hop(&shared, &message.topic)?;
        shared.send_on(Errand::PublishTo(client_id.to_owned(), frame))
    }

    fn subscribe_for(&self, client_id: &str, subscription: Subscription) -> Result<(), HostError> {
        let shared = self.shared()?;
        self.may_subscribe()?;
        let wanted = from_api(subscription);
        check_request(&wanted).map_err(|fault| HostError::Invalid(fault.to_string()))?;
        self.one_more_hop(&shared, &wanted.filter)?;
        shared.send_on(Errand::SubscribeFor(client_id.to_owned(), wanted))
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), HostError> {
        let shared = self.shared()?;
        self.may_subscribe()?;
        SubscriptionFilter::new(filter)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        self.one_more_hop(&shared, filter)?;
        shared.send_on(Errand::UnsubscribeFor(client_id.to_owned(), filter.to_owned()))
    }

    fn retained(&self, topic: &str) -> Result<Option<Vec<u8>>, HostError> {
        let name = TopicName::new(topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !self.state.retained_grant.matches(name) {
            return Err(HostError::NotGranted(format!("retained = [\"{topic}\"]")));
        }
        Ok(self.shared()?.broker().ok_or_else(no_broker)?.retained(topic))
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.kv_bytes_max()?;
        self.state.kept.kv.get(key)
    }

    fn kv_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), HostError> {
        self.state.kept.kv.set(key, value, ttl, self.kv_bytes_max()?)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        self.kv_bytes_max()?;
        self.state.kept.kv.delete(key)
    }

    fn kv_increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, HostError> {
        self.state.kept.kv.increment(key, by, ttl, self.kv_bytes_max()?)
    }

    fn kv_compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, HostError> {
        self.state.kept.kv.compare_and_set(key, expected, value, self.kv_bytes_max()?)
    }

    fn kv_list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, HostError> {
        self.kv_bytes_max()?;
        Ok(self.state.kept.kv.list(prefix, after, limit))
    }

    fn attribute(&self, session_key: u64, name: &str) -> Option<Vec<u8>> {
        self.state.kept.attributes.get(session_key, name)
    }

    fn set_attribute(
        &self,
        session_key: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        self.state.kept.attributes.set(session_key, name, value)
    }

    fn secret(&self, name: &str) -> Result<Vec<u8>, HostError> {
        let secret = self.state.grants.secrets.get(name).cloned();
        secret.ok_or_else(|| HostError::NotGranted(format!("secrets = {{ {name} = … }}")))
    }

    fn metric(&self, name: &str, labels: &[(&str, &str)], value: Metric) -> Result<(), HostError> {
        self.state.kept.metrics.keep(name, labels, value)
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        if is_in_hook() {
            let what = "this hook keeps a worker and must not wait".to_owned();
            return Err(HttpError::NotGranted(what));
        }
        http_client::fetch(request, &self.state.grants.http)
    }
}

impl PluginHandle {
    /// The message, if it is one and the plugin may publish it.
    fn granted(&self, shared: &Shared, message: &NewMessage) -> Result<MessageFrame, HostError> {
        TopicName::new(&message.topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !self.state.may_publish(&message.topic) {
            let missing = format!("publish = [\"{}\"]", message.topic);
            return Err(HostError::NotGranted(missing));
        }
        made(message, shared.message_bytes_max)
            .map_err(|fault| HostError::Invalid(fault.to_string()))
    }

    /// Through how many plugins what it asks for has come, this one included.
    ///
    /// # Errors
    /// If these are too many: plugins that answer each other come to an end.
    fn one_more_hop(&self, shared: &Shared, topic: &str) -> Result<u8, HostError> {
        let hops = hops().saturating_add(1);
        if hops > HOPS_MAX {
            self.state.refuse_message(topic, TOO_MANY_HOPS, shared.now());
            return Err(HostError::Invalid(TOO_MANY_HOPS.to_owned()));
        }
        Ok(hops)
    }

    fn may_subscribe(&self) -> Result<(), HostError> {
        if self.state.grants.subscribe {
            return Ok(());
        }
        Err(HostError::NotGranted("subscribe = true".to_owned()))
    }

    fn kv_bytes_max(&self) -> Result<usize, HostError> {
        let missing = || HostError::NotGranted("kv = \"1MiB\"".to_owned());
        Ok(self.state.grants.kv.ok_or_else(missing)?.bytes_max)
    }
}
