//! Plugins drawn by lot, and what may be delivered while they are in the chain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle_engine::{Engine, EngineSettings};
use pintle_plugin_api::{
    Accepted, Action, Answer, AuthVerdict, CacheHint, Decision, Failure, Message, MessagePatch,
    NewMessage, PublishOutcome, PublishVerdict, Rule, RuleAction, RuleEffect,
};
use pintle_plugin_host::{Grants, PluginHost, PluginSpec};
use tokio::runtime::Runtime;

use crate::scenario::Scenario;
use crate::seen::Seen;
use crate::support::{Scripted, load};
use crate::witness::Witness;

pub(crate) const TOPICS: [&str; 4] = ["a", "b", "a/c", "$SYS/a"];
pub(crate) const GRANTS: [&str; 4] = ["a", "a/#", "#", "$SYS/#"];
/// Those who publish, and whose wills are sent.
pub(crate) const AUTHORS: [&str; 2] = ["p", "q"];
/// Those who hear: one from the start, the other only what is retained.
pub(crate) const READERS: [&str; 2] = ["s", "late"];

/// What somebody who is asked says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    Allow,
    Deny,
    Next,
}

/// By place in [`TOPICS`].
pub(crate) type Votes = [Vote; TOPICS.len()];

/// What one authorizer, or the rules of one client, say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    pub(crate) publish: Votes,
    pub(crate) receive: Votes,
}

/// What one plugin does with every message it sees, by place in [`TOPICS`], and what it may.
#[derive(Clone, Debug)]
pub(crate) struct Doings {
    pub(crate) wants: Option<usize>,
    pub(crate) rewrites_to: Option<usize>,
    pub(crate) retains: bool,
    pub(crate) drops: Option<usize>,
    pub(crate) emits: Vec<usize>,
    pub(crate) publishes: Vec<usize>,
    pub(crate) gives_to_a_reader: Option<usize>,
    pub(crate) granted: Option<usize>,
}

/// A table of plugins.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Of the clients in [`AUTHORS`], then of those in [`READERS`]; none for no rules.
    pub(crate) rules: [Option<Rights>; 4],
    pub(crate) authorizers: Vec<Rights>,
    pub(crate) chain: Vec<Doings>,
}

/// Something a client does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) author: usize,
    pub(crate) topic: usize,
    pub(crate) retain: bool,
    pub(crate) qos: u8,
}

fn place(topic: &str) -> usize {
    TOPICS.iter().position(|known| *known == topic).unwrap()
}

fn place_of_client(name: &str) -> usize {
    AUTHORS.iter().chain(&READERS).position(|known| *known == name).unwrap()
}

/// Whether a grant covers the topic, told without the code under test.
fn covers(granted: Option<usize>, topic: &str) -> bool {
    match granted.map(|granted| GRANTS[granted]) {
        None => false,
        Some("a") => topic == "a",
        Some("a/#") => topic == "a" || topic.starts_with("a/"),
        Some("#") => !topic.starts_with('$'),
        Some(_) => topic.starts_with("$SYS/"),
    }
}

impl Table {
    /// A no is final, else any yes is a yes, else it is one only if there was nobody to ask.
    fn may(&self, client: &str, of: impl Fn(&Rights) -> &Votes, topic: &str) -> bool {
        let rules = self.rules[place_of_client(client)].iter();
        let mut votes = rules.chain(&self.authorizers).map(|rights| of(rights)[place(topic)]);
        let count = votes.clone().count();
        count == 0
            || !votes.clone().any(|vote| vote == Vote::Deny)
                && votes.any(|vote| vote == Vote::Allow)
    }

    /// Whether what a reader was given may have come to it. Payloads tell who made a message, and
    /// for which topic.
    fn allows(&self, reader: &str, seen: &Seen) -> bool {
        let payload = seen.payload();
        let [kind, author, first] = payload.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{payload}");
        };
        let topics = [first, seen.topic()];
        let is_granted = match kind {
            "client" => topics.iter().all(|topic| self.may(author, |it| &it.publish, topic)),
            _ => {
                let granted = self.chain[author.parse::<usize>().unwrap()].granted;
                topics.iter().all(|topic| covers(granted, topic))
            }
        };
        // What is given to one client is the plugin's word alone.
        is_granted && (kind == "given" || self.may(reader, |it| &it.receive, seen.topic()))
    }

    fn plugins(&self, accepted: &Arc<AtomicUsize>) -> Vec<PluginSpec> {
        let rules = self.rules;
        let login = Scripted::default().authenticate(move |client, _| {
            let rules = rules[place_of_client(client.client_id())].map(rules_of);
            let rules = rules.unwrap_or_default();
            Answer::Now(AuthVerdict::Accept(Accepted { rules, ..Accepted::default() }))
        });
        let mut all = vec![login.named("login")];
        all.extend(self.authorizers.iter().enumerate().map(|(at, rights)| {
            let rights = *rights;
            let plugin = Scripted::default().authorize(move |_, action| decision(&rights, action));
            plugin.named(&format!("authorizer {at}"))
        }));
        let chain = self.chain.iter().enumerate();
        all.extend(chain.map(|(at, doings)| plugin(at, doings, Arc::clone(accepted))));
        all
    }
}

