use std::sync::Arc;

use pintle_mqtt::{QoS, ReasonCode, TopicFilter, TopicName};
use pintle_plugin_api::{
    Accepted, Answer, AuthVerdict, CacheHint, Decision, QoS as ApiQoS, Rule, RuleAction, RuleEffect,
};
use pintle_ports::{Action, AuthOutcome, Hooks, Identity, Step, Verdict};
use proptest::prelude::*;

use crate::support::{
    Scripted, at, attempt, client, load, message, subscription, user, with_rules,
};

const DENIED: Verdict = Verdict::Deny(ReasonCode::NotAuthorized);

fn rule(effect: RuleEffect, action: RuleAction, filter: &str) -> Rule {
    Rule { effect, action, filter: filter.to_owned(), max_qos: None, allow_retain: None }
}

fn allow(action: RuleAction, filter: &str) -> Rule {
    rule(RuleEffect::Allow, action, filter)
}

fn deny(action: RuleAction, filter: &str) -> Rule {
    rule(RuleEffect::Deny, action, filter)
}

/// Connects `who` to a plugin that returns `rules`, beside an authorizer that says `plugin_says`.
fn connected(
    who: fn() -> Identity,
    rules: Vec<Rule>,
    plugin_says: Option<Decision>,
) -> (Arc<dyn Hooks>, Identity) {
    let accepted = Accepted { rules, ..Accepted::default() };
    let authenticator = Scripted::default()
        .authenticate(move |_, _| Answer::Now(AuthVerdict::Accept(accepted.clone())))
        .named("passwords");
    let authorizer = plugin_says
        .map(|says| Scripted::default().authorize(move |_, _| says.clone()).named("acl"));
    let hooks = load([authenticator].into_iter().chain(authorizer)).hooks();
    let Step::Done(AuthOutcome::Accept(admission)) = hooks.authenticate(attempt(who())) else {
        panic!("not let in");
    };
    let who = with_rules(who(), admission.rules);
    (hooks, who)
}

fn may_publish(who: fn() -> Identity, rules: Vec<Rule>, topic: &str) -> bool {
    let (hooks, who) = connected(who, rules, None);
    let ruling = hooks.authorize(&who, Action::Publish(&message(topic, b"")), at(0));
    ruling.verdict == Verdict::Allow
}

fn may_subscribe(who: fn() -> Identity, rules: Vec<Rule>, filter: &str) -> bool {
    let (hooks, who) = connected(who, rules, None);
    let ruling = hooks.authorize(&who, Action::Subscribe(&subscription(filter)), at(0));
    ruling.verdict == Verdict::Allow
}

fn c1() -> Identity {
    client("c1")
}

#[test]
fn the_first_rule_that_matches_decides() {
    let deny_then_allow =
        vec![deny(RuleAction::Publish, "a/secret"), allow(RuleAction::Publish, "a/#")];
    assert!(!may_publish(c1, deny_then_allow, "a/secret"));
    let allow_then_deny =
        vec![allow(RuleAction::Publish, "a/#"), deny(RuleAction::Publish, "a/secret")];
    assert!(may_publish(c1, allow_then_deny, "a/secret"));
}

#[test]
fn rules_that_match_nothing_deny_when_nobody_else_votes() {
    assert!(!may_publish(c1, vec![allow(RuleAction::Publish, "b")], "a"));
}

#[test]
fn a_client_without_rules_has_no_voter() {
    assert!(may_publish(c1, vec![], "a"));
}

#[test]
fn a_rule_speaks_only_of_its_action() {
    assert!(!may_publish(c1, vec![allow(RuleAction::Subscribe, "#")], "a"));
    assert!(!may_publish(c1, vec![allow(RuleAction::Receive, "#")], "a"));
    assert!(may_publish(c1, vec![allow(RuleAction::All, "#")], "a"));
    let (hooks, who) = connected(c1, vec![allow(RuleAction::Receive, "a")], None);
    let received = hooks.authorize(&who, Action::Receive(&message("a", b"")), at(0));
    assert_eq!(received.verdict, Verdict::Allow);
}

