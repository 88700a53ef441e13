//! Topic Alias, both ways (3.3.2.3.4).

use pintle_tests::wire::{Connect, Packet, Prop, Publish};
use pintle_tests::{Client, V5};

use crate::{broker, broker_with};

/// The Topic Alias Maximum that CONNACK tells.
fn alias_maximum(client: &mut Client, client_id: &str) -> u16 {
    let props = client.connects(&Connect::new(client_id)).props;
    let told = props.iter().find_map(|prop| match prop {
        Prop::TopicAliasMaximum(maximum) => Some(*maximum),
        _ => None,
    });
    told.unwrap_or(0)
}

/// [MQTT-3.3.2-12]
#[test]
fn an_alias_stands_for_its_topic() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("#", 2);
    client.publish(&Publish::new("a/b", "1").with(Prop::TopicAlias(1)));
    client.publish(&Publish::new("c", "2").with(Prop::TopicAlias(2)));
    for qos in 0..=2 {
        client.publish(&Publish::new("", "by alias").qos(qos).with(Prop::TopicAlias(1)));
    }
    client.publish(&Publish::new("", "3").with(Prop::TopicAlias(2)));
    client.receives("a/b", "1");
    client.receives("c", "2");
    for _ in 0..=2 {
        let delivery = client.receives("a/b", "by alias");
        assert!(delivery.props.is_empty(), "aliases are not passed on: {delivery:?}");
    }
    client.receives("c", "3");
    client.receives_nothing();
}

#[test]
fn an_alias_may_be_given_to_another_topic() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("#", 0);
    client.publish(&Publish::new("old", "1").with(Prop::TopicAlias(1)));
    client.publish(&Publish::new("new", "2").with(Prop::TopicAlias(1)));
    client.publish(&Publish::new("", "3").with(Prop::TopicAlias(1)));
    client.receives("old", "1");
    client.receives("new", "2");
    client.receives("new", "3");
}

/// [MQTT-3.3.2-8]
#[test]
fn alias_0_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Publish::new("t", "x").with(Prop::TopicAlias(0)));
    client.is_refused_with(0x94);
}

/// [MQTT-3.3.2-9] [MQTT-3.2.2-17]
#[test]
fn an_alias_above_the_announced_maximum_ends_the_connection() {
    let broker = broker_with("topic_alias_maximum = 5");
    let mut client = broker.open(V5);
    assert_eq!(alias_maximum(&mut client, "c"), 5);
    client.publish(&Publish::new("t", "x").with(Prop::TopicAlias(5)));
    client.send(&Publish::new("t", "x").with(Prop::TopicAlias(6)));
    client.is_refused_with(0x94);
}

/// [MQTT-3.2.2-18]
#[test]
fn where_aliases_are_switched_off_any_alias_ends_the_connection() {
    let broker = broker_with("topic_alias_maximum = 0");
    let mut client = broker.open(V5);
    assert_eq!(alias_maximum(&mut client, "c"), 0);
    client.send(&Publish::new("t", "x").with(Prop::TopicAlias(1)));
    client.is_refused_with(0x94);
}

#[test]
fn an_alias_that_was_never_set_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Publish::new("", "x").with(Prop::TopicAlias(3)));
    client.is_refused_with(0x82);
}

/// [MQTT-3.3.2-7]
#[test]
fn an_alias_dies_with_its_connection() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.publish(&Publish::new("t", "x").with(Prop::TopicAlias(1)));
    client.disconnects();
    let mut client = broker.connect(V5, &keeping);
    client.send(&Publish::new("", "x").with(Prop::TopicAlias(1)));
    client.is_refused_with(0x82);
}

#[test]
fn aliases_of_two_clients_are_their_own() {
    let broker = broker();
    let mut one = broker.v5("one");
    let mut two = broker.v5("two");
    one.subscribes("#", 0);
    one.publish(&Publish::new("of/one", "1").with(Prop::TopicAlias(1)));
    two.publish(&Publish::new("of/two", "2").with(Prop::TopicAlias(1)));
    one.publish(&Publish::new("", "3").with(Prop::TopicAlias(1)));
    one.receives("of/one", "1");
    one.receives("of/two", "2");
    one.receives("of/one", "3");
}

/// [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-10]
#[test]
fn a_client_is_sent_aliases_only_as_far_as_it_allows() {
    let broker = broker();
    for allowed in [None, Some(0), Some(2)] {
        let connect = allowed.into_iter().map(Prop::TopicAliasMaximum);
        let mut client = broker.connect(V5, &connect.fold(Connect::new("s"), Connect::with));
        client.subscribes("t/#", 0);
        let mut publisher = broker.v5("p");
        for round in 0..2 {
            for topic in 0..5 {
                publisher.publishes(&format!("t/{topic}"), &round.to_string());
            }
        }
        for _ in 0..10 {
            let Some(Packet::Publish(delivery)) = client.next_packet() else { panic!("a message") };
            let alias = delivery.props.iter().find_map(|prop| match prop {
                Prop::TopicAlias(alias) => Some(*alias),
                _ => None,
            });
            assert!(alias.is_none_or(|alias| alias > 0 && Some(alias) <= allowed));
            assert!(!delivery.topic.is_empty() || alias.is_some());
        }
        client.receives_nothing();
        client.disconnects();
    }
}
