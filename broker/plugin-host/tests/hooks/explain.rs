use pintle_mqtt::ReasonCode;
use pintle_plugin_api::{
    Accepted, Answer, AuthVerdict, CacheHint, Decision, Failure, Rule, RuleAction, RuleEffect,
};
use pintle_plugin_host::{Hook, PluginHost, PluginSpec};
use pintle_ports::{Action, AuthOutcome, Identity, Step, Verdict};

use crate::support::{Scripted, attempt, load, message, user, with_rules};

fn saying(name: &str, decision: Decision, line: &'static str) -> PluginSpec {
    Scripted::default()
        .authorize(move |_, _| decision.clone())
        .explain(move |_, _| Some(line.to_owned()))
        .named(name)
}

fn host() -> PluginHost {
    let accepted = Accepted {
        rules: vec![Rule {
            effect: RuleEffect::Allow,
            action: RuleAction::All,
            filter: "a/#".to_owned(),
            max_qos: None,
            allow_retain: None,
        }],
        ..Accepted::default()
    };
    let yes = Decision::Allow(CacheHint::never());
    let no = Decision::Deny(Failure::code(0x87), CacheHint::never());
    load([
        Scripted::default()
            .authenticate(move |_, _| Answer::Now(AuthVerdict::Accept(accepted.clone())))
            .named("passwords"),
        saying("hours", yes, "open all day"),
        saying("acl", no, "acl:12: topic deny a/secret"),
        Scripted::default().authorize(|_, _| panic!("on purpose")).named("broken"),
    ])
}

fn connected(host: &PluginHost) -> Identity {
    let who = || user("c1", "alice");
    let Step::Done(AuthOutcome::Accept(admission)) = host.hooks().authenticate(attempt(who()))
    else {
        panic!("not let in");
    };
    with_rules(who(), admission.rules)
}

#[test]
fn every_voter_is_named_with_its_answer_and_its_rule() {
    let host = host();
    let who = connected(&host);
    let publish = message("a/secret", b"");
    let explanation = host.explain(&who, Action::Publish(&publish));
    assert_eq!(explanation.verdict, Verdict::Deny(ReasonCode::NotAuthorized));
    assert_eq!(
        explanation.to_string(),
        "may `c1` (alice) publish `a/secret` with QoS 0?\n  \
         passwords: allow (rule 1 of the session: allow all a/#)\n  \
         hours: allow (open all day)\n  \
         acl: deny 0x87 (acl:12: topic deny a/secret)\n  \
         broken: error: it panicked: on purpose\n\
         no, with 0x87: acl: acl:12: topic deny a/secret"
    );
}

#[test]
fn an_explanation_changes_no_figures() {
    let host = host();
    let who = connected(&host);
    host.explain(&who, Action::Publish(&message("a", b"")));
    let stats = host.stats();
    assert_eq!(stats[1].hook(Hook::Authorize).unwrap().calls, 0);
}

#[test]
fn a_yes_is_explained_too() {
    let host = load([saying("acl", Decision::Allow(CacheHint::never()), "acl:1")]);
    let publish = message("t", b"");
    let explanation = host.explain(&user("c", "bob"), Action::Receive(&publish));
    let told = "may `c` (bob) receive `t` with QoS 0?\n  acl: allow (acl:1)\nyes";
    assert_eq!(explanation.to_string(), told);
}

#[test]
fn an_open_breaker_is_told() {
    let host = load([Scripted::default().authorize(|_, _| panic!("on purpose")).named("broken")]);
    let (hooks, who) = (host.hooks(), user("c", "bob"));
    let publish = message("t", b"");
    for _ in 0..5 {
        hooks.authorize(&who, Action::Publish(&publish), pintle_mqtt::Timestamp::default());
    }
    let explanation = host.explain(&who, Action::Publish(&publish));
    assert!(explanation.voters[0].answer.starts_with("error: it failed too often"));
}
