//! What scripts ask of their host, with a host that takes note.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pintle_plugin_api::{
    Client, ClientDescription, Credentials, Disconnect, Host, HostError, HttpError, HttpRequest,
    HttpResponse, LogLevel, Metric, NewMessage, QoS, Settings, Subscription,
};

use super::stage;
use crate::code::{Script, ScriptLimits};
use crate::fault::{ErrorKind, Fault};
use crate::instance::{Instance, Reply, Stage};
use crate::spec::Budgets;

/// Does nothing but note what it is asked; or refuses it all.
#[derive(Default)]
struct Notebook {
    asked: Mutex<Vec<String>>,
    refuses: bool,
    seen: AtomicU64,
}

impl Notebook {
    fn note<T>(&self, what: String, answer: T) -> Result<T, HostError> {
        self.asked.lock().push(what);
        if self.refuses { Err(HostError::NotGranted("all of it".to_owned())) } else { Ok(answer) }
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "nil".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

impl Host for Notebook {
    fn log(&self, level: LogLevel, message: &str) {
        self.asked.lock().push(format!("{level:?} {message}"));
    }

    fn publish(&self, message: NewMessage) -> Result<(), HostError> {
        let NewMessage { topic, payload, qos, retain, .. } = message;
        self.note(format!("publish {topic} {} {qos:?} {retain}", text(Some(&payload))), ())
    }

    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError> {
        self.note(format!("disconnect {whom:?} {reason_code:#04x}"), ())
    }

    fn invalidate(&self) {
        self.asked.lock().push("invalidate".to_owned());
    }

    fn set_timer(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        self.note(format!("timer {name} {delay:?} {every:?}"), ())
    }

    fn cancel_timer(&self, name: &str) -> bool {
        self.asked.lock().push(format!("cancel {name}"));
        true
    }

    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        self.note("stats".to_owned(), vec![("clients/connected".to_owned(), 3)])
    }

    fn now_ms(&self) -> u64 {
        1_790_000_000_123
    }

    fn monotonic_ns(&self) -> u64 {
        42 + self.seen.fetch_add(1, Ordering::Relaxed)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        bytes.fill(b'r');
        self.note(format!("random {}", bytes.len()), ())
    }

    fn publish_to(&self, client_id: &str, message: NewMessage) -> Result<(), HostError> {
        self.note(format!("publish_to {client_id} {}", message.topic), ())
    }

    fn subscribe_for(&self, client_id: &str, subscription: Subscription) -> Result<(), HostError> {
        let Subscription { filter, qos, no_local, .. } = subscription;
        self.note(format!("subscribe_for {client_id} {filter} {qos:?} {no_local}"), ())
    }

    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), HostError> {
        self.note(format!("unsubscribe_for {client_id} {filter}"), ())
    }

    fn retained(&self, topic: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.note(format!("retained {topic}"), Some(b"kept".to_vec()))
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.note(format!("get {key}"), (key != "none").then(|| b"value".to_vec()))
    }

    fn kv_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), HostError> {
        self.note(format!("set {key} {} {ttl:?}", text(Some(value))), ())
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        self.note(format!("delete {key}"), true)
    }

    fn kv_increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, HostError> {
        self.note(format!("incr {key} {by} {ttl:?}"), 7)
    }

    fn kv_compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, HostError> {
        self.note(format!("cas {key} {} {}", text(expected), text(value)), false)
    }

    fn kv_list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, HostError> {
        self.note(format!("list {prefix} {after:?} {limit}"), vec!["a".to_owned(), "b".to_owned()])
    }

    fn attribute(&self, session_key: u64, name: &str) -> Option<Vec<u8>> {
        self.asked.lock().push(format!("attr {session_key} {name}"));
        Some(b"noted".to_vec())
    }

    fn set_attribute(
        &self,
        session_key: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        self.note(format!("set attr {session_key} {name} {}", text(value)), ())
    }

    fn secret(&self, name: &str) -> Result<Vec<u8>, HostError> {
        self.note(format!("secret {name}"), b"hush".to_vec())
    }

    fn metric(&self, name: &str, labels: &[(&str, &str)], value: Metric) -> Result<(), HostError> {
        self.note(format!("metric {name} {labels:?} {value:?}"), ())
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let HttpRequest { method, url, headers, body, timeout } = request;
        let body = text(Some(body));
        self.asked.lock().push(format!("{method} {url} {headers:?} {body} {timeout:?}"));
        if self.refuses {
            return Err(HttpError::Timeout);
        }
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        Ok(HttpResponse { status: 201, headers, body: b"made".to_vec() })
    }
}

fn staged(host: &Arc<Notebook>, source: &str) -> Result<Box<dyn Instance>, Fault> {
    stage(on_stage(host, source))
}

