//! Runs of PUBLISH packets, and the forms they are delivered in.

use std::sync::Arc;

use pintle_mqtt::{
    Budget, DeliveryFields, Frame, KeptRun, Layout, PacketId, Properties, Property, PropertyBuffer,
    PropertyContext, Publication, Publish, PublishFlags, QoS, ReasonCode, Run, Timestamp,
    TopicName, WireForm, copy_with_packet_ids,
};
use proptest::prelude::*;

use crate::any_packet::parts;

const RECEIVED: Timestamp = Timestamp::from_millis(5000);

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn message<'a>(
    qos: QoS,
    retain: bool,
    properties: Properties<'a>,
    payload: &'a [u8],
) -> Publish<'a> {
    Publish {
        flags: PublishFlags { dup: false, qos, retain },
        topic: Some(TopicName::trusted("t")),
        packet_id: (qos != QoS::AtMostOnce).then(|| id(9)),
        properties,
        payload,
    }
}

fn encoded(publish: &Publish<'_>, layout: Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    publish.encode(layout, &mut bytes);
    bytes
}

/// Three packets of one topic, as a client sends them at once.
fn three(qos: QoS, layout: Layout) -> Vec<u8> {
    [&b"one"[..], b"", b"three"]
        .map(|payload| encoded(&message(qos, false, Properties::EMPTY, payload), layout))
        .concat()
}

fn run_of(frames: &[u8], layout: Layout) -> Run<'_> {
    let mut count = 0;
    let mut rest = frames;
    while let Some(frame) = Frame::split(rest, u32::MAX).unwrap() {
        count += 1;
        rest = &rest[frame.bytes.len()..];
    }
    let first = Frame::split(frames, u32::MAX).unwrap().unwrap();
    let head = Publish::decode(&first, layout, None).unwrap();
    Run::new(head, layout, frames, count)
}

fn form(layout: Layout, qos: QoS, retain: bool) -> WireForm {
    WireForm { layout, qos, retain }
}

fn payloads(frames: &[u8], layout: Layout) -> Vec<Vec<u8>> {
    run_of(frames, layout).iter().map(|(publish, _)| publish.payload.to_vec()).collect()
}

#[test]
fn a_run_knows_its_packets() {
    let frames = three(QoS::AtLeastOnce, Layout::V3);
    let run = run_of(&frames, Layout::V3);
    assert_eq!(run.topic().as_str(), "t");
    assert_eq!((run.qos(), run.retain(), run.count()), (QoS::AtLeastOnce, false, 3));
    assert_eq!(run.head().payload, b"one");
    let split: Vec<&[u8]> = run.iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(split.concat(), frames);
    assert_eq!(payloads(&frames, Layout::V3), [&b"one"[..], b"", b"three"]);
}

#[test]
fn packets_are_alike_if_only_payload_and_packet_identifier_differ() {
    for layout in [Layout::V3, Layout::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let first = message(qos, false, Properties::EMPTY, b"one");
            let second =
                Publish { packet_id: first.packet_id.map(PacketId::next), payload: b"", ..first };
            assert_eq!(alike(&first, &encoded(&second, layout), layout), Some(second));

            let retained = message(qos, true, Properties::EMPTY, b"one");
            assert_eq!(alike(&first, &encoded(&retained, layout), layout), None);
            let topic = Some(TopicName::trusted("T"));
            let elsewhere = encoded(&Publish { topic, ..first }, layout);
            assert_eq!(alike(&first, &elsewhere, layout), None);
        }
    }
    let first = message(QoS::AtLeastOnce, false, Properties::EMPTY, b"");
    let mut properties = PropertyBuffer::new();
    properties.push(Property::ContentType("c"));
    let with_properties = Publish { properties: properties.as_properties(), ..first };
    assert_eq!(alike(&first, &encoded(&with_properties, Layout::V5), Layout::V5), None);
    assert_eq!(alike(&with_properties, &encoded(&first, Layout::V5), Layout::V5), None);
    for bad in [&b"\x32\x05\0\x01t\0\0"[..], b"\x32\x04\0\x01t\0", b"\x32\x01\0", b"\x32\x02\0\x02"]
    {
        assert_eq!(alike(&first, bad, Layout::V3), None);
    }
    assert_eq!(alike(&first, b"\x32\x05\0\x01t\0\x01", Layout::V5), None);
}

