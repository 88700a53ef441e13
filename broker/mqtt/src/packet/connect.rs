use std::fmt;

use super::Will;
use crate::writer::{put_binary, put_packet, put_string};
use crate::{
    Frame, PacketType, Properties, PropertyContext, ProtocolVersion, QoS, Reader, ReasonCode,
    Violation,
};

/// A CONNECT packet.
///
/// An empty Client Identifier passes; whether it may be empty is for the server to say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Of the connection that begins.
    pub version: ProtocolVersion,
    /// Clean Start; Clean Session in 3.1 and 3.1.1.
    pub clean_start: bool,
    /// 0 means that the server waits for ever.
    pub keep_alive_secs: u16,
    /// Client Identifier, perhaps empty.
    pub client_id: &'a str,
    /// Will Message.
    pub will: Option<Will<'a>>,
    /// User Name.
    pub username: Option<&'a str>,
    /// Password; without a User Name only in 5.0.
    pub password: Option<&'a [u8]>,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
}

/// Why a CONNECT is refused, and which CONNACK the client would understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What was wrong.
    pub violation: Violation,
    /// The version to answer in; `None` if what came was no CONNECT at all.
    pub version: Option<ProtocolVersion>,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violation.fmt(f)
    }
}

impl std::error::Error for ConnectError {}

impl<'a> Connect<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// `UnsupportedProtocolVersion` (0x84) for a name or level that is none of the three
    /// [MQTT-3.1.2-1] [MQTT-3.1.2-2]; malformed for flags that contradict each other or the
    /// payload, bad strings, fields cut short and bytes left over; `TopicNameInvalid` (0x90) and
    /// `PayloadFormatInvalid` (0x99) for the will; `ProtocolError` (0x82) for Authentication Data
    /// without a method; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>) -> Result<Self, ConnectError> {
        let unanswered = |violation| ConnectError { violation, version: None };
        if PacketType::from_first_byte(frame.first_byte) != Some(PacketType::Connect) {
            let what = "the first packet is not a CONNECT";
            return Err(unanswered(Violation::protocol_error(what)));
        }
        let mut reader = Reader::new(frame.body);
        let name = reader.string().map_err(unanswered)?;
        let level = reader.u8().map_err(unanswered)?;
        let version = protocol_version(name, level)?;
        Self::decode_fields(frame.first_byte, version, reader)
            .map_err(|violation| ConnectError { violation, version: Some(version) })
    }

    fn decode_fields(
        first_byte: u8,
        version: ProtocolVersion,
        mut reader: Reader<'a>,
    ) -> Result<Self, Violation> {
        PacketType::checked(first_byte, version)?;
        let flags = ConnectFlags::from_byte(reader.u8()?, version)?;
        let keep_alive_secs = reader.u16()?;
        let properties =
            Properties::decode_in(&mut reader, PropertyContext::Connect, version.layout())?;
        if properties.authentication_data().is_some()
            && properties.authentication_method().is_none()
        {
            let what = "a CONNECT has Authentication Data without a method";
            return Err(Violation::protocol_error(what));
        }
        let client_id = reader.string()?;
        let will = match flags.will {
            Some((qos, retain)) => Some(Will::decode(&mut reader, version, qos, retain)?),
            None => None,
        };
        let username = flags.username.then(|| reader.string()).transpose()?;
        let password = flags.password.then(|| reader.binary()).transpose()?;
        reader.finish()?;
        Ok(Self {
            version,
            clean_start: flags.clean_start,
            keep_alive_secs,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (name, level) = match self.version {
            ProtocolVersion::V3_1 => ("MQIsdp", 3),
            ProtocolVersion::V3_1_1 => ("MQTT", 4),
            ProtocolVersion::V5_0 => ("MQTT", 5),
        };
        put_packet(PacketType::Connect.first_byte(), out, |out| {
            put_string(name, out);
            out.push(level);
            out.push(ConnectFlags::of(self).as_byte());
            out.extend_from_slice(&self.keep_alive_secs.to_be_bytes());
            self.properties.encode_in(self.version.layout(), out);
            put_string(self.client_id, out);
            if let Some(will) = &self.will {
                will.encode(self.version, out);
            }
            if let Some(username) = self.username {
                put_string(username, out);
            }
            if let Some(password) = self.password {
                put_binary(password, out);
            }
        });
    }
}

/// Leaves the password out.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_secs", &self.keep_alive_secs)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "hidden"))
            .field("properties", &self.properties)
            .finish()
    }
}

/// A client below level 5 reads only the CONNACK of 3.1.1, one above it the one of 5.0.
fn protocol_version(name: &str, level: u8) -> Result<ProtocolVersion, ConnectError> {
    match (name, level) {
        ("MQIsdp", 3) => Ok(ProtocolVersion::V3_1),
        ("MQTT", 4) => Ok(ProtocolVersion::V3_1_1),
        ("MQTT", 5) => Ok(ProtocolVersion::V5_0),
        (_, level) => {
            let answer = if level & !BRIDGE_BIT < 5 {
                ProtocolVersion::V3_1_1
            } else {
                ProtocolVersion::V5_0
            };
            Err(ConnectError {
                violation: Violation::new(
                    ReasonCode::UnsupportedProtocolVersion,
                    "the protocol name or version is not one of MQTT 3.1, 3.1.1 and 5.0",
                ),
                version: Some(answer),
            })
        }
    }
}

/// Some brokers set it in the level to say that they are no ordinary client.
const BRIDGE_BIT: u8 = 0x80;

/// The Connect Flags byte.
#[derive(Clone, Copy)]
struct ConnectFlags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    username: bool,
    password: bool,
}

impl ConnectFlags {
    /// Checks that no bit contradicts another [MQTT-3.1.2-3] [MQTT-3.1.2-11] [MQTT-3.1.2-12]
    /// [MQTT-3.1.2-13].
    fn from_byte(byte: u8, version: ProtocolVersion) -> Result<Self, Violation> {
        if byte & 0x01 != 0 {
            return Err(Violation::malformed("the reserved Connect Flag is set"));
        }
        let Some(qos) = QoS::from_bits(byte >> 3 & 3) else {
            return Err(Violation::malformed("the Will QoS is 3"));
        };
        let retain = byte & 0x20 != 0;
        let has_will = byte & 0x04 != 0;
        if !has_will && (retain || qos != QoS::AtMostOnce) {
            return Err(Violation::malformed("Will QoS or Will Retain is set without a will"));
        }
        let username = byte & 0x80 != 0;
        let password = byte & 0x40 != 0;
        if password && !username && !version.is_v5() {
            return Err(Violation::malformed("a password comes without a user name"));
        }
        Ok(Self {
            clean_start: byte & 0x02 != 0,
            will: has_will.then_some((qos, retain)),
            username,
            password,
        })
    }

    fn of(connect: &Connect<'_>) -> Self {
        Self {
            clean_start: connect.clean_start,
            will: connect.will.map(|will| (will.qos, will.retain)),
            username: connect.username.is_some(),
            password: connect.password.is_some(),
        }
    }

    fn as_byte(self) -> u8 {
        let will =
            self.will.map_or(0, |(qos, retain)| 0x04 | (qos as u8) << 3 | u8::from(retain) << 5);
        u8::from(self.username) << 7
            | u8::from(self.password) << 6
            | u8::from(self.clean_start) << 1
            | will
    }
}
