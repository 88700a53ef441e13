//! What a hook costs the message that meets it: figures, breaker and caught panics included.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pintle_mqtt::{
    Properties, Property, PropertyBuffer, ProtocolVersion, Publish, PublishFlags, QoS, Timestamp,
    TopicName,
};
use pintle_plugin_api::{
    About, Accepted, Action as ApiAction, Answer, AuthVerdict, CacheHint, Client, Credentials,
    Decision, DeliverVerdict, Hooks as HookSet, Message, MessagePatch, Origin, Plugin,
    PublishOutcome, PublishVerdict, Rule, RuleAction, RuleEffect,
};
use pintle_plugin_host::{
    ChainSpec, DeliverErrorPolicy, ErrorPolicy, PluginHost, PluginSpec, PublishErrorPolicy,
    no_hooks,
};
use pintle_ports::{
    Action, AuthOutcome, ConnectAttempt, Granted, HookPath, Hooks, Identity, Step, Transport, Voter,
};

const TOPIC: &str = "sensors/kitchen/temperature";
const NOW: Timestamp = Timestamp::from_millis(1_000);

/// Says yes to everything, and leaves or changes messages as it is told.
struct Benign {
    hooks: HookSet,
    patch: Option<MessagePatch>,
    hint: CacheHint,
    rules: Vec<Rule>,
}

impl Benign {
    fn new(hooks: HookSet) -> Self {
        let hint = CacheHint::until_invalidated();
        Self { hooks, patch: None, hint, rules: Vec::new() }
    }
}

impl Plugin for Benign {
    fn about(&self) -> About {
        About::new("benign", "1.0.0", self.hooks)
    }

    fn authenticate(&self, _: &dyn Client, _: &Credentials) -> Answer<AuthVerdict> {
        let rules = self.rules.clone();
        Answer::Now(AuthVerdict::Accept(Accepted { rules, ..Accepted::default() }))
    }

    fn authorize(&self, client: &dyn Client, action: &ApiAction<'_>) -> Decision {
        black_box((client.client_id(), action));
        Decision::Allow(self.hint.clone())
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        black_box(message);
        match &self.patch {
            None => PublishOutcome::Pass.into(),
            Some(patch) => PublishOutcome::Rewrite(patch.clone()).into(),
        }
    }

    fn cohort(&self, _: &dyn Client) -> Option<String> {
        Some("all".to_owned())
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> DeliverVerdict {
        black_box((cohort, message));
        DeliverVerdict::Pass
    }
}

fn hooks_of(plugins: impl IntoIterator<Item = Benign>) -> Arc<dyn Hooks> {
    let on_error = ErrorPolicy {
        publish: Some(PublishErrorPolicy::Reject),
        deliver: Some(DeliverErrorPolicy::Drop),
        ..ErrorPolicy::default()
    };
    let specs = plugins.into_iter().enumerate().map(|(at, plugin)| PluginSpec {
        on_error,
        ..PluginSpec::new(format!("p{at}"), Arc::new(plugin))
    });
    let spec = ChainSpec { plugins: specs.collect(), ..ChainSpec::default() };
    PluginHost::load(spec).map_or_else(|_| no_hooks(), |host| host.hooks())
}

fn many(count: usize, hooks: HookSet) -> Arc<dyn Hooks> {
    hooks_of((0..count).map(|_| Benign::new(hooks)))
}

fn client(rules: Option<Arc<dyn Voter>>) -> Identity {
    Identity {
        session_key: 1,
        client_id: "c1".into(),
        username: Some("alice".into()),
        granted: Granted::new(None, rules),
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: None,
    }
}

fn publish(properties: Properties<'_>) -> Publish<'_> {
    Publish {
        flags: PublishFlags { dup: false, qos: QoS::AtMostOnce, retain: false },
        topic: Some(TopicName::trusted(TOPIC)),
        packet_id: None,
        properties,
        payload: &[b'x'; 64],
    }
}

fn properties() -> PropertyBuffer {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::MessageExpiryInterval(60));
    properties.push(Property::ContentType("application/json"));
    properties.push(Property::UserProperty(("origin", "bench")));
    properties
}

fn authorize(c: &mut Criterion) {
    let mut group = c.benchmark_group("authorize");
    let who = client(None);
    let publish = publish(Properties::EMPTY);
    for count in [0, 1, 3] {
        let hooks = many(count, HookSet::AUTHORIZE);
        group.bench_function(BenchmarkId::new("plugins", count), |b| {
            b.iter(|| hooks.authorize(black_box(&who), Action::Publish(black_box(&publish)), NOW));
        });
    }
    let mut filtered = Benign::new(HookSet::AUTHORIZE);
    filtered.hint.filter = Some("sensors/#".to_owned());
    let hooks = hooks_of([filtered]);
    group.bench_function("a kept decision", |b| {
        b.iter(|| hooks.authorize(black_box(&who), Action::Publish(black_box(&publish)), NOW));
    });
    group.finish();
}

/// Fifty rules of which only the last matches.
fn fifty_rules() -> Vec<Rule> {
    let filters = (0..50).map(|number| match number {
        49 => "sensors/+/temperature".to_owned(),
        number if number % 2 == 0 => format!("sensors/room{number}/#"),
        number => format!("+/room{number}/+"),
    });
    let allow = |filter| Rule {
        effect: RuleEffect::Allow,
        action: RuleAction::Publish,
        filter,
        max_qos: None,
        allow_retain: None,
    };
    filters.map(allow).collect()
}

fn rules(c: &mut Criterion) {
    let plugin = Benign { rules: fifty_rules(), ..Benign::new(HookSet::AUTHENTICATE) };
    let hooks = hooks_of([plugin]);
    let attempt = ConnectAttempt { who: Arc::new(client(None)), password: None, will_topic: None };
    let Step::Done(AuthOutcome::Accept(admission)) = hooks.authenticate(attempt) else {
        return;
    };
    let who = client(admission.rules);
    let publish = publish(Properties::EMPTY);
    c.bench_function("authorize/50 rules, the last matches", |b| {
        b.iter(|| hooks.authorize(black_box(&who), Action::Publish(black_box(&publish)), NOW));
    });
}

fn on_publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("on_publish");
    let who = client(None);
    let bare = publish(Properties::EMPTY);
    let buffer = properties();
    let rich = publish(buffer.as_properties());
    for count in [1, 3] {
        let hooks = many(count, HookSet::PUBLISH);
        for (name, publish) in [("pass", &bare), ("pass with properties", &rich)] {
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| hooks.on_publish(HookPath::Client, Some(&who), black_box(publish), NOW));
            });
        }
    }
    let patch = MessagePatch { payload: Some(vec![b'y'; 64]), ..MessagePatch::default() };
    let hooks = hooks_of([Benign { patch: Some(patch), ..Benign::new(HookSet::PUBLISH) }]);
    group.bench_function("rewrite", |b| {
        b.iter(|| hooks.on_publish(HookPath::Client, Some(&who), black_box(&bare), NOW));
    });
    group.finish();
}

fn on_deliver(c: &mut Criterion) {
    let publish = publish(Properties::EMPTY);
    let hooks = many(1, HookSet::DELIVER);
    let cohort = hooks.cohort(&client(None));
    c.bench_function("on_deliver/pass", |b| {
        b.iter(|| hooks.on_deliver(black_box(cohort), black_box(&publish), NOW));
    });
}

criterion_group!(benches, authorize, rules, on_publish, on_deliver);
criterion_main!(benches);
