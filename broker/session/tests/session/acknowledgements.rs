//! PUBACK, PUBREC and PUBCOMP against every state of a flow.

use pintle_mqtt::ReasonCode;
use pintle_session::Acked::{Done, Unknown, WrongState};

use crate::conversation::{AtLeastOnce, AtMostOnce, Conversation, ExactlyOnce};
use crate::samples::{Packet, Sample};

/// [MQTT-4.3.2-3]
#[test]
fn puback_finishes_a_qos_1_flow_once() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["a"]));

    assert_eq!(c.outbound.inflight_len(), 1);
    assert_eq!(c.puback(1), Done);
    assert_eq!(c.puback(1), Unknown);
    c.assert_at_rest();
}

/// [MQTT-4.3.3-4] [MQTT-4.3.3-5]
#[test]
fn a_qos_2_flow_goes_by_pubrec_pubrel_and_pubcomp() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(ExactlyOnce, &["a"]));
    c.read();

    assert_eq!(c.pubrec(1), Done);
    assert_eq!(c.read(), [Packet::PubRel(1)]);
    assert_eq!(c.outbound.inflight_len(), 1);
    assert_eq!(c.budget.used(), 0, "the message is the client's now");
    assert_eq!(c.pubcomp(1), Done);
    assert_eq!(c.pubcomp(1), Unknown);
    c.assert_at_rest();
}

/// [MQTT-4.3.3-4]
#[test]
fn a_pubrec_that_comes_again_gets_pubrel_again() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(ExactlyOnce, &["a"]));
    c.pubrec(1);
    c.read();

    assert_eq!(c.pubrec(1), Done);

    assert_eq!(c.read(), [Packet::PubRel(1)]);
    assert_eq!(c.pubcomp(1), Done);
}

#[test]
fn a_pubrec_that_fails_ends_the_flow_without_pubrel() {
    let mut c = Conversation::with_receive_maximum(1);
    c.deliver(&Sample::new(ExactlyOnce, &["a", "b"]));
    c.read();

    let acked = c.pubrec_with(1, ReasonCode::QuotaExceeded);

    assert_eq!(acked, Done);
    assert!(c.outbox.is_empty());
    assert_eq!(c.pubcomp(1), Unknown);
    c.drain();
    assert_eq!(c.read_payloads(), ["b"]);
}

#[test]
fn a_pubrec_that_fails_after_pubrel_ends_the_flow_too() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(ExactlyOnce, &["a"]));
    c.pubrec(1);

    let acked = c.pubrec_with(1, ReasonCode::UnspecifiedError);

    assert_eq!(acked, Done);
    assert_eq!(c.pubcomp(1), Unknown);
    c.assert_at_rest();
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_changes_nothing() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtLeastOnce, &["one"]));
    c.deliver(&Sample::new(ExactlyOnce, &["two", "three"]));
    c.pubrec(3);
    c.read();

    assert_eq!(c.pubrec(1), WrongState);
    assert_eq!(c.pubrec_with(1, ReasonCode::UnspecifiedError), WrongState);
    assert_eq!(c.pubcomp(1), WrongState);
    assert_eq!(c.puback(2), WrongState);
    assert_eq!(c.pubcomp(2), WrongState);
    assert_eq!(c.puback(3), WrongState);
    assert!(c.outbox.is_empty());

    assert_eq!(c.puback(1), Done);
    assert_eq!(c.pubrec(2), Done);
    assert_eq!(c.pubcomp(2), Done);
    assert_eq!(c.pubcomp(3), Done);
    c.assert_at_rest();
}

#[test]
fn an_acknowledgement_out_of_nowhere_is_unknown() {
    let mut idle = Conversation::v5();
    let mut busy = Conversation::v5();
    busy.deliver(&Sample::new(AtLeastOnce, &["a", "b"]));
    busy.deliver(&Sample::new(ExactlyOnce, &["c"]));
    busy.outbox.clear();

    for c in [&mut idle, &mut busy] {
        for unused in [4, 9, u16::MAX] {
            assert_eq!(c.puback(unused), Unknown);
            assert_eq!(c.pubrec(unused), Unknown);
            assert_eq!(c.pubrec_with(unused, ReasonCode::UnspecifiedError), Unknown);
            assert_eq!(c.pubcomp(unused), Unknown);
        }
        assert!(c.outbox.is_empty());
    }
    assert_eq!(busy.outbound.inflight_len(), 3);
}

#[test]
fn qos_0_is_never_in_flight() {
    let mut c = Conversation::v5();
    c.deliver(&Sample::new(AtMostOnce, &["a"]));

    assert_eq!(c.puback(1), Unknown);
    c.assert_at_rest();
}

#[test]
fn a_run_may_be_acknowledged_in_any_order() {
    let orders: [[u16; 5]; 6] = [
        [1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1],
        [3, 1, 5, 2, 4],
        [2, 4, 1, 3, 5],
        [4, 5, 2, 1, 3],
        [1, 5, 3, 2, 4],
    ];
    for order in orders {
        let mut c = Conversation::v5();
        c.deliver_numbers(AtLeastOnce, 0..5);
        for (done, id) in order.into_iter().enumerate() {
            assert_eq!(c.outbound.inflight_len(), 5 - done as u32);
            assert_eq!(c.puback(id), Done, "{id} of {order:?}");
            assert_eq!(c.puback(id), Unknown, "{id} of {order:?}");
        }
        c.assert_at_rest();
    }
}

/// A run as long as identifiers allow, acknowledged in an order that has no order.
#[test]
fn as_many_as_there_are_identifiers_may_be_acknowledged_in_any_order() {
    let mut c = Conversation::v5();
    c.limits.outbox_bytes_max = usize::MAX;
    c.deliver_numbers(AtLeastOnce, 0..65_535);
    let step = 28_657; // coprime to 65,535

    for turn in 0..65_535_u64 {
        let id = (turn * step % 65_535) as u16 + 1;
        assert_eq!(c.puback(id), Done);
    }

    c.assert_at_rest();
}

/// Every second one from the back: the order that cuts most often from what is left.
#[test]
fn a_long_run_may_be_acknowledged_from_its_end() {
    let mut c = Conversation::v5();
    c.limits.outbox_bytes_max = usize::MAX;
    c.deliver_numbers(ExactlyOnce, 0..65_535);
    c.outbox.clear();

    for id in (1..=65_535).rev().skip(1).step_by(2) {
        assert_eq!(c.pubrec(id), Done);
    }
    for id in (1..=65_535).rev().step_by(2) {
        assert_eq!(c.pubrec(id), Done);
    }
    for id in 1..=65_535 {
        assert_eq!(c.pubcomp(id), Done);
    }

    c.assert_at_rest();
}