fn alike<'a>(head: &Publish<'a>, frame: &'a [u8], layout: Layout) -> Option<Publish<'a>> {
    head.decode_alike(&Frame::split(frame, u32::MAX).unwrap().unwrap(), layout)
}

#[test]
fn a_run_of_one_packet_is_exactly_that() {
    let frame = encoded(&message(QoS::AtMostOnce, true, Properties::EMPTY, b"x"), Layout::V5);
    let run = Run::single(&frame, Layout::V5).unwrap();
    assert_eq!((run.count(), run.frames()), (1, &frame[..]));

    let reason = |frame: &[u8]| Run::single(frame, Layout::V5).map(drop).unwrap_err().reason;
    assert_eq!(reason(&[&frame[..], b"!"].concat()), ReasonCode::MalformedPacket);
    assert_eq!(reason(&frame[..frame.len() - 1]), ReasonCode::MalformedPacket);
    assert_eq!(reason(b"\x30\x84\x00\0\x01t\0"), ReasonCode::MalformedPacket);
    assert_eq!(reason(b"\x30\x06\0\0\x03\x23\0\x01"), ReasonCode::ProtocolError);
    assert_eq!(reason(b"\x30\x07\0\x01t\x03\x23\0\x01"), ReasonCode::ProtocolError);
    assert_eq!(reason(b"\x3a\x06\0\x01t\0\x01\0"), ReasonCode::ProtocolError);
}

#[test]
fn frames_that_already_have_the_form_pass_as_they_came() {
    for layout in [Layout::V3, Layout::V5] {
        let frames = three(QoS::AtMostOnce, layout);
        let mut publication = Publication::new(run_of(&frames, layout), RECEIVED);
        let passed = publication.encoded(form(layout, QoS::AtMostOnce, false));
        assert_eq!(passed.as_ptr(), frames.as_ptr());
        assert_eq!(passed, frames);
    }
}

#[test]
fn a_form_is_encoded_once_for_all_who_need_it() {
    let frames = three(QoS::ExactlyOnce, Layout::V5);
    let mut publication = Publication::new(run_of(&frames, Layout::V5), RECEIVED);
    let wanted = form(Layout::V3, QoS::AtLeastOnce, false);
    let first = publication.encoded(wanted).as_ptr();
    publication.encoded(form(Layout::V3, QoS::AtMostOnce, false));
    assert_eq!(publication.encoded(wanted).as_ptr(), first);
}

#[test]
fn a_lower_qos_takes_the_packet_identifier_away() {
    let frames = three(QoS::ExactlyOnce, Layout::V3);
    let mut publication = Publication::new(run_of(&frames, Layout::V3), RECEIVED);
    let lowered = publication.encoded(form(Layout::V3, QoS::AtMostOnce, false));
    assert_eq!(lowered, three(QoS::AtMostOnce, Layout::V3));
    let lowered = publication.encoded(form(Layout::V5, QoS::AtLeastOnce, true)).to_vec();
    let run = run_of(&lowered, Layout::V5);
    assert_eq!((run.qos(), run.retain(), run.count()), (QoS::AtLeastOnce, true, 3));
    assert!(run.iter().all(|(publish, _)| publish.packet_id.is_some()));
    assert_eq!(payloads(&lowered, Layout::V5), payloads(&frames, Layout::V3));
}

#[test]
fn properties_are_dropped_for_v3_and_none_are_made_up_for_v5() {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::UserProperty(("k", "v")));
    let frame =
        encoded(&message(QoS::AtMostOnce, false, properties.as_properties(), b"x"), Layout::V5);
    let mut publication = Publication::new(Run::single(&frame, Layout::V5).unwrap(), RECEIVED);
    let v3 = publication.encoded(form(Layout::V3, QoS::AtMostOnce, false)).to_vec();
    assert_eq!(v3, b"\x30\x04\0\x01tx");
    let mut publication = Publication::new(Run::single(&v3, Layout::V3).unwrap(), RECEIVED);
    let v5 = publication.encoded(form(Layout::V5, QoS::AtMostOnce, false));
    assert_eq!(v5, b"\x30\x05\0\x01t\0x");
}

