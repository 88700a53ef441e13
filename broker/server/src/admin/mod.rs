//! The admin interface: HTTP and JSON over a Unix socket, and over a loopback port with a token.
//!
//! It runs on the control thread; what takes long is done on blocking threads beside it.

mod address;
mod answer;
mod door;
mod error;
mod explain;
mod gate;
mod log_stream;
mod metrics;
mod plugin_json;
mod plugin_log;
mod routes;
mod serve;
mod socket_file;

pub use error::AdminError;

pub(crate) use address::encode;
pub(crate) use door::{AdminDoors, AdminPlace};
pub(crate) use explain::{ActionName, Question};
pub(crate) use plugin_log::{PluginLogLayer, plugin_log_filter};
pub(crate) use socket_file::SocketFile;
