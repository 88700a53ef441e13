use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pintle_mqtt::{ReasonCode, Timestamp};
use pintle_plugin_api::{CacheHint, Decision, Failure};
use pintle_plugin_host::{Budgets, ErrorKind, Hook, PluginSpec, no_hooks};
use pintle_ports::{Action, Ruling, Verdict};

use crate::support::{Scripted, at, client, hint, load, message, subscription};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Next,
    Allow,
    Deny,
    Disconnect,
    Panics,
}

const ALL: [Says; 5] = [Says::Next, Says::Allow, Says::Deny, Says::Disconnect, Says::Panics];

fn decision(says: Says) -> Decision {
    match says {
        Says::Next => Decision::Next,
        Says::Allow => Decision::Allow(CacheHint::until_invalidated()),
        Says::Deny => Decision::Deny(Failure::code(0x97), CacheHint::until_invalidated()),
        Says::Disconnect => Decision::Disconnect(Failure::code(0x98)),
        Says::Panics => panic!("on purpose"),
    }
}

fn plugin(at: usize, says: Says) -> PluginSpec {
    Scripted::default().authorize(move |_, _| decision(says)).named(&format!("p{at}"))
}

fn ruling_of(chain: &[Says]) -> Ruling {
    let plugins = chain.iter().enumerate().map(|(at, says)| plugin(at, *says));
    let hooks = load(plugins).hooks();
    hooks.authorize(&client("c"), Action::Publish(&message("t", b"")), at(10))
}

/// The lattice as the table of hooks has it: no, error or disconnect is final; else any yes; else
/// no, unless there is nobody.
fn expected(chain: &[Says]) -> Verdict {
    let first_no =
        chain.iter().find(|says| matches!(says, Says::Deny | Says::Disconnect | Says::Panics));
    match first_no {
        Some(Says::Deny) => Verdict::Deny(ReasonCode::QuotaExceeded),
        Some(Says::Disconnect) => Verdict::Disconnect(ReasonCode::AdministrativeAction),
        Some(_) => Verdict::Deny(ReasonCode::NotAuthorized),
        None if chain.is_empty() || chain.contains(&Says::Allow) => Verdict::Allow,
        None => Verdict::Deny(ReasonCode::NotAuthorized),
    }
}

fn chains_of(len: u32) -> impl Iterator<Item = Vec<Says>> {
    (0..5_usize.pow(len)).map(move |number| {
        let digit = |place: u32| ALL[number / 5_usize.pow(place) % 5];
        (0..len).map(digit).collect()
    })
}

#[test]
fn every_chain_of_up_to_four_verdicts_adds_up_as_the_lattice_says() {
    for chain in (0..=4).flat_map(chains_of) {
        assert_eq!(ruling_of(&chain).verdict, expected(&chain), "{chain:?}");
    }
}

#[test]
fn order_decides_nothing_but_which_no_is_told() {
    let permutations = [
        [Says::Next, Says::Allow, Says::Deny],
        [Says::Next, Says::Deny, Says::Allow],
        [Says::Allow, Says::Next, Says::Deny],
        [Says::Allow, Says::Deny, Says::Next],
        [Says::Deny, Says::Next, Says::Allow],
        [Says::Deny, Says::Allow, Says::Next],
    ];
    for chain in permutations {
        let verdict = ruling_of(&chain).verdict;
        assert_eq!(verdict, Verdict::Deny(ReasonCode::QuotaExceeded));
    }
}

#[test]
fn with_no_voter_everything_is_allowed_for_ever() {
    let hooks = no_hooks();
    let ruling = hooks.authorize(&client("c"), Action::Publish(&message("t", b"")), at(0));
    assert_eq!(ruling, Ruling::ALLOW);
    assert!(!hooks.interest().authorize);
}

#[test]
fn a_plugin_after_a_no_is_not_asked() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let second = Scripted::default().authorize(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        Decision::Next
    });
    let hooks = load([plugin(0, Says::Deny), second.named("second")]).hooks();
    hooks.authorize(&client("c"), Action::Publish(&message("t", b"")), at(0));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

fn allowing_for(name: &str, ttl: Duration) -> PluginSpec {
    Scripted::default().authorize(move |_, _| Decision::Allow(hint(ttl))).named(name)
}

fn valid_until(plugins: Vec<PluginSpec>) -> Timestamp {
    let hooks = load(plugins).hooks();
    let action = Action::Publish(&message("t", b""));
    hooks.authorize(&client("c"), action, at(1000)).valid_until
}

#[test]
fn a_ruling_is_valid_as_long_as_the_shortest_hint() {
    let long = allowing_for("long", Duration::from_secs(60));
    let short = allowing_for("short", Duration::from_secs(5));
    assert_eq!(valid_until(vec![long, short]), at(6000));
}

#[test]
fn a_ttl_of_zero_is_asked_again_each_time() {
    let until = valid_until(vec![allowing_for("p", Duration::ZERO)]);
    assert_eq!(until, at(1000));
}

