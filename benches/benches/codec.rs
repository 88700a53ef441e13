//! Bytes to packets and back: what one message costs the codec.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pintle_mqtt::{
    Frame, Layout, Packet, PacketId, Properties, Property, PropertyBuffer, ProtocolVersion,
    Publication, Publish, PublishFlags, QoS, Run, Timestamp, TopicName, WireForm,
    copy_with_packet_ids,
};

/// Messages in one read of a busy publisher.
const BATCH: usize = 100;
const TOPIC: &str = "sensors/kitchen/temperature";
const LAYOUTS: [Layout; 2] = [Layout::V3, Layout::V5];

fn publish(qos: QoS, properties: Properties<'_>) -> Publish<'_> {
    Publish {
        flags: PublishFlags { dup: false, qos, retain: false },
        topic: Some(TopicName::trusted(TOPIC)),
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::FIRST),
        properties,
        payload: &[b'x'; 64],
    }
}

fn batch(publish: &Publish<'_>, layout: Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..BATCH {
        publish.encode(layout, &mut bytes);
    }
    bytes
}

fn properties() -> PropertyBuffer {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::MessageExpiryInterval(60));
    properties.push(Property::ContentType("application/json"));
    properties.push(Property::UserProperty(("origin", "bench")));
    properties
}

/// Splits `bytes` and hands each packet to `see`.
#[inline]
fn each_frame(bytes: &[u8], mut see: impl FnMut(&Frame<'_>)) {
    let mut rest = bytes;
    while let Ok(Some(frame)) = Frame::split(rest, 1 << 20) {
        see(&frame);
        rest = rest.get(frame.bytes.len()..).unwrap_or_default();
    }
}

fn split(c: &mut Criterion) {
    let mut group = c.benchmark_group("split");
    group.throughput(Throughput::Elements(BATCH as u64));
    let bytes = batch(&publish(QoS::AtMostOnce, Properties::EMPTY), Layout::V3);
    group.bench_function("frames", |b| {
        b.iter(|| each_frame(black_box(&bytes), |frame| _ = black_box(frame.body)));
    });
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(BATCH as u64));
    let known = Some(TopicName::trusted(TOPIC));
    let some = properties();
    for layout in LAYOUTS {
        let plain = batch(&publish(QoS::AtMostOnce, Properties::EMPTY), layout);
        let qos1 = batch(&publish(QoS::AtLeastOnce, Properties::EMPTY), layout);
        for (name, bytes, known) in [
            ("known topic", &plain, known),
            ("new topic", &plain, None),
            ("known topic, QoS 1", &qos1, known),
        ] {
            group.bench_with_input(
                BenchmarkId::new(name, format!("{layout:?}")),
                bytes,
                |b, bytes| {
                    b.iter(|| {
                        each_frame(black_box(bytes), |frame| {
                            _ = black_box(Publish::decode(frame, layout, known));
                        });
                    });
                },
            );
        }
    }
    for layout in LAYOUTS {
        let head = publish(QoS::AtMostOnce, Properties::EMPTY);
        let bytes = batch(&head, layout);
        group.bench_function(BenchmarkId::new("alike", format!("{layout:?}")), |b| {
            b.iter(|| {
                each_frame(black_box(&bytes), |frame| {
                    _ = black_box(head.decode_alike(frame, layout));
                });
            });
        });
    }
    let with_properties = batch(&publish(QoS::AtMostOnce, some.as_properties()), Layout::V5);
    group.bench_function("known topic, three properties/V5", |b| {
        b.iter(|| {
            each_frame(black_box(&with_properties), |frame| {
                _ = black_box(Publish::decode(frame, Layout::V5, known));
            });
        });
    });
    group.bench_function("any packet, PUBACK", |b| {
        let pubacks = b"\x40\x02\0\x07".repeat(BATCH);
        b.iter(|| {
            each_frame(black_box(&pubacks), |frame| {
                _ = black_box(Packet::decode(frame, ProtocolVersion::V5_0));
            });
        });
    });
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut out = Vec::with_capacity(1 << 16);
    for layout in LAYOUTS {
        let publish = publish(QoS::AtMostOnce, Properties::EMPTY);
        group.bench_function(BenchmarkId::new("publish", format!("{layout:?}")), |b| {
            b.iter(|| {
                out.clear();
                for _ in 0..BATCH {
                    black_box(&publish).encode(layout, &mut out);
                }
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn deliver(c: &mut Criterion) {
    let mut group = c.benchmark_group("deliver");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut out = Vec::with_capacity(1 << 16);
    for layout in LAYOUTS {
        let bytes = batch(&publish(QoS::AtLeastOnce, Properties::EMPTY), layout);
        group.bench_function(
            BenchmarkId::new("copy with packet ids", format!("{layout:?}")),
            |b| {
                let mut id = PacketId::FIRST;
                b.iter(|| {
                    out.clear();
                    let next = || {
                        id = id.next();
                        id
                    };
                    copy_with_packet_ids(black_box(&bytes), next, false, &mut out);
                    black_box(&out);
                });
            },
        );
    }
    let bytes = batch(&publish(QoS::AtLeastOnce, Properties::EMPTY), Layout::V5);
    let head = Frame::split(&bytes, u32::MAX).ok().flatten();
    let head = head.and_then(|frame| Publish::decode(&frame, Layout::V5, None).ok());
    if let Some(head) = head {
        let run = Run::new(head, Layout::V5, &bytes, BATCH as u32);
        let form = WireForm { layout: Layout::V3, qos: QoS::AtMostOnce, retain: false };
        group.bench_function("into another form", |b| {
            b.iter(|| {
                let mut publication = Publication::new(black_box(run), Timestamp::from_millis(0));
                black_box(publication.encoded(form));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, split, decode, encode, deliver);
criterion_main!(benches);
