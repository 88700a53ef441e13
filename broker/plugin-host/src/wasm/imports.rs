//! The host functions. Each counts against the bound on calls; what they may do, the host behind
//! them checks.

use std::time::Duration;

use pintle_plugin_api::{Disconnect, HttpRequest, LogLevel, Metric};
use wasmtime::Result;

use super::bindings::pintle::plugin::{
    answer, attributes, auth_types, broker, client, clock, config, http, kv, log, message, metrics,
    random, stats, storage_types, timer, types,
};
use super::convert::{host_error, http_error, protocol, transport};
use super::from_guest::{self, new_message, subscription};
use super::store_data::StoreData;
use super::subject::{of_client, of_message};
use crate::guests::RANDOM_BYTES_MAX;
use crate::log_rate::LEFT_OUT;
use crate::ticker::ticks;

type Answer<T> = Result<std::result::Result<T, types::HostError>>;

impl types::Host for StoreData {}
impl auth_types::Host for StoreData {}
impl storage_types::Host for StoreData {}

impl client::Host for StoreData {
    fn id(&mut self) -> Result<String> {
        self.count()?;
        Ok(of_client(String::new(), |client| client.client_id().to_owned()))
    }

    fn username(&mut self) -> Result<Option<String>> {
        self.count()?;
        Ok(of_client(None, |client| client.username().map(str::to_owned)))
    }

    fn principal(&mut self) -> Result<Option<String>> {
        self.count()?;
        Ok(of_client(None, |client| client.principal().map(str::to_owned)))
    }

    fn protocol(&mut self) -> Result<types::Protocol> {
        self.count()?;
        Ok(of_client(types::Protocol::Mqtt5, |client| protocol(client.protocol())))
    }

    fn transport(&mut self) -> Result<types::Transport> {
        self.count()?;
        Ok(of_client(types::Transport::Internal, |client| transport(client.transport())))
    }

    fn listener(&mut self) -> Result<String> {
        self.count()?;
        Ok(of_client(String::new(), |client| client.listener().to_owned()))
    }

    fn remote_addr(&mut self) -> Result<Option<String>> {
        self.count()?;
        Ok(of_client(None, |client| client.remote_addr().map(|address| address.to_string())))
    }

    fn session_key(&mut self) -> Result<u64> {
        self.count()?;
        Ok(of_client(0, |client| client.session_key()))
    }
}

impl answer::Host for StoreData {
    fn rewrite(&mut self, patch: types::MessagePatch) -> Result<()> {
        self.count()?;
        self.answer.rewrite(from_guest::patch(patch));
        Ok(())
    }

    fn refuse(&mut self, failure: types::Failure) -> Result<()> {
        self.count()?;
        self.answer.refuse(from_guest::failure(failure));
        Ok(())
    }

    fn hint(&mut self, hint: types::CacheHint) -> Result<()> {
        self.count()?;
        self.answer.hint(from_guest::cache_hint(hint));
        Ok(())
    }

    fn emit(&mut self, message: types::NewMessage) -> Result<()> {
        self.count()?;
        self.count_message(&message)?;
        self.answer.emit(from_guest::new_message(message));
        Ok(())
    }
}

impl attributes::Host for StoreData {
    fn get(&mut self, session_key: u64, name: String) -> Result<Option<Vec<u8>>> {
        self.count()?;
        Ok(self.program.host.attribute(session_key, &name))
    }

    fn set(&mut self, session_key: u64, name: String, value: Option<Vec<u8>>) -> Answer<()> {
        self.count()?;
        let set = self.program.host.set_attribute(session_key, &name, value.as_deref());
        Ok(set.map_err(host_error))
    }
}

impl message::Host for StoreData {
    fn payload_len(&mut self) -> Result<u32> {
        self.count()?;
        Ok(of_message(0, |message| u32::try_from(message.payload.len()).unwrap_or(u32::MAX)))
    }

