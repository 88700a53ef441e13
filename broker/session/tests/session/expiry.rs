//! Message Expiry while a message waits.

use pintle_mqtt::{Layout, QoS};
use pintle_session::Acked::{Done, Unknown};
use pintle_session::{Delivery, Tally};

use crate::conversation::{AtLeastOnce, AtMostOnce, Conversation, ExactlyOnce, queued, sent};
use crate::samples::Sample;

fn expiring(qos: QoS, secs: u32) -> Sample {
    Sample::new(qos, &["a"]).expiring(secs)
}

fn expired(count: u32) -> Tally {
    Tally { expired: count, ..Tally::default() }
}

fn read_expiry(c: &mut Conversation) -> Option<u32> {
    let messages = c.read_messages();
    assert_eq!(messages.len(), 1);
    messages[0].expiry_secs
}

/// [MQTT-3.3.2-6]
#[test]
fn the_seconds_that_are_left_are_what_is_delivered() {
    let cases = [(0, 10), (1, 10), (1_000, 9), (1_001, 9), (9_000, 1), (9_999, 1)];
    for (waited_millis, left) in cases {
        let mut c = Conversation::offline();
        c.deliver(&expiring(AtLeastOnce, 10));
        c.now = pintle_mqtt::Timestamp::from_millis(c.now.as_millis() + waited_millis);

        c.connect();

        assert_eq!(read_expiry(&mut c), Some(left), "after {waited_millis} ms");
    }
}

/// [MQTT-3.3.2-6]
#[test]
fn a_message_delivered_at_once_keeps_its_whole_interval() {
    for qos in [AtMostOnce, AtLeastOnce] {
        for subscription_ids in [&[][..], &[7][..]] {
            let mut c = Conversation::v5();
            let delivery = Delivery { qos, retain: false, subscription_ids, shared: false };

            c.deliver_as(&expiring(qos, 10), &delivery);

            assert_eq!(read_expiry(&mut c), Some(10));
        }
    }
}

/// [MQTT-3.3.2-6]
#[test]
fn what_the_broker_kept_for_a_while_goes_out_with_what_is_left() {
    for qos in [AtMostOnce, AtLeastOnce] {
        let mut c = Conversation::v5();
        let received_at = c.now;
        c.pass_secs(4);
        let delivery = Delivery { qos, retain: true, subscription_ids: &[], shared: false };

        let tally = expiring(qos, 10).publication(received_at, |publication| {
            c.outbound.deliver(publication, &delivery, &c.budget, &c.limits, c.now, &mut c.outbox)
        });

        assert_eq!(tally, sent(1));
        assert_eq!(read_expiry(&mut c), Some(6));
    }
}

#[test]
fn a_message_without_expiry_never_gets_one() {
    let mut c = Conversation::offline();
    c.deliver(&Sample::new(AtLeastOnce, &["a"]));
    c.pass_secs(u32::MAX);

    c.connect();

    assert_eq!(read_expiry(&mut c), None);
}

/// [MQTT-3.3.2-5]
#[test]
fn an_expired_message_is_not_delivered_and_frees_its_place() {
    let mut c = Conversation::offline();
    c.deliver(&expiring(AtLeastOnce, 10));
    c.deliver(&Sample::new(AtLeastOnce, &["b"]));
    c.deliver(&expiring(ExactlyOnce, 10));
    c.pass_secs(10);

    let tally = c.connect();

    assert_eq!((tally.sent, tally.expired), (1, 2));
    assert_eq!(c.read_payloads(), ["b"]);
    assert_eq!(c.outbound.queue_len(), 0);
    c.puback(1);
    c.assert_at_rest();
}

/// [MQTT-3.3.2-5]
#[test]
fn what_expired_before_it_could_be_delivered_is_dropped_at_every_qos() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut c = Conversation::v5();
        let received_at = c.now;
        c.pass_secs(10);
        let delivery = Delivery { qos, retain: true, subscription_ids: &[], shared: false };

        let tally = expiring(qos, 10).publication(received_at, |publication| {
            c.outbound.deliver(publication, &delivery, &c.budget, &c.limits, c.now, &mut c.outbox)
        });

        assert_eq!(tally, expired(1));
        assert!(c.outbox.is_empty());
    }
}

#[test]
fn an_interval_of_0_reaches_those_who_are_there_and_nobody_else() {
    let identified =
        Delivery { qos: AtLeastOnce, retain: false, subscription_ids: &[7], shared: false };
    let mut there = Conversation::v5();
    let mut away = Conversation::offline();

    assert_eq!(there.deliver(&expiring(AtLeastOnce, 0)), sent(1));
    assert_eq!(read_expiry(&mut there), Some(0));
    let sample = expiring(AtLeastOnce, 0);
    assert_eq!(there.deliver_as(&sample, &identified), sent(1));
    assert_eq!(read_expiry(&mut there), Some(0));
    assert_eq!(away.deliver(&expiring(AtLeastOnce, 0)), queued(1));
    away.pass_secs(1);
    assert_eq!(away.connect(), expired(1));
}

#[test]
fn queued_messages_may_be_dropped_when_their_time_is_over() {
    let mut c = Conversation::offline();
    c.deliver(&expiring(AtLeastOnce, 10));
    c.deliver(&Sample::new(AtLeastOnce, &["b"]));
    c.deliver(&expiring(AtLeastOnce, 20));

    assert_eq!(c.outbound.drop_expired(c.now), Tally::default());
    c.pass_secs(15);
    assert_eq!(c.outbound.drop_expired(c.now), expired(1));
    assert_eq!(c.outbound.drop_expired(c.now), Tally::default());
    c.pass_secs(5);
    assert_eq!(c.outbound.drop_expired(c.now), expired(1));
    assert_eq!(c.outbound.queue_len(), 1);
}

#[test]
fn a_message_sent_again_carries_what_is_left() {
    let mut c = Conversation::v5();
    c.deliver(&expiring(AtLeastOnce, 10));
    c.pass_secs(4);

    c.reconnect();

    assert_eq!(read_expiry(&mut c), Some(6));
}

#[test]
fn a_qos_1_message_in_flight_that_expired_is_not_sent_again() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver(&expiring(AtLeastOnce, 10));
    c.deliver(&Sample::new(AtLeastOnce, &["b"]));
    c.pass_secs(10);

    let tally = c.reconnect();

    assert_eq!((tally.sent, tally.expired), (1, 1));
    assert_eq!(c.read_payloads(), ["b"]);
    assert_eq!(c.puback(1), Unknown);
}

/// [MQTT-4.3.3-7]
#[test]
fn a_qos_2_message_in_flight_goes_on_though_it_expired() {
    let mut c = Conversation::v5();
    c.deliver(&expiring(ExactlyOnce, 10));
    c.pass_secs(60);

    assert_eq!(c.reconnect(), sent(1));

    assert_eq!(read_expiry(&mut c), Some(0));
    assert_eq!(c.pubrec(1), Done);
    assert_eq!(c.pubcomp(1), Done);
    c.assert_at_rest();
}

#[test]
fn a_v3_client_gets_no_message_that_expired_in_the_queue() {
    let mut c = Conversation::offline();
    c.terms.layout = Layout::V3;
    c.deliver(&expiring(AtLeastOnce, 10));
    c.deliver(&expiring(AtLeastOnce, 20));
    c.pass_secs(15);

    let tally = c.connect();

    assert_eq!((tally.sent, tally.expired), (1, 1));
}
