//! Sessions that outlive their connections, and those that do not (3.1.2.4, 3.1.2.11.2, 4.1).

use pintle_tests::wire::{Connect, Disconnect, Prop, Publish, Subscribe};
use pintle_tests::{V5, V31, V311, Version};

use crate::broker;

/// [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-2] [MQTT-3.2.2-3]
#[test]
fn session_present_is_told_only_if_state_was_kept() {
    let broker = broker();
    for version in [V311, V5] {
        let keeping = Connect::new("c").keeping_its_session();
        let mut client = broker.open(version);
        assert!(!client.connects(&keeping).session_present, "nothing was kept yet");
        client.disconnects();
        let mut client = broker.open(version);
        assert!(client.connects(&keeping).session_present);
        client.disconnects();
        let mut client = broker.open(version);
        assert!(!client.connects(&Connect::new("c")).session_present, "a clean start");
        client.disconnects();
        let mut client = broker.open(version);
        assert!(!client.connects(&keeping).session_present, "the clean one left nothing");
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-4.1.0-1]
#[test]
fn subscriptions_and_waiting_messages_are_there_after_a_reconnect() {
    let broker = broker();
    for version in Version::ALL {
        let keeping = Connect::new("c").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribes("one", 1);
        client.subscribes("two/#", 2);
        client.disconnects();

        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, "one", "1");
        publisher.publishes_at(2, "two/x", "2");
        publisher.publishes_at(2, "one", "3");

        let mut client = broker.connect(version, &keeping);
        assert_eq!(client.receives("one", "1").qos, 1);
        assert_eq!(client.receives("two/x", "2").qos, 2);
        assert_eq!(client.receives("one", "3").qos, 1);
        publisher.publishes("one", "live");
        client.receives("one", "live");
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-3.1.2-4]
#[test]
fn a_clean_start_drops_subscriptions_and_waiting_messages() {
    let broker = broker();
    for version in Version::ALL {
        let keeping = Connect::new("c").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribes("t", 1);
        client.disconnects();
        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, "t", "waits");

        let mut client = broker.client(version, "c");
        client.receives_nothing();
        publisher.publishes_at(1, "t", "live");
        client.receives_nothing();
        client.disconnects();
        let mut client = broker.connect(version, &keeping);
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-4.1.0-2]
#[test]
fn a_clean_session_of_v3_ends_with_its_connection() {
    let broker = broker();
    for version in Version::V3 {
        let mut client = broker.client(version, "c");
        client.subscribes("t", 1);
        client.disconnects();
        broker.v5("p").publishes_at(1, "t", "x");
        let mut client = broker.connect(version, &Connect::new("c").resuming());
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-4.1.0-2]
#[test]
fn a_v5_session_without_an_expiry_interval_ends_with_its_connection() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("c").resuming());
    client.subscribes("t", 1);
    client.drops();
    broker.v5("p").publishes_at(1, "t", "x");
    let mut client = broker.open(V5);
    assert!(!client.connects(&Connect::new("c").resuming()).session_present);
    client.receives_nothing();
}

/// [MQTT-4.1.0-2]
#[test]
fn a_session_is_gone_once_its_expiry_interval_has_passed() {
    let broker = broker();
    let connect = Connect::new("c").resuming().with(Prop::SessionExpiry(1));
    let mut client = broker.connect(V5, &connect);
    client.subscribes("t", 1);
    client.disconnects();
    broker.v5("p").publishes_at(1, "t", "x");
    broker.lets_seconds_pass(2);
    let mut client = broker.open(V5);
    assert!(!client.connects(&connect).session_present);
    client.receives_nothing();
}

/// [MQTT-3.1.2-23]
#[test]
fn a_session_expiry_interval_of_all_ones_never_passes() {
    let broker = broker();
    let connect = Connect::new("c").resuming().with(Prop::SessionExpiry(u32::MAX));
    broker.connect(V5, &connect).disconnects();
    broker.lets_seconds_pass(1);
    assert!(broker.open(V5).connects(&connect).session_present);
}

#[test]
fn the_expiry_interval_of_the_last_connection_counts() {
    let broker = broker();
    broker.connect(V5, &Connect::new("c").keeping_its_session()).disconnects();
    let mut second = broker.open(V5);
    let connack = second.connects(&Connect::new("c").resuming().with(Prop::SessionExpiry(0)));
    assert!(connack.session_present);
    second.disconnects();
    let mut third = broker.open(V5);
    assert!(!third.connects(&Connect::new("c").keeping_its_session()).session_present);
}

#[test]
fn a_session_may_be_resumed_by_another_version() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut publisher = broker.v5("p");
    for (before, after) in [(V31, V5), (V311, V5), (V5, V311), (V5, V31), (V31, V311)] {
        let mut client = broker.connect(before, &keeping);
        client.subscribes("t", 2);
        client.disconnects();
        let message = Publish::new("t", "x").qos(2).with(Prop::user("k", "v"));
        publisher.publish(&message);
        let mut client = broker.connect(after, &keeping);
        client.receives("t", "x");
        client.receives_nothing();
        client.disconnects();
        broker.v5("c").disconnects();
    }
}

#[test]
fn messages_of_qos_0_do_not_break_what_waits_for_a_session() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 2);
    client.disconnects();
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes("t", "perhaps lost");
    publisher.publishes_at(2, "t", "2");
    let mut client = broker.connect(V5, &keeping);
    client.is_heard();
    let mut kept = Vec::new();
    while kept.len() < 2 {
        let delivery = client.takes();
        kept.extend((delivery.qos > 0).then(|| delivery.text()));
    }
    assert_eq!(kept, ["1", "2"]);
}

#[test]
fn a_lost_connection_keeps_the_session_as_a_disconnect_does() {
    let broker = broker();
    for version in Version::ALL {
        let keeping = Connect::new("c").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribe(&Subscribe::to("t", 1));
        client.drops();
        broker.v5("p").publishes_at(1, "t", "x");
        let mut client = broker.connect(version, &keeping);
        client.receives("t", "x");
        client.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-3.14.2-2]
#[test]
fn a_disconnect_may_shorten_or_lengthen_the_session() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let ending = Disconnect::code(0).with(Prop::SessionExpiry(0));
    broker.connect(V5, &keeping).disconnects_with(&ending);
    let short = Connect::new("c").resuming().with(Prop::SessionExpiry(1));
    let mut client = broker.open(V5);
    assert!(!client.connects(&short).session_present, "DISCONNECT ended the session");
    client.disconnects_with(&Disconnect::code(0).with(Prop::SessionExpiry(100)));
    broker.lets_seconds_pass(2);
    assert!(broker.open(V5).connects(&short).session_present, "DISCONNECT made it longer");
}
