//! UTF-8 Encoded Strings (1.5.4).

use pintle_tests::wire::{Connect, Disconnect, Prop, Publish, Subscribe, Unsubscribe, Will};
use pintle_tests::{V5, Version};

use crate::broker;

/// What no string may hold, and what the standard allows a server to refuse.
const BAD: [&[u8]; 14] = [
    b"a\0b",
    b"\xED\xA0\x80",
    b"\xED\xBF\xBF",
    b"\xC0\xAF",
    b"\xE0\x80\xAF",
    b"\xF0\x80\x80\xAF",
    b"cut\xE2\x82",
    b"\xFF",
    b"\xF4\x90\x80\x80",
    b"\x01",
    b"a\x1F",
    b"\x7F",
    b"\xC2\x85",
    b"\xEF\xBF\xBE",
];

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-4]
#[test]
fn a_client_identifier_that_is_not_good_utf8_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        for bad in BAD {
            let mut client = broker.open(version);
            client.send(&Connect::new(bad));
            client.is_not_let_in_with(0x81);
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-12]
#[test]
fn a_user_name_that_is_not_good_utf8_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        for bad in BAD {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").username(bad));
            client.is_not_let_in_with(0x81);
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-11]
#[test]
fn a_will_topic_that_is_not_good_utf8_is_refused() {
    let broker = broker();
    for version in Version::ALL {
        for bad in BAD {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").will(Will::new(bad, "")));
            client.is_not_let_in_with(0x81);
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.3.2-1]
#[test]
fn a_topic_name_that_is_not_good_utf8_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for bad in BAD {
            let mut client = broker.client(version, "c");
            client.send(&Publish::new(bad, "x"));
            client.is_refused_with(0x81);
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.8.3-1] [MQTT-3.10.3-1]
#[test]
fn a_topic_filter_that_is_not_good_utf8_ends_the_connection() {
    let broker = broker();
    for version in Version::ALL {
        for bad in BAD {
            let mut client = broker.client(version, "c");
            client.send(&Subscribe::to(bad, 0));
            client.is_refused_with(0x81);
        }
    }
    let mut client = broker.v5("c");
    client.send(&Unsubscribe::of(1, &["a\u{1}"]));
    client.is_refused_with(0x81);
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19]
#[test]
fn a_string_property_that_is_not_good_utf8_ends_the_connection() {
    let broker = broker();
    for id in [0x03_u8, 0x08] {
        for bad in BAD {
            let mut client = broker.v5("c");
            client.send(&Publish::new("t", "x").with(raw_string(id, bad)));
            client.is_refused_with(0x81);
        }
    }
    for bad in BAD {
        let mut user_property = vec![0x26, 0, 1, b'k'];
        user_property.extend_from_slice(&(bad.len() as u16).to_be_bytes());
        user_property.extend_from_slice(bad);
        let mut client = broker.v5("c");
        client.send(&Publish::new("t", "x").with(Prop::Raw(user_property)));
        client.is_refused_with(0x81);

        let mut client = broker.v5("c");
        client.send(&Disconnect::code(0).with(raw_string(0x1F, bad)));
        client.is_refused_with(0x81);

        let mut client = broker.open(V5);
        client.send(&Connect::new("c").with(raw_string(0x15, bad)));
        client.is_not_let_in_with(0x81);
    }
}

/// [MQTT-1.5.4-3] [MQTT-4.7.3-4]
#[test]
fn a_byte_order_mark_and_unusual_characters_arrive_as_they_were_sent() {
    let broker = broker();
    for topic in ["\u{feff}t", "a\u{feff}", "ä/日本/🦀", " ", "a /b", "A", "e\u{301}"] {
        let mut client = broker.v5("c");
        client.subscribes(topic, 0);
        client.publishes(topic, "x");
        client.receives(topic, "x");
        client.receives_nothing();
    }
}

fn raw_string(id: u8, text: &[u8]) -> Prop {
    let mut bytes = vec![id];
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text);
    Prop::Raw(bytes)
}