#[test]
fn a_publication_expires_when_its_interval_has_passed() {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::MessageExpiryInterval(10));
    let frame =
        encoded(&message(QoS::AtMostOnce, false, properties.as_properties(), b"x"), Layout::V5);
    let mut publication = Publication::new(Run::single(&frame, Layout::V5).unwrap(), RECEIVED);
    assert_eq!(publication.received_at(), RECEIVED);
    assert_eq!(publication.expires_at(), Timestamp::from_millis(15_000));
    let kept = publication.kept(&Budget::new(u64::MAX));
    assert!(!kept.is_expired(Timestamp::from_millis(14_999)));
    assert!(kept.is_expired(Timestamp::from_millis(15_000)));

    let frames = three(QoS::AtMostOnce, Layout::V3);
    let mut publication = Publication::new(run_of(&frames, Layout::V3), RECEIVED);
    assert_eq!(publication.expires_at(), Timestamp::NEVER);
    let kept = publication.kept(&Budget::new(u64::MAX));
    assert!(!kept.is_expired(Timestamp::from_millis(u64::MAX - 1)));
}

#[test]
fn packet_identifiers_are_written_into_the_copy() {
    for layout in [Layout::V3, Layout::V5] {
        let frames = three(QoS::AtLeastOnce, layout);
        let mut next = id(65_535);
        let ids = || {
            let id = next;
            next = next.next();
            id
        };
        let mut out = b"before".to_vec();
        copy_with_packet_ids(&frames, ids, false, &mut out);
        let copied = out.strip_prefix(b"before").unwrap();
        let written: Vec<u16> = run_of(copied, layout)
            .iter()
            .map(|(publish, _)| publish.packet_id.map_or(0, PacketId::get))
            .collect();
        assert_eq!(written, [65_535, 1, 2]);
        assert_eq!(payloads(copied, layout), payloads(&frames, layout));
        assert_eq!(next, id(3), "one identifier for each packet");
    }
}

/// [MQTT-3.3.1-1]
#[test]
fn a_second_try_has_dup_set() {
    let frames = three(QoS::AtLeastOnce, Layout::V3);
    let mut out = Vec::new();
    copy_with_packet_ids(&frames, || id(4), true, &mut out);
    let mut rest = &out[..];
    while let Some(frame) = Frame::split(rest, u32::MAX).unwrap() {
        let publish = Publish::decode(&frame, Layout::V3, None).unwrap();
        assert!(publish.flags.dup);
        rest = &rest[frame.bytes.len()..];
    }
}

#[test]
fn nothing_is_copied_of_nothing() {
    let mut out = b"before".to_vec();
    copy_with_packet_ids(b"", || id(1), false, &mut out);
    assert_eq!(out, b"before");
}

fn delivered(publish: &Publish<'_>, form: WireForm, fields: &DeliveryFields<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    publish.encode_delivery(form, fields, &mut out);
    out
}

/// [MQTT-3.3.2-6] [MQTT-3.3.4-3]
#[test]
fn a_delivery_has_what_is_left_of_the_expiry_and_the_subscription_identifiers() {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::UserProperty(("a", "1")));
    properties.push(Property::MessageExpiryInterval(60));
    properties.push(Property::UserProperty(("a", "2")));
    properties.push(Property::SubscriptionIdentifier(77));
    properties.push(Property::TopicAlias(5));
    let publish = message(QoS::ExactlyOnce, true, properties.as_properties(), b"x");
    let fields = DeliveryFields {
        dup: true,
        packet_id: Some(id(0x0102)),
        subscription_ids: &[3, 200],
        expiry_secs: Some(42),
    };
    let bytes = delivered(&publish, form(Layout::V5, QoS::AtLeastOnce, false), &fields);
    let frame = Frame::split(&bytes, u32::MAX).unwrap().unwrap();
    let publish = Publish::decode(&frame, Layout::V5, None).unwrap();
    assert!(publish.flags.dup && !publish.flags.retain);
    assert_eq!(publish.flags.qos, QoS::AtLeastOnce);
    assert_eq!(publish.packet_id, Some(id(0x0102)));
    let all: Vec<_> = publish.properties.iter().collect();
    assert_eq!(
        all,
        [
            Property::UserProperty(("a", "1")),
            Property::MessageExpiryInterval(42),
            Property::UserProperty(("a", "2")),
            Property::SubscriptionIdentifier(3),
            Property::SubscriptionIdentifier(200),
        ]
    );
}

