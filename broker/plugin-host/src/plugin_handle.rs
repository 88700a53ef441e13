use std::sync::{Arc, Weak};
use std::time::Duration;

use pintle_mqtt::{ReasonCode, TopicName};
use pintle_plugin_api::{Disconnect, Hooks, Host, HostError, LogLevel, NewMessage};
use pintle_ports::{Broker, HookPath, PluginId, Whom};
use tracing::{debug, error, info, trace, warn};

use crate::core::Core;
use crate::errands::Errand;
use crate::events::now_ms;
use crate::made_message::made;
use crate::refusal_code::Carrier;
use crate::slot::{Slot, is_in_hook};

/// The broker as one plugin may use it.
pub(crate) struct PluginHandle {
    /// Weak, since the table holds the plugin and the plugin this.
    pub(crate) core: Weak<Core>,
    pub(crate) plugin: PluginId,
    pub(crate) name: Arc<str>,
}

impl PluginHandle {
    fn core(&self) -> Result<Arc<Core>, HostError> {
        self.core.upgrade().ok_or_else(no_broker)
    }

    fn slot(&self) -> Result<(Arc<Core>, Arc<Slot>), HostError> {
        let core = self.core()?;
        let slot = core.slot(self.plugin).map(Arc::clone);
        Ok((core, slot.ok_or_else(no_broker)?))
    }
}

fn no_broker() -> HostError {
    HostError::Invalid("the broker is not running".to_owned())
}

impl Core {
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
        let plugin = &*self.name;
        match level {
            LogLevel::Trace => trace!(target: "plugin", plugin, "{message}"),
            LogLevel::Debug => debug!(target: "plugin", plugin, "{message}"),
            LogLevel::Info => info!(target: "plugin", plugin, "{message}"),
            LogLevel::Warn => warn!(target: "plugin", plugin, "{message}"),
            LogLevel::Error => error!(target: "plugin", plugin, "{message}"),
        }
    }

    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        let (core, slot) = self.slot()?;
        TopicName::new(&message.topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !slot.may_publish(&message.topic) {
            let missing = format!("publish = [\"{}\"]", message.topic);
            return Err(HostError::NotGranted(missing));
        }
        let frame = made(&message, core.message_bytes_max)
            .map_err(|fault| HostError::Invalid(fault.to_string()))?;
        let path = HookPath::Plugin { plugin: self.plugin, hops: 1 };
        core.send_on(Errand::Publish(frame, path))
    }

    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError> {
        let (core, slot) = self.slot()?;
        if !slot.grants.disconnect {
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
        core.send_on(Errand::Disconnect(whom, reason))
    }

    fn invalidate(&self) {
        if let Ok((core, slot)) = self.slot() {
            slot.forget_decisions();
            core.raise_generation();
            let _ = core.send_on(Errand::Invalidate);
        }
    }

    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        let (_core, slot) = self.slot()?;
        if !slot.has(Hooks::TIMER) {
            let what = "the plugin does not name the hook for timers";
            return Err(HostError::Invalid(what.to_owned()));
        }
        slot.timers.set(name, delay, every)?;
        slot.work.notify_one();
        Ok(())
    }

    fn cancel_timer(&self, name: &str) -> bool {
        self.slot().is_ok_and(|(_core, slot)| slot.timers.cancel(name))
    }

    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        let (core, slot) = self.slot()?;
        if !slot.grants.stats {
            return Err(HostError::NotGranted("stats = true".to_owned()));
        }
        let stats = core.broker().ok_or_else(no_broker)?.stats();
        let owned = |(name, value): (&str, u64)| (name.to_owned(), value);
        Ok(stats.into_iter().map(owned).collect())
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }
}
