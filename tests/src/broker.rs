use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::wire::{Connect, Prop, Subscribe, Will};
use crate::{Client, PATIENCE, V5, Version, over_tcp};

/// The broker's executable.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

impl Program {
    /// A broker with one TCP listener and two workers.
    pub fn start(self) -> Broker {
        self.start_with("")
    }

    /// The same, with further settings of the listener, and after them of the broker.
    pub fn start_with(self, settings: &str) -> Broker {
        self.prepare(|_| format!("[[listener]]\nbind = \"127.0.0.1:0\"\n{settings}"))
    }

    /// A broker with the whole configuration that `configure` writes; it is given the folder that
    /// the broker will run in, to put files there.
    pub fn prepare(self, configure: impl FnOnce(&Path) -> String) -> Broker {
        let folder = TempDir::new().expect("a folder for the broker");
        let config = format!("workers = 2\n{}", configure(folder.path()));
        let path = folder.path().join("pintle.toml");
        fs::write(&path, &config).expect("the configuration is written");
        self.start_in(folder)
    }

    /// A broker with the configuration that is in `folder`.
    fn start_in(self, folder: TempDir) -> Broker {
        let path = folder.path().join("pintle.toml");
        let config = fs::read_to_string(&path).expect("there is a configuration");
        let mut command = Command::new(self.0);
        command.args(["run", "-c"]).arg(&path);
        Broker::spawn(command, folder, config.matches("[[listener]]").count())
    }
}

/// A broker in a process and folder of its own; ends when it is dropped.
pub struct Broker {
    child: Child,
    folder: TempDir,
    log: Arc<Log>,
    addresses: Vec<SocketAddr>,
    clocks: std::cell::Cell<u32>,
}

impl Broker {
    /// Runs `command` in `folder` and waits until it listens `listeners` times.
    pub fn spawn(mut command: Command, folder: TempDir, listeners: usize) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PINTLE_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker starts");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("the broker's log is a pipe");
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writer.push(line);
            }
            writer.end();
        });
        let mut broker =
            Self { child, folder, log, addresses: Vec::new(), clocks: std::cell::Cell::new(0) };
        broker.addresses = broker.log.wait_for("its listeners", |lines| {
            let found: Vec<_> = lines.iter().filter_map(|line| listening(line)).collect();
            (found.len() >= listeners).then_some(found)
        });
        broker
    }

    /// Where the first listener is.
    pub fn address(&self) -> SocketAddr {
        self.listener(0)
    }

    /// Where the listener is that stands at this place of the configuration.
    pub fn listener(&self, place: usize) -> SocketAddr {
        self.addresses[place]
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder it runs in.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection that has not said anything yet.
    pub fn open(&self, version: Version) -> Client {
        self.open_at(0, version)
    }

    /// The same, at another listener.
    pub fn open_at(&self, place: usize, version: Version) -> Client {
        let stream = over_tcp(self.listener(place)).expect("the broker takes a connection");
        Client::over(stream, version)
    }

    /// A client of a clean start, connected.
    #[track_caller]
    pub fn client(&self, version: Version, client_id: &str) -> Client {
        self.connect(version, &Connect::new(client_id))
    }

    /// A client of 5.0 with a clean start, connected.
    #[track_caller]
    pub fn v5(&self, client_id: &str) -> Client {
        self.client(V5, client_id)
    }

    /// A client that has been let in.
    #[track_caller]
    pub fn connect(&self, version: Version, connect: &Connect) -> Client {
        let mut client = self.open(version);
        client.connects(connect);
        client
    }

    /// The code that this CONNECT is refused with; the connection is closed then.
    #[track_caller]
    pub fn refuses(&self, version: Version, connect: &Connect) -> u8 {
        let mut client = self.open(version);
        client.send(connect);
        let connack = client.expect_connack();
        client.is_closed();
        assert!(!connack.session_present, "a refusal has no session [MQTT-3.2.2-6]");
        connack.code
    }

    /// Returns when the broker has let `secs` seconds pass, told by its own clock.
    #[track_caller]
    pub fn lets_seconds_pass(&self, secs: u32) {
        let turn = self.clocks.replace(self.clocks.get() + 1);
        let topic = format!("clock/{turn}");
        let mut watch = self.v5(&format!("watch-{turn}"));
        watch.subscribe(&Subscribe::to(&topic, 0));
        let clock = Connect::new(format!("clock-{turn}"))
            .with(Prop::SessionExpiry(secs + 100))
            .will(Will::new(&topic, "tick").with(Prop::WillDelay(secs)));
        self.connect(V5, &clock).drops();
        watch.receives(&topic, "tick");
    }

    /// Waits until the log has a line with every one of `words`, and returns that line.
    pub fn says(&self, words: &[&str]) -> String {
        self.log.wait_for(&format!("a line with {words:?}"), |lines| {
            lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
        })
    }

    /// All lines of the log up to now.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Sends a signal by its name, as `HUP`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "the broker takes SIG{name}");
    }

    /// Memory that the process holds right now.
    pub fn resident_bytes(&self) -> usize {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()));
        let statm = statm.expect("the broker runs");
        let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
        pages.map_or(0, |pages: usize| pages * 4096)
    }

    /// Ends it with a signal by its name and starts `program` over the same folder.
    pub fn restarts(mut self, program: Program, signal: &str) -> Self {
        self.signal(signal);
        self.ends();
        let other = TempDir::new().expect("a folder for nobody");
        let folder = std::mem::replace(&mut self.folder, other);
        program.start_in(folder)
    }

    /// Waits until the process has ended by itself.
    pub fn ends(&mut self) -> ExitStatus {
        self.log.wait_for_end();
        self.child.wait().expect("the broker's status")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the broker's log ---\n{}\n---", self.log.lines().join("\n"));
        }
    }
}

/// The address in a line that says where a listener is.
fn listening(line: &str) -> Option<SocketAddr> {
    let at = line.to_ascii_lowercase().find("listening")?;
    line[at..]
        .split(|c: char| c.is_whitespace() || ",()\"=\u{1b}".contains(c))
        .find_map(|word| word.trim_end_matches('.').parse().ok())
}

#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn push(&self, line: String) {
        self.state.lock().expect("no test panics here").lines.push(line);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().expect("no test panics here").ended = true;
        self.changed.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.state.lock().expect("no test panics here").lines.clone()
    }

    fn wait_for<T>(&self, what: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + 3 * PATIENCE;
        let mut state = self.state.lock().expect("no test panics here");
        loop {
            if let Some(found) = find(&state.lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left == Duration::ZERO {
                let log = state.lines.join("\n");
                drop(state);
                panic!("waited in vain for {what}; the broker's log:\n{log}");
            }
            state = self.changed.wait_timeout(state, left).expect("no test panics here").0;
        }
    }

    fn wait_for_end(&self) {
        let state = self.state.lock().expect("no test panics here");
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, 3 * PATIENCE, |state| !state.ended)
            .expect("no test panics here");
        drop(state);
        assert!(!waited.timed_out(), "the broker does not end");
    }
}
