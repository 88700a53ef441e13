//! Who is let in: `builtin:password-file` and anonymous clients (3.1.4).

use std::fs;
use std::path::Path;

use pintle_tests::wire::{Connect, Publish, Will};
use pintle_tests::{Broker, V5, Version};

use crate::{PINTLE, broker_with};

/// Users `ann` and `bob`, both with the password `secret`.
const USERS: &str = "\
ann:$7$101$cGludGxlLXNhbHQx$UXk/9yg1s6zdLbCevwX2InoiHnNFx10Z0mmjESpVDHkqaB1ETNGlIq77sciFmi/FOnVIXFoMvpRe6Hi+/WmhHw==
bob:$7$101$cGludGxlLXNhbHQx$UXk/9yg1s6zdLbCevwX2InoiHnNFx10Z0mmjESpVDHkqaB1ETNGlIq77sciFmi/FOnVIXFoMvpRe6Hi+/WmhHw==
";

/// The same users; the password of `ann` is now `other`.
const USERS_WITH_A_NEW_HASH: &str = "\
ann:$7$101$cGludGxlLXNhbHQx$H1ueVHDTLm5LMtK9VZ2/d3M6po3vUw6OUyQwwFt77QjkHuPA+XjT11QbbpOXc4Q3iUozfy9m5kltOhuIP26kpQ==
bob:$7$101$cGludGxlLXNhbHQx$UXk/9yg1s6zdLbCevwX2InoiHnNFx10Z0mmjESpVDHkqaB1ETNGlIq77sciFmi/FOnVIXFoMvpRe6Hi+/WmhHw==
";

