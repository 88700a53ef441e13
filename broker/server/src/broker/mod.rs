//! The broker put together: configuration, plugins, engine, workers and listeners.

mod chain_spec;
mod controls;
mod error;
mod file_watch;
mod kept_plugin;
mod listen;
mod plugin_admin;
mod plugins;
mod refusal;
mod reload;
mod running;
mod saved_plugin;
mod store_writer;

use std::io;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use pintle_engine::{Engine, Restored};
use pintle_plugin_api::Plugin;
use pintle_plugin_host::{ChainSpec, PluginHost, PluginSpec};
use pintle_ports::Broker as BrokerPort;
use tokio::runtime::{self, EnterGuard, Runtime};
use tokio::sync::Notify;
use tracing::{info, warn};

pub use error::StartError;
pub use listen::Listening;
pub use reload::{ReloadError, Reloaded};
pub use running::Running;

pub(crate) use chain_spec::{chain_spec, plugin_spec};
pub(crate) use controls::Controls;
pub(crate) use error::load_problem;
pub(crate) use file_watch::FileWatch;
pub(crate) use listen::plain_passwords;
pub(crate) use plugin_admin::Done;
pub(crate) use refusal::{Refusal, RefusalKind};

use crate::admin::AdminDoors;
use crate::config::{AdminConfig, Config, ListenerConfig, Protocol, Sources};
use crate::net::{Net, NetSettings};
use crate::telemetry::Telemetry;
use controls::Current;
use listen::start_listening;
use plugins::Plugins;
use store_writer::StoreWriter;

/// The way to a running broker: [`Broker::builder`].
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// A broker to be told what it should be.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// What a broker should be. Without a word it is what `pintle` is without a configuration.
#[derive(Default)]
pub struct Builder {
    config: Option<Config>,
    sources: Option<Sources>,
    binds: Vec<String>,
    plugins: Vec<PluginSpec>,
    telemetry: Option<Telemetry>,
}

impl Builder {
    /// Takes this configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Takes the configuration from here, and again with [`Running::reload`].
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = Some(sources);
        self
    }

    /// Listens for MQTT at this address, beside the listeners of a configuration and instead of
    /// those that are there without one. Port 0 lets the system choose.
    #[must_use]
    pub fn listen(mut self, bind: &str) -> Self {
        self.binds.push(bind.to_owned());
        self
    }

    /// Adds a plugin that wants all topics and no settings, grants or failure policies. It is asked
    /// before those of the configuration.
    #[must_use]
    pub fn plugin(self, name: &str, plugin: impl Plugin) -> Self {
        self.plugin_with(PluginSpec::new(name, Arc::new(plugin)))
    }

    /// Adds a plugin with everything that can be said of one.
    #[must_use]
    pub fn plugin_with(mut self, plugin: PluginSpec) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Lets a reload change the filter of this log too.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// Starts it. Its threads are its own, so it needs no runtime.
    ///
    /// # Errors
    /// If the configuration or a plugin has a fault, or an address is taken.
    pub fn start(mut self) -> Result<Running, StartError> {
        let config = self.take_config()?;
        let runtime = Background::new()?;
        let (host, plugins) = load_plugins(&config, &self.plugins, &runtime)?;
        config.check_anonymity(host.has_authenticator())?;
        let engine = Engine::new(config.limits.engine.clone(), host.hooks());
        let store = start_store(&engine, &host, &config)?;
        let net = Net::start(Arc::clone(&engine), net_settings(&config))?;
        report(&config, host.has_authenticator());
        host.connect_broker(Arc::clone(&engine) as Arc<dyn BrokerPort>);
        let listening = start_listening(&net, &config, host.has_authenticator())?;
        let doors = {
            let _inside = runtime.enter();
            AdminDoors::open(&config.admin)?
        };
        let background = host.run();
        let controls = Arc::new(Controls {
            engine,
            host,
            listening,
            sources: self.sources,
            telemetry: self.telemetry,
            current: Mutex::new(Current { config, plugins }),
            files_changed: Notify::new(),
        });
        let (admin, serve) = doors.serve(Arc::clone(&controls));
        let control =
            thread::Builder::new().name("pintle-control".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = background => {}
                        () = serve => {}
                    }
                });
            })?;
        if store.is_none() {
            info!("State is kept in memory and is lost at exit: no plugin is a store.");
        }
        Ok(Running { net: Some(net), store, controls, control: Some(control), admin })
    }

    fn take_config(&mut self) -> Result<Config, StartError> {
        let given = match (self.config.take(), &self.sources) {
            (Some(config), _) => Some(config),
            (None, Some(sources)) => Some(Config::load(sources)?),
            (None, None) => None,
        };
        let has_own = given.is_some();
        let mut config = match given {
            Some(config) => config,
            None => Config::load(&Sources::default())?,
        };
        if !has_own {
            // Nobody has named a folder that is this broker's alone.
            config.admin = AdminConfig::none();
            if !self.binds.is_empty() {
                config.listeners.clear();
            }
        }
        for bind in &self.binds {
            let address = bind.parse().map_err(|_| StartError::Bind(bind.clone()))?;
            let listener = ListenerConfig::new(address, Protocol::Mqtt, &config.limits);
            config.listeners.push(listener);
        }
        Ok(config)
    }
}

/// The runtime for what plugins do beside the workers.
struct Background(Option<Runtime>);

impl Background {
    fn new() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    fn block_on(self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for Background {
    /// Waits for nothing: a check of a password that is still at work has nobody to answer to any
    /// more, and whoever drops this may be a task itself.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Loads the plugins where the host finds the threads for checks that take long; returns beside it
/// those that can be read again.
fn load_plugins(
    config: &Config,
    own: &[PluginSpec],
    runtime: &Background,
) -> Result<(Arc<PluginHost>, Plugins), StartError> {
    let configured = plugins::wanted(config)?;
    let data_dir = Some(config.data_dir.clone());
    let spec = ChainSpec { data_dir, ..chain_spec(config, own)? };
    let _inside = runtime.enter();
    let host = PluginHost::load(spec).map_err(|error| load_problem(config, &error))?;
    Ok((Arc::new(host), Plugins { configured, ..Plugins::default() }))
}

/// Takes up what the plugin that is the store has, before anybody can connect.
fn start_store(
    engine: &Arc<Engine>,
    host: &PluginHost,
    config: &Config,
) -> Result<Option<StoreWriter>, StartError> {
    let Some(store) = host.store() else { return Ok(None) };
    let (writer, found) = StoreWriter::start(engine, store, config.limits.store_lag_max)?;
    let Restored { sessions, subscriptions, messages, retained, broken } = found;
    info!(sessions, subscriptions, messages, retained, broken, "The store is open.");
    Ok(Some(writer))
}

fn net_settings(config: &Config) -> NetSettings {
    NetSettings {
        workers: config.workers,
        connections_max: config.limits.connections_max as usize,
        handshake_timeout: config.limits.handshake_timeout,
    }
}

/// Tells what somebody should look at before anything is served.
fn report(config: &Config, has_authenticator: bool) {
    let version = env!("CARGO_PKG_VERSION");
    info!("Pintle {version} serves MQTT 3.1, 3.1.1 and 5.0 with {} worker(s).", config.workers);
    for warning in &config.warnings {
        warn!("{warning}");
    }
    for warning in plain_passwords(config, has_authenticator) {
        warn!("{warning}");
    }
}
