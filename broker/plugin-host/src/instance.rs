#[cfg(feature = "wasm")]
use std::path::PathBuf;
use std::sync::Arc;

use pintle_plugin_api::{
    Action, Answer, AuthExchange, AuthStep, AuthVerdict, Client, Credentials, Decision,
    DeliverVerdict, EventKinds, Hooks, Host, Message, Origin, Plugin, PublishVerdict, Settings,
    SettingsError, Space, StampedEvent, StoreEntry, StoreError, StoreOp, SubscribeVerdict,
    Subscription,
};
use tokio::sync::oneshot;

use crate::code::{Script, ScriptLimits};
use crate::fault::{ErrorKind, Fault, caught};
use crate::spec::Budgets;

/// What an instance says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Abilities {
    /// What it calls itself.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) hooks: Hooks,
    pub(crate) events: EventKinds,
    pub(crate) auth_methods: Vec<String>,
}

/// What a generation of a plugin knows and the next is told.
pub(crate) type CarriedState = Arc<[u8]>;

/// The most bytes of it.
const STATE_BYTES_MAX: usize = 1024 * 1024;

/// # Errors
/// If it is too long.
pub(crate) fn carried(state: Option<Vec<u8>>) -> Result<Option<CarriedState>, Fault> {
    let Some(state) = state else { return Ok(None) };
    if state.len() > STATE_BYTES_MAX {
        let length = state.len();
        let what = format!("a state of {length} bytes, and {STATE_BYTES_MAX} may be carried over");
        return Err(Fault::new(ErrorKind::Bound, what));
    }
    Ok(Some(state.into()))
}

/// What a script is put on stage with.
pub(crate) struct Stage {
    /// The plugin's name in the configuration.
    pub(crate) name: Arc<str>,
    pub(crate) script: Script,
    pub(crate) settings: Settings,
    pub(crate) budgets: Budgets,
    pub(crate) limits: ScriptLimits,
    /// Whether `authenticate` is handed passwords.
    pub(crate) with_password: bool,
    /// What the generation before said.
    pub(crate) state: Option<CarriedState>,
    /// Below it compiled code is kept, if it is known.
    #[cfg(feature = "wasm")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What it may ask for. Checks grants itself; refuses what cannot be done while the plugin is
    /// still on stage.
    pub(crate) host: Arc<dyn Host>,
}

/// An answer now or later.
pub(crate) enum Reply<T> {
    /// Known at once.
    Now(T),
    /// Work for the blocking threads, a few at once.
    Blocking(Box<dyn FnOnce() -> T + Send>),
    /// Comes from a thread of the plugin's own.
    Coming(oneshot::Receiver<Result<T, Fault>>),
}

/// An exchange of enhanced authentication. Its steps are run off the workers.
pub(crate) trait Exchange: Send {
    /// The client's next Authentication Data.
    fn step(&mut self, data: Option<&[u8]>) -> Result<AuthStep, Fault>;
}

/// What a store says, which is no fault of its plugin.
pub(crate) type StoreAnswer<T = ()> = Result<T, StoreError>;

fn no_store<T>() -> Result<T, Fault> {
    Err(Fault::invalid("it has no store"))
}

/// What stands in a slot: it answers the hooks, or fails in a way that can be counted.
///
/// Order, policy, breaker and figures are the same for every kind of instance; they are kept
/// outside, in the slot.
pub(crate) trait Instance: Send + Sync {
    fn about(&self) -> &Abilities;

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError>;
    /// The broker is about to serve. A script has had its host since it was put on stage.
    fn start(&self, host: Arc<dyn Host>) -> Result<(), Fault>;

    /// What the next generation is to know. Not to be called on a worker.
    fn export_state(&self) -> Result<Option<CarriedState>, Fault>;

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Reply<AuthVerdict>, Fault>;

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn Exchange>>, Fault>;

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

