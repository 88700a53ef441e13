use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why the admin interface has no place to answer at.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Another broker answers there.
    #[error(
        "the admin socket {} belongs to a broker that runs already. Give this one another \
         --data-dir, or write [admin] socket = false or another path", .0.display()
    )]
    Live(PathBuf),
    /// There is something else at the socket's path.
    #[error(
        "cannot make the admin socket: there is something at {} that is no socket. Move it away, \
         or write [admin] socket = \"another path\"", .0.display()
    )]
    NoSocket(PathBuf),
    /// The system does not make the socket.
    #[error(
        "cannot make the admin socket {}: {source}. Write [admin] socket = \"another path\", or \
         false for none", .path.display()
    )]
    Socket {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The port can not be listened on.
    #[error("cannot listen on {address} for the admin interface: {source}")]
    Http {
        /// Where it should listen.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}
