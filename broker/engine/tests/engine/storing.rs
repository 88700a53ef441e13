//! What outlives the broker.

use pintle_engine::EngineSettings;
use pintle_mqtt::{AckKind, QoS, ReasonCode, Timestamp};
use pintle_ports::{Broker, HookPath, Space};

use crate::broker_port::message;
use crate::client::at;
use crate::draft::publish;
use crate::memory_store::Storing;
use crate::seen::Seen;
use crate::test_hooks::TestHooks;

#[test]
fn retained_messages_are_there_again() {
    let mut it = Storing::new();
    it.b.client("p").publishes("a", "1").retained();
    it.b.client("p").publishes("b", "2").retained().expiring_in(3000);
    it.b.client("p").publishes("c", "3").retained();
    it.save();
    it.b.client("p").publishes("c", "").retained();
    it.b.client("p").publishes("a", "4").retained();

    let mut it = it.restart();

    assert_eq!(it.restored.retained, 2);
    it.b.client("s").subscribes("#").receives(&["4", "2"]);
}

#[test]
fn what_the_broker_says_of_itself_is_not_stored() {
    let mut it = Storing::new();
    let message = message(publish("$SYS/broker/uptime", "1").retained());
    it.b.engine.publish(&message, HookPath::Admin);
    it.b.client("s").subscribes("$SYS/#").receives(&["1"]);
    assert!(it.changes().is_empty());
}

#[test]
fn a_session_is_there_again_with_its_subscriptions_and_what_waits() {
    let mut it = Storing::new();
    let client = it.b.connects("s").keeping_session(1000).is_let_in();
    client.subscribes("a").subscribes_as(7, "b/#", at(1)).subscribes("$share/g/c").is_lost();
    it.b.client("p").publishes("a", "1").qos(2);
    it.b.client("p").publishes("b/1", "2").qos(2);
    it.b.client("p").publishes("c", "3").qos(1);
    it.b.client("p").publishes("a", "not stored").qos(0);

    let mut it = it.restart();

    assert_eq!((it.restored.sessions, it.restored.subscriptions, it.restored.messages), (1, 3, 3));
    let client = it.b.connects("s").keeping_session(1000).sent();
    let mut client = client.gets_first("CONNACK present");
    let deliveries = client.deliveries();
    let seen: Vec<_> = deliveries
        .iter()
        .map(|seen| (seen.payload(), seen.qos(), seen.dup(), seen.identifiers()))
        .collect();
    let expected = [
        ("1".to_owned(), QoS::ExactlyOnce, false, vec![]),
        ("2".to_owned(), QoS::AtLeastOnce, false, vec![7]),
        ("3".to_owned(), QoS::AtLeastOnce, false, vec![]),
    ];
    assert_eq!(seen, expected);
    it.b.client("p").publishes("b/x", "4").qos(1);
    it.b.client("s").receives(&["4"]);
}

/// [MQTT-4.4.0-1]
#[test]
fn what_was_in_flight_comes_again_with_its_identifier() {
    let mut it = Storing::new();
    let client = it.b.connects("s").keeping_session(5000).by_hand().is_let_in();
    client.subscribes("a");
    for (payload, qos) in [("1", 1), ("2", 2), ("3", 2)] {
        it.b.client("p").publishes("a", payload).qos(qos);
    }
    it.b.client("s").acks(AckKind::PubRec, 2, ReasonCode::Success);

    let mut it = it.restart();

    let mut client = it.b.connects("s").keeping_session(5000).by_hand().sent();
    let seen = client.seen();
    let short: Vec<_> = seen.iter().map(Seen::short).collect();
    assert_eq!(short, ["CONNACK present", "PUBREL 2", "PUBLISH a 1", "PUBLISH a 3"]);
    let ids: Vec<_> =
        seen[2..].iter().map(|seen| (seen.packet_id(), seen.dup(), seen.qos() as u8)).collect();
    assert_eq!(ids, [(1, true, 1), (3, true, 2)]);
}

/// [MQTT-4.3.3-10]
#[test]
fn a_message_of_qos_2_that_was_taken_is_not_taken_again() {
    let mut it = Storing::new();
    it.b.client("s").subscribes("a");
    let draft = publish("a", "1").qos(2).id(9);
    let mut client = it.b.connects("p").keeping_session(1000).by_hand().is_let_in();
    let bytes = draft.bytes(pintle_mqtt::ProtocolVersion::V5_0);
    client = client.sends(&bytes);
    client.gets(&["PUBREC 9"]).is_lost();
    it.b.client("s").receives(&["1"]);

    let mut it = it.restart();

    it.b.client("s").subscribes("a");
    let client = it.b.connects("p").keeping_session(1000).by_hand().is_let_in();
    client.sends(&bytes).gets(&["PUBREC 9"]);
    it.b.client("s").receives(&[]);
    let client = it.b.client("p").acks(AckKind::PubRel, 9, ReasonCode::Success);
    client.gets(&["PUBCOMP 9"]).sends(&bytes).gets(&["PUBREC 9"]);
    it.b.client("s").receives(&["1"]);
}

