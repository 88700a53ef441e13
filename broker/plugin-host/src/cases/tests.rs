use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle_plugin_api::{
    About, Accepted, Action, Answer, AuthVerdict, CacheHint, Client, Credentials, Decision,
    DeliverVerdict, EventKind, EventKinds, Failure, Hooks, Host, Message, MessagePatch, NewMessage,
    Origin, Plugin, PublishOutcome, PublishVerdict, Settings, SettingsError, StampedEvent,
    SubscribeVerdict, Subscription,
};

use super::{CaseFile, CaseResult, WrittenFor, bench_cases, run_cases};
use crate::error::LoadError;
use crate::host::PluginHost;
use crate::spec::{ChainSpec, Grants, KvGrant, PluginSpec, PublishErrorPolicy};
use crate::{DeliverErrorPolicy, ErrorPolicy, SubscribeErrorPolicy};

/// Does a little of everything.
#[derive(Default)]
struct Probe {
    host: Mutex<Option<Arc<dyn Host>>>,
}

impl Probe {
    fn host(&self) -> Arc<dyn Host> {
        Arc::clone(self.host.lock().unwrap().as_ref().unwrap())
    }
}

impl Plugin for Probe {
    fn about(&self) -> About {
        let hooks = Hooks::AUTHENTICATE
            .and(Hooks::AUTHORIZE)
            .and(Hooks::PUBLISH)
            .and(Hooks::SUBSCRIBE)
            .and(Hooks::DELIVER)
            .and(Hooks::EVENTS)
            .and(Hooks::TIMER);
        let events = EventKinds::NONE.with(EventKind::Connected);
        About { events, ..About::new("probe", "1", hooks) }
    }

    fn start(&self, host: Arc<dyn Host>) {
        let _ = host.set_timer("tick", Duration::from_secs(1), None);
        *self.host.lock().unwrap() = Some(host);
    }

    fn authenticate(&self, client: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        Answer::Now(match credentials.password.as_deref() {
            Some(b"sesame") => AuthVerdict::Accept(Accepted {
                principal: client.username().map(|user| format!("{user}!")),
                ..Accepted::default()
            }),
            Some(_) => AuthVerdict::Reject(Failure::new(0x86, "wrong")),
            None => AuthVerdict::Next,
        })
    }

