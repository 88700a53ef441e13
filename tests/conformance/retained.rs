//! Retained messages (3.3.1.3) and Retain Handling (3.8.3.1).

use pintle_tests::wire::{Connect, Prop, Publish, Subscribe, Will};
use pintle_tests::{V5, V311, Version};

use crate::broker;

/// [MQTT-3.3.1-5]
#[test]
fn a_retained_message_comes_to_whoever_subscribes_later() {
    let broker = broker();
    for version in Version::ALL {
        for qos in 0..=2 {
            let mut publisher = broker.client(version, "p");
            publisher.publish(&Publish::new("t", "kept").qos(qos).retained());
            publisher.disconnects();
            for reads in Version::ALL {
                for granted in 0..=2 {
                    let mut subscriber = broker.client(reads, "s");
                    subscriber.subscribes("t", granted);
                    let delivery = subscriber.receives("t", "kept");
                    assert!(delivery.retain);
                    assert_eq!(delivery.qos, qos.min(granted));
                    subscriber.receives_nothing();
                    subscriber.disconnects();
                }
            }
        }
    }
}

/// [MQTT-3.3.1-12]
#[test]
fn a_retained_message_is_delivered_live_with_retain_clear() {
    let broker = broker();
    for version in Version::ALL {
        let mut subscriber = broker.client(version, "s");
        subscriber.subscribes("t", 1);
        broker.v5("p").publish(&Publish::new("t", "x").qos(1).retained());
        assert!(!subscriber.receives("t", "x").retain);
        subscriber.receives_nothing();
        subscriber.disconnects();
        broker.v5("p").retains("t", "");
    }
}

/// [MQTT-3.3.1-13]
#[test]
fn retain_as_published_keeps_the_flag() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribe(&Subscribe::to("t", Subscribe::RETAIN_AS_PUBLISHED));
    let mut publisher = broker.v5("p");
    publisher.retains("t", "retained");
    publisher.publishes("t", "live");
    assert!(subscriber.receives("t", "retained").retain);
    assert!(!subscriber.receives("t", "live").retain);
}

/// [MQTT-3.3.1-5]
#[test]
fn a_retained_publish_replaces_the_one_before() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.retains("t", "old");
    publisher.publish(&Publish::new("t", "new").qos(2).retained());
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 2);
    assert_eq!(subscriber.receives("t", "new").qos, 2);
    subscriber.receives_nothing();
}

/// [MQTT-3.3.1-8]
#[test]
fn a_publish_that_is_not_retained_leaves_the_retained_one() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.retains("t", "kept");
    publisher.publishes("t", "live");
    publisher.publishes("t", "");
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 0);
    subscriber.receives("t", "kept");
    subscriber.receives_nothing();
}

/// [MQTT-3.3.1-6] [MQTT-3.3.1-7]
#[test]
fn an_empty_payload_deletes_and_is_itself_delivered() {
    let broker = broker();
    for version in Version::ALL {
        let mut publisher = broker.client(version, "p");
        publisher.retains("t", "kept");
        let mut live = broker.client(version, "live");
        live.subscribes("t", 0);
        live.receives("t", "kept");
        for _ in 0..3 {
            publisher.retains("t", "");
            assert!(!live.receives("t", "").retain);
        }
        let mut later = broker.client(version, "later");
        later.subscribes("#", 0);
        later.receives_nothing();
    }
}

#[test]
fn wildcards_find_every_retained_message_once() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    let topics = ["a", "a/b", "a/b/c", "a//c", "b/b", "/", "$hidden/a"];
    for topic in topics {
        publisher.retains(topic, topic);
    }
    for (filter, expected) in [
        ("#", vec!["/", "a", "a//c", "a/b", "a/b/c", "b/b"]),
        ("a/#", vec!["a", "a//c", "a/b", "a/b/c"]),
        ("+/b", vec!["a/b", "b/b"]),
        ("a/+/c", vec!["a//c", "a/b/c"]),
        ("+/+", vec!["/", "a/b", "b/b"]),
        ("+", vec!["a"]),
        ("$hidden/#", vec!["$hidden/a"]),
        ("a/b/c/#", vec!["a/b/c"]),
        ("nothing/#", vec![]),
    ] {
        let mut subscriber = broker.v5("s");
        subscriber.subscribes(filter, 0);
        let mut found: Vec<String> = expected.iter().map(|_| subscriber.takes().topic).collect();
        found.sort();
        assert_eq!(found, expected, "{filter}");
        subscriber.receives_nothing();
    }
}