/// No rule is about subscribing: that is for the authorizers to allow, and where there is none, for
/// the last rule.
fn rules_of(rights: Rights) -> Vec<Rule> {
    let rule = |action, filter: &str, vote| Rule {
        effect: match vote {
            Vote::Allow => RuleEffect::Allow,
            Vote::Deny => RuleEffect::Deny,
            Vote::Next => RuleEffect::Ask,
        },
        action,
        filter: filter.to_owned(),
        max_qos: None,
        allow_retain: None,
    };
    let mut rules = Vec::new();
    for (at, topic) in TOPICS.iter().enumerate() {
        rules.push(rule(RuleAction::Publish, topic, rights.publish[at]));
        rules.push(rule(RuleAction::Receive, topic, rights.receive[at]));
    }
    rules.push(rule(RuleAction::Subscribe, "#", Vote::Allow));
    rules.push(rule(RuleAction::Subscribe, "$SYS/#", Vote::Allow));
    rules
}

fn decision(rights: &Rights, action: &Action<'_>) -> Decision {
    let vote = match action {
        Action::Publish(message) | Action::Will(message) => rights.publish[place(message.topic)],
        Action::Receive(message) => rights.receive[place(message.topic)],
        Action::Subscribe(_) => Vote::Allow,
    };
    match vote {
        Vote::Allow => Decision::Allow(CacheHint::until_invalidated()),
        Vote::Deny => Decision::Deny(Failure::code(0x87), CacheHint::until_invalidated()),
        Vote::Next => Decision::Next,
    }
}

fn plugin(at: usize, doings: &Doings, accepted: Arc<AtomicUsize>) -> PluginSpec {
    let plugin = Scripted::default();
    let (host, does) = (plugin.host(), doings.clone());
    let made = move |kind, topic: usize| {
        NewMessage::new(TOPICS[topic], format!("{kind} {at} {}", TOPICS[topic]))
    };
    let plugin = plugin.publish(move |_, _, message| {
        let host = host.lock().clone().unwrap();
        for &topic in &does.publishes {
            if host.publish(made("published", topic)).is_ok() {
                accepted.fetch_add(1, Ordering::AcqRel);
            }
        }
        if let Some(topic) = does.gives_to_a_reader
            && host.publish_to(READERS[0], made("given", topic)).is_ok()
        {
            accepted.fetch_add(1, Ordering::AcqRel);
        }
        let emit = does.emits.iter().map(|&topic| made("emitted", topic)).collect();
        PublishVerdict { outcome: outcome(&does, message), emit }
    });
    let publish = doings.granted.map(|granted| GRANTS[granted].to_owned());
    let grants = Grants { publish: publish.into_iter().collect(), ..Grants::default() };
    let topics = doings.wants.map(|topic| TOPICS[topic].to_owned()).into_iter().collect();
    PluginSpec { grants, topics, ..plugin.named(&at.to_string()) }
}

fn outcome(does: &Doings, message: &Message<'_>) -> PublishOutcome {
    if does.drops.is_some_and(|topic| TOPICS[topic] == message.topic) {
        return PublishOutcome::Drop;
    }
    PublishOutcome::Rewrite(MessagePatch {
        topic: does.rewrites_to.map(|topic| TOPICS[topic].to_owned()),
        retain: does.retains.then_some(true),
        ..MessagePatch::default()
    })
}

/// A broker with a table, and its clients.
pub(crate) struct Story {
    table: Table,
    b: Scenario,
    witness: Arc<Witness>,
    accepted: Arc<AtomicUsize>,
    runtime: Runtime,
    _host: PluginHost,
}

impl Story {
    pub(crate) fn new(table: Table) -> Self {
        let accepted = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let host = load(table.plugins(&accepted));
        let engine = Engine::new(EngineSettings::default(), host.hooks());
        let witness = Arc::new(Witness::new(Arc::clone(&engine)));
        {
            let _in_runtime = runtime.enter();
            host.connect_broker(Arc::clone(&witness) as _);
            runtime.spawn(host.run());
        }
        let mut b = Scenario::on(engine);
        b.client(READERS[0]).subscribes("#").subscribes("$SYS/#");
        Self { table, b, witness, accepted, runtime, _host: host }
    }

    pub(crate) fn take(&mut self, step: Step) {
        let (author, topic) = (AUTHORS[step.author], TOPICS[step.topic]);
        let payload = format!("client {author} {topic}");
        let message = self.b.client(author).publishes(topic, &payload).qos(step.qos);
        drop(if step.retain { message.retained() } else { message });
        self.come_to_rest();
    }

    /// Clients are lost, one will for each topic. Those who may not leave it are not let in.
    pub(crate) fn wills(&mut self) {
        for (at, topic) in TOPICS.iter().enumerate() {
            let author = AUTHORS[at % AUTHORS.len()];
            let payload = format!("client {author} {topic}");
            let connecting = self.b.connects(author).will(topic, &payload);
            let connecting = if at > 1 { connecting.will_retained() } else { connecting };
            let mut client = connecting.sent();
            if client.next_seen().short() == "CONNACK" {
                client.is_lost();
            }
            self.come_to_rest();
        }
    }

    /// Everything that came to a reader, and was not looked at.
    pub(crate) fn heard(&mut self, reader: &str) -> Vec<Seen> {
        self.b.client(reader).deliveries()
    }

    /// The first thing that should not have come to somebody.
    pub(crate) fn undue(&mut self) -> Option<String> {
        self.b.client(READERS[1]).subscribes("#").subscribes("$SYS/#");
        self.come_to_rest();
        READERS.iter().find_map(|reader| {
            let heard = self.heard(reader);
            let undue = heard.iter().find(|seen| !self.table.allows(reader, seen))?;
            Some(format!("{} under {} came to {reader}", undue.payload(), undue.topic()))
        })
    }

    /// Waits until what plugins have published has come to its end.
    fn come_to_rest(&mut self) {
        let Self { runtime, witness, accepted, .. } = self;
        runtime.block_on(async {
            while witness.done() < accepted.load(Ordering::Acquire) {
                tokio::task::yield_now().await;
            }
        });
        self.b.settle();
    }
}
