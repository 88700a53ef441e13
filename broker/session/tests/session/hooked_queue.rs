//! Queued messages that meet hooks on their way out.

use pintle_mqtt::QoS;
use pintle_session::{Delivery, Hooked, Tally, Waiting};

use crate::conversation::{AtLeastOnce, AtMostOnce, Conversation, ExactlyOnce, queued, sent};
use crate::samples::Sample;

/// Offline messages `0..count` of a client that connects, whose queue must meet hooks.
fn hooked(count: u32, receive_maximum: u16) -> Conversation {
    let mut c = Conversation::offline();
    c.outbound.set_queue_meets_hooks(true);
    c.terms.receive_maximum = receive_maximum;
    c.deliver_numbers(AtLeastOnce, 0..count);
    assert_eq!(c.connect(), Tally::default());
    c
}

fn payloads(taken: &[Waiting]) -> Vec<&str> {
    taken.iter().map(|waiting| std::str::from_utf8(waiting.publish().payload).unwrap()).collect()
}

fn all_sent(taken: Vec<Waiting>) -> Vec<(Waiting, Hooked)> {
    let send = |waiting| (waiting, Hooked::Send);
    taken.into_iter().map(send).collect()
}

#[test]
fn a_queue_that_meets_hooks_is_not_drained_without_them() {
    let mut c = hooked(3, 10);

    assert!(c.can_drain());
    assert_eq!(c.drain(), Tally::default());
    let taken = c.take_for_hooks(10);
    assert_eq!(payloads(&taken), ["0", "1", "2"]);
    assert_eq!(c.send_hooked(all_sent(taken)), sent(3));

    assert_eq!(c.read_payloads(), ["0", "1", "2"]);
    assert_eq!(c.outbound.queue_len(), 0);
}

#[test]
fn no_more_are_handed_out_than_asked_for_and_could_be_sent() {
    assert_eq!(hooked(5, 10).take_for_hooks(2).len(), 2);
    assert_eq!(hooked(5, 3).take_for_hooks(10).len(), 3);
    let mut narrow = hooked(5, 10);
    narrow.limits.outbox_bytes_max = 2 * Sample::numbered(AtLeastOnce, 0..1).frames().len();
    assert_eq!(narrow.take_for_hooks(10).len(), 2);
    let mut away = Conversation::offline();
    away.deliver_numbers(AtLeastOnce, 0..1);
    assert!(away.take_for_hooks(10).is_empty());
}

#[test]
fn what_is_handed_out_tells_how_it_is_delivered() {
    let mut c = Conversation::offline();
    let delivery =
        Delivery { qos: AtLeastOnce, retain: true, subscription_ids: &[4, 5], shared: false };
    c.deliver_as(&Sample::new(ExactlyOnce, &["a"]), &delivery);
    c.outbound.set_queue_meets_hooks(true);
    c.connect();

    let taken = c.take_for_hooks(1);

    assert_eq!(taken[0].qos(), AtLeastOnce);
    assert!(taken[0].retain());
    assert_eq!(taken[0].subscription_ids(), [4, 5]);
    assert_eq!(taken[0].publish().payload, b"a");
    assert_eq!(taken[0].run().received_at(), c.now);
}

#[test]
fn everything_waits_behind_what_hooks_have() {
    let mut c = hooked(2, 10);
    let taken = c.take_for_hooks(10);

    assert_eq!(c.deliver_numbers(AtLeastOnce, 2..3), queued(1));
    assert!(!c.can_drain());
    assert!(c.take_for_hooks(10).is_empty());
    assert_eq!(c.deliver_numbers(AtMostOnce, 9..10), sent(1));
    c.send_hooked(all_sent(taken));

    assert_eq!(c.read_payloads(), ["9", "0", "1"]);
    let taken = c.take_for_hooks(10);
    assert_eq!(payloads(&taken), ["2"]);
}

#[test]
fn hooks_may_drop_and_replace() {
    let mut c = hooked(3, 10);
    let taken = c.take_for_hooks(10);
    let other = Sample::new(AtMostOnce, &["other"]).retained();
    let other = other.kept(&c.budget);
    let fates = [Hooked::Drop, Hooked::Replace(other), Hooked::Send];

    let tally = c.send_hooked(taken.into_iter().zip(fates).collect());

    assert_eq!(tally, sent(2));
    let messages = c.read_messages();
    let summary = messages.iter().map(|it| (it.id, it.qos, it.retain, it.payload.as_str()));
    let expected = [(1, AtLeastOnce, false, "other"), (2, AtLeastOnce, false, "2")];
    assert_eq!(summary.collect::<Vec<_>>(), expected);
    c.puback(1);
    c.puback(2);
    c.assert_at_rest();
}

