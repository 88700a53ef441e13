//! What a new Network Connection gets of what an old one left unfinished.

use pintle_mqtt::Layout;
use pintle_session::Acked::{Done, Unknown, WrongState};
use pintle_session::Tally;

use crate::conversation::{AtLeastOnce, Conversation, ExactlyOnce, queued, sent};
use crate::samples::{Packet, Sample};

/// Identifier, DUP and payload.
fn summary(c: &mut Conversation) -> Vec<(u16, bool, String)> {
    let messages = c.read_messages();
    messages.into_iter().map(|message| (message.id, message.dup, message.payload)).collect()
}

fn again(id: u16, payload: &str) -> (u16, bool, String) {
    (id, true, payload.to_owned())
}

fn first_time(id: u16, payload: &str) -> (u16, bool, String) {
    (id, false, payload.to_owned())
}

/// [MQTT-4.4.0-1] [MQTT-3.3.1-1]
#[test]
fn unacknowledged_messages_come_again_with_their_identifiers_and_dup_in_the_first_order() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c"]));
    c.deliver(&Sample::new(ExactlyOnce, &["d"]));
    c.deliver(&Sample::new(AtLeastOnce, &["e"]));
    c.puback(2);

    let tally = c.reconnect();

    assert_eq!(tally, sent(4));
    let expected = [again(1, "a"), again(3, "c"), again(4, "d"), again(5, "e")];
    assert_eq!(summary(&mut c), expected);
}

/// [MQTT-4.4.0-1]
#[test]
fn nothing_comes_twice_on_a_connection_that_lives() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a"]));
    c.deliver(&Sample::new(ExactlyOnce, &["b"]));
    c.pubrec(2);
    c.read();

    c.pass_secs(3600);

    assert!(!c.can_drain());
    assert_eq!(c.drain(), Tally::default());
    assert!(c.outbox.is_empty());
}

/// [MQTT-4.3.3-6] [MQTT-4.4.0-1]
#[test]
fn where_pubrec_was_seen_pubrel_comes_again_and_not_the_message() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(ExactlyOnce, &["a", "b", "c", "d"]));
    c.pubrec(3);
    c.pubrec(1);

    let tally = c.reconnect();

    assert_eq!(tally, sent(2));
    let packets = c.read();
    assert_eq!(packets[..2], [Packet::PubRel(3), Packet::PubRel(1)]);
    let ids = packets[2..].iter().map(|packet| match packet {
        Packet::Publish(message) => (message.id, message.dup),
        Packet::PubRel(_) => panic!("a third PUBREL"),
    });
    assert_eq!(ids.collect::<Vec<_>>(), [(2, true), (4, true)]);
    for id in [3, 1] {
        assert_eq!(c.pubcomp(id), Done);
    }
}

#[test]
fn the_queue_follows_what_is_sent_again() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c"]));
    c.disconnect();
    c.deliver(&Sample::new(AtLeastOnce, &["d"]));
    c.terms.receive_maximum = 10;

    c.connect();

    let expected = [again(1, "a"), again(2, "b"), first_time(3, "c"), first_time(4, "d")];
    assert_eq!(summary(&mut c), expected);
}

