//! What may stand in a UTF-8 Encoded String, and that it is checked wherever one stands.

use pintle_mqtt::{PropertyContext, ReasonCode, is_mqtt_string};

use crate::property_table::{PROPERTIES, packet_around};
use crate::sample_packets::{V3_1, V3_1_1, V5_0, VERSIONS, decode, packet};

const REFUSED: &[(&str, &[u8])] = &[
    ("U+0000", b"\0"),
    ("a control character", b"\x01"),
    ("a line feed", b"\n"),
    ("DEL", b"\x7f"),
    ("a C1 control character", b"\xc2\x85"),
    ("an overlong U+0000", b"\xc0\x80"),
    ("an overlong slash", b"\xc0\xaf"),
    ("an overlong slash of three bytes", b"\xe0\x80\xaf"),
    ("a surrogate", b"\xed\xa0\x80"),
    ("a surrogate pair", b"\xed\xa0\xbd\xed\xb8\x80"),
    ("a sequence cut short", b"\xe2\x82"),
    ("a stray continuation", b"\x80"),
    ("a code point beyond U+10FFFF", b"\xf4\x90\x80\x80"),
    ("a byte that never occurs", b"\xff"),
    ("non-character U+FDD0", b"\xef\xb7\x90"),
    ("non-character U+FDEF", b"\xef\xb7\xaf"),
    ("non-character U+FFFE", b"\xef\xbf\xbe"),
    ("non-character U+FFFF", b"\xef\xbf\xbf"),
    ("non-character U+1FFFE", b"\xf0\x9f\xbf\xbe"),
    ("non-character U+10FFFF", b"\xf4\x8f\xbf\xbf"),
];

const TAKEN: &[&str] = &[
    "plain",
    "ÄÖÜ ß",
    "温度/部屋",
    "\u{feff}byte order mark",
    "\u{feff}",
    "\u{2028}",
    "\u{fffd}",
    "\u{fdcf}\u{fdf0}",
    "\u{a0}",
    "😀",
    "\u{10fffd}",
    " ~",
    "a b",
];

fn string(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes()[..], content].concat()
}

/// Packets with a string of `content` in each place that has one.
fn packets_with(content: &[u8]) -> Vec<(String, pintle_mqtt::ProtocolVersion, Vec<u8>)> {
    let s = &string(content)[..];
    let mut all = Vec::new();
    for version in VERSIONS {
        let head: &[u8] = match version {
            V3_1 => b"\0\x06MQIsdp\x03",
            V3_1_1 => b"\0\x04MQTT\x04",
            V5_0 => b"\0\x04MQTT\x05",
        };
        let none: &[u8] = if version.is_v5() { b"\0" } else { b"" };
        let connect = |flags: u8, rest: &[&[u8]]| {
            packet(0x10, &[head, &[flags], b"\0\0", none, &rest.concat()].concat())
        };
        let mut place = |name: &str, bytes| all.push((name.to_owned(), version, bytes));
        place("Client Identifier", connect(0x02, &[s]));
        place("Will Topic", connect(0x06, &[b"\0\x01c", none, s, b"\0\0"]));
        place("User Name", connect(0x82, &[b"\0\x01c", s]));
        place("Topic Name", packet(0x30, &[s, none].concat()));
        place("Topic Filter", packet(0x82, &[b"\0\x07", none, s, b"\0"].concat()));
        place("Topic Filter to drop", packet(0xa2, &[b"\0\x07", none, s].concat()));
    }
    for (id, name, _, allowed) in PROPERTIES.iter().filter(|p| is_string(p.0)) {
        for &context in *allowed {
            let mut properties = vec![*id];
            properties.extend_from_slice(s);
            if context == PropertyContext::Auth && *id != 0x15 {
                properties.extend_from_slice(b"\x15\0\x01m");
            }
            all.push(with_properties(name, context, &properties));
        }
    }
    for (key, value) in [(s, &b"\0\x01v"[..]), (&b"\0\x01k"[..], s)] {
        let properties = [b"\x26", key, value].concat();
        all.push(with_properties("User Property", PropertyContext::Publish, &properties));
    }
    all
}

fn is_string(id: u8) -> bool {
    matches!(id, 0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f)
}

fn with_properties(
    name: &str,
    context: PropertyContext,
    properties: &[u8],
) -> (String, pintle_mqtt::ProtocolVersion, Vec<u8>) {
    let block = [&[properties.len() as u8], properties].concat();
    let (first_byte, body) = packet_around(context, &block);
    (format!("{name} in {context:?}"), V5_0, packet(first_byte, &body))
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2]
#[test]
fn a_string_that_is_not_text_is_malformed_wherever_it_stands() {
    for &(what, bad) in REFUSED {
        for content in [bad.to_vec(), [b"a", bad, b"z"].concat(), ["ä".as_bytes(), bad].concat()] {
            assert!(!is_mqtt_string(&content), "{what}");
            for (place, version, bytes) in packets_with(&content) {
                let refused = decode(&bytes, version).expect_err(&format!("{what} as {place}"));
                assert_eq!(refused.reason, ReasonCode::MalformedPacket, "{what} as {place}");
            }
        }
    }
}

/// [MQTT-1.5.4-3]
#[test]
fn any_other_text_is_taken_as_it_is() {
    for &text in TAKEN {
        assert!(is_mqtt_string(text.as_bytes()), "{text:?}");
        for (place, version, bytes) in packets_with(text.as_bytes()) {
            let packet =
                decode(&bytes, version).unwrap_or_else(|e| panic!("{text:?} {place}: {e}"));
            let mut encoded = Vec::new();
            packet.encode(version, &mut encoded);
            assert_eq!(encoded, bytes, "{text:?} as {place}");
        }
    }
}

#[test]
fn a_string_is_at_most_65_535_bytes_long() {
    assert!(is_mqtt_string(&[b'a'; 65_535]));
    assert!(!is_mqtt_string(&[b'a'; 65_536]));
}

#[test]
fn a_known_topic_does_not_hide_a_bad_one() {
    use pintle_mqtt::{Frame, Layout, Publish, TopicName};
    let known = TopicName::new("good");
    for bad in [&b"goo\0"[..], b"goo\xff", b"goo+", b"good\x01"] {
        let bytes = packet(0x30, &string(bad));
        let frame = Frame::split(&bytes, u32::MAX).unwrap().unwrap();
        assert!(Publish::decode(&frame, Layout::V3, known.ok()).is_err());
    }
    let bytes = packet(0x30, &string(b"good"));
    let frame = Frame::split(&bytes, u32::MAX).unwrap().unwrap();
    let publish = Publish::decode(&frame, Layout::V3, known.ok()).unwrap();
    assert_eq!(publish.topic, known.ok());
}