#[test]
fn the_longest_ttl_is_for_ever() {
    let until = valid_until(vec![allowing_for("p", Duration::MAX)]);
    assert_eq!(until, Timestamp::NEVER);
}

#[test]
fn a_no_is_valid_as_long_as_its_own_hint_says() {
    let allow = allowing_for("allow", Duration::from_secs(5));
    let deny = Scripted::default()
        .authorize(|_, _| Decision::Deny(Failure::code(0x87), hint(Duration::from_secs(30))));
    assert_eq!(valid_until(vec![allow, deny.named("deny")]), at(31_000));
}

#[test]
fn an_error_is_a_no_that_is_not_kept() {
    let ruling = ruling_of(&[Says::Panics]);
    assert_eq!(ruling.verdict, Verdict::Deny(ReasonCode::NotAuthorized));
    assert_eq!(ruling.valid_until, at(10));
    assert_eq!(ruling.decided_by.as_deref(), Some("p0: error: it panicked: on purpose"));
}

#[test]
fn a_no_names_the_plugin_and_its_rule() {
    let plugin = Scripted::default()
        .authorize(|_, _| decision(Says::Deny))
        .explain(|_, _| Some("acl:12: topic deny foo".to_owned()))
        .named("acl-file");
    let hooks = load([plugin]).hooks();
    let ruling = hooks.authorize(&client("c"), Action::Publish(&message("foo", b"")), at(0));
    let by = ruling.decided_by.unwrap();
    assert_eq!(&*by, "acl-file: acl:12: topic deny foo");
}

fn denying_with(code: u8) -> PluginSpec {
    Scripted::default()
        .authorize(move |_, _| Decision::Deny(Failure::code(code), CacheHint::never()))
        .named("p")
}

#[test]
fn a_code_that_puback_can_not_carry_is_an_error_of_the_plugin() {
    let host = load([denying_with(0x95)]);
    let action = Action::Publish(&message("t", b""));
    let ruling = host.hooks().authorize(&client("c"), action, at(0));
    assert_eq!(ruling.verdict, Verdict::Deny(ReasonCode::NotAuthorized));
    assert_eq!(host.stats()[0].errors(ErrorKind::IllegalCode), 1);
}

#[test]
fn each_action_has_the_codes_of_its_own_packet() {
    let hooks = load([denying_with(0xA2)]).hooks();
    let request = subscription("t/#");
    let ruling = hooks.authorize(&client("c"), Action::Subscribe(&request), at(0));
    let expected = Verdict::Deny(ReasonCode::WildcardSubscriptionsNotSupported);
    assert_eq!(ruling.verdict, expected);

    let hooks = load([denying_with(0x9A)]).hooks();
    let will = message("t", b"");
    let ruling = hooks.authorize(&client("c"), Action::Will(&will), at(0));
    assert_eq!(ruling.verdict, Verdict::Deny(ReasonCode::RetainNotSupported));
}

#[test]
fn a_success_code_is_no_refusal() {
    let host = load([denying_with(0x00)]);
    let action = Action::Publish(&message("t", b""));
    let ruling = host.hooks().authorize(&client("c"), action, at(0));
    assert_eq!(ruling.verdict, Verdict::Deny(ReasonCode::NotAuthorized));
    assert_eq!(host.stats()[0].errors(ErrorKind::IllegalCode), 1);
}

#[test]
fn the_payload_is_not_shown_to_authorize() {
    let plugin = Scripted::default().authorize(|_, action| match action {
        pintle_plugin_api::Action::Publish(message) if message.payload.is_empty() => {
            Decision::Allow(CacheHint::never())
        }
        _ => Decision::Next,
    });
    let hooks = load([plugin.named("p")]).hooks();
    let action = Action::Publish(&message("t", b"secret"));
    let ruling = hooks.authorize(&client("c"), action, at(0));
    assert_eq!(ruling.verdict, Verdict::Allow);
}

#[test]
fn calls_and_verdicts_are_counted() {
    let host = load([plugin(0, Says::Allow)]);
    let hooks = host.hooks();
    for _ in 0..3 {
        hooks.authorize(&client("c"), Action::Publish(&message("t", b"")), at(0));
    }
    let stats = host.stats();
    let stats = stats[0].hook(Hook::Authorize).unwrap();
    assert_eq!(stats.calls, 3);
    assert_eq!(stats.verdicts, [("allow", 3)]);
    assert!(stats.max_ns > 0 && stats.total_ns >= stats.max_ns);
}

#[test]
fn a_call_over_its_budget_counts_as_late_and_its_answer_stands() {
    let hurried = PluginSpec {
        budgets: Budgets { authorize: Duration::ZERO, ..Budgets::default() },
        ..plugin(0, Says::Allow)
    };
    let host = load([hurried]);
    let action = Action::Publish(&message("t", b""));
    let ruling = host.hooks().authorize(&client("c"), action, at(0));
    assert_eq!(ruling.verdict, Verdict::Allow);
    assert_eq!(host.stats()[0].hook(Hook::Authorize).unwrap().late, 1);
}
