//! What a hook costs the message that meets it when the hook is a Lua script: figures, breaker,
//! share and deadline included.

use std::cell::Cell;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pintle_mqtt::{Properties, ProtocolVersion, Publish, PublishFlags, QoS, Timestamp, TopicName};
use pintle_plugin_api::{
    About, Action as ApiAction, CacheHint, Client, Decision, Hooks as HookSet, Message, Origin,
    Plugin, PublishOutcome, PublishVerdict,
};
use pintle_plugin_host::{
    Budgets, ChainSpec, Code, ErrorPolicy, PluginHost, PluginSpec, PublishErrorPolicy, Script,
    no_hooks,
};
use pintle_ports::{Action, HookPath, Hooks, Identity, Transport};

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
    return string.upper(payload)
end }";
const REWRITE_TABLE: &str = "return { on_publish = function(client, topic, payload)
    return broker.rewrite { payload = payload, topic = 'made/topic' }
end }";

/// The least that can be: what the host itself costs.
struct Native;

impl Plugin for Native {
    fn about(&self) -> About {
        About::new("native", "1.0.0", HookSet::AUTHORIZE.and(HookSet::PUBLISH))
    }

    fn authorize(&self, client: &dyn Client, action: &ApiAction<'_>) -> Decision {
        black_box((client.client_id(), action));
        Decision::Allow(CacheHint::never())
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

fn hooks_of(code: Code, topics: &[&str]) -> Arc<dyn Hooks> {
    let plugin = PluginSpec {
        on_error: ErrorPolicy {
            publish: Some(PublishErrorPolicy::Reject),
            ..ErrorPolicy::default()
        },
        budgets: Budgets { authorize: LONG, publish: LONG, ..Budgets::default() },
        topics: topics.iter().map(|&filter| filter.to_owned()).collect(),
        ..PluginSpec::of("bench", code)
    };
    let spec = ChainSpec { plugins: vec![plugin], ..ChainSpec::default() };
    PluginHost::load(spec).map_or_else(|_| no_hooks(), |host| host.hooks())
}

fn lua(source: &str) -> Arc<dyn Hooks> {
    hooks_of(Code::Lua(Script::new("bench.lua", source.as_bytes())), &[])
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

fn publish(payload: &[u8]) -> Publish<'_> {
    Publish {
        flags: PublishFlags { dup: false, qos: QoS::AtMostOnce, retain: false },
        topic: Some(TopicName::trusted(TOPIC)),
        packet_id: None,
        properties: Properties::EMPTY,
        payload,
    }
}

fn authorize(c: &mut Criterion) {
    let mut group = c.benchmark_group("authorize");
    let (who, publish) = (client(), publish(&[b'x'; 64]));
    let tables = [
        ("native", hooks_of(Code::Native(Arc::new(Native)), &[])),
        ("Lua", lua(ALLOW)),
        ("Lua, a kept decision", lua(ALLOW_SENSORS)),
    ];
    for (name, hooks) in tables {
        let clock = Clock::default();
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
    let (who, small, payload) = (client(), [b'x'; 64], [b'x'; 256]);
    let script = |source: &str| Code::Lua(Script::new("bench.lua", source.as_bytes()));
    let cases: [(&str, Arc<dyn Hooks>, &[u8]); 7] = [
        ("native", hooks_of(Code::Native(Arc::new(Native)), &[]), &small),
        (
            "no match, asked all the same",
            hooks_of(script(PASS_PAYLOAD), &["cellar/+/humidity"]),
            &small,
        ),
        ("Lua, topic", lua(PASS_TOPIC), &small),
        ("Lua, payload of 64 B", lua(PASS_PAYLOAD), &small),
        ("Lua, message", lua(PASS_MESSAGE), &small),
        ("Lua, rewrite of 256 B", lua(REWRITE), &payload),
        ("Lua, rewrite of payload and topic", lua(REWRITE_TABLE), &payload),
    ];
    let hooks = hooks_of(script(PASS_PAYLOAD), &["cellar/+/humidity"]);
    group.bench_function("no match", |b| {
        b.iter(|| hooks.wants_publish(black_box(TopicName::trusted(TOPIC))));
    });
    for (name, hooks, payload) in cases {
        let publish = publish(payload);
        let clock = Clock::default();
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
    for (name, source) in [("topics", PASS_TOPIC), ("payloads", PASS_PAYLOAD)] {
        let hooks = lua(source);
        let mut count = 0_u64;
        let mut topics = texts.iter().cycle();
        let clock = Clock::default();
        group.bench_function(name, |b| {
            b.iter(|| {
                count += 1;
                let mut payload = [b'x'; 64];
                payload[..8].copy_from_slice(&count.to_le_bytes());
                let topic = match name {
                    "topics" => topics.next().map_or(TOPIC, String::as_str),
                    _ => TOPIC,
                };
                let topic = Some(TopicName::trusted(topic));
                let publish = Publish { topic, ..publish(&payload) };
                hooks.on_publish(HookPath::Client, Some(&who), black_box(&publish), clock.now())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, authorize, on_publish, changing);
criterion_main!(benches);
