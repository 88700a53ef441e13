//! What a hook costs the message that meets it, by what its plugin is written in: figures, breaker,
//! share and deadline included.

#[allow(dead_code, reason = "not all of it is asked for here")]
#[path = "../instructions/engine_loop.rs"]
mod engine_loop;

use std::cell::Cell;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pintle_mqtt::{
    Layout, Properties, ProtocolVersion, Publish, PublishFlags, QoS, Timestamp, TopicName,
};
use pintle_plugin_api::{
    About, Action as ApiAction, CacheHint, Client, Decision, Hooks as HookSet, Message, Origin,
    Plugin, PublishOutcome, PublishVerdict, Settings,
};
use pintle_plugin_host::{
    Budgets, ChainSpec, Code, ErrorPolicy, PluginHost, PluginSpec, PublishErrorPolicy, Script,
    no_hooks,
};
use pintle_ports::{Action, HookPath, Hooks, Identity, Transport};
use serde_json::{Value, json};

use crate::engine_loop::EngineLoop;

const TOPIC: &str = "sensors/kitchen/temperature";

/// A machine that has much to do does not make an answer late.
const LONG: Duration = Duration::from_secs(10);

/// Goes on, so that calls during which the machine did something else do not use up the plugin's
/// share of one second for good.
#[derive(Default)]
struct Clock {
    calls: Cell<u64>,
}

impl Clock {
    fn now(&self) -> Timestamp {
        self.calls.set(self.calls.get() + 1);
        Timestamp::from_millis(1_000 + self.calls.get() / 100)
    }
}

const COMPONENT: &[u8] = include_bytes!("../component/asked.wasm");

const ALLOW: &str = "return { authorize = function(client, action, topic)
    return client.id == 'c1' and action == 'publish' and topic ~= ''
end }";
const ALLOW_SENSORS: &str = "return { authorize = function(client, action, topic)
    return true, { ttl = 3600, filter = 'sensors/#' }
end }";
const PASS_TOPIC: &str = "return { on_publish = function(client, topic) end }";
const PASS_PAYLOAD: &str = "return { on_publish = function(client, topic, payload) end }";
const PASS_MESSAGE: &str = "return { on_publish = function(client, topic, payload, message) end }";
const REWRITE: &str = "return { on_publish = function(client, topic, payload)
    return payload .. '!'
end }";
const REWRITE_TABLE: &str = "return { on_publish = function(client, topic, payload)
    return broker.rewrite { payload = payload .. '!', topic = 'made/topic' }
end }";

/// The least that can be: what the host itself costs.
struct Native(HookSet);

impl Plugin for Native {
    fn about(&self) -> About {
        About::new("native", "1.0.0", self.0)
    }

    fn authorize(&self, client: &dyn Client, action: &ApiAction<'_>) -> Decision {
        black_box((client.client_id(), action));
        Decision::Allow(CacheHint::default())
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        black_box(message);
        PublishOutcome::Pass.into()
    }
}

fn spec(code: Code) -> PluginSpec {
    PluginSpec {
        on_error: ErrorPolicy {
            publish: Some(PublishErrorPolicy::Reject),
            ..ErrorPolicy::default()
        },
        budgets: Budgets { authorize: LONG, publish: LONG, ..Budgets::default() },
        ..PluginSpec::of("bench", code)
    }
}

fn native(hooks: HookSet) -> PluginSpec {
    spec(Code::Native(Arc::new(Native(hooks))))
}

fn lua(source: &str) -> PluginSpec {
    spec(Code::Lua(Script::new("bench.lua", source.as_bytes())))
}

/// The component that is told to do this.
fn wasm(config: Value) -> PluginSpec {
    let settings = Settings { config, ..Settings::default() };
    PluginSpec { settings, ..spec(Code::Wasm(Script::new("asked.wasm", COMPONENT))) }
}

/// The same for topics of which none is asked about here.
fn of_others(plugin: PluginSpec) -> PluginSpec {
    PluginSpec { topics: vec!["cellar/+/humidity".to_owned()], ..plugin }
}

#[expect(clippy::panic, reason = "what is not loaded is not to be measured")]
fn load(plugin: PluginSpec) -> Arc<dyn Hooks> {
    let spec = ChainSpec { plugins: vec![plugin], ..ChainSpec::default() };
    PluginHost::load(spec).unwrap_or_else(|error| panic!("{error}")).hooks()
}

fn client() -> Identity {
    Identity {
        session_key: 1,
        client_id: "c1".into(),
        username: Some("alice".into()),
        granted: None,
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: Some(SocketAddr::from(([127, 0, 0, 1], 50_000)).into()),
    }
}

fn publish<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        flags: PublishFlags { dup: false, qos: QoS::AtMostOnce, retain: false },
        topic: Some(TopicName::trusted(topic)),
        packet_id: None,
        properties: Properties::EMPTY,
        payload,
    }
}

