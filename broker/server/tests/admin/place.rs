//! A folder with a configuration, and a broker that runs by it.

use std::fs;
use std::path::{Path, PathBuf};

use pintle_server::config::{Flags, Sources};
use pintle_server::{Broker, Builder, PluginSpec, Running, StartError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::http::{Answer, over_socket, request};

pub(crate) const LISTENER: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\n";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in one step.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, beside) = (self.path(name), self.path(&format!("{name}.new")));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &path).unwrap();
        path
    }

    fn sources(&self) -> Sources {
        Sources {
            file: Some(self.path("pintle.toml")),
            environment: vec![("TOKEN".to_owned(), TOKEN.to_owned())],
            flags: Flags { data_dir: Some(self.path("data")), ..Flags::default() },
        }
    }

    pub(crate) fn builder(&self, config: &str) -> Builder {
        self.write("pintle.toml", &format!("{config}\n{LISTENER}"));
        Broker::builder().sources(self.sources())
    }

    pub(crate) fn start(&self, config: &str) -> Result<Running, StartError> {
        self.builder(config).start()
    }
}

/// A broker, and the folder it runs by.
pub(crate) struct House {
    pub(crate) place: Place,
    pub(crate) broker: Running,
}

impl House {
    pub(crate) fn new(config: &str) -> Self {
        let place = Place::new();
        let broker = place.start(config).unwrap();
        Self { place, broker }
    }

    pub(crate) fn with_plugin(config: &str, plugin: PluginSpec) -> Self {
        let place = Place::new();
        let broker = place.builder(config).plugin_with(plugin).start().unwrap();
        Self { place, broker }
    }

    pub(crate) fn socket(&self) -> &Path {
        self.broker.admin_socket().unwrap()
    }

    pub(crate) fn client(&self, id: &str) -> Client {
        Client::connect(self.broker.addresses()[0], id)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask("POST", path, &body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, "")
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        over_socket(self.socket(), &request(method, path, "Host: localhost\r\n", body))
    }

    /// Loads an ACL that allows what `rules` say.
    pub(crate) fn load_acl(&self, rules: &str) -> Value {
        let path = self.place.write("acl", rules);
        let config = json!({ "path": path });
        let body = json!({ "path": "builtin:acl-file", "name": "topics", "config": config });
        self.post("/plugins", &body).is(200)
    }

    /// What of messages to `topics` reaches a subscriber of everything. The last is always heard.
    pub(crate) fn heard(&self, topics: &[&str]) -> Vec<String> {
        let (mut subscriber, mut publisher) = (self.client("sub"), self.client("pub"));
        subscriber.subscribe("open/#");
        subscriber.subscribe("closed/#");
        for topic in topics {
            publisher.publish(topic, "x");
        }
        publisher.publish("open/end", "x");
        let mut heard = Vec::new();
        loop {
            let message = subscriber.message();
            if message == "open/end x" {
                return heard;
            }
            heard.push(message.trim_end_matches(" x").to_owned());
        }
    }
}
