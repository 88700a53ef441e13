//! What a session that ends leaves to other members of a shared group.

use pintle_mqtt::QoS;
use pintle_session::Delivery;

use crate::conversation::{AtLeastOnce, Conversation, ExactlyOnce};
use crate::samples::Sample;

fn shared(qos: QoS) -> Delivery<'static> {
    Delivery { qos, retain: false, subscription_ids: &[], shared: true }
}

fn taken(c: &mut Conversation) -> Vec<String> {
    let left = c.outbound.take_shared();
    left.iter().map(|one| String::from_utf8_lossy(one.publish().payload).into_owned()).collect()
}

#[test]
fn what_is_not_acknowledged_and_what_waits_is_left_in_its_order() {
    let mut c = Conversation::with_receive_maximum(4);
    c.deliver_as(&Sample::numbered(AtLeastOnce, 0..3), &shared(AtLeastOnce));
    c.deliver_as(&Sample::numbered(AtLeastOnce, 3..6), &shared(AtLeastOnce));
    c.puback(2);

    assert_eq!(taken(&mut c), ["0", "2", "3", "4", "5"]);

    c.assert_at_rest();
}

#[test]
fn a_message_left_behind_can_be_sent_on() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver_as(&Sample::numbered(ExactlyOnce, 7..9), &shared(AtLeastOnce));

    let left = c.outbound.take_shared();

    let runs: Vec<_> = left
        .iter()
        .map(|one| pintle_mqtt::Run::single(one.frame(), one.run().layout()).unwrap())
        .collect();
    let found: Vec<_> = runs.iter().map(|run| (run.head().payload, run.qos())).collect();
    assert_eq!(found, [(b"7".as_slice(), ExactlyOnce), (b"8", ExactlyOnce)]);
}

#[test]
fn what_came_by_an_ordinary_subscription_is_dropped() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver(&Sample::numbered(AtLeastOnce, 0..3));
    c.deliver_as(&Sample::numbered(AtLeastOnce, 3..4), &shared(AtLeastOnce));
    c.deliver(&Sample::numbered(AtLeastOnce, 4..5));

    assert_eq!(taken(&mut c), ["3"]);

    c.assert_at_rest();
}

/// [MQTT-4.8.2-5]
#[test]
fn a_message_of_qos_2_is_nobody_elses_once_it_was_sent() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver_as(&Sample::numbered(ExactlyOnce, 0..3), &shared(ExactlyOnce));
    c.pubrec(1);

    assert_eq!(taken(&mut c), ["2"]);

    c.assert_at_rest();
}
