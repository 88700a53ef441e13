mod reading;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pintle_engine::{Connection, EndCause, Flow, Peer};
use pintle_ports::Link;
use tokio::net::TcpStream;
use tracing::debug;

use self::reading::is_transient;
use super::codec::Codec;
use super::connection::{Conn, Writer};
use super::desk::{Desk, at_desk};
use super::listener::Arrival;
use super::share::Brought;
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
    brought: Brought,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The engine waits for a hook.
    Waiting,
    /// The engine asked not to be given more for a while.
    Paused,
    /// The engine asked not to be given more in this turn.
    Yielding,
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

/// How long the last bytes may take to leave, and then the peer to close its side. It is given
/// that time so that it reads our reason before it sees a reset.
const CLOSING_MAX: Duration = Duration::from_secs(5);
const LINGER_MAX: Duration = Duration::from_secs(1);

/// What a peer may still send to a connection that is being closed.
const DISCARDED_BYTES_MAX: u32 = 64 * 1024;

impl ConnTask {
    /// Takes a connection in on this worker.
    pub(super) fn new(arrival: Arrival<TcpStream>) -> io::Result<Self> {
        let Arrival { stream: io, permit, listener } = arrival;
        let codec = listener.codec()?;
        let peer = Peer { remote_addr: Some(permit.peer()), transport: listener.transport() };
        let conn = Arc::new(Conn::new(io, permit, codec.is_some()));
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
            brought: Brought::Others,
        })
    }

    fn turn(&mut self, desk: &Desk, task: &mut Context<'_>) -> Poll<()> {
        self.conn.adopt(task.waker());
        let raised = self.conn.signals().take();
        if raised.any() && self.heed(raised, desk) == Life::Over {
            return Poll::Ready(());
        }
        if self.conn.is_blocked() {
            self.resume(desk, task);
        }
        let share = desk.share_of(self.place);
        let mut reads_left = share.reads;
        for _ in 0..share.reads_with_acks {
            let life = match self.phase {
                Phase::Reading => ready!(self.read(share.bytes_after(self.brought), desk, task)),
                Phase::Waiting => ready!(self.wait(desk, task)),
                Phase::Paused => return Poll::Pending,
                Phase::Yielding => {
                    self.go_on(desk);
                    Life::GoesOn
                }
                Phase::Closing => ready!(self.linger(desk, task)),
                Phase::ClosingAlone if self.conn.has_ended() => Life::Over,
                Phase::ClosingAlone => return Poll::Pending,
            };
            if life == Life::Over {
                return Poll::Ready(());
            }
            if self.brought == Brought::OnlyAcks {
                self.brought = Brought::Others;
            } else {
                reads_left -= 1;
            }
            if reads_left == 0 {
                break;
            }
        }
        if self.phase == Phase::Reading {
            // Only who has more to read comes again; an error shows itself there.
            let _ = ready!(self.conn.poll_readable(task));
        }
        desk.go_on_later(share.bytes_after(self.brought), task);
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
        } else if raised.has(Signal::Ended) && self.phase == Phase::Paused {
            // What the engine may be waiting for to leave will never leave.
            return self.end(EndCause::IoError, desk);
        }
        if raised.has(Signal::Retry) && self.phase == Phase::Paused {
            self.go_on(desk);
        }
        if raised.has(Signal::Silent) { self.heed_silence(desk) } else { Life::GoesOn }
    }

    fn heed_silence(&mut self, desk: &Desk) -> Life {
        if !self.conn.is_silent_too_long(desk.now()) {
            return Life::GoesOn;
        }
        match self.phase {
            Phase::Closing | Phase::ClosingAlone => return Life::Over,
            Phase::Reading | Phase::Waiting | Phase::Paused | Phase::Yielding
                if !self.is_connected =>
            {
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
            Phase::Waiting | Phase::Paused | Phase::Yielding => self.conn.hear(desk.now()),
        }
        Life::GoesOn
    }

    fn follow(&mut self, flow: Flow, desk: &Desk) {
        if !self.is_connected && self.connection.is_connected() {
            self.is_connected = true;
            self.conn.allow_silence(self.connection.silence_max(), desk.batch_time());
        }
        match flow {
            Flow::Read => self.phase = Phase::Reading,
            Flow::Wait => self.phase = Phase::Waiting,
            Flow::Yield => self.phase = Phase::Yielding,
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

    /// Sends on if the socket takes more, and ends a pause that may have been for that.
    fn resume(&mut self, desk: &Desk, task: &mut Context<'_>) {
        self.conn.resume(self.codec.as_deref_mut(), task);
        if self.phase == Phase::Paused && !self.conn.is_blocked() {
            self.go_on(desk);
        }
    }

    /// Gives the engine what it did not want before.
    fn go_on(&mut self, desk: &Desk) {
        self.phase = Phase::Reading;
        self.receive_kept(desk);
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
