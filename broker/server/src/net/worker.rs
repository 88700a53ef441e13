use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pintle_engine::{Engine, Worker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error};

use super::clock::Clock;
use super::connection_task::ConnTask;
use super::desk::{Desk, at_desk};
use super::listener::{Arrival, BoundListener, accept};
use super::nap::Nap;

/// Receivers that are sent to before the driver is polled again, so that what was read meanwhile
/// joins the bytes of those who have not been sent to.
const RECEIVERS_PER_TURN: usize = 64;

/// How long those wait, in a crowd, who always have more to read, for each KiB that they read at
/// once. It makes some 60 MB a second of one that floods, or 800,000 small messages. The shorter it is,
/// the more often a worker that has slept must wait for somebody else's slice of the processor.
const FEED_INTERVAL_PER_KIB: Duration = Duration::from_micros(16);

/// How often pauses end, the engine does what is due, and a part of the connections is swept.
const TICK: Duration = Duration::from_millis(100);

/// What a worker is asked to do.
pub(super) enum Command {
    /// Serve this connection.
    Adopt(Box<Arrival<TcpStream>>),
    /// Accept connections here. The first worker accepts for all.
    Listen(BoundListener),
    /// Close the listening sockets, then say so.
    StopListening(Sender<()>),
    /// Begin the engine's graceful end, then say so.
    ShutDown(Sender<()>),
    /// End the thread; connections that are left are dropped.
    Exit,
}

/// The workers as others see them.
pub(super) struct Crew {
    members: Vec<Member>,
}

struct Member {
    commands: UnboundedSender<Command>,
    /// Connections that it serves or is about to.
    load: Arc<AtomicUsize>,
}

/// What a worker thread begins with.
pub(super) struct Orders {
    number: usize,
    commands: UnboundedReceiver<Command>,
    load: Arc<AtomicUsize>,
    crew: Arc<Crew>,
    clock: Clock,
}

impl Crew {
    /// `size` workers that are yet to be started.
    pub(super) fn plan(size: usize, clock: Clock) -> (Arc<Self>, Vec<Orders>) {
        let (members, receivers): (Vec<_>, Vec<_>) = (0..size.max(1))
            .map(|_| {
                let (commands, receiver) = unbounded_channel();
                (Member { commands, load: Arc::default() }, receiver)
            })
            .unzip();
        let crew = Arc::new(Self { members });
        let orders = receivers
            .into_iter()
            .zip(&crew.members)
            .enumerate()
            .map(|(number, (commands, member))| Orders {
                number,
                commands,
                load: Arc::clone(&member.load),
                crew: Arc::clone(&crew),
                clock,
            })
            .collect();
        (crew, orders)
    }

    /// Asks the first worker; false if it is gone.
    pub(super) fn command_first(&self, command: Command) -> bool {
        self.members.first().is_some_and(|first| first.commands.send(command).is_ok())
    }

    pub(super) fn exit(&self) {
        for member in &self.members {
            // One that is gone has no need to be told.
            let _ = member.commands.send(Command::Exit);
        }
    }

    /// Gives a connection to the worker that has the fewest. The caller is the first worker, which
    /// serves its own without a detour.
    ///
    /// Not by busy share: connections live long and are mostly made while idle, so a worker that
    /// is packed while it has room stays packed when they begin to talk.
    pub(super) fn place(&self, arrival: Arrival<tokio::net::TcpStream>) {
        let fewest = self
            .members
            .iter()
            .enumerate()
            .min_by_key(|(_, member)| member.load.load(Ordering::Relaxed));
        let Some((number, member)) = fewest else { return };
        member.load.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            adopt(Ok(arrival));
            return;
        }
        // A connection that does not get there is dropped with its place in the limits.
        let is_on_its_way = arrival
            .leave_driver()
            .is_ok_and(|arrival| member.commands.send(Command::Adopt(Box::new(arrival))).is_ok());
        if !is_on_its_way {
            member.load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Orders {
    /// Starts the thread; returns once it is ready to serve.
    ///
    /// `ending` is dropped when the thread ends.
    pub(super) fn start(
        self,
        engine: &Arc<Engine>,
        ending: Sender<Infallible>,
    ) -> io::Result<JoinHandle<()>> {
        let engine = Arc::clone(engine);
        let (started, outcome) = std::sync::mpsc::channel();
        let thread = thread::Builder::new().name(format!("pintle-worker-{}", self.number)).spawn(
            move || {
                let _until_the_end = ending;
                self.run(&engine, &started);
            },
        )?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(thread),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("a worker thread ended before it began")),
        }
    }

