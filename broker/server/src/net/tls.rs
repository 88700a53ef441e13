use std::io::{BufRead, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

/// One side of a TLS connection over memory: socket bytes in, plain bytes out, and back.
pub(super) struct Tls {
    connection: ServerConnection,
    is_finished: bool,
}

/// How far the peer's side of the stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsState {
    Open,
    /// The peer has sent its `close_notify`.
    Closed,
}

/// Plain bytes that rustls may keep while the handshake is not over.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Tls {
    pub(super) fn new(config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = ServerConnection::new(Arc::clone(config))?;
        connection.set_buffer_limit(Some(KEPT_BYTES_MAX));
        Ok(Self { connection, is_finished: false })
    }

    /// Decrypts `bytes` onto `plain`. What TLS itself has to answer goes onto `wire`, also if this
    /// ends in an error, of which the peer is told there.
    pub(super) fn open(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<TlsState, rustls::Error> {
        let outcome = self.read_all(&mut bytes, plain);
        self.drain_into(wire);
        outcome
    }

    fn read_all(
        &mut self,
        bytes: &mut &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<TlsState, rustls::Error> {
        while !bytes.is_empty() {
            // Zero bytes are taken once the peer has closed its side.
            match self.connection.read_tls(bytes) {
                Ok(0) => return Ok(TlsState::Closed),
                Ok(_) => {}
                Err(error) => return Err(rustls::Error::General(error.to_string())),
            }
            let state = self.connection.process_new_packets()?;
            self.read_plain(state.plaintext_bytes_to_read(), plain);
            if state.peer_has_closed() {
                return Ok(TlsState::Closed);
            }
        }
        Ok(TlsState::Open)
    }

    fn read_plain(&mut self, mut waiting: usize, plain: &mut Vec<u8>) {
        let mut reader = self.connection.reader();
        while waiting > 0 {
            let taken = match reader.fill_buf() {
                Ok([]) | Err(_) => return,
                Ok(chunk) => {
                    plain.extend_from_slice(chunk);
                    chunk.len()
                }
            };
            reader.consume(taken);
            waiting = waiting.saturating_sub(taken);
        }
    }

    /// Encrypts `plain` onto `wire`.
    pub(super) fn seal(&mut self, mut plain: &[u8], wire: &mut Vec<u8>) {
        while !plain.is_empty() {
            let taken = self.connection.writer().write(plain).unwrap_or(0);
            let made = self.drain_into(wire);
            let Some(rest) = plain.get(taken..).filter(|_| taken > 0 || made) else { return };
            plain = rest;
        }
    }

    /// Puts our `close_notify` onto `wire`, once.
    pub(super) fn finish(&mut self, wire: &mut Vec<u8>) {
        if !self.is_finished {
            self.is_finished = true;
            self.connection.send_close_notify();
            self.drain_into(wire);
        }
    }

    /// Moves what TLS has to send onto `wire`; whether there was any.
    fn drain_into(&mut self, wire: &mut Vec<u8>) -> bool {
        let before = wire.len();
        while self.connection.wants_write() {
            // Memory takes all there is, so nothing written means nothing left.
            if self.connection.write_tls(wire).unwrap_or(0) == 0 {
                break;
            }
        }
        wire.len() > before
    }
}
