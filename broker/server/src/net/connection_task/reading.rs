use std::io;
use std::mem;
use std::task::{Context, Poll, ready};

use pintle_engine::{EndCause, Received};
use pintle_mqtt::Reader;
use tracing::debug;

use super::{ConnTask, Life};
use crate::net::codec::CodecState;
use crate::net::desk::{Desk, READ_BUFFER_BYTES, recycle, spare_buffer};
use crate::net::share::Brought;

/// From which length a packet is read into an allocation of its own.
const LONG_PACKET_BYTES: usize = READ_BUFFER_BYTES / 2;
const LONG_READ_BYTES_MIN: usize = 16 * 1024;

impl ConnTask {
    /// Reads once, if there is something; at most `bytes_max`, or a part of a long packet.
    pub(super) fn read(
        &mut self,
        bytes_max: usize,
        desk: &Desk,
        task: &mut Context<'_>,
    ) -> Poll<Life> {
        if ready!(self.conn.poll_readable(task)).is_err() {
            return Poll::Ready(self.end(EndCause::IoError, desk));
        }
        let outcome = if self.codec.is_some() {
            self.read_wrapped(bytes_max, desk)
        } else if is_long(&self.kept) || self.kept.len() > LONG_PACKET_BYTES {
            self.read_long(desk)
        } else {
            self.read_plain(bytes_max, desk)
        };
        Poll::Ready(match outcome {
            Ok(life) => life,
            Err(error) if is_transient(&error) => Life::GoesOn,
            Err(_) => self.end(EndCause::IoError, desk),
        })
    }

    /// Reads behind what was kept, in the worker's buffer.
    fn read_plain(&mut self, bytes_max: usize, desk: &Desk) -> io::Result<Life> {
        let mut buffer = desk.read_buffer().borrow_mut();
        let (front, room) = buffer.split_at_mut(self.kept.len());
        front.copy_from_slice(&self.kept);
        let read = self.conn.read(at_most(bytes_max, room))?;
        if read == 0 {
            drop(buffer);
            return Ok(self.end(EndCause::PeerClosed, desk));
        }
        let bytes = buffer.get(..self.kept.len() + read).unwrap_or_default();
        let consumed = self.receive(bytes, desk);
        self.keep(bytes.get(consumed..).unwrap_or_default());
        Ok(Life::GoesOn)
    }

    /// Reads a long packet straight into its own allocation, which grows with what arrives and not
    /// with what was announced.
    fn read_long(&mut self, desk: &Desk) -> io::Result<Life> {
        let len = self.kept.len();
        let lacking = packet_len(&self.kept)
            .and_then(|whole| whole.checked_sub(len))
            .filter(|lacking| *lacking > 0)
            .unwrap_or(READ_BUFFER_BYTES);
        if self.kept.capacity() - len < lacking.min(LONG_READ_BYTES_MIN) {
            self.kept.reserve_exact(lacking.min(len.max(READ_BUFFER_BYTES)));
        }
        if self.conn.read_onto(&mut self.kept)? == 0 {
            return Ok(self.end(EndCause::PeerClosed, desk));
        }
        self.receive_kept(desk);
        Ok(Life::GoesOn)
    }

    /// Reads through the codec.
    fn read_wrapped(&mut self, bytes_max: usize, desk: &Desk) -> io::Result<Life> {
        let Some(codec) = self.codec.as_deref_mut() else { return Ok(Life::GoesOn) };
        let mut buffer = desk.read_buffer().borrow_mut();
        let read = self.conn.read(at_most(bytes_max, &mut buffer))?;
        if read == 0 {
            drop(buffer);
            return Ok(self.end(EndCause::PeerClosed, desk));
        }
        if self.kept.capacity() == 0 {
            self.kept = spare_buffer();
        }
        let mut wire = Vec::new();
        let bytes = buffer.get_mut(..read).unwrap_or_default();
        let state = codec.decode(bytes, &mut self.kept, &mut wire);
        drop(buffer);
        if !wire.is_empty() && !self.conn.flush_wire(wire, codec) {
            return Ok(self.end(EndCause::IoError, desk));
        }
        self.receive_kept(desk);
        match state {
            CodecState::Open => {}
            CodecState::Closed => self.close(EndCause::PeerClosed, desk),
            CodecState::Broken(violation) => {
                let (listener, peer) = (self.conn.listener(), self.conn.peer());
                debug!(listener, %peer, %violation, "Closing: the peer broke a rule.");
                self.close(EndCause::IoError, desk);
            }
        }
        Ok(Life::GoesOn)
    }

    /// Gives the engine what was kept.
    pub(super) fn receive_kept(&mut self, desk: &Desk) {
        if self.kept.is_empty() {
            recycle(mem::take(&mut self.kept));
            return;
        }
        let mut bytes = mem::take(&mut self.kept);
        let consumed = self.receive(&bytes, desk);
        let rest = bytes.get(consumed..).unwrap_or_default();
        let is_worth_its_allocation = rest.len() >= bytes.capacity() / 2 || is_long(rest);
        if is_worth_its_allocation && !self.is_closing() {
            bytes.drain(..consumed);
            self.kept = bytes;
        } else {
            self.keep(rest);
            recycle(bytes);
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() || self.is_closing() {
            self.kept = Vec::new();
        } else {
            self.kept.clear();
            self.kept.extend_from_slice(rest);
        }
    }

    /// Gives the engine `bytes`; returns how many it is done with.
    fn receive(&mut self, bytes: &[u8], desk: &Desk) -> usize {
        let received = desk.with_worker(|worker| self.connection.receive(worker, bytes));
        let Some(Received { consumed, flow, only_acks }) = received else {
            self.close(EndCause::ClosedByBroker, desk);
            return bytes.len();
        };
        if consumed > 0 && self.is_connected {
            self.conn.hear(desk.batch_time());
        }
        self.brought = Brought::by(packet_len(bytes), only_acks);
        self.follow(flow, desk);
        desk.count_read(consumed);
        consumed
    }
}

pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn at_most(bytes_max: usize, room: &mut [u8]) -> &mut [u8] {
    let len = room.len().min(bytes_max);
    room.get_mut(..len).unwrap_or_default()
}

fn is_long(bytes: &[u8]) -> bool {
    packet_len(bytes).is_some_and(|len| len > LONG_PACKET_BYTES)
}

/// The length of the packet that begins with `bytes`, once its Fixed Header is there.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    reader.u8().ok()?;
    let remaining = reader.variable_byte_integer().ok()?;
    Some(bytes.len() - reader.rest().len() + remaining as usize)
}