#[test]
fn an_identifier_that_is_released_is_not_stored_any_more() {
    let mut it = Storing::new();
    for reason in [ReasonCode::Success, ReasonCode::PacketIdentifierNotFound] {
        let bytes = publish("a", "1").qos(2).id(9).bytes(pintle_mqtt::ProtocolVersion::V5_0);
        let client = it.b.connects("p").keeping_session(1000).by_hand().is_let_in();
        client.sends(&bytes).gets(&["PUBREC 9 NoMatchingSubscribers"]);
        it.save();
        assert_eq!(it.store.count(Space::Inbound), 1);
        it.b.client("p").acks(AckKind::PubRel, 9, reason).gets(&["PUBCOMP 9"]);
        it.save();
        assert_eq!(it.store.count(Space::Inbound), 0);
    }
}

#[test]
fn a_message_that_is_acknowledged_is_not_stored_any_more() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(1000).by_hand().is_let_in().subscribes("a");
    for (id, kind, reason) in [
        (1, AckKind::PubAck, ReasonCode::Success),
        (2, AckKind::PubAck, ReasonCode::NoMatchingSubscribers),
        (3, AckKind::PubRec, ReasonCode::QuotaExceeded),
    ] {
        it.b.client("p").publishes("a", "1").qos(if kind == AckKind::PubAck { 1 } else { 2 });
        it.save();
        assert_eq!(it.store.count(Space::InFlight), 1);
        it.b.client("s").acks(kind, id, reason);
        it.save();
        assert_eq!(it.store.count(Space::InFlight), 0);
        assert_eq!(it.store.count(Space::Messages), 0);
    }
}

#[test]
fn what_leaves_the_queue_for_want_of_room_no_more_is_stored_as_in_flight() {
    let settings = EngineSettings { outbox_bytes_max: 60, ..EngineSettings::default() };
    let mut it = Storing::with(TestHooks::none, settings);
    let client = it.b.connects("s").keeping_session(1000).by_hand().is_let_in().subscribes("a");
    drop(client.stops_reading());
    for _ in 0..5 {
        it.b.client("p").publishes("a", "a message of some length").qos(1);
    }
    it.save();
    assert_eq!([Space::Queue, Space::InFlight].map(|space| it.store.count(space)), [4, 1]);
    it.b.client("s").reads_on();
    it.save();
    assert_eq!([Space::Queue, Space::InFlight].map(|space| it.store.count(space)), [0, 5]);
}

#[test]
fn a_will_that_waits_is_sent_by_the_next_broker() {
    let mut it = Storing::new();
    let connects = it.b.connects("c").keeping_session(5000).will("w", "gone").will_delay(2000);
    connects.is_let_in().is_lost();

    let mut it = it.restart();

    it.b.client("s").subscribes("w");
    it.b.seconds_pass(1999);
    it.b.client("s").receives(&[]);
    it.b.seconds_pass(1);
    it.b.client("s").receives(&["gone"]);

    let mut it = it.restart();

    it.b.client("s").subscribes("w");
    it.b.seconds_pass(10_000);
    it.b.client("s").receives(&[]);
}

#[test]
fn a_client_that_was_connected_when_the_broker_ended_was_cut_off_by_that() {
    let mut it = Storing::new();
    it.b.connects("c").keeping_session(2000).will("w", "gone").is_let_in();

    let mut it = it.restart();

    // The tests' clock is at 1000 s when a broker takes its first client; this one began at 0.
    assert_eq!(it.b.stat("clients/total"), 1);
    it.b.seconds_pass(999);
    assert_eq!(it.b.stat("clients/total"), 1);
    it.b.seconds_pass(1);
    assert_eq!(it.b.stat("clients/total"), 0);
    it.save();
    assert!(it.store.is_empty());
}

#[test]
fn a_session_whose_time_is_over_is_not_there_again() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(10).is_let_in().subscribes("a").is_lost();
    it.b.client("p").publishes("a", "1").qos(1);
    it.save();
    assert_eq!(it.store.count(Space::Messages), 1);
    it.b.seconds_pass(10);

    let mut it = it.restart();

    it.save();
    assert!(it.store.is_empty());
    assert!(!it.b.connects("s").keeping_session(10).sent().is_resumed());
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_no_trace() {
    let mut it = Storing::new();
    it.b.client("s").subscribes("a");
    it.b.client("p").publishes("a", "1").qos(2);
    assert!(it.changes().is_empty());
    it.b.client("s").is_lost();
    assert!(it.changes().is_empty());
}

#[test]
fn a_session_that_its_client_ends_is_removed_with_all_it_had() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(1000).by_hand().is_let_in().subscribes("a");
    it.b.client("p").publishes("a", "1").qos(2);
    it.b.client("p").publishes("a", "2").qos(1);
    it.save();
    assert_eq!(it.store.count(Space::InFlight), 2);
    it.b.client("s").disconnects_keeping_session(0).is_closed();
    it.save();
    assert!(it.store.is_empty());
}