#[test]
fn the_first_order_holds_though_identifiers_began_anew() {
    let mut c = Conversation::v5();
    c.limits.outbox_bytes_max = usize::MAX;
    for round in 0..65_530_u32 {
        c.deliver_numbers(AtLeastOnce, round..round + 1);
        c.puback((round + 1) as u16);
    }
    c.deliver_numbers(AtLeastOnce, 0..10);

    c.reconnect();

    let expected: Vec<_> = [65_531, 65_532, 65_533, 65_534, 65_535, 1, 2, 3, 4, 5].into();
    let messages = c.read_messages();
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    let numbers: Vec<_> = messages.iter().map(|message| message.number()).collect();
    assert_eq!(ids, expected);
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[test]
fn the_session_may_be_resumed_in_another_version() {
    for (before, after) in [(Layout::V3, Layout::V5), (Layout::V5, Layout::V3)] {
        let mut c = Conversation::offline();
        c.terms.layout = before;
        c.connect();
        c.deliver(&Sample::new(AtLeastOnce, &["a", "b"]).in_layout(before));
        c.disconnect();
        c.terms.layout = after;

        c.connect();

        assert_eq!(summary(&mut c), [again(1, "a"), again(2, "b")]);
    }
}

#[test]
fn a_smaller_receive_maximum_spreads_what_is_sent_again() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c", "d"]));
    c.disconnect();
    c.deliver(&Sample::new(AtLeastOnce, &["e"]));
    c.terms.receive_maximum = 3;

    assert_eq!(c.connect(), sent(3));

    assert!(!c.can_drain());
    assert_eq!(c.deliver(&Sample::new(AtLeastOnce, &["f"])), queued(1));
    let expected = [again(1, "a"), again(2, "b"), again(3, "c")];
    assert_eq!(summary(&mut c), expected);
    c.puback(2);
    assert!(c.can_drain());
    c.drain();
    assert_eq!(summary(&mut c), [again(4, "d")]);
    c.puback(1);
    c.puback(3);
    c.drain();
    let rest = [first_time(5, "e"), first_time(6, "f")];
    assert_eq!(summary(&mut c), rest);
}

#[test]
fn a_full_outbox_spreads_what_is_sent_again() {
    let sample = Sample::numbered(ExactlyOnce, 0..9);
    let frame_len = sample.frames().len() / 9;
    for room in 1..=9 {
        let mut c = Conversation::v5();
        c.deliver(&sample);
        c.pubrec(5);
        c.disconnect();
        c.limits.outbox_bytes_max = room * frame_len;

        c.connect();
        assert!(c.outbox.len() <= c.limits.outbox_bytes_max.max(4 + frame_len));
        let mut got = Vec::new();
        while !c.outbox.is_empty() {
            got.append(&mut c.read());
            c.drain();
        }

        assert_eq!(got[0], Packet::PubRel(5));
        let ids = got[1..].iter().map(|packet| match packet {
            Packet::Publish(message) => message.id,
            Packet::PubRel(_) => panic!("a second PUBREL"),
        });
        assert_eq!(ids.collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8, 9]);
    }
}

#[test]
fn nothing_overtakes_what_is_to_be_sent_again() {
    let large = "x".repeat(200);
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", &large, "b"]));
    c.disconnect();
    c.deliver(&Sample::new(AtLeastOnce, &["c"]));
    c.limits.outbox_bytes_max = 100;

    c.connect();
    assert!(c.outbound.has_waiting());
    c.deliver(&Sample::new(AtLeastOnce, &["d"]));

    assert_eq!(summary(&mut c), [again(1, "a")]);
    let mut rest = Vec::new();
    while c.outbound.has_waiting() {
        c.drain();
        rest.append(&mut summary(&mut c));
    }
    let expected = [again(2, &large), again(3, "b"), first_time(4, "c"), first_time(5, "d")];
    assert_eq!(rest, expected);
}

#[test]
fn a_new_message_waits_behind_what_is_to_be_sent_again_though_there_is_room() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b"]));
    c.disconnect();
    c.terms.receive_maximum = 1;
    c.connect();
    c.puback(1);

    assert!(c.outbound.has_waiting());
    assert_eq!(c.deliver(&Sample::new(AtLeastOnce, &["c"])), queued(1));

    c.drain();
    assert_eq!(summary(&mut c), [again(1, "a"), again(2, "b")]);
}

#[test]
fn an_acknowledgement_that_comes_before_its_message_was_sent_again_counts() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c", "d", "e"]));
    c.disconnect();
    c.terms.receive_maximum = 1;
    c.connect();

    for id in [2, 5, 4] {
        assert_eq!(c.puback(id), Done);
        assert_eq!(c.puback(id), Unknown);
    }

    assert!(!c.can_drain());
    c.puback(1);
    c.drain();
    assert_eq!(summary(&mut c), [again(1, "a"), again(3, "c")]);
    assert_eq!(c.puback(3), Done);
    c.assert_at_rest();
    assert_eq!(c.deliver(&Sample::new(AtLeastOnce, &["f"])), sent(1));
}

