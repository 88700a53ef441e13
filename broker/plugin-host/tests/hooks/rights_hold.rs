use std::sync::Arc;

use pintle_plugin_api::{MessagePatch, NewMessage, PublishOutcome, PublishVerdict};
use pintle_plugin_host::{Grants, PluginSpec};
use pintle_ports::{HookPath, MessageFrame};
use proptest::prelude::*;

use crate::support::{Notebook, Scripted, at, client, load, message, told};

const TOPICS: [&str; 4] = ["a", "b", "a/c", "$SYS/a"];
const GRANTS: [&str; 4] = ["a", "a/#", "#", "$SYS/#"];

/// What one plugin does with every message it sees, by place in [`TOPICS`], and what it may.
#[derive(Clone, Debug)]
struct Doings {
    rewrites_to: Option<usize>,
    emits: Vec<usize>,
    publishes: Vec<usize>,
    gives_to_one: Option<usize>,
    granted: Option<usize>,
}

fn doings() -> impl Strategy<Value = Doings> {
    let some = || proptest::option::of(0..TOPICS.len());
    let several = || proptest::collection::vec(0..TOPICS.len(), 0..3);
    (some(), several(), several(), some(), some()).prop_map(
        |(rewrites_to, emits, publishes, gives_to_one, granted)| Doings {
            rewrites_to,
            emits,
            publishes,
            gives_to_one,
            granted,
        },
    )
}

fn plugin(name: &str, doings: &Doings) -> PluginSpec {
    let plugin = Scripted::default();
    let (host, does) = (plugin.host(), doings.clone());
    let plugin = plugin.publish(move |_, _, _| {
        let host = host.lock().clone().unwrap();
        for &topic in &does.publishes {
            let _ = host.publish(NewMessage::new(TOPICS[topic], "published"));
        }
        if let Some(topic) = does.gives_to_one {
            let _ = host.publish_to("c", NewMessage::new(TOPICS[topic], "given"));
        }
        let outcome = match does.rewrites_to {
            None => PublishOutcome::Pass,
            Some(topic) => PublishOutcome::Rewrite(MessagePatch {
                topic: Some(TOPICS[topic].to_owned()),
                ..MessagePatch::default()
            }),
        };
        let emit = does.emits.iter().map(|&topic| NewMessage::new(TOPICS[topic], "emitted"));
        PublishVerdict { outcome, emit: emit.collect() }
    });
    let publish = doings.granted.map(|granted| GRANTS[granted].to_owned());
    let grants = Grants { publish: publish.into_iter().collect(), ..Grants::default() };
    PluginSpec { grants, ..plugin.named(name) }
}

/// Whether the grant of this place covers the topic, told without the code under test.
fn covers(granted: Option<usize>, topic: &str) -> bool {
    match granted.map(|granted| GRANTS[granted]) {
        None => false,
        Some("a") => topic == "a",
        Some("a/#") => topic == "a" || topic.starts_with("a/"),
        Some("#") => !topic.starts_with('$'),
        Some(_) => topic.starts_with("$SYS/"),
    }
}

/// The plugin that made a message, by its place.
fn maker(path: HookPath) -> usize {
    match path {
        HookPath::Plugin { plugin, .. } => usize::from(plugin.0),
        other => panic!("{other:?} is no plugin's"),
    }
}

proptest! {
    #[test]
    fn whatever_plugins_do_only_what_they_are_granted_leaves_them(
        chain in proptest::collection::vec(doings(), 1..4),
    ) {
        let plugins = chain.iter().enumerate().map(|(at, doings)| plugin(&at.to_string(), doings));
        let host = load(plugins);
        let broker = Arc::new(Notebook::default());
        host.connect_broker(Arc::clone(&broker) as _);
        let hooks = host.hooks();
        let who = client("c");
        let first = hooks.on_publish(HookPath::Client, Some(&who), &message("a", b"x"), at(0));
        let mut waiting: Vec<(MessageFrame, HookPath)> = first.emits;
        let mut count = 0;
        while let Some((frame, path)) = waiting.pop() {
            count += 1;
            prop_assert!(count < 1_000, "no end");
            let (topic, _) = told(&frame);
            prop_assert!(covers(chain[maker(path)].granted, &topic), "{topic} by {path:?}");
            let run = frame.as_run().unwrap();
            let ruling = hooks.on_publish(path, None, run.head(), at(0));
            waiting.extend(ruling.emits);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (tell, done) = std::sync::mpsc::channel();
        *broker.on_publish.lock() = Some(Box::new(move || tell.send(()).unwrap()));
        let granted: usize = chain
            .iter()
            .map(|doings| {
                let topics = doings.publishes.iter();
                topics.filter(|&&topic| covers(doings.granted, TOPICS[topic])).count()
            })
            .sum();
        if granted > 0 {
            runtime.spawn(host.run());
            runtime.block_on(async {
                while done.try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
            });
        }
        for (topic, payload, path) in &*broker.published.lock() {
            prop_assert_eq!(payload, "published");
            prop_assert!(covers(chain[maker(*path)].granted, topic), "{} by {:?}", topic, path);
        }
        for given in &*broker.in_place.lock() {
            let topic = given.strip_prefix("to c: ").and_then(|rest| rest.split(' ').next());
            let topic = topic.unwrap();
            prop_assert!(chain.iter().any(|doings| covers(doings.granted, topic)), "{}", topic);
        }
    }
}
