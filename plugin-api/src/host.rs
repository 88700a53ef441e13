use std::fmt;
use std::time::Duration;

use crate::{NewMessage, Subscription};

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

/// What to ask a server by HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The whole address; one of the prefixes of the `http` grant must cover it.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// How long to wait for everything together; at most what is left of the hook's budget.
    pub timeout: Option<Duration>,
}

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body; at most 1 MiB.
    pub body: Vec<u8>,
}

/// Why there is no answer from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The configuration does not grant the address, or the hook may not wait; holds the reason.
    NotGranted(String),
    /// No answer in time.
    Timeout,
    /// The answer is longer than 1 MiB.
    TooLarge,
    /// Anything else: no such host, refused, a certificate that does not hold.
    Failed(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(why) => write!(f, "not granted: {why}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

/// A figure that a plugin keeps; see [`Host::metric`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Adds to a counter.
    Count(u64),
    /// Sets a gauge.
    Gauge(f64),
    /// Puts a value into a histogram.
    Observe(f64),
}

const NOT_OFFERED: &str = "this host does not offer it";

fn not_offered() -> HostError {
    HostError::Invalid(NOT_OFFERED.to_owned())
}

/// What the broker does for a plugin. Handed over at [`crate::Plugin::start`]; may be kept and used
/// from any thread. Only [`Host::http`] waits for anything.
///
/// What a host need not offer has an answer already: that it does not.
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

    /// Nanoseconds since some moment; never runs backwards.
    fn monotonic_ns(&self) -> u64 {
        self.now_ms() * 1_000_000
    }

    /// Fills `bytes` with random ones, fit for keys.
    ///
    /// # Errors
    /// If the system has none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        let _ = bytes;
        Err(not_offered())
    }

    /// Queues a message for one client, whatever it subscribed to; authorised as the plugin, by its
    /// `publish` grant.
    ///
    /// # Errors
    /// As [`Host::publish`], and `Invalid` if there is no such session.
    fn publish_to(&self, client_id: &str, message: NewMessage) -> Result<(), HostError> {
        let _ = (client_id, message);
        Err(not_offered())
    }

    /// Subscribes in a client's place; authorised as that client.
    ///
    /// # Errors
    /// `NotGranted` without the `subscribe` grant, `Invalid` for a bad filter or if there is no such
    /// session.
    fn subscribe_for(&self, client_id: &str, subscription: Subscription) -> Result<(), HostError> {
        let _ = (client_id, subscription);
        Err(not_offered())
    }

    /// Unsubscribes in a client's place.
    ///
    /// # Errors
    /// As [`Host::subscribe_for`].
    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), HostError> {
        let _ = (client_id, filter);
        Err(not_offered())
    }

    /// The payload of the retained message of a topic.
    ///
    /// # Errors
    /// `NotGranted` if no filter of the `retained` grant covers the topic.
    fn retained(&self, topic: &str) -> Result<Option<Vec<u8>>, HostError> {
        let _ = topic;
        Err(not_offered())
    }

    /// A value that all instances of this plugin share.
    ///
    /// # Errors
    /// `NotGranted` without the `kv` grant; `Invalid` for a key that is empty or over 256 KiB.
    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        let _ = key;
        Err(not_offered())
    }

    /// Sets a value; with `ttl` it is gone after that time.
    ///
    /// # Errors
    /// As [`Host::kv_get`], and `Quota` if the `kv` grant's bytes would be exceeded.
    fn kv_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), HostError> {
        let _ = (key, value, ttl);
        Err(not_offered())
    }

    /// Deletes a value; false if there was none.
    ///
    /// # Errors
    /// As [`Host::kv_get`].
    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        let _ = key;
        Err(not_offered())
    }

    /// Adds `by` to a counter and returns what it then is. One that is not there is 0; `ttl` counts
    /// from when it was made. Counters are kept as decimal text.
    ///
    /// # Errors
    /// As [`Host::kv_set`], and `Invalid` if the value is no number or would overflow.
    fn kv_increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, HostError> {
        let _ = (key, by, ttl);
        Err(not_offered())
    }

    /// Sets (`value` is `None`: deletes) a value if it is `expected` (`None`: not there); whether it
    /// was.
    ///
    /// # Errors
    /// As [`Host::kv_set`].
    fn kv_compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, HostError> {
        let _ = (key, expected, value);
        Err(not_offered())
    }

    /// Keys with a prefix in order, after `after`, `limit` of them at most (1000 at most).
    ///
    /// # Errors
    /// As [`Host::kv_get`].
    fn kv_list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, HostError> {
        let _ = (prefix, after, limit);
        Err(not_offered())
    }

    /// What this plugin keeps with a session: 4 KiB at most, gone with the session.
    fn attribute(&self, session_key: u64, name: &str) -> Option<Vec<u8>> {
        let _ = (session_key, name);
        None
    }

    /// Keeps something with a session, or forgets it.
    ///
    /// # Errors
    /// `Quota` beyond 4 KiB for a session, or 100,000 sessions.
    fn set_attribute(
        &self,
        session_key: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        let _ = (session_key, name, value);
        Err(not_offered())
    }

    /// A secret of the plugin's `secrets` table.
    ///
    /// # Errors
    /// `NotGranted` if there is none of this name.
    fn secret(&self, name: &str) -> Result<Vec<u8>, HostError> {
        let _ = name;
        Err(not_offered())
    }

    /// Keeps a figure, shown with the broker's own as `pintle_plugin_<name>{plugin="…",…}`.
    ///
    /// # Errors
    /// `Invalid` for a bad name, `Quota` beyond 100 figures with their labels.
    fn metric(&self, name: &str, labels: &[(&str, &str)], value: Metric) -> Result<(), HostError> {
        let _ = (name, labels, value);
        Err(not_offered())
    }

    /// Asks a server by HTTP and waits for its answer. Only in hooks that may wait: `authenticate`,
    /// `auth_begin`, events, timers, commands.
    ///
    /// # Errors
    /// Why there is no answer.
    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let _ = request;
        Err(HttpError::NotGranted(NOT_OFFERED.to_owned()))
    }
}
