//! `pintle plugin` against a broker that runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use crate::client::{Client, PATIENCE};
use crate::place::{House, LISTENER, Place};

const LOUD: &str = "local P = { name = \"loud\", version = \"1.0.0\" }\n\
                    function P.on_publish(client, topic, payload)\n\
                    \u{20} broker.log.info(\"heard \" .. topic)\n\
                    \u{20} return string.upper(payload)\n\
                    end\n\
                    return P\n";

fn pintle(place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PINTLE_") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(place.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `pintle plugin …` on the broker of `house`.
fn plugin(house: &House, args: &[&str]) -> Output {
    let socket = house.socket().display().to_string();
    let args = [&["plugin"], args, &["--socket", &socket]].concat();
    pintle(&house.place, &args).output().unwrap()
}

#[track_caller]
fn succeeds(house: &House, args: &[&str]) -> String {
    let output = plugin(house, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(house: &House, args: &[&str]) -> String {
    let output = plugin(house, args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// The time a call may take is generous, so that a busy machine makes no plugin late.
const LOAD: [&str; 8] = [
    "load",
    "loud.lua",
    "--on-error",
    "publish=pass",
    "--set",
    "topics=[\"t\"]",
    "--set",
    "limits.publish=10s",
];

#[test]
fn a_plugin_is_loaded_looked_at_replaced_and_taken_out() {
    let house = House::new("");
    house.place.write("loud.lua", LOUD);
    let said = succeeds(&house, &LOAD);
    assert_eq!(
        said,
        "loud: loaded, generation 1 (lua, loud 1.0.0)\n\
         It is gone at the next start; --save keeps it.\n"
    );
    house.client("p").publish("t", "x");
    let said = succeeds(&house, &["list"]);
    assert!(said.starts_with("Of the broker that runs ("), "{said}");
    assert!(said.contains("loud  loud 1.0.0 (lua, loaded by command"), "{said}");
    let said = succeeds(&house, &["stats", "loud"]);
    assert!(said.contains("on_publish     1 call (rewrite 1"), "{said}");
    house.place.write("loud.lua", &LOUD.replace("1.0.0", "2.0.0"));
    let said = succeeds(&house, &["reload", "loud"]);
    assert_eq!(said, "loud: reloaded, generation 2 (lua, loud 2.0.0)\n");
    let said = succeeds(&house, &["rollback", "loud"]);
    assert!(said.starts_with("loud: rolled back, generation 3 (lua, loud 1.0.0)\n"), "{said}");
    assert!(succeeds(&house, &["disable", "loud"]).starts_with("loud: disabled"));
    assert!(succeeds(&house, &["stats"]).contains("loud (lua, generation 3, disabled)"));
    assert!(succeeds(&house, &["enable", "loud"]).starts_with("loud: enabled"));
    assert!(succeeds(&house, &["remove", "loud"]).starts_with("loud: taken out"));
    let error = fails(&house, &["stats", "loud"]);
    assert!(error.starts_with("pintle: there is no plugin named `loud`"), "{error}");
}

#[test]
fn a_script_that_does_not_parse_is_named_with_its_line() {
    let house = House::new("");
    house.place.write("loud.lua", &LOUD.replace("payload)", "payload"));
    let error = fails(&house, &LOAD);
    assert!(error.contains("loud.lua:"), "{error}");
    house.place.write("loud.lua", LOUD);
    let error = fails(&house, &["load", "loud.lua"]);
    assert!(
        error.contains("pintle: hint: with `pintle plugin load` that is --on-error"),
        "{error}"
    );
}

#[test]
fn grants_and_other_keys_of_an_entry_are_said_with_flags_and_saved() {
    let house = House::new("");
    house.place.write("loud.lua", LOUD);
    let more = ["--name", "shout", "--grant", "publish=a/#", "--grant", "kv=1MiB"];
    let said = succeeds(&house, &[&LOAD[..], &more, &["--save"]].concat());
    assert!(said.contains("conf.d/shout.toml"), "{said}");
    let saved = std::fs::read_to_string(house.place.path("conf.d/shout.toml")).unwrap();
    for line in ["name = \"shout\"", "topics = [\"t\"]", "publish = [\"a/#\"]", "kv = \"1MiB\""] {
        assert!(saved.contains(line), "{saved}");
    }
    let error = fails(&house, &[&LOAD[..], &["--grant", "fly=1"]].concat());
    assert!(error.contains("grants.fly: unknown key"), "{error}");
}

#[test]
fn what_the_plugins_decide_now_is_explained() {
    let house = House::new("");
    house.load_acl("topic readwrite open/#\n");
    let ask =
        |topic| plugin(&house, &["explain", "--live", "--topic", topic, "--action", "publish"]);
    assert_eq!(ask("open/a").status.code(), Some(0));
    let no = ask("closed/a");
    assert_eq!(no.status.code(), Some(1));
    let said = String::from_utf8(no.stdout).unwrap();
    assert!(said.contains("topics: next"), "{said}");
}

#[test]
fn where_no_broker_answers_that_is_said_and_list_reads_the_configuration() {
    let place = Place::new();
    place.write("pintle.toml", LISTENER);
    let output = pintle(&place, &["plugin", "reload", "x", "-c", "pintle.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("pintle: no broker answers at pintle-data/admin.sock."), "{error}");
    let output = pintle(&place, &["plugin", "list", "-c", "pintle.toml"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("Of the configuration (no broker answers):\nsys-stats"), "{said}");
}

/// `pintle plugin dev` with what it prints.
struct Dev {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Dev {
    fn new(mut child: Child) -> Self {
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            // Nobody listens any more once the test has ended.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Reads on until a line has these words.
    #[track_caller]
    fn says(&mut self, words: &str) -> String {
        let mut all = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("waited in vain for {words:?}:\n{}", all.join("\n"));
            };
            if line.contains(words) {
                return line;
            }
            all.push(line);
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn dev_starts_a_broker_loads_what_is_saved_and_shows_what_it_does() {
    let place = Place::new();
    place.write("pintle.toml", LISTENER);
    place.write("loud.lua", LOUD);
    let args = [&["plugin", "dev"], &LOAD[1..], &["-c", "pintle.toml"]].concat();
    let mut dev = Dev::new(pintle(&place, &args).spawn().unwrap());
    let started = dev.says("No broker was running: this one listens on ");
    let address = started.split(" on ").nth(1).unwrap().split(',').next().unwrap();
    let address = address.parse().unwrap();
    dev.says("loud: loaded, generation 1");
    dev.says("Ctrl-C ends this");
    let (mut subscriber, mut publisher) =
        (Client::connect(address, "s"), Client::connect(address, "p"));
    subscriber.subscribe("t");
    publisher.publish("t", "abc");
    assert_eq!(subscriber.message(), "t ABC");
    dev.says("INFO  loud: heard t");
    place.write("loud.lua", &LOUD.replace("payload)", "payload"));
    dev.says("Reload refused: plugin `loud`: loud.lua:");
    place.write("loud.lua", &LOUD.replace("upper", "reverse"));
    dev.says("it was loaded again");
    publisher.publish("t", "abc");
    assert_eq!(subscriber.message(), "t cba");
}
