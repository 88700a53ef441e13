use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle_plugin_api::{
    Answer, AuthVerdict, ClientDescription, Credentials, Disconnect, FileContent, Hooks, Host,
    HostError, LogLevel, NewMessage, Plugin, Settings, SettingsError,
};
use serde_json::json;

use crate::PasswordFile;
use crate::file::{Algorithm, PasswordFileText};

/// Keeps what it is asked to do.
#[derive(Default)]
struct Recorder {
    disconnected: Mutex<Vec<(Disconnect, u8)>>,
    logged: Mutex<Vec<String>>,
    refuses: bool,
}

impl Recorder {
    fn disconnected(&self) -> Vec<String> {
        let mut users: Vec<_> = self.disconnected.lock().unwrap().drain(..).collect();
        users.sort_by_key(|(whom, _)| format!("{whom:?}"));
        users.iter().map(|(whom, code)| format!("{whom:?} {code:#x}")).collect()
    }
}

impl Host for Recorder {
    fn log(&self, level: LogLevel, message: &str) {
        self.logged.lock().unwrap().push(format!("{level:?} {message}"));
    }
    fn publish(&self, _: NewMessage) -> Result<(), HostError> {
        Err(HostError::NotGranted("publish".to_owned()))
    }
    fn disconnect(&self, whom: Disconnect, reason_code: u8) -> Result<(), HostError> {
        if self.refuses {
            return Err(HostError::NotGranted("disconnect".to_owned()));
        }
        self.disconnected.lock().unwrap().push((whom, reason_code));
        Ok(())
    }
    fn invalidate(&self) {}
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

fn settings(config: serde_json::Value, text: &str) -> Settings {
    let file = FileContent { path: PathBuf::from("passwd"), bytes: text.into() };
    Settings { config, files: [("path".to_owned(), file)].into() }
}

fn file_of(users: &[(&str, &str)]) -> String {
    let mut file = PasswordFileText::default();
    for (user, password) in users {
        file.set(user, password.as_bytes(), Algorithm::MOSQUITTO_2_0).unwrap();
    }
    file.to_string()
}

fn plugin_with(text: &str) -> PasswordFile {
    let plugin = PasswordFile::new();
    plugin.configure(&settings(json!({ "path": "passwd" }), text)).unwrap();
    plugin
}

fn attempt(
    plugin: &PasswordFile,
    user: Option<&str>,
    password: Option<&str>,
) -> Answer<AuthVerdict> {
    let credentials = Credentials {
        username: user.map(str::to_owned),
        password: password.map(|password| password.as_bytes().to_vec()),
        will_topic: None,
    };
    plugin.authenticate(&ClientDescription::new("c", user), &credentials)
}

/// The answer as one word, with the principal where there is one.
fn check(plugin: &PasswordFile, user: Option<&str>, password: Option<&str>) -> String {
    match attempt(plugin, user, password).wait() {
        AuthVerdict::Next => "next".to_owned(),
        AuthVerdict::Accept(accepted) => format!("accept {}", accepted.principal.unwrap()),
        AuthVerdict::Reject(failure) => format!("reject {:#x}", failure.code),
    }
}

fn is_done_beside_the_workers(answer: &Answer<AuthVerdict>) -> bool {
    matches!(answer, Answer::Blocking(_))
}

#[test]
fn it_names_its_hook_and_its_file() {
    let about = PasswordFile::new().about();
    assert_eq!((about.name, about.files), ("password-file", &["path"][..]));
    assert_eq!(about.hooks, Hooks::AUTHENTICATE);
}

#[test]
fn a_user_with_the_right_password_is_let_in_as_principal() {
    let plugin = plugin_with(&file_of(&[("alice", "secret")]));
    assert_eq!(check(&plugin, Some("alice"), Some("secret")), "accept alice");
}

#[test]
fn a_wrong_password_no_password_and_an_unknown_user_are_refused_alike() {
    let plugin = plugin_with(&file_of(&[("alice", "secret")]));
    for (user, password) in [
        ("alice", Some("Secret")),
        ("alice", Some("")),
        ("alice", None),
        ("bob", Some("secret")),
        ("bob", None),
        ("", Some("secret")),
    ] {
        assert_eq!(check(&plugin, Some(user), password), "reject 0x86", "{user} {password:?}");
    }
}

#[test]
fn a_client_without_a_user_name_is_left_to_others() {
    let plugin = plugin_with(&file_of(&[("alice", "secret")]));
    assert_eq!(check(&plugin, None, None), "next");
    assert_eq!(check(&plugin, None, Some("secret")), "next");
}

#[test]
fn unknown_users_are_left_to_others_if_the_configuration_says_so() {
    let plugin = PasswordFile::new();
    let config = json!({ "path": "passwd", "reject_unknown": false });
    plugin.configure(&settings(config, &file_of(&[("alice", "secret")]))).unwrap();
    assert_eq!(check(&plugin, Some("bob"), Some("secret")), "next");
    assert_eq!(check(&plugin, Some("alice"), Some("wrong")), "reject 0x86");
    assert_eq!(check(&plugin, Some("alice"), Some("secret")), "accept alice");
}

#[test]
fn an_unknown_user_costs_the_same_work_as_a_known_one() {
    let plugin = plugin_with(&file_of(&[("alice", "secret")]));
    for user in ["alice", "bob"] {
        let with_password = attempt(&plugin, Some(user), Some("secret"));
        let without = attempt(&plugin, Some(user), None);
        assert!(is_done_beside_the_workers(&with_password), "{user}");
        assert!(!is_done_beside_the_workers(&without), "{user}");
    }
}

#[test]
fn the_password_of_another_user_does_not_let_an_unknown_user_in() {
    let plugin = plugin_with(&file_of(&[("alice", "secret")]));
    assert_eq!(check(&plugin, Some("mallory"), Some("secret")), "reject 0x86");
}

#[test]
fn an_empty_file_refuses_everybody_with_a_name() {
    let plugin = plugin_with("# nobody yet\n");
    assert_eq!(check(&plugin, Some("alice"), Some("secret")), "reject 0x86");
}

#[test]
fn removed_and_changed_users_are_disconnected_and_nobody_else() {
    let before = file_of(&[("alice", "a"), ("bob", "b"), ("carol", "c")]);
    let plugin = plugin_with(&before);
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    assert!(host.disconnected().is_empty());

    let mut after = PasswordFileText::parse(&before).unwrap();
    after.remove("alice");
    after.set("bob", b"new", Algorithm::Sha512).unwrap();
    after.set("dave", b"d", Algorithm::Sha512).unwrap();
    plugin.configure(&settings(json!({ "path": "passwd" }), &after.to_string())).unwrap();

    let expected = [r#"Principal("alice") 0x87"#, r#"Principal("bob") 0x87"#];
    assert_eq!(host.disconnected(), expected);
    assert_eq!(check(&plugin, Some("alice"), Some("a")), "reject 0x86");
    assert_eq!(check(&plugin, Some("bob"), Some("b")), "reject 0x86");
    assert_eq!(check(&plugin, Some("bob"), Some("new")), "accept bob");
    assert_eq!(check(&plugin, Some("carol"), Some("c")), "accept carol");
    assert_eq!(check(&plugin, Some("dave"), Some("d")), "accept dave");
}

#[test]
fn the_same_file_again_disconnects_nobody() {
    let text = file_of(&[("alice", "a")]);
    let plugin = plugin_with(&text);
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());
    let commented = format!("# a comment more\n{text}");
    plugin.configure(&settings(json!({ "path": "passwd" }), &commented)).unwrap();
    assert!(host.disconnected().is_empty());
}

#[test]
fn a_host_that_does_not_disconnect_is_told_of_in_the_log() {
    let plugin = plugin_with(&file_of(&[("alice", "a")]));
    let host = Arc::new(Recorder { refuses: true, ..Recorder::default() });
    plugin.start(host.clone());
    plugin.configure(&settings(json!({ "path": "passwd" }), "")).unwrap();
    let logged = host.logged.lock().unwrap();
    assert_eq!(logged.len(), 1);
    assert!(logged[0].starts_with("Error User \"alice\"") && logged[0].contains("not granted"));
}

#[test]
fn a_login_under_way_does_not_survive_the_removal_of_its_user() {
    let plugin = plugin_with(&file_of(&[("alice", "a")]));
    let answer = attempt(&plugin, Some("alice"), Some("a"));
    plugin.configure(&settings(json!({ "path": "passwd" }), "")).unwrap();
    assert!(matches!(answer.wait(), AuthVerdict::Reject(_)));
}

#[test]
fn a_broken_file_is_reported_with_its_line_and_the_old_users_stay() {
    let text = file_of(&[("alice", "a")]);
    let plugin = plugin_with(&text);
    let host = Arc::new(Recorder::default());
    plugin.start(host.clone());

    let broken = format!("# x\nbob:plain\n{text}");
    let error = plugin.configure(&settings(json!({ "path": "passwd" }), &broken)).unwrap_err();
    assert_eq!((error.path, error.line), (Some(PathBuf::from("passwd")), Some(2)));
    assert!(error.what.contains("user \"bob\"") && error.what.contains("not hashed"));
    assert!(host.disconnected().is_empty());
    assert_eq!(check(&plugin, Some("alice"), Some("a")), "accept alice");
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let refused = |settings: &Settings| -> SettingsError {
        PasswordFile::new().configure(settings).unwrap_err()
    };
    let unknown = refused(&settings(json!({ "path": "passwd", "pat": 1 }), ""));
    assert!(unknown.what.contains("`pat`"), "{unknown}");
    let missing = refused(&Settings::default());
    assert!(missing.what.contains("`path` is missing"), "{missing}");
}
