//! What clients may do: `builtin:acl-file`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use pintle_tests::wire::{Connect, Publish, Will};
use pintle_tests::{Broker, Client, PATIENCE, V5, Version};

use crate::PINTLE;

const RULES: &str = "\
topic read public/#
user ann
topic readwrite house/#
topic deny house/safe
topic write log/ann
user bob
topic read house/kitchen/#
topic read house/safe
pattern readwrite own/%u/#
pattern readwrite device/%c/#
";

fn broker() -> Broker {
    PINTLE.prepare(|folder: &Path| {
        fs::write(folder.join("acl"), RULES).expect("the ACL file is written");
        "[[listener]]\nbind = \"127.0.0.1:0\"\n\
         [[plugin]]\nuse = \"builtin:acl-file\"\nconfig = { path = \"acl\" }\n"
            .to_owned()
    })
}

fn user(broker: &Broker, version: Version, name: &str) -> Client {
    broker.connect(version, &Connect::new(format!("of {name}")).username(name))
}

/// [MQTT-4.4.0-2]
#[test]
fn a_denied_publish_is_refused_to_v5_acknowledged_to_v3_and_delivered_to_nobody() {
    let broker = broker();
    let mut bob = user(&broker, V5, "bob");
    bob.subscribes("house/#", 2);
    for qos in 1..=2 {
        let mut stranger = broker.v5("stranger");
        assert_eq!(stranger.publish(&Publish::new("house/kitchen/light", "on").qos(qos)), 0x87);
        stranger.publishes("house/kitchen/light", "on");
        stranger.receives_nothing();
        for version in Version::V3 {
            let mut stranger = broker.client(version, "stranger 3");
            stranger.publishes_at(qos, "house/kitchen/light", "on");
            stranger.publishes("house/kitchen/light", "on");
        }
    }
    bob.receives_nothing();
    user(&broker, V5, "ann").publishes_at(1, "house/kitchen/light", "on");
    bob.receives("house/kitchen/light", "on");
    bob.receives_nothing();
}

#[test]
fn every_subscribe_passes_and_reading_is_decided_message_by_message() {
    let broker = broker();
    for version in Version::ALL {
        let mut bob = user(&broker, version, "bob");
        bob.subscribes("#", 1);
        let mut ann = user(&broker, V5, "ann");
        ann.publishes_at(1, "house/kitchen/light", "may be read");
        ann.publishes_at(1, "house/cellar/light", "may not");
        ann.publishes_at(1, "log/ann", "may not");
        bob.receives("house/kitchen/light", "may be read");
        bob.receives_nothing();
    }
}

#[test]
fn a_deny_wins_over_what_else_allows() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    ann.subscribes("house/#", 0);
    assert!(!may_publish(&mut ann, "house/safe"));
    assert!(may_publish(&mut ann, "house/safe/2"));
    ann.receives("house/safe/2", "x");
    ann.receives_nothing();
}

#[test]
fn writing_and_reading_are_two_rights() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    ann.subscribes("log/ann", 0);
    ann.publishes_at(1, "log/ann", "written");
    ann.receives_nothing();
    let mut bob = user(&broker, V5, "bob");
    assert!(!may_publish(&mut bob, "house/kitchen/x"));
}

#[test]
fn rules_before_any_user_are_for_clients_without_a_name() {
    let broker = broker();
    let mut nameless = broker.v5("nameless");
    nameless.subscribes("#", 0);
    let mut ann = user(&broker, V5, "ann");
    assert!(!may_publish(&mut ann, "public/x"));
    nameless.receives_nothing();
}

#[test]
fn patterns_stand_for_user_name_and_client_identifier() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    ann.subscribes("#", 0);
    ann.publishes_at(1, "own/ann/x", "mine");
    ann.receives("own/ann/x", "mine");
    ann.publishes_at(1, "device/of ann/x", "mine too");
    ann.receives("device/of ann/x", "mine too");
    for topic in ["own/bob/x", "device/of bob/x", "own/%u/x", "device/%c/x"] {
        assert!(!may_publish(&mut ann, topic), "{topic}");
    }
    ann.receives_nothing();
}

#[test]
fn names_with_wildcards_do_not_widen_a_pattern() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    for name in ["+", "#", "ann/#", "+/x"] {
        let mut wild = user(&broker, V5, name);
        wild.subscribes("#", 0);
        ann.publishes_at(1, "own/ann/x", "secret");
        wild.receives_nothing();
        assert!(!may_publish(&mut wild, "own/ann/x"), "{name}");
    }
    for id in ["+", "#"] {
        let mut wild = broker.connect(V5, &Connect::new(id).username("eve"));
        wild.subscribes("device/#", 0);
        ann.publishes_at(1, "device/of ann/x", "secret");
        wild.receives_nothing();
    }
}

#[test]
fn a_retained_message_is_given_out_only_to_those_who_may_read_it() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    ann.retains("house/kitchen/light", "on");
    ann.retains("house/cellar/light", "off");
    let mut bob = user(&broker, V5, "bob");
    bob.subscribes("#", 0);
    bob.receives("house/kitchen/light", "on");
    bob.receives_nothing();
}

