use std::time::Duration;

use super::bindings::pintle::plugin::{
    attributes, broker, clock, config, http, kv, log, metrics, random, stats, timer,
};
use crate::{
    Disconnect, Host, HostError, HttpError, HttpRequest, HttpResponse, LogLevel, Metric,
    NewMessage, Subscription,
};

/// The most that `random.bytes` gives at once.
const RANDOM_MAX: usize = 64 * 1024;

/// The broker, by the imports of the component.
pub(super) struct Broker;

impl Host for Broker {
    fn log(&self, level: LogLevel, message: &str) {
        let level = match level {
            LogLevel::Trace => log::Level::Trace,
            LogLevel::Debug => log::Level::Debug,
            LogLevel::Info => log::Level::Info,
            LogLevel::Warn => log::Level::Warn,
            LogLevel::Error => log::Level::Error,
        };
        log::write(level, message);
    }

    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        Ok(broker::publish(&message.into())?)
    }

    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError> {
        let whom = match whom {
            Disconnect::Client(id) => broker::Whom::Client(id),
            Disconnect::Principal(name) => broker::Whom::Principal(name),
        };
        Ok(broker::disconnect(&whom, reason_code)?)
    }

    fn invalidate(&self) {
        broker::invalidate();
    }

    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        Ok(timer::set(name, millis(delay), every.map(millis))?)
    }

    fn cancel_timer(&self, name: &str) -> bool {
        timer::cancel(name)
    }

    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        Ok(stats::snapshot()?)
    }

    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        clock::monotonic_ns()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        for part in bytes.chunks_mut(RANDOM_MAX) {
            let drawn = random::bytes(u32::try_from(part.len()).unwrap_or(u32::MAX))?;
            if drawn.len() != part.len() {
                return Err(HostError::Invalid("fewer random bytes than asked for".to_owned()));
            }
            part.copy_from_slice(&drawn);
        }
        Ok(())
    }

    fn publish_to(&self, client_id: &str, message: NewMessage) -> Result<(), HostError> {
        Ok(broker::publish_to(client_id, &message.into())?)
    }

    fn subscribe_for(&self, client_id: &str, subscription: Subscription) -> Result<(), HostError> {
        Ok(broker::subscribe_for(client_id, &subscription.into())?)
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), HostError> {
        Ok(broker::unsubscribe_for(client_id, filter)?)
    }

    fn retained(&self, topic: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(broker::retained(topic)?)
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(kv::get(key)?)
    }

    fn kv_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), HostError> {
        Ok(kv::set(key, value, ttl.map(millis))?)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        Ok(kv::delete(key)?)
    }

    fn kv_increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, HostError> {
        Ok(kv::increment(key, by, ttl.map(millis))?)
    }

    fn kv_compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, HostError> {
        Ok(kv::compare_and_set(key, expected, value)?)
    }

    fn kv_list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, HostError> {
        Ok(kv::list(prefix, after, u32::try_from(limit).unwrap_or(u32::MAX))?)
    }

    fn attribute(&self, session_key: u64, name: &str) -> Option<Vec<u8>> {
        attributes::get(session_key, name)
    }

    fn set_attribute(
        &self,
        session_key: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        Ok(attributes::set(session_key, name, value)?)
    }

    fn secret(&self, name: &str) -> Result<Vec<u8>, HostError> {
        Ok(config::secret(name)?)
    }

    fn metric(&self, name: &str, labels: &[(&str, &str)], value: Metric) -> Result<(), HostError> {
        let labels: Vec<(String, String)> =
            labels.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        match value {
            Metric::Count(by) => metrics::count(name, &labels, by)?,
            Metric::Gauge(value) => metrics::gauge(name, &labels, value)?,
            Metric::Observe(value) => metrics::observe(name, &labels, value)?,
        }
        Ok(())
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let timeout_ms =
            request.timeout.map(|timeout| u32::try_from(millis(timeout)).unwrap_or(u32::MAX));
        let response = http::fetch(&http::Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout_ms,
        })?;
        let http::Response { status, headers, body } = response;
        Ok(HttpResponse { status, headers, body })
    }
}

impl From<http::HttpError> for HttpError {
    fn from(error: http::HttpError) -> Self {
        match error {
            http::HttpError::NotGranted(why) => Self::NotGranted(why),
            http::HttpError::Timeout => Self::Timeout,
            http::HttpError::TooLarge => Self::TooLarge,
            http::HttpError::Failed(why) => Self::Failed(why),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
