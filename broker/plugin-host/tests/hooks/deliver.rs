use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pintle_mqtt::TopicName;
use pintle_plugin_api::{DeliverVerdict, MessagePatch};
use pintle_plugin_host::{
    ChainSpec, DeliverErrorPolicy, ErrorKind, ErrorPolicy, PluginHost, PluginSpec, no_hooks,
};
use pintle_ports::{CohortId, DeliverRuling};

use crate::support::{Scripted, at, client, load, message, told};

/// Puts clients whose identifier begins with `initial` into a cohort of that name, and adds its own
/// name to what they are sent.
fn marking(name: &'static str, initial: char) -> PluginSpec {
    Scripted::default()
        .cohort(move |client| {
            let id = client.client_id();
            id.contains(initial).then(|| initial.to_string())
        })
        .deliver(move |cohort, message| {
            let mut payload = message.payload.to_vec();
            payload.extend_from_slice(format!("{name}:{cohort};").as_bytes());
            rewrite(payload)
        })
        .named(name)
}

fn rewrite(payload: Vec<u8>) -> DeliverVerdict {
    DeliverVerdict::Rewrite(MessagePatch { payload: Some(payload), ..MessagePatch::default() })
}

/// Names every client's identifier as its cohort.
fn per_client(answer: fn() -> DeliverVerdict) -> PluginSpec {
    Scripted::default()
        .cohort(|client| Some(client.client_id().to_owned()))
        .deliver(move |_, _| answer())
        .named("p")
}

fn with_policy(spec: PluginSpec, policy: DeliverErrorPolicy) -> PluginSpec {
    PluginSpec { on_error: ErrorPolicy { deliver: Some(policy), ..ErrorPolicy::default() }, ..spec }
}

fn delivered(host: &PluginHost, client_id: &str) -> DeliverRuling {
    let hooks = host.hooks();
    let cohort = hooks.cohort(&client(client_id));
    hooks.on_deliver(cohort, &message("t", b""), at(0))
}

fn payload(ruling: DeliverRuling) -> String {
    let DeliverRuling::Rewrite(frame) = ruling else {
        panic!("not rewritten: {ruling:?}");
    };
    told(&frame).1
}

#[test]
fn without_plugins_there_is_no_cohort_and_nobody_wants_to_deliver() {
    let hooks = no_hooks();
    assert!(!hooks.interest().deliver);
    assert!(!hooks.wants_deliver(TopicName::new("t").unwrap()));
    assert_eq!(hooks.cohort(&client("c")), CohortId::NONE);
}

#[test]
fn clients_that_no_plugin_touches_have_no_cohort() {
    let hooks = load([marking("one", 'a'), marking("two", 'b')]).hooks();
    assert_eq!(hooks.cohort(&client("x")), CohortId::NONE);
    let ruling = hooks.on_deliver(CohortId::NONE, &message("t", b""), at(0));
    assert_eq!(ruling, DeliverRuling::Pass);
}

#[test]
fn clients_with_the_same_tuple_share_a_cohort() {
    let hooks = load([marking("one", 'a'), marking("two", 'b')]).hooks();
    let cohort = |id| hooks.cohort(&client(id));
    assert_eq!(cohort("a1"), cohort("a2"));
    assert_eq!(cohort("ab"), cohort("ba"));
    assert_ne!(cohort("a1"), cohort("b1"));
    assert_ne!(cohort("a1"), cohort("ab"));
}

#[test]
fn each_plugin_is_called_with_the_cohort_it_named() {
    let host = load([marking("one", 'a'), marking("two", 'b')]);
    assert_eq!(payload(delivered(&host, "a1")), "one:a;");
    assert_eq!(payload(delivered(&host, "b1")), "two:b;");
    assert_eq!(payload(delivered(&host, "ab")), "one:a;two:b;");
}

#[test]
fn only_matching_topics_reach_a_plugin() {
    let spec = PluginSpec { topics: vec!["a/#".to_owned()], ..marking("one", 'c') };
    let hooks = load([spec]).hooks();
    let cohort = hooks.cohort(&client("c"));
    let ruling = |topic| hooks.on_deliver(cohort, &message(topic, b""), at(0));
    assert_eq!(payload(ruling("a/b")), "one:c;");
    assert_eq!(ruling("b"), DeliverRuling::Pass);
    assert!(hooks.wants_deliver(TopicName::new("a").unwrap()));
    assert!(!hooks.wants_deliver(TopicName::new("b").unwrap()));
}