#[test]
fn a_rule_for_publish_holds_for_the_will_too() {
    let (hooks, who) = connected(c1, vec![allow(RuleAction::Publish, "will/c1")], None);
    let will = message("will/c1", b"");
    assert_eq!(hooks.authorize(&who, Action::Will(&will), at(0)).verdict, Verdict::Allow);
    let other = message("will/c2", b"");
    assert_eq!(hooks.authorize(&who, Action::Will(&other), at(0)).verdict, DENIED);
}

#[test]
fn a_subscribe_rule_covers_the_whole_filter_asked_for() {
    let rules = || vec![allow(RuleAction::Subscribe, "a/+/c")];
    assert!(may_subscribe(c1, rules(), "a/b/c"));
    assert!(may_subscribe(c1, rules(), "a/+/c"));
    assert!(!may_subscribe(c1, rules(), "a/#"));
    assert!(!may_subscribe(c1, rules(), "a/+/+"));
}

#[test]
fn client_identifier_and_user_name_fill_whole_levels() {
    let u1 = || user("c1", "u1");
    let rules = || vec![allow(RuleAction::Publish, "dev/%c/of/%u/#")];
    assert!(may_publish(u1, rules(), "dev/c1/of/u1/x"));
    assert!(!may_publish(u1, rules(), "dev/c2/of/u1/x"));
    assert!(!may_publish(u1, rules(), "dev/c1/of/u2/x"));
    let partial = vec![allow(RuleAction::Publish, "dev-%c")];
    assert!(!may_publish(u1, partial, "dev-c1"));
}

#[test]
fn a_value_with_a_wildcard_widens_nothing() {
    let clients: [fn() -> Identity; 4] =
        [|| client("+"), || client("#"), || client("a+"), || client("a#")];
    for who in clients {
        let id = who().client_id;
        let rules = || vec![allow(RuleAction::All, "dev/%c/x")];
        assert!(!may_subscribe(who, rules(), "dev/+/x"), "{id}");
        assert!(!may_subscribe(who, rules(), "dev/b/x"), "{id}");
        assert!(!may_publish(who, rules(), "dev/b/x"), "{id}");
        let last = vec![allow(RuleAction::All, "dev/%c")];
        assert!(!may_subscribe(who, last, "dev/#"), "{id}");
    }
}

#[test]
fn a_value_with_a_separator_or_without_text_matches_nothing() {
    let rules = || vec![allow(RuleAction::All, "dev/%c/x")];
    assert!(!may_publish(|| client("a/b"), rules(), "dev/a/b/x"));
    assert!(!may_publish(|| client(""), rules(), "dev//x"));
    let of_user = || vec![allow(RuleAction::All, "dev/%u")];
    assert!(!may_publish(c1, of_user(), "dev/c1"));
}

#[test]
fn a_value_does_not_open_topics_that_begin_with_a_dollar() {
    let rules = vec![allow(RuleAction::All, "%c/#")];
    assert!(!may_publish(|| client("$SYS"), rules, "$SYS/broker/x"));
}

#[test]
fn rules_that_all_match_nothing_are_still_a_voter() {
    let rules = vec![allow(RuleAction::All, "dev/%c")];
    assert!(!may_publish(|| client("+"), rules, "anything"));
}

#[test]
fn a_rule_does_not_match_above_its_qos() {
    let rules = vec![Rule { max_qos: Some(ApiQoS::AtLeastOnce), ..allow(RuleAction::All, "a") }];
    let (hooks, who) = connected(c1, rules, None);
    let publish_at = |qos| {
        let mut publish = message("a", b"");
        publish.flags.qos = qos;
        hooks.authorize(&who, Action::Publish(&publish), at(0)).verdict
    };
    assert_eq!(publish_at(QoS::AtLeastOnce), Verdict::Allow);
    assert_eq!(publish_at(QoS::ExactlyOnce), DENIED);
    let mut request = subscription("a");
    request.qos = QoS::ExactlyOnce;
    let ruling = hooks.authorize(&who, Action::Subscribe(&request), at(0));
    assert_eq!(ruling.verdict, DENIED);
}

#[test]
fn a_rule_without_retain_does_not_match_a_retained_message() {
    let rules = vec![Rule { allow_retain: Some(false), ..allow(RuleAction::Publish, "a") }];
    let (hooks, who) = connected(c1, rules, None);
    let mut publish = message("a", b"");
    assert_eq!(hooks.authorize(&who, Action::Publish(&publish), at(0)).verdict, Verdict::Allow);
    publish.flags.retain = true;
    assert_eq!(hooks.authorize(&who, Action::Publish(&publish), at(0)).verdict, DENIED);
}