fn on_stage(host: &Arc<Notebook>, source: &str) -> Stage {
    Stage {
        name: Arc::from("p"),
        script: Script::new("p.lua", source.as_bytes()),
        settings: Settings::default(),
        budgets: Budgets { deliver: Duration::from_millis(100), ..Budgets::default() },
        limits: ScriptLimits {
            log_line_bytes_max: 16,
            log_lines_max: 100,
            ..ScriptLimits::default()
        },
        with_password: true,
        state: None,
        #[cfg(feature = "wasm")]
        data_dir: None,
        host: Arc::clone(host) as _,
    }
}

/// What the plugin answers when it is told to return `expression`, and what that made it ask for.
fn asks(host: Notebook, expression: &str) -> (Result<String, Fault>, Vec<String>) {
    let host = Arc::new(host);
    let source = format!("return {{ on_command = function()\n return {expression} end }}");
    let answer = staged(&host, &source).unwrap().on_command(None, "ask", "{}");
    let asked = std::mem::take(&mut *host.asked.lock());
    (
        answer.map(|answer| answer.unwrap_or_else(|complaint| format!("complaint: {complaint}"))),
        asked,
    )
}

#[track_caller]
fn assert_asks(expression: &str, expected_answer: &str, expected_asked: &str) {
    let (answer, asked) = asks(Notebook::default(), expression);
    assert_eq!(answer.unwrap(), expected_answer, "{expression}");
    assert_eq!(asked.join("; "), expected_asked, "{expression}");
}

#[test]
fn kv_reaches_the_host() {
    assert_asks("broker.kv.get('k')", "\"value\"", "get k");
    assert_asks("broker.kv.get('none')", "null", "get none");
    assert_asks("broker.kv.set('k', 'v')", "null", "set k v None");
    assert_asks("broker.kv.set('k', 'v', 1.5)", "null", "set k v Some(1.5s)");
    assert_asks("broker.kv.delete('k')", "true", "delete k");
    assert_asks("broker.kv.incr('k')", "7", "incr k 1 None");
    assert_asks("broker.kv.incr('k', -2, 60)", "7", "incr k -2 Some(60s)");
    assert_asks("broker.kv.cas('k', nil, 'v')", "false", "cas k nil v");
    assert_asks("broker.kv.cas('k', 'v')", "false", "cas k v nil");
    assert_asks("broker.kv.list('p')", "[\"a\",\"b\"]", "list p None 100");
    assert_asks("broker.kv.list('p', 2, 'a')", "[\"a\",\"b\"]", "list p Some(\"a\") 2");
}

#[test]
fn messages_reach_the_host() {
    let publish = "broker.publish({ topic = 'a', payload = 'x', qos = 1, retain = true })";
    assert_asks(publish, "null", "publish a x AtLeastOnce true");
    assert_asks("broker.publish_to('c', { topic = 'a' })", "null", "publish_to c a");
    assert_asks("broker.retained('a')", "\"kept\"", "retained a");
}

#[test]
fn what_is_asked_about_clients_reaches_the_host() {
    let end = "broker.disconnect({ client = 'c' })";
    assert_asks(end, "null", "disconnect Client(\"c\") 0x98");
    let end = "broker.disconnect({ principal = 'p' }, 0x8E)";
    assert_asks(end, "null", "disconnect Principal(\"p\") 0x8e");
    let subscribe = "broker.subscribe_for('c', { filter = 'a/#', qos = 2, no_local = true })";
    assert_asks(subscribe, "null", "subscribe_for c a/# ExactlyOnce true");
    assert_asks("broker.unsubscribe_for('c', 'a/#')", "null", "unsubscribe_for c a/#");
    assert_asks("broker.invalidate()", "null", "invalidate");
}

#[test]
fn timers_figures_secrets_and_the_clock_reach_the_host() {
    assert_asks("broker.after(2, 't')", "null", "timer t 2s None");
    assert_asks("broker.every(0.5, 't')", "null", "timer t 500ms Some(500ms)");
    assert_asks("broker.cancel('t')", "true", "cancel t");
    assert_asks("broker.metric.count('m')", "null", "metric m [] Count(1)");
    let labelled = "broker.metric.count('m', 2, { room = 'hall' })";
    assert_asks(labelled, "null", "metric m [(\"room\", \"hall\")] Count(2)");
    assert_asks("broker.metric.gauge('m', 1.5)", "null", "metric m [] Gauge(1.5)");
    assert_asks("broker.metric.observe('m', 3)", "null", "metric m [] Observe(3.0)");
    assert_asks("broker.secret('s')", "\"hush\"", "secret s");
    assert_asks("broker.stats()", "{\"clients/connected\":3}", "stats");
    assert_asks("broker.random(3)", "\"rrr\"", "random 3");
    assert_asks("broker.time.now_ms()", "1790000000123", "");
    assert_asks("broker.time.monotonic_ns()", "42", "");
}

