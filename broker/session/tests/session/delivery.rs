//! What a connected client gets, byte by byte and flag by flag.

use pintle_mqtt::{Layout, QoS};
use pintle_session::{ConnectionTerms, Delivery, Tally};

use crate::conversation::{
    AtLeastOnce, AtMostOnce, Conversation, ExactlyOnce, TERMS, id, queued, sent,
};
use crate::samples::{Message, Sample};

fn granted(qos: QoS) -> Delivery<'static> {
    Delivery { qos, retain: false, subscription_ids: &[], shared: false }
}

fn summary(messages: &[Message]) -> Vec<(u16, QoS, &str)> {
    messages.iter().map(|message| (message.id, message.qos, message.payload.as_str())).collect()
}

/// [MQTT-4.3.3-2]
#[test]
fn a_run_goes_out_whole_with_identifiers_in_a_row_and_without_dup() {
    for layout in [Layout::V3, Layout::V5] {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let terms = ConnectionTerms { layout, ..TERMS };
            let mut c = Conversation::on(terms);

            let tally = c.deliver(&Sample::new(qos, &["a", "b", "c"]).in_layout(layout));

            assert_eq!(tally, sent(3));
            let messages = c.read_messages();
            let expected = [(1, qos, "a"), (2, qos, "b"), (3, qos, "c")];
            assert_eq!(summary(&messages), expected);
            assert!(messages.iter().all(|message| !message.dup));
            assert_eq!(c.outbound.inflight_len(), 3);
        }
    }
}

#[test]
fn qos_0_goes_out_as_it_came_and_leaves_nothing_behind() {
    let mut c = Conversation::v5();
    let sample = Sample::new(AtMostOnce, &["a", "b"]);

    let tally = c.deliver(&sample);

    assert_eq!(tally, sent(2));
    assert_eq!(c.outbox, sample.frames());
    c.assert_at_rest();
}

#[test]
fn the_lower_of_both_qos_holds() {
    let all = [AtMostOnce, AtLeastOnce, ExactlyOnce];
    for published in all {
        for subscribed in all {
            let mut c = Conversation::v5();
            let sample = Sample::new(published, &["a", "b"]);

            c.deliver_as(&sample, &granted(subscribed));

            let qos = published.min(subscribed);
            assert!(c.read_messages().iter().all(|message| message.qos == qos));
        }
    }
}

#[test]
fn a_queued_message_leaves_with_the_qos_and_retain_of_its_delivery() {
    for (published, subscribed) in [(ExactlyOnce, AtLeastOnce), (AtLeastOnce, ExactlyOnce)] {
        for retain in [false, true] {
            let mut c = Conversation::offline();
            let delivery = Delivery { retain, ..granted(subscribed) };
            let sample = Sample::new(published, &["a", "b"]);
            c.deliver_as(&sample, &delivery);
            c.deliver_as(&sample.retained(), &delivery);

            c.connect();

            let messages = c.read_messages();
            let expected = [(1, "a"), (2, "b"), (3, "a"), (4, "b")];
            let expected = expected.map(|(id, payload)| (id, AtLeastOnce, payload));
            assert_eq!(summary(&messages), expected);
            assert!(messages.iter().all(|message| message.retain == retain));
        }
    }
}

#[test]
fn the_clients_layout_holds_whatever_the_publishers() {
    for (publisher, subscriber) in [(Layout::V3, Layout::V5), (Layout::V5, Layout::V3)] {
        for qos in [AtMostOnce, AtLeastOnce] {
            let mut c = Conversation::on(ConnectionTerms { layout: subscriber, ..TERMS });

            c.deliver(&Sample::new(qos, &["a", "b"]).in_layout(publisher));

            assert_eq!(c.read_payloads(), ["a", "b"]);
        }
    }
}

#[test]
fn retain_on_the_wire_is_what_the_delivery_says() {
    for qos in [AtMostOnce, AtLeastOnce] {
        for retain in [false, true] {
            let mut c = Conversation::v5();
            let delivery = Delivery { retain, ..granted(qos) };

            c.deliver_as(&Sample::new(qos, &["live"]), &delivery);
            c.deliver_as(&Sample::new(qos, &["stored"]).retained(), &delivery);

            assert!(c.read_messages().iter().all(|it| it.retain == retain));
        }
    }
}

#[test]
fn subscription_identifiers_reach_a_v5_client_on_each_message() {
    for qos in [AtMostOnce, AtLeastOnce] {
        let mut c = Conversation::v5();
        let delivery = Delivery { subscription_ids: &[3, 200_000], ..granted(qos) };

        let tally = c.deliver_as(&Sample::new(qos, &["a", "b"]), &delivery);

        assert_eq!(tally, sent(2));
        let messages = c.read_messages();
        assert_eq!(messages.len(), 2);
        assert!(messages.iter().all(|it| it.subscription_ids == [3, 200_000]));
    }
}

