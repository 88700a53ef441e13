//! Shared Subscriptions (4.8.2).

use std::collections::BTreeSet;

use pintle_tests::wire::{Ack, AckKind, Connect, Prop, Publish};
use pintle_tests::{Broker, Client, V5, V311, Version};

use crate::broker;

/// What each client has got, when nothing more comes; all of it is acknowledged.
fn drained(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.takes().text()).collect()
}

fn member(broker: &Broker, version: Version, name: &str, qos: u8) -> Client {
    let mut client = broker.client(version, name);
    client.subscribes("$share/g/t", qos);
    client
}

/// [MQTT-4.8.2-1]
#[test]
fn each_message_goes_to_exactly_one_member_in_turn() {
    let broker = broker();
    for qos in 0..=2 {
        let mut members: Vec<_> =
            (0..3).map(|n| member(&broker, Version::ALL[n], &format!("m{n}"), qos)).collect();
        let mut publisher = broker.v5("p");
        for number in 0..30 {
            publisher.publishes_at(qos, "t", &number.to_string());
        }
        let mut all = BTreeSet::new();
        for client in &mut members {
            let got = drained(client, 10);
            client.receives_nothing();
            all.extend(got);
        }
        assert_eq!(all.len(), 30, "none is delivered twice");
        members.into_iter().for_each(Client::disconnects);
    }
}

/// [MQTT-4.8.2-3]
#[test]
fn a_member_gets_the_lower_of_both_qos() {
    let broker = broker();
    for granted in 0..=2 {
        let mut client = member(&broker, V5, "m", granted);
        for qos in 0..=2 {
            broker.v5("p").publishes_at(qos, "t", "x");
            assert_eq!(client.receives("t", "x").qos, qos.min(granted));
        }
        client.disconnects();
    }
}

#[test]
fn ordinary_subscriptions_and_other_groups_are_independent() {
    let broker = broker();
    let mut one = broker.v5("one");
    one.subscribes("$share/g/t", 0);
    let mut two = broker.v5("two");
    two.subscribes("$share/h/t", 0);
    let mut three = broker.v5("three");
    three.subscribes("t", 0);
    let mut publisher = broker.v5("p");
    for payload in ["1", "2", "3"] {
        publisher.publishes("t", payload);
    }
    for client in [&mut one, &mut two, &mut three] {
        assert_eq!(drained(client, 3), ["1", "2", "3"]);
        client.receives_nothing();
    }
}

#[test]
fn a_client_may_hold_both_and_gets_a_message_for_each() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("$share/g/t", 0);
    client.subscribes("t", 0);
    broker.v5("p").publishes("t", "x");
    client.receives("t", "x");
    client.receives("t", "x");
    client.receives_nothing();
}

#[test]
fn wildcards_work_inside_a_group() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("$share/g/a/+/#", 0);
    let mut publisher = broker.v5("p");
    publisher.publishes("a/b", "1");
    publisher.publishes("a/b/c", "2");
    publisher.publishes("b/b", "3");
    client.receives("a/b", "1");
    client.receives("a/b/c", "2");
    client.receives_nothing();
}

/// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
#[test]
fn bad_names_are_refused() {
    let broker = broker();
    for filter in [
        "$share/g",
        "$share/",
        "$share//f",
        "$share/a+b/f",
        "$share/#/f",
        "$share/+/f",
        "$share/g/",
    ] {
        let mut client = broker.v5("c");
        client.send(&pintle_tests::wire::Subscribe::to(filter, 0).id(1));
        let answer = format!("{:?}", client.next_packet());
        assert!(answer.contains("[143]") || answer.contains("code: 143"), "{filter}: {answer}");
    }
}

#[test]
fn messages_sent_to_a_member_that_leaves_are_not_lost() {
    let broker = broker();
    let mut leaving = member(&broker, V5, "leaving", 1);
    let mut publisher = broker.v5("p");
    for number in 0..4 {
        publisher.publishes_at(1, "t", &number.to_string());
    }
    let acknowledged = leaving.takes();
    assert_eq!(acknowledged.text(), "0");
    leaving.is_heard();
    let mut staying = member(&broker, V5, "staying", 1);
    leaving.drops();
    publisher.publishes_at(1, "t", "4");
    let mut got = drained(&mut staying, 4);
    got.sort();
    assert_eq!(got, ["1", "2", "3", "4"]);
    staying.receives_nothing();
}

/// [MQTT-4.8.2-4]
#[test]
fn a_member_whose_session_goes_on_keeps_what_was_sent_to_it() {
    let broker = broker();
    let keeping = Connect::new("m").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("$share/g/t", 2);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes_at(2, "t", "2");
    client.expect_publish();
    client.expect_publish();
    client.drops();
    let mut client = broker.connect(V5, &keeping);
    assert!(client.receives("t", "1").dup);
    assert!(client.receives("t", "2").dup);
    client.receives_nothing();
}