    fn payload(&mut self) -> Result<Vec<u8>> {
        self.count()?;
        Ok(of_message(Vec::new(), |message| message.payload.to_vec()))
    }

    fn payload_slice(&mut self, offset: u32, len: u32) -> Result<Vec<u8>> {
        self.count()?;
        Ok(of_message(Vec::new(), |message| {
            let rest = message.payload.get(offset as usize..).unwrap_or_default();
            rest.get(..len as usize).unwrap_or(rest).to_vec()
        }))
    }

    fn properties(&mut self) -> Result<message::PropertySet> {
        self.count()?;
        let none = message::PropertySet {
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        Ok(of_message(none, |message| message::PropertySet {
            content_type: message.content_type.map(str::to_owned),
            response_topic: message.response_topic.map(str::to_owned),
            correlation_data: message.correlation_data.map(<[u8]>::to_vec),
            user_properties: message
                .user_properties
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }))
    }
}

impl log::Host for StoreData {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        self.count()?;
        let Some(left_out) = self.program.log_rate.admit(ticks()) else { return Ok(()) };
        if left_out > 0 {
            let what = format!("{left_out} {LEFT_OUT}");
            self.program.host.log(LogLevel::Warn, &what);
        }
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        let end = message.floor_char_boundary(self.program.limits.log_line_bytes_max);
        self.program.host.log(level, message.get(..end).unwrap_or_default());
        Ok(())
    }
}

impl config::Host for StoreData {
    fn get(&mut self) -> Result<String> {
        self.count()?;
        Ok(match &self.program.settings.config {
            serde_json::Value::Null => "{}".to_owned(),
            config => config.to_string(),
        })
    }

    fn file(&mut self, key: String) -> Result<Option<config::FileContent>> {
        self.count()?;
        Ok(self.program.settings.files.get(&key).map(|file| config::FileContent {
            path: file.path.display().to_string(),
            bytes: file.bytes.clone(),
        }))
    }

    fn secret(&mut self, name: String) -> Answer<Vec<u8>> {
        self.count()?;
        Ok(self.program.host.secret(&name).map_err(host_error))
    }
}

impl kv::Host for StoreData {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.count()?;
        Ok(self.program.host.kv_get(&key).map_err(host_error))
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Answer<()> {
        self.count()?;
        let ttl = ttl_ms.map(Duration::from_millis);
        Ok(self.program.host.kv_set(&key, &value, ttl).map_err(host_error))
    }

    fn delete(&mut self, key: String) -> Answer<bool> {
        self.count()?;
        Ok(self.program.host.kv_delete(&key).map_err(host_error))
    }

