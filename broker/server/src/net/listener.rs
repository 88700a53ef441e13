use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pintle_engine::ListenerTerms;
use pintle_ports::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::clock::Clock;
use super::codec::Codec;
use super::limits::{BrokerLimit, Full, ListenerLimit, Permit};
use super::origin::OriginPolicy;
use super::throttle::Throttle;
use super::tls::Tls;
use super::websocket::WebSocket;
use super::worker::Crew;

/// A listening socket and the terms for those who come by it.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// What the engine is told about its connections; its name is the listener's.
    pub terms: Arc<ListenerTerms>,
    /// What is spoken.
    pub kind: Kind,
    /// Certificate and key, for TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Which browser pages may open a WebSocket.
    pub allowed_origins: OriginPolicy,
    /// Connections by this listener; one more is closed at once.
    pub connections_max: usize,
    /// Connections by this listener from one address; one more is closed at once.
    pub connections_per_address_max: usize,
}

/// What a listener speaks, over TLS or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MQTT.
    Tcp,
    /// MQTT in WebSocket frames.
    WebSocket,
}

/// Why a listener could not be opened.
#[derive(Debug)]
pub struct ListenError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What all connections of a listener share.
pub(super) struct Listener {
    pub(super) terms: Arc<ListenerTerms>,
    pub(super) handshake_timeout: Duration,
    kind: Kind,
    tls: Option<Arc<rustls::ServerConfig>>,
    origins: Arc<OriginPolicy>,
    limit: Arc<ListenerLimit>,
    refusals: Throttle,
}

/// A listener and its socket.
pub(super) struct BoundListener {
    listener: Arc<Listener>,
    socket: net::TcpListener,
}

/// A connection that has been let in, on its way to the worker that will serve it.
pub(super) struct Arrival<S> {
    pub(super) stream: S,
    pub(super) permit: Permit,
    pub(super) listener: Arc<Listener>,
}

const BACKLOG: i32 = 1024;

/// How long to leave connections in the backlog when there is no descriptor or memory for them.
const BACK_OFF: Duration = Duration::from_millis(100);

impl<S> Arrival<S> {
    fn with_stream<T>(self, other: impl FnOnce(S) -> io::Result<T>) -> io::Result<Arrival<T>> {
        let Self { stream, permit, listener } = self;
        Ok(Arrival { stream: other(stream)?, permit, listener })
    }
}

impl Arrival<TcpStream> {
    /// Takes it off this thread's driver, for another thread.
    pub(super) fn leave_driver(self) -> io::Result<Arrival<net::TcpStream>> {
        self.with_stream(TcpStream::into_std)
    }
}

impl Arrival<net::TcpStream> {
    /// Puts it on this thread's driver.
    pub(super) fn join_driver(self) -> io::Result<Arrival<TcpStream>> {
        self.with_stream(TcpStream::from_std)
    }
}

impl BoundListener {
    pub(super) fn bind(
        spec: ListenerSpec,
        handshake_timeout: Duration,
        broker: &Arc<BrokerLimit>,
    ) -> Result<(Self, SocketAddr), ListenError> {
        let socket = bind(spec.bind);
        let bound = socket.and_then(|socket| socket.local_addr().map(|address| (socket, address)));
        let (socket, address) =
            bound.map_err(|source| ListenError { address: spec.bind, source })?;
        let limit = ListenerLimit::new(
            Arc::clone(&spec.terms.name),
            spec.connections_max,
            spec.connections_per_address_max,
            Arc::clone(broker),
        );
        let listener = Arc::new(Listener {
            terms: spec.terms,
            handshake_timeout,
            kind: spec.kind,
            tls: spec.tls,
            origins: Arc::new(spec.allowed_origins),
            limit,
            refusals: Throttle::default(),
        });
        Ok((Self { listener, socket }, address))
    }
}

/// Binds a socket that does not block and whose connections do not wait to fill their segments.
fn bind(address: SocketAddr) -> io::Result<net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Inherited by what is accepted.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listener {
    pub(super) fn transport(&self) -> Transport {
        match (self.kind, self.tls.is_some()) {
            (Kind::Tcp, false) => Transport::Tcp,
            (Kind::Tcp, true) => Transport::Tls,
            (Kind::WebSocket, false) => Transport::WebSocket,
            (Kind::WebSocket, true) => Transport::WebSocketTls,
        }
    }

    /// What lies between the socket's bytes and those of MQTT, for one connection.
    pub(super) fn codec(&self) -> io::Result<Option<Box<Codec>>> {
        let tls = self.tls.as_ref().map(Tls::new).transpose().map_err(io::Error::other)?;
        let websocket = match self.kind {
            Kind::Tcp => None,
            Kind::WebSocket => Some(WebSocket::new(Arc::clone(&self.origins))),
        };
        let is_plain = tls.is_none() && websocket.is_none();
        Ok((!is_plain).then(|| Box::new(Codec::new(tls, websocket))))
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, crew: &Crew, clock: Clock) {
        let permit = match self.limit.admit(peer) {
            Ok(permit) => permit,
            Err(full) => return self.tell_refusal(full, peer, clock),
        };
        debug!(listener = &*self.terms.name, %peer, "Connection accepted.");
        crew.place(Arrival { stream, permit, listener: Arc::clone(self) });
    }

    fn tell_refusal(&self, full: Full, peer: SocketAddr, clock: Clock) {
        if let Some(untold) = self.refusals.admit(clock.now()) {
            let listener = &*self.terms.name;
            warn!(listener, %peer, untold, "Connection refused: {full} has as many as it may.");
        }
    }
}

/// Accepts connections until it is aborted.
pub(super) async fn accept(bound: BoundListener, crew: Arc<Crew>, clock: Clock) {
    let BoundListener { listener, socket } = bound;
    let name = &*listener.terms.name;
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            error!(listener = name, %error, "The listener cannot be served.");
            return;
        }
    };
    let failures = Throttle::default();
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => listener.welcome(stream, peer, &crew, clock),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(untold) = failures.admit(clock.now()) {
                    warn!(listener = name, %error, untold, "Cannot accept connections for now.");
                }
                sleep(BACK_OFF).await;
            }
        }
    }
}

/// Whether `accept` reports an error of a connection that has gone again, and not one of ours.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TimedOut
    )
}
