use std::collections::BTreeSet;

use pintle_session::Acked::Done;

use crate::conversation::{AtLeastOnce, Conversation, ExactlyOnce, queued, sent};

fn wide() -> Conversation {
    let mut c = Conversation::v5();
    c.limits.outbox_bytes_max = usize::MAX;
    c
}

/// [MQTT-2.2.1-4]
#[test]
fn identifiers_go_round_and_leave_0_out() {
    let mut c = wide();

    for expected in (1..=65_535).chain(1..=10) {
        c.deliver_numbers(AtLeastOnce, 0..1);
        assert_eq!(c.read_ids(), [expected]);
        assert_eq!(c.puback(expected), Done);
    }
}

/// [MQTT-2.2.1-4]
#[test]
fn an_identifier_in_use_is_passed_over_however_often_the_others_go_round() {
    let mut c = wide();
    c.deliver_numbers(AtLeastOnce, 0..3);
    c.puback(1);
    c.puback(3);
    c.deliver_numbers(ExactlyOnce, 0..1);
    c.pubrec(4);
    c.read();

    let mut last = 4;
    for _ in 0..1_400 {
        c.deliver_numbers(AtLeastOnce, 0..100);
        for id in c.read_ids() {
            assert!(id != 2 && id != 4);
            assert!(id > last || last == 65_535, "{id} follows {last}");
            last = id;
            assert_eq!(c.puback(id), Done);
        }
    }

    assert_eq!(c.outbound.inflight_len(), 2);
    assert_eq!(c.puback(2), Done);
    assert_eq!(c.pubcomp(4), Done);
    c.assert_at_rest();
}

/// [MQTT-2.2.1-4]
#[test]
fn with_all_but_a_few_in_use_the_few_are_found() {
    let mut c = wide();
    assert_eq!(c.deliver_numbers(AtLeastOnce, 0..65_535), sent(65_535));
    c.read();
    assert_eq!(c.deliver_numbers(AtLeastOnce, 0..3), queued(3));

    for id in [40_000, 7, 65_535] {
        assert_eq!(c.puback(id), Done);
        assert_eq!(c.drain(), sent(1));
        assert_eq!(c.read_ids(), [id]);
    }
    for id in [12, 13, 14, 30_000] {
        assert_eq!(c.puback(id), Done);
    }
    assert_eq!(c.deliver_numbers(AtLeastOnce, 0..4), sent(4));
    let ids: BTreeSet<_> = c.read_ids().into_iter().collect();
    assert_eq!(ids, BTreeSet::from([12, 13, 14, 30_000]));
    assert_eq!(c.outbound.inflight_len(), 65_535);
}

/// [MQTT-2.2.1-4]
#[test]
fn with_all_in_use_the_one_that_is_freed_is_the_next() {
    let mut c = wide();
    c.deliver_numbers(AtLeastOnce, 0..65_535);
    c.read();
    let mut id: u64 = 1;

    for _ in 0..3_000 {
        id = id * 40_009 % 65_537 % 65_535 + 1;
        assert_eq!(c.puback(id as u16), Done);
        assert_eq!(c.deliver_numbers(AtLeastOnce, 0..1), sent(1));
        assert_eq!(c.read_ids(), [id as u16]);
    }
}

/// [MQTT-2.2.1-4]
#[test]
fn identifiers_begin_where_they_were_after_everything_was_finished() {
    let mut c = wide();
    c.deliver_numbers(AtLeastOnce, 0..5);
    for id in 1..=5 {
        c.puback(id);
    }
    c.read();

    c.deliver_numbers(AtLeastOnce, 0..2);

    assert_eq!(c.read_ids(), [6, 7]);
}
