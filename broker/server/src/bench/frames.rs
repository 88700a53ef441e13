//! PUBLISH packets, written and read without allocation.

use pintle_mqtt::{
    Frame, Layout, PublishFlags, QoS, Reader, encode_variable_byte_integer,
    variable_byte_integer_len,
};

use super::payload::{Payloads, Stamp};

/// A PUBLISH of one topic, ready but for Packet Identifier and payload.
pub(super) struct PublishFrame {
    /// Fixed Header and Topic Name.
    head: Box<[u8]>,
    topic_len: u16,
    has_packet_id: bool,
    layout: Layout,
}

impl PublishFrame {
    /// `topic` has at most 65,535 bytes.
    pub(super) fn new(
        topic: &str,
        flags: PublishFlags,
        layout: Layout,
        payload_bytes: usize,
    ) -> Self {
        let topic_len = u16::try_from(topic.len()).unwrap_or(u16::MAX);
        let has_packet_id = flags.qos != QoS::AtMostOnce;
        let properties = usize::from(layout == Layout::V5);
        let remaining =
            2 + topic.len() + 2 * usize::from(has_packet_id) + properties + payload_bytes;
        let mut head = vec![flags.first_byte()];
        encode_variable_byte_integer(u32::try_from(remaining).unwrap_or(u32::MAX), &mut head);
        head.extend_from_slice(&topic_len.to_be_bytes());
        head.extend_from_slice(topic.as_bytes());
        Self { head: head.into(), topic_len, has_packet_id, layout }
    }

    /// Its Topic Name.
    #[inline]
    pub(super) fn topic(&self) -> &[u8] {
        let at = self.head.len() - usize::from(self.topic_len);
        self.head.get(at..).unwrap_or_default()
    }

    /// Appends the packet with `stamp` as its payload.
    #[inline]
    pub(super) fn append(
        &self,
        packet_id: u16,
        stamp: &Stamp,
        payloads: &Payloads,
        out: &mut Vec<u8>,
    ) {
        self.append_head(packet_id, out);
        payloads.append(stamp, out);
    }

    /// Appends the packet up to its payload.
    pub(super) fn append_head(&self, packet_id: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        if self.has_packet_id {
            out.extend_from_slice(&packet_id.to_be_bytes());
        }
        if self.layout == Layout::V5 {
            out.push(0);
        }
    }
}

/// How long a PUBLISH is.
pub(super) fn publish_bytes(
    topic_bytes: usize,
    qos: QoS,
    layout: Layout,
    payload_bytes: usize,
) -> usize {
    let packet_id = if qos == QoS::AtMostOnce { 0 } else { 2 };
    let remaining = 2 + topic_bytes + packet_id + usize::from(layout == Layout::V5) + payload_bytes;
    1 + variable_byte_integer_len(u32::try_from(remaining).unwrap_or(u32::MAX)) + remaining
}

/// A PUBLISH that has come, as far as a receiver looks at it.
pub(super) struct IncomingPublish<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) topic: &'a [u8],
    /// 0 at QoS 0.
    pub(super) packet_id: u16,
    /// Where the Packet Identifier stands, counted from the start of the packet.
    pub(super) packet_id_at: usize,
    pub(super) payload: &'a [u8],
}

impl<'a> IncomingPublish<'a> {
    /// Parses a PUBLISH; `None` if it is malformed.
    #[inline]
    pub(super) fn parse(frame: &Frame<'a>, layout: Layout) -> Option<Self> {
        let qos = QoS::from_bits(frame.first_byte >> 1 & 3)?;
        let (topic_len, rest) = frame.body.split_first_chunk()?;
        let (topic, mut rest) = rest.split_at_checked(u16::from_be_bytes(*topic_len).into())?;
        let packet_id_at = frame.bytes.len() - rest.len();
        let mut packet_id = [0; 2];
        if qos != QoS::AtMostOnce {
            (packet_id, rest) = rest.split_first_chunk().map(|(id, rest)| (*id, rest))?;
        }
        let payload = match layout {
            Layout::V3 => rest,
            Layout::V5 => without_properties(rest)?,
        };
        Some(Self {
            qos,
            retain: frame.first_byte & 1 != 0,
            topic,
            packet_id: u16::from_be_bytes(packet_id),
            packet_id_at,
            payload,
        })
    }
}

#[inline]
fn without_properties(bytes: &[u8]) -> Option<&[u8]> {
    if let [0, rest @ ..] = bytes {
        return Some(rest);
    }
    let mut reader = Reader::new(bytes);
    let len = reader.variable_byte_integer().ok()?;
    reader.rest().get(len as usize..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { stream: 1, sequence: 2, due_ns: 3 };
    const PACKET_BYTES_MAX: u32 = 1 << 20;

    fn flags(qos: QoS) -> PublishFlags {
        PublishFlags { qos, ..PublishFlags::default() }
    }

    fn every_kind() -> impl Iterator<Item = (QoS, Layout)> {
        [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
            .into_iter()
            .flat_map(|qos| [(qos, Layout::V3), (qos, Layout::V5)])
    }

    #[test]
    fn a_written_packet_is_read_back() {
        for (qos, layout) in every_kind() {
            let payloads = Payloads::new(200, 9);
            let packet = PublishFrame::new("a/b", flags(qos), layout, payloads.len());
            let mut bytes = Vec::new();

            packet.append(77, &STAMP, &payloads, &mut bytes);

            assert_eq!(packet.topic(), b"a/b");
            assert_eq!(bytes.len(), publish_bytes(3, qos, layout, 200));
            let frame = Frame::split(&bytes, PACKET_BYTES_MAX).unwrap().unwrap();
            let publish = IncomingPublish::parse(&frame, layout).unwrap();
            assert_eq!(frame.bytes.len(), bytes.len());
            assert_eq!((publish.qos, publish.retain), (qos, false));
            assert_eq!(publish.topic, b"a/b");
            assert_eq!(publish.packet_id, if qos == QoS::AtMostOnce { 0 } else { 77 });
            assert_eq!(payloads.read(publish.payload), Some(STAMP));
        }
    }

    #[test]
    fn a_packet_cut_at_any_byte_is_waited_for() {
        for (qos, layout) in every_kind() {
            let payloads = Payloads::new(200, 9);
            let packet = PublishFrame::new("a/b", flags(qos), layout, payloads.len());
            let mut bytes = Vec::new();
            packet.append(1, &STAMP, &payloads, &mut bytes);

            for len in 0..bytes.len() {
                assert!(Frame::split(&bytes[..len], PACKET_BYTES_MAX).unwrap().is_none());
            }
        }
    }

    #[test]
    fn properties_of_the_broker_are_passed_over() {
        // Subscription Identifier 5 before the payload.
        let bytes = [0x30, 7, 0, 1, b't', 2, 0x0b, 5, b'x'];
        let frame = Frame::split(&bytes, PACKET_BYTES_MAX).unwrap().unwrap();

        let publish = IncomingPublish::parse(&frame, Layout::V5).unwrap();

        assert_eq!(publish.payload, b"x");
    }

    #[test]
    fn broken_packets_are_refused() {
        let broken: [&[u8]; 4] = [
            &[0x36, 3, 0, 1, b't'],
            &[0x30, 1, 0],
            &[0x30, 3, 0, 9, b't'],
            &[0x32, 4, 0, 1, b't', 1],
        ];
        for bytes in broken {
            let frame = Frame::split(bytes, PACKET_BYTES_MAX).unwrap().unwrap();
            assert!(IncomingPublish::parse(&frame, Layout::V3).is_none(), "{bytes:?}");
        }
    }
}
