//! Any bytes as a stream of packets: none panics, none grows, and what is read reads the same again.

use pintle_mqtt::{
    Budget, DeliveryFields, Frame, Layout, Packet, PacketId, Property, PropertyBuffer,
    ProtocolVersion, Publication, Publish, PublishFlags, QoS, Run, SubscriptionFilter, Timestamp,
    WireForm, copy_with_packet_ids,
};

const PACKET_BYTES_MAX: u32 = 1 << 20;

/// The first byte says which version the rest is read in.
pub fn decode(data: &[u8]) {
    let Some((version, mut rest)) = data.split_first() else {
        return;
    };
    let version = match version % 3 {
        0 => ProtocolVersion::V3_1,
        1 => ProtocolVersion::V3_1_1,
        _ => ProtocolVersion::V5_0,
    };
    while let Ok(Some(frame)) = Frame::split(rest, PACKET_BYTES_MAX) {
        assert!(!frame.bytes.is_empty() && frame.bytes.len() <= rest.len());
        check_frame(&frame, version);
        rest = &rest[frame.bytes.len()..];
    }
}

fn check_frame(frame: &Frame<'_>, version: ProtocolVersion) {
    let Ok(packet) = Packet::decode(frame, version) else {
        return;
    };
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    let mut encoded = Vec::new();
    packet.encode(version, &mut encoded);
    assert!(encoded.len() <= frame.bytes.len(), "{packet:?} has grown");
    assert_eq!(read(&encoded, version), packet);
    check_within(&packet, version, encoded.len() as u32);
    match packet {
        Packet::Publish(publish) => check_publish(&publish, version.layout()),
        Packet::Subscribe(subscribe) => {
            subscribe.filters.iter().for_each(|entry| check_filter(entry.filter));
        }
        Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.iter().for_each(check_filter),
        _ => {}
    }
}

fn read(bytes: &[u8], version: ProtocolVersion) -> Packet<'_> {
    let frame = Frame::split(bytes, u32::MAX)
        .expect("a length that was just written")
        .expect("all of a packet that was just written");
    assert!(frame.is_minimal() && frame.bytes.len() == bytes.len());
    Packet::decode(&frame, version).expect("a packet that was just written")
}

fn check_within(packet: &Packet<'_>, version: ProtocolVersion, len: u32) {
    let mut out = Vec::new();
    assert!(packet.encode_within(version, len, &mut out));
    out.clear();
    let fits = packet.encode_within(version, len - 1, &mut out);
    assert_eq!(fits, !out.is_empty());
    assert!(out.len() < len as usize);
    if fits {
        assert_eq!(read(&out, version).packet_type(), packet.packet_type());
    }
}

fn check_filter(text: &str) {
    let Ok(subscription) = SubscriptionFilter::new(text) else {
        return;
    };
    assert!(text.ends_with(subscription.filter.as_str()));
    assert!(subscription.filter.covers(subscription.filter));
}

/// Whatever is published can be delivered in every form.
fn check_publish(publish: &Publish<'_>, layout: Layout) {
    if publish.topic.is_none() {
        return;
    }
    let mut properties = PropertyBuffer::new();
    for property in publish.properties.iter() {
        if !matches!(property, Property::TopicAlias(_)) {
            properties.push(property);
        }
    }
    let flags = PublishFlags { dup: false, ..publish.flags };
    let properties = properties.as_properties();
    let mut frame = Vec::new();
    Publish { flags, properties, ..*publish }.encode(layout, &mut frame);
    let run = Run::single(&frame, layout).expect("a packet in its plainest form");
    let mut publication = Publication::new(run, Timestamp::from_millis(0));
    for layout in [Layout::V3, Layout::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let form = WireForm { layout, qos, retain: true };
            check_form(&mut publication, form);
        }
    }
    check_kept(&mut publication);
}

fn check_form(publication: &mut Publication<'_>, form: WireForm) {
    let published = *publication.run().head();
    let len = publication.run().frames().len();
    let bytes = publication.encoded(form);
    // An empty property block, a Packet Identifier, and a longer Remaining Length.
    assert!(bytes.len() <= len + 4);
    let head = *Run::single(bytes, form.layout).expect("a form of a run").head();
    assert_eq!(head.topic, published.topic);
    assert_eq!(head.payload, published.payload);

    let packet_id = (form.qos != QoS::AtMostOnce).then_some(PacketId::FIRST.next());
    if packet_id.is_some() {
        let mut copied = Vec::new();
        copy_with_packet_ids(bytes, || PacketId::FIRST.next(), false, &mut copied);
        assert_eq!(copied.len(), bytes.len());
        let copied = Run::single(&copied, form.layout).expect("a copy");
        assert_eq!((copied.head().packet_id, copied.head().payload), (packet_id, head.payload));
    }
    let fields = DeliveryFields {
        dup: false,
        packet_id,
        subscription_ids: &[1, 268_435_455],
        expiry_secs: Some(1),
    };
    let mut delivered = Vec::new();
    published.encode_delivery(form, &fields, &mut delivered);
    assert!(delivered.len() <= len + 12);
    let delivered = Run::single(&delivered, form.layout).expect("a delivery");
    assert_eq!(delivered.head().payload, published.payload);
}

fn check_kept(publication: &mut Publication<'_>) {
    let budget = Budget::new(u64::MAX);
    let kept = publication.kept(&budget);
    assert!(budget.used() >= kept.frames().len() as u64);
    let again = Publication::of_kept(&kept).expect("a kept run");
    assert_eq!(again.run().count(), 1);
    assert_eq!(again.run().head(), publication.run().head());
    assert_eq!(kept.count_from(0), 1);
}
