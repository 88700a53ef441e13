use pintle_mqtt::Property;
use pintle_ports::{Epoch, Taken};

use crate::client::at;
use crate::draft::publish;
use crate::scenario::Scenario;

#[test]
fn the_link_is_told_once_and_takes_everything_at_once() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t").stops_reading();
    b.client("p").publishes("t", "1");
    b.client("p").publishes("t", "2");
    let link = std::sync::Arc::clone(&b.wire("s").link);
    assert!(link.is_ready());
    assert_eq!(link.take(), Some(Taken::Bytes));
    assert!(!link.is_ready());
    b.client("p").publishes("t", "3");
    assert!(link.is_ready());
    b.client("s").reads_on().receives(&["1", "2", "3"]);
}

#[test]
fn the_allocation_of_what_is_taken_is_exchanged() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t").stops_reading();
    let (outbox, epoch) = b.wire("s").link.outbox();
    b.client("p").publishes("t", "1");
    let mut first = Vec::with_capacity(5000);
    assert_eq!(outbox.take(epoch, &mut first), Taken::Bytes);
    assert!(!first.is_empty() && first.capacity() < 5000);
    let mut nothing = Vec::new();
    assert_eq!(outbox.take(epoch, &mut nothing), Taken::Nothing);
    assert!(nothing.is_empty());
    let mut second = Vec::new();
    b.wire("s").link.take();
    b.client("p").publishes("t", "2");
    assert_eq!(outbox.take(epoch, &mut second), Taken::Bytes);
    assert!(second.capacity() >= 5000);
}

#[test]
fn a_buffer_that_nothing_is_written_into_goes_back() {
    let mut b = Scenario::new();
    let one = Property::ReceiveMaximum(1);
    b.connects("s").property(one).is_let_in().subscribes("t").stops_reading();
    let link = std::sync::Arc::clone(&b.wire("s").link);
    let (outbox, epoch) = link.outbox();
    b.client("p").publishes("t", "sent").qos(1);
    assert_eq!(outbox.take(epoch, &mut Vec::new()), Taken::Bytes);
    let lent = link.lent();
    b.client("p").publishes("t", "queued").qos(1);
    assert_eq!(link.lent(), lent);
}

#[test]
fn a_connection_that_is_over_takes_nothing_from_the_one_after_it() {
    let mut b = Scenario::new();
    b.connects("old").keeping_session(100).is_let_in().subscribes("t");
    let (outbox, epoch) = b.wire("old").link.outbox();
    b.connects("new").as_client_id("old").keeping_session(100).is_let_in().stops_reading();
    b.client("p").publishes("t", "x");
    let mut bytes = Vec::new();
    assert_eq!(outbox.take(epoch, &mut bytes), Taken::Nothing);
    assert_eq!(outbox.take(Epoch(epoch.0 + 100), &mut bytes), Taken::Nothing);
    assert!(bytes.is_empty());
    b.client("new").reads_on().receives(&["x"]);
}

#[test]
fn who_does_not_read_loses_qos_0_and_keeps_the_rest_in_its_queue() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 60);
    b.client("s").subscribes("t").stops_reading();
    for n in 0..10 {
        b.client("p").publishes("t", &format!("0-{n:06}"));
        b.client("p").publishes("t", &format!("1-{n:06}")).qos(1);
    }
    let got = b.client("s").reads_on().deliveries();
    let queued = got.iter().filter(|seen| seen.payload().starts_with('1')).count();
    let unreliable = got.len() - queued;
    assert_eq!(queued, 10);
    assert!(unreliable < 10);
    assert_eq!(b.stat("publish/messages/dropped"), 10 - unreliable as u64);
}

#[test]
fn what_waits_for_room_is_told_of_and_sent_on() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 30);
    b.client("s").answers_by_hand().subscribes("t").stops_reading();
    for n in 0..4 {
        b.client("p").publishes("t", &format!("message {n}")).qos(1);
    }
    let link = std::sync::Arc::clone(&b.wire("s").link);
    assert_eq!(link.take(), Some(Taken::BytesAndMoreWaits));
    let got = b.client("s").reads_on().deliveries().len();
    assert_eq!(got, 1);
    b.on_room("s");
    b.client("s").receives(&["message 1", "message 2", "message 3"]);
}

#[test]
fn what_waits_in_the_retained_backlog_alone_is_told_of_too() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 30);
    for topic in ["a", "b", "c"] {
        b.client("p").publishes(topic, "twenty bytes or more").retained();
    }
    let mut client = b.client("s").stops_reading();
    let bytes = client.subscribe_bytes(&[("#", at(0))], None);
    client.sends(&bytes);
    let link = std::sync::Arc::clone(&b.wire("s").link);
    assert_eq!(link.take(), Some(Taken::BytesAndMoreWaits));
    b.on_room("s");
    assert_eq!(link.take(), Some(Taken::BytesAndMoreWaits));
    b.on_room("s");
    assert_eq!(b.client("s").reads_on().deliveries().len(), 3);
}

#[test]
fn the_last_message_of_the_backlog_leaves_nothing_waiting() {
    let mut b = Scenario::new();
    b.client("p").publishes("a", "x").retained();
    let mut client = b.client("s").stops_reading();
    let bytes = client.subscribe_bytes(&[("#", at(0))], None);
    client.sends(&bytes);
    assert_eq!(b.wire("s").link.take(), Some(Taken::Bytes));
}

#[test]
fn room_that_is_told_of_too_late_changes_nothing() {
    let mut b = Scenario::new();
    b.connects("old").keeping_session(100).is_let_in();
    b.connects("new").as_client_id("old").keeping_session(100).is_let_in();
    b.on_room("old");
    b.opens_socket("fresh", pintle_mqtt::ProtocolVersion::V5_0);
    b.on_room("fresh");
    b.client("new").is_open();
}

#[test]
fn what_the_broker_still_had_to_send_goes_before_the_end() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t").stops_reading();
    b.client("p").publishes("t", "x");
    b.client("s").sends(&[0xc0, 0, 0xd0, 0]);
    let client = b.client("s");
    client.gets_in_order(&["PUBLISH t x", "PINGRESP", "DISCONNECT ProtocolError"]).is_closed();
}

/// [MQTT-3.14.2-3]
#[test]
fn a_reason_string_too_long_for_the_client_is_left_out_of_disconnect() {
    let mut b = Scenario::new();
    b.connects("any").is_let_in();
    let seen = b.client("any").sends(&[0xd0, 0]).seen();
    assert!(seen[0].properties().reason_string().is_some());
    b.connects("small").property(Property::MaximumPacketSize(20)).is_let_in();
    let seen = b.client("small").sends(&[0xd0, 0]).seen();
    assert_eq!((seen[0].short().as_str(), seen[0].len()), ("DISCONNECT ProtocolError", 3));
}

#[test]
fn messages_larger_than_the_outbox_go_one_at_a_time() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 100);
    b.client("s").subscribes("t");
    let long: Vec<String> = (0..4).map(|n| n.to_string().repeat(1000)).collect();
    let drafts: Vec<_> = long.iter().map(|payload| publish("t", payload).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts[..3]);
    b.client("p").publishes("t", &long[3]);
    let expected: Vec<&str> = long.iter().map(String::as_str).collect();
    b.client("s").receives(&expected);
}