#[test]
fn a_v3_client_gets_messages_without_their_properties() {
    let mut c = Conversation::on(ConnectionTerms { layout: Layout::V3, ..TERMS });
    let delivery = Delivery { subscription_ids: &[3], ..granted(AtLeastOnce) };

    c.deliver_as(&Sample::new(AtLeastOnce, &["a"]).expiring(60), &delivery);

    assert_eq!(c.read_payloads(), ["a"]);
}

#[test]
fn properties_go_out_with_the_message() {
    let sample = Sample { content_type: Some("text/plain"), ..Sample::new(AtLeastOnce, &["a"]) };
    let mut c = Conversation::v5();

    c.deliver(&sample);

    let messages = c.read_messages();
    assert_eq!(messages[0].content_type.as_deref(), Some("text/plain"));
}

#[test]
fn qos_0_is_not_kept_for_a_client_that_is_away_and_qos_1_and_2_are() {
    let mut c = Conversation::offline();

    assert_eq!(c.deliver_numbers(AtMostOnce, 0..2), Tally::default());
    assert_eq!(c.deliver_numbers(AtLeastOnce, 2..4), queued(2));
    assert_eq!(c.deliver_numbers(ExactlyOnce, 4..6), queued(2));

    assert!(!c.outbound.is_connected());
    assert_eq!(c.outbound.queue_len(), 4);
    assert!(c.outbound.holds_state());
    assert_eq!(c.connect(), sent(4));
    assert_eq!(c.read_payloads(), ["2", "3", "4", "5"]);
}

#[test]
fn qos_0_overtakes_what_waits_and_qos_1_does_not() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver_numbers(AtLeastOnce, 0..2);

    c.deliver_numbers(AtMostOnce, 2..3);
    c.deliver_numbers(AtLeastOnce, 3..4);

    assert_eq!(c.read_payloads(), ["0", "2"]);
    c.puback(1);
    c.drain();
    assert_eq!(c.read_payloads(), ["1"]);
}

#[test]
fn what_comes_while_others_wait_goes_behind_them_even_if_there_is_room() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver_numbers(AtLeastOnce, 0..2);
    c.puback(1);

    assert_eq!(c.deliver_numbers(AtLeastOnce, 2..3), queued(1));
    assert!(c.can_drain());

    assert_eq!(c.read_payloads(), ["0"]);
    c.drain();
    assert_eq!(c.read_payloads(), ["1"]);
}

/// [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn a_packet_above_the_clients_maximum_is_left_out_and_blocks_nothing() {
    let payloads = ["small", "far too large", "fits"];
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut measure = Conversation::v5();
        measure.deliver(&Sample::new(qos, &["small"]));
        let packet_bytes_max = measure.read_messages()[0].len as u32;
        let mut c = Conversation::on(ConnectionTerms { packet_bytes_max, ..TERMS });

        let tally = c.deliver(&Sample::new(qos, &payloads));

        assert_eq!((tally.sent, tally.too_large), (2, 1));
        let messages = c.read_messages();
        assert_eq!(messages[0].payload, "small");
        assert_eq!(messages[1].payload, "fits");
        assert_eq!(messages[1].id, messages[0].id + u16::from(qos != AtMostOnce));
        assert!(messages.iter().all(|it| it.len <= packet_bytes_max as usize));
    }
}

/// [MQTT-3.1.2-25]
#[test]
fn only_packets_too_large_leave_no_trace() {
    let mut c = Conversation::on(ConnectionTerms { packet_bytes_max: 10, ..TERMS });

    let tally = c.deliver(&Sample::new(AtLeastOnce, &["one", "two"]));

    assert_eq!((tally.sent, tally.too_large), (0, 2));
    assert!(c.outbox.is_empty());
    c.assert_at_rest();
}

/// [MQTT-3.1.2-24]
#[test]
fn subscription_identifiers_count_towards_the_clients_maximum() {
    for qos in [AtMostOnce, AtLeastOnce] {
        let mut measure = Conversation::v5();
        measure.deliver(&Sample::new(qos, &["a"]));
        let bare = measure.read_messages()[0].len as u32;
        let mut c = Conversation::on(ConnectionTerms { packet_bytes_max: bare, ..TERMS });
        let identified = Delivery { subscription_ids: &[1], ..granted(qos) };

        let too_large = c.deliver_as(&Sample::new(qos, &["a"]), &identified);
        let fits = c.deliver(&Sample::new(qos, &["a"]));

        assert_eq!((too_large.sent, too_large.too_large), (0, 1));
        assert_eq!(fits, sent(1));
    }
}

