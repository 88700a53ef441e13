//! A broker with plugins that mean harm, and clients that have nothing to do with them.

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use pintle_tests::{Broker, Client};

use crate::PINTLE;

/// The code of a plugin, as its file is called and written.
pub(crate) struct Code {
    pub(crate) file: &'static str,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn lua(source: &str) -> Code {
    Code { file: "hostile.lua", bytes: source.as_bytes().to_vec() }
}

pub(crate) fn wasm(component: impl Into<Vec<u8>>) -> Code {
    Code { file: "hostile.wasm", bytes: component.into() }
}

/// A broker, and its plugin `hostile` if it has but one.
pub(crate) struct House {
    pub(crate) broker: Broker,
    began: Instant,
}

impl House {
    /// A broker with the plugin `hostile`, whose entry goes on with `entry`.
    pub(crate) fn with(code: &Code, entry: &str) -> Self {
        Self::with_chain(&[("hostile", code, entry)])
    }

    /// A broker with plugins by name, code and the rest of their entries.
    pub(crate) fn with_chain(plugins: &[(&str, &Code, &str)]) -> Self {
        let broker = PINTLE.prepare(|folder| {
            let mut config = "[[listener]]\nbind = \"127.0.0.1:0\"\nanonymous = true\n".to_owned();
            for (name, code, entry) in plugins {
                fs::write(folder.join(code.file), &code.bytes).expect("the plugin is written");
                let file = code.file;
                config += &format!("[[plugin]]\nname = \"{name}\"\nuse = \"{file}\"\n{entry}\n");
            }
            config
        });
        Self { broker, began: Instant::now() }
    }

    /// Puts other code where that of the plugin is, in one step.
    pub(crate) fn writes(&self, code: &Code) {
        let (path, beside) = (self.broker.file(code.file), self.broker.file("beside"));
        fs::write(&beside, &code.bytes).expect("the plugin is written");
        fs::rename(beside, path).expect("the plugin is put in its place");
    }

    /// What `pintle plugin` says to these words.
    #[track_caller]
    pub(crate) fn plugin(&self, words: &[&str]) -> String {
        let mut command = Command::new(PINTLE.0);
        let config = self.broker.file("pintle.toml");
        command.arg("plugin").args(words).arg("-c").arg(config).current_dir(self.broker.folder());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PINTLE_") {
                command.env_remove(name);
            }
        }
        let Output { status, stdout, stderr } = command.output().expect("the command runs");
        assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("it is text")
    }

    /// The plugin `hostile` has failed `count` times in `hook` in this way, which `plugin stats`
    /// shows together with `why`, and which the log told once.
    #[track_caller]
    pub(crate) fn has_counted(&self, hook: &str, kind: &str, count: u32, why: &str) {
        let stats = self.plugin(&["stats", "hostile"]);
        let of_hook = stats.lines().find(|line| line.trim_start().starts_with(hook));
        let of_hook = of_hook.unwrap_or_else(|| panic!("no {hook} in {stats}"));
        assert!(of_hook.contains(&format!("{kind} {count}")), "{kind} {count}? {stats}");
        let last = stats.lines().find(|line| line.trim_start().starts_with("last error: "));
        let last = last.unwrap_or_else(|| panic!("no last error in {stats}"));
        assert!(last.contains(hook) && last.contains(why), "{why}? {stats}");
        let words = ["A plugin failed.", "hostile", hook, kind, why];
        self.broker.says(&words);
        let log = self.broker.log();
        let told = log.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
        // An error that goes on is told again after ten seconds.
        let told_max = 1 + self.began.elapsed().as_secs() / 10;
        assert!(told as u64 <= told_max, "{told} times:\n{}", log.join("\n"));
    }
}

/// Clients that have nothing to do with the plugin, as many as to be on every worker.
pub(crate) struct Others {
    pairs: Vec<(String, Client, Client)>,
    messages: u32,
}

impl Others {
    /// Their topics have two letters, by which plugins know them.
    pub(crate) fn of(broker: &Broker) -> Self {
        let pairs = (0..3).map(|pair| {
            let topic = format!("o{pair}");
            let mut subscriber = broker.v5(&format!("subscriber {pair}"));
            subscriber.subscribes(&topic, 1);
            (topic, broker.v5(&format!("publisher {pair}")), subscriber)
        });
        let mut others = Self { pairs: pairs.collect(), messages: 0 };
        others.go_on();
        others
    }

    /// Each hears the next message of its own, and none but that.
    #[track_caller]
    pub(crate) fn go_on(&mut self) {
        self.messages += 1;
        let payload = self.messages.to_string();
        for (topic, publisher, subscriber) in &mut self.pairs {
            publisher.publishes_at(1, topic, &payload);
            subscriber.receives(topic, &payload);
        }
    }
}