#[test]
fn a_message_for_many_is_stored_once() {
    let mut it = Storing::new();
    for name in ["a", "b", "c"] {
        it.b.connects(name).keeping_session(1000).is_let_in().subscribes("t").is_lost();
    }
    it.b.client("p").publishes("t", "1").qos(1);
    it.save();
    assert_eq!((it.store.count(Space::Messages), it.store.count(Space::Queue)), (1, 3));
    it.b.connects("a").keeping_session(1000).is_let_in().receives(&["1"]);
    it.save();
    assert_eq!((it.store.count(Space::Messages), it.store.count(Space::Queue)), (1, 2));
}

#[test]
fn what_came_and_went_between_two_looks_is_never_stored() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(1000).is_let_in().subscribes("t");
    it.save();
    for _ in 0..100 {
        it.b.client("p").publishes("t", "1").qos(2);
    }
    it.b.client("s").receives(&["1"; 100]);
    assert_eq!(it.changes(), []);
}

#[test]
fn records_that_make_no_sense_are_left_out() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(1000).is_let_in().subscribes("a").is_lost();
    it.b.client("p").publishes("a", "1").qos(1);
    it.b.client("p").publishes("a", "2").qos(1);
    it.b.client("p").publishes("r", "3").retained();
    it.save();
    it.store.spoil(Space::Sessions, b"x", b"\x01");
    it.store.spoil(Space::Sessions, b"y", b"");
    it.store.spoil(Space::Sessions, b"z", b"\x02");
    it.store.spoil(Space::Subscriptions, b"s\0b", b"\x01nonsense");
    it.store.spoil(Space::Queue, b"s\0\0\0\0\0\0\0\0\x09", b"\x01");
    it.store.spoil(Space::Retained, b"r2", b"\x01\0\0");
    it.store.spoil(Space::Messages, b"no number", b"");

    let mut it = it.restart();

    assert_eq!((it.restored.broken, it.b.stat("store/broken")), (7, 7));
    it.b.connects("s").keeping_session(1000).is_let_in().receives(&["1", "2"]);
    it.b.client("t").subscribes("r").receives(&["3"]);
    // A number that stands for something broken is not given again.
    it.b.client("s").is_lost();
    it.b.client("p").publishes("a", "4").qos(1);
    it.save();
    let mut it = it.restart();
    it.b.connects("s").keeping_session(1000).is_let_in().receives(&["4"]);
}

#[test]
fn records_of_sessions_that_are_no_more_are_removed() {
    let mut it = Storing::new();
    it.b.connects("s").keeping_session(1000).is_let_in().subscribes("a").is_lost();
    it.b.client("p").publishes("a", "1").qos(1);
    it.save();
    it.store.spoil(Space::Sessions, b"s", b"\x01");

    let it = it.restart();

    it.save();
    assert_eq!(it.restored.sessions, 0);
    let left = [Space::Subscriptions, Space::Queue, Space::Messages];
    assert_eq!(left.map(|space| it.store.count(space)), [0, 0, 0]);
}

#[test]
fn while_the_store_does_not_keep_up_qos_1_and_2_are_refused() {
    let mut it = Storing::new();
    it.b.client("s").subscribes("a");
    it.b.engine.refuse_from(Timestamp::from_millis(1_001_000));
    it.b.client("p").publishes("a", "1").qos(1).gets(&["PUBACK 1"]);
    it.b.seconds_pass(1);
    it.b.client("p").publishes("a", "2").qos(1).gets(&["PUBACK 2 QuotaExceeded"]);
    it.b.client("p").publishes("a", "3").qos(2).gets(&["PUBREC 3 QuotaExceeded"]);
    it.b.client("p").publishes("a", "4").qos(0);
    it.b.v3_client("old").publishes("a", "5").qos(1).gets(&[]);
    assert_eq!(it.b.client("old").flow(), pintle_engine::Flow::Pause);
    assert_eq!(it.b.stat("store/refused"), 2);

    it.b.engine.refuse_from(Timestamp::NEVER);

    it.b.client("old").sends(&[]).gets(&["PUBACK 1"]);
    it.b.client("p").publishes("a", "6").qos(1).gets(&["PUBACK 4"]);
    it.b.client("s").receives(&["1", "4", "5", "6"]);
}

#[test]
fn who_is_told_is_woken_once_for_many_changes() {
    let woken = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut b = crate::scenario::Scenario::new();
    let count = std::sync::Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    let store = crate::memory_store::MemoryStore::default();
    let (mut feed, _) = b.engine.restore(&store, 0, Box::new(wake)).unwrap();
    b.connects("a").keeping_session(10).is_let_in().subscribes("t");
    b.connects("b").keeping_session(10).is_let_in().subscribes("t");
    assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(feed.has_more(&b.engine));
    assert_eq!(feed.gather(&b.engine, 100, 1000).len(), 4);
    assert!(!feed.has_more(&b.engine));
    b.client("a").is_lost();
    assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 2);
}
