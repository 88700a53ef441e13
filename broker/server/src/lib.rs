//! The binary `pintle`, and the broker as a library.
//!
//! ```no_run
//! use pintle_server::Broker;
//!
//! let broker = Broker::builder().listen("127.0.0.1:1883").start()?;
//! println!("listening on {:?}", broker.addresses());
//! broker.shutdown();
//! # Ok::<(), pintle_server::StartError>(())
//! ```
//!
//! [`Builder::plugin`] adds plugins written against `pintle-plugin-api`; `examples/embed` is a whole
//! program. [`config::Config::load`] reads what the binary reads.

mod admin;
mod bench;
mod broker;
mod builtin;
pub mod cli;
mod client;
pub mod config;
#[cfg(target_os = "linux")]
mod exact_timer;
pub mod net;
mod telemetry;
mod tls;

pub use admin::AdminError;
pub use broker::{Broker, Builder, Listening, ReloadError, Reloaded, Running, StartError};
pub use builtin::Builtin;
pub use pintle_plugin_host::{
    Budgets, Code, DeliverErrorPolicy, ErrorPolicy, Grants, HookOrder, PluginSpec,
    PublishErrorPolicy, Script, ScriptLimits, SubscribeErrorPolicy,
};
pub use telemetry::{Telemetry, TelemetryError, Verbosity};
pub use tls::{TlsError, TlsFiles};
