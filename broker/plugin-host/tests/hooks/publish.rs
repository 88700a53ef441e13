use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pintle_mqtt::{Property, PropertyBuffer, Publish, QoS, ReasonCode, TopicName};
use pintle_plugin_api::{
    Failure, MessagePatch, NewMessage, Origin, PublishOutcome, PublishVerdict, QoS as ApiQoS,
};
use pintle_plugin_host::{
    ChainSpec, ErrorKind, ErrorPolicy, Grants, HookOrder, PluginHost, PluginSpec,
    PublishErrorPolicy, no_hooks,
};
use pintle_ports::{
    HookPath, Hooks, MessageFrame, PluginId, PublishRuling, PublishVerdict as Outcome,
};

use crate::support::{Scripted, at, client, load, message, told};

const REFUSED: Outcome = Outcome::Reject(ReasonCode::ImplementationSpecificError);

fn plugin(
    name: &str,
    hook: impl Fn(&pintle_plugin_api::Message<'_>) -> PublishVerdict + Send + Sync + 'static,
) -> PluginSpec {
    Scripted::default().publish(move |_, _, message| hook(message)).named(name)
}

fn answering(name: &str, outcome: PublishOutcome) -> PluginSpec {
    plugin(name, move |_| outcome.clone().into())
}

fn rewriting(name: &str, patch: MessagePatch) -> PluginSpec {
    answering(name, PublishOutcome::Rewrite(patch))
}

/// Adds its name to the payload.
fn signing(name: &'static str) -> PluginSpec {
    plugin(name, move |message| {
        let mut payload = message.payload.to_vec();
        payload.extend_from_slice(name.as_bytes());
        PublishOutcome::Rewrite(MessagePatch { payload: Some(payload), ..MessagePatch::default() })
            .into()
    })
}

/// Emits a message to `topic` for each one it sees.
fn emitting(name: &str, topic: &'static str) -> PluginSpec {
    let spec = plugin(name, move |_| PublishVerdict {
        outcome: PublishOutcome::Pass,
        emit: vec![NewMessage::new(topic, "emitted")],
    });
    PluginSpec { grants: Grants { publish: vec![topic.to_owned()], ..Grants::default() }, ..spec }
}

fn pass(hooks: &dyn Hooks, path: HookPath, publish: &Publish<'_>) -> PublishRuling {
    hooks.on_publish(path, Some(&client("c")), publish, at(0))
}

fn ruling(host: &PluginHost) -> PublishRuling {
    pass(&*host.hooks(), HookPath::Client, &message("t", b"x"))
}

fn rewritten(ruling: PublishRuling) -> MessageFrame {
    let Outcome::Rewrite(frame) = ruling.verdict else {
        panic!("not rewritten: {ruling:?}");
    };
    frame
}

fn by(plugin: u16, hops: u8) -> HookPath {
    HookPath::Plugin { plugin: PluginId(plugin), hops }
}

#[test]
fn without_plugins_a_message_passes_and_nobody_wants_it() {
    let hooks = no_hooks();
    let topic = TopicName::new("t").unwrap();
    assert!(!hooks.interest().publish && !hooks.wants_publish(topic));
    let ruling = pass(&*hooks, HookPath::Client, &message("t", b""));
    assert_eq!((ruling.verdict, ruling.emits.len()), (Outcome::Pass, 0));
}

#[test]
fn each_plugin_sees_what_the_one_before_made_of_it() {
    let frame = rewritten(ruling(&load([signing("1"), signing("2"), signing("3")])));
    assert_eq!(told(&frame), ("t".to_owned(), "x123".to_owned()));
}

#[test]
fn the_configured_order_is_the_order_of_the_chain() {
    let host = PluginHost::load(ChainSpec {
        plugins: vec![signing("1"), signing("2"), signing("3")],
        order: HookOrder {
            publish: Some(["3", "1", "2"].map(str::to_owned).to_vec()),
            ..HookOrder::default()
        },
        ..ChainSpec::default()
    });
    assert_eq!(told(&rewritten(ruling(&host.unwrap()))).1, "x312");
}

#[test]
fn a_drop_ends_the_chain() {
    let host = load([answering("drop", PublishOutcome::Drop), plugin("late", |_| panic!("asked"))]);
    assert_eq!(ruling(&host).verdict, Outcome::Drop);
}

#[test]
fn a_refusal_ends_the_chain_with_its_code() {
    let no = PublishOutcome::Reject(Failure::code(0x99));
    let host = load([answering("no", no), plugin("late", |_| panic!("asked"))]);
    assert_eq!(ruling(&host).verdict, Outcome::Reject(ReasonCode::PayloadFormatInvalid));
}

#[test]
fn a_code_that_puback_can_not_carry_meets_the_failure_policy() {
    let too_large = PublishOutcome::Reject(Failure::code(0x95));
    let host = load([answering("p", too_large)]);
    assert_eq!(ruling(&host).verdict, REFUSED);
    assert_eq!(host.stats()[0].errors(ErrorKind::IllegalCode), 1);
}

#[test]
fn a_panic_meets_the_declared_policy() {
    let policies = [
        (PublishErrorPolicy::Pass, Outcome::Pass),
        (PublishErrorPolicy::Drop, Outcome::Drop),
        (PublishErrorPolicy::Reject, REFUSED),
    ];
    for (policy, expected) in policies {
        let spec = PluginSpec {
            on_error: ErrorPolicy { publish: Some(policy), ..ErrorPolicy::default() },
            ..plugin("p", |_| panic!("on purpose"))
        };
        assert_eq!(ruling(&load([spec])).verdict, expected);
    }
}

#[test]
fn after_a_failure_that_passes_the_rest_of_the_chain_goes_on() {
    let lenient = PluginSpec {
        on_error: ErrorPolicy { publish: Some(PublishErrorPolicy::Pass), ..ErrorPolicy::default() },
        ..plugin("p", |_| panic!("on purpose"))
    };
    let frame = rewritten(ruling(&load([signing("1"), lenient, signing("2")])));
    assert_eq!(told(&frame).1, "x12");
}

#[test]
fn only_matching_topics_reach_a_plugin() {
    let spec = PluginSpec { topics: vec!["a/+".to_owned(), "b/#".to_owned()], ..signing("1") };
    let hooks = load([spec]).hooks();
    for (topic, is_wanted) in [("a/b", true), ("b", true), ("a/b/c", false), ("c", false)] {
        assert_eq!(hooks.wants_publish(TopicName::new(topic).unwrap()), is_wanted, "{topic}");
        let ruling = pass(&*hooks, HookPath::Client, &message(topic, b"x"));
        assert_eq!(matches!(ruling.verdict, Outcome::Rewrite(_)), is_wanted, "{topic}");
    }
}

#[test]
fn a_plugin_without_topics_wants_them_all() {
    let some = PluginSpec { topics: vec!["a".to_owned()], ..signing("1") };
    let hooks = load([some, signing("2")]).hooks();
    assert!(hooks.wants_publish(TopicName::new("anything").unwrap()));
}

#[test]
fn a_rewritten_topic_decides_which_plugins_come_next() {
    let moves =
        rewriting("moves", MessagePatch { topic: Some("b".to_owned()), ..MessagePatch::default() });
    let of_b = PluginSpec { topics: vec!["b".to_owned()], ..signing("2") };
    let frame = rewritten(ruling(&load([moves, of_b])));
    assert_eq!(told(&frame), ("b".to_owned(), "x2".to_owned()));
}

#[test]
fn the_plugin_is_told_origin_and_client() {
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let host = load([Scripted::default()
        .publish(move |origin, client, _| {
            let id = client.map(|client| client.client_id().to_owned());
            notes.lock().push((origin, id));
            PublishOutcome::Pass.into()
        })
        .named("p")]);
    let hooks = host.hooks();
    pass(&*hooks, HookPath::Client, &message("t", b""));
    pass(&*hooks, HookPath::Will, &message("t", b""));
    hooks.on_publish(HookPath::Admin, None, &message("t", b""), at(0));
    hooks.on_publish(by(7, 1), None, &message("t", b""), at(0));
    let c = || Some("c".to_owned());
    let expected =
        [(Origin::Client, c()), (Origin::Will, c()), (Origin::Admin, None), (Origin::Plugin, None)];
    assert_eq!(*seen.lock(), expected);
}

fn with_all_properties() -> PropertyBuffer {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::PayloadFormatIndicator(true));
    properties.push(Property::MessageExpiryInterval(60));
    properties.push(Property::ContentType("text"));
    properties.push(Property::ResponseTopic("answers"));
    properties.push(Property::CorrelationData(b"42"));
    properties.push(Property::UserProperty(("a", "1")));
    properties.push(Property::TopicAlias(3));
    properties.push(Property::UserProperty(("b", "2")));
    properties
}

