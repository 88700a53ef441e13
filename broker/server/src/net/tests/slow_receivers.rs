use std::sync::LazyLock;

use super::client::{narrow_tcp, pattern};
use super::*;

/// More than the sockets of a connection hold together, so that the broker finds one full.
pub(super) const MESSAGES: u32 = 400;

pub(super) fn message(number: u32) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(32 * 1024));
    [number.to_be_bytes().as_slice(), &PATTERN].concat()
}

#[test]
fn a_receiver_that_never_reads_holds_up_nobody() {
    let broker = TestBroker::open();
    let mut stuck = Client::over(narrow_tcp(broker.address), "stuck");
    stuck.subscribe("t", 0);
    let mut reader = broker.client("reader");
    reader.subscribe("t", 0);
    let mut publisher = broker.client("publisher");

    for number in 0..MESSAGES {
        publisher.publish("t", &message(number));
        assert_eq!(reader.receive_payload("t"), message(number));
    }

    drop((stuck, reader, publisher));
    broker.wait_until_empty();
}

#[test]
fn a_receiver_that_pauses_gets_everything_in_order_when_it_reads() {
    let broker = TestBroker::open();
    let mut receiver = Client::over(narrow_tcp(broker.address), "receiver");
    receiver.subscribe("t", 1);
    let mut publisher = broker.client("publisher");

    for number in 0..MESSAGES {
        publisher.publish_acknowledged("t", &message(number));
    }

    for number in 0..MESSAGES {
        assert_eq!(receiver.receive_acknowledging("t"), message(number));
    }
    receiver.ping();
}

#[test]
fn a_receiver_on_another_worker_may_pause_too() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut receiver = Client::over(narrow_tcp(broker.address), "receiver");
    receiver.subscribe("t", 1);
    let mut publisher = broker.client("publisher");

    for number in 0..MESSAGES {
        publisher.publish_acknowledged("t", &message(number));
    }

    for number in 0..MESSAGES {
        assert_eq!(receiver.receive_acknowledging("t"), message(number));
    }
}

#[test]
fn a_slow_reader_keeps_its_order_while_messages_go_on() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut receiver = Client::over(narrow_tcp(broker.address), "receiver");
    receiver.subscribe("t", 1);
    let mut publisher = broker.client("publisher");
    let publishing = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            publisher.publish_acknowledged("t", &message(number));
        }
    });

    for number in 0..MESSAGES {
        assert_eq!(receiver.receive_acknowledging("t"), message(number));
    }

    publishing.join().unwrap();
}

#[test]
fn a_receiver_that_leaves_while_it_is_full_is_let_go() {
    let broker = TestBroker::open();
    let mut stuck = Client::over(narrow_tcp(broker.address), "stuck");
    stuck.subscribe("t", 1);
    let mut publisher = broker.client("publisher");
    for number in 0..MESSAGES {
        publisher.publish_acknowledged("t", &message(number));
    }

    drop((stuck, publisher));

    broker.wait_until_empty();
}
