use std::fmt;

use crate::writer::{put_binary, put_string};
use crate::{
    Properties, PropertyContext, ProtocolVersion, QoS, Reader, ReasonCode, TopicName, Violation,
};

/// A Will Message as its CONNECT carries it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where it will be published.
    pub topic: TopicName<'a>,
    /// At most 65,535 bytes.
    pub payload: &'a [u8],
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Properties; always empty before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Will<'a> {
    pub(super) fn decode(
        reader: &mut Reader<'a>,
        version: ProtocolVersion,
        qos: QoS,
        retain: bool,
    ) -> Result<Self, Violation> {
        let properties = Properties::decode_in(reader, PropertyContext::Will, version.layout())?;
        let topic = TopicName::new(reader.string()?)?;
        let payload = reader.binary()?;
        if properties.payload_format_indicator() == Some(true)
            && std::str::from_utf8(payload).is_err()
        {
            let what = "a will that says it is UTF-8 is not";
            return Err(Violation::new(ReasonCode::PayloadFormatInvalid, what));
        }
        Ok(Self { topic, payload, qos, retain, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        self.properties.encode_in(version.layout(), out);
        put_string(self.topic.as_str(), out);
        put_binary(self.payload, out);
    }
}

/// Shows the length of the payload instead of the payload.
impl fmt::Debug for Will<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Will")
            .field("topic", &self.topic)
            .field("payload_bytes", &self.payload.len())
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("properties", &self.properties)
            .finish()
    }
}