#[test]
fn http_answers_with_a_response_or_why_there_is_none() {
    let request = "broker.http({ url = 'http://h/', method = 'POST', body = 'b', timeout = 2,
        headers = { a = 'b' } })";
    let asked = "POST http://h/ [(\"a\", \"b\")] b Some(2s)";
    let response = r#"{"body":"made","headers":{"content-type":"text/plain"},"status":201}"#;
    assert_asks(request, response, asked);
    let refusing = Notebook { refuses: true, ..Notebook::default() };
    let (answer, asked) = asks(refusing, "broker.http({ url = 'http://h/' })");
    assert_eq!(answer.unwrap(), "complaint: no answer in time");
    assert_eq!(asked, ["GET http://h/ []  None"]);
}

#[test]
fn what_the_host_refuses_is_an_error_with_its_place_in_the_script() {
    for expression in [
        "broker.kv.get('k')",
        "broker.publish({ topic = 'a' })",
        "broker.secret('s')",
        "broker.after(1, 't')",
        "broker.metric.count('m')",
        "broker.random(1)",
    ] {
        let refusing = Notebook { refuses: true, ..Notebook::default() };
        let fault = asks(refusing, expression).0.unwrap_err();
        assert_eq!(fault.kind, ErrorKind::Trap, "{expression}");
        assert_eq!(fault.to_string(), "p.lua:2: not granted: all of it", "{expression}");
    }
}

#[test]
fn an_argument_that_makes_no_sense_is_an_error_with_its_place_in_the_script() {
    for (expression, what) in [
        ("broker.publish({ payload = 'x' })", "a message needs a topic"),
        ("broker.publish({ topic = 'a', qos = 3 })", "qos is 3: it should be 0, 1 or 2"),
        ("broker.after(-1, 't')", "-1 is no number of seconds"),
        ("broker.disconnect({})", "say { client = \"id\" } or { principal = \"name\" }"),
        ("broker.random(1e6)", "at most 65536 random bytes at once"),
        ("broker.http({})", "broker.http needs a url"),
        ("broker.emit({ topic = 'a' })", "broker.emit works in on_publish only"),
        ("broker.topic_matches('a/#/b', 'a')", "a/#/b: "),
        ("crypto.jwt_verify('x', { secret = 's' })", "name the algorithms"),
        (
            "crypto.jwt_verify('x', { secret = 's', algorithms = { 'RS256' } })",
            "`secret` goes with HS256",
        ),
    ] {
        let (answer, asked) = asks(Notebook::default(), expression);
        let fault = answer.unwrap_err().to_string();
        assert!(fault.starts_with("p.lua:2: ") && fault.contains(what), "{expression}: {fault}");
        assert!(asked.is_empty(), "{expression}: {asked:?}");
    }
}

#[test]
fn log_lines_are_cut_and_have_a_level() {
    let long = "broker.log.warn('0123456789abcdefgh')";
    assert_asks(long, "null", "Warn 0123456789abcdef");
    assert_asks("broker.log.error('\\255')", "null", "Error \u{fffd}");
    for (function, level) in [("trace", "Trace"), ("debug", "Debug"), ("info", "Info")] {
        assert_asks(&format!("broker.log.{function}('x')"), "null", &format!("{level} x"));
    }
}

#[test]
fn a_flood_of_log_lines_does_not_reach_the_log() {
    let flood = "(function() for i = 1, 5000 do broker.log.info(string.rep('x', 65536)) end end)()";
    let (answer, asked) = asks(Notebook::default(), flood);
    answer.unwrap();
    assert!((100..1000).contains(&asked.len()), "{}", asked.len());
    assert!(asked.iter().all(|line| line.len() < 100));
}

#[test]
fn attributes_belong_to_the_session_of_the_client_in_hand() {
    let host = Arc::new(Notebook::default());
    let source = "return { cohort = function(client)
            local before = broker.attr.get(client, 'n')
            broker.attr.set(client, 'n', 'new')
            broker.attr.set(client, 'n')
            return before
        end, on_deliver = function() end }";
    let plugin = staged(&host, source).unwrap();
    let client = ClientDescription { session_key: 9, ..ClientDescription::new("c", None) };
    assert_eq!(plugin.cohort(&client).unwrap().as_deref(), Some("noted"));
    assert_eq!(*host.asked.lock(), ["attr 9 n", "set attr 9 n new", "set attr 9 n nil"]);
}

#[test]
fn a_client_that_comes_back_as_another_is_seen_as_that() {
    let host = Arc::new(Notebook::default());
    let source =
        "return { cohort = function(client) return client.id .. ' ' .. client.username end,
        on_deliver = function() end }";
    let plugin = staged(&host, source).unwrap();
    let seen = |name| plugin.cohort(&ClientDescription::new("c", Some(name))).unwrap().unwrap();
    assert_eq!([seen("ann"), seen("ann"), seen("bob")], ["c ann", "c ann", "c bob"]);
}