#[test]
fn a_will_that_its_client_may_not_publish_is_not_sent() {
    let broker = broker();
    let mut bob = user(&broker, V5, "bob");
    bob.subscribes("house/#", 0);
    for version in Version::ALL {
        let mut stranger = broker.open(version);
        stranger.send(&Connect::new("c").will(Will::new("house/kitchen/x", "gone")));
        stranger.expect_connack();
        stranger.drops();
    }
    bob.receives_nothing();
    let connect = Connect::new("a").username("ann").will(Will::new("house/kitchen/x", "gone"));
    broker.connect(V5, &connect).drops();
    bob.receives("house/kitchen/x", "gone");
}

// ---------------------------------------------------------------- changes while running

/// Replaces the rules, and waits until they let `client` publish to `probe`.
fn changes_rules(broker: &Broker, rules: &str, client: &mut Client) {
    fs::write(broker.file("acl"), rules).expect("the ACL file is written");
    broker.signal("HUP");
    waits_until_allowed(client, "probe");
}

fn waits_until_allowed(client: &mut Client, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !may_publish(client, topic) {
        assert!(Instant::now() < deadline, "the new rules do not come into force");
    }
}

/// Whether a publish at QoS 1 is acknowledged with success; otherwise it must be Not authorized.
#[track_caller]
fn may_publish(client: &mut Client, topic: &str) -> bool {
    let code = client.publish(&Publish::new(topic, "x").qos(1).id(1));
    assert!(code < 0x80 || code == 0x87, "{code:#04x}");
    code < 0x80
}

#[test]
fn a_change_disconnects_nobody_and_counts_from_the_next_message() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    let mut bob = user(&broker, V5, "bob");
    bob.subscribes("house/#", 0);
    ann.publishes("house/kitchen/a", "before");
    bob.receives("house/kitchen/a", "before");
    let rules =
        "user ann\ntopic write house/#\ntopic write probe\nuser bob\ntopic read house/cellar/#\n";
    changes_rules(&broker, rules, &mut ann);
    ann.publishes("house/kitchen/a", "no longer");
    ann.publishes("house/cellar/a", "newly");
    bob.receives("house/cellar/a", "newly");
    bob.receives_nothing();
}

#[test]
fn saving_the_file_is_enough() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    assert!(!may_publish(&mut ann, "new/topic"));
    fs::write(broker.file("acl"), "user ann\ntopic write new/topic\n").expect("written");
    waits_until_allowed(&mut ann, "new/topic");
}

#[test]
fn waiting_messages_meet_the_new_rules() {
    let broker = broker();
    let keeping = Connect::new("of bob").username("bob").keeping_its_session();
    let mut bob = broker.connect(V5, &keeping);
    bob.subscribes("house/#", 1);
    bob.disconnects();
    let mut ann = user(&broker, V5, "ann");
    ann.publishes_at(1, "house/kitchen/a", "waits");
    ann.publishes_at(1, "house/safe/a", "nobody reads this");
    let rules = "user ann\ntopic write #\nuser bob\ntopic read house/cellar/#\n";
    changes_rules(&broker, rules, &mut ann);
    ann.publishes_at(1, "house/cellar/a", "may be read");
    let mut bob = broker.connect(V5, &keeping);
    bob.receives("house/cellar/a", "may be read");
    bob.receives_nothing();
}

#[test]
fn a_retained_message_whose_author_has_lost_the_right_is_not_given_out() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    ann.retains("house/kitchen/a", "of ann");
    ann.retains("house/kitchen/b", "of ann");
    let rules =
        "user ann\ntopic write house/kitchen/b\ntopic write probe\nuser bob\ntopic read house/#\n";
    changes_rules(&broker, rules, &mut ann);
    let mut bob = user(&broker, V5, "bob");
    bob.subscribes("house/#", 0);
    bob.receives("house/kitchen/b", "of ann");
    bob.receives_nothing();
}

#[test]
fn a_broken_file_is_reported_with_its_line_and_the_old_rules_stay() {
    let broker = broker();
    let mut ann = user(&broker, V5, "ann");
    fs::write(broker.file("acl"), "user ann\ntopic readwrite a/#\ntopic scribble b/c d\n")
        .expect("written");
    broker.signal("HUP");
    broker.says(&["acl:3"]);
    assert!(may_publish(&mut ann, "house/kitchen/x"));
    assert!(!may_publish(&mut ann, "a/b"));
}

#[test]
fn denials_are_told_in_the_log_with_client_topic_and_what_decided() {
    let broker = broker();
    let mut stranger = broker.v5("the-stranger");
    assert!(!may_publish(&mut stranger, "house/kitchen/x"));
    broker.says(&["the-stranger", "house/kitchen/x", "decided_by"]);
    let mut ann = user(&broker, V5, "ann");
    assert!(!may_publish(&mut ann, "house/safe"));
    broker.says(&["of ann", "house/safe", "acl:4"]);
}
