use std::fmt;
use std::time::Duration;

use crate::NewMessage;

/// How loud a log line of a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Whom [`Host::disconnect`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// The client with this Client Identifier.
    Client(String),
    /// All clients whose principal is this.
    Principal(String),
}

/// Why a host function did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The configuration does not grant it; holds the grant that is missing.
    NotGranted(String),
    /// A bound is reached; holds its name.
    Quota(&'static str),
    /// What was asked makes no sense; holds the reason.
    Invalid(String),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(grant) => write!(f, "not granted: {grant}"),
            Self::Quota(bound) => write!(f, "the bound {bound} is reached"),
            Self::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for HostError {}

/// What the broker does for a plugin. Handed over at [`crate::Plugin::start`]; may be kept and used
/// from any thread. No call waits for the network.
pub trait Host: Send + Sync {
    /// Writes to the broker's log, with the plugin's name as its target.
    fn log(&self, level: LogLevel, message: &str);

    /// Queues a message. It is authorised as the plugin, by its `publish` grant, and passes the
    /// hooks below this plugin.
    ///
    /// # Errors
    /// `NotGranted` if no granted filter matches the topic, `Invalid` for a bad topic, `Quota` if
    /// too many wait.
    fn publish(&self, message: NewMessage) -> Result<(), HostError>;

    /// Ends the connection of these clients with a Reason Code (v5) or by closing.
    ///
    /// # Errors
    /// `NotGranted` without the `disconnect` grant, `Invalid` for a code that DISCONNECT can not
    /// carry.
    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError>;

    /// Forgets every decision of this plugin that is cached, and every cohort it named.
    fn invalidate(&self);

    /// Calls [`crate::Plugin::on_timer`] with `name` after `delay`, then every `every`.
    /// A timer of the same name is replaced.
    ///
    /// # Errors
    /// `Quota` beyond 64 timers a plugin.
    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError>;

    /// Forgets a timer; false if there was none.
    fn cancel_timer(&self, name: &str) -> bool;

    /// The broker's counters by their `$SYS` name, without the prefix `$SYS/broker/`.
    ///
    /// # Errors
    /// `NotGranted` without the `stats` grant.
    fn stats(&self) -> Result<Vec<(String, u64)>, HostError>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}