#[test]
fn a_drop_ends_the_chain() {
    let drops = per_client(|| DeliverVerdict::Drop);
    let host = load([drops, marking("late", 'c')]);
    assert_eq!(delivered(&host, "c"), DeliverRuling::Drop);
}

#[test]
fn topic_qos_and_retain_can_not_be_changed() {
    let patches: [fn() -> DeliverVerdict; 3] = [
        || {
            DeliverVerdict::Rewrite(MessagePatch {
                topic: Some("other".to_owned()),
                ..MessagePatch::default()
            })
        },
        || {
            DeliverVerdict::Rewrite(MessagePatch {
                qos: Some(pintle_plugin_api::QoS::AtMostOnce),
                ..MessagePatch::default()
            })
        },
        || DeliverVerdict::Rewrite(MessagePatch { retain: Some(false), ..MessagePatch::default() }),
    ];
    for patch in patches {
        let host = load([per_client(patch)]);
        assert_eq!(delivered(&host, "c"), DeliverRuling::Drop);
        assert_eq!(host.stats()[0].errors(ErrorKind::InvalidAnswer), 1);
    }
}

#[test]
fn a_panic_meets_the_declared_policy() {
    let policies = [
        (DeliverErrorPolicy::Pass, DeliverRuling::Pass),
        (DeliverErrorPolicy::Drop, DeliverRuling::Drop),
    ];
    for (policy, expected) in policies {
        let spec = with_policy(per_client(|| panic!("on purpose")), policy);
        assert_eq!(delivered(&load([spec]), "c"), expected);
    }
}

#[test]
fn a_client_whose_cohort_could_not_be_asked_meets_the_declared_policy() {
    let fails = || {
        Scripted::default()
            .cohort(|_| panic!("on purpose"))
            .deliver(|_, _| DeliverVerdict::Pass)
            .named("p")
    };
    let host = load([with_policy(fails(), DeliverErrorPolicy::Drop)]);
    assert_eq!(delivered(&host, "c"), DeliverRuling::Drop);
    let host = load([with_policy(fails(), DeliverErrorPolicy::Pass)]);
    assert_eq!(delivered(&host, "c"), DeliverRuling::Pass);
}

fn at_most(cohorts_max: usize, policy: DeliverErrorPolicy) -> PluginHost {
    PluginHost::load(ChainSpec {
        plugins: vec![with_policy(per_client(|| rewrite(b"seen".to_vec())), policy)],
        cohorts_max,
        ..ChainSpec::default()
    })
    .unwrap()
}

#[test]
fn beyond_the_bound_of_cohorts_the_declared_policy_answers() {
    for (policy, expected) in [
        (DeliverErrorPolicy::Drop, DeliverRuling::Drop),
        (DeliverErrorPolicy::Pass, DeliverRuling::Pass),
    ] {
        let host = at_most(2, policy);
        assert_eq!(payload(delivered(&host, "c1")), "seen");
        assert_eq!(payload(delivered(&host, "c2")), "seen");
        assert_eq!(delivered(&host, "c3"), expected);
        assert_eq!(host.stats()[0].errors(ErrorKind::Bound), 1);
        assert_eq!(payload(delivered(&host, "c1")), "seen");
    }
}

#[test]
fn cohorts_of_an_old_generation_make_way() {
    let host = at_most(2, DeliverErrorPolicy::Drop);
    let hooks = host.hooks();
    let old = hooks.cohort(&client("c1"));
    hooks.cohort(&client("c2"));
    host.reconfigure("p", &pintle_plugin_api::Settings::default()).unwrap();
    assert_eq!(payload(delivered(&host, "c3")), "seen");
    assert_eq!(payload(delivered(&host, "c4")), "seen");
    let of_old = hooks.on_deliver(old, &message("t", b""), at(0));
    assert_eq!(of_old, DeliverRuling::Drop);
}

#[test]
fn a_cohort_keeps_its_number_while_the_answer_stays_the_same() {
    let is_vip = Arc::new(AtomicBool::new(true));
    let vip = Arc::clone(&is_vip);
    let host = load([Scripted::default()
        .cohort(move |_| vip.load(Ordering::Relaxed).then(|| "vip".to_owned()))
        .deliver(|_, _| DeliverVerdict::Pass)
        .named("p")]);
    let hooks = host.hooks();
    let before = hooks.cohort(&client("c"));
    host.reconfigure("p", &pintle_plugin_api::Settings::default()).unwrap();
    assert_eq!(hooks.cohort(&client("c")), before);
    is_vip.store(false, Ordering::Relaxed);
    assert_eq!(hooks.cohort(&client("c")), CohortId::NONE);
}
