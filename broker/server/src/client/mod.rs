//! A small MQTT client that blocks: what `pintle pub` and `pintle sub` are made of.

mod connection;
mod error;
mod message;
mod options;
mod stream;

pub(crate) use connection::Connection;
pub(crate) use error::ClientError;
pub(crate) use message::{OutgoingMessage, OutgoingProperties, json};
pub(crate) use options::{ConnectOptions, TlsOptions, Will};
pub(crate) use stream::tls_config;
