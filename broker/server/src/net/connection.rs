use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use pintle_ports::{Epoch, Link, Outbox, Taken};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::clock::CoarseTime;
use super::codec::Codec;
use super::desk;
use super::limits::Permit;
use super::outgoing::{Begun, Outgoing, Step};
use super::signals::{Signal, Signals};

/// One Network Connection as every thread may see it: the socket and what goes out on it.
///
/// It owns the socket, so that its descriptor cannot be used again while anyone may still send.
/// Plain TCP is written by whoever has bytes; with TLS or WebSocket only the owner task writes,
/// since it has the codec. An idle connection holds no buffer.
pub(super) struct Conn {
    io: TcpStream,
    owner: OnceLock<Waker>,
    outbox: OnceLock<Arc<dyn Outbox>>,
    /// That of `outbox`, and set before it.
    epoch: AtomicU32,
    out: Mutex<Outgoing>,
    signals: Signals,
    /// Follows `out`, so that the owner need not lock to know.
    blocked: AtomicBool,
    only_owner_writes: bool,
    heard_at: AtomicU32,
    silence_millis_max: AtomicU32,
    permit: Permit,
}

/// Who writes, and with what.
pub(super) enum Writer<'a> {
    /// Any thread, on plain TCP.
    Anyone,
    /// The owner task. It can wait for the socket, and has the codec if there is one.
    Owner(Option<&'a mut Codec>),
}

/// Why a writer stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    All,
    /// The first `n` bytes; the socket takes no more.
    Only(usize),
    Broken,
}

/// A broken socket is an error here and no signal, as it is with the standard library's sockets.
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: i32 = 0;
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;

