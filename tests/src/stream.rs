use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

use crate::PATIENCE;

/// A way for MQTT bytes to a broker and back.
pub trait Stream: Send {
    /// Sends these bytes, over WebSocket as one frame.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Appends what has come; false if nothing can come any more.
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<bool>;

    /// Says nothing more, but still listens.
    fn stop_sending(&mut self);
}

/// Connects over plain TCP.
pub fn over_tcp(address: SocketAddr) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(Plain(connect(address)?)))
}

/// Connects over TLS, trusting the certificates in `ca` alone.
pub fn over_tls(address: SocketAddr, ca: &Path) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(Plain(tls(address, ca)?)))
}

/// Connects by WebSocket to `path` (`/mqtt`), inside TLS if there is a `ca` to trust, with these
/// further headers.
pub fn over_web_socket(
    address: SocketAddr,
    ca: Option<&Path>,
    headers: &[(&'static str, &str)],
) -> Result<Box<dyn Stream>, tungstenite::Error> {
    Ok(Box::new(Framed(web_socket(address, ca, headers)?)))
}

/// The same, as the WebSocket itself, for tests that look at frames.
pub fn web_socket(
    address: SocketAddr,
    ca: Option<&Path>,
    headers: &[(&'static str, &str)],
) -> Result<WebSocket<Box<dyn Socket>>, tungstenite::Error> {
    let scheme = if ca.is_some() { "wss" } else { "ws" };
    let mut request =
        format!("{scheme}://localhost:{}/mqtt", address.port()).into_client_request()?;
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header of a test is valid");
        request.headers_mut().insert(*name, value);
    }
    let socket: Box<dyn Socket> = match ca {
        Some(ca) => Box::new(tls(address, ca)?),
        None => Box::new(connect(address)?),
    };
    match tungstenite::client(request, socket) {
        Ok((web_socket, _response)) => Ok(web_socket),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
        Err(tungstenite::HandshakeError::Interrupted(_)) => {
            Err(io::Error::from(io::ErrorKind::TimedOut).into())
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(Duration::from_secs(10)))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn tls(address: SocketAddr, ca: &Path) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    let pem = CertificateDer::pem_file_iter(ca).map_err(io::Error::other)?;
    for certificate in pem {
        let certificate = certificate.map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, connect(address)?);
    stream.flush()?;
    Ok(stream)
}

/// A connected socket, with TLS or without.
pub trait Socket: Read + Write + Send {
    /// Says nothing more, but still listens.
    fn stop_sending(&mut self);
}

impl Socket for TcpStream {
    fn stop_sending(&mut self) {
        // Fails only where the peer has closed already, which is as good.
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Socket for StreamOwned<ClientConnection, TcpStream> {
    fn stop_sending(&mut self) {
        let _ = self.sock.shutdown(Shutdown::Write);
    }
}

impl Socket for Box<dyn Socket> {
    fn stop_sending(&mut self) {
        (**self).stop_sending();
    }
}

struct Plain<S>(S);

impl<S: Socket> Stream for Plain<S> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let len = self.0.read(&mut buffer)?;
        into.extend_from_slice(&buffer[..len]);
        Ok(len > 0)
    }

    fn stop_sending(&mut self) {
        self.0.stop_sending();
    }
}

struct Framed(WebSocket<Box<dyn Socket>>);

impl Stream for Framed {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let message = Message::Binary(bytes.to_vec().into());
        self.0.send(message).map_err(to_io)
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        match self.0.read() {
            Ok(Message::Binary(bytes)) => {
                into.extend_from_slice(&bytes);
                Ok(true)
            }
            Ok(Message::Close(_)) => Ok(false),
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(true),
            Ok(other) => panic!("the broker sent {other:?} over WebSocket"),
            Err(error) => match to_io(error) {
                error if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
                error => Err(error),
            },
        }
    }

    fn stop_sending(&mut self) {
        self.0.get_mut().stop_sending();
    }
}

fn to_io(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(_) => io::Error::new(io::ErrorKind::UnexpectedEof, error),
        other => io::Error::other(other),
    }
}
