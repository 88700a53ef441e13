//! PUBLISH, from a client and to its subscribers (3.3).

use pintle_tests::wire::{Ack, AckKind, Prop, Publish, Subscribe};
use pintle_tests::{V5, Version};

use crate::broker;

/// [MQTT-3.3.4-1] [MQTT-3.8.4-7] [MQTT-3.8.4-8] [MQTT-4.3.1-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8]
#[test]
fn a_message_comes_at_the_lower_of_both_qos_between_all_versions() {
    let broker = broker();
    for sends in Version::ALL {
        let mut publisher = broker.client(sends, "p");
        for receives in Version::ALL {
            for granted in 0..=2 {
                let mut subscriber = broker.client(receives, "s");
                subscriber.subscribes("a/b", granted);
                for qos in 0..=2 {
                    publisher.publishes_at(qos, "a/b", "payload");
                    let delivery = subscriber.receives("a/b", "payload");
                    assert_eq!(delivery.qos, qos.min(granted));
                    assert!(!delivery.dup && !delivery.retain);
                }
                subscriber.receives_nothing();
                subscriber.disconnects();
            }
        }
        publisher.disconnects();
    }
}

/// [MQTT-3.3.1-4]
#[test]
fn qos_3_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Publish::new("t", "x").qos(3).id(1));
        client.is_refused_with(0x81);
    }
}

/// [MQTT-3.3.1-2]
#[test]
fn dup_at_qos_0_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Publish::new("t", "x").dup());
        client.is_refused_with(0x81);
    }
}

/// [MQTT-2.2.1-3]
#[test]
fn packet_identifier_0_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for qos in [1, 2] {
            let mut client = broker.client(version, "c");
            client.send(&Publish::new("t", "x").qos(qos).id(0));
            client.is_refused_with(0x82);
        }
    }
}

/// [MQTT-3.3.2-2] [MQTT-4.7.1-1]
#[test]
fn a_topic_name_with_a_wildcard_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for topic in ["a/+", "#", "a/#", "+", "a+b", "a#"] {
            let mut client = broker.client(version, "c");
            client.send(&Publish::new(topic, "x"));
            client.is_refused_with(0x90);
        }
    }
}

/// [MQTT-4.7.3-1]
#[test]
fn an_empty_topic_name_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Publish::new("", "x"));
        client.is_refused_with(0x82);
    }
}

/// [MQTT-3.3.1-1] [MQTT-3.3.1-3]
#[test]
fn dup_is_not_passed_on() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    publisher.publish(&Publish::new("t", "x").qos(1).dup());
    publisher.publish(&Publish::new("t", "y").qos(2).dup());
    assert!(!subscriber.receives("t", "x").dup);
    assert!(!subscriber.receives("t", "y").dup);
}

#[test]
fn payloads_of_every_size_arrive_whole() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.subscribes("t", 1);
        for len in [0, 1, 100, 127, 128, 129, 16_000, 16_384, 70_000, 1_000_000] {
            let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
            client.publish(&Publish::new("t", &payload).qos(1));
            assert!(client.takes().payload == payload, "{len} bytes");
        }
        client.receives_nothing();
    }
}

/// [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT-4.5.0-1]
#[test]
fn messages_of_one_publisher_arrive_in_their_order() {
    let broker = broker();
    for qos in 0..=2 {
        let mut subscriber = broker.v5("s");
        subscriber.subscribes("t/#", qos);
        let mut publisher = broker.v5("p");
        for number in 0..200 {
            let publish = Publish::new(format!("t/{}", number % 3), number.to_string()).qos(qos);
            publisher.send(&if qos == 0 { publish } else { publish.id(number + 1) });
        }
        publisher.is_heard();
        for number in 0..200_u16 {
            assert_eq!(subscriber.takes().text(), number.to_string());
        }
        subscriber.receives_nothing();
        publisher.disconnects();
        subscriber.disconnects();
    }
}

/// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[test]
fn acknowledgements_come_in_the_order_of_what_they_acknowledge() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        for id in 1..=60 {
            client.send(&Publish::new(format!("t/{}", id % 4), "x").qos(1).id(id));
            client.send(&Publish::new(format!("t/{}", id % 3), "x").qos(2).id(100 + id));
        }
        for id in 1..=60 {
            assert_eq!(client.expect_ack(AckKind::PubAck).id, id);
            assert_eq!(client.expect_ack(AckKind::PubRec).id, 100 + id);
        }
    }
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrels_come_in_the_order_of_the_pubrecs() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    for _ in 0..10 {
        publisher.publishes_at(2, "t", "x");
    }
    let ids: Vec<u16> = (0..10).map(|_| client.expect_publish().packet_id()).collect();
    for id in ids.iter().rev() {
        client.send(&Ack::new(AckKind::PubRec, *id));
    }
    for id in ids.iter().rev() {
        assert_eq!(client.expect_ack(AckKind::PubRel).id, *id);
    }
}