#[test]
fn a_plugin_can_still_say_no_to_what_the_rules_allow() {
    let no = Decision::Deny(pintle_plugin_api::Failure::code(0x87), CacheHint::never());
    let (hooks, who) = connected(c1, vec![allow(RuleAction::All, "#")], Some(no));
    let ruling = hooks.authorize(&who, Action::Publish(&message("a", b"")), at(0));
    assert_eq!(ruling.verdict, DENIED);
}

#[test]
fn ask_leaves_the_answer_to_the_plugins() {
    let yes = Decision::Allow(CacheHint::never());
    let ask = rule(RuleEffect::Ask, RuleAction::All, "a/#");
    let rules = vec![ask.clone(), deny(RuleAction::All, "#")];
    let (hooks, who) = connected(c1, rules, Some(yes));
    let asked = hooks.authorize(&who, Action::Publish(&message("a/b", b"")), at(0));
    assert_eq!(asked.verdict, Verdict::Allow);
    let not_asked = hooks.authorize(&who, Action::Publish(&message("b", b"")), at(0));
    assert_eq!(not_asked.verdict, DENIED);
    assert!(!may_publish(c1, vec![ask], "a/b"));
}

#[test]
fn a_denial_names_the_rule_and_who_returned_it() {
    let rules = vec![allow(RuleAction::All, "a"), deny(RuleAction::Publish, "b/#")];
    let (hooks, who) = connected(c1, rules, None);
    let ruling = hooks.authorize(&who, Action::Publish(&message("b/c", b"")), at(0));
    let by = ruling.decided_by.unwrap();
    assert_eq!(&*by, "passwords: rule 2 of the session: deny publish b/#");
}

fn level() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[abc]", "[abc]{2}", Just("$d".to_owned())]
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("a topic", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+".to_owned())];
    (prop::collection::vec(level, 0..4), any::<bool>())
        .prop_map(|(mut levels, multi)| {
            if multi {
                levels.push("#".to_owned());
            }
            levels.join("/")
        })
        .prop_filter("a filter", |filter| !filter.is_empty())
}

proptest! {
    #[test]
    fn publish_rules_match_as_topic_filters_do(
        rules in prop::collection::vec((filter(), any::<bool>()), 1..6),
        topics in prop::collection::vec(topic(), 8),
    ) {
        let compiled = rules.iter().map(|(filter, yes)| {
            let effect = if *yes { RuleEffect::Allow } else { RuleEffect::Deny };
            rule(effect, RuleAction::All, filter)
        });
        let (hooks, who) = connected(c1, compiled.collect(), None);
        for topic in &topics {
            let name = TopicName::new(topic).unwrap();
            let first = rules.iter().find(|(filter, _)| TopicFilter::new(filter).unwrap().matches(name));
            let ruling = hooks.authorize(&who, Action::Publish(&message(topic, b"")), at(0));
            let expected = first.is_some_and(|(_, yes)| *yes);
            prop_assert_eq!(ruling.verdict == Verdict::Allow, expected, "{} {:?}", topic, first);
        }
    }

    #[test]
    fn subscribe_rules_cover_as_topic_filters_do(
        rules in prop::collection::vec((filter(), any::<bool>()), 1..6),
        asked in prop::collection::vec(filter(), 8),
    ) {
        let compiled = rules.iter().map(|(filter, yes)| {
            let effect = if *yes { RuleEffect::Allow } else { RuleEffect::Deny };
            rule(effect, RuleAction::Subscribe, filter)
        });
        let (hooks, who) = connected(c1, compiled.collect(), None);
        for asked in &asked {
            let wanted = TopicFilter::new(asked).unwrap();
            let first = rules.iter().find(|(filter, _)| TopicFilter::new(filter).unwrap().covers(wanted));
            let ruling = hooks.authorize(&who, Action::Subscribe(&subscription(asked)), at(0));
            let expected = first.is_some_and(|(_, yes)| *yes);
            prop_assert_eq!(ruling.verdict == Verdict::Allow, expected, "{} {:?}", asked, first);
        }
    }
}