    fn increment(&mut self, key: String, by: i64, ttl_ms: Option<u64>) -> Answer<i64> {
        self.count()?;
        let ttl = ttl_ms.map(Duration::from_millis);
        Ok(self.program.host.kv_increment(&key, by, ttl).map_err(host_error))
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Answer<bool> {
        self.count()?;
        let host = &self.program.host;
        let set = host.kv_compare_and_set(&key, expected.as_deref(), value.as_deref());
        Ok(set.map_err(host_error))
    }

    fn list(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<Vec<String>> {
        self.count()?;
        let limit = limit as usize;
        Ok(self.program.host.kv_list(&prefix, after.as_deref(), limit).map_err(host_error))
    }
}

impl broker::Host for StoreData {
    fn publish(&mut self, message: types::NewMessage) -> Answer<()> {
        self.count()?;
        self.count_message(&message)?;
        Ok(self.program.host.publish(new_message(message)).map_err(host_error))
    }

    fn publish_to(&mut self, client_id: String, message: types::NewMessage) -> Answer<()> {
        self.count()?;
        self.count_message(&message)?;
        let sent = self.program.host.publish_to(&client_id, new_message(message));
        Ok(sent.map_err(host_error))
    }

    fn disconnect(&mut self, whom: broker::Whom, code: u8) -> Answer<()> {
        self.count()?;
        let whom = match whom {
            broker::Whom::Client(client_id) => Disconnect::Client(client_id),
            broker::Whom::Principal(principal) => Disconnect::Principal(principal),
        };
        Ok(self.program.host.disconnect(whom, code).map_err(host_error))
    }

    fn subscribe_for(&mut self, client_id: String, made: types::SubscriptionResult) -> Answer<()> {
        self.count()?;
        let done = self.program.host.subscribe_for(&client_id, subscription(made));
        Ok(done.map_err(host_error))
    }

    fn unsubscribe_for(&mut self, client_id: String, filter: String) -> Answer<()> {
        self.count()?;
        Ok(self.program.host.unsubscribe_for(&client_id, &filter).map_err(host_error))
    }

    fn retained(&mut self, topic: String) -> Answer<Option<Vec<u8>>> {
        self.count()?;
        Ok(self.program.host.retained(&topic).map_err(host_error))
    }

    fn invalidate(&mut self) -> Result<()> {
        self.count()?;
        self.program.host.invalidate();
        Ok(())
    }
}

impl stats::Host for StoreData {
    fn snapshot(&mut self) -> Answer<Vec<(String, u64)>> {
        self.count()?;
        Ok(self.program.host.stats().map_err(host_error))
    }
}

impl timer::Host for StoreData {
    fn set(&mut self, name: String, delay_ms: u64, every_ms: Option<u64>) -> Answer<()> {
        self.count()?;
        let (delay, every) = (Duration::from_millis(delay_ms), every_ms.map(Duration::from_millis));
        Ok(self.program.host.set_timer(&name, delay, every).map_err(host_error))
    }

    fn cancel(&mut self, name: String) -> Result<bool> {
        self.count()?;
        Ok(self.program.host.cancel_timer(&name))
    }
}

impl StoreData {
    fn metric(&mut self, name: &str, labels: &[(String, String)], value: Metric) -> Answer<()> {
        self.count()?;
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Ok(self.program.host.metric(name, &labels, value).map_err(host_error))
    }
}

impl metrics::Host for StoreData {
    fn count(&mut self, name: String, labels: Vec<(String, String)>, by: u64) -> Answer<()> {
        self.metric(&name, &labels, Metric::Count(by))
    }

    fn gauge(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Answer<()> {
        self.metric(&name, &labels, Metric::Gauge(value))
    }

    fn observe(&mut self, name: String, labels: Vec<(String, String)>, value: f64) -> Answer<()> {
        self.metric(&name, &labels, Metric::Observe(value))
    }
}

impl clock::Host for StoreData {
    fn now_ms(&mut self) -> Result<u64> {
        StoreData::count(self)?;
        Ok(self.program.host.now_ms())
    }

    fn monotonic_ns(&mut self) -> Result<u64> {
        StoreData::count(self)?;
        Ok(self.program.host.monotonic_ns())
    }
}

impl random::Host for StoreData {
    fn bytes(&mut self, len: u32) -> Answer<Vec<u8>> {
        StoreData::count(self)?;
        let len = len as usize;
        if len > RANDOM_BYTES_MAX {
            let what = format!("at most {RANDOM_BYTES_MAX} random bytes at once");
            return Ok(Err(types::HostError::Invalid(what)));
        }
        let mut bytes = vec![0; len];
        Ok(self.program.host.random(&mut bytes).map(|()| bytes).map_err(host_error))
    }
}

impl http::Host for StoreData {
    fn fetch(
        &mut self,
        request: http::Request,
    ) -> Result<std::result::Result<http::Response, http::HttpError>> {
        StoreData::count(self)?;
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout_ms.map(|ms| Duration::from_millis(ms.into())),
        };
        Ok(match self.program.host.http(&request) {
            Ok(answer) => Ok(http::Response {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            }),
            Err(error) => Err(http_error(error)),
        })
    }
}
