//! Scripts in a table, clients and messages.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use pintle_mqtt::{
    Properties, ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode, Timestamp, TopicName,
};
use pintle_plugin_host::{
    Budgets, ChainSpec, Code, DeliverErrorPolicy, ErrorKind, ErrorPolicy, LoadError, PluginHost,
    PluginSpec, PublishErrorPolicy, Script, SubscribeErrorPolicy,
};
use pintle_ports::{
    Action, AuthOutcome, ConnectAttempt, HookPath, Hooks, Identity, PublishRuling, Step, Transport,
    Verdict,
};

const LONG: Duration = Duration::from_millis(200);

/// A script with every failure policy the strictest.
pub(crate) fn script(source: &str) -> PluginSpec {
    named("script", source)
}

pub(crate) fn named(name: &str, source: &str) -> PluginSpec {
    let code = Code::Lua(Script::new(format!("{name}.lua"), source.as_bytes()));
    PluginSpec {
        on_error: ErrorPolicy {
            publish: Some(PublishErrorPolicy::Reject),
            subscribe: Some(SubscribeErrorPolicy::Reject),
            deliver: Some(DeliverErrorPolicy::Drop),
        },
        // A machine that has much to do does not make an answer late.
        budgets: Budgets {
            authorize: LONG,
            publish: LONG,
            subscribe: LONG,
            deliver: LONG,
            ..Budgets::default()
        },
        ..PluginSpec::of(name, code)
    }
}

/// A table of plugins, and the hooks over it.
pub(crate) struct Table {
    pub(crate) host: PluginHost,
    pub(crate) hooks: Arc<dyn Hooks>,
    /// A message comes each second, so that no plugin uses up its share of one.
    second: Cell<u64>,
}

pub(crate) fn load(plugins: impl IntoIterator<Item = PluginSpec>) -> Table {
    let host = try_load(plugins).unwrap();
    let hooks = host.hooks();
    Table::new(host, hooks)
}

pub(crate) fn try_load(
    plugins: impl IntoIterator<Item = PluginSpec>,
) -> Result<PluginHost, LoadError> {
    PluginHost::load(ChainSpec { plugins: plugins.into_iter().collect(), ..ChainSpec::default() })
}

/// What the loader says against a script.
pub(crate) fn refusal(source: &str) -> String {
    match try_load([script(source)]) {
        Ok(_) => panic!("the script was loaded"),
        Err(error) => error.to_string(),
    }
}

impl Table {
    pub(crate) fn new(host: PluginHost, hooks: Arc<dyn Hooks>) -> Self {
        Self { host, hooks, second: Cell::new(0) }
    }

    pub(crate) fn publish(&self, topic: &str, payload: &[u8]) -> PublishRuling {
        let who = client("c");
        let publish = message(topic, payload);
        let now = Timestamp::from_millis(self.second.get() * 1000);
        self.second.set(self.second.get() + 1);
        self.hooks.on_publish(HookPath::Client, Some(&who), &publish, now)
    }

    pub(crate) fn may_publish(&self, who: &Identity, topic: &str) -> Verdict {
        let publish = message(topic, b"");
        self.hooks.authorize(who, Action::Publish(&publish), Timestamp::default()).verdict
    }

    pub(crate) fn connect(&self, who: Identity, password: Option<&str>) -> AuthOutcome {
        let attempt = ConnectAttempt {
            who: Arc::new(who),
            password: password.map(|text| text.as_bytes().to_vec()),
            will_topic: None,
        };
        match self.hooks.authenticate(attempt) {
            Step::Done(outcome) => outcome,
            Step::Wait(outcome) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.unwrap().block_on(outcome)
            }
        }
    }

    /// Errors of `kind` that the first plugin is charged with.
    pub(crate) fn errors(&self, kind: ErrorKind) -> u64 {
        self.host.stats()[0].errors(kind)
    }
}

pub(crate) fn client(client_id: &str) -> Identity {
    Identity {
        session_key: client_id.bytes().map(u64::from).sum(),
        client_id: client_id.into(),
        username: None,
        granted: None,
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: None,
    }
}

pub(crate) fn user(client_id: &str, username: &str) -> Identity {
    Identity { username: Some(username.into()), ..client(client_id) }
}

pub(crate) fn message<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        flags: PublishFlags { qos: QoS::AtMostOnce, ..PublishFlags::default() },
        topic: Some(TopicName::new(topic).unwrap()),
        packet_id: None,
        properties: Properties::EMPTY,
        payload,
    }
}

/// Topic and payload of what a message became.
pub(crate) fn rewritten(ruling: &PublishRuling) -> (String, String) {
    match &ruling.verdict {
        pintle_ports::PublishVerdict::Rewrite(frame) => told(frame),
        other => panic!("not rewritten: {other:?}"),
    }
}

pub(crate) fn told(frame: &pintle_ports::MessageFrame) -> (String, String) {
    let run = frame.as_run().unwrap();
    let payload = String::from_utf8(run.head().payload.to_vec()).unwrap();
    (run.topic().to_string(), payload)
}

pub(crate) const FAILED: pintle_ports::PublishVerdict =
    pintle_ports::PublishVerdict::Reject(ReasonCode::ImplementationSpecificError);