#[test]
fn a_connection_lost_while_sending_again_begins_from_the_first() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c"]));
    c.disconnect();
    c.terms.receive_maximum = 2;
    c.connect();
    c.puback(1);
    assert!(c.outbound.has_waiting());

    c.disconnect();
    assert!(!c.outbound.has_waiting());
    c.connect();

    assert_eq!(summary(&mut c), [again(2, "b"), again(3, "c")]);
}

#[test]
fn a_take_over_needs_no_end_of_the_old_connection() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c"]));

    let tally = c.connect();

    assert_eq!(tally, sent(2));
    assert_eq!(summary(&mut c), [again(1, "a"), again(2, "b")]);
    c.puback(1);
    c.drain();
    assert_eq!(summary(&mut c), [first_time(3, "c")]);
}

/// [MQTT-3.1.2-25]
#[test]
fn what_the_new_connection_cannot_take_counts_as_delivered() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "much longer than all the others", "b"]));
    c.disconnect();
    c.terms.packet_bytes_max = 40;

    let tally = c.connect();

    assert_eq!((tally.sent, tally.too_large), (2, 1));
    assert_eq!(summary(&mut c), [again(1, "a"), again(3, "b")]);
    assert_eq!(c.puback(2), Unknown);
    assert_eq!(c.outbound.inflight_len(), 2);
    assert!(!c.outbound.has_waiting());
    assert_eq!(c.deliver(&Sample::new(AtLeastOnce, &["c"])), sent(1));
}

/// [MQTT-4.4.0-1] [MQTT-3.3.1-1]
#[test]
fn what_was_queued_one_by_one_comes_in_order_and_may_be_acknowledged_in_any() {
    let mut c = Conversation::offline();
    for n in 0..200 {
        let qos = if n == 120 { ExactlyOnce } else { AtLeastOnce };
        let several = if n == 90 { 3 } else { 1 };
        c.deliver_numbers(qos, n..n + several);
    }

    assert_eq!(c.connect(), sent(202));
    let payloads = (0..=90).chain(91..93).chain(91..200);
    let all: Vec<_> = (1..).zip(payloads.map(|n: u32| n.to_string())).collect();
    let first: Vec<_> = all.iter().map(|(id, text)| first_time(*id, text)).collect();
    assert_eq!(summary(&mut c), first);

    let early = [1, 2, 100, 3, 50, 202, 92, 4];
    for id in early {
        assert_eq!(c.puback(id), Done);
        assert_eq!(c.puback(id), Unknown);
    }
    assert_eq!(c.puback(123), WrongState);
    assert_eq!(c.reconnect(), sent(194));
    let rest: Vec<_> = all.iter().filter(|(id, _)| !early.contains(id)).collect();
    let second: Vec<_> = rest.iter().map(|(id, text)| again(*id, text)).collect();
    assert_eq!(summary(&mut c), second);

    for (id, _) in rest.into_iter().rev() {
        if *id == 123 {
            c.pubrec(*id);
            assert_eq!(c.pubcomp(*id), Done);
        } else {
            assert_eq!(c.puback(*id), Done);
        }
    }
    c.assert_at_rest();
}

/// [MQTT-4.4.0-1]
#[test]
fn what_was_stored_goes_on_where_it_was() {
    let mut c = Conversation::with_receive_maximum(4);
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b"]));
    c.deliver(&Sample::new(ExactlyOnce, &["c", "d", "e", "f"]));
    c.puback(1);
    c.pubrec(3);
    c.disconnect();
    c.restart();

    c.terms.receive_maximum = 100;
    c.connect();

    let read = c.read();
    assert_eq!(read.first(), Some(&Packet::PubRel(3)));
    let messages = read.into_iter().filter_map(|packet| match packet {
        Packet::Publish(message) => Some((message.id, message.dup, message.payload)),
        Packet::PubRel(_) => None,
    });
    let expected = [again(2, "b"), again(4, "d"), first_time(5, "e"), first_time(6, "f")];
    assert_eq!(messages.collect::<Vec<_>>(), expected);
}
