//! mosquitto_pub and mosquitto_sub.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use pintle_tests::{Broker, TlsFiles};

use crate::{TCP, TLS, broker, tools};

const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

/// A broker, and where its clients are to connect.
struct House {
    broker: Broker,
    tls: TlsFiles,
}

fn house() -> Option<House> {
    tools::mosquitto_clients().then(|| {
        let (broker, tls) = broker();
        House { broker, tls }
    })
}

impl House {
    fn command(&self, program: &str, version: &str) -> Command {
        let mut command = Command::new(program);
        let port = self.broker.listener(TCP).port().to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", version]);
        command
    }

    fn command_over_tls(&self, program: &str, version: &str) -> Command {
        let mut command = Command::new(program);
        let port = self.broker.listener(TLS).port().to_string();
        command.args(["-h", "localhost", "-p", &port, "-V", version, "--cafile"]);
        command.arg(&self.tls.ca);
        command
    }

    /// Publishes and waits until that is done.
    #[track_caller]
    fn publishes(&self, version: &str, arguments: &[&str]) {
        succeeds(self.command("mosquitto_pub", version).args(arguments));
    }
}

/// Runs to a successful end; returns what it printed.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("a client of mosquitto runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {error}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// A mosquitto_sub that runs, and has its subscriptions when it is made: it is given the retained
/// message `ready` first.
struct Subscriber {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Subscriber {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .args(["-t", "ready", "-v"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub runs");
        let lines = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let mut subscriber = Self { child, lines };
        assert_eq!(subscriber.line(), "ready yes");
        subscriber
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line of mosquitto_sub");
        line.trim_end().to_owned()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn messages_of_every_qos_pass_between_all_versions() {
    let Some(house) = house() else { return };
    house.publishes("mqttv311", &["-r", "-t", "ready", "-m", "yes"]);
    for reads in VERSIONS {
        let mut subscriber = Subscriber::start(house.command("mosquitto_sub", reads).args([
            "-q",
            "2",
            "-t",
            "greetings/#",
        ]));
        for writes in VERSIONS {
            for qos in ["0", "1", "2"] {
                let text = format!("{writes} {qos}");
                house.publishes(writes, &["-q", qos, "-t", "greetings/world", "-m", &text]);
                assert_eq!(subscriber.line(), format!("greetings/world {text}"));
            }
        }
    }
}

#[test]
fn retained_messages_are_kept_and_cleared() {
    let Some(house) = house() else { return };
    for version in VERSIONS {
        house.publishes(version, &["-r", "-q", "1", "-t", "state", "-m", version]);
        let mut read = house.command("mosquitto_sub", version);
        let read = succeeds(read.args(["-t", "state", "-C", "1", "-F", "%r %p"]));
        assert_eq!(read, format!("1 {version}\n"));
        house.publishes(version, &["-r", "-n", "-t", "state"]);
        house.publishes(version, &["-r", "-t", "other", "-m", "stays"]);
        let mut read = house.command("mosquitto_sub", version);
        let read = succeeds(read.args(["-t", "state", "-t", "other", "-C", "1", "-v"]));
        assert_eq!(read, "other stays\n");
    }
}

#[test]
fn the_will_of_a_client_that_is_killed_is_sent() {
    let Some(house) = house() else { return };
    house.publishes("mqttv311", &["-r", "-t", "ready", "-m", "yes"]);
    let mut watch =
        Subscriber::start(house.command("mosquitto_sub", "mqttv5").args(["-t", "will"]));
    for version in VERSIONS {
        let will = ["--will-topic", "will", "--will-payload", version, "--will-qos", "1"];
        let mortal =
            Subscriber::start(house.command("mosquitto_sub", version).args(will).args(["-t", "x"]));
        drop(mortal);
        assert_eq!(watch.line(), format!("will {version}"));
    }
}

#[test]
fn a_session_is_resumed_with_what_came_meanwhile() {
    let Some(house) = house() else { return };
    for version in VERSIONS {
        let session = ["-i", version, "-c", "-q", "1", "-t", "news"];
        let lasting: &[&str] = if version == "mqttv5" { &["-x", "3600"] } else { &[] };
        let subscribe = |extra: &[&str]| {
            let mut command = house.command("mosquitto_sub", version);
            succeeds(command.args(session).args(lasting).args(extra))
        };
        subscribe(&["-E"]);
        for qos in ["1", "2"] {
            house.publishes(version, &["-q", qos, "-t", "news", "-m", qos]);
        }
        assert_eq!(subscribe(&["-C", "2"]), "1\n2\n");
    }
}

#[test]
fn members_of_a_shared_subscription_share_the_messages() {
    let Some(house) = house() else { return };
    house.publishes("mqttv311", &["-r", "-t", "ready", "-m", "yes"]);
    for version in VERSIONS {
        let member = || {
            let mut command = house.command("mosquitto_sub", version);
            Subscriber::start(command.args(["-q", "1", "-t", "$share/group/work"]))
        };
        let (mut one, mut two) = (member(), member());
        for number in 0..6 {
            house.publishes(version, &["-q", "1", "-t", "work", "-m", &number.to_string()]);
        }
        let mut all: Vec<String> = (0..3).flat_map(|_| [one.line(), two.line()]).collect();
        all.sort();
        assert_eq!(all, ["work 0", "work 1", "work 2", "work 3", "work 4", "work 5"]);
    }
}

#[test]
fn tls_is_trusted_by_its_authority() {
    let Some(house) = house() else { return };
    for version in VERSIONS {
        let message = ["-r", "-q", "2", "-t", "secret", "-m", version];
        succeeds(house.command_over_tls("mosquitto_pub", version).args(message));
        let mut read = house.command_over_tls("mosquitto_sub", version);
        let read = succeeds(read.args(["-q", "2", "-t", "secret", "-C", "1"]));
        assert_eq!(read, format!("{version}\n"));
    }
}
