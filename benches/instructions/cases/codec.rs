use std::hint::black_box;

use anyhow::{Context, Result};
use pintle_mqtt::{
    Frame, Layout, Packet, PacketId, Properties, ProtocolVersion, Publication, Publish, QoS, Run,
    Timestamp, TopicName, WireForm, copy_with_packet_ids,
};

use super::{TOPIC, message, messages, three_properties};
use crate::workload::{Case, Workload, repeated};

const BATCH: u16 = 100;

pub(crate) const CASES: &[Case] = &[
    case("decode-publish-v3", || decode(Layout::V3, None)),
    case("decode-publish-v5", || decode(Layout::V5, None)),
    case("decode-publish-v3-known-topic", || decode(Layout::V3, Some(TOPIC))),
    case("decode-publish-v5-properties", decode_properties),
    case("decode-puback-v5", decode_puback),
    case("encode-publish-v3", || encode(Layout::V3)),
    case("encode-publish-v5", || encode(Layout::V5)),
    case("copy-frames-with-packet-ids", copy_frames),
    case("encode-run-in-another-form", encode_run),
];

const fn case(name: &'static str, prepare: fn() -> Result<Box<dyn Workload>>) -> Case {
    Case { name, operations: BATCH as u32, prepare }
}

/// Splits `bytes` and hands each packet to `see`.
fn each_frame(bytes: &[u8], mut see: impl FnMut(&Frame<'_>)) {
    let mut rest = bytes;
    while let Ok(Some(frame)) = Frame::split(rest, 1 << 20) {
        see(&frame);
        rest = rest.get(frame.bytes.len()..).unwrap_or_default();
    }
}

fn decode(layout: Layout, known: Option<&'static str>) -> Result<Box<dyn Workload>> {
    let bytes = messages(QoS::AtMostOnce, Properties::EMPTY, layout, BATCH);
    let known = known.map(TopicName::trusted);
    Ok(repeated(bytes, move |bytes| {
        each_frame(bytes, |frame| _ = black_box(Publish::decode(frame, layout, known)));
    }))
}

fn decode_properties() -> Result<Box<dyn Workload>> {
    let properties = three_properties();
    let bytes = messages(QoS::AtMostOnce, properties.as_properties(), Layout::V5, BATCH);
    Ok(repeated(bytes, |bytes| {
        each_frame(bytes, |frame| {
            if let Ok(publish) = Publish::decode(frame, Layout::V5, None) {
                publish.properties.iter().for_each(|property| _ = black_box(property));
            }
        });
    }))
}

fn decode_puback() -> Result<Box<dyn Workload>> {
    let bytes = b"\x40\x02\0\x07".repeat(usize::from(BATCH));
    Ok(repeated(bytes, |bytes| {
        each_frame(bytes, |frame| _ = black_box(Packet::decode(frame, ProtocolVersion::V5_0)));
    }))
}

fn encode(layout: Layout) -> Result<Box<dyn Workload>> {
    let publish = message(QoS::AtMostOnce, Properties::EMPTY);
    Ok(repeated(Vec::new(), move |out| {
        out.clear();
        for _ in 0..BATCH {
            black_box(&publish).encode(layout, out);
        }
    }))
}

fn copy_frames() -> Result<Box<dyn Workload>> {
    let bytes = messages(QoS::AtLeastOnce, Properties::EMPTY, Layout::V3, BATCH);
    let mut id = PacketId::FIRST;
    Ok(repeated(Vec::new(), move |out| {
        out.clear();
        let ids = || {
            id = id.next();
            id
        };
        copy_with_packet_ids(&bytes, ids, false, out);
    }))
}

fn encode_run() -> Result<Box<dyn Workload>> {
    let bytes = messages(QoS::AtLeastOnce, Properties::EMPTY, Layout::V5, BATCH);
    run_of(&bytes).context("the messages are no run")?;
    Ok(repeated(bytes, |bytes| {
        let Some(run) = run_of(bytes) else { return };
        let form = WireForm { layout: Layout::V3, qos: QoS::AtMostOnce, retain: false };
        black_box(Publication::new(run, Timestamp::from_millis(0)).encoded(form));
    }))
}

fn run_of(bytes: &[u8]) -> Option<Run<'_>> {
    let frame = Frame::split(bytes, u32::MAX).ok()??;
    let head = Publish::decode(&frame, Layout::V5, None).ok()?;
    Some(Run::new(head, Layout::V5, bytes, u32::from(BATCH)))
}
