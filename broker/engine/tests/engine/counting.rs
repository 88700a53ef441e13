use pintle_mqtt::{AckKind, ReasonCode};
use pintle_ports::EventKind;

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

#[test]
fn packets_of_every_type_are_counted() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t").unsubscribes(&["none"], &[0x11]).sends(&[0xc0, 0]);
    b.client("p").publishes("t", "1").qos(1);
    b.client("p").publishes("t", "2").qos(2);
    b.client("s").acks(AckKind::PubRel, 9, ReasonCode::Success);
    b.client("s").disconnects(ReasonCode::Success).is_closed();
    let expected = [
        ("mqtt/connect/received", 2),
        ("mqtt/connack/sent", 2),
        ("mqtt/subscribe/received", 1),
        ("mqtt/suback/sent", 1),
        ("mqtt/unsubscribe/received", 1),
        ("mqtt/unsuback/sent", 1),
        ("mqtt/pingreq/received", 1),
        ("mqtt/pingresp/sent", 1),
        ("mqtt/publish/received", 2),
        ("mqtt/publish/sent", 2),
        ("mqtt/puback/received", 1),
        ("mqtt/puback/sent", 1),
        ("mqtt/pubrec/received", 1),
        ("mqtt/pubrec/sent", 1),
        ("mqtt/pubrel/received", 2),
        ("mqtt/pubrel/sent", 1),
        ("mqtt/pubcomp/received", 1),
        ("mqtt/pubcomp/sent", 2),
        ("mqtt/disconnect/received", 1),
        ("mqtt/disconnect/sent", 0),
        ("publish/messages/received", 2),
        ("publish/messages/sent", 2),
    ];
    for (name, count) in expected {
        assert_eq!(b.stat(name), count, "{name}");
    }
    let types = expected.iter().filter(|(name, _)| name.starts_with("mqtt/"));
    let (received, sent): (Vec<_>, Vec<_>) =
        types.partition(|(name, _)| name.ends_with("received"));
    let sum = |of: Vec<&(&str, u64)>| of.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(b.stat("messages/received"), sum(received));
    assert_eq!(b.stat("messages/sent"), sum(sent));
}

#[test]
fn bytes_are_counted_as_they_pass() {
    let mut b = Scenario::new();
    let connect = b.connects("p").bytes();
    let mut client = b.connects("p").sent();
    let connack = client.next_seen().len() as u64;
    assert_eq!(b.stat("bytes/received"), connect.len() as u64);
    assert_eq!(b.stat("bytes/sent"), connack);
    b.client("p").subscribes("t");
    let before = (b.stat("bytes/received"), b.stat("bytes/sent"));
    let bytes = publish("t", "12345").bytes(pintle_mqtt::ProtocolVersion::V5_0);
    b.client("p").sends(&bytes);
    assert_eq!(b.stat("bytes/received") - before.0, bytes.len() as u64);
    assert_eq!(b.stat("bytes/sent") - before.1, bytes.len() as u64);
    assert_eq!(b.stat("publish/bytes/received"), bytes.len() as u64);
    assert_eq!(b.stat("publish/bytes/sent"), bytes.len() as u64);
}

#[test]
fn all_bytes_sent_are_counted_however_the_connection_ends() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t").stops_reading();
    b.client("p").publishes("t", "x");
    b.client("s").sends(&[0xd0, 0]);
    b.v3_client("old").sends(&[0xc0, 0, 0xd0, 0]);
    b.connects("taken").is_let_in();
    b.connects("taker").as_client_id("taken").is_let_in();
    b.connects("refused").as_client_id("").v31().sent();
    assert_eq!(b.stat("bytes/sent"), b.bytes_seen());
}

#[test]
fn the_gauge_of_connected_clients_follows_every_way_out() {
    let mut b = Scenario::new();
    b.connects("a").keeping_session(100).is_let_in();
    b.connects("a2").as_client_id("a").keeping_session(100).is_let_in();
    b.connects("a3").as_client_id("a").is_let_in();
    b.client("a").is_lost();
    b.client("a2").is_lost();
    assert_eq!(b.connected(), 1);
    b.client("a3").sends(&[0xd0, 0]).is_closed();
    b.connects("b").keep_alive(1).is_let_in();
    b.keep_alive_expires("b");
    b.client("c").disconnects(ReasonCode::Success).is_closed();
    b.client("d").is_lost();
    assert_eq!(b.connected(), 0);
    assert_eq!(b.stat("clients/maximum"), 1);
    assert_eq!(b.stat("clients/disconnected"), 0);
    assert_eq!(b.stat("clients/expired"), 0);
}

#[test]
fn plugins_are_told_of_each_message_and_each_drop() {
    let kinds = [EventKind::Published, EventKind::Dropped];
    let mut b = Scenario::build(TestHooks::none().told(&kinds), |settings| {
        settings.queue_messages_max = 1;
    });
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    let drafts = ["1", "22", "333"].map(|payload| publish("t", payload).qos(1));
    b.client("p").publishes_at_once(&drafts);
    let told = [
        "dropped s t QueueFull",
        "dropped s t QueueFull",
        "published t 1",
        "published t 2",
        "published t 3",
    ];
    assert_eq!(b.hooks.events(), told);
}
