//! MQTT packets as test clients write and read them.

mod build;
mod connect;
mod parse;
mod property;

pub use build::{
    Ack, AckKind, Auth, Disconnect, Encode, Publish, Subscribe, Unsubscribe, frame,
    frame_with_length, ping, put_string, put_variable_byte_integer,
};
pub use connect::{Connect, Will};
pub use parse::{ConnAck, Delivery, Packet, parse, split};
pub use property::Prop;
