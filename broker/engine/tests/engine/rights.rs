use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pintle_mqtt::Timestamp;
use pintle_ports::{
    Action, Admission, AuthOutcome, Broker, EventKind, Identity, Ruling, Step, Voter,
};

use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, allowed_until, denied};

/// Receiving is denied to clients whose name begins with `no`, and to all once `taken` is set.
fn receiving(taken: &Arc<AtomicBool>) -> TestHooks {
    let taken = Arc::clone(taken);
    TestHooks::none().authorizing(move |who, action| match action {
        Action::Receive(_) if who.client_id.starts_with("no") => denied(),
        Action::Receive(_) if taken.load(Ordering::Relaxed) => denied(),
        _ => Ruling::ALLOW,
    })
}

#[test]
fn who_may_not_receive_a_topic_is_left_out_of_its_route() {
    let mut b = Scenario::with(receiving(&Arc::default()));
    b.client("no").subscribes("t");
    b.client("yes").subscribes("t");
    b.hooks.calls();
    b.client("p").publishes("t", "x");
    b.client("p").publishes("t", "y");
    b.client("no").receives(&[]);
    b.client("yes").receives(&["x", "y"]);
    assert_eq!(b.hooks.calls().iter().filter(|call| call.contains("receive")).count(), 2);
}

#[test]
fn a_right_to_receive_that_is_taken_away_counts_from_the_next_batch() {
    let taken = Arc::new(AtomicBool::new(false));
    let mut b = Scenario::with(receiving(&taken));
    b.client("s").subscribes("t");
    b.client("p").publishes("t", "1");
    taken.store(true, Ordering::Relaxed);
    b.hooks.raise_generation();
    b.client("p").publishes("t", "2");
    taken.store(false, Ordering::Relaxed);
    b.engine.invalidate();
    b.client("p").publishes("t", "3");
    b.client("s").receives(&["1", "3"]);
}

#[test]
fn a_route_dies_with_the_first_decision_in_it_that_does() {
    let until = Timestamp::from_millis(1_010_000);
    let hooks = TestHooks::none().authorizing(move |who, action| match action {
        Action::Receive(_) if *who.client_id == *"brief" => allowed_until(until),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("brief").subscribes("t");
    b.client("long").subscribes("t");
    b.client("p").publishes("t", "1");
    b.hooks.calls();
    b.seconds_pass(9);
    b.client("p").publishes("t", "2");
    assert_eq!(b.hooks.calls_of("authorize long receive"), 0);
    b.seconds_pass(1);
    b.client("p").publishes("t", "3");
    assert_eq!(b.hooks.calls_of("authorize long receive"), 1);
}

#[test]
fn a_queued_message_is_given_out_only_to_who_may_still_receive_it() {
    let taken = Arc::new(AtomicBool::new(false));
    let mut b = Scenario::with(receiving(&taken).told(&[EventKind::Dropped]));
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "x").qos(1);
    taken.store(true, Ordering::Relaxed);
    b.connects("s").keeping_session(100).is_let_in().receives(&[]);
    assert_eq!(b.hooks.events(), ["dropped s t Unauthorized"]);
    assert_eq!(b.stat("publish/messages/dropped"), 1);
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

#[test]
fn many_queued_messages_pass_the_hooks_in_order() {
    let mut b = Scenario::with(TestHooks::none().authorizing(|_, _| Ruling::ALLOW));
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    let payloads: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    for payload in &payloads {
        b.client("p").publishes("t", payload).qos(1);
    }
    let expected: Vec<&str> = payloads.iter().map(String::as_str).collect();
    b.connects("s").keeping_session(100).is_let_in().receives(&expected);
}

#[test]
fn another_user_under_the_same_identifier_has_its_own_rights() {
    let hooks = TestHooks::none().authorizing(|who, action| match action {
        Action::Receive(_) if who.username.as_deref() == Some("guest") => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.connects("s").keeping_session(100).username("owner").is_let_in().subscribes("t");
    b.client("p").publishes("t", "1");
    b.connects("s2").as_client_id("s").keeping_session(100).username("guest").is_let_in();
    b.client("p").publishes("t", "2");
    b.client("s").receives(&["1"]);
    b.client("s2").receives(&[]);
    b.connects("s3").as_client_id("s").keeping_session(100).username("owner").is_let_in();
    b.client("p").publishes("t", "3");
    b.client("s3").receives(&["3"]);
}

#[derive(Debug)]
struct Rules;

impl Voter for Rules {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_client_with_rules_is_asked_about_even_when_no_plugin_votes() {
    let mut hooks = TestHooks::none()
        .authenticating(|attempt| {
            let ruled = attempt.who.username.is_some();
            let rules = ruled.then(|| Arc::new(Rules) as Arc<dyn Voter>);
            Step::Done(AuthOutcome::Accept(Admission { rules, ..Admission::default() }))
        })
        .authorizing(|_: &Identity, action| match action {
            Action::Subscribe(_) => Ruling::ALLOW,
            _ => denied(),
        });
    hooks.votes(false);
    let mut b = Scenario::with(hooks);
    b.connects("ruled").username("u").is_let_in().subscribes("t");
    b.client("free").subscribes("t");
    b.client("free").publishes("t", "x").qos(1).gets(&["PUBACK 2"]).receives(&["x"]);
    b.client("ruled").receives(&[]);
    b.client("ruled").publishes("t", "y").qos(1).gets(&["PUBACK 2 NotAuthorized"]);
    assert!(b.hooks.calls().iter().all(|call| !call.starts_with("authorize free")));
}

#[test]
fn hooks_that_are_swapped_hold_from_the_next_batch_of_every_connection() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.client("p").publishes("t", "1");
    let strict = Arc::new(TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(_) => denied(),
        _ => Ruling::ALLOW,
    }));
    b.engine.set_hooks(Arc::clone(&strict) as Arc<dyn pintle_ports::Hooks>);
    b.client("p").publishes("t", "2").qos(1).gets(&["PUBACK 1 NotAuthorized"]);
    let deaf = Arc::new(TestHooks::none().authorizing(|_, action| match action {
        Action::Receive(_) => denied(),
        _ => Ruling::ALLOW,
    }));
    b.engine.set_hooks(deaf);
    b.client("p").publishes("t", "3");
    b.engine.set_hooks(Arc::new(TestHooks::none()));
    b.client("p").publishes("t", "4");
    b.client("s").receives(&["1", "4"]);
}

#[test]
fn what_was_queued_under_no_hooks_meets_those_of_the_moment_it_is_given_out() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "x").qos(1);
    let deaf = TestHooks::none().authorizing(|_, action| match action {
        Action::Receive(_) => denied(),
        _ => Ruling::ALLOW,
    });
    b.engine.set_hooks(Arc::new(deaf));
    b.connects("s").keeping_session(100).is_let_in().receives(&[]);
}