#[test]
fn more_clients_than_are_remembered_are_still_told_apart() {
    let host = Arc::new(Notebook::default());
    let source = "return { cohort = function(client) return client.id end,
        on_deliver = function() end }";
    let plugin = staged(&host, source).unwrap();
    for round in 0..2 {
        for key in 0..3000 {
            let id = format!("c{key}");
            let mut client = ClientDescription::new(&id, None);
            client.session_key = key;
            assert_eq!(
                plugin.cohort(&client).unwrap().as_deref(),
                Some(client.client_id()),
                "{round}"
            );
        }
    }
}

/// What the plugin says when asked beside the workers who `ann` is.
fn authenticates(plugin: &dyn Instance) -> Result<String, Fault> {
    let client = ClientDescription::new("c", Some("ann"));
    let credentials = Credentials { username: Some("ann".to_owned()), ..Credentials::default() };
    match plugin.authenticate(&client, &credentials)? {
        Reply::Coming(answer) => answer.blocking_recv().unwrap().map(|it| format!("{it:?}")),
        Reply::Now(_) | Reply::Blocking(_) => panic!("it was asked on the worker"),
    }
}

#[test]
fn lists_of_an_answer_are_bounded() {
    let host = Arc::new(Notebook::default());
    for (body, what) in [
        (
            "local r = {} for i = 1, 20000 do r[i] = { filter = 'a' } end return { rules = r }",
            "20000 rules",
        ),
        ("return { rules = { { filter = string.rep('a', 5000) } } }", "filter is too long"),
        (
            "local u, x = {}, string.rep('x', 60000) for i = 1, 9 do u[i] = { 'a', x } end
                return { user_properties = u }",
            "longer than 65536 bytes together",
        ),
    ] {
        let source = format!("return {{ authenticate = function() {body} end }}");
        let plugin = staged(&host, &source).unwrap();
        let fault = authenticates(&*plugin).unwrap_err().to_string();
        assert!(fault.contains(what), "{fault}");
    }
}

#[test]
fn an_ordinary_error_keeps_the_instance_and_what_it_knows_and_a_late_answer_does_not() {
    let host = Arc::new(Notebook::default());
    let source = "local calls = 0
        return { cohort = function(client)
            calls += 1
            if client.id == 'error' then error('no') end
            while client.id == 'late' do end
            return tostring(calls)
        end, on_deliver = function() end }";
    let plugin = staged(&host, source).unwrap();
    let call = |id: &str| plugin.cohort(&ClientDescription::new(id, None));
    assert_eq!(call("a").unwrap().as_deref(), Some("1"));
    assert_eq!(call("error").unwrap_err().kind, ErrorKind::Trap);
    assert_eq!(call("a").unwrap().as_deref(), Some("3"));
    assert_eq!(call("late").unwrap_err().kind, ErrorKind::Late);
    assert_eq!(call("a").unwrap().as_deref(), Some("1"));
    plugin.renew();
    assert_eq!(call("a").unwrap().as_deref(), Some("1"));
}

#[test]
fn qualities_of_service_are_numbers() {
    for (number, qos) in [(0, QoS::AtMostOnce), (1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
        let publish = format!("broker.publish({{ topic = 'a', qos = {number} }})");
        assert_asks(&publish, "null", &format!("publish a  {qos:?} false"));
    }
}

#[test]
fn settings_can_not_be_written_to_at_any_depth() {
    let host = Arc::new(Notebook::default());
    let source = "return { cohort = function() broker.config.a.b[1] = 2 end,
        on_deliver = function() end }";
    let config = serde_json::json!({ "a": { "b": [1] } });
    let settings = Settings { config, ..Settings::default() };
    let plugin = stage(Stage { settings, ..on_stage(&host, source) }).unwrap();
    let fault = plugin.cohort(&ClientDescription::new("c", None)).unwrap_err().to_string();
    assert!(fault.contains("readonly"), "{fault}");
}

#[test]
fn a_script_that_hangs_when_it_is_made_once_more_is_late_long_before_the_bound_on_loading() {
    let host = Arc::new(Notebook::default());
    let source = "if broker.time.monotonic_ns() > 42 then while true do end end
        return { cohort = function() return 'x' end, on_deliver = function() end }";
    let mut on_stage = on_stage(&host, source);
    on_stage.limits.load = Duration::from_secs(100_000);
    let plugin = stage(on_stage).unwrap();
    let fault = plugin.cohort(&ClientDescription::new("c", None)).unwrap_err();
    assert_eq!(fault.kind, ErrorKind::Late);
}
