//! One packet of each type and version, byte by byte, in its fullest form.

use pintle_mqtt::{Frame, Packet, ProtocolVersion, Violation};

pub(crate) use pintle_mqtt::ProtocolVersion::{V3_1, V3_1_1, V5_0};

pub(crate) const VERSIONS: [ProtocolVersion; 3] = [V3_1, V3_1_1, V5_0];

/// A packet as it stands on the wire.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) version: ProtocolVersion,
    pub(crate) bytes: &'static [u8],
    /// Shorter bodies that are packets of their own, as lengths in bytes.
    pub(crate) short_bodies: &'static [usize],
}

macro_rules! samples {
    ($($name:ident $version:ident $short:expr => $bytes:literal,)*) => {
        $(pub(crate) const $name: &[u8] = $bytes;)*

        /// All of them.
        pub(crate) fn samples() -> Vec<Sample> {
            vec![$(Sample {
                name: stringify!($name),
                version: $version,
                bytes: $name,
                short_bodies: &$short,
            },)*]
        }
    };
}

samples! {
    CONNECT_3_1 V3_1 [] => b"\x10\x28\0\x06MQIsdp\x03\xee\0\x3c\0\x02id\0\x01w\0\x03bye\0\x04user\0\x08p\0ssword",
    CONNECT_3_1_1 V3_1_1 [] => b"\x10\x1d\0\x04MQTT\x04\xd6\x01\x2c\0\x02id\0\x01w\0\x03bye\0\x01u\0\x02\xff\x00",
    CONNECT_5_0 V5_0 [] => b"\x10\x2b\0\x04MQTT\x05\xc6\0\x0a\x05\x11\0\0\0\x1e\0\x02id\x05\x18\0\0\0\x05\0\x01w\0\x03bye\0\x04user\0\x01p",
    CONNACK_3_1 V3_1 [] => b"\x20\x02\0\x05",
    CONNACK_3_1_1 V3_1_1 [] => b"\x20\x02\x01\0",
    CONNACK_5_0 V5_0 [] => b"\x20\x06\x01\0\x03\x13\0\x3c",
    PUBLISH_3_1 V3_1 [5, 6] => b"\x32\x07\0\x01t\0\x07ab",
    PUBLISH_3_1_1 V3_1_1 [5, 6] => b"\x3d\x07\0\x01t\0\x07ab",
    PUBLISH_5_0 V5_0 [8, 9] => b"\x35\x0a\0\x01t\0\x07\x02\x01\x01ab",
    PUBACK_3_1 V3_1 [] => b"\x40\x02\0\x07",
    PUBACK_3_1_1 V3_1_1 [] => b"\x40\x02\0\x07",
    PUBACK_5_0 V5_0 [2, 3] => b"\x40\x09\0\x07\x10\x05\x1f\0\x02no",
    PUBREC_3_1_1 V3_1_1 [] => b"\x50\x02\x12\x34",
    PUBREC_5_0 V5_0 [2, 3] => b"\x50\x09\0\x07\x97\x05\x1f\0\x02no",
    PUBREL_3_1 V3_1 [] => b"\x62\x02\x12\x34",
    PUBREL_3_1_1 V3_1_1 [] => b"\x62\x02\x12\x34",
    PUBREL_5_0 V5_0 [2, 3] => b"\x62\x09\0\x07\x92\x05\x1f\0\x02no",
    PUBCOMP_3_1_1 V3_1_1 [] => b"\x70\x02\x12\x34",
    PUBCOMP_5_0 V5_0 [2, 3] => b"\x70\x09\0\x07\x92\x05\x1f\0\x02no",
    SUBSCRIBE_3_1 V3_1 [6] => b"\x82\x0b\0\x07\0\x01a\x01\0\x02+/\x02",
    SUBSCRIBE_3_1_1 V3_1_1 [6] => b"\x82\x0b\0\x07\0\x01a\x01\0\x02b/\x02",
    SUBSCRIBE_5_0 V5_0 [9] => b"\x82\x0d\0\x07\x02\x0b\x05\0\x01a\x2e\0\x01#\x10",
    SUBACK_3_1 V3_1 [3, 4] => b"\x90\x05\0\x07\0\x02\x01",
    SUBACK_3_1_1 V3_1_1 [3, 4, 5] => b"\x90\x06\0\x07\0\x80\x02\x01",
    SUBACK_5_0 V5_0 [9, 10] => b"\x90\x0b\0\x07\x05\x1f\0\x02no\x01\x87\x9e",
    UNSUBSCRIBE_3_1_1 V3_1_1 [5] => b"\xa2\x09\0\x07\0\x01a\0\x02b/",
    UNSUBSCRIBE_5_0 V5_0 [13] => b"\xa2\x11\0\x07\x07\x26\0\x01k\0\x01v\0\x01a\0\x02b/",
    UNSUBACK_3_1_1 V3_1_1 [] => b"\xb0\x02\0\x07",
    UNSUBACK_5_0 V5_0 [4] => b"\xb0\x05\0\x07\0\0\x11",
    PINGREQ_3_1_1 V3_1_1 [] => b"\xc0\0",
    PINGREQ_5_0 V5_0 [] => b"\xc0\0",
    PINGRESP_3_1_1 V3_1_1 [] => b"\xd0\0",
    PINGRESP_5_0 V5_0 [] => b"\xd0\0",
    DISCONNECT_3_1_1 V3_1_1 [] => b"\xe0\0",
    DISCONNECT_5_0 V5_0 [0, 1] => b"\xe0\x07\x04\x05\x11\0\0\0\x1e",
    AUTH_5_0 V5_0 [0] => b"\xf0\x0b\x18\x09\x15\0\x01m\x16\0\x02\xff\0",
}

/// The one packet in `bytes`.
pub(crate) fn frame(bytes: &[u8]) -> Frame<'_> {
    let frame = Frame::split(bytes, u32::MAX).unwrap().expect("the packet is cut short");
    assert_eq!(frame.bytes.len(), bytes.len(), "bytes are left over behind the packet");
    frame
}

pub(crate) fn decode(bytes: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, Violation> {
    Packet::decode(&frame(bytes), version)
}

/// A packet of `body`, its Remaining Length counted.
pub(crate) fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    pintle_mqtt::encode_variable_byte_integer(body.len() as u32, &mut bytes);
    bytes.extend_from_slice(body);
    bytes
}
