use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle_plugin_api::{
    Action, CacheHint, ClientDescription, Decision, Disconnect, Failure, FileContent, Hooks, Host,
    HostError, LogLevel, Message, NewMessage, Plugin, QoS, Settings, SettingsError, Subscription,
};
use serde_json::json;

use crate::AclFile;

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

fn client(user: Option<&str>) -> ClientDescription {
    ClientDescription::new("c1", user)
}

fn reads(plugin: &AclFile, user: Option<&str>, topic: &str) -> Decision {
    plugin.authorize(&client(user), &Action::Receive(&Message::new(topic, b"")))
}

fn writes(plugin: &AclFile, user: Option<&str>, topic: &str) -> Decision {
    plugin.authorize(&client(user), &Action::Publish(&Message::new(topic, b"")))
}

/// `r` and `w` for what is allowed, `R` and `W` for what is denied, `.` for no opinion.
fn rights(text: &str, client: &ClientDescription, topic: &str) -> String {
    let plugin = plugin_with(text);
    let message = Message::new(topic, b"");
    let mark = |action: Action<'_>, allow: char, deny: char| match plugin.authorize(client, &action)
    {
        Decision::Next => '.',
        Decision::Allow(_) => allow,
        Decision::Deny(..) => deny,
        Decision::Disconnect(_) => '!',
    };
    [mark(Action::Receive(&message), 'r', 'R'), mark(Action::Publish(&message), 'w', 'W')]
        .iter()
        .collect()
}

