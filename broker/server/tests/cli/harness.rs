//! Runs `pintle`: once to its end, or as a broker beside the test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    #[track_caller]
    pub(crate) fn fails_with(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

/// A folder with files, in which `pintle` runs.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in one step, as `mv` does.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let beside = self.path(&format!("{name}.new"));
        fs::create_dir_all(beside.parent().unwrap()).unwrap();
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PINTLE_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `pintle` to its end.
    pub(crate) fn pintle(&self, args: &[&str]) -> Finished {
        finish(self.command(args).spawn().unwrap())
    }

    pub(crate) fn pintle_with_env(&self, args: &[&str], name: &str, value: &str) -> Finished {
        finish(self.command(args).env(name, value).spawn().unwrap())
    }

    /// Runs `pintle` to its end with this on its standard input.
    pub(crate) fn pintle_fed(&self, args: &[&str], input: &[u8]) -> Finished {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        finish(child)
    }

    /// Runs `pintle` beside the test.
    pub(crate) fn spawn(&self, args: &[&str]) -> Beside {
        Beside::new(self.command(args).spawn().unwrap())
    }

    /// Runs a broker with `config` beside the test, once it listens as often as `config` says.
    pub(crate) fn broker(&self, config: &str) -> Broker {
        self.write("pintle.toml", config);
        let beside = self.spawn(&["run", "-v", "-c", "pintle.toml"]);
        let count = config.matches("[[listener]]").count();
        let addresses = beside.errors.wait("its listeners", |lines| {
            let found: Vec<SocketAddr> = lines.iter().filter_map(|line| listening(line)).collect();
            (found.len() >= count).then_some(found)
        });
        Broker { beside, addresses }
    }
}

fn finish(child: Child) -> Finished {
    let output = child.wait_with_output().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("Listening for ")?.1.split_once(" on ")?;
    address.trim_end_matches('.').parse().ok()
}

/// A process beside the test; ended when it is dropped.
pub(crate) struct Beside {
    child: Child,
    pub(crate) output: Arc<Lines>,
    pub(crate) errors: Arc<Lines>,
}

impl Beside {
    fn new(mut child: Child) -> Self {
        let output = Lines::of(child.stdout.take().unwrap());
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { child, output, errors }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn ends(mut self) -> ExitStatus {
        self.errors.wait_for_end();
        self.child.wait().unwrap()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- its log ---\n{}\n---", self.errors.all().join("\n"));
        }
    }
}

/// A broker beside the test.
pub(crate) struct Broker {
    pub(crate) beside: Beside,
    addresses: Vec<SocketAddr>,
}

impl Broker {
    pub(crate) fn port(&self) -> String {
        self.port_of(0)
    }

    pub(crate) fn port_of(&self, listener: usize) -> String {
        self.addresses[listener].port().to_string()
    }

    /// Waits until the log has a line with all these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        self.beside.errors.says(words)
    }
}

/// The lines that a process has written up to now.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Lines {
    fn of(pipe: impl std::io::Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let writer = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                writer.state.lock().unwrap().0.push(line);
                writer.changed.notify_all();
            }
            writer.state.lock().unwrap().1 = true;
            writer.changed.notify_all();
        });
        lines
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.state.lock().unwrap().0.clone()
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        self.wait(&format!("a line with {words:?}"), |lines| {
            lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
        })
    }

    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = find(&state.0) {
                return found;
            }
            let (next, in_vain) = if state.1 {
                (state, true)
            } else {
                let (next, waited) = self.changed.wait_timeout(state, PATIENCE).unwrap();
                (next, waited.timed_out())
            };
            if in_vain {
                let log = next.0.join("\n");
                drop(next);
                panic!("waited in vain for {what}:\n{log}");
            }
            state = next;
        }
    }

    fn wait_for_end(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.1).unwrap();
        assert!(!waited.1.timed_out(), "it does not end");
    }
}

/// A self-signed certificate for `localhost` and 127.0.0.1, as two files.
pub(crate) fn write_certificate(cert: &Path, key: &Path) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(cert, pair.cert.pem()).unwrap();
    fs::write(key, pair.signing_key.serialize_pem()).unwrap();
}

/// One listener on a port that the system chooses.
pub(crate) const LOOPBACK: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\n";
