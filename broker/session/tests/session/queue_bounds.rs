use pintle_session::{QueueOverflow, Tally};

use crate::conversation::{AtLeastOnce, Conversation, queued};
use crate::samples::Sample;

fn offline(queue_messages_max: u32, queue_overflow: QueueOverflow) -> Conversation {
    let mut c = Conversation::offline();
    c.limits.queue_messages_max = queue_messages_max;
    c.limits.queue_overflow = queue_overflow;
    c
}

fn waiting(c: &mut Conversation) -> Vec<u32> {
    c.connect();
    let messages = c.read_messages();
    messages.iter().map(|message| message.number()).collect()
}

#[test]
fn a_full_queue_drops_its_oldest_messages() {
    let mut c = offline(4, QueueOverflow::DropOldest);
    c.deliver_numbers(AtLeastOnce, 0..3);

    let tally = c.deliver_numbers(AtLeastOnce, 3..6);

    assert_eq!((tally.queued, tally.queue_full), (3, 2));
    assert_eq!(c.outbound.queue_len(), 4);
    assert_eq!(waiting(&mut c), [2, 3, 4, 5]);
}

#[test]
fn a_full_queue_drops_its_newest_messages_if_told_to() {
    let mut c = offline(4, QueueOverflow::DropNewest);
    c.deliver_numbers(AtLeastOnce, 0..3);

    let tally = c.deliver_numbers(AtLeastOnce, 3..6);

    assert_eq!((tally.queued, tally.queue_full), (1, 2));
    assert_eq!(waiting(&mut c), [0, 1, 2, 3]);
}

#[test]
fn a_run_longer_than_the_queue_keeps_its_end_or_its_beginning() {
    let mut oldest = offline(4, QueueOverflow::DropOldest);
    let mut newest = offline(4, QueueOverflow::DropNewest);

    let tally = oldest.deliver_numbers(AtLeastOnce, 0..10);
    assert_eq!((tally.queued, tally.queue_full), (10, 6));
    let tally = newest.deliver_numbers(AtLeastOnce, 0..10);
    assert_eq!((tally.queued, tally.queue_full), (4, 6));

    assert_eq!(waiting(&mut oldest), [6, 7, 8, 9]);
    assert_eq!(waiting(&mut newest), [0, 1, 2, 3]);
}

#[test]
fn bytes_bound_the_queue_as_messages_do() {
    let frame_len = Sample::numbered(AtLeastOnce, 0..1).frames().len() as u64;
    let overflows =
        [(QueueOverflow::DropOldest, [4, 5, 6]), (QueueOverflow::DropNewest, [0, 1, 2])];
    for (overflow, left) in overflows {
        let mut c = offline(1000, overflow);
        c.limits.queue_bytes_max = 4 * frame_len - 1;

        for number in 0..7 {
            c.deliver_numbers(AtLeastOnce, number..number + 1);
            assert!(c.outbound.queue_bytes() <= c.limits.queue_bytes_max);
        }

        assert_eq!(c.outbound.queue_bytes(), 3 * frame_len);
        assert_eq!(waiting(&mut c), left);
    }
}

#[test]
fn a_message_larger_than_the_queue_pushes_nothing_out() {
    let mut c = offline(1000, QueueOverflow::DropOldest);
    c.limits.queue_bytes_max = 100;
    c.deliver_numbers(AtLeastOnce, 0..2);

    let tally = c.deliver(&Sample::new(AtLeastOnce, &[&"9".repeat(101)]));

    assert_eq!((tally.queued, tally.queue_full), (0, 1));
    assert_eq!(waiting(&mut c), [0, 1]);
}

#[test]
fn a_queue_of_none_holds_nothing() {
    for overflow in [QueueOverflow::DropOldest, QueueOverflow::DropNewest] {
        let mut c = offline(0, overflow);

        let tally = c.deliver_numbers(AtLeastOnce, 0..2);

        assert_eq!((tally.queued, tally.queue_full), (0, 2));
        c.assert_at_rest();
    }
}

#[test]
fn only_what_cannot_go_at_once_meets_the_bounds() {
    let mut c = Conversation::with_receive_maximum(3);
    c.limits.queue_messages_max = 2;

    let tally = c.deliver_numbers(AtLeastOnce, 0..8);

    assert_eq!((tally.sent, tally.queue_full), (3, 3));
    assert_eq!(c.outbound.queue_len(), 2);
    assert_eq!(c.read_payloads(), ["0", "1", "2"]);
}

#[test]
fn a_dropped_message_is_not_held_in_memory() {
    let mut c = offline(1, QueueOverflow::DropOldest);
    c.deliver_numbers(AtLeastOnce, 0..1);
    let one = c.budget.used();

    c.deliver_numbers(AtLeastOnce, 1..2);

    assert_eq!(c.budget.used(), one);
}

#[test]
fn expired_messages_make_room_before_others_must_go() {
    let mut c = offline(2, QueueOverflow::DropOldest);
    c.deliver_numbers(AtLeastOnce, 0..1);
    c.deliver(&Sample::numbered(AtLeastOnce, 1..2).expiring(5));
    c.pass_secs(5);

    let tally = c.deliver_numbers(AtLeastOnce, 2..3);

    let expected = Tally { expired: 1, ..queued(1) };
    assert_eq!(tally, expected);
    assert_eq!(waiting(&mut c), [0, 2]);
}