const PASSWORD_FILE: &str = "
[[plugin]]
use = \"builtin:password-file\"
config = { path = \"users\" }
";

fn with_users(listeners: &str) -> Broker {
    PINTLE.prepare(|folder: &Path| {
        fs::write(folder.join("users"), USERS).expect("the password file is written");
        format!("{listeners}{PASSWORD_FILE}")
    })
}

fn broker() -> Broker {
    with_users("[[listener]]\nbind = \"127.0.0.1:0\"\n")
}

fn ann() -> Connect {
    Connect::new("of ann").username("ann").password("secret")
}

/// The codes for a refused login, as each version tells them.
fn is_refusal(version: Version, code: u8) -> bool {
    match version {
        Version::V31 | Version::V311 => matches!(code, 4 | 5),
        Version::V5 => matches!(code, 0x86 | 0x87),
    }
}

#[test]
fn a_user_with_the_right_password_is_let_in() {
    let broker = broker();
    for version in Version::ALL {
        broker.connect(version, &ann());
        broker.connect(version, &Connect::new("b").username("bob").password("secret"));
    }
}

/// [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7]
#[test]
fn wrong_credentials_are_refused_with_a_code() {
    let broker = broker();
    let wrong = [
        Connect::new("c"),
        Connect::new("c").username("ann"),
        Connect::new("c").username("ann").password("Secret"),
        Connect::new("c").username("ann").password(""),
        Connect::new("c").username("nobody").password("secret"),
        Connect::new("c").username("").password("secret"),
        Connect::new("c").username("ann ").password("secret"),
    ];
    for version in Version::ALL {
        for connect in &wrong {
            let code = broker.refuses(version, connect);
            assert!(is_refusal(version, code), "{connect:?}: {code:#04x}");
        }
    }
}

#[test]
fn a_refused_client_leaves_neither_will_nor_session() {
    let broker = broker();
    let mut watch = broker.connect(V5, &ann());
    watch.subscribes("#", 0);
    for version in Version::ALL {
        let connect = Connect::new("c")
            .keeping_its_session()
            .username("bob")
            .password("wrong")
            .will(Will::new("will", "of a stranger").retained());
        broker.refuses(version, &connect);
    }
    watch.receives_nothing();
    let connect = Connect::new("c").keeping_its_session().username("bob").password("secret");
    assert!(!broker.open(V5).connects(&connect).session_present);
    let mut late = broker.connect(V5, &Connect::new("late").username("bob").password("secret"));
    late.subscribes("will", 0);
    late.receives_nothing();
}

#[test]
fn a_refused_client_does_not_take_a_session_over() {
    let broker = broker();
    let mut client = broker.connect(V5, &ann());
    for version in Version::ALL {
        broker.refuses(version, &Connect::new("of ann").username("bob").password("wrong"));
    }
    client.receives_nothing();
}

/// [MQTT-3.1.4-6]
#[test]
fn what_a_client_sends_before_it_is_refused_is_not_done() {
    use pintle_tests::wire::Encode;
    let broker = broker();
    let mut watch = broker.connect(V5, &ann());
    watch.subscribes("#", 0);
    let connect = Connect::new("c").username("ann").password("wrong").encode(V5);
    let publish = Publish::new("t", "x").encode(V5);
    let mut client = broker.open(V5);
    client.send_raw(&[connect, publish].concat());
    client.expect_connack();
    client.is_closed();
    watch.receives_nothing();
}

#[test]
fn what_a_client_sends_before_it_is_let_in_is_done_then() {
    use pintle_tests::wire::Encode;
    let broker = broker();
    let mut watch = broker.connect(V5, &Connect::new("w").username("bob").password("secret"));
    watch.subscribes("t", 0);
    let publish = Publish::new("t", "x").encode(V5);
    let mut client = broker.open(V5);
    client.send_raw(&[ann().encode(V5), publish].concat());
    assert_eq!(client.expect_connack().code, 0);
    watch.receives("t", "x");
}

#[test]
fn a_storm_of_logins_does_not_stop_those_who_are_in() {
    let broker = broker();
    let mut client = broker.connect(V5, &ann());
    client.subscribes("t", 1);
    let mut storm: Vec<_> = (0..100)
        .map(|number| {
            let mut other = broker.open(V5);
            let wrong = if number % 2 == 0 { "secret" } else { "wrong" };
            let id = format!("storm-{number}");
            other.send(&Connect::new(id).username("bob").password(wrong));
            other
        })
        .collect();
    for number in 0..50 {
        client.publishes_at(1, "t", &number.to_string());
        client.receives("t", &number.to_string());
    }
    for (number, other) in storm.iter_mut().enumerate() {
        assert_eq!(other.expect_connack().code == 0, number % 2 == 0);
    }
}

#[test]
fn anonymous_clients_are_let_in_by_listener() {
    let broker = with_users(
        "[[listener]]\nbind = \"127.0.0.1:0\"\n\
         [[listener]]\nbind = \"127.0.0.1:0\"\nanonymous = true\n",
    );
    for version in Version::ALL {
        let code = broker.refuses(version, &Connect::new("c"));
        assert!(is_refusal(version, code), "{code:#04x}");
        let mut anonymous = broker.open_at(1, version);
        anonymous.connects(&Connect::new("c"));
        let mut wrong = broker.open_at(1, version);
        wrong.send(&Connect::new("d").username("ann").password("wrong"));
        assert!(
            is_refusal(version, wrong.expect_connack().code),
            "a known name needs its password"
        );
    }
}

#[test]
fn a_listener_may_turn_anonymous_clients_away_without_any_plugin() {
    let broker = broker_with("anonymous = false");
    for version in Version::ALL {
        assert!(is_refusal(version, broker.refuses(version, &Connect::new("c"))));
        let named = Connect::new("c").username("u").password("p");
        assert!(is_refusal(version, broker.refuses(version, &named)));
    }
}

#[test]
fn a_removed_user_is_disconnected_when_the_file_is_read_again() {
    let broker = broker();
    let mut ann = broker.connect(V5, &ann());
    let mut bob = broker.connect(V5, &Connect::new("b").username("bob").password("secret"));
    let without_ann = USERS.lines().nth(1).expect("the line of bob");
    fs::write(broker.file("users"), without_ann).expect("the file is written");
    broker.signal("HUP");
    ann.is_refused_with(0x87);
    bob.receives_nothing();
    let code = broker.refuses(V5, &self::ann());
    assert!(is_refusal(V5, code));
}

#[test]
fn saving_the_file_is_enough_for_a_new_hash_to_count() {
    let broker = broker();
    let mut ann = broker.connect(V5, &ann());
    let mut bob = broker.connect(V5, &Connect::new("b").username("bob").password("secret"));
    fs::write(broker.file("users"), USERS_WITH_A_NEW_HASH).expect("the file is written");
    ann.is_refused_with(0x87);
    bob.receives_nothing();
    assert!(is_refusal(V5, broker.refuses(V5, &self::ann())));
    broker.connect(V5, &Connect::new("a").username("ann").password("other"));
}

#[test]
fn a_broken_file_is_reported_and_the_old_users_stay() {
    let broker = broker();
    let mut client = broker.connect(V5, &ann());
    fs::write(broker.file("users"), format!("{USERS}carl:plain text\n")).expect("written");
    broker.signal("HUP");
    broker.says(&["users", "3"]);
    client.receives_nothing();
    broker.connect(V5, &Connect::new("b").username("bob").password("secret"));
    assert!(is_refusal(V5, broker.refuses(V5, &Connect::new("c").username("carl"))));
}
