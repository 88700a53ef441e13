//! Table 2-4 of MQTT 5.0 once more, to hold the codec to.

use pintle_mqtt::PropertyContext::{self, *};

pub(crate) const CONTEXTS: [PropertyContext; 14] = [
    Connect,
    Will,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
];

/// Identifier, name, a value that is in range, and where it may stand.
pub(crate) const PROPERTIES: &[(u8, &str, &[u8], &[PropertyContext])] = &[
    (0x01, "Payload Format Indicator", b"\x01", &[Publish, Will]),
    (0x02, "Message Expiry Interval", b"\0\0\0\x3c", &[Publish, Will]),
    (0x03, "Content Type", b"\0\x04text", &[Publish, Will]),
    (0x08, "Response Topic", b"\0\x03r/t", &[Publish, Will]),
    (0x09, "Correlation Data", b"\0\x02\xff\0", &[Publish, Will]),
    (0x0b, "Subscription Identifier", b"\x80\x01", &[Publish, Subscribe]),
    (0x11, "Session Expiry Interval", b"\0\0\0\x3c", &[Connect, ConnAck, Disconnect]),
    (0x12, "Assigned Client Identifier", b"\0\x02id", &[ConnAck]),
    (0x13, "Server Keep Alive", b"\0\x3c", &[ConnAck]),
    (0x15, "Authentication Method", b"\0\x01m", &[Connect, ConnAck, Auth]),
    (0x16, "Authentication Data", b"\0\x02\xff\0", &[Connect, ConnAck, Auth]),
    (0x17, "Request Problem Information", b"\0", &[Connect]),
    (0x18, "Will Delay Interval", b"\0\0\0\x05", &[Will]),
    (0x19, "Request Response Information", b"\x01", &[Connect]),
    (0x1a, "Response Information", b"\0\x03r/t", &[ConnAck]),
    (0x1c, "Server Reference", b"\0\x04host", &[ConnAck, Disconnect]),
    (
        0x1f,
        "Reason String",
        b"\0\x02no",
        &[ConnAck, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Disconnect, Auth],
    ),
    (0x21, "Receive Maximum", b"\0\x0a", &[Connect, ConnAck]),
    (0x22, "Topic Alias Maximum", b"\0\0", &[Connect, ConnAck]),
    (0x23, "Topic Alias", b"\0\x01", &[Publish]),
    (0x24, "Maximum QoS", b"\x01", &[ConnAck]),
    (0x25, "Retain Available", b"\0", &[ConnAck]),
    (0x26, "User Property", b"\0\x01k\0\x01v", &CONTEXTS),
    (0x27, "Maximum Packet Size", b"\0\x01\0\0", &[Connect, ConnAck]),
    (0x28, "Wildcard Subscription Available", b"\0", &[ConnAck]),
    (0x29, "Subscription Identifier Available", b"\0", &[ConnAck]),
    (0x2a, "Shared Subscription Available", b"\0", &[ConnAck]),
];

/// Packet type and body of a packet around a property block, whose length comes with it.
pub(crate) fn packet_around(context: PropertyContext, block: &[u8]) -> (u8, Vec<u8>) {
    let (first_byte, before, after): (u8, &[u8], &[u8]) = match context {
        Connect => (0x10, b"\0\x04MQTT\x05\x02\0\0", b"\0\x01c"),
        Will => (0x10, b"\0\x04MQTT\x05\x06\0\0\0\0\x01c", b"\0\x01w\0\x03bye"),
        ConnAck => (0x20, b"\0\0", b""),
        Publish => (0x30, b"\0\x01t", b"payload"),
        PubAck => (0x40, b"\0\x07\0", b""),
        PubRec => (0x50, b"\0\x07\0", b""),
        PubRel => (0x62, b"\0\x07\0", b""),
        PubComp => (0x70, b"\0\x07\0", b""),
        Subscribe => (0x82, b"\0\x07", b"\0\x01f\0"),
        SubAck => (0x90, b"\0\x07", b"\0"),
        Unsubscribe => (0xa2, b"\0\x07", b"\0\x01f"),
        UnsubAck => (0xb0, b"\0\x07", b"\0"),
        Disconnect => (0xe0, b"\0", b""),
        Auth => (0xf0, b"\x18", b""),
    };
    (first_byte, [before, block, after].concat())
}