impl Conn {
    pub(super) fn new(io: TcpStream, permit: Permit, only_owner_writes: bool) -> Self {
        Self {
            io,
            owner: OnceLock::new(),
            outbox: OnceLock::new(),
            epoch: AtomicU32::new(0),
            out: Mutex::default(),
            signals: Signals::default(),
            blocked: AtomicBool::new(false),
            only_owner_writes,
            heard_at: AtomicU32::new(0),
            silence_millis_max: AtomicU32::new(0),
            permit,
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.permit.peer()
    }

    pub(super) fn listener(&self) -> &str {
        self.permit.listener()
    }

    /// Makes the task that `waker` wakes the owner; the first call counts.
    ///
    /// A signal from before finds no one to wake. The fences order it against the owner's look at
    /// the signals, so that one of the two sides sees the other.
    pub(super) fn adopt(&self, waker: &Waker) {
        if self.owner.get().is_none() {
            self.owner.get_or_init(|| waker.clone());
            fence(Ordering::SeqCst);
        }
    }

    /// Tells the owner task something, from any thread.
    pub(super) fn signal(&self, signal: Signal) {
        self.signals.raise(signal);
        fence(Ordering::SeqCst);
        if let Some(owner) = self.owner.get() {
            owner.wake_by_ref();
        }
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// From now on the peer may be silent for `max`, counted from `now`; `None` is for ever.
    pub(super) fn allow_silence(&self, max: Option<Duration>, now: CoarseTime) {
        let millis = max.map_or(0, |max| u32::try_from(max.as_millis()).unwrap_or(u32::MAX).max(1));
        self.silence_millis_max.store(millis, Ordering::Relaxed);
        self.hear(now);
    }

    /// The peer has said something.
    pub(super) fn hear(&self, now: CoarseTime) {
        self.heard_at.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn is_silent_too_long(&self, now: CoarseTime) -> bool {
        let max = self.silence_millis_max.load(Ordering::Relaxed);
        let heard_at = CoarseTime(self.heard_at.load(Ordering::Relaxed));
        max != 0 && now.millis_since(heard_at) >= max
    }

    pub(super) fn poll_readable(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(task)
    }

    /// Reads into `buffer`; 0 is the end of the stream.
    ///
    /// A short read has drained the socket, and says so to the driver in the same breath, which
    /// spares the `recv` that would only say `EAGAIN`. A second `try_io` for that would lose what
    /// arrived in between.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut got = None;
        let outcome = self.io.try_io(Interest::READABLE, || {
            let n = (&*SockRef::from(&self.io)).read(buffer)?;
            got = Some(n);
            if 0 < n && n < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (got, outcome) {
            (Some(n), _) => Ok(n),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads behind what is in `buffer`, into its spare capacity.
    pub(super) fn read_onto(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.io.try_read_buf(buffer)
    }

    /// Whether the socket took less than there was to send.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Whether the stream out is ended or broken.
    pub(super) fn has_ended(&self) -> bool {
        self.out.lock().has_ended()
    }

    /// Ends the stream both ways, though references to this connection may live on.
    pub(super) fn shut(&self) {
        self.end(Shutdown::Both);
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn flush(&self, writer: Writer<'_>) {
        let step = self.out.lock().begin();
        if let Some(step) = step {
            self.write(step, writer);
        }
    }

    /// Sends socket bytes that the codec made; false if the peer has not taken too many of them.
    pub(super) fn flush_wire(&self, wire: Vec<u8>, codec: &mut Codec) -> bool {
        let begun = self.out.lock().begin_with(wire);
        match begun {
            Begun::Yes(step) => self.write(step, Writer::Owner(Some(codec))),
            Begun::Kept => {}
            Begun::TooMuch => return false,
        }
        true
    }

    /// Waits in the owner task until the socket takes more, and sends on.
    pub(super) fn resume(&self, mut codec: Option<&mut Codec>, task: &mut Context<'_>) {
        while self.is_blocked() {
            match self.io.poll_write_ready(task) {
                Poll::Pending => return,
                // An error shows itself again when the rest is sent.
                Poll::Ready(Ok(()) | Err(_)) => {}
            }
            let step = {
                let mut out = self.out.lock();
                self.blocked.store(false, Ordering::Release);
                out.resume()
            };
            if let Some(step) = step {
                self.write(step, Writer::Owner(codec.as_deref_mut()));
            }
        }
    }

    /// The one writer's loop: see [`Outgoing`] for why there is one, and why it misses nothing.
    fn write(&self, mut step: Step, mut writer: Writer<'_>) {
        let mut more_waits = false;
        loop {
            let (wire, from) = match step {
                Step::Wire(wire, from) => (wire, from),
                Step::Mqtt(bytes) => (writer.encode(bytes), 0),
                Step::Take => (writer.encode(self.take(&mut more_waits)), 0),
                Step::Finish => match writer.last_words() {
                    Some(wire) => (wire, 0),
                    None => return self.finish(),
                },
                Step::Idle => break,
            };
            match self.send(&wire, from, &writer) {
                Sent::All => desk::recycle(wire),
                Sent::Only(sent) => return self.block(wire, sent, more_waits),
                Sent::Broken => return self.fail(),
            }
            let mut out = self.out.lock();
            more_waits |= out.take_more_waits();
            step = out.next();
        }
        if more_waits {
            self.signal(Signal::Room);
        }
    }

    /// Moves what waits in the outbox out of it, which is left without a buffer.
    fn take(&self, more_waits: &mut bool) -> Vec<u8> {
        let Some(outbox) = self.outbox.get() else { return Vec::new() };
        let mut bytes = Vec::new();
        let taken = outbox.take(Epoch(self.epoch.load(Ordering::Relaxed)), &mut bytes);
        *more_waits |= taken == Taken::BytesAndMoreWaits;
        bytes
    }

    fn send(&self, wire: &[u8], from: usize, writer: &Writer<'_>) -> Sent {
        let mut sent = from;
        while let Some(bytes) = wire.get(sent..).filter(|bytes| !bytes.is_empty()) {
            let outcome = match (self.send_some(bytes), writer) {
                // Once more through the driver, which then knows that the owner has to wait.
                (Err(error), Writer::Owner(_)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.io.try_io(Interest::WRITABLE, || self.send_some(bytes))
                }
                (outcome, _) => outcome,
            };
            match outcome {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Only(sent),
                Err(_) => return Sent::Broken,
            }
        }
        Sent::All
    }

    fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&self.io).send_with_flags(bytes, SEND_FLAGS)
    }

    fn block(&self, wire: Vec<u8>, sent: usize, more_waits: bool) {
        {
            let mut out = self.out.lock();
            out.block(wire, sent, more_waits);
            self.blocked.store(true, Ordering::Release);
        }
        self.signal(Signal::Look);
    }

    /// Tells the peer that no more comes. What it still sends is for the owner to read.
    fn finish(&self) {
        self.end(Shutdown::Write);
    }

    /// The socket is broken, but what the peer sent before may still be read, up to its end: a
    /// DISCONNECT among it decides about the will.
    fn fail(&self) {
        self.end(Shutdown::Both);
    }

    fn end(&self, how: Shutdown) {
        // The peer may be gone already; then there is nothing left to tell it.
        let _ = SockRef::from(&self.io).shutdown(how);
        self.out.lock().end();
        self.signal(Signal::Ended);
    }
}

impl Writer<'_> {
    fn encode(&mut self, mqtt: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Owner(Some(codec)) if !mqtt.is_empty() => {
                let mut wire = desk::spare_buffer();
                codec.encode(&mqtt, &mut wire);
                desk::recycle(mqtt);
                wire
            }
            Self::Owner(_) | Self::Anyone => mqtt,
        }
    }

    /// What ends the streams inside the socket's, once.
    fn last_words(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Owner(Some(codec)) => {
                let mut wire = Vec::new();
                codec.finish(&mut wire);
                (!wire.is_empty()).then_some(wire)
            }
            Self::Owner(None) | Self::Anyone => None,
        }
    }
}

impl Link for Conn {
    fn send(&self, bytes: &[u8]) {
        self.out.lock().give(bytes);
        self.signal(Signal::Flush);
    }

    fn attach(&self, outbox: Arc<dyn Outbox>, epoch: Epoch) {
        // A connection has one session, so the first is the only one.
        self.outbox.get_or_init(|| {
            self.epoch.store(epoch.0, Ordering::Relaxed);
            outbox
        });
    }

    fn ready(self: Arc<Self>) {
        if self.only_owner_writes {
            self.signal(Signal::Flush);
        } else if let Err(conn) = desk::defer(self) {
            conn.signal(Signal::Flush);
        }
    }

    fn spare_buffer(&self) -> Vec<u8> {
        desk::spare_buffer()
    }

    fn recycle(&self, buffer: Vec<u8>) {
        desk::recycle(buffer);
    }

    fn close(&self, last: Vec<u8>) {
        let is_first = self.out.lock().close(last);
        if is_first {
            self.signal(Signal::Close);
        }
    }
}
