use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use pintle_mqtt::TopicName;
use pintle_plugin_api::{
    Disconnect, Host, HostError, HttpError, HttpRequest, HttpResponse, LogLevel, Metric,
    NewMessage, Subscription,
};

use super::case_file::World;
use crate::made_message::made;
use crate::spec::Grants;
use crate::topic_set::TopicSet;

/// A broker that does nothing but take note, with a clock that stands still.
///
/// Grants hold as in a broker.
pub(super) struct CaseHost {
    grants: Grants,
    publish: TopicSet,
    retained_grant: TopicSet,
    world: World,
    seen: Mutex<Seen>,
}

/// What a plugin has done up to now, and the time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Messages, with the one client that each is for.
    pub(super) emitted: Vec<(Option<String>, NewMessage)>,
    pub(super) disconnected: Vec<String>,
    pub(super) timers: BTreeSet<String>,
    pub(super) log: Vec<String>,
    /// What was asked for and not granted, or makes no sense.
    pub(super) refused: Vec<String>,
    kv: BTreeMap<String, Kept>,
    attributes: BTreeMap<(u64, String), Vec<u8>>,
    elapsed: Duration,
    random: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    value: Vec<u8>,
    until: Option<Duration>,
}

const LINES_MAX: usize = 1000;
const MESSAGE_BYTES_MAX: usize = 16 << 20;

impl Seen {
    pub(super) fn kv_text(&self, key: &str) -> Option<String> {
        let kept = self.kv.get(key).filter(|kept| kept.is_there(self.elapsed))?;
        Some(String::from_utf8_lossy(&kept.value).into_owned())
    }

    fn kv_bytes(&self) -> usize {
        self.kv.iter().map(|(key, kept)| key.len() + kept.value.len()).sum()
    }
}

impl Kept {
    fn is_there(&self, elapsed: Duration) -> bool {
        self.until.is_none_or(|until| elapsed < until)
    }
}

