use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pintle_engine::{Connection, EndCause, Flow, Peer, Received};
use pintle_mqtt::Reader;
use pintle_ports::Link;
use tokio::net::TcpStream;
use tracing::debug;

use super::codec::{Codec, CodecState};
use super::connection::{Conn, Writer};
use super::desk::{Desk, READ_BUFFER_BYTES, at_desk, recycle, spare_buffer};
use super::listener::Arrival;
use super::signals::{Raised, Signal};

/// The one task of a Network Connection, on the worker that owns it.
///
/// Small, and without a buffer while nothing comes: 10 000 idle ones cost 10 000 times this.
pub(super) struct ConnTask {
    conn: Arc<Conn>,
    connection: Connection,
    /// The front of a packet that is not all there, or bytes kept while the engine waits.
    kept: Vec<u8>,
    codec: Option<Box<Codec>>,
    place: usize,
    discarded: u32,
    phase: Phase,
    is_ended: bool,
    is_connected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The engine waits for a hook.
    Waiting,
    /// The engine asked not to be given more for a while.
    Paused,
    /// Sending the last bytes, and reading only to see the peer close.
    Closing,
    /// As before, and the peer has closed its side.
    ClosingAlone,
}

/// Whether the task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
}

/// Reads in one turn; then others have theirs.
const READS_PER_TURN: usize = 4;

/// How long the last bytes may take to leave, and then the peer to close its side. It is given
/// that time so that it reads our reason before it sees a reset.
const CLOSING_MAX: Duration = Duration::from_secs(5);
const LINGER_MAX: Duration = Duration::from_secs(1);

/// What a peer may still send to a connection that is being closed.
const DISCARDED_BYTES_MAX: u32 = 64 * 1024;

/// From which length a packet is read into an allocation of its own.
const LONG_PACKET_BYTES: usize = READ_BUFFER_BYTES / 2;
const LONG_READ_BYTES_MIN: usize = 16 * 1024;

impl ConnTask {
    /// Takes a connection in on this worker.
    pub(super) fn new(arrival: Arrival<TcpStream>) -> io::Result<Self> {
        let Arrival { stream: io, seat, listener } = arrival;
        let codec = listener.codec()?;
        let peer = Peer { remote_addr: Some(seat.peer()), transport: listener.transport() };
        let conn = Arc::new(Conn::new(io, seat, codec.is_some()));
        let link: Arc<dyn Link> = Arc::clone(&conn) as Arc<dyn Link>;
        let place = at_desk(|desk| {
            conn.allow_silence(Some(listener.handshake_timeout), desk.now());
            desk.with_worker(|worker| {
                let counters = worker.engine().counters();
                counters.sockets_opened.fetch_add(1, Ordering::Relaxed);
                counters.sockets_open.fetch_add(1, Ordering::Relaxed);
            });
            desk.take_in(Arc::clone(&conn))
        });
        Ok(Self {
            connection: Connection::new(link, Arc::clone(&listener.terms), peer),
            conn,
            kept: Vec::new(),
            codec,
            place,
            discarded: 0,
            phase: Phase::Reading,
            is_ended: false,
            is_connected: false,
        })
    }