#[test]
fn the_plugin_sees_every_property() {
    let host = load([plugin("p", |message| {
        assert!(message.payload_is_utf8);
        assert_eq!(message.expiry_secs, Some(60));
        assert_eq!(message.content_type, Some("text"));
        assert_eq!(message.response_topic, Some("answers"));
        assert_eq!(message.correlation_data, Some(&b"42"[..]));
        assert_eq!(message.user_properties, [("a", "1"), ("b", "2")]);
        PublishOutcome::Pass.into()
    })]);
    let properties = with_all_properties();
    let publish = Publish { properties: properties.as_properties(), ..message("t", b"x") };
    let ruling = pass(&*host.hooks(), HookPath::Client, &publish);
    assert_eq!(ruling.verdict, Outcome::Pass);
}

#[test]
fn what_a_patch_does_not_name_stays_and_the_alias_goes() {
    let patch = MessagePatch {
        content_type: Some(None),
        qos: Some(ApiQoS::AtLeastOnce),
        ..MessagePatch::default()
    };
    let host = load([rewriting("p", patch)]);
    let properties = with_all_properties();
    let publish = Publish { properties: properties.as_properties(), ..message("t", b"x") };
    let frame = rewritten(pass(&*host.hooks(), HookPath::Client, &publish));
    let run = frame.as_run().unwrap();
    let found: Vec<_> = run.head().properties.iter().collect();
    let expected = [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(60),
        Property::ResponseTopic("answers"),
        Property::CorrelationData(b"42"),
        Property::UserProperty(("a", "1")),
        Property::UserProperty(("b", "2")),
    ];
    assert_eq!(found, expected);
    assert_eq!(run.qos(), QoS::AtLeastOnce);
    assert_eq!(run.head().payload, b"x");
}

