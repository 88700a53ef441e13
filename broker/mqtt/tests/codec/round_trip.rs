//! What is written reads the same, for any packet of any version.

use pintle_mqtt::{Packet, PropertyContext, Publish, PublishFlags, QoS, TopicName};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::any_packet::parts;
use crate::sample_packets::{VERSIONS, decode, frame};

proptest! {
    #[test]
    fn every_packet_reads_as_it_was_written(parts in parts()) {
        parts.each_packet(|packet| {
            let mut bytes = Vec::new();
            packet.encode(parts.version, &mut bytes);
            assert!(frame(&bytes).is_minimal());
            assert_eq!(decode(&bytes, parts.version), Ok(packet));
        });
    }

    #[test]
    fn a_packet_cut_anywhere_is_never_read_beyond_its_end(parts in parts(), len in any::<u16>()) {
        parts.each_packet(|packet| {
            let mut bytes = Vec::new();
            packet.encode(parts.version, &mut bytes);
            let body = frame(&bytes).body;
            let body = &body[..usize::from(len) % (body.len() + 1)];
            let short = crate::sample_packets::packet(bytes[0], body);
            if let Ok(packet) = decode(&short, parts.version) {
                let mut again = Vec::new();
                packet.encode(parts.version, &mut again);
                assert!(again.len() <= short.len());
                assert_eq!(decode(&again, parts.version), Ok(packet));
            }
        });
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_written_no_longer(
        first_byte in any::<u8>(),
        body in vec(any::<u8>(), 0..60),
    ) {
        let bytes = crate::sample_packets::packet(first_byte, &body);
        for version in VERSIONS {
            let Ok(packet) = decode(&bytes, version) else { continue };
            let version = match packet {
                Packet::Connect(connect) => connect.version,
                _ => version,
            };
            let mut again = Vec::new();
            packet.encode(version, &mut again);
            prop_assert!(again.len() <= bytes.len());
            prop_assert_eq!(decode(&again, version), Ok(packet));
        }
    }

    #[test]
    fn a_publish_is_as_long_as_it_says(parts in parts()) {
        let properties = parts.properties(PropertyContext::Publish);
        let publish = Publish {
            flags: PublishFlags { dup: false, qos: QoS::AtLeastOnce, retain: false },
            topic: Some(TopicName::trusted(&parts.topic)),
            packet_id: Some(parts.id()),
            properties: properties.as_properties(),
            payload: &parts.payload,
        };
        let mut bytes = Vec::new();
        publish.encode(parts.version.layout(), &mut bytes);
        prop_assert_eq!(bytes.len(), publish.encoded_len(parts.version.layout()));
    }
}
