//! The brokers that are compared: started afresh for every run, or running somewhere already.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a broker may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a broker is reached, and which process it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) pid: Option<u32>,
    /// Whether it wants [`USER`] and [`PASSWORD`].
    pub(crate) is_secured: bool,
}

/// Who the generator is where somebody asks.
pub(crate) const USER: &str = "bench";
/// And how it proves that.
pub(crate) const PASSWORD: &str = "bench";

/// One of those that are compared.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// How a contender comes to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This binary runs it.
    Pintle(PathBuf),
    /// The same with a password file, an ACL file and `$SYS` topics.
    PintleSecured(PathBuf),
    Relay(PathBuf),
    Mosquitto(PathBuf),
    /// It runs already.
    Elsewhere(Endpoint),
}

impl FromStr for Contender {
    type Err = String;

    /// Reads `name=host:port` or `name=host:port,pid`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: it is written name=host:port or name=host:port,pid");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let (address, pid) = match rest.split_once(',') {
            Some((address, pid)) => (address, Some(pid.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let endpoint = Endpoint { host: host.to_owned(), port, pid, is_secured: false };
        Ok(Self { name: name.to_owned(), kind: Kind::Elsewhere(endpoint) })
    }
}

/// A broker that runs, and ends with this if it was started for it.
pub(crate) struct Running {
    pub(crate) endpoint: Endpoint,
    child: Option<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It has ended by itself if it cannot be ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Contender {
    /// Starts it, unless it runs already, with its configuration in `folder`.
    pub(crate) fn start(&self, folder: &Path) -> Result<Running> {
        match &self.kind {
            Kind::Elsewhere(endpoint) => Ok(Running { endpoint: endpoint.clone(), child: None }),
            Kind::Relay(binary) => start_relay(binary),
            Kind::Pintle(binary) => {
                let port = free_port()?;
                let file = folder.join("pintle.toml");
                fs::write(&file, pintle_configuration(port))?;
                start(Command::new(binary).arg("run").arg("-c").arg(&file), port)
            }
            Kind::PintleSecured(binary) => {
                let port = free_port()?;
                let file = folder.join("secured.toml");
                fs::write(&file, secured_configuration(port))?;
                fs::write(folder.join("acl"), format!("user {USER}\ntopic readwrite bench/#\n"))?;
                write_passwords(binary, &folder.join("passwd"))?;
                let mut running =
                    start(Command::new(binary).arg("run").arg("-c").arg(&file), port)?;
                running.endpoint.is_secured = true;
                Ok(running)
            }
            Kind::Mosquitto(binary) => {
                let port = free_port()?;
                let file = folder.join("mosquitto.conf");
                fs::write(&file, mosquitto_configuration(port))?;
                start(Command::new(binary).arg("-c").arg(&file), port)
            }
        }
    }

    /// Name and version as the binary tells them.
    pub(crate) fn version(&self) -> String {
        let (binary, argument) = match &self.kind {
            Kind::Pintle(binary) => (binary, "--version"),
            Kind::Mosquitto(binary) => (binary, "-h"),
            Kind::PintleSecured(_) => {
                return "the same with `builtin:password-file` (hashes as mosquitto 2.0 makes them), \
                        `builtin:acl-file` and `builtin:sys-stats`"
                    .to_owned();
            }
            Kind::Relay(_) => return "the floor: a relay without a broker in it".to_owned(),
            Kind::Elsewhere(endpoint) => return format!("at {}:{}", endpoint.host, endpoint.port),
        };
        let output = Command::new(binary).arg(argument).output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").to_owned()
    }
}

/// As it comes, but quiet about every connection.
pub(crate) fn pintle_configuration(port: u16) -> String {
    format!("[log]\nlevel = \"warn\"\n\n[[listener]]\nbind = \"127.0.0.1:{port}\"\n")
}

fn secured_configuration(port: u16) -> String {
    let plugin = |name: &str, builtin: &str, config: &str| {
        format!("\n[[plugin]]\nname = \"{name}\"\nuse = \"builtin:{builtin}\"\n{config}")
    };
    [
        pintle_configuration(port),
        plugin("users", "password-file", "config = { path = \"passwd\" }\n"),
        plugin("topics", "acl-file", "config = { path = \"acl\" }\n"),
        plugin("stats", "sys-stats", ""),
    ]
    .concat()
}

fn write_passwords(binary: &Path, file: &Path) -> Result<()> {
    let made = Command::new(binary)
        .args(["passwd", "-c", "-b", "--compat", "2.0"])
        .arg(file)
        .args([USER, PASSWORD])
        .stdout(Stdio::null())
        .status()?;
    if made.success() { Ok(()) } else { bail!("cannot make a password file: {made}") }
}

/// Quiet likewise, sending at once, and without the bounds that would make it drop messages or
/// refuse QoS 2 in a window.
pub(crate) fn mosquitto_configuration(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n\
         connection_messages false\nset_tcp_nodelay true\nmax_queued_messages 0\n\
         max_inflight_messages 0\n"
    )
}

fn start(command: &mut Command, port: u16) -> Result<Running> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let endpoint = local_endpoint(port, child.id());
    let mut running = Running { endpoint, child: Some(child) };
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(child) = &mut running.child
            && let Some(status) = child.try_wait()?
        {
            bail!("{} ended at once: {status}", command.get_program().display());
        }
        if start.elapsed() > START_TIMEOUT {
            bail!("{} does not listen on port {port}", command.get_program().display());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(running)
}

/// The relay chooses its port and says which.
fn start_relay(binary: &Path) -> Result<Running> {
    let mut child = Command::new(binary)
        .args(["bench", "relay", "--bind", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let pid = child.id();
    let stdout = child.stdout.take();
    let mut endpoint = local_endpoint(0, pid);
    let mut line = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let address = line.split([' ', ',']).find_map(|word| word.parse::<SocketAddr>().ok());
    endpoint.port = address.context("the relay does not say where it listens")?.port();
    Ok(Running { endpoint, child: Some(child) })
}

fn local_endpoint(port: u16, pid: u32) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port, pid: Some(pid), is_secured: false }
}

/// A port that nobody has now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, Kind), String> {
        text.parse::<Contender>().map(|contender| (contender.name, contender.kind))
    }

    #[test]
    fn others_are_named_with_their_address_and_perhaps_their_process() {
        let endpoint =
            |pid| Endpoint { host: "::1".to_owned(), port: 1883, pid, is_secured: false };

        let (name, kind) = parsed("flash=::1:1883,42").unwrap();
        assert_eq!((name.as_str(), kind), ("flash", Kind::Elsewhere(endpoint(Some(42)))));
        let (_, kind) = parsed("flash=::1:1883").unwrap();
        assert_eq!(kind, Kind::Elsewhere(endpoint(None)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["flash", "flash=host", "flash=host:many", "flash=host:1,me"] {
            assert!(parsed(text).unwrap_err().contains("name=host:port"), "{text}");
        }
    }
}