impl CaseHost {
    /// # Errors
    /// The Topic Filter of a grant that is none.
    pub(super) fn new(grants: &Grants, world: &World) -> Result<Self, String> {
        let set = |filters: &[String]| {
            TopicSet::new(filters).map_err(|(filter, why)| format!("`{filter}`: {why}"))
        };
        let kv = world.kv.iter().map(|(key, value)| {
            (key.clone(), Kept { value: value.clone().into_bytes(), until: None })
        });
        let seen = Seen { kv: kv.collect(), random: 1, ..Seen::default() };
        Ok(Self {
            publish: set(&grants.publish)?,
            retained_grant: set(&grants.retained)?,
            grants: grants.clone(),
            world: world.clone(),
            seen: Mutex::new(seen),
        })
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Forgets what was done, and keeps what is kept.
    pub(super) fn forget(&self) {
        let mut seen = self.seen.lock();
        seen.emitted.clear();
        seen.disconnected.clear();
        seen.log.clear();
        seen.refused.clear();
    }

    pub(super) fn wait(&self, span: Duration) {
        self.seen.lock().elapsed += span;
    }

    /// Notes a message that a hook returned; a broker drops it where this refuses it.
    pub(super) fn emit(&self, to: Option<String>, message: NewMessage) -> Result<(), HostError> {
        let result = self.check(&message);
        let mut seen = self.seen.lock();
        match &result {
            Ok(()) => seen.emitted.push((to, message)),
            Err(error) => seen.refused.push(format!("emits to {:?}: {error}", message.topic)),
        }
        result
    }

    fn check(&self, message: &NewMessage) -> Result<(), HostError> {
        let topic = TopicName::new(&message.topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !self.publish.matches(topic) {
            return Err(HostError::NotGranted(format!("publish = [{:?}]", message.topic)));
        }
        let frame = made(message, MESSAGE_BYTES_MAX);
        frame.map(drop).map_err(|fault| HostError::Invalid(fault.to_string()))
    }

    fn kv<T>(&self, key: &str, work: impl FnOnce(&mut Seen) -> T) -> Result<T, HostError> {
        if self.grants.kv.is_none() {
            return Err(HostError::NotGranted("kv = \"1MiB\"".to_owned()));
        }
        if key.is_empty() || key.len() > 256 {
            return Err(HostError::Invalid("a key has 1 to 256 bytes".to_owned()));
        }
        let mut seen = self.seen.lock();
        let elapsed = seen.elapsed;
        seen.kv.retain(|_, kept| kept.is_there(elapsed));
        Ok(work(&mut seen))
    }

    fn keep(&self, seen: &mut Seen, key: &str, kept: Kept) -> Result<(), HostError> {
        let before = seen.kv.get(key).map_or(0, |kept| key.len() + kept.value.len());
        let after = seen.kv_bytes() - before + key.len() + kept.value.len();
        if self.grants.kv.is_some_and(|grant| after > grant.bytes_max) {
            return Err(HostError::Quota("grants.kv"));
        }
        seen.kv.insert(key.to_owned(), kept);
        Ok(())
    }

    fn flag(granted: bool, grant: &str) -> Result<(), HostError> {
        if granted { Ok(()) } else { Err(HostError::NotGranted(format!("{grant} = true"))) }
    }
}

impl Host for CaseHost {
    fn log(&self, level: LogLevel, message: &str) {
        let mut seen = self.seen.lock();
        if seen.log.len() < LINES_MAX {
            seen.log.push(format!("{} {message}", word(level)));
        }
    }

    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        self.emit(None, message)
    }

    fn publish_to(&self, client_id: &str, message: NewMessage) -> Result<(), HostError> {
        self.emit(Some(client_id.to_owned()), message)
    }

    fn disconnect(&self, whom: Disconnect, _reason_code: u8) -> Result<(), HostError> {
        Self::flag(self.grants.disconnect, "disconnect")?;
        let (Disconnect::Client(name) | Disconnect::Principal(name)) = whom;
        self.seen.lock().disconnected.push(name);
        Ok(())
    }

    fn invalidate(&self) {}

    fn set_timer(
        &self,
        name: &str,
        _delay: Duration,
        _every: Option<Duration>,
    ) -> Result<(), HostError> {
        let mut seen = self.seen.lock();
        if seen.timers.len() >= 64 && !seen.timers.contains(name) {
            return Err(HostError::Quota("timers_max"));
        }
        seen.timers.insert(name.to_owned());
        Ok(())
    }

    fn cancel_timer(&self, name: &str) -> bool {
        self.seen.lock().timers.remove(name)
    }

    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        Self::flag(self.grants.stats, "stats")?;
        Ok(vec![("clients/connected".to_owned(), 1), ("uptime".to_owned(), 60)])
    }

    fn now_ms(&self) -> u64 {
        let elapsed = self.seen.lock().elapsed.as_millis();
        self.world.now_ms.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// The same numbers in each run.
    fn random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        let mut seen = self.seen.lock();
        for byte in bytes {
            seen.random = seen.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = seen.random.to_be_bytes()[0];
        }
        Ok(())
    }

    fn subscribe_for(&self, _client_id: &str, _asked: Subscription) -> Result<(), HostError> {
        Self::flag(self.grants.subscribe, "subscribe")
    }

    fn unsubscribe_for(&self, _client_id: &str, _filter: &str) -> Result<(), HostError> {
        Self::flag(self.grants.subscribe, "subscribe")
    }

    fn retained(&self, topic: &str) -> Result<Option<Vec<u8>>, HostError> {
        let name = TopicName::new(topic)
            .map_err(|violation| HostError::Invalid(violation.what.to_owned()))?;
        if !self.retained_grant.matches(name) {
            return Err(HostError::NotGranted(format!("retained = [{topic:?}]")));
        }
        Ok(self.world.retained.get(topic).map(|text| text.clone().into_bytes()))
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.kv(key, |seen| seen.kv.get(key).map(|kept| kept.value.clone()))
    }

