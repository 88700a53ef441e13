use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle_plugin_api::{
    Action, CacheHint, ClientDescription, Decision, Disconnect, Failure, FileContent, Hooks, Host,
    HostError, LogLevel, Message, NewMessage, Plugin, QoS, Settings, Subscription,
};
use serde_json::json;

use crate::AclFile;
use rights_tests::{Asked, client, rights};

#[path = "rights_tests.rs"]
mod rights_tests;

const DENY: Decision = Decision::Deny(Failure::code(0x87), CacheHint::until_invalidated());
const ALLOW: Decision = Decision::Allow(CacheHint::until_invalidated());
const NEXT: Decision = Decision::Next;

/// Keeps what it is asked to do.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<String>>,
}

impl Recorder {
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Host for Recorder {
    fn log(&self, level: LogLevel, message: &str) {
        self.note(format!("{level:?} {message}"));
    }
    fn publish(&self, _: NewMessage) -> Result<(), HostError> {
        Err(HostError::NotGranted("publish".to_owned()))
    }
    fn disconnect(&self, whom: Disconnect, _: u8) -> Result<(), HostError> {
        self.note(format!("disconnect {whom:?}"));
        Ok(())
    }
    fn invalidate(&self) {
        self.note("invalidate".to_owned());
    }
    fn set_timer(&self, _: &str, _: Duration, _: Option<Duration>) -> Result<(), HostError> {
        Err(HostError::Quota("timers_max"))
    }
    fn cancel_timer(&self, _: &str) -> bool {
        false
    }
    fn stats(&self) -> Result<Vec<(String, u64)>, HostError> {
        Ok(Vec::new())
    }
    fn now_ms(&self) -> u64 {
        0
    }
}

fn settings(text: &str) -> Settings {
    let file = FileContent { path: PathBuf::from("conf/acl"), bytes: text.into() };
    Settings { config: json!({ "path": "acl" }), files: [("path".to_owned(), file)].into() }
}

fn plugin_with(text: &str) -> AclFile {
    let plugin = AclFile::new();
    plugin.configure(&settings(text)).unwrap();
    plugin
}

/// The plugin as it is linked in.
struct Acl(AclFile);

impl Acl {
    fn of(text: &str) -> Result<Self, String> {
        let acl = Self(AclFile::new());
        acl.replace(text).map(|()| acl)
    }

    fn replace(&self, text: &str) -> Result<(), String> {
        self.0.configure(&settings(text)).map_err(|error| error.to_string())
    }