fn authorize(c: &mut Criterion) {
    let mut group = c.benchmark_group("authorize");
    let (who, publish) = (client(), publish(TOPIC, &[b'x'; 64]));
    let plugins = [
        ("native", native(HookSet::AUTHORIZE)),
        ("Lua", lua(ALLOW)),
        ("Wasm", wasm(json!({ "acl": true }))),
        ("Lua, a decision kept for a filter", lua(ALLOW_SENSORS)),
        ("Wasm, a decision kept for a filter", wasm(json!({ "acl": true, "filter": "sensors/#" }))),
    ];
    for (name, plugin) in plugins {
        let (hooks, clock) = (load(plugin), Clock::default());
        group.bench_function(name, |b| {
            b.iter(|| {
                hooks.authorize(black_box(&who), Action::Publish(black_box(&publish)), clock.now())
            });
        });
    }
    group.finish();
}

fn on_publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("on_publish");
    let (who, small, some, large) = (client(), [b'x'; 64], [b'x'; 256], [b'x'; 64 << 10]);
    let with_payload = || wasm(json!({ "payload": true }));
    let topic = "made/topic";
    let plugins: [(&str, PluginSpec, &[u8]); 14] = [
        ("native", native(HookSet::PUBLISH), &small),
        ("no match, asked all the same", of_others(lua(PASS_PAYLOAD)), &small),
        ("Lua, topic", lua(PASS_TOPIC), &small),
        ("Lua, payload of 64 B", lua(PASS_PAYLOAD), &small),
        ("Lua, message", lua(PASS_MESSAGE), &small),
        ("Lua, topic beside 64 KiB", lua(PASS_TOPIC), &large),
        ("Lua, rewrite of 256 B", lua(REWRITE), &some),
        ("Lua, rewrite of payload and topic", lua(REWRITE_TABLE), &some),
        ("Wasm, topic", wasm(json!({})), &small),
        ("Wasm, payload of 64 B", with_payload(), &small),
        ("Wasm, topic beside 64 KiB", wasm(json!({})), &large),
        ("Wasm, payload of 64 KiB", with_payload(), &large),
        ("Wasm, rewrite of 256 B", wasm(json!({ "payload": true, "rewrite": true })), &some),
        (
            "Wasm, rewrite of payload and topic",
            wasm(json!({ "payload": true, "rewrite": true, "topic": topic })),
            &some,
        ),
    ];
    for (name, plugin) in [("Lua", lua(PASS_PAYLOAD)), ("Wasm", with_payload())] {
        let hooks = load(of_others(plugin));
        group.bench_function(format!("{name}, no match"), |b| {
            b.iter(|| hooks.wants_publish(black_box(TopicName::trusted(TOPIC))));
        });
    }
    for (name, plugin, payload) in plugins {
        let (hooks, clock, publish) = (load(plugin), Clock::default(), publish(TOPIC, payload));
        group.bench_function(name, |b| {
            b.iter(|| {
                hooks.on_publish(HookPath::Client, Some(&who), black_box(&publish), clock.now())
            });
        });
    }
    group.finish();
}

/// Payloads that are not the same twice, and topics that are not.
fn changing(c: &mut Criterion) {
    let mut group = c.benchmark_group("changing");
    let who = client();
    let texts: Vec<String> = (0..10_000).map(|at| format!("sensors/{at}/temperature")).collect();
    let plugins = [
        ("Lua, topics", lua(PASS_TOPIC), &*texts),
        ("Lua, payloads", lua(PASS_PAYLOAD), &[TOPIC.to_owned()]),
        ("Wasm, topics", wasm(json!({})), &*texts),
        ("Wasm, payloads", wasm(json!({ "payload": true })), &[TOPIC.to_owned()]),
    ];
    for (name, plugin, topics) in plugins {
        let (hooks, clock) = (load(plugin), Clock::default());
        let mut topics = topics.iter().zip(0_u64..).cycle();
        group.bench_function(name, |b| {
            b.iter(|| {
                let (topic, number) = topics.next().map_or((TOPIC, 0), |(it, at)| (it, at));
                let mut payload = [b'x'; 64];
                payload[..8].copy_from_slice(&number.to_le_bytes());
                let publish = publish(topic, &payload);
                hooks.on_publish(HookPath::Client, Some(&who), black_box(&publish), clock.now())
            });
        });
    }
    group.finish();
}

/// A message to nobody through the engine. What `authorize` says without a word about how long it
/// holds is kept there, and costs what is above the line of `nobody`.
fn kept_by_the_engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("kept_by_the_engine");
    let chains = [
        ("nobody", no_hooks()),
        ("native", load(native(HookSet::AUTHORIZE))),
        ("Lua", load(lua(ALLOW))),
        ("Wasm", load(wasm(json!({ "acl": true })))),
    ];
    let mut bytes = Vec::new();
    publish(TOPIC, &[b'x'; 64]).encode(Layout::V3, &mut bytes);
    for (name, hooks) in chains {
        let mut engine = EngineLoop::new(hooks);
        let mut publisher = engine.connect("c1", ProtocolVersion::V3_1_1);
        group.bench_function(name, |b| {
            b.iter(|| engine.receive(&mut publisher, black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, authorize, on_publish, changing, kept_by_the_engine);
criterion_main!(benches);