#[test]
fn a_delivery_in_v3_has_no_properties() {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::MessageExpiryInterval(60));
    let publish = message(QoS::AtMostOnce, false, properties.as_properties(), b"x");
    let fields = DeliveryFields {
        subscription_ids: &[3],
        expiry_secs: Some(42),
        ..DeliveryFields::default()
    };
    let bytes = delivered(&publish, form(Layout::V3, QoS::AtMostOnce, true), &fields);
    assert_eq!(bytes, b"\x31\x04\0\x01tx");
}

#[test]
fn a_kept_run_is_a_publication_again() {
    let frames = three(QoS::AtLeastOnce, Layout::V5);
    let mut publication = Publication::new(run_of(&frames, Layout::V5), RECEIVED);
    let kept = publication.kept(&Budget::new(u64::MAX));
    drop(publication);
    assert_eq!((kept.frames(), kept.layout()), (&frames[..], Layout::V5));
    assert_eq!(kept.received_at(), RECEIVED);
    assert_eq!(kept.expires_at(), Timestamp::NEVER);

    let mut again = Publication::of_kept(&kept).unwrap();
    assert_eq!(again.run().count(), 3);
    assert_eq!(again.received_at(), RECEIVED);
    let shared: Arc<KeptRun> = again.kept(&Budget::new(u64::MAX));
    assert!(Arc::ptr_eq(&kept, &shared), "it is not copied a second time");
}

#[test]
fn a_kept_run_is_walked_by_offset() {
    let frames = three(QoS::AtLeastOnce, Layout::V3);
    let kept = Publication::new(run_of(&frames, Layout::V3), RECEIVED).kept(&Budget::new(0));
    let (first, second_at) = kept.message_at(0).unwrap();
    let (second, third_at) = kept.message_at(second_at).unwrap();
    let (third, end) = kept.message_at(third_at).unwrap();
    assert_eq!([first.payload, second.payload, third.payload], [&b"one"[..], b"", b"three"]);
    assert_eq!(end as usize, frames.len());
    let counts = [0, second_at, third_at, end, end + 1].map(|at| kept.count_from(at));
    assert_eq!(counts, [3, 2, 1, 0, 0]);
    assert!(kept.message_at(end).is_none());
    assert!(kept.message_at(u32::MAX).is_none());
}

proptest! {
    #[test]
    fn every_form_says_the_same(parts in parts()) {
        let layout = parts.version.layout();
        let mut properties = PropertyBuffer::new();
        for property in parts.properties(PropertyContext::Publish).as_properties().iter() {
            if !matches!(property, Property::TopicAlias(_)) {
                properties.push(property);
            }
        }
        let topic = TopicName::new(&parts.topic).unwrap();
        let published = Publish {
            topic: Some(topic),
            ..message(parts.qos, parts.bits[0], properties.as_properties(), &parts.payload)
        };
        let frame = encoded(&published, layout);
        let mut publication = Publication::new(Run::single(&frame, layout).unwrap(), RECEIVED);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for layout in [Layout::V3, Layout::V5] {
                for retain in [false, true] {
                    let wanted = form(layout, qos, retain);
                    let found = Run::single(publication.encoded(wanted), layout).unwrap();
                    let head = found.head();
                    prop_assert_eq!((head.flags.qos, head.flags.retain), (qos, retain));
                    prop_assert_eq!(head.topic, Some(topic));
                    prop_assert_eq!(head.payload, &parts.payload[..]);
                    prop_assert_eq!(head.packet_id.is_some(), qos != QoS::AtMostOnce);
                }
            }
        }
    }
}
