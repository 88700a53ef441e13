//! The way to the broker: TCP, with TLS around it if asked for, with WebSocket inside if asked for.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, Message, WebSocket};

use super::{ClientError, ConnectOptions, TlsOptions};
use crate::tls::read_chain;

/// How long connecting and each handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes to and from the broker.
pub(super) enum Stream {
    Socket(Socket),
    WebSocket(Box<WebSocket<Socket>>),
}

/// A TCP connection, perhaps with TLS.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn connect(options: &ConnectOptions) -> Result<Self, ClientError> {
        let tcp = connect_tcp(options)?;
        let socket = match &options.tls {
            None => Socket::Plain(tcp),
            Some(tls) => Socket::Tls(Box::new(connect_tls(options, tls, tcp)?)),
        };
        match &options.web_socket {
            None => Ok(Self::Socket(socket)),
            Some(path) => {
                let web_socket = connect_web_socket(options, path, socket)?;
                Ok(Self::WebSocket(Box::new(web_socket)))
            }
        }
    }

    /// Adds what has arrived to `into`; waits for it no longer than `timeout`. False at the end of
    /// the stream.
    pub(super) fn read(&mut self, into: &mut Vec<u8>, timeout: Duration) -> io::Result<bool> {
        self.tcp().set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        match self {
            Self::Socket(socket) => {
                let mut chunk = [0; 16 * 1024];
                match socket.read(&mut chunk) {
                    Ok(0) => Ok(false),
                    Ok(len) => {
                        into.extend_from_slice(chunk.get(..len).unwrap_or_default());
                        Ok(true)
                    }
                    Err(error) => went_on(error),
                }
            }
            Self::WebSocket(web_socket) => match web_socket.read() {
                Ok(Message::Binary(bytes)) => {
                    into.extend_from_slice(&bytes);
                    Ok(true)
                }
                Ok(Message::Close(_)) => Ok(false),
                Ok(_) => Ok(true),
                Err(error) => web_socket_error(error),
            },
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.write_all(bytes).and_then(|()| socket.flush()),
            Self::WebSocket(web_socket) => {
                let message = Message::Binary(bytes.to_vec().into());
                web_socket.send(message).map_err(|error| match error {
                    tungstenite::Error::Io(error) => error,
                    other => io::Error::other(other),
                })
            }
        }
    }

    /// Tells the other side that nothing more comes.
    pub(super) fn close(&mut self) {
        // The connection is given up: whether the other side hears of it changes nothing.
        if let Self::Socket(Socket::Tls(tls)) = self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        } else if let Self::WebSocket(web_socket) = self {
            let _ = web_socket.close(None);
            let _ = web_socket.flush();
        }
        let _ = self.tcp().shutdown(std::net::Shutdown::Write);
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Socket(socket) => socket.tcp(),
            Self::WebSocket(web_socket) => web_socket.get_ref().tcp(),
        }
    }
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Nothing has come in time, which is no error.
fn went_on(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
            Ok(true)
        }
        // Brokers may close TLS without saying so.
        io::ErrorKind::UnexpectedEof => Ok(false),
        _ => Err(error),
    }
}

fn web_socket_error(error: tungstenite::Error) -> io::Result<bool> {
    match error {
        tungstenite::Error::Io(error) => went_on(error),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Ok(false),
        other => Err(io::Error::other(other)),
    }
}

pub(super) fn address(options: &ConnectOptions) -> String {
    let host = &options.host;
    if host.contains(':') {
        format!("[{host}]:{}", options.port)
    } else {
        format!("{host}:{}", options.port)
    }
}

fn connect_tcp(options: &ConnectOptions) -> Result<TcpStream, ClientError> {
    let unreachable = |error: io::Error| {
        let address = address(options);
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ClientError::NobodyListens { address },
            _ => ClientError::Unreachable { address, error },
        }
    };
    let addresses = (options.host.as_str(), options.port).to_socket_addrs().map_err(unreachable)?;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, HANDSHAKE_TIMEOUT) {
            Ok(tcp) => {
                tcp.set_nodelay(true).map_err(unreachable)?;
                tcp.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).map_err(unreachable)?;
                return Ok(tcp);
            }
            Err(error) => failure = error,
        }
    }
    Err(unreachable(failure))
}

fn connect_tls(
    options: &ConnectOptions,
    tls: &TlsOptions,
    tcp: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, ClientError> {
    let failed = |error: String| ClientError::Tls { address: address(options), error };
    let config = tls_config(tls)?;
    let name =
        ServerName::try_from(options.host.clone()).map_err(|error| failed(error.to_string()))?;
    let session =
        ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))?;
    let mut stream = StreamOwned::new(session, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(options, "TLS"),
            _ => failed(error.to_string()),
        })?;
    }
    Ok(stream)
}

/// How to speak TLS to a broker that the given certificates vouch for.
pub(crate) fn tls_config(tls: &TlsOptions) -> Result<ClientConfig, ClientError> {
    let roots = trusted(tls)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(|error| ClientError::NoTrust(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of `--cafile`, or those that the system trusts.
fn trusted(tls: &TlsOptions) -> Result<RootCertStore, ClientError> {
    let certificates = match &tls.ca_file {
        Some(path) => read_chain(path)?,
        None => {
            let path = system_trust()?;
            read_chain(Path::new(&path))?
        }
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(ClientError::NoTrust("none of them can be used".to_owned()));
    }
    Ok(roots)
}

fn system_trust() -> Result<String, ClientError> {
    const PLACES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    let named = std::env::var("SSL_CERT_FILE").ok();
    named
        .into_iter()
        .chain(PLACES.map(str::to_owned))
        .find(|path| Path::new(path).exists())
        .ok_or_else(|| ClientError::NoTrust("the system's are in no usual place".to_owned()))
}

fn connect_web_socket(
    options: &ConnectOptions,
    path: &str,
    socket: Socket,
) -> Result<WebSocket<Socket>, ClientError> {
    let failed = |error: String| ClientError::WebSocket { address: address(options), error };
    let scheme = if options.tls.is_some() { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/{}", address(options), path.trim_start_matches('/'));
    let mut request = url.into_client_request().map_err(|error| failed(error.to_string()))?;
    let protocol = HeaderValue::from_static("mqtt");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    match client_with_config(request, socket, Some(config)) {
        Ok((web_socket, _)) => Ok(web_socket),
        Err(HandshakeError::Interrupted(_)) => Err(silent(options, "WebSocket")),
        Err(HandshakeError::Failure(error)) => Err(failed(error.to_string())),
    }
}

pub(super) fn silent(options: &ConnectOptions, protocol: &'static str) -> ClientError {
    ClientError::Silent { address: address(options), protocol, secs: HANDSHAKE_TIMEOUT.as_secs() }
}