fn check(text: &str, user: Option<&str>, topic: &str, expected: &str) {
    assert_eq!(rights(text, &client(user), topic), expected, "{user:?} {topic} under:\n{text}");
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
fn the_word_before_the_filter_says_what_is_allowed() {
    check("topic read a", None, "a", "r.");
    check("topic write a", None, "a", ".w");
    check("topic readwrite a", None, "a", "rw");
    check("topic a", None, "a", "rw");
    check("topic deny a", None, "a", "RW");
    check("topic read", None, "read", "rw");
}

#[test]
fn lines_before_any_user_are_for_clients_without_a_name_alone() {
    let text = "topic public\nuser alice\ntopic private\n";
    check(text, None, "public", "rw");
    check(text, None, "private", "..");
    check(text, Some("alice"), "private", "rw");
    check(text, Some("alice"), "public", "..");
    check(text, Some("bob"), "public", "..");
    check(text, Some(""), "public", "..");
}

#[test]
fn a_user_may_have_several_blocks_and_a_name_with_spaces() {
    let text = "user alice b\ntopic a\nuser bob\ntopic b\nuser  alice b \ntopic c\n";
    check(text, Some("alice b"), "a", "rw");
    check(text, Some("alice b"), "c", "rw");
    check(text, Some("alice b"), "b", "..");
    check(text, Some("alice"), "a", "..");
}

#[test]
fn a_filter_may_hold_spaces_after_an_access_word() {
    check("topic read  living room/#  \n", None, "living room/tv", "r.");
    check("topic deny a b\ntopic #", None, "a b", "RW");
}

#[test]
fn deny_lines_are_asked_before_the_others() {
    check("topic a/#\ntopic deny a/b", None, "a/b", "RW");
    check("topic a/#\ntopic deny a/b", None, "a/c", "rw");
    check("topic deny a/#\ntopic a/b", None, "a/b", "RW");
}

#[test]
fn own_lines_decide_before_patterns() {
    check("pattern deny a/#\nuser alice\ntopic read a/b", Some("alice"), "a/b", "rW");
    check("user alice\ntopic deny a/b\npattern a/#", Some("alice"), "a/b", "RW");
}

#[test]
fn patterns_are_for_everybody_wherever_they_stand() {
    let text = "user alice\npattern write dev/%c/#\ntopic a\npattern read home/%u\n";
    check(text, Some("alice"), "a", "rw");
    check(text, Some("bob"), "dev/c1/x", ".w");
    check(text, None, "dev/c1/x", ".w");
    check(text, Some("bob"), "home/bob", "r.");
    check(text, Some("bob"), "home/alice", "..");
    check(text, None, "home/%u", "..");
    check(text, None, "home/", "..");
}

#[test]
fn deny_patterns_are_asked_before_the_other_patterns() {
    check("pattern home/%u/#\npattern deny home/+/lock", Some("alice"), "home/alice/lock", "RW");
}

#[test]
fn topic_lines_take_percent_signs_literally() {
    check("topic dev/%c", None, "dev/c1", "..");
    check("topic dev/%c", None, "dev/%c", "rw");
}

#[test]
fn names_with_wildcards_do_not_widen_a_pattern() {
    for name in ["+", "#", "a+", "#b"] {
        check("pattern home/%u/#", Some(name), "home/alice/x", "RW");
        let by_id = ClientDescription::new(name, Some("alice"));
        assert_eq!(rights("pattern dev/%c", &by_id, "dev/x"), "RW", "{name}");
    }
}

#[test]
fn names_with_wildcards_keep_their_own_lines() {
    let text = "user a+\ntopic read a\npattern x/%u";
    check(text, Some("a+"), "a", "rW");
    check("user a+\ntopic read a", Some("a+"), "b", "..");
}

#[test]
fn the_user_is_whom_authentication_found() {
    let mut client = client(Some("token"));
    client.principal = Some("alice".to_owned());
    assert_eq!(rights("user alice\ntopic a\nuser token\ntopic deny a", &client, "a"), "rw");
    assert_eq!(rights("pattern home/%u", &client, "home/alice"), "rw");
}

#[test]
fn topics_with_a_dollar_need_a_filter_with_one() {
    check("topic #", None, "$SYS/broker/uptime", ".W");
    check("topic +/broker/uptime", None, "$SYS/broker/uptime", ".W");
    check("topic read $SYS/#", None, "$SYS/broker/uptime", "rW");
    check("topic $other/#", None, "$other/a", "rw");
}

#[test]
fn nobody_writes_to_sys_except_the_state_of_bridges() {
    let text = "topic $SYS/#";
    check(text, None, "$SYS/broker/uptime", "rW");
    check(text, None, "$SYS", "rW");
    check(text, None, "$SYS/broker/connection/b/state", "rw");
    check(text, None, "$SYS/broker/connection/b/c/state", "rW");
    check(text, None, "$SYS/broker/connection/state", "rW");
    check("", None, "$SYS/broker/connection/b/state", "..");
}

#[test]
fn a_will_is_a_message_that_is_written() {
    let plugin = plugin_with("topic write w\ntopic read r");
    let will = |topic| plugin.authorize(&client(None), &Action::Will(&Message::new(topic, b"")));
    assert_eq!((will("w"), will("r")), (ALLOW, NEXT));
}

#[test]
fn a_subscribe_is_always_allowed() {
    let subscription = Subscription {
        filter: "#".to_owned(),
        share_name: None,
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    };
    let plugin = plugin_with("topic deny #\npattern deny #");
    let action = Action::Subscribe(&subscription);
    assert_eq!(plugin.authorize(&client(Some("+")), &action), ALLOW);
    let explained = plugin.explain(&client(None), &action).unwrap();
    assert!(explained.starts_with("acl: SUBSCRIBE is always allowed"), "{explained}");
}

#[test]
fn an_empty_file_has_no_opinion() {
    check("", None, "a", "..");
    check("# nothing\n\n", Some("alice"), "a", "..");
}

#[test]
fn spaces_and_line_ends_do_not_matter() {
    check("  topic   read   a  \r\n\r\nuser x\r\n", None, "a", "r.");
}

#[test]
fn the_deciding_line_is_explained() {
    let text = "# rules\ntopic read a/#\ntopic deny a/b\n\npattern  write  dev/%c\n";
    let plugin = plugin_with(text);
    let explain = |user, action: Action<'_>| plugin.explain(&client(user), &action).unwrap();
    let message = |topic| Message::new(topic, b"");
    assert_eq!(explain(None, Action::Receive(&message("a/c"))), "acl:2: topic read a/#");
    assert_eq!(explain(None, Action::Receive(&message("a/b"))), "acl:3: topic deny a/b");
    let dev = message("dev/c1");
    assert_eq!(explain(None, Action::Publish(&dev)), "acl:5: pattern  write  dev/%c");
    assert_eq!(explain(None, Action::Receive(&dev)), "acl: no line allows it");
    let sys = message("$SYS/x");
    assert_eq!(explain(None, Action::Publish(&sys)), "acl: clients do not publish to $SYS");
    let wild = explain(Some("+"), Action::Publish(&dev));
    assert!(wild.contains("not for a user or Client Identifier with + or #"), "{wild}");
}

fn error_of(text: &str) -> SettingsError {
    AclFile::new().configure(&settings(text)).unwrap_err()
}

#[test]
fn a_line_that_can_not_be_read_is_named_with_the_reason() {
    for (text, line, reason) in [
        ("topic a\ntopics b", 2, "`topics` is none of"),
        ("topic", 1, "filter is missing"),
        ("topic ", 1, "filter is missing"),
        ("\npattern\n", 2, "filter is missing"),
        ("user", 1, "`user` without a name"),
        ("user  \n", 1, "`user` without a name"),
        ("topic living room", 1, "`living` is none of"),
        ("topic Read a", 1, "`Read` is none of"),
        ("topic read a/#/b", 1, "# is not the last level"),
        ("topic read a/b+", 1, "not alone"),
        ("topic read\ta", 1, "control character"),
        (" # no comment", 1, "`#` is none of"),
    ] {
        let error = error_of(text);
        assert_eq!(error.path, Some(PathBuf::from("conf/acl")));
        assert!(error.line == Some(line) && error.what.contains(reason), "{text:?}: {error}");
    }
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
fn new_rules_count_at_once_and_disconnect_nobody() {
    let plugin = plugin_with("topic read a");
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    plugin.configure(&settings("topic read b")).unwrap();
    assert_eq!((reads(&plugin, None, "a"), reads(&plugin, None, "b")), (NEXT, ALLOW));
    assert_eq!(*host.calls.lock().unwrap(), ["invalidate"]);
}

#[test]
fn a_broken_file_leaves_the_old_rules_in_force() {
    let plugin = plugin_with("topic a");
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    plugin.configure(&settings("topic b\nnonsense")).unwrap_err();
    assert_eq!((writes(&plugin, None, "a"), writes(&plugin, None, "b")), (ALLOW, NEXT));
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