#[test]
fn a_payload_that_is_no_text_any_more_does_not_say_it_is() {
    let patch = MessagePatch { payload: Some(vec![0xff]), ..MessagePatch::default() };
    let host = load([rewriting("p", patch)]);
    let properties = with_all_properties();
    let publish = Publish { properties: properties.as_properties(), ..message("t", b"x") };
    let frame = rewritten(pass(&*host.hooks(), HookPath::Client, &publish));
    let run = frame.as_run().unwrap();
    assert_eq!(run.head().properties.payload_format_indicator(), None);
}

#[test]
fn an_empty_patch_passes() {
    let host = load([rewriting("p", MessagePatch::default())]);
    assert_eq!(ruling(&host).verdict, Outcome::Pass);
}

#[test]
fn a_rewrite_that_mqtt_can_not_carry_is_an_error() {
    let none = MessagePatch::default;
    let long = || "x".repeat(65_536);
    let broken = [
        MessagePatch { topic: Some("a/+".to_owned()), ..none() },
        MessagePatch { topic: Some(String::new()), ..none() },
        MessagePatch { topic: Some(long()), ..none() },
        MessagePatch { topic: Some("a\u{1}".to_owned()), ..none() },
        MessagePatch { response_topic: Some(Some("a/#".to_owned())), ..none() },
        MessagePatch { content_type: Some(Some(long())), ..none() },
        MessagePatch { correlation_data: Some(Some(vec![0; 65_536])), ..none() },
        MessagePatch { user_properties: Some(vec![("a".to_owned(), long())]), ..none() },
        MessagePatch { user_properties: Some(vec![("\0".to_owned(), String::new())]), ..none() },
    ];
    for patch in broken {
        let host = load([rewriting("p", patch)]);
        assert_eq!(ruling(&host).verdict, REFUSED);
        assert_eq!(host.stats()[0].errors(ErrorKind::InvalidAnswer), 1);
    }
}

#[test]
fn a_message_larger_than_the_bound_is_an_error() {
    let patch = MessagePatch { payload: Some(vec![b'x'; 200]), ..MessagePatch::default() };
    let host = PluginHost::load(ChainSpec {
        plugins: vec![rewriting("p", patch)],
        message_bytes_max: 100,
        ..ChainSpec::default()
    })
    .unwrap();
    assert_eq!(ruling(&host).verdict, REFUSED);
    assert_eq!(host.stats()[0].errors(ErrorKind::Bound), 1);
}

#[test]
fn emits_are_told_with_who_made_them() {
    let host = load([emitting("one", "alerts/1"), emitting("two", "alerts/2")]);
    let emits = ruling(&host).emits;
    let found: Vec<_> = emits.iter().map(|(frame, path)| (told(frame).0, *path)).collect();
    let expected = [("alerts/1".to_owned(), by(0, 1)), ("alerts/2".to_owned(), by(1, 1))];
    assert_eq!(found, expected);
}

