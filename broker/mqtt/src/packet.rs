//! Every MQTT Control Packet, borrowed from the bytes it came in.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod suback;
mod subscribe;
mod unsubscribe;
mod will;

pub use ack::{Ack, AckKind, encode_ack};
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, ConnectError};
pub use disconnect::Disconnect;
pub use suback::{ReasonCodeBuffer, ReasonCodes, SubAck, UnsubAck};
pub use subscribe::{
    RetainHandling, Subscribe, SubscribeBuffer, SubscribeEntry, SubscribeFilters, SubscribeOptions,
};
pub use unsubscribe::{Unsubscribe, UnsubscribeBuffer, UnsubscribeFilters};
pub use will::Will;

use crate::{Frame, PacketType, Properties, ProtocolVersion, Publish, Reader, Violation};

/// Any packet of any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the packets")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    ConnAck(ConnAck<'a>),
    Publish(Publish<'a>),
    PubAck(Ack<'a>),
    PubRec(Ack<'a>),
    PubRel(Ack<'a>),
    PubComp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    SubAck(SubAck<'a>),
    Unsubscribe(Unsubscribe<'a>),
    UnsubAck(UnsubAck<'a>),
    PingReq,
    PingResp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Parses `frame`, which came over a connection of `version`, from either side.
    ///
    /// A CONNECT is parsed in the version that it names itself.
    ///
    /// # Errors
    /// What [`PacketType::checked`] and the packet's own `decode` refuse; malformed for PINGREQ and
    /// PINGRESP with a body.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let ack = |kind| Ack::decode(frame, kind, version);
        Ok(match PacketType::checked(frame.first_byte, version)? {
            PacketType::Connect => {
                Self::Connect(Connect::decode(frame).map_err(|error| error.violation)?)
            }
            PacketType::ConnAck => Self::ConnAck(ConnAck::decode(frame, version)?),
            PacketType::Publish => Self::Publish(Publish::decode(frame, version.layout(), None)?),
            PacketType::PubAck => Self::PubAck(ack(AckKind::PubAck)?),
            PacketType::PubRec => Self::PubRec(ack(AckKind::PubRec)?),
            PacketType::PubRel => Self::PubRel(ack(AckKind::PubRel)?),
            PacketType::PubComp => Self::PubComp(ack(AckKind::PubComp)?),
            PacketType::Subscribe => Self::Subscribe(Subscribe::decode(frame, version)?),
            PacketType::SubAck => Self::SubAck(SubAck::decode(frame, version)?),
            PacketType::Unsubscribe => Self::Unsubscribe(Unsubscribe::decode(frame, version)?),
            PacketType::UnsubAck => Self::UnsubAck(UnsubAck::decode(frame, version)?),
            PacketType::PingReq => Reader::new(frame.body).finish().map(|()| Self::PingReq)?,
            PacketType::PingResp => Reader::new(frame.body).finish().map(|()| Self::PingResp)?,
            PacketType::Disconnect => Self::Disconnect(Disconnect::decode(frame, version)?),
            PacketType::Auth => Self::Auth(Auth::decode(frame)?),
        })
    }

    /// Appends the packet as `version` writes it, leaving out what `version` cannot say.
    ///
    /// A CONNECT names its own version; an AUTH before 5.0 appends nothing.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::ConnAck(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version.layout(), out),
            Self::PubAck(ack) => ack.encode(AckKind::PubAck, version, out),
            Self::PubRec(ack) => ack.encode(AckKind::PubRec, version, out),
            Self::PubRel(ack) => ack.encode(AckKind::PubRel, version, out),
            Self::PubComp(ack) => ack.encode(AckKind::PubComp, version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::SubAck(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::UnsubAck(unsuback) => unsuback.encode(version, out),
            Self::PingReq => out.extend_from_slice(&[PacketType::PingReq.first_byte(), 0]),
            Self::PingResp => out.extend_from_slice(&[PacketType::PingResp.first_byte(), 0]),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) if version.is_v5() => auth.encode(out),
            Self::Auth(_) => {}
        }
    }

    /// Appends the packet if it is no longer than `packet_bytes_max`, the Maximum Packet Size of
    /// its receiver; without Reason String and User Properties if it only fits so
    /// [MQTT-3.2.2-19] [MQTT-3.4.2-2]. Says whether it did.
    ///
    /// A CONNECT or PUBLISH, whose User Properties are its sender's, is never shortened.
    pub fn encode_within(
        &self,
        version: ProtocolVersion,
        packet_bytes_max: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let fits = |out: &Vec<u8>| out.len() - start <= packet_bytes_max as usize;
        self.encode(version, out);
        if fits(out) {
            return true;
        }
        out.truncate(start);
        if let Some(properties) = self.diagnostics() {
            let left = properties.without_diagnostics();
            self.with_properties(left.as_properties()).encode(version, out);
            if fits(out) {
                return true;
            }
            out.truncate(start);
        }
        false
    }

    /// The properties among which there may be diagnostics.
    fn diagnostics(&self) -> Option<Properties<'a>> {
        match self {
            Self::ConnAck(connack) => Some(connack.properties),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                Some(ack.properties)
            }
            Self::SubAck(suback) => Some(suback.properties),
            Self::UnsubAck(unsuback) => Some(unsuback.properties),
            Self::Disconnect(disconnect) => Some(disconnect.properties),
            Self::Auth(auth) => Some(auth.properties),
            Self::Connect(_)
            | Self::Publish(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::PingReq
            | Self::PingResp => None,
        }
    }

    fn with_properties<'b>(&self, properties: Properties<'b>) -> Packet<'b>
    where
        'a: 'b,
    {
        match *self {
            Self::ConnAck(connack) => Packet::ConnAck(ConnAck { properties, ..connack }),
            Self::PubAck(ack) => Packet::PubAck(Ack { properties, ..ack }),
            Self::PubRec(ack) => Packet::PubRec(Ack { properties, ..ack }),
            Self::PubRel(ack) => Packet::PubRel(Ack { properties, ..ack }),
            Self::PubComp(ack) => Packet::PubComp(Ack { properties, ..ack }),
            Self::SubAck(suback) => Packet::SubAck(SubAck { properties, ..suback }),
            Self::UnsubAck(unsuback) => Packet::UnsubAck(UnsubAck { properties, ..unsuback }),
            Self::Disconnect(disconnect) => {
                Packet::Disconnect(Disconnect { properties, ..disconnect })
            }
            Self::Auth(auth) => Packet::Auth(Auth { properties, ..auth }),
            Self::Connect(_)
            | Self::Publish(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::PingReq
            | Self::PingResp => *self,
        }
    }

    /// Its type.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}
