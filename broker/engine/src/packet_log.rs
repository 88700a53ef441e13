use std::fmt;

use pintle_mqtt::{Connect, Frame, Packet, ProtocolVersion, Publish};
use tracing::debug;

/// Logs a packet that came, in the words people know from `mosquitto -v`.
pub(crate) fn received(client_id: &str, version: Option<ProtocolVersion>, frame: &Frame<'_>) {
    debug!(target: "pintle::packets", "Received {} from {client_id}", Line { version, frame });
}

/// Logs all packets in `bytes`, which are about to be sent.
pub(crate) fn sent(client_id: &str, version: ProtocolVersion, mut bytes: &[u8]) {
    while let Ok(Some(frame)) = Frame::split(bytes, u32::MAX) {
        let version = Some(version);
        let line = Line { version, frame: &frame };
        debug!(target: "pintle::packets", "Sending {line} to {client_id}");
        bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
    }
}

/// One packet in a line: type, and what tells it apart. Payloads are not shown, only their length.
struct Line<'a> {
    version: Option<ProtocolVersion>,
    frame: &'a Frame<'a>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(version) = self.version else {
            return match Connect::decode(self.frame) {
                Ok(connect) => write!(
                    f,
                    "CONNECT ({:?}, clean start {}, keep alive {}, client id '{}')",
                    connect.version,
                    connect.clean_start,
                    connect.keep_alive_secs,
                    connect.client_id
                ),
                Err(_) => write!(f, "a packet of type {}", self.frame.first_byte >> 4),
            };
        };
        match Packet::decode(self.frame, version) {
            Ok(Packet::Publish(publish)) => publish_line(&publish, f),
            Ok(Packet::Subscribe(subscribe)) => {
                write!(f, "SUBSCRIBE (m{}", subscribe.packet_id)?;
                for entry in subscribe.filters.iter() {
                    write!(f, ", '{}' q{}", entry.filter, entry.options.qos as u8)?;
                }
                f.write_str(")")
            }
            Ok(Packet::PubAck(ack)) => write!(f, "PUBACK (m{}, {:?})", ack.packet_id, ack.reason),
            Ok(Packet::PubRec(ack)) => write!(f, "PUBREC (m{}, {:?})", ack.packet_id, ack.reason),
            Ok(Packet::PubRel(ack)) => write!(f, "PUBREL (m{}, {:?})", ack.packet_id, ack.reason),
            Ok(Packet::PubComp(ack)) => {
                write!(f, "PUBCOMP (m{}, {:?})", ack.packet_id, ack.reason)
            }
            Ok(Packet::ConnAck(ack)) => {
                write!(f, "CONNACK (session present {}, {:?})", ack.session_present, ack.reason)
            }
            Ok(Packet::Disconnect(disconnect)) => write!(f, "DISCONNECT ({:?})", disconnect.reason),
            Ok(packet) => write!(f, "{}", format!("{:?}", packet.packet_type()).to_uppercase()),
            Err(violation) => write!(f, "a bad packet ({violation})"),
        }
    }
}

fn publish_line(publish: &Publish<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let flags = publish.flags;
    write!(
        f,
        "PUBLISH (d{}, q{}, r{}, m{}, '{}', {} bytes)",
        u8::from(flags.dup),
        flags.qos as u8,
        u8::from(flags.retain),
        publish.packet_id.map_or(0, |id| id.get()),
        publish.topic.map_or("", |topic| topic.as_str()),
        publish.payload.len()
    )
}