#[test]
fn what_is_emitted_outlives_a_message_that_does_not() {
    let alarm = plugin("alarm", |_| PublishVerdict {
        outcome: PublishOutcome::Reject(Failure::code(0x87)),
        emit: vec![NewMessage::new("alarm", "")],
    });
    let granted = PluginSpec {
        grants: Grants { publish: vec!["alarm".to_owned()], ..Grants::default() },
        ..alarm
    };
    let ruling = ruling(&load([granted]));
    assert_eq!(ruling.verdict, Outcome::Reject(ReasonCode::NotAuthorized));
    assert_eq!(ruling.emits.len(), 1);
}

#[test]
fn an_emit_without_a_grant_is_dropped_and_counted() {
    let greedy = PluginSpec {
        grants: Grants { publish: vec!["mine/#".to_owned()], ..Grants::default() },
        ..emitting("greedy", "yours")
    };
    let host = load([greedy]);
    let ruling = ruling(&host);
    assert_eq!((ruling.verdict, ruling.emits.len()), (Outcome::Pass, 0));
    assert_eq!(host.stats()[0].messages_refused, 1);
}

#[test]
fn an_emit_that_mqtt_can_not_carry_is_an_error() {
    let host = load([emitting("p", "a/#")]);
    let ruling = ruling(&host);
    assert_eq!((ruling.verdict, ruling.emits.len()), (REFUSED, 0));
}

#[test]
fn more_emits_than_the_bound_are_an_error() {
    let host = load([plugin("p", |_| PublishVerdict {
        outcome: PublishOutcome::Pass,
        emit: vec![NewMessage::new("t", ""); 65],
    })]);
    assert_eq!(ruling(&host).verdict, REFUSED);
    assert_eq!(host.stats()[0].errors(ErrorKind::Bound), 1);
}

#[test]
fn what_a_plugin_made_passes_only_the_chain_below_it() {
    let hooks = load([signing("1"), signing("2"), signing("3")]).hooks();
    let made_by = |plugin| {
        let ruling = pass(&*hooks, by(plugin, 1), &message("t", b"x"));
        match ruling.verdict {
            Outcome::Rewrite(frame) => told(&frame).1,
            _ => "x".to_owned(),
        }
    };
    assert_eq!(made_by(0), "x23");
    assert_eq!(made_by(1), "x3");
    assert_eq!(made_by(2), "x");
}

#[test]
fn what_a_plugin_outside_the_chain_made_passes_all_of_it() {
    let outside = Scripted::default().timer(|_| ()).named("outside");
    let hooks = load([signing("1"), outside, signing("2")]).hooks();
    let frame = rewritten(pass(&*hooks, by(1, 1), &message("t", b"x")));
    assert_eq!(told(&frame).1, "x12");
}

#[test]
fn the_fifth_hop_is_dropped_and_counted() {
    let host = load([emitting("one", "t"), emitting("two", "t")]);
    let hooks = host.hooks();
    let emits_at = |hops| pass(&*hooks, by(0, hops), &message("t", b"")).emits.len();
    assert_eq!(emits_at(3), 1);
    assert_eq!(emits_at(4), 0);
    assert_eq!(host.stats()[1].messages_refused, 1);
}

/// Routes as the engine does: what is emitted passes the hooks with its own path.
fn route(hooks: &dyn Hooks, path: HookPath, topic: &str, depth: u32) -> u32 {
    assert!(depth < 100, "it does not end");
    let ruling = pass(hooks, path, &message(topic, b""));
    let emits = ruling.emits.iter();
    1 + emits.map(|(frame, path)| route(hooks, *path, &told(frame).0, depth + 1)).sum::<u32>()
}

#[test]
fn two_plugins_that_answer_each_other_come_to_an_end() {
    let calls = Arc::new(AtomicU32::new(0));
    let echo = |name: &str| {
        let calls = Arc::clone(&calls);
        let spec = plugin(name, move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            PublishVerdict {
                outcome: PublishOutcome::Pass,
                emit: vec![NewMessage::new("echo", "")],
            }
        });
        PluginSpec { grants: Grants { publish: vec!["#".to_owned()], ..Grants::default() }, ..spec }
    };
    let hooks = load([echo("ping"), echo("pong")]).hooks();
    // The message; what ping made of it, and pong of that; what pong made of the message.
    assert_eq!(route(&*hooks, HookPath::Client, "t", 0), 4);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}
