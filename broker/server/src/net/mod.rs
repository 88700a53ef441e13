//! Sockets, worker threads, and what lies between the two and the engine.
//!
//! A worker is one thread with one runtime, and each of its connections is one small task. A read
//! goes to the engine at once; what the engine has to send lies encoded in outboxes, and a pump
//! sends it at the end of the worker's turn, from whatever thread, so that a message costs one
//! `recv` and one `send`.

mod clock;
mod codec;
mod connection;
mod connection_task;
mod desk;
mod limits;
mod listener;
mod nap;
mod origin;
mod outgoing;
mod share;
mod signals;
mod spare_buffers;
mod throttle;
mod tls;
mod websocket;
mod websocket_frames;
mod websocket_handshake;
mod worker;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pintle_engine::Engine;
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, error};

use self::clock::Clock;
use self::limits::BrokerLimit;
use self::listener::BoundListener;
use self::worker::{Command, Crew};

pub use self::listener::{Kind, ListenError, ListenerSpec};
pub use self::origin::OriginPolicy;

/// Bounds of the whole network side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetSettings {
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Connections in all; one more is closed at once.
    pub connections_max: usize,
    /// How long a peer may take from the accepted connection to the end of its CONNECT, with TLS
    /// and WebSocket handshakes.
    pub handshake_timeout: Duration,
}

/// The worker threads and their listeners.
pub struct Net {
    crew: Arc<Crew>,
    threads: Vec<JoinHandle<()>>,
    /// Closed once all threads have ended.
    ended: mpsc::Receiver<Infallible>,
    connections: Arc<BrokerLimit>,
    settings: NetSettings,
}

impl Net {
    /// Starts the worker threads.
    ///
    /// # Errors
    /// If the system has no thread or no descriptor for one of them.
    #[expect(clippy::needless_pass_by_value, reason = "the worker threads share in it for good")]
    pub fn start(engine: Arc<Engine>, settings: NetSettings) -> io::Result<Self> {
        raise_descriptor_limit();
        let (crew, orders) = Crew::plan(settings.workers, Clock::start());
        let connections = BrokerLimit::new(settings.connections_max);
        let (ending, ended) = mpsc::channel();
        let threads: io::Result<Vec<_>> =
            orders.into_iter().map(|order| order.start(&engine, ending.clone())).collect();
        drop(ending);
        let mut net = Self { crew, threads: Vec::new(), ended, connections, settings };
        // Those that were started end with `net` if another could not be.
        net.threads = threads?;
        Ok(net)
    }

    /// Listens at once; returns the address, with its port where the system chose one.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn listen(&self, spec: ListenerSpec) -> Result<SocketAddr, ListenError> {
        let address = spec.bind;
        let (bound, real_address) =
            BoundListener::bind(spec, self.settings.handshake_timeout, &self.connections)?;
        if self.crew.command_first(Command::Listen(bound)) {
            Ok(real_address)
        } else {
            let source = io::Error::other("the worker that accepts has ended");
            Err(ListenError { address, source })
        }
    }

    /// Closes all listening sockets; connections stay. Their ports are free on return.
    ///
    /// Not to be called from a worker, which would wait for itself.
    pub fn stop_listening(&self) {
        self.ask_first(Command::StopListening, None);
    }

    /// Ends gracefully: stops listening, lets the engine take its leave of every client, and waits
    /// at most `grace` until the last bytes are sent and the peers have closed.
    pub fn shut_down(self, grace: Duration) {
        let deadline = Instant::now() + grace;
        self.ask_first(Command::StopListening, Some(deadline));
        self.ask_first(Command::ShutDown, Some(deadline));
        self.connections.wait_until_empty(deadline);
    }

    /// Open connections.
    pub fn connection_count(&self) -> usize {
        self.connections.open()
    }

    /// Has the first worker do something, and waits for it.
    fn ask_first(&self, command: fn(mpsc::Sender<()>) -> Command, until: Option<Instant>) {
        let (done, is_done) = mpsc::channel();
        if !self.crew.command_first(command(done)) {
            return;
        }
        // Either way the worker is done with it, late, or gone.
        let _ = match until {
            None => is_done.recv().is_ok(),
            Some(deadline) => {
                is_done.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
            }
        };
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.crew.exit();
        if self.ended.recv_timeout(EXIT_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
            error!("A worker thread does not end; it is left behind.");
            return;
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("A worker thread has panicked.");
            }
        }
    }
}

/// How long a worker may take to end, which is as long as a hook may keep it busy.
const EXIT_MAX: Duration = Duration::from_secs(5);

/// Lets this process have as many descriptors as the system allows it, one for each connection.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        debug!(%error, "The limit of open descriptors stays as it is.");
    }
}

#[cfg(test)]
mod tests;
