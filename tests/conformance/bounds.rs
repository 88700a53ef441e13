//! The bounds of the broker, and the one answer to each when it is reached.

use pintle_tests::wire::{Connect, Packet, Prop, Publish, Subscribe};
use pintle_tests::{Broker, V5, V311, Version};

use crate::broker_with;

#[test]
fn a_full_queue_gives_up_its_oldest_messages() {
    let broker = broker_with("[limits]\nqueue_messages_max = 3");
    for version in Version::ALL {
        let keeping = Connect::new("s").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribes("t", 1);
        client.disconnects();
        let mut publisher = broker.v5("p");
        for number in 0..5 {
            publisher.publishes_at(1, "t", &number.to_string());
        }
        let mut client = broker.connect(version, &keeping);
        for payload in ["2", "3", "4"] {
            client.receives("t", payload);
        }
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "s").disconnects();
    }
}

#[test]
fn a_full_queue_may_be_told_to_take_no_more() {
    let broker = broker_with("[limits]\nqueue_messages_max = 3\nqueue_overflow = \"drop-newest\"");
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    client.disconnects();
    let mut publisher = broker.v5("p");
    for number in 0..5 {
        publisher.publishes_at(1, "t", &number.to_string());
    }
    let mut client = broker.connect(V5, &keeping);
    for payload in ["0", "1", "2"] {
        client.receives("t", payload);
    }
    client.receives_nothing();
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let broker = broker_with("[limits]\nqueue_bytes_max = 1000");
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    client.disconnects();
    let mut publisher = broker.v5("p");
    for number in 0..10 {
        publisher.publishes_at(1, "t", &format!("{number}{}", "x".repeat(400)));
    }
    let mut client = broker.connect(V5, &keeping);
    for number in ["8", "9"] {
        assert!(client.takes().text().starts_with(number));
    }
    client.receives_nothing();
}

#[test]
fn what_does_not_fit_the_outbox_of_a_slow_client_is_dropped_at_qos_0() {
    let broker = broker_with("[limits]\noutbox_bytes_max = \"64KiB\"");
    let mut slow = broker.v5("slow");
    slow.subscribes("t", 0);
    let mut publisher = broker.v5("p");
    let payload = "x".repeat(50_000);
    for _ in 0..400 {
        publisher.send(&Publish::new("t", &payload));
    }
    publisher.is_heard();
    slow.is_heard();
    publisher.publishes("t", "end");
    let mut got = 0;
    while slow.takes().text() != "end" {
        got += 1;
    }
    assert!(got < 400, "20 MB do not fit 64 KiB and the system's buffers");
}

#[test]
fn a_v3_client_has_no_more_in_flight_than_it_may() {
    let broker = broker_with("[limits]\ninflight_max = 2");
    for version in Version::V3 {
        let mut client = broker.client(version, "s");
        client.subscribes("t", 1);
        let mut publisher = broker.v5("p");
        for number in 0..4 {
            publisher.publishes_at(1, "t", &number.to_string());
        }
        let (first, second) = (client.expect_publish(), client.expect_publish());
        client.receives_nothing();
        client.acknowledges(&first);
        client.receives("t", "2");
        client.acknowledges(&second);
        client.receives("t", "3");
        client.receives_nothing();
        client.disconnects();
    }
}

#[test]
fn a_session_outlives_its_connection_no_longer_than_the_broker_allows() {
    let broker = broker_with("[limits]\nsession_expiry_secs_max = 1");
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.open(V5);
    let connack = client.connects(&keeping);
    assert!(connack.props.contains(&Prop::SessionExpiry(1)), "{connack:?}");
    client.disconnects();
    broker.connect(V311, &Connect::new("d").resuming()).disconnects();
    broker.lets_seconds_pass(2);
    for (version, id) in [(V5, "c"), (V311, "d")] {
        let connect = Connect::new(id).keeping_its_session();
        assert!(!broker.open(version).connects(&connect).session_present, "{version:?}");
    }
}

#[test]
fn one_retained_message_too_many_is_delivered_but_not_kept() {
    // The broker's own messages under $SYS would count too.
    let broker = broker_with(
        "[limits]\nretained_messages_max = 2\n\
         [[plugin]]\nuse = \"builtin:sys-stats\"\nenabled = false\n",
    );
    let mut live = broker.v5("live");
    live.subscribes("#", 0);
    let mut client = broker.v5("c");
    for (topic, payload) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "replaced")] {
        client.retains(topic, payload);
        live.receives(topic, payload);
    }
    assert_eq!(kept(&broker), ["a replaced", "b 2"]);
    client.retains("b", "");
    client.retains("c", "4");
    assert_eq!(kept(&broker), ["a replaced", "c 4"]);
}

/// The two retained messages of the broker.
fn kept(broker: &Broker) -> [String; 2] {
    let mut client = broker.v5("reads");
    client.subscribes("#", 0);
    let mut found = [(); 2].map(|()| {
        let one = client.takes();
        format!("{} {}", one.topic, one.text())
    });
    client.receives_nothing();
    client.disconnects();
    found.sort();
    found
}

#[test]
fn beyond_the_brokers_bytes_publishes_of_qos_1_and_2_are_refused() {
    let broker = broker_with("[limits]\nbroker_bytes_max = \"1MiB\"");
    let mut client = broker.v5("c");
    let payload = "x".repeat(100_000);
    let mut codes: Vec<u8> = Vec::new();
    for number in 0..20 {
        let topic = format!("t/{number}");
        let publish = Publish::new(&topic, &payload).qos(1 + number % 2).retained();
        codes.push(client.publish(&publish));
    }
    assert!(codes[0] < 0x80);
    assert_eq!(codes[19], 0x97);
    for number in 0..20 {
        client.publish(&Publish::new(format!("t/{number}"), "").retained());
    }
    let code = client.publish(&Publish::new("t/0", "fits again").qos(1).retained());
    assert!(code < 0x80, "{code:#04x}");
}

#[test]
fn one_session_too_many_is_not_let_in() {
    let broker = broker_with("[limits]\nsessions_max = 2");
    let first = broker.v5("first");
    let mut second = broker.v5("second");
    let mut third = broker.open(V5);
    third.send(&Connect::new("third"));
    assert!(matches!(third.expect_connack().code, 0x88 | 0x89 | 0x97));
    third.is_closed();
    second.receives_nothing();
    first.disconnects();
    broker.v5("third");
}

#[test]
fn a_bound_on_subscriptions_may_be_set() {
    let broker = broker_with("[limits]\nsubscriptions_max = 2");
    let mut client = broker.v5("c");
    let three = Subscribe::to("a", 0).and("b", 0).and("c", 0);
    assert_eq!(client.subscribe(&three), [0, 0, 0x97]);
    let mut v3 = broker.client(V311, "v3");
    assert_eq!(v3.subscribe(&three), [0, 0, 0x80]);
    client.publishes("c", "not for anybody");
    client.receives_nothing();
}

#[test]
fn bounds_on_topics_may_be_set() {
    let broker = broker_with("[limits]\ntopic_levels_max = 3\ntopic_bytes_max = 10");
    let mut client = broker.v5("c");
    assert_eq!(client.subscribe(&Subscribe::to("a/b/c", 0).and("a/b/c/d", 0)), [0, 0x8F]);
    client.publishes("a/b/c", "x");
    client.receives("a/b/c", "x");
    client.send(&Publish::new("12345678901", "x"));
    match client.next_packet() {
        Some(Packet::Disconnect { code, .. }) => assert_eq!(code, 0x90),
        other => panic!("expected DISCONNECT, not {other:?}"),
    }
}