#[test]
fn what_a_member_of_two_groups_leaves_goes_on_in_each_of_them() {
    let broker = broker();
    let mut leaving = broker.v5("leaving");
    leaving.subscribes("$share/g/t", 1);
    leaving.subscribes("$share/h/+", 1);
    leaving.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes_at(1, "t", "2");
    let mut of_g = broker.v5("of g");
    of_g.subscribes("$share/g/t", 1);
    let mut of_h = broker.v5("of h");
    of_h.subscribes("$share/h/+", 1);
    broker.v5("leaving").receives_nothing();
    for client in [&mut of_g, &mut of_h] {
        assert_eq!(drained(client, 2), ["1", "2"]);
        client.receives_nothing();
    }
}

#[test]
fn members_that_are_connected_come_before_those_that_are_not() {
    let broker = broker();
    let away = Connect::new("away").keeping_its_session();
    let mut client = broker.connect(V5, &away);
    client.subscribes("$share/g/t", 1);
    client.disconnects();
    let mut here = member(&broker, V5, "here", 1);
    let mut publisher = broker.v5("p");
    for number in 0..6 {
        publisher.publishes_at(1, "t", &number.to_string());
    }
    assert_eq!(drained(&mut here, 6), ["0", "1", "2", "3", "4", "5"]);
    here.receives_nothing();
}

#[test]
fn a_group_without_connected_members_keeps_messages_for_one_of_them() {
    let broker = broker();
    let keeping = Connect::new("m").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("$share/g/t", 1);
    client.disconnects();
    broker.v5("p").publishes_at(1, "t", "waits");
    let mut client = broker.connect(V5, &keeping);
    client.receives("t", "waits");
    client.receives_nothing();
}

/// [MQTT-4.8.2-6]
#[test]
fn a_rejected_message_is_not_sent_to_another_member() {
    let broker = broker();
    let mut first = member(&broker, V5, "first", 2);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes_at(2, "t", "2");
    let mut second = member(&broker, V5, "second", 2);
    let (one, two) = (first.expect_publish(), first.expect_publish());
    first.send(&Ack::new(AckKind::PubAck, one.packet_id()).code(0x80));
    first.send(&Ack::new(AckKind::PubRec, two.packet_id()).code(0x80));
    first.receives_nothing();
    first.disconnects();
    second.receives_nothing();
}

/// [MQTT-4.8.2-5]
#[test]
fn a_message_of_qos_2_whose_pubrec_came_stays_with_its_member() {
    let broker = broker();
    let mut first = member(&broker, V5, "first", 2);
    broker.v5("p").publishes_at(2, "t", "x");
    let id = first.expect_publish().packet_id();
    let mut second = member(&broker, V5, "second", 2);
    first.send(&Ack::new(AckKind::PubRec, id));
    first.expect_ack(AckKind::PubRel);
    first.drops();
    second.receives_nothing();
}

#[test]
fn no_retained_message_comes_to_a_shared_subscription() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.retains("t", "kept");
    let mut client = member(&broker, V5, "m", 0);
    client.subscribes("$share/g/t", 0);
    client.receives_nothing();
    publisher.retains("t", "live");
    assert!(!client.receives("t", "live").retain);
}

#[test]
fn leaving_a_group_takes_only_that_group() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("$share/g/t", 0);
    client.subscribes("t", 0);
    assert_eq!(client.unsubscribes(&["$share/g/t"]), [0]);
    assert_eq!(client.unsubscribes(&["$share/g/t"]), [0x11]);
    broker.v5("p").publishes("t", "x");
    client.receives("t", "x");
    client.receives_nothing();
}

#[test]
fn groups_serve_clients_of_every_version() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = member(&broker, version, "m", 1);
        broker.v5("p").publish(&Publish::new("t", "x").qos(1).with(Prop::user("k", "v")));
        client.receives("t", "x");
        client.disconnects();
    }
}

#[test]
fn a_member_with_a_full_quota_does_not_stop_the_group() {
    let broker = broker();
    let mut full = broker.connect(V5, &Connect::new("full").with(Prop::ReceiveMaximum(1)));
    full.subscribes("$share/g/t", 1);
    let mut free = member(&broker, V311, "free", 1);
    let mut publisher = broker.v5("p");
    for number in 0..10 {
        publisher.publishes_at(1, "t", &number.to_string());
    }
    let held = full.expect_publish();
    let mut got = drained(&mut free, 5);
    full.acknowledges(&held);
    full.is_heard();
    got.push(held.text());
    free.is_heard();
    full.disconnects();
    got.extend(drained(&mut free, 4));
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 10, "every message has come to one of them: {got:?}");
}
