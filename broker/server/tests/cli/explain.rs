use crate::harness::Place;

fn place() -> Place {
    let place = Place::new();
    place
        .write("acl", "user alice\ntopic readwrite home/#\ntopic deny home/secret\n")
        .write("users", "")
        .write(
            "pintle.toml",
            "[[plugin]]\nname = \"passwords\"\nuse = \"builtin:password-file\"\n\
             config = { path = \"users\" }\n\
             [[plugin]]\nname = \"topics\"\nuse = \"builtin:acl-file\"\n\
             config = { path = \"acl\" }\n",
        );
    place
}

fn explain(topic: &str, action: &str) -> (Option<i32>, String) {
    let args = ["plugin", "explain", "-c", "pintle.toml", "--client", "c1", "--user", "alice"];
    let more = ["--topic", topic, "--action", action, "--qos", "1"];
    let finished = place().pintle(&[&args[..], &more].concat());
    (finished.code, finished.stdout)
}

#[test]
fn an_allowed_action_names_the_line_and_ends_with_0() {
    let (code, said) = explain("home/lamp", "publish");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("topics: allow"), "{said}");
    assert!(said.contains("acl:2"), "{said}");
}

#[test]
fn a_denied_action_names_who_decided_and_ends_with_1() {
    let (code, said) = explain("home/secret", "receive");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("topics: deny 0x87"), "{said}");
    assert!(said.contains("acl:3"), "{said}");
}

#[test]
fn what_no_line_is_about_is_denied() {
    let (code, said) = explain("elsewhere", "publish");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("topics: next"), "{said}");
}

#[test]
fn a_topic_with_a_wildcard_is_no_topic_to_publish_to() {
    let args = ["plugin", "explain", "-c", "pintle.toml", "--topic", "a/#", "--action", "publish"];
    let error = place().pintle(&args).fails_with(1);
    assert!(error.starts_with("pintle: \"a/#\" is no Topic Name"), "{error}");
}

#[test]
fn list_names_the_plugins_their_hooks_and_where_they_are_written() {
    let said = place().pintle(&["plugin", "list", "-c", "pintle.toml"]).succeeds();
    assert!(said.contains("passwords  password-file"), "{said}");
    assert!(said.contains("pintle.toml:5"), "{said}");
    assert!(said.contains("hooks: authorize"), "{said}");
    assert!(said.contains("sys-stats  sys-stats"), "{said}");
}
