use crate::packet_type::checked_reason;
use crate::writer::put_packet;
use crate::{
    Frame, Layout, PacketType, Properties, PropertyContext, ProtocolVersion, Reader, ReasonCode,
    Violation,
};

/// A CONNACK packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server still had the Session; 3.1 cannot say so.
    pub session_present: bool,
    /// In 3.1 and 3.1.1 one of the six that have a return code.
    pub reason: ReasonCode,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> ConnAck<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for reserved bits [MQTT-3.2.2-1], unknown codes, fields cut short and bytes left
    /// over; `ProtocolError` (0x82) for codes that do not belong here and for Session Present
    /// beside a code other than 0 [MQTT-3.2.2-6]; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let mut reader = Reader::new(frame.body);
        let flags = reader.u8()?;
        let code = reader.u8()?;
        let session_present = match version {
            ProtocolVersion::V3_1 => false,
            ProtocolVersion::V3_1_1 | ProtocolVersion::V5_0 => decode_flags(flags)?,
        };
        let reason = match version.layout() {
            Layout::V3 => ReasonCode::from_v3_return_code(code)
                .ok_or(Violation::malformed("a CONNACK return code is unknown"))?,
            Layout::V5 => checked_reason(PacketType::ConnAck, code)?,
        };
        if session_present && reason != ReasonCode::Success {
            let what = "a CONNACK that refuses has Session Present set";
            return Err(Violation::protocol_error(what));
        }
        let properties =
            Properties::decode_in(&mut reader, PropertyContext::ConnAck, version.layout())?;
        reader.finish()?;
        Ok(Self { session_present, reason, properties })
    }

    /// Appends the packet; before 5.0 with the return code that comes nearest.
    ///
    /// Session Present is left clear beside a code other than 0 [MQTT-3.2.2-6], and in 3.1.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let session_present = self.session_present
            && self.reason == ReasonCode::Success
            && version != ProtocolVersion::V3_1;
        put_packet(PacketType::ConnAck.first_byte(), out, |out| {
            out.push(u8::from(session_present));
            out.push(match version.layout() {
                Layout::V3 => self.reason.to_v3_return_code(),
                Layout::V5 => self.reason.as_u8(),
            });
            self.properties.encode_in(version.layout(), out);
        });
    }
}

fn decode_flags(byte: u8) -> Result<bool, Violation> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Violation::malformed("reserved bits of a CONNACK's flags are set")),
    }
}
