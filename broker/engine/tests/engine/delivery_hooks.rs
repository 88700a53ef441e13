use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pintle_mqtt::{Property, Publish, SubscribeOptions};
use pintle_ports::{DeliverRuling, EventKind, Identity};

use crate::broker_port::message;
use crate::client::at;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// The cohort that a client's name begins with: `1-name`; others are in none.
fn by_name(who: &Identity) -> u32 {
    who.client_id.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Appends the cohort to the payload.
fn marked(cohort: u32, original: &Publish<'_>) -> DeliverRuling {
    let payload = format!("{}@{cohort}", String::from_utf8_lossy(original.payload));
    let mut draft =
        publish(original.topic.unwrap().as_str(), payload).qos(original.flags.qos as u8);
    if original.flags.retain {
        draft = draft.retained();
    }
    if let Some(secs) = original.properties.message_expiry_interval() {
        draft = draft.expiring_in(secs);
    }
    DeliverRuling::Rewrite(message(draft))
}

#[test]
fn the_hook_runs_once_for_all_clients_of_a_cohort() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    for name in ["1-a", "2-b", "1-c", "none", "2-d"] {
        b.client(name).subscribes("t");
    }
    b.hooks.calls();
    b.client("p").publishes_at_once(&[publish("t", "x").qos(1), publish("t", "y").qos(1)]);
    assert_eq!(b.hooks.calls_of("on_deliver"), 4);
    for (name, cohort) in [("1-a", "@1"), ("1-c", "@1"), ("2-b", "@2"), ("2-d", "@2"), ("none", "")]
    {
        b.client(name).receives(&[&format!("x{cohort}"), &format!("y{cohort}")]);
    }
}

#[test]
fn topics_that_no_hook_wants_are_delivered_as_they_are() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    b.client("1-a").subscribes("#");
    b.client("p").publishes("plain", "x").retained();
    b.client("1-a").receives(&["x"]);
    b.client("1-b").subscribes("#").receives(&["x"]);
    assert_eq!(b.hooks.calls_of("on_deliver"), 0);
}

#[test]
fn a_queued_message_is_transformed_once_when_it_is_given_out() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    b.connects("1-s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "x").qos(1);
    b.client("p").publishes("t", "y").qos(2);
    b.hooks.calls();
    b.connects("1-s").keeping_session(100).is_let_in().receives(&["x@1", "y@1"]);
    assert_eq!(b.hooks.calls_of("on_deliver"), 2);
    b.client("p").publishes("t", "z").qos(1);
    b.client("1-s").receives(&["z@1"]);
}

#[test]
fn a_message_that_waits_for_quota_or_room_is_transformed_once() {
    let hooks = TestHooks::none().on_deliver(by_name, marked);
    let mut b = Scenario::build(hooks, |settings| settings.outbox_bytes_max = 40);
    let connects = b.connects("1-quota").property(Property::ReceiveMaximum(1)).by_hand();
    connects.is_let_in().subscribes("q");
    b.client("1-room").stops_reading();
    let bytes = b.client("1-room").subscribe_bytes(&[("r", at(1))], None);
    b.client("1-room").sends(&bytes).reads_on().stops_reading();
    for payload in ["1", "2", "3"] {
        b.client("p").publishes("q", payload).qos(1);
        b.client("p").publishes("r", &payload.repeat(20)).qos(1);
    }
    b.client("1-quota").receives(&["1@1"]);
    b.client("1-quota").sends(&[0x40, 2, 0, 1]).receives(&["2@1"]);
    b.client("1-quota").sends(&[0x40, 2, 0, 2]).receives(&["3@1"]);
    let all = ["1", "2", "3"].map(|payload| format!("{}@1", payload.repeat(20)));
    b.client("1-room").reads_on().receives(&[&all[0], &all[1], &all[2]]);
}

#[test]
fn what_a_hook_drops_is_dropped_for_its_cohort_and_told() {
    let hooks = TestHooks::none()
        .on_deliver(by_name, |cohort, original| match (cohort, original.payload) {
            (1, b"x") => DeliverRuling::Drop,
            _ => DeliverRuling::Pass,
        })
        .told(&[EventKind::Dropped]);
    let mut b = Scenario::with(hooks);
    for name in ["1-a", "2-b", "c"] {
        b.client(name).subscribes("t");
    }
    b.client("p").publishes_at_once(&[publish("t", "x").qos(1), publish("t", "y").qos(1)]);
    b.client("1-a").receives(&["y"]);
    b.client("2-b").receives(&["x", "y"]);
    b.client("c").receives(&["x", "y"]);
    assert_eq!(b.hooks.events(), ["dropped 1-a t Plugin"]);
    assert_eq!(b.stat("publish/messages/dropped"), 1);
}

