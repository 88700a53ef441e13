use super::ack::{decode_reason, encode_reason};
use crate::writer::put_packet;
use crate::{Frame, PacketType, Properties, PropertyContext, Reader, ReasonCode, Violation};

/// An AUTH packet; 5.0 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, Continue authentication or Re-authenticate.
    pub reason: ReasonCode,
    /// An Authentication Method is among them, unless the whole body is left out.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for unknown Reason Codes, fields cut short and bytes left over; `ProtocolError`
    /// (0x82) for Reason Codes that do not belong here [MQTT-3.15.2-1] and for an Authentication
    /// Method left out; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>) -> Result<Self, Violation> {
        let mut reader = Reader::new(frame.body);
        let (reason, properties) =
            decode_reason(&mut reader, PacketType::Auth, PropertyContext::Auth)?;
        if !frame.body.is_empty() && properties.authentication_method().is_none() {
            return Err(Violation::protocol_error("an AUTH has no Authentication Method"));
        }
        Ok(Self { reason, properties })
    }

    /// Appends the packet in its shortest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_packet(PacketType::Auth.first_byte(), out, |out| {
            encode_reason(self.reason, self.properties, out);
        });
    }
}