    fn turn(&mut self, desk: &Desk, task: &mut Context<'_>) -> Poll<()> {
        self.conn.adopt(task.waker());
        let raised = self.conn.signals().take();
        if raised.any() && self.heed(raised, desk) == Life::Over {
            return Poll::Ready(());
        }
        if self.conn.is_blocked() {
            self.conn.resume(self.codec.as_deref_mut(), task);
        }
        for _ in 0..READS_PER_TURN {
            let life = match self.phase {
                Phase::Reading => ready!(self.read(desk, task)),
                Phase::Waiting => ready!(self.wait(desk, task)),
                Phase::Paused => return Poll::Pending,
                Phase::Closing => ready!(self.linger(desk, task)),
                Phase::ClosingAlone if self.conn.has_ended() => Life::Over,
                Phase::ClosingAlone => return Poll::Pending,
            };
            if life == Life::Over {
                return Poll::Ready(());
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Acts on what others have told this task.
    fn heed(&mut self, raised: Raised, desk: &Desk) -> Life {
        if raised.has(Signal::Close) {
            self.close(EndCause::ClosedByBroker, desk);
        }
        if raised.has(Signal::Flush) {
            self.flush();
        }
        if raised.has(Signal::Room) && !self.is_ended {
            desk.with_worker(|worker| self.connection.on_room(worker));
        }
        if raised.has(Signal::Ended) && self.is_closing() {
            self.conn.allow_silence(Some(LINGER_MAX), desk.now());
        }
        if raised.has(Signal::Retry) && self.phase == Phase::Paused {
            self.phase = Phase::Reading;
            self.receive_kept(desk);
        }
        if raised.has(Signal::Silent) { self.heed_silence(desk) } else { Life::GoesOn }
    }

    fn heed_silence(&mut self, desk: &Desk) -> Life {
        if !self.conn.is_silent_too_long(desk.now()) {
            return Life::GoesOn;
        }
        match self.phase {
            Phase::Closing | Phase::ClosingAlone => return Life::Over,
            Phase::Reading | Phase::Waiting | Phase::Paused if !self.is_connected => {
                debug!(
                    listener = self.conn.listener(),
                    peer = %self.conn.peer(),
                    "Closing: no whole CONNECT in time."
                );
                self.close(EndCause::HandshakeTimeout, desk);
            }
            Phase::Reading => {
                desk.with_worker(|worker| self.connection.keep_alive_expired(worker));
                self.close(EndCause::ClosedByBroker, desk);
            }
            // It is we who do not listen.
            Phase::Waiting | Phase::Paused => self.conn.hear(desk.now()),
        }
        Life::GoesOn
    }

    fn read(&mut self, desk: &Desk, task: &mut Context<'_>) -> Poll<Life> {
        if ready!(self.conn.poll_readable(task)).is_err() {
            return Poll::Ready(self.end(EndCause::IoError, desk));
        }
        let outcome = if self.codec.is_some() {
            self.read_wrapped(desk)
        } else if is_long(&self.kept) || self.kept.len() > LONG_PACKET_BYTES {
            self.read_long(desk)
        } else {
            self.read_plain(desk)
        };
        Poll::Ready(match outcome {
            Ok(life) => life,
            Err(error) if is_transient(&error) => Life::GoesOn,
            Err(_) => self.end(EndCause::IoError, desk),
        })
    }

    /// Reads behind what was kept, in the worker's buffer.
    fn read_plain(&mut self, desk: &Desk) -> io::Result<Life> {
        let mut buffer = desk.read_buffer().borrow_mut();
        let (front, room) = buffer.split_at_mut(self.kept.len());
        front.copy_from_slice(&self.kept);
        let read = self.conn.read(room)?;
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
    fn read_wrapped(&mut self, desk: &Desk) -> io::Result<Life> {
        let Some(codec) = self.codec.as_deref_mut() else { return Ok(Life::GoesOn) };
        let mut buffer = desk.read_buffer().borrow_mut();
        let read = self.conn.read(&mut buffer)?;
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
            CodecState::Broken => self.close(EndCause::IoError, desk),
        }
        Ok(Life::GoesOn)
    }

    /// Gives the engine what was kept.
    fn receive_kept(&mut self, desk: &Desk) {
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
        let Some(Received { consumed, flow }) = received else {
            self.close(EndCause::ClosedByBroker, desk);
            return bytes.len();
        };
        if consumed > 0 && self.is_connected {
            self.conn.hear(desk.batch_time());
        }
        self.follow(flow, desk);
        consumed
    }

    fn follow(&mut self, flow: Flow, desk: &Desk) {
        if !self.is_connected && self.connection.is_connected() {
            self.is_connected = true;
            self.conn.allow_silence(self.connection.silence_max(), desk.batch_time());
        }
        match flow {
            Flow::Read => self.phase = Phase::Reading,
            Flow::Wait => self.phase = Phase::Waiting,
            Flow::Pause => {
                self.phase = Phase::Paused;
                desk.pause(Arc::clone(&self.conn));
            }
            Flow::Close => self.close(EndCause::ClosedByBroker, desk),
        }
    }

    fn wait(&mut self, desk: &Desk, task: &mut Context<'_>) -> Poll<Life> {
        let polled = desk.with_worker(|worker| self.connection.poll_wait(worker, task));
        let flow = ready!(polled.unwrap_or(Poll::Ready(Flow::Close)));
        self.follow(flow, desk);
        if self.phase == Phase::Reading {
            self.receive_kept(desk);
        }
        Poll::Ready(Life::GoesOn)
    }

    fn flush(&mut self) {
        self.conn.flush(Writer::Owner(self.codec.as_deref_mut()));
    }

    const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::ClosingAlone)
    }

    /// Begins to close: the engine is told now, the socket is given time for the last bytes.
    fn close(&mut self, cause: EndCause, desk: &Desk) {
        if self.is_closing() {
            return;
        }
        self.phase = Phase::Closing;
        self.kept = Vec::new();
        self.tell_end(cause, desk);
        // Counts only if the engine gave no last bytes.
        self.conn.close(Vec::new());
        self.conn.allow_silence(Some(CLOSING_MAX), desk.now());
        self.flush();
        if self.conn.has_ended() {
            self.conn.allow_silence(Some(LINGER_MAX), desk.now());
        }
    }

    /// Reads until the peer has closed, for a while and for some bytes.
    fn linger(&mut self, desk: &Desk, task: &mut Context<'_>) -> Poll<Life> {
        let is_readable = ready!(self.conn.poll_readable(task)).is_ok();
        let read = self.conn.read(&mut desk.read_buffer().borrow_mut());
        Poll::Ready(match read {
            _ if !is_readable => Life::Over,
            Ok(0) => {
                self.phase = Phase::ClosingAlone;
                Life::GoesOn
            }
            Ok(read) => {
                let read = u32::try_from(read).unwrap_or(u32::MAX);
                self.discarded = self.discarded.saturating_add(read);
                if self.discarded > DISCARDED_BYTES_MAX { Life::Over } else { Life::GoesOn }
            }
            Err(error) if is_transient(&error) => Life::GoesOn,
            Err(_) => Life::Over,
        })
    }

    /// The socket is done for. What waits is tried once more: the peer may have closed only its
    /// own side.
    fn end(&mut self, cause: EndCause, desk: &Desk) -> Life {
        self.flush();
        self.tell_end(cause, desk);
        Life::Over
    }

    fn tell_end(&mut self, cause: EndCause, desk: &Desk) {
        if !self.is_ended {
            self.is_ended = true;
            desk.with_worker(|worker| self.connection.end(worker, cause));
        }
    }
}

impl Future for ConnTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        at_desk(|desk| this.turn(desk, task))
    }
}

impl Drop for ConnTask {
    fn drop(&mut self) {
        at_desk(|desk| {
            self.tell_end(EndCause::ClosedByBroker, desk);
            desk.leave(self.place);
            desk.with_worker(|worker| {
                worker.engine().counters().sockets_open.fetch_sub(1, Ordering::Relaxed);
            });
        });
        // Beside ours, the engine's connection has one until the fields are dropped.
        if Arc::strong_count(&self.conn) > 2 {
            self.conn.shut();
        }
        debug!(listener = self.conn.listener(), peer = %self.conn.peer(), "Connection closed.");
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
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
