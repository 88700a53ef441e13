use super::ack::{decode_reason, encode_reason};
use crate::writer::put_packet;
use crate::{
    Frame, Layout, PacketType, Properties, PropertyContext, ProtocolVersion, Reader, ReasonCode,
    Violation,
};

/// A DISCONNECT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Always Success, Normal disconnection, before 5.0.
    pub reason: ReasonCode,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// A Reason Code without properties.
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::EMPTY }
    }

    /// Parses `frame`; 5.0 may leave out what is 0x00 or empty.
    ///
    /// # Errors
    /// Malformed for unknown Reason Codes, fields cut short and bytes left over; `ProtocolError`
    /// (0x82) for Reason Codes that do not belong here [MQTT-3.14.2-1]; what
    /// [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let mut reader = Reader::new(frame.body);
        match version.layout() {
            Layout::V3 => {
                reader.finish()?;
                Ok(Self::new(ReasonCode::Success))
            }
            Layout::V5 => {
                let (reason, properties) = decode_reason(
                    &mut reader,
                    PacketType::Disconnect,
                    PropertyContext::Disconnect,
                )?;
                Ok(Self { reason, properties })
            }
        }
    }

    /// Checks what only the sender's side decides.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) for a Reason Code or a Server Reference that only servers send.
    pub fn check_from_client(&self) -> Result<(), Violation> {
        if !matches!(
            self.reason.as_u8(),
            0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99
        ) {
            let what = "a client sent a DISCONNECT code that is the server's";
            return Err(Violation::protocol_error(what));
        }
        if self.properties.server_reference().is_some() {
            return Err(Violation::protocol_error("a client sent a Server Reference"));
        }
        Ok(())
    }

    /// Checks what only the sender's side decides.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) for code 0x04 and for a Session Expiry Interval [MQTT-3.14.2-2],
    /// which only clients send.
    pub fn check_from_server(&self) -> Result<(), Violation> {
        if self.reason == ReasonCode::DisconnectWithWill {
            let what = "a server sent a DISCONNECT code that is the client's";
            return Err(Violation::protocol_error(what));
        }
        if self.properties.session_expiry_interval().is_some() {
            let what = "a server sent a Session Expiry Interval in DISCONNECT";
            return Err(Violation::protocol_error(what));
        }
        Ok(())
    }

    /// Appends the packet in its shortest form; before 5.0 with an empty body.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        put_packet(PacketType::Disconnect.first_byte(), out, |out| {
            if version.is_v5() {
                encode_reason(self.reason, self.properties, out);
            }
        });
    }
}
