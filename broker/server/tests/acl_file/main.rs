//! `acl-file` as a component, in the broker's host, by the tests of the one that is linked in.
#![cfg(feature = "wasm")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on is to say so")]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pintle_mqtt::{Properties, ProtocolVersion, Publish, PublishFlags, QoS, TopicName};
use pintle_plugin_api::{ClientDescription, FileContent, Settings};
use pintle_plugin_host::{Budgets, ChainSpec, Code, PluginHost, PluginSpec, Script};
use pintle_ports::{Action, Granted, Identity, SubscriptionRequest, Transport};
use rights_tests::Asked;

#[path = "../../../../plugins/acl-file/src/rights_tests.rs"]
mod rights_tests;

/// The component, compiled once and given one file after another.
struct Acl(MutexGuard<'static, PluginHost>);

impl Acl {
    fn of(text: &str) -> Result<Self, String> {
        static HOST: OnceLock<Mutex<PluginHost>> = OnceLock::new();
        let host = HOST.get_or_init(|| Mutex::new(host()));
        let acl = Self(host.lock().unwrap_or_else(PoisonError::into_inner));
        acl.replace(text).map(|()| acl)
    }

    fn replace(&self, text: &str) -> Result<(), String> {
        self.0.reconfigure("acl-file", &settings(text)).map_err(|error| error.to_string())
    }

    /// The answer and the reason.
    fn says(&self, who: &ClientDescription, asked: Asked, topic: &str) -> (String, Option<String>) {
        let publish = Publish {
            flags: PublishFlags { qos: QoS::AtMostOnce, ..PublishFlags::default() },
            topic: TopicName::new(topic).ok(),
            packet_id: None,
            properties: Properties::EMPTY,
            payload: b"",
        };
        let subscription = SubscriptionRequest {
            filter: topic.to_owned(),
            share_name: None,
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        };
        let action = match asked {
            Asked::Publish => Action::Publish(&publish),
            Asked::Receive => Action::Receive(&publish),
            Asked::Will => Action::Will(&publish),
            Asked::Subscribe => Action::Subscribe(&subscription),
        };
        let explained = self.0.explain(&identity(who), action);
        let [voter] = explained.voters.as_slice() else { panic!("{explained}") };
        (voter.answer.clone(), voter.line.clone())
    }
}

fn host() -> PluginHost {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("plugins/acl-file/component/acl-file.wasm");
    let code = Code::Wasm(Script::new(&path, std::fs::read(&path).unwrap()));
    // A machine that has much to do does not make an answer late.
    let budgets = Budgets { authorize: Duration::from_secs(5), ..Budgets::default() };
    let spec = PluginSpec { budgets, settings: settings(""), ..PluginSpec::of("acl-file", code) };
    PluginHost::load(ChainSpec { plugins: vec![spec], ..ChainSpec::default() }).unwrap()
}

fn settings(text: &str) -> Settings {
    let file = FileContent { path: "conf/acl".into(), bytes: text.into() };
    let config = [("path".to_owned(), "acl".into())].into_iter().collect();
    Settings {
        config: serde_json::Value::Object(config),
        files: [("path".to_owned(), file)].into(),
    }
}

fn identity(who: &ClientDescription) -> Identity {
    // Somebody else's principal is what authentication found.
    let found = who.principal.as_deref().filter(|_| who.principal != who.username);
    Identity {
        session_key: 1,
        client_id: who.client_id.as_str().into(),
        username: who.username.as_deref().map(Into::into),
        granted: Granted::new(found.map(Into::into), None),
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: None,
    }
}