    /// An operator's command. The inner error is the plugin's answer, not a fault.
    fn on_command(
        &self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault>;

    fn store_open(&self) -> Result<StoreAnswer, Fault> {
        no_store()
    }

    fn store_apply(&self, ops: &Arc<[StoreOp]>) -> Result<StoreAnswer, Fault> {
        let _ = ops;
        no_store()
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        let _ = (space, prefix, after, limit);
        no_store()
    }

    fn store_flush(&self) -> Result<StoreAnswer, Fault> {
        no_store()
    }

    fn store_close(&self) -> Result<StoreAnswer, Fault> {
        no_store()
    }

    fn on_commit(&self, commit: u64, ops: &Arc<[StoreOp]>, lost: u64) -> Result<(), Fault> {
        let _ = (commit, ops, lost);
        Err(Fault::invalid("it has no on_commit"))
    }

    /// Makes what is kept between calls afresh, before a call that tries whether it works again.
    fn renew(&self) {}
}

/// A plugin linked into the broker. It has no deadline: a call is as long as it takes.
pub(crate) struct Native {
    plugin: Arc<dyn Plugin>,
    about: Abilities,
}

impl Native {
    /// # Errors
    /// If it panics when asked what it is.
    pub(crate) fn new(plugin: Arc<dyn Plugin>) -> Result<Self, Fault> {
        let about = caught(|| plugin.about())?;
        let about = Abilities {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            hooks: about.hooks,
            events: about.events,
            auth_methods: about.auth_methods.iter().map(|&method| method.to_owned()).collect(),
        };
        Ok(Self { plugin, about })
    }
}

struct NativeExchange(Box<dyn AuthExchange>);

impl Exchange for NativeExchange {
    fn step(&mut self, data: Option<&[u8]>) -> Result<AuthStep, Fault> {
        caught(|| self.0.step(data))
    }
}

impl Native {
    pub(crate) fn import_state(&self, state: &[u8]) -> Result<(), SettingsError> {
        caught(|| self.plugin.import_state(state))
            .unwrap_or_else(|fault| Err(SettingsError::new(fault.to_string())))
    }
}

impl Instance for Native {
    fn about(&self) -> &Abilities {
        &self.about
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        caught(|| self.plugin.configure(settings))
            .unwrap_or_else(|fault| Err(SettingsError::new(fault.to_string())))
    }

    fn start(&self, host: Arc<dyn Host>) -> Result<(), Fault> {
        caught(|| self.plugin.start(host))
    }

    fn export_state(&self) -> Result<Option<CarriedState>, Fault> {
        if !self.about.hooks.contains(Hooks::STATE) {
            return Ok(None);
        }
        carried(caught(|| self.plugin.export_state())?)
    }

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Reply<AuthVerdict>, Fault> {
        Ok(match caught(|| self.plugin.authenticate(client, credentials))? {
            Answer::Now(verdict) => Reply::Now(verdict),
            Answer::Blocking(work) => Reply::Blocking(work),
        })
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn Exchange>>, Fault> {
        let begun = caught(|| self.plugin.auth_begin(client, method, reauth))?;
        Ok(begun.map(|exchange| Box::new(NativeExchange(exchange)) as Box<dyn Exchange>))
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Result<Decision, Fault> {
        caught(|| self.plugin.authorize(client, action))
    }

    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Result<Option<String>, Fault> {
        caught(|| self.plugin.explain(client, action))
    }

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<PublishVerdict, Fault> {
        caught(|| self.plugin.on_publish(origin, client, message))
    }

    fn on_subscribe(
        &self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault> {
        caught(|| self.plugin.on_subscribe(client, subscription))
    }

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Result<Option<String>, Fault> {
        caught(|| self.plugin.on_unsubscribe(client, filter))
    }

    fn cohort(&self, client: &dyn Client) -> Result<Option<String>, Fault> {
        caught(|| self.plugin.cohort(client))
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        caught(|| self.plugin.on_deliver(cohort, message))
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        caught(|| self.plugin.on_events(events, lost))
    }

    fn on_timer(&self, name: &str) -> Result<(), Fault> {
        caught(|| self.plugin.on_timer(name))
    }
    fn on_command(
        &self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault> {
        caught(|| self.plugin.on_command(principal, command, args))
    }

    fn store_open(&self) -> Result<StoreAnswer, Fault> {
        caught(|| self.plugin.store_open())
    }

    fn store_apply(&self, ops: &Arc<[StoreOp]>) -> Result<StoreAnswer, Fault> {
        caught(|| self.plugin.store_apply(ops))
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        caught(|| self.plugin.store_scan(space, prefix, after, limit))
    }

    fn store_flush(&self) -> Result<StoreAnswer, Fault> {
        caught(|| self.plugin.store_flush())
    }

    fn store_close(&self) -> Result<StoreAnswer, Fault> {
        caught(|| self.plugin.store_close())
    }

    fn on_commit(&self, commit: u64, ops: &Arc<[StoreOp]>, lost: u64) -> Result<(), Fault> {
        caught(|| self.plugin.on_commit(commit, ops, lost))
    }
}