#[test]
fn a_hook_decides_on_a_queued_message_when_it_is_given_out_and_not_before() {
    let drops = Arc::new(AtomicBool::new(true));
    let dropping = Arc::clone(&drops);
    let hooks = TestHooks::none().on_deliver(by_name, move |_, _| {
        if dropping.load(Ordering::Relaxed) { DeliverRuling::Drop } else { DeliverRuling::Pass }
    });
    let mut b = Scenario::with(hooks);
    b.connects("1-s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "kept").qos(1);
    drops.store(false, Ordering::Relaxed);
    b.connects("1-s").keeping_session(100).is_let_in().receives(&["kept"]).is_lost();
    b.client("p").publishes("t", "dropped").qos(1);
    drops.store(true, Ordering::Relaxed);
    b.connects("1-s").keeping_session(100).is_let_in().receives(&[]);
}

#[test]
fn retained_messages_are_transformed_for_who_asks() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    b.client("p").publishes("t", "x").qos(1).retained();
    b.client("1-a").subscribes("t").receives(&["x@1"]);
    b.client("2-b").subscribes("t").receives(&["x@2"]);
    let seen = b.client("3-c").subscribes("t").deliveries();
    assert!(seen[0].retain());
}

#[test]
fn a_retained_message_whose_new_form_has_no_room_is_still_transformed_once() {
    let grown = |cohort, original: &Publish<'_>| {
        let payload = format!("{}{}@{cohort}", "-".repeat(100), original.payload.len());
        DeliverRuling::Rewrite(message(
            publish(original.topic.unwrap().as_str(), payload).qos(1).retained(),
        ))
    };
    let hooks = TestHooks::none().on_deliver(by_name, grown);
    let mut b = Scenario::build(hooks, |settings| settings.outbox_bytes_max = 150);
    for topic in ["a", "b", "c"] {
        b.client("p").publishes(topic, "four").qos(1).retained();
    }
    let mut client = b.client("1-s").stops_reading();
    let bytes = client.subscribe_bytes(&[("+", at(1))], None);
    client.sends(&bytes);
    let got = b.client("1-s").reads_on().deliveries();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|seen| seen.payload().ends_with("4@1")), "{got:?}");
}

#[test]
fn the_expiry_of_a_transformed_retained_message_counts_from_when_it_was_taken() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    b.client("p").publishes("t", "x").retained().expiring_in(60);
    b.seconds_pass(20);
    let got = b.client("1-a").subscribes("t").deliveries();
    assert_eq!(got[0].properties().message_expiry_interval(), Some(40));
}

#[test]
fn members_of_shared_groups_are_in_cohorts_too() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    b.client("1-a").subscribes("$share/g/t");
    b.client("2-b").subscribes("$share/g/t");
    b.client("p").publishes_at_once(&[publish("t", "x"), publish("t", "x")]);
    b.client("1-a").receives(&["x@1"]);
    b.client("2-b").receives(&["x@2"]);
}

#[test]
fn retain_as_published_and_identifiers_hold_for_transformed_messages() {
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_name, marked));
    let options = SubscribeOptions { retain_as_published: true, ..at(1) };
    b.client("1-a").subscribes_as(9, "t", options);
    b.client("p").publishes("t", "x").retained();
    let got = b.client("1-a").deliveries();
    assert_eq!((got[0].payload(), got[0].retain()), ("x@1".to_owned(), true));
    assert_eq!(got[0].identifiers(), [9]);
}

#[test]
fn cohorts_are_asked_for_again_only_when_they_may_have_changed() {
    let cohort = Arc::new(AtomicU32::new(1));
    let now = Arc::clone(&cohort);
    let hooks = TestHooks::none().on_deliver(move |_| now.load(Ordering::Relaxed), marked);
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("a").subscribes("b");
    for topic in ["a", "b", "a"] {
        b.client("p").publishes(topic, "x");
    }
    b.client("s").receives(&["x@1", "x@1", "x@1"]);
    assert_eq!(b.hooks.calls_of("cohort"), 1);
    cohort.store(2, Ordering::Relaxed);
    b.client("p").publishes("a", "x");
    b.client("s").receives(&["x@1"]);
    pintle_ports::Broker::invalidate(&*b.engine);
    b.client("p").publishes("a", "x");
    b.client("s").receives(&["x@2"]);
    cohort.store(3, Ordering::Relaxed);
    b.hooks.raise_generation();
    b.client("p").publishes("a", "x");
    b.client("s").receives(&["x@3"]);
}

#[test]
fn a_client_that_comes_back_as_another_is_in_the_cohort_of_the_other() {
    let by_user =
        |who: &Identity| who.username.as_deref().and_then(|name| name.parse().ok()).unwrap_or(0);
    let mut b = Scenario::with(TestHooks::none().on_deliver(by_user, marked));
    b.connects("s").keeping_session(100).username("1").is_let_in().subscribes("t");
    b.client("p").publishes("t", "x");
    b.client("s").receives(&["x@1"]).is_lost();
    b.connects("s").keeping_session(100).username("2").is_let_in();
    b.client("p").publishes("t", "x");
    b.client("s").receives(&["x@2"]);
}
