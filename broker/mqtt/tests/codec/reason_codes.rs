//! Every Reason Code in every packet.

use pintle_mqtt::{PacketType, ReasonCode, reason_is_legal};

use crate::sample_packets::{V5_0, decode, packet};

/// The tables of the standard once more, packet by packet.
const LEGAL: [(PacketType, &[u8]); 9] = [
    (
        PacketType::ConnAck,
        &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90,
            0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ],
    ),
    (PacketType::PubAck, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::PubRec, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::PubRel, &[0x00, 0x92]),
    (PacketType::PubComp, &[0x00, 0x92]),
    (PacketType::SubAck, &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]),
    (PacketType::UnsubAck, &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]),
    (
        PacketType::Disconnect,
        &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0,
            0xa1, 0xa2,
        ],
    ),
    (PacketType::Auth, &[0x00, 0x18, 0x19]),
];

fn packet_with(packet_type: PacketType, code: u8) -> Vec<u8> {
    let method = b"\x04\x15\0\x01m";
    let body = match packet_type {
        PacketType::ConnAck => vec![0, code, 0],
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            vec![0, 7, code]
        }
        PacketType::SubAck | PacketType::UnsubAck => vec![0, 7, 0, code],
        PacketType::Auth => [&[code], &method[..]].concat(),
        _ => vec![code],
    };
    packet(packet_type.first_byte(), &body)
}

/// [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2]
/// [MQTT-3.14.2-1] [MQTT-3.15.2-1]
#[test]
fn a_reason_code_is_taken_exactly_where_the_standard_lists_it() {
    for (packet_type, legal) in LEGAL {
        for byte in 0..=255 {
            let expected = match ReasonCode::from_u8(byte) {
                None => Err(ReasonCode::MalformedPacket),
                Some(_) if legal.contains(&byte) => Ok(()),
                Some(_) => Err(ReasonCode::ProtocolError),
            };
            let bytes = packet_with(packet_type, byte);
            let found = decode(&bytes, V5_0).map(drop).map_err(|refused| refused.reason);
            assert_eq!(found, expected, "{byte:#x} in {packet_type:?}");
        }
    }
}

#[test]
fn packets_without_a_reason_code_have_no_legal_one() {
    for packet_type in [
        PacketType::Connect,
        PacketType::Publish,
        PacketType::Subscribe,
        PacketType::Unsubscribe,
        PacketType::PingReq,
        PacketType::PingResp,
    ] {
        let legal =
            |byte| ReasonCode::from_u8(byte).is_some_and(|code| reason_is_legal(packet_type, code));
        assert!(!(0..=255).any(legal), "{packet_type:?}");
    }
}

#[test]
fn a_reason_code_of_0x80_or_more_is_a_failure() {
    for code in (0..=255).filter_map(ReasonCode::from_u8) {
        assert_eq!(code.is_failure(), code.as_u8() >= 0x80);
        assert_eq!(ReasonCode::from_u8(code.as_u8()), Some(code));
    }
    assert_eq!((0..=255).filter_map(ReasonCode::from_u8).count(), 43);
}
