use std::sync::{Arc, Weak};
use std::time::Duration;

use pintle_mqtt::{ReasonCode, TopicName};
use pintle_plugin_api::{Disconnect, Host, HostError, LogLevel, NewMessage};
use pintle_ports::{Broker, HookPath, Whom};
use tracing::{debug, error, info, trace, warn};

use crate::errands::Errand;
use crate::events::now_ms;
use crate::made_message::made;
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
        if is_in_hook() {
            return self.errands.add(errand);
        }
        errand.run(&*broker);
        Ok(())
    }
}

impl Host for PluginHandle {
    fn log(&self, level: LogLevel, message: &str) {
        let plugin = &*self.state.name;
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
        TopicName::new(&message.topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !self.state.may_publish(&message.topic) {
            let missing = format!("publish = [\"{}\"]", message.topic);
            return Err(HostError::NotGranted(missing));
        }
        let frame = made(&message, shared.message_bytes_max)
            .map_err(|fault| HostError::Invalid(fault.to_string()))?;
        let path = HookPath::Plugin { plugin: self.state.id, hops: 1 };
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
}
