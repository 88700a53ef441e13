//! All connections of a run, on one thread: opening, reading, ending.

use std::io::ErrorKind;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use pintle_mqtt::{Frame, ProtocolVersion};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::alarm::Alarm;
use super::channel::Channel;
use super::link::{Client, Link};
use super::websocket::WebSocketClient;

/// Bytes read at once, if no packet is larger.
const READ_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
/// How many connections are being opened at a time.
const OPENING_MAX: usize = 64;
/// What rings the alarm; no connection has this number.
const ALARM: Token = Token(usize::MAX);
/// How long opening connections may stand still.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// The broker, and how to reach it.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The name that TLS and WebSocket ask for.
    pub(super) host: String,
    pub(super) version: ProtocolVersion,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The path, if MQTT runs over a WebSocket.
    pub(super) web_socket: Option<String>,
}

/// Hears what comes over connections that are ready.
pub(super) trait Handler {
    /// Packets follow that were read at this time of the fleet's clock.
    fn begin_batch(&mut self, now_ns: u64);

    /// A PUBLISH or an acknowledgement of one; what it is answered with goes onto `answers`.
    ///
    /// # Errors
    /// What makes going on pointless.
    fn packet(&mut self, link: usize, frame: &Frame<'_>, answers: &mut Vec<u8>) -> Result<()>;
}

/// Hears nothing; for scenarios without messages.
pub(super) struct Deaf;

impl Handler for Deaf {
    fn begin_batch(&mut self, _now_ns: u64) {}