    fn kv_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), HostError> {
        self.kv(key, |seen| {
            let until = ttl.map(|ttl| seen.elapsed + ttl);
            self.keep(seen, key, Kept { value: value.to_vec(), until })
        })?
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        self.kv(key, |seen| seen.kv.remove(key).is_some())
    }

    fn kv_increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, HostError> {
        self.kv(key, |seen| {
            let no_number = || HostError::Invalid(format!("{key:?} holds no number"));
            let known = seen.kv.get(key);
            let until = match known {
                Some(kept) => kept.until,
                None => ttl.map(|ttl| seen.elapsed + ttl),
            };
            let before: i64 = match known {
                Some(kept) => {
                    let text = std::str::from_utf8(&kept.value).map_err(|_| no_number())?;
                    text.parse().map_err(|_| no_number())?
                }
                None => 0,
            };
            let after = before.checked_add(by).ok_or_else(no_number)?;
            let value = after.to_string().into_bytes();
            self.keep(seen, key, Kept { value, until })?;
            Ok(after)
        })?
    }

    fn kv_compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, HostError> {
        self.kv(key, |seen| {
            let known = seen.kv.get(key);
            if known.map(|kept| kept.value.as_slice()) != expected {
                return Ok(false);
            }
            match value {
                Some(value) => {
                    let until = known.and_then(|kept| kept.until);
                    self.keep(seen, key, Kept { value: value.to_vec(), until })?;
                }
                None => {
                    seen.kv.remove(key);
                }
            }
            Ok(true)
        })?
    }

    fn kv_list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, HostError> {
        self.kv("-", |seen| {
            let keys = seen.kv.keys().filter(|key| key.starts_with(prefix));
            let keys = keys.filter(|key| after.is_none_or(|after| key.as_str() > after));
            keys.take(limit.min(1000)).cloned().collect()
        })
    }

    fn attribute(&self, session_key: u64, name: &str) -> Option<Vec<u8>> {
        self.seen.lock().attributes.get(&(session_key, name.to_owned())).cloned()
    }

    fn set_attribute(
        &self,
        session_key: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        let mut seen = self.seen.lock();
        let key = (session_key, name.to_owned());
        match value {
            Some(value) if name.len() + value.len() > 4096 => {
                return Err(HostError::Quota("attributes_bytes_max"));
            }
            Some(value) => seen.attributes.insert(key, value.to_vec()),
            None => seen.attributes.remove(&key),
        };
        Ok(())
    }

    fn secret(&self, name: &str) -> Result<Vec<u8>, HostError> {
        let of_case = self.world.secrets.get(name).map(|text| text.clone().into_bytes());
        let secret = of_case.or_else(|| self.grants.secrets.get(name).cloned());
        secret.ok_or_else(|| HostError::NotGranted(format!("secrets.{name}")))
    }

    fn metric(
        &self,
        _name: &str,
        _labels: &[(&str, &str)],
        _value: Metric,
    ) -> Result<(), HostError> {
        Ok(())
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let (method, url) = (&request.method, &request.url);
        if !self.grants.http.iter().any(|begin| url.starts_with(begin)) {
            return Err(HttpError::NotGranted(format!("http = [{url:?}]")));
        }
        let stub = self.world.http.iter().find(|stub| {
            let is_method = |wanted: &String| method.eq_ignore_ascii_case(wanted);
            stub.url == *url && stub.method.as_ref().is_none_or(is_method)
        });
        let Some(stub) = stub else {
            return Err(HttpError::Failed(format!(
                "the case has no answer for {method} {url}; add http = [{{ url = {url:?}, \
                 status = 200, body = \"…\" }}]"
            )));
        };
        let json = stub.json.as_ref().map(ToString::to_string);
        let body = stub.body.clone().or(json).unwrap_or_default().into_bytes();
        let headers = stub.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        Ok(HttpResponse { status: stub.status, headers, body })
    }
}

const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