#[test]
fn retained_messages_keep_their_properties() {
    let broker = broker();
    let props = [
        Prop::PayloadFormat(1),
        Prop::ContentType("text".to_owned()),
        Prop::ResponseTopic("r".to_owned()),
        Prop::CorrelationData(vec![1, 2]),
        Prop::user("k", "v"),
        Prop::user("k", "w"),
    ];
    let publish = props.iter().cloned().fold(Publish::new("t", "x").retained(), Publish::with);
    broker.v5("p").publish(&publish);
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 0);
    assert_eq!(subscriber.receives("t", "x").props, props);
    let mut v3 = broker.client(V311, "v3");
    v3.subscribes("t", 0);
    v3.receives("t", "x");
}

#[test]
fn a_retained_message_set_through_an_alias_is_kept_under_its_topic() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.publish(&Publish::new("t", "1").with(Prop::TopicAlias(1)));
    publisher.publish(&Publish::new("", "2").retained().with(Prop::TopicAlias(1)));
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 0);
    let delivery = subscriber.receives("t", "2");
    assert!(delivery.props.is_empty());
}

/// [MQTT-3.3.1-9] [MQTT-3.8.4-4]
#[test]
fn retain_handling_0_brings_retained_messages_at_every_subscribe() {
    let broker = broker();
    broker.v5("p").retains("t", "kept");
    for version in Version::ALL {
        let mut client = broker.client(version, "s");
        for _ in 0..3 {
            client.subscribes("t", 0);
            assert!(client.receives("t", "kept").retain);
        }
        client.receives_nothing();
        client.disconnects();
    }
}

/// [MQTT-3.3.1-10]
#[test]
fn retain_handling_1_brings_them_only_to_a_new_subscription() {
    let broker = broker();
    broker.v5("p").retains("t", "kept");
    let mut client = broker.v5("s");
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW));
    client.receives("t", "kept");
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW));
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW | 1));
    client.receives_nothing();
    client.unsubscribes(&["t"]);
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW));
    client.receives("t", "kept");
    client.receives_nothing();
}

/// [MQTT-3.3.1-10]
#[test]
fn after_a_resumed_session_retain_handling_1_knows_the_subscription() {
    let broker = broker();
    broker.v5("p").retains("t", "kept");
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW));
    client.receives("t", "kept");
    client.disconnects();
    let mut client = broker.connect(V5, &keeping);
    client.receives_nothing();
    client.subscribe(&Subscribe::to("t", Subscribe::SEND_IF_NEW));
    client.receives_nothing();
    client.subscribe(&Subscribe::to("t", 0));
    client.receives("t", "kept");
    client.receives_nothing();
}

/// [MQTT-3.3.1-11]
#[test]
fn retain_handling_2_brings_none() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.retains("t", "kept");
    let mut client = broker.v5("s");
    client.subscribe(&Subscribe::to("t", Subscribe::DO_NOT_SEND));
    client.subscribe(&Subscribe::to("t", Subscribe::DO_NOT_SEND));
    client.receives_nothing();
    publisher.retains("t", "live");
    client.receives("t", "live");
}

#[test]
fn overlapping_filters_of_one_subscribe_each_bring_what_they_match() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.retains("a/b", "1");
    publisher.retains("c", "2");
    let mut client = broker.v5("s");
    client.subscribe(&Subscribe::to("a/#", 0).and("c", 0));
    let mut topics = [client.takes().topic, client.takes().topic];
    topics.sort();
    assert_eq!(topics, ["a/b", "c"]);
    client.receives_nothing();
}

#[test]
fn many_retained_messages_all_come_even_to_a_small_quota() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    for number in 0..700 {
        publisher.send(&Publish::new(format!("t/{number}"), "x").qos(1).retained().id(number + 1));
    }
    publisher.is_heard();
    let mut client = broker.connect(V5, &Connect::new("s").with(Prop::ReceiveMaximum(3)));
    client.subscribes("t/#", 1);
    let mut topics: Vec<String> = (0..700).map(|_| client.takes().topic).collect();
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), 700);
    client.receives_nothing();
}

/// [MQTT-3.1.2-15]
#[test]
fn a_retained_will_is_kept() {
    let broker = broker();
    for version in Version::ALL {
        let connect = Connect::new("c").will(Will::new("will", "gone").retained());
        broker.connect(version, &connect).drops();
        let mut client = broker.client(version, "s");
        client.subscribes("will", 0);
        assert!(client.receives("will", "gone").retain);
        client.retains("will", "");
    }
}