    fn packet(&mut self, _: usize, _: &Frame<'_>, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// CONNACK and all SUBACKs have come.
    Ready,
    /// A PINGRESP has come.
    Answered,
    /// It is over, as it was to be.
    Ended,
}

/// Connections to one broker, numbered from 0.
pub(super) struct Fleet {
    poll: Poll,
    alarm: Option<Alarm>,
    events: Events,
    links: Vec<Link>,
    buffer: Vec<u8>,
    target: Target,
    epoch: Instant,
    changes: Vec<(usize, Change)>,
}

impl Fleet {
    /// Without connections yet; `payload_bytes` is that of the largest message.
    pub(super) fn new(target: Target, payload_bytes: usize) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("cannot make an event queue")?,
            alarm: None,
            events: Events::with_capacity(EVENTS_MAX),
            links: Vec::new(),
            buffer: vec![0; READ_BYTES + 4 * payload_bytes],
            target,
            epoch: Instant::now(),
            changes: Vec::new(),
        })
    }

    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// From now on [`Fleet::set_alarm`] ends waits, if the system has exact alarms.
    pub(super) fn add_alarm(&mut self) {
        self.alarm = Alarm::new(self.poll.registry(), ALARM).ok();
    }

    /// Lets the next wait end in `time`; false if there is no alarm.
    pub(super) fn set_alarm(&self, time: Duration) -> bool {
        self.alarm.as_ref().is_some_and(|alarm| alarm.set(time).is_ok())
    }

    /// Nanoseconds since the fleet was made.
    pub(super) fn now_ns(&self) -> u64 {
        nanos_since(self.epoch)
    }

    pub(super) fn link_mut(&mut self, link: usize) -> Option<&mut Link> {
        self.links.get_mut(link)
    }

    pub(super) const fn link_count(&self) -> usize {
        self.links.len()
    }

    /// Says goodbye without waiting for an answer.
    pub(super) fn leave_all(&mut self) {
        for link in &mut self.links {
            // The broker may be gone already.
            let _ = link.leave();
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn take_changes(&mut self, into: &mut Vec<(usize, Change)>) {
        into.clear();
        mem::swap(into, &mut self.changes);
    }

    /// Begins a connection and says its number.
    pub(super) fn add(&mut self, client: Client) -> Result<usize> {
        let id = self.links.len();
        let link = self.begin(id, client)?;
        self.links.push(link);
        Ok(id)
    }

    /// Begins a new connection in the place of one that is over.
    pub(super) fn replace(&mut self, id: usize, client: Client) -> Result<()> {
        let link = self.begin(id, client)?;
        if let Some(place) = self.links.get_mut(id) {
            *place = link;
        }
        Ok(())
    }

    fn begin(&self, id: usize, client: Client) -> Result<Link> {
        let target = &self.target;
        let socket = TcpStream::connect(target.address).map_err(|error| self.unreachable(error))?;
        // It only costs latency if it fails.
        let _ = socket.set_nodelay(true);
        let tls = target.tls.as_ref().map(|config| {
            let name = ServerName::try_from(target.host.clone())
                .with_context(|| format!("TLS cannot ask for the host name {}", target.host))?;
            ClientConnection::new(Arc::clone(config), name).context("cannot begin TLS")
        });
        let web_socket = target.web_socket.as_ref().map(|_| WebSocketClient::new());
        let request =
            web_socket.as_ref().zip(target.web_socket.as_ref()).map(|(web_socket, path)| {
                web_socket.request(&format!("{}:{}", target.host, target.address.port()), path)
            });
        let mut channel = Channel::new(socket, tls.transpose()?, web_socket);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(channel.source(), Token(id), interest)?;
        Ok(Link::new(channel, client, target, request))
    }

    fn unreachable(&self, error: std::io::Error) -> anyhow::Error {
        unreachable(self.target.address, error)
    }

    /// Opens connections, not too many at a time, until all are ready; returns their numbers.
    pub(super) fn open_all(
        &mut self,
        clients: impl IntoIterator<Item = Client>,
        handler: &mut impl Handler,
    ) -> Result<Vec<usize>> {
        let mut clients = clients.into_iter();
        let (mut opened, mut opening, mut changes) = (Vec::new(), 0, Vec::new());
        let mut last_change = Instant::now();
        loop {
            while opening < OPENING_MAX
                && let Some(client) = clients.next()
            {
                opened.push(self.add(client)?);
                opening += 1;
            }
            if opening == 0 {
                return Ok(opened);
            }
            self.turn(Some(Duration::from_millis(100)), handler)?;
            self.take_changes(&mut changes);
            let ready = changes.iter().filter(|(_, change)| *change == Change::Ready).count();
            opening -= ready.min(opening);
            if ready > 0 {
                last_change = Instant::now();
            } else if last_change.elapsed() > OPENING_TIMEOUT {
                bail!(
                    "the broker does not answer: {opening} connections wait for it to let them in"
                );
            }
        }
    }

    /// Sends PINGREQ over `links` and waits until all are answered, so that the broker has read
    /// all that was sent before.
    pub(super) fn ping(&mut self, links: &[usize], handler: &mut impl Handler) -> Result<()> {
        for link in links {
            if let Some(link) = self.links.get_mut(*link) {
                link.ping()?;
            }
        }
        self.wait_for(Change::Answered, links.len(), "answer PINGREQ", handler)
    }

    /// Sends DISCONNECT over `links` and waits until the broker has closed them.
    pub(super) fn end(&mut self, links: &[usize], handler: &mut impl Handler) -> Result<()> {
        for link in links {
            if let Some(link) = self.links.get_mut(*link) {
                link.leave()?;
            }
        }
        self.wait_for(Change::Ended, links.len(), "close connections after DISCONNECT", handler)
    }

    fn wait_for(
        &mut self,
        awaited: Change,
        mut left: usize,
        what: &str,
        handler: &mut impl Handler,
    ) -> Result<()> {
        let mut changes = Vec::new();
        let mut last_change = Instant::now();
        while left > 0 {
            self.turn(Some(Duration::from_millis(100)), handler)?;
            self.take_changes(&mut changes);
            let came = changes.iter().filter(|(_, change)| *change == awaited).count();
            left = left.saturating_sub(came);
            if came > 0 {
                last_change = Instant::now();
            } else if last_change.elapsed() > OPENING_TIMEOUT {
                bail!("the broker does not {what}; {left} wait");
            }
        }
        Ok(())
    }

    /// Waits for the sockets, at most for `timeout`, and handles what they bring.
    pub(super) fn turn(
        &mut self,
        timeout: Option<Duration>,
        handler: &mut impl Handler,
    ) -> Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error).context("cannot wait for the connections"),
        }
        let Self { events, links, buffer, target, epoch, changes, .. } = self;
        for event in events.iter() {
            let id = event.token().0;
            let Some(link) = links.get_mut(id) else { continue };
            if event.is_writable() || event.is_error() {
                link.writable().map_err(|error| unreachable(target.address, error))?;
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let now_ns = || nanos_since(*epoch);
                link.read(id, buffer, event.is_read_closed(), now_ns, handler, changes)?;
            }
        }
        Ok(())
    }
}

fn nanos_since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn unreachable(address: SocketAddr, error: std::io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        ErrorKind::ConnectionRefused => "; is a broker running there?",
        ErrorKind::AddrNotAvailable => "; no local port is free",
        _ => "",
    };
    let context = format!("cannot connect to {address}{hint}");
    anyhow::Error::new(error).context(context)
}
