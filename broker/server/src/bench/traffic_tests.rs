use std::ops::Range;

use pintle_mqtt::PublishFlags;

use super::*;
use crate::bench::frames::PublishFrame;

const RECEIVER: usize = 0;
const SECOND_RECEIVER: usize = 1;
const PUBLISHER: usize = 2;

/// Two receivers of stream 0; stream 1 is nobody's.
fn traffic(qos: QoS, shares: bool) -> Traffic {
    let payloads = Payloads::new(64, 1);
    let flags = PublishFlags { qos, ..PublishFlags::default() };
    let streams = ["a", "b"]
        .map(|topic| Stream::new(PublishFrame::new(topic, flags, Layout::V3, 64), 0))
        .into();
    let form = MessageForm { layout: Layout::V3, qos, retain: false, payloads };
    let mut traffic = Traffic::new(form, streams);
    for link in [RECEIVER, SECOND_RECEIVER] {
        traffic.add_receiver(link, Receiver::new(&(0..1), shares));
    }
    let copies = if shares { 1 } else { 2 };
    traffic.add_publisher(Publisher::new(PUBLISHER, 0..1, copies));
    traffic
}

/// The packets of so many messages.
fn published(traffic: &mut Traffic, count: usize) -> Vec<Vec<u8>> {
    let publish = |_| {
        let mut packet = Vec::new();
        assert!(traffic.publish(0, 0, &mut packet));
        packet
    };
    (0..count).map(publish).collect()
}

fn receive(traffic: &mut Traffic, link: usize, packet: &[u8]) -> Vec<u8> {
    let mut answers = Vec::new();
    let frame = Frame::split(packet, 1 << 20).unwrap().unwrap();
    traffic.packet(link, &frame, &mut answers).unwrap();
    answers
}

fn receive_all(traffic: &mut Traffic, link: usize, packets: &[Vec<u8>], range: Range<usize>) {
    for packet in &packets[range] {
        receive(traffic, link, packet);
    }
}

#[test]
fn a_run_without_faults_settles() {
    let mut traffic = traffic(QoS::AtMostOnce, false);
    let packets = published(&mut traffic, 3);
    traffic.stop();
    receive_all(&mut traffic, RECEIVER, &packets, 0..3);
    assert!(!traffic.is_settled());

    receive_all(&mut traffic, SECOND_RECEIVER, &packets, 0..3);

    assert!(traffic.is_settled());
    assert_eq!(traffic.faults(), Faults::default());
    assert_eq!(traffic.tally().delivered, 6);
}

#[test]
fn every_kind_of_fault_is_told() {
    let mut traffic = traffic(QoS::AtMostOnce, false);
    let packets = published(&mut traffic, 5);
    let mut damaged = packets[4].clone();
    damaged[40] ^= 1;

    // 3 is lost, 1 late, 2 twice, 4 damaged on its way to the first; the second gets nothing.
    for at in [0, 2, 2, 1] {
        receive(&mut traffic, RECEIVER, &packets[at]);
    }
    receive(&mut traffic, RECEIVER, &damaged);

    let faults = traffic.faults();
    assert_eq!((faults.lost, faults.duplicated), (7, 1));
    assert_eq!((faults.reordered, faults.damaged), (1, 1));
    assert_eq!(faults.first.unwrap(), "stream 0: 1 messages missing before 2");
}

#[test]
fn a_message_on_the_topic_of_another_is_damaged() {
    let mut traffic = traffic(QoS::AtMostOnce, false);
    let mut packets = published(&mut traffic, 1);
    packets[0][4] = b'b';

    receive(&mut traffic, RECEIVER, &packets[0]);

    assert_eq!(traffic.faults().damaged, 1);
    assert!(traffic.faults().first.unwrap().contains("topic"));
}

#[test]
fn a_message_that_nobody_asked_for_is_misdelivered() {
    let mut traffic = traffic(QoS::AtMostOnce, false);
    traffic.publishers[0].next_stream = 1;
    let packets = published(&mut traffic, 1);

    receive(&mut traffic, RECEIVER, &packets[0]);

    assert_eq!(traffic.faults().misdelivered, 1);
}

#[test]
fn a_group_gets_each_message_once_and_each_member_in_order() {
    let mut traffic = traffic(QoS::AtMostOnce, true);
    let packets = published(&mut traffic, 4);

    for (link, at) in [(RECEIVER, 0), (SECOND_RECEIVER, 1), (RECEIVER, 3), (RECEIVER, 2)] {
        receive(&mut traffic, link, &packets[at]);
    }
    receive(&mut traffic, SECOND_RECEIVER, &packets[3]);

    let faults = traffic.faults();
    assert_eq!((faults.reordered, faults.duplicated, faults.lost), (1, 1, 0));
}

#[test]
fn messages_above_qos_0_are_acknowledged_step_by_step() {
    let mut traffic = traffic(QoS::ExactlyOnce, false);
    let packets = published(&mut traffic, 1);

    assert_eq!(receive(&mut traffic, RECEIVER, &packets[0]), [0x50, 2, 0, 1]);
    assert_eq!(receive(&mut traffic, RECEIVER, &[0x62, 2, 0, 1]), [0x70, 2, 0, 1]);
    assert_eq!(receive(&mut traffic, PUBLISHER, &[0x50, 2, 0, 1]), [0x62, 2, 0, 1]);
    assert_eq!(traffic.tally().acknowledged, 0);
    assert!(receive(&mut traffic, PUBLISHER, &[0x70, 2, 0, 1]).is_empty());
    assert_eq!(traffic.tally().acknowledged, 1);
}

#[test]
fn acknowledgements_that_refuse_or_that_nobody_waits_for_are_faults() {
    let mut traffic = traffic(QoS::AtLeastOnce, false);
    published(&mut traffic, 1);

    receive(&mut traffic, PUBLISHER, &[0x40, 3, 0, 1, 0x97]);
    receive(&mut traffic, PUBLISHER, &[0x40, 2, 0, 1]);

    assert_eq!(traffic.faults().refused, 2);
    assert!(traffic.faults().first.unwrap().contains("QuotaExceeded"));
}