/// [MQTT-3.1.2-25]
#[test]
fn a_queued_packet_that_the_next_connection_cannot_take_does_not_block_it() {
    let mut c = Conversation::offline();
    c.deliver(&Sample::new(AtLeastOnce, &["a", "much longer than all the others", "b"]));
    c.terms.packet_bytes_max = 40;

    let tally = c.connect();

    assert_eq!((tally.sent, tally.too_large), (2, 1));
    assert_eq!(c.read_payloads(), ["a", "b"]);
    assert_eq!(c.outbound.queue_len(), 0);
}

#[test]
fn a_full_outbox_drops_qos_0_and_keeps_qos_1() {
    let mut c = Conversation::v5();
    let frame_len = Sample::new(AtMostOnce, &["a"]).frames().len();
    c.limits.outbox_bytes_max = 2 * frame_len + 2;

    let at_most_once = c.deliver(&Sample::new(AtMostOnce, &["a", "b", "c", "d"]));
    let at_least_once = c.deliver(&Sample::new(AtLeastOnce, &["e", "f"]));

    assert_eq!((at_most_once.sent, at_most_once.slow_consumer), (2, 2));
    assert_eq!(at_least_once, queued(2));
    assert!(!c.can_drain());
    assert!(c.outbox.len() <= c.limits.outbox_bytes_max);
    assert_eq!(c.read_payloads(), ["a", "b"]);
    assert!(c.can_drain());
    assert_eq!(c.drain(), sent(1));
    assert_eq!(c.read_payloads(), ["e"]);
}

#[test]
fn one_message_goes_into_an_empty_outbox_however_large() {
    for qos in [AtMostOnce, AtLeastOnce] {
        let mut c = Conversation::v5();
        c.limits.outbox_bytes_max = 5;

        let tally = c.deliver(&Sample::new(qos, &["too", "large"]));

        assert_eq!(tally.sent, 1);
        assert_eq!(tally.queued, u32::from(qos == AtLeastOnce));
        assert_eq!(tally.slow_consumer, u32::from(qos == AtMostOnce));
        assert_eq!(c.read_payloads(), ["too"]);
    }
}

#[test]
fn a_run_may_be_split_at_every_boundary_by_the_outbox() {
    let sample = Sample::numbered(AtLeastOnce, 0..9);
    let frame_len = sample.frames().len() / 9;
    for room in 1..=9 {
        let mut c = Conversation::v5();
        c.limits.outbox_bytes_max = room * frame_len;
        let mut got = Vec::new();

        let tally = c.deliver(&sample);
        assert_eq!((tally.sent, tally.queued), (room as u32, 9 - room as u32));
        while !c.outbox.is_empty() {
            got.append(&mut c.read_messages());
            c.drain();
        }

        let numbers: Vec<_> = got.iter().map(Message::number).collect();
        let ids: Vec<_> = got.iter().map(|message| message.id).collect();
        assert_eq!(numbers, (0..9).collect::<Vec<_>>());
        assert_eq!(ids, (1..=9).collect::<Vec<_>>());
    }
}

#[test]
fn would_send_all_tells_what_deliver_does() {
    let mut c = Conversation::with_receive_maximum(3);
    let sample = Sample::numbered(AtLeastOnce, 0..2);
    let bytes = sample.frames().len();
    let all = |c: &Conversation, qos| {
        let outbox_len = c.outbox.len();
        c.outbound.would_send_all(qos, 2, bytes, &c.limits, outbox_len)
    };

    assert!(all(&c, AtLeastOnce));
    assert_eq!(c.deliver(&sample), sent(2));
    assert!(!all(&c, AtLeastOnce));
    assert!(all(&c, AtMostOnce));
    c.limits.outbox_bytes_max = bytes;
    assert!(!all(&c, AtMostOnce));
    assert_eq!(c.outbound.puback(id(1)), pintle_session::Acked::Done);
    c.outbox.clear();
    assert!(all(&c, AtLeastOnce));
    c.disconnect();
    assert!(!all(&c, AtMostOnce));
}

#[test]
fn a_session_that_is_cleared_holds_nothing() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver_numbers(AtLeastOnce, 0..5);

    c.outbound.clear();

    c.assert_at_rest();
    assert_eq!(c.deliver_numbers(AtLeastOnce, 5..7), sent(2));
}