    fn authorize(&self, _: &dyn Client, action: &Action<'_>) -> Decision {
        match action {
            Action::Publish(message) if message.topic == "no" => {
                Decision::Deny(Failure::code(0x87), CacheHint::default())
            }
            _ => Decision::Allow(CacheHint::default()),
        }
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        match message.topic {
            "f" => {
                let outcome = PublishOutcome::Rewrite(MessagePatch {
                    topic: Some("c".to_owned()),
                    payload: Some(br#"{"c": 21.0, "unit": "C"}"#.to_vec()),
                    ..MessagePatch::default()
                });
                PublishVerdict { outcome, emit: vec![NewMessage::new("log/f", "seen").retained()] }
            }
            "bad" => PublishOutcome::Reject(Failure::code(0x99)).into(),
            "illegal" => PublishOutcome::Reject(Failure::code(0x8C)).into(),
            "elsewhere" => {
                let emit = vec![NewMessage::new("secret/x", "")];
                PublishVerdict { outcome: PublishOutcome::Pass, emit }
            }
            "counted" => match self.host().kv_increment("n", 1, Some(Duration::from_secs(10))) {
                Ok(n) if n <= 2 => PublishOutcome::Pass.into(),
                Ok(_) | Err(_) => PublishOutcome::Reject(Failure::code(0x97)).into(),
            },
            "panic" => panic!("no such thing"),
            _ => PublishOutcome::Pass.into(),
        }
    }

    fn on_subscribe(&self, _: &dyn Client, asked: &Subscription) -> SubscribeVerdict {
        let filter = format!("tenant/{}", asked.filter);
        SubscribeVerdict::Rewrite(Subscription { filter, ..asked.clone() })
    }

    fn cohort(&self, client: &dyn Client) -> Option<String> {
        (client.client_id() == "guest").then(|| "guests".to_owned())
    }

    fn on_deliver(&self, _: &str, _: &Message<'_>) -> DeliverVerdict {
        DeliverVerdict::Drop
    }

    fn on_events(&self, events: &[StampedEvent], _: u64) {
        let text = format!("{} event(s)", events.len());
        self.host().log(pintle_plugin_api::LogLevel::Info, &text);
    }

    fn on_timer(&self, name: &str) {
        let _ = self.host().publish(NewMessage::new("log/timer", name));
    }
}

fn probe() -> PluginSpec {
    let mut spec = PluginSpec::new("probe", Arc::new(Probe::default()));
    spec.on_error = ErrorPolicy {
        publish: Some(PublishErrorPolicy::Reject),
        subscribe: Some(SubscribeErrorPolicy::Reject),
        deliver: Some(DeliverErrorPolicy::Drop),
    };
    spec.grants = Grants {
        publish: vec!["log/#".to_owned()],
        kv: Some(KvGrant { bytes_max: 1024, persist: false }),
        ..Grants::default()
    };
    spec
}

fn file(text: &str) -> CaseFile {
    CaseFile::parse(Path::new("first.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn results(text: &str) -> Vec<CaseResult> {
    run_cases(&probe(), &[file(text)])
}

fn passes(text: &str) {
    let failed: Vec<String> =
        results(text).iter().filter(|r| !r.is_passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The failures of the only case.
fn fails(step: &str, expect: &str) -> Vec<String> {
    let text = format!("[[case]]\nname = \"it\"\n{step}\n[case.expect]\n{expect}\n");
    let mut results = results(&text);
    assert_eq!(results.len(), 1);
    let failures = results.remove(0).failures;
    assert!(!failures.is_empty(), "the case passes");
    failures
}

fn error_of(text: &str) -> String {
    CaseFile::parse(Path::new("first.toml"), text).expect_err("a file with an error").to_string()
}

#[test]
fn every_kind_of_step_is_held_against_what_comes_of_it() {
    passes(
        r#"
        [[case]]
        client = { user = "alice" }
        connect = { password = "sesame" }
        expect = { verdict = "accept", principal = "alice!", timers = ["tick"] }

        [[case]]
        connect = { password = "wrong" }
        expect = { verdict = "reject", code = 0x86, message = "wrong" }

        [[case]]
        connect = {}
        expect = { verdict = "next" }

        [[case]]
        authorize = { action = "publish", topic = "no" }
        expect = { verdict = "deny", code = 0x87 }

        [[case]]
        authorize = { action = "subscribe", filter = "a/#" }
        expect = { verdict = "allow" }

        [[case]]
        subscribe = { filter = "$share/g/a", qos = 1 }
        expect = { verdict = "rewrite", filter = "$share/g/tenant/a" }

        [[case]]
        client = { id = "guest" }
        deliver = { topic = "a", payload = "x" }
        expect = { verdict = "drop", cohort = "guests" }

        [[case]]
        deliver = { topic = "a", payload = "x" }
        expect = { verdict = "pass", payload = "x" }

        [[case]]
        event = { kind = "connected" }
        expect = { log = ["1 event"] }

        [[case]]
        timer = { name = "tick" }
        expect = { emit = [{ topic = "log/timer", payload = "tick" }] }
        "#,
    );
}

#[test]
fn a_rewritten_message_is_compared_by_topic_payload_and_emits() {
    passes(
        r#"
        [[case]]
        publish = { topic = "f", json = { f = 69.8 }, qos = 1 }
        [case.expect]
        verdict = "rewrite"
        topic = "c"
        qos = 1
        json = { unit = "C", c = 21 }
        payload_json_has = { c = 21 }
        emit = [{ topic = "log/f", payload = "seen", retain = true }]

        [[case]]
        publish = { topic = "other", hex = "00 ff" }
        expect = { verdict = "pass", hex = "00ff", emit = [] }
        "#,
    );
}

#[test]
fn a_failure_tells_what_was_expected_and_what_came() {
    let failures = fails(
        "publish = { topic = \"f\" }",
        "topic = \"d\"\njson = { c = 22 }\nemit = []\nverdict = \"pass\"",
    );
    assert_eq!(
        failures,
        [
            "verdict: expected pass, got rewrite",
            "topic: expected \"d\", got \"c\"",
            "json: expected {\"c\":22}, got {\"c\":21.0,\"unit\":\"C\"}",
            "emit: expected 0 message(s), got 1: [\"log/f\"]",
        ]
    );
}

#[test]
fn a_code_that_the_packet_can_not_carry_is_an_error() {
    let failures = fails("publish = { topic = \"illegal\" }", "verdict = \"reject\"");
    assert_eq!(failures.len(), 1);
    assert!(failures[0].contains("0x8c is not a refusal that PUBACK can carry"), "{failures:?}");
}

#[test]
fn a_panic_is_a_failure_unless_an_error_is_expected() {
    let failures = fails("publish = { topic = \"panic\" }", "");
    assert!(failures[0].contains("it panicked: no such thing"), "{failures:?}");
    passes(
        "[[case]]\npublish = { topic = \"panic\" }\nexpect = { error = \"no such thing\" }\n\
         [[case]]\npublish = { topic = \"panic\" }\nexpect = { verdict = \"error\" }\n",
    );
}

#[test]
fn a_case_may_expect_that_its_own_settings_are_refused() {
    struct Strict;
    impl Plugin for Strict {
        fn about(&self) -> About {
            About::new("strict", "1", Hooks::TIMER)
        }
        fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
            match settings.config.get("unit") {
                Some(unit) => Err(SettingsError::new(format!("unit: {unit} is none"))),
                None => Ok(()),
            }
        }
    }
    let spec = PluginSpec::new("strict", Arc::new(Strict));
    let failures = |expect: &str| {
        let text =
            format!("[[case]]\nconfig = {{ unit = 1 }}\ntimer = {{ name = \"x\" }}\n{expect}\n");
        run_cases(&spec, &[file(&text)]).remove(0).failures
    };
    assert_eq!(failures("expect = { error = \"1 is none\" }"), Vec::<String>::new());
    let other = failures("expect = { error = \"2 is none\" }");
    assert!(other[0].starts_with("error: expected something with \"2 is none\""), "{other:?}");
    let unexpected = failures("expect = { verdict = \"done\" }");
    assert!(unexpected[0].starts_with("the plugin does not load: "), "{unexpected:?}");
}

#[test]
fn a_message_outside_of_the_grants_fails_the_case() {
    let failures = fails("publish = { topic = \"elsewhere\" }", "verdict = \"pass\"");
    assert_eq!(
        failures,
        ["emits to \"secret/x\": not granted: publish = [\"secret/x\"]".to_owned()]
    );
}

#[test]
fn each_case_begins_afresh_and_time_passes_when_it_says_so() {
    let native_clock = r#"
        [[case]]
        publish = { topic = "counted" }
        repeat = 2
        expect = { verdict = "pass", kv = { n = "2" } }
    "#;
    passes(native_clock);
    passes(
        r#"
        [[case]]
        kv = { n = "2" }
        publish = { topic = "counted" }
        expect = { verdict = "reject", code = 0x97, kv = { n = "3" } }
        "#,
    );
    passes(
        r#"
        [[case]]
        before = [{ publish = { topic = "counted" }, repeat = 3 }, { wait = 10.0 }]
        publish = { topic = "counted" }
        expect = { verdict = "pass" }
        "#,
    );
}

#[test]
fn a_hook_that_the_plugin_does_not_have_fails_the_case() {
    let failures = fails("unsubscribe = { filter = \"a\" }", "");
    assert_eq!(failures, ["the plugin has no on_unsubscribe"]);
}

#[test]
fn an_event_that_it_does_not_name_fails_the_case() {
    let failures = fails("event = { kind = \"disconnected\" }", "");
    assert!(failures[0].contains("does not name that kind of event"), "{failures:?}");
}

#[test]
fn a_message_of_another_topic_never_reaches_the_plugin() {
    let spec = PluginSpec { topics: vec!["a/#".to_owned()], ..probe() };
    let text = "[[case]]\npublish = { topic = \"panic\" }\nexpect = { verdict = \"pass\" }\n";
    assert!(run_cases(&spec, &[file(text)])[0].is_passed());
}

#[test]
fn cases_are_run_with_the_settings_that_they_are_written_for() {
    let text = "[[case]]\npublish = { topic = \"f\" }\nexpect = { verdict = \"rewrite\" }\n";
    let spec = PluginSpec { topics: vec!["a/#".to_owned()], ..probe() };
    assert!(!run_cases(&spec, &[file(text)])[0].is_passed());
    let written_for = Some(WrittenFor::default());
    assert!(run_cases(&spec, &[CaseFile { written_for, ..file(text) }])[0].is_passed());
}

#[test]
fn errors_in_a_file_name_the_line_and_the_way_out() {
    let unknown = error_of("[[case]]\nname = \"a\"\npublsh = { topic = \"a\" }\n");
    assert!(unknown.starts_with("first.toml:3: unknown field `publsh`"), "{unknown}");
    assert_eq!(
        error_of("\n[[case]]\nname = \"a\"\n"),
        "first.toml:2: case \"a\": it asks nothing: it needs one of connect, auth, publish, \
         subscribe, unsubscribe, deliver, authorize, event, timer, command"
    );
    let several = error_of("[[case]]\nconnect = {}\ntimer = { name = \"t\" }\n");
    assert!(several.contains("it asks several things"), "{several}");
    let verdict = error_of("[[case]]\nconnect = {}\nexpect = { verdict = \"pass\" }\n");
    assert_eq!(
        verdict,
        "first.toml:1: case \"case 1\": expect.verdict: \"pass\" is no answer to this; there are: \
         next, accept, reject, error"
    );
    let topic = error_of("[[case]]\npublish = { topic = \"a/#\" }\n");
    assert!(topic.contains("\"a/#\" is no Topic Name"), "{topic}");
    let twice = error_of("[[case]]\npublish = { topic = \"a\", payload = \"\", hex = \"\" }\n");
    assert!(twice.contains("give one of `payload`, `json` and `hex`"), "{twice}");
    let hex = error_of("[[case]]\npublish = { topic = \"a\", hex = \"0\" }\n");
    assert!(hex.contains("hex: expected pairs of digits"), "{hex}");
    let event = error_of("[[case]]\nevent = { kind = \"conected\" }\n");
    assert!(event.contains("event kind: expected connected, auth_failed"), "{event}");
    let none = error_of("config = {}\n");
    assert!(none.contains("each begins with a line [[case]]"), "{none}");
    let missing = CaseFile::read(Path::new("/nonexistent.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent.toml:1: cannot read it"), "{missing}");
}

#[test]
fn a_result_reads_like_a_report() {
    let results = results(
        "[[case]]\nname = \"fine\"\npublish = { topic = \"x\" }\n\
         [[case]]\nname = \"not\"\npublish = { topic = \"x\" }\nexpect = { verdict = \"drop\" }\n",
    );
    let text: Vec<String> = results.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "ok    fine  (first.toml:1)",
            "FAIL  not  (first.toml:4)\n      verdict: expected drop, got pass"
        ]
    );
}

#[test]
fn a_plugin_that_fails_its_own_case_does_not_take_the_place_of_the_old_one() {
    let host = PluginHost::load(ChainSpec { plugins: vec![probe()], ..ChainSpec::default() });
    let host = host.unwrap();
    let text = "[[case]]\nname = \"it\"\npublish = { topic = \"x\" }\n\
                expect = { verdict = \"drop\" }\n";
    let next = PluginSpec { cases: vec![file(text)], ..probe() };

    let refusal = host.install(next).expect_err("a failed case");

    assert_eq!(
        refusal,
        LoadError::Case {
            plugin: "probe".to_owned(),
            case: "it".to_owned(),
            why: "verdict: expected drop, got pass (first.toml:1)".to_owned(),
        }
    );
    assert_eq!(host.list()[0].code_generation, 1);
    let text = "[[case]]\npublish = { topic = \"x\" }\nexpect = { verdict = \"pass\" }\n";
    host.install(PluginSpec { cases: vec![file(text)], ..probe() }).unwrap();
    assert_eq!(host.list()[0].code_generation, 2);
}

#[test]
fn cases_that_take_too_long_are_not_waited_for() {
    let host = PluginHost::load(ChainSpec { plugins: vec![probe()], ..ChainSpec::default() });
    let text = "[[case]]\npublish = { topic = \"x\" }\nrepeat = 100000\n";
    let mut next = PluginSpec { cases: vec![file(text)], ..probe() };
    next.limits.load = Duration::ZERO;
    let refusal = host.unwrap().install(next).expect_err("a case that takes too long");
    assert!(refusal.to_string().contains("its cases take longer than 0ns"), "{refusal}");
}

#[test]
fn hooks_are_timed_over_the_cases_that_ask_them() {
    let text = "[[case]]\npublish = { topic = \"x\" }\n[[case]]\npublish = { topic = \"f\" }\n\
                [[case]]\nauthorize = { action = \"receive\", topic = \"x\" }\n";
    let benches = bench_cases(&probe(), &[file(text)]);
    let hooks: Vec<(&str, usize)> = benches.iter().map(|b| (b.hook.name(), b.cases)).collect();
    assert_eq!(hooks, [("authorize", 1), ("on_publish", 2)]);
    assert!(benches.iter().all(|b| b.least_ns <= b.median_ns && b.median_ns <= b.most_ns));
}
