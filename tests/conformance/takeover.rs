//! A Client Identifier that is used again while it is connected (3.1.4).

use pintle_tests::wire::{AckKind, Connect, Prop, Publish, Will};
use pintle_tests::{V5, V311, Version};

use crate::broker;

/// [MQTT-3.1.4-3]
#[test]
fn the_older_connection_is_told_and_closed() {
    let broker = broker();
    for older in Version::ALL {
        for newer in Version::ALL {
            let mut old = broker.client(older, "c");
            let mut new = broker.client(newer, "c");
            old.is_refused_with(0x8E);
            new.receives_nothing();
            new.disconnects();
        }
    }
}

/// [MQTT-3.1.4-3]
#[test]
fn what_was_sent_to_the_older_connection_and_not_acknowledged_comes_to_the_newer() {
    let broker = broker();
    for version in Version::ALL {
        let keeping = Connect::new("c").keeping_its_session();
        let mut old = broker.connect(version, &keeping);
        old.subscribes("t", 2);
        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, "t", "1");
        publisher.publishes_at(2, "t", "2");
        let (first, second) = (old.expect_publish(), old.expect_publish());

        let mut new = broker.connect(version, &keeping);
        let (again, and_again) = (new.takes(), new.takes());
        assert!(again.dup && and_again.dup);
        assert_eq!((again.id, again.text()), (first.id, "1".to_owned()));
        assert_eq!((and_again.id, and_again.text()), (second.id, "2".to_owned()));
        publisher.publishes_at(1, "t", "3");
        new.receives("t", "3");
        new.receives_nothing();
        new.disconnects();
        broker.client(version, "c").disconnects();
    }
}

/// [MQTT-3.1.4-4]
#[test]
fn a_clean_start_takes_nothing_over() {
    let broker = broker();
    let mut old = broker.connect(V5, &Connect::new("c").keeping_its_session());
    old.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    old.expect_publish();
    let mut new = broker.open(V5);
    assert!(!new.connects(&Connect::new("c")).session_present);
    publisher.publishes_at(1, "t", "2");
    new.receives_nothing();
}

/// [MQTT-3.1.2-8]
#[test]
fn the_will_of_the_older_connection_is_sent() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("will", 0);
    for version in Version::ALL {
        let _old = broker.connect(version, &Connect::new("c").will(Will::new("will", "gone")));
        let new = broker.client(version, "c");
        watch.receives("will", "gone");
        new.disconnects();
    }
}

/// [MQTT-3.1.3-9]
#[test]
fn a_delayed_will_is_not_sent_if_the_newer_connection_goes_on_with_the_session() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("will", 0);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1));
    let _old = broker.connect(V5, &Connect::new("c").keeping_its_session().will(will));
    let _new = broker.connect(V5, &Connect::new("c").keeping_its_session());
    broker.lets_seconds_pass(2);
    watch.receives_nothing();
}

#[test]
fn a_delayed_will_is_sent_at_once_if_the_newer_connection_starts_clean() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("will", 0);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1000));
    let _old = broker.connect(V5, &Connect::new("c").keeping_its_session().will(will));
    let _new = broker.v5("c");
    watch.receives("will", "gone");
}

#[test]
fn what_the_older_connection_says_afterwards_does_not_count() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("t", 0);
    let mut old = broker.client(V311, "c");
    let mut new = broker.client(V311, "c");
    old.send(&Publish::new("t", "too late"));
    old.is_closed();
    new.is_heard();
    watch.receives_nothing();
}

#[test]
fn a_qos_2_exchange_of_the_client_goes_on_over_the_newer_connection() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("t", 0);
    let keeping = Connect::new("c").keeping_its_session();
    let mut old = broker.connect(V5, &keeping);
    old.send(&Publish::new("t", "once").qos(2).id(7));
    old.expect_ack(AckKind::PubRec);
    let mut new = broker.connect(V5, &keeping);
    new.publish(&Publish::new("t", "once").qos(2).id(7).dup());
    watch.receives("t", "once");
    watch.receives_nothing();
}

#[test]
fn many_clients_that_fight_for_one_identifier_leave_one_of_them() {
    let broker = broker();
    let mut last = broker.v5("c");
    for _ in 0..50 {
        let next = broker.v5("c");
        last.is_refused_with(0x8E);
        last = next;
    }
    last.subscribes("t", 0);
    last.publishes("t", "x");
    last.receives("t", "x");
    last.receives_nothing();
}