#[test]
fn a_replacement_larger_than_the_client_takes_counts_as_delivered() {
    let mut c = hooked(2, 10);
    c.terms.packet_bytes_max = 40;
    c.reconnect();
    let mut taken = c.take_for_hooks(10);
    let large = Sample::new(AtLeastOnce, &["larger than anybody would like it"]);
    let large = Hooked::Replace(large.kept(&c.budget));
    let second = taken.remove(1);

    let tally = c.send_hooked(vec![(taken.remove(0), large), (second, Hooked::Send)]);

    assert_eq!((tally.sent, tally.too_large), (1, 1));
    assert_eq!(c.read_payloads(), ["1"]);
}

#[test]
fn what_hooks_have_still_counts_as_queued() {
    let mut c = hooked(3, 10);
    let (len, bytes) = (c.outbound.queue_len(), c.outbound.queue_bytes());
    c.limits.queue_messages_max = 4;

    let taken = c.take_for_hooks(2);

    assert_eq!(c.outbound.queue_len(), len);
    assert_eq!(c.outbound.queue_bytes(), bytes);
    let tally = c.deliver_numbers(AtLeastOnce, 3..5);
    assert_eq!((tally.queued, tally.queue_full), (2, 1));
    assert_eq!(c.outbound.queue_len(), 4);
    c.send_hooked(all_sent(taken));
    assert_eq!(c.read_payloads(), ["0", "1"]);
    assert_eq!(c.outbound.queue_len(), 2);
}

#[test]
fn what_hooks_had_when_the_connection_ended_returns_to_the_front_unchanged() {
    for connects_again in [false, true] {
        let mut c = hooked(3, 10);
        let taken = c.take_for_hooks(2);
        c.disconnect();
        if connects_again {
            c.connect();
        }
        c.deliver_numbers(AtLeastOnce, 3..4);
        let changed = Sample::new(AtLeastOnce, &["changed"]).kept(&c.budget);
        let changed = |waiting| (waiting, Hooked::Replace(changed.clone()));

        let tally = c.send_hooked(taken.into_iter().map(changed).collect());

        assert_eq!(tally, Tally::default());
        assert!(c.outbox.is_empty());
        assert_eq!(c.outbound.queue_len(), 4);
        if !connects_again {
            c.connect();
        }
        let taken = c.take_for_hooks(10);
        assert_eq!(payloads(&taken), ["0", "1", "2", "3"]);
    }
}

#[test]
fn what_hooks_had_when_the_session_ended_does_not_come_back() {
    let mut c = hooked(2, 10);
    let taken = c.take_for_hooks(2);

    c.outbound.clear();
    let tally = c.send_hooked(all_sent(taken));

    assert_eq!(tally, Tally::default());
    c.assert_at_rest();
}

#[test]
fn what_is_in_flight_is_sent_again_without_meeting_hooks() {
    let mut c = hooked(3, 2);
    let taken = c.take_for_hooks(10);
    c.send_hooked(all_sent(taken));

    let tally = c.reconnect();

    assert_eq!(tally, sent(2));
    assert_eq!(c.read_payloads(), ["0", "1"]);
    assert!(c.take_for_hooks(10).is_empty());
    c.puback(1);
    assert_eq!(payloads(&c.take_for_hooks(10)), ["2"]);
}

#[test]
fn nothing_is_handed_out_before_all_in_flight_was_sent_again() {
    let mut c = hooked(4, 3);
    let taken = c.take_for_hooks(10);
    c.send_hooked(all_sent(taken));
    c.disconnect();
    c.terms.receive_maximum = 2;
    c.connect();
    c.puback(1);

    assert!(c.take_for_hooks(10).is_empty());

    c.drain();
    assert_eq!(c.read_payloads(), ["0", "1", "2"]);
    c.puback(2);
    assert_eq!(payloads(&c.take_for_hooks(10)), ["3"]);
}

#[test]
fn expired_messages_are_not_handed_out_and_are_counted_once() {
    let mut c = Conversation::offline();
    c.outbound.set_queue_meets_hooks(true);
    c.deliver(&Sample::new(AtLeastOnce, &["a"]).expiring(5));
    c.deliver(&Sample::new(AtLeastOnce, &["b"]));
    c.deliver(&Sample::new(AtLeastOnce, &["c"]).expiring(5));
    c.pass_secs(5);
    c.connect();

    let taken = c.take_for_hooks(10);
    assert_eq!(payloads(&taken), ["b"]);
    let tally = c.send_hooked(all_sent(taken));

    assert_eq!((tally.sent, tally.expired), (1, 2));
    assert_eq!(c.drain(), Tally::default());
}

#[test]
fn a_message_may_be_queued_for_hooks_though_it_could_go() {
    let mut c = Conversation::v5();
    c.outbound.set_queue_meets_hooks(true);
    let delivery =
        Delivery { qos: QoS::AtLeastOnce, retain: false, subscription_ids: &[], shared: false };

    let tally = Sample::new(AtLeastOnce, &["a"]).publication(c.now, |publication| {
        c.outbound.deliver_to_queue(publication, &delivery, &c.budget, &c.limits, c.now)
    });

    assert_eq!(tally, queued(1));
    assert!(c.outbox.is_empty());
    assert_eq!(payloads(&c.take_for_hooks(1)), ["a"]);
}
