//! `pintle bench relay`: what a broker costs that knows nothing but where bytes have to go.
//!
//! It takes CONNECT, SUBSCRIBE to exact topics and to a trailing `#`, and PUBLISH of QoS 0 and 1,
//! of MQTT 3.1.1 and of 5.0 without properties. It has no sessions, no retained messages, no
//! users; frames are copied as they came. Nothing is sent before the end of a turn, and then to
//! a bounded number of receivers before sockets are asked again, so that sends carry what gathers.

mod peer;
mod routes;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use peer::{Fate, Peer};
use routes::Routes;

use super::open_files;

const LISTENER: Token = Token(usize::MAX);
#[cfg(test)]
const STOP: Token = Token(usize::MAX - 1);
const READ_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
/// After sending for so many receivers, sockets are asked again.
const RECEIVERS_PER_TURN: usize = 64;

/// Listens, says where, and relays until it is killed.
pub(super) fn run(bind: SocketAddr) -> Result<()> {
    let open_files_max = open_files::raise();
    let mut relay = Relay::bind(bind)?;
    let address = relay.address()?;
    writeln!(io::stdout(), "relay: listening on {address}, {open_files_max} open files allowed")?;
    loop {
        relay.turn()?;
    }
}

/// A relay and all its connections.
pub(super) struct Relay {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    peers: Peers,
    routes: Routes,
    buffer: Vec<u8>,
}

/// Connections by number, and those that have something to send.
pub(super) struct Peers {
    places: Vec<Option<Peer>>,
    free: Vec<usize>,
    to_send: VecDeque<usize>,
}

impl Relay {
    pub(super) fn bind(address: SocketAddr) -> Result<Self> {
        let mut listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listener,
            peers: Peers { places: Vec::new(), free: Vec::new(), to_send: VecDeque::new() },
            routes: Routes::default(),
            buffer: vec![0; READ_BYTES],
        })
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Lets another thread stop [`Self::turn`].
    #[cfg(test)]
    pub(super) fn waker(&self) -> Result<mio::Waker> {
        Ok(mio::Waker::new(self.poll.registry(), STOP)?)
    }

    /// Handles what the sockets bring, then sends for some receivers; false if it is to stop.
    pub(super) fn turn(&mut self) -> Result<bool> {
        let timeout = (!self.peers.to_send.is_empty()).then_some(Duration::ZERO);
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error).context("cannot wait for the connections"),
        }
        for event in self.events.iter() {
            match event.token() {
                LISTENER => self.peers.accept(&self.listener, &self.poll)?,
                #[cfg(test)]
                STOP => return Ok(false),
                Token(number) => {
                    if event.is_writable() {
                        self.peers.send(number, &mut self.routes);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        let is_last = event.is_read_closed();
                        self.peers.read(number, is_last, &mut self.buffer, &mut self.routes);
                    }
                }
            }
        }
        for _ in 0..RECEIVERS_PER_TURN {
            let Some(number) = self.peers.to_send.pop_front() else { break };
            self.peers.send(number, &mut self.routes);
        }
        Ok(true)
    }
}

impl Peers {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<()> {
        loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("cannot accept a connection"),
            };
            // It only costs latency if it fails.
            let _ = socket.set_nodelay(true);
            let number = self.free.pop().unwrap_or_else(|| {
                self.places.push(None);
                self.places.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(number), interest)?;
            if let Some(place) = self.places.get_mut(number) {
                *place = Some(Peer::new(socket));
            }
        }
    }

    /// Reads until a read is short, or to the end if nothing will tell that there is more.
    fn read(&mut self, number: usize, is_last: bool, buffer: &mut Vec<u8>, routes: &mut Routes) {
        let mut fate = Fate::Drained;
        while let Some(mut peer) = self.places.get_mut(number).and_then(Option::take) {
            let (bytes, after) = peer.fill(buffer, is_last);
            fate = if peer.handle(number, bytes, self, routes) { after } else { Fate::Over };
            if let Some(place) = self.places.get_mut(number) {
                *place = Some(peer);
            }
            if fate != Fate::MoreToRead {
                break;
            }
        }
        if fate == Fate::Over {
            self.close(number, routes);
        }
    }

    fn send(&mut self, number: usize, routes: &mut Routes) {
        if let Some(Some(peer)) = self.places.get_mut(number)
            && peer.send().is_err()
        {
            self.close(number, routes);
        }
    }

    /// The connection that may be sent to, and its place in the queue of those to send for.
    #[inline]
    fn with_peer(&mut self, number: usize, append: impl FnOnce(&mut Peer)) {
        if let Some(Some(peer)) = self.places.get_mut(number) {
            append(peer);
            if peer.enqueue() {
                self.to_send.push_back(number);
            }
        }
    }

    fn close(&mut self, number: usize, routes: &mut Routes) {
        if let Some(peer) = self.places.get_mut(number).and_then(Option::take) {
            if peer.has_subscribed() {
                routes.remove(number);
            }
            self.free.push(number);
        }
    }
}
