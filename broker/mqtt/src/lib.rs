//! MQTT 3.1, 3.1.1 and 5.0 packets to bytes and back, without IO.
//!
//! Everything here is pure: bytes in, values that borrow from them out, and the other way round.
//! Decoding is strict: what the standard calls malformed is refused with the Reason Code that the
//! standard names, as a [`Violation`].

mod delivery;
mod error;
mod frame;
mod kept_run;
mod packet;
mod packet_id;
mod packet_type;
mod properties;
mod property;
mod publication;
mod publish;
mod qos;
mod reader;
mod reason;
mod run;
mod time;
mod topic;
mod version;
mod writer;

pub use delivery::DeliveryFields;
pub use error::Violation;
pub use frame::Frame;
pub use kept_run::{Budget, KeptRun};
pub use packet::{
    Ack, AckKind, Auth, ConnAck, Connect, ConnectError, Disconnect, Packet, ReasonCodeBuffer,
    ReasonCodes, RetainHandling, SubAck, Subscribe, SubscribeBuffer, SubscribeEntry,
    SubscribeFilters, SubscribeOptions, UnsubAck, Unsubscribe, UnsubscribeBuffer,
    UnsubscribeFilters, Will, encode_ack,
};
pub use packet_id::PacketId;
pub use packet_type::{PacketType, reason_is_legal};
pub use properties::{Properties, PropertyBuffer, is_mqtt_string};
pub use property::{Property, PropertyContext};
pub use publication::{Publication, WireForm, copy_with_packet_ids};
pub use publish::{Publish, PublishFlags};
pub use qos::QoS;
pub use reader::Reader;
pub use reason::ReasonCode;
pub use run::Run;
pub use time::Timestamp;
pub use topic::{ShareName, SubscriptionFilter, TopicFilter, TopicName};
pub use version::{Layout, ProtocolVersion};
pub use writer::{encode_variable_byte_integer, variable_byte_integer_len};