#[test]
fn a_publisher_that_subscribes_gets_its_own_messages() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.subscribes("t", 2);
        for qos in 0..=2 {
            client.publishes_at(qos, "t", "own");
            client.receives("t", "own");
        }
        client.receives_nothing();
    }
}

/// [MQTT-3.3.2-3]
#[test]
fn only_those_who_asked_for_a_topic_get_it() {
    let broker = broker();
    let mut subscribers: Vec<_> = (0..5)
        .map(|number| {
            let mut subscriber = broker.v5(&format!("s{number}"));
            subscriber.subscribes(&format!("t/{number}"), 0);
            subscriber
        })
        .collect();
    let mut publisher = broker.v5("p");
    for number in 0..5 {
        publisher.publishes(&format!("t/{number}"), &number.to_string());
    }
    for (number, subscriber) in subscribers.iter_mut().enumerate() {
        subscriber.receives(&format!("t/{number}"), &number.to_string());
        subscriber.receives_nothing();
    }
}

/// [MQTT-3.3.4-2]
#[test]
fn a_message_that_matches_several_subscriptions_of_a_client_comes_at_the_highest_qos() {
    let broker = broker();
    for version in Version::ALL {
        let mut subscriber = broker.client(version, "s");
        subscriber.subscribes("a/#", 0);
        subscriber.subscribes("a/+", 2);
        subscriber.subscribes("+/b", 1);
        broker.v5("p").publishes_at(2, "a/b", "x");
        assert_eq!(subscriber.receives("a/b", "x").qos, 2);
        subscriber.is_heard();
        subscriber.disconnects();
    }
}

/// [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
#[test]
fn properties_of_a_message_arrive_as_they_were_sent() {
    let broker = broker();
    let props = [
        Prop::PayloadFormat(1),
        Prop::ContentType("text/plain".to_owned()),
        Prop::ResponseTopic("answers/to/me".to_owned()),
        Prop::CorrelationData(vec![0, 255, 1]),
        Prop::user("b", "1"),
        Prop::user("a", "2"),
        Prop::user("b", "3"),
        Prop::user("", ""),
    ];
    for qos in 0..=2 {
        let mut subscriber = broker.v5("s");
        subscriber.subscribes("t", qos);
        let mut v3 = broker.client(Version::V311, "v3");
        v3.subscribes("t", qos);
        let publish = props.iter().cloned().fold(Publish::new("t", "x").qos(qos), Publish::with);
        broker.v5("p").publish(&publish);
        assert_eq!(subscriber.receives("t", "x").props, props);
        v3.receives("t", "x");
        subscriber.disconnects();
        v3.disconnects();
    }
}

#[test]
fn a_payload_that_says_it_is_text_must_be() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Publish::new("t", b"\xff\xfe").with(Prop::PayloadFormat(1)));
    client.is_refused_with(0x99);
    let mut client = broker.v5("c");
    client.subscribes("t", 0);
    client.publish(&Publish::new("t", b"\xff\xfe").with(Prop::PayloadFormat(0)));
    assert_eq!(client.takes().payload, b"\xff\xfe");
}

/// [MQTT-3.3.2-14]
#[test]
fn a_response_topic_with_a_wildcard_ends_the_connection() {
    let broker = broker();
    for topic in ["a/#", "+"] {
        let mut client = broker.v5("c");
        client.send(&Publish::new("t", "x").with(Prop::ResponseTopic(topic.to_owned())));
        client.is_refused_with(0x82);
    }
}

#[test]
fn a_slow_subscriber_does_not_stop_the_others() {
    let broker = broker();
    let mut slow = broker.v5("slow");
    slow.subscribes("t", 0);
    let mut quick = broker.v5("quick");
    quick.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    let payload = "x".repeat(100_000);
    for _ in 0..300 {
        publisher.publishes_at(1, "t", &payload);
        assert_eq!(quick.takes().payload.len(), payload.len());
    }
    quick.receives_nothing();
}

#[test]
fn unacknowledged_messages_beyond_the_queue_do_not_stop_a_publisher() {
    let broker = broker();
    let mut slow = broker.v5("slow");
    slow.subscribe(&Subscribe::to("t", 1));
    let mut publisher = broker.client(V5, "p");
    for number in 0..3000 {
        publisher.send(&Publish::new("t", number.to_string()).qos(1).id(number + 1));
    }
    publisher.is_heard();
    publisher.disconnects();
    slow.is_heard();
}
