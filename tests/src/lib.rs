//! What the tests share: a broker in a process of its own, and clients that say exactly what they
//! are told to.
//!
//! The clients have a codec of their own, written from the standard and apart from the broker's, so
//! that a mistake in one is not hidden by the same mistake in the other. They may say things that
//! the standard forbids; that is what many tests are about.

mod broker;
mod client;
mod stream;
mod tls_files;
mod version;
pub mod wire;

pub use broker::{Broker, Program};
pub use client::{Client, PATIENCE};
pub use stream::{Socket, Stream, over_tcp, over_tls, over_web_socket, web_socket};
pub use tls_files::TlsFiles;
pub use version::Version::{self, V5, V31, V311};