    fn run(self, engine: &Arc<Engine>, started: &Sender<io::Result<()>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        at_desk(|desk| desk.open(Worker::new(engine), self.clock, Arc::clone(&self.load)));
        let _ = started.send(Ok(()));
        runtime.block_on(self.serve());
        // Ends the tasks, which end their connections with this thread's engine worker.
        drop(runtime);
        at_desk(|desk| desk.close());
    }

    async fn serve(mut self) {
        let is_first = self.number == 0;
        tokio::spawn(keep_running("pump", pump));
        tokio::spawn(keep_running("feed", feed));
        tokio::spawn(keep_running("tick", move || tick(is_first)));
        let mut listeners = Vec::new();
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Adopt(arrival) => adopt(arrival.join_driver()),
                Command::Listen(bound) => self.listen(bound, &mut listeners),
                Command::StopListening(done) => stop(&mut listeners, &done).await,
                Command::ShutDown(done) => {
                    at_desk(|desk| {
                        desk.with_worker(|worker| Arc::clone(worker.engine()).shut_down(worker))
                    });
                    let _ = done.send(());
                }
                Command::Exit => return,
            }
        }
    }

    fn listen(&self, bound: BoundListener, listeners: &mut Vec<tokio::task::JoinHandle<()>>) {
        listeners.push(tokio::spawn(accept(bound, Arc::clone(&self.crew), self.clock)));
    }
}

/// Makes the task of a connection, on this worker.
fn adopt(arrival: io::Result<Arrival<tokio::net::TcpStream>>) {
    match arrival.and_then(ConnTask::new) {
        Ok(task) => drop(tokio::spawn(task)),
        Err(error) => {
            at_desk(Desk::lighten);
            debug!(%error, "A new connection could not be served.");
        }
    }
}

async fn stop(listeners: &mut Vec<tokio::task::JoinHandle<()>>, done: &Sender<()>) {
    for listener in &mut *listeners {
        listener.abort();
    }
    for listener in listeners.drain(..) {
        // Ends with being cancelled; by then its socket is closed.
        let _ = listener.await;
    }
    let _ = done.send(());
}

/// The end of the turn: it runs behind the tasks that were ready, so their reads come first.
async fn pump() {
    loop {
        poll_fn(|task| at_desk(|desk| desk.poll_deferred(task))).await;
        while at_desk(|desk| desk.flush_deferred(RECEIVERS_PER_TURN)) {
            yield_now().await;
        }
    }
}

/// Lets those who had more to read than their share go on: not before the driver has been polled,
/// so that the others come first; and in a crowd not all the time, so that one that floods leaves
/// the worker idle now and then. A worker that never is waits long for its next turn when the
/// system has more to do than processors.
async fn feed() {
    let nap = Nap::new();
    let mut fed_at = Instant::now();
    loop {
        poll_fn(|task| at_desk(|desk| desk.poll_unsated(task))).await;
        let early = if at_desk(Desk::is_crowded) {
            feed_interval(at_desk(Desk::unsated_bytes)).checked_sub(fed_at.elapsed())
        } else {
            None
        };
        match early.zip(nap.as_ref()) {
            Some((early, nap)) => nap.take(early).await,
            None => yield_now().await,
        }
        fed_at = Instant::now();
        at_desk(Desk::wake_unsated);
    }
}

fn feed_interval(bytes: usize) -> Duration {
    FEED_INTERVAL_PER_KIB * u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

async fn tick(is_first: bool) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for count in 0.. {
        ticks.tick().await;
        at_desk(|desk| {
            if is_first {
                desk.with_worker(|worker| Arc::clone(worker.engine()).tick(worker));
            }
            desk.tick(count);
        });
    }
}

/// Begins a task anew when a bug has ended it: the worker cannot do without.
async fn keep_running<F, T>(name: &'static str, task: F)
where
    F: Fn() -> T,
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        match tokio::spawn(task()).await {
            Ok(()) => return,
            Err(error) if error.is_cancelled() => return,
            Err(error) => error!(task = name, %error, "A task of a worker failed and begins anew."),
        }
    }
}
