//! Bytes to and from the broker without waiting: TCP, TLS around it, WebSocket inside.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;

use mio::event::Source;
use mio::net::TcpStream;
use rustls::ClientConnection;

use super::websocket::WebSocketClient;

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// As many bytes; there may be more if `drained` is not set.
    Bytes {
        len: usize,
        drained: bool,
    },
    Nothing,
    End,
}

/// One connection to the broker.
pub(super) struct Channel {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    web_socket: Option<Box<WebSocketClient>>,
    /// Bytes that the socket, or TLS, has not taken yet.
    waiting: Vec<u8>,
    waiting_at: usize,
}

impl Channel {
    pub(super) fn new(
        socket: TcpStream,
        tls: Option<ClientConnection>,
        web_socket: Option<WebSocketClient>,
    ) -> Self {
        Self {
            socket,
            tls: tls.map(|mut tls| {
                tls.set_buffer_limit(None);
                Box::new(tls)
            }),
            web_socket: web_socket.map(Box::new),
            waiting: Vec::new(),
            waiting_at: 0,
        }
    }

    pub(super) fn source(&mut self) -> &mut impl Source {
        &mut self.socket
    }

    /// Whether the TCP connection stands; an error says why it never will.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether bytes wait for the socket to take them.
    pub(super) fn is_blocked(&self) -> bool {
        self.waiting_at < self.waiting.len()
            || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends bytes as they are, before any WebSocket is open.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        self.flush()
    }

    /// Takes all of `mqtt` and sends what the socket takes; the rest waits for [`Self::flush`].
    pub(super) fn send(&mut self, mqtt: &mut Vec<u8>) -> io::Result<()> {
        if let Some(web_socket) = &mut self.web_socket {
            web_socket.wrap(mqtt, &mut self.waiting);
        } else if self.tls.is_some() || self.is_blocked() {
            self.waiting.extend_from_slice(mqtt);
        } else {
            let sent = write_all_it_takes(&mut self.socket, mqtt)?;
            self.waiting.extend_from_slice(mqtt.get(sent..).unwrap_or_default());
            mqtt.clear();
            return Ok(());
        }
        mqtt.clear();
        self.flush()
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            if !self.waiting.is_empty() && !tls.is_handshaking() {
                tls.writer().write_all(&mem::take(&mut self.waiting))?;
            }
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            return Ok(());
        }
        let waiting = self.waiting.get(self.waiting_at..).unwrap_or_default();
        self.waiting_at += write_all_it_takes(&mut self.socket, waiting)?;
        if self.waiting_at == self.waiting.len() {
            self.waiting = Vec::new();
            self.waiting_at = 0;
        }
        Ok(())
    }

    /// Reads MQTT bytes into `into`.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<Received> {
        let received = match &mut self.tls {
            None => read_socket(&mut self.socket, into)?,
            Some(tls) => {
                let received = read_tls(tls, &mut self.socket, into)?;
                // The handshake may have an answer, and bytes may have waited for its end.
                self.flush()?;
                received
            }
        };
        let (Some(web_socket), Received::Bytes { len, drained }) = (&mut self.web_socket, received)
        else {
            return Ok(received);
        };
        let raw = into.get_mut(..len).unwrap_or_default();
        let mut answer = Vec::new();
        let len = match web_socket.unwrap(raw, &mut answer) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Received::End),
            Err(error) => return Err(error),
        };
        if !answer.is_empty() {
            self.send_raw(&answer)?;
        }
        Ok(Received::Bytes { len, drained })
    }

    /// Whether MQTT bytes may be sent; only a WebSocket has to wait for its handshake.
    pub(super) fn is_open(&self) -> bool {
        self.web_socket.as_ref().is_none_or(|web_socket| web_socket.is_open())
    }

    /// Tells the other side that nothing more comes.
    pub(super) fn finish(&mut self) {
        // The connection is given up: whether the other side hears of it changes nothing.
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.flush();
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Writes until all is written or the socket takes no more; says how much it took.
fn write_all_it_takes(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

fn read_socket(socket: &mut TcpStream, into: &mut [u8]) -> io::Result<Received> {
    loop {
        return match socket.read(into) {
            Ok(0) => Ok(Received::End),
            // What comes after a short read makes the socket ready anew.
            Ok(len) => Ok(Received::Bytes { len, drained: len < into.len() }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

fn read_tls(
    tls: &mut ClientConnection,
    socket: &mut TcpStream,
    into: &mut [u8],
) -> io::Result<Received> {
    loop {
        match tls.reader().read(into) {
            Ok(0) => return Ok(Received::End),
            Ok(len) => return Ok(Received::Bytes { len, drained: false }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Brokers may close TLS without saying so.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Received::End),
            Err(error) => return Err(error),
        }
        match tls.read_tls(socket) {
            Ok(0) => return Ok(Received::End),
            Ok(_) => {
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