    /// The answer and the reason.
    fn says(&self, who: &ClientDescription, asked: Asked, topic: &str) -> (String, Option<String>) {
        let message = Message::new(topic, b"");
        let subscription = subscription(topic);
        let action = match asked {
            Asked::Publish => Action::Publish(&message),
            Asked::Receive => Action::Receive(&message),
            Asked::Will => Action::Will(&message),
            Asked::Subscribe => Action::Subscribe(&subscription),
        };
        let answer = match self.0.authorize(who, &action) {
            Decision::Next => "next".to_owned(),
            Decision::Allow(_) => "allow".to_owned(),
            Decision::Deny(failure, _) => format!("deny 0x{:02x}", failure.code),
            Decision::Disconnect(failure) => format!("disconnect 0x{:02x}", failure.code),
        };
        (answer, self.0.explain(who, &action))
    }
}

fn subscription(filter: &str) -> Subscription {
    Subscription {
        filter: filter.to_owned(),
        share_name: None,
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

fn reads(plugin: &AclFile, user: Option<&str>, topic: &str) -> Decision {
    plugin.authorize(&client(user), &Action::Receive(&Message::new(topic, b"")))
}

#[test]
fn it_names_its_hook_and_its_file() {
    let about = AclFile::new().about();
    assert_eq!((about.name, about.files), ("acl-file", &["path"][..]));
    assert_eq!(about.hooks, Hooks::AUTHORIZE);
}

#[test]
fn decisions_hold_until_the_file_changes() {
    let plugin = plugin_with("topic read a\ntopic deny b\n");
    assert_eq!(reads(&plugin, None, "a"), ALLOW);
    assert_eq!(reads(&plugin, None, "b"), DENY);
    assert_eq!(reads(&plugin, None, "c"), NEXT);
}

#[test]
fn only_lines_that_count_have_to_be_utf_8() {
    let mut settings = settings("");
    let file = settings.files.get_mut("path").unwrap();
    file.bytes = b"# caf\xe9\ntopic a\n".to_vec();
    assert_eq!(AclFile::new().configure(&settings), Ok(()));
    let file = settings.files.get_mut("path").unwrap();
    file.bytes = b"topic a\ntopic caf\xe9\n".to_vec();
    let error = AclFile::new().configure(&settings).unwrap_err();
    assert_eq!((error.line, error.what.as_str()), (Some(2), "it is not UTF-8"));
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let missing = AclFile::new().configure(&Settings::default()).unwrap_err();
    assert!(missing.what.contains("`path` is missing"), "{missing}");
    let mut unknown = settings("");
    unknown.config = json!({ "path": "acl", "file": "acl" });
    let unknown = AclFile::new().configure(&unknown).unwrap_err();
    assert!(unknown.what.contains("`file`"), "{unknown}");
}

#[test]
fn new_rules_invalidate_what_was_decided_and_disconnect_nobody() {
    let plugin = plugin_with("topic read a");
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    plugin.configure(&settings("topic read b")).unwrap();
    assert_eq!(*host.calls.lock().unwrap(), ["invalidate"]);
}

#[test]
fn a_broken_file_invalidates_nothing() {
    let plugin = plugin_with("topic a");
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    plugin.configure(&settings("topic b\nnonsense")).unwrap_err();
    assert!(host.calls.lock().unwrap().is_empty());
}

#[test]
fn a_pattern_without_names_is_warned_of() {
    let plugin = plugin_with("pattern read a/%cx");
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    plugin.configure(&settings("\npattern read b\npattern c/%u\npattern c/%c")).unwrap();
    let calls = host.calls.lock().unwrap();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls[0].starts_with("Warn acl:1: pattern read a/%cx: a pattern without"));
    assert!(calls[2].starts_with("Warn acl:2: pattern read b: "));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn line() -> impl Strategy<Value = String> {
        let keyword = proptest::sample::select(&["topic", "pattern", "user", "#", ""][..]);
        let word = proptest::sample::select(&["read", "write", "readwrite", "deny", ""][..]);
        let filter =
            proptest::sample::select(&["a", "a/+", "#", "%u/a", "a/%c", "$SYS/#", "b c"][..]);
        (keyword, word, filter)
            .prop_map(|(keyword, word, filter)| format!("{keyword} {word} {filter}"))
    }

    fn file() -> impl Strategy<Value = String> {
        proptest::collection::vec(line(), 0..8).prop_map(|lines| lines.join("\n"))
    }

    fn topic() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(&["a", "a/c1", "alice/a", "b c", "x/y", "$SYS/a"][..])
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_with_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            let mut settings = settings("");
            settings.files.get_mut("path").unwrap().bytes = bytes;
            if let Err(error) = AclFile::new().configure(&settings) {
                prop_assert!((1..=lines).contains(&(error.line.unwrap() as usize)));
            }
        }

        #[test]
        fn a_deny_line_more_never_allows_more(text in file(), user in "alice|bob", topic in topic()) {
            prop_assume!(AclFile::new().configure(&settings(&text)).is_ok());
            let client = client(Some(&user));
            let before = rights(&text, &client, topic);
            let denied = rights(&format!("{text}\npattern deny #\nuser {user}\ntopic deny #"), &client, topic);
            for (before, after) in before.chars().zip(denied.chars()) {
                prop_assert!(after == before || after.is_ascii_uppercase() || !before.is_ascii_lowercase());
            }
        }

        #[test]
        fn an_explanation_names_a_line_exactly_where_a_line_decides(text in file(), topic in topic()) {
            let plugin = AclFile::new();
            prop_assume!(plugin.configure(&settings(&text)).is_ok());
            let message = Message::new(topic, b"");
            for action in [Action::Publish(&message), Action::Receive(&message)] {
                let explained = plugin.explain(&client(Some("alice")), &action).unwrap();
                let is_next = plugin.authorize(&client(Some("alice")), &action) == NEXT;
                prop_assert_eq!(is_next, explained == "acl: no line allows it");
                if let Some(rest) = explained.strip_prefix("acl:").filter(|rest| !rest.starts_with(' ')) {
                    let (number, line) = rest.split_once(": ").unwrap();
                    let number: usize = number.parse().unwrap();
                    prop_assert_eq!(text.lines().nth(number - 1).unwrap().trim(), line);
                }
            }
        }
    }
}
