//! What an ACL file allows. The same tests are asked of the plugin as it is linked in, and by the
//! broker's tests of the component that is made of it; `super` has the one or the other.

use pintle_plugin_api::ClientDescription;

use super::Acl;

/// What a client wants to do.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    Publish,
    Receive,
    Will,
    Subscribe,
}

pub(super) fn client(user: Option<&str>) -> ClientDescription {
    ClientDescription::new("c1", user)
}

/// `r` and `w` for what is allowed, `R` and `W` for what is denied, `.` for no opinion.
pub(super) fn rights(text: &str, client: &ClientDescription, topic: &str) -> String {
    let acl = Acl::of(text).unwrap();
    let mark = |asked, allow: char, deny: char| match acl.says(client, asked, topic).0.as_str() {
        "next" => '.',
        "allow" => allow,
        "deny 0x87" => deny,
        other => panic!("{other}"),
    };
    [mark(Asked::Receive, 'r', 'R'), mark(Asked::Publish, 'w', 'W')].iter().collect()
}

#[track_caller]
fn check(text: &str, user: Option<&str>, topic: &str, expected: &str) {
    assert_eq!(rights(text, &client(user), topic), expected, "{user:?} {topic} under:\n{text}");
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
fn an_empty_file_has_no_opinion() {
    check("", None, "a", "..");
    check("# nothing\n\n", Some("alice"), "a", "..");
}

#[test]
fn spaces_and_line_ends_do_not_matter() {
    check("  topic   read   a  \r\n\r\nuser x\r\n", None, "a", "r.");
}

#[test]
fn a_will_is_a_message_that_is_written() {
    let acl = Acl::of("topic write w\ntopic read r").unwrap();
    assert_eq!(acl.says(&client(None), Asked::Will, "w").0, "allow");
    assert_eq!(acl.says(&client(None), Asked::Will, "r").0, "next");
}

#[test]
fn a_subscribe_is_always_allowed() {
    let acl = Acl::of("topic deny #\npattern deny #").unwrap();
    let (answer, why) = acl.says(&client(Some("+")), Asked::Subscribe, "#");
    assert_eq!(answer, "allow");
    let why = why.unwrap();
    assert!(why.starts_with("acl: SUBSCRIBE is always allowed"), "{why}");
}

#[test]
fn the_deciding_line_is_explained() {
    let text = "# rules\ntopic read a/#\ntopic deny a/b\n\npattern  write  dev/%c\n";
    let acl = Acl::of(text).unwrap();
    let why = |user, asked, topic| acl.says(&client(user), asked, topic).1.unwrap();
    assert_eq!(why(None, Asked::Receive, "a/c"), "acl:2: topic read a/#");
    assert_eq!(why(None, Asked::Receive, "a/b"), "acl:3: topic deny a/b");
    assert_eq!(why(None, Asked::Publish, "dev/c1"), "acl:5: pattern  write  dev/%c");
    assert_eq!(why(None, Asked::Receive, "dev/c1"), "acl: no line allows it");
    assert_eq!(why(None, Asked::Publish, "$SYS/x"), "acl: clients do not publish to $SYS");
    let wild = why(Some("+"), Asked::Publish, "dev/c1");
    assert!(wild.contains("not for a user or Client Identifier with + or #"), "{wild}");
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
        let error = Acl::of(text).err().unwrap();
        let place = format!("conf/acl:{line}: ");
        assert!(error.starts_with(&place) && error.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn new_rules_count_at_once() {
    let acl = Acl::of("topic read a").unwrap();
    let reads = |topic| acl.says(&client(None), Asked::Receive, topic).0;
    assert_eq!((reads("a").as_str(), reads("b").as_str()), ("allow", "next"));
    acl.replace("topic read b").unwrap();
    assert_eq!((reads("a").as_str(), reads("b").as_str()), ("next", "allow"));
}

#[test]
fn a_file_with_a_mistake_changes_nothing() {
    let acl = Acl::of("topic a").unwrap();
    let error = acl.replace("topic b\nnonsense").unwrap_err();
    assert!(error.starts_with("conf/acl:2: "), "{error}");
    assert_eq!(acl.says(&client(None), Asked::Publish, "a").0, "allow");
    assert_eq!(acl.says(&client(None), Asked::Publish, "b").0, "next");
}
