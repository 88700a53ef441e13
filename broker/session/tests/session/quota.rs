use pintle_mqtt::{Layout, ReasonCode};
use pintle_session::ConnectionTerms;

use crate::conversation::{AtLeastOnce, AtMostOnce, Conversation, ExactlyOnce, TERMS, queued};
use crate::samples::{Packet, Sample};

/// [MQTT-3.3.4-9]
#[test]
fn a_run_is_split_where_the_receive_maximum_ends() {
    for receive_maximum in 1..=8 {
        let mut c = Conversation::with_receive_maximum(receive_maximum);

        let tally = c.deliver_numbers(AtLeastOnce, 0..9);

        let room = u32::from(receive_maximum);
        assert_eq!((tally.sent, tally.queued), (room, 9 - room));
        assert_eq!(c.read_messages().len(), room as usize);
        assert_eq!(c.outbound.queue_len(), 9 - room);
        assert!(!c.can_drain());
    }
}

/// [MQTT-3.3.4-9]
#[test]
fn the_messages_of_a_split_run_follow_as_the_quota_frees() {
    let mut c = Conversation::with_receive_maximum(3);
    c.deliver_numbers(AtLeastOnce, 0..9);
    let mut payloads = c.read_payloads();

    for id in 1..=9 {
        c.puback(id);
        c.drain();
        payloads.append(&mut c.read_payloads());
    }

    let expected: Vec<_> = (0..9).map(|number| number.to_string()).collect();
    assert_eq!(payloads, expected);
    c.assert_at_rest();
}

/// [MQTT-3.3.4-9]
#[test]
fn qos_1_and_2_share_the_quota() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver(&Sample::new(AtLeastOnce, &["a"]));
    c.deliver(&Sample::new(ExactlyOnce, &["b"]));

    let third = c.deliver(&Sample::new(AtLeastOnce, &["c"]));

    assert_eq!(third, queued(1));
}

/// [MQTT-3.3.4-9]
#[test]
fn a_qos_2_message_counts_until_pubcomp() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver(&Sample::new(ExactlyOnce, &["a", "b"]));

    c.pubrec(1);
    assert!(!c.can_drain());
    c.pubcomp(1);

    assert!(c.can_drain());
}

#[test]
fn a_pubrec_that_fails_frees_its_place() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver(&Sample::new(ExactlyOnce, &["a", "b"]));

    c.pubrec_with(1, ReasonCode::NotAuthorized);

    assert!(c.can_drain());
}

#[test]
fn qos_0_and_pubrel_pass_though_the_quota_is_used_up() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver(&Sample::new(ExactlyOnce, &["a", "b"]));
    c.read();

    c.deliver(&Sample::new(AtMostOnce, &["c"]));
    c.pubrec(1);

    let packets = c.read();
    assert!(matches!(&packets[0], Packet::Publish(it) if it.payload == "c"));
    assert_eq!(packets[1], Packet::PubRel(1));
}

/// [MQTT-3.3.4-9]
#[test]
fn what_is_sent_again_counts_again_on_the_new_connection() {
    let mut c = Conversation::with_receive_maximum(2);
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b", "c", "d"]));
    c.disconnect();
    c.terms.receive_maximum = 3;

    c.connect();

    assert_eq!(c.read_payloads(), ["a", "b", "c"]);
    assert!(!c.can_drain());
}

#[test]
fn towards_a_v3_client_our_own_maximum_holds() {
    let terms = ConnectionTerms { layout: Layout::V3, receive_maximum: 1, ..TERMS };
    let mut c = Conversation::on(terms);
    c.limits.inflight_max = 4;

    let tally = c.deliver(&Sample::numbered(AtLeastOnce, 0..6).in_layout(Layout::V3));

    assert_eq!((tally.sent, tally.queued), (4, 2));
}

#[test]
fn a_maximum_of_0_towards_v3_clients_counts_as_1() {
    let mut c = Conversation::on(ConnectionTerms { layout: Layout::V3, ..TERMS });
    c.limits.inflight_max = 0;

    let tally = c.deliver(&Sample::numbered(AtLeastOnce, 0..2).in_layout(Layout::V3));

    assert_eq!((tally.sent, tally.queued), (1, 1));
}

#[test]
fn what_waits_is_told_apart_from_what_can_go() {
    let mut c = Conversation::with_receive_maximum(1);
    assert!(!c.outbound.has_waiting());
    c.deliver(&Sample::new(AtLeastOnce, &["a", "b"]));
    assert!(c.outbound.has_waiting());
    assert!(!c.can_drain());

    c.puback(1);
    c.drain();

    assert!(!c.outbound.has_waiting());
    c.deliver(&Sample::new(AtLeastOnce, &["c"]));
    c.disconnect();
    c.terms.receive_maximum = 2;
    c.connect();
    assert!(!c.outbound.has_waiting());
}
