use pintle_mqtt::{QoS, ReasonCode};
use pintle_plugin_api::{Failure, QoS as ApiQoS, SubscribeVerdict, Subscription};
use pintle_plugin_host::{
    ErrorKind, ErrorPolicy, PluginHost, PluginSpec, SubscribeErrorPolicy, no_hooks,
};
use pintle_ports::{SubscribeRuling, SubscriptionRequest};

use crate::support::{Scripted, client, load, subscription};

fn plugin(
    name: &str,
    hook: impl Fn(&Subscription) -> SubscribeVerdict + Send + Sync + 'static,
) -> PluginSpec {
    Scripted::default().subscribe(move |_, subscription| hook(subscription)).named(name)
}

fn adding(name: &str, level: &'static str) -> PluginSpec {
    plugin(name, move |subscription| {
        SubscribeVerdict::Rewrite(Subscription {
            filter: format!("{}/{level}", subscription.filter),
            ..subscription.clone()
        })
    })
}

fn ruling(host: &PluginHost) -> SubscribeRuling {
    host.hooks().on_subscribe(&client("c"), &subscription("a"))
}

#[test]
fn without_plugins_a_subscription_passes() {
    let ruling = no_hooks().on_subscribe(&client("c"), &subscription("a"));
    assert_eq!(ruling, SubscribeRuling::Pass);
}

#[test]
fn each_plugin_sees_what_the_one_before_made_of_it() {
    let host = load([adding("one", "1"), adding("two", "2")]);
    let expected = SubscriptionRequest { filter: "a/1/2".to_owned(), ..subscription("a") };
    assert_eq!(ruling(&host), SubscribeRuling::Rewrite(expected));
}

#[test]
fn a_change_that_changes_nothing_passes() {
    let host = load([plugin("p", |it| SubscribeVerdict::Rewrite(it.clone()))]);
    assert_eq!(ruling(&host), SubscribeRuling::Pass);
}

#[test]
fn the_qos_can_be_lowered() {
    let host = load([plugin("p", |it| {
        SubscribeVerdict::Rewrite(Subscription { qos: ApiQoS::AtMostOnce, ..it.clone() })
    })]);
    let asked = SubscriptionRequest { qos: QoS::ExactlyOnce, ..subscription("a") };
    let ruling = host.hooks().on_subscribe(&client("c"), &asked);
    assert_eq!(ruling, SubscribeRuling::Rewrite(subscription("a")));
}

#[test]
fn a_refusal_ends_the_chain() {
    let no = plugin("no", |_| SubscribeVerdict::Reject(Failure::code(0x97)));
    let host = load([no, plugin("late", |_| panic!("asked"))]);
    let refused = SubscribeRuling::Reject(ReasonCode::QuotaExceeded);
    assert_eq!(ruling(&host), refused);
}

#[test]
fn a_code_that_suback_can_not_carry_meets_the_failure_policy() {
    let host = load([plugin("p", |_| SubscribeVerdict::Reject(Failure::code(0x90)))]);
    let refused = SubscribeRuling::Reject(ReasonCode::ImplementationSpecificError);
    assert_eq!(ruling(&host), refused);
    assert_eq!(host.stats()[0].errors(ErrorKind::IllegalCode), 1);
}

#[test]
fn with_the_policy_pass_a_panic_changes_nothing() {
    let lenient = PluginSpec {
        on_error: ErrorPolicy {
            subscribe: Some(SubscribeErrorPolicy::Pass),
            ..ErrorPolicy::default()
        },
        ..plugin("p", |_| panic!("on purpose"))
    };
    assert_eq!(ruling(&load([lenient])), SubscribeRuling::Pass);
}

/// [MQTT-3.8.3-4]
#[test]
fn a_rewrite_that_no_client_may_ask_for_is_an_error() {
    let broken: [fn(&mut Subscription); 4] = [
        |it| it.filter = "a/#/b".to_owned(),
        |it| it.share_name = Some("a/b".to_owned()),
        |it| (it.share_name, it.no_local) = (Some("group".to_owned()), true),
        |it| it.retain_handling = 3,
    ];
    for breaks in broken {
        let host = load([plugin("p", move |it| {
            let mut changed = it.clone();
            breaks(&mut changed);
            SubscribeVerdict::Rewrite(changed)
        })]);
        let refused = SubscribeRuling::Reject(ReasonCode::ImplementationSpecificError);
        assert_eq!(ruling(&host), refused);
        assert_eq!(host.stats()[0].errors(ErrorKind::InvalidAnswer), 1);
    }
}

fn unsubscribing(
    name: &str,
    hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> PluginSpec {
    Scripted::default().unsubscribe(move |_, filter| hook(filter)).named(name)
}

#[test]
fn each_plugin_can_change_what_is_unsubscribed() {
    let host = load([
        unsubscribing("one", |filter| Some(format!("{filter}/1"))),
        unsubscribing("two", |filter| Some(format!("{filter}/2"))),
    ]);
    let other = host.hooks().on_unsubscribe(&client("c"), "a");
    assert_eq!(other.as_deref(), Some("a/1/2"));
}

#[test]
fn a_failed_unsubscribe_hook_changes_nothing() {
    let host = load([
        unsubscribing("panics", |_| panic!("on purpose")),
        unsubscribing("invalid", |_| Some("a/#/b".to_owned())),
    ]);
    assert_eq!(host.hooks().on_unsubscribe(&client("c"), "a"), None);
    assert_eq!(host.stats()[1].errors(ErrorKind::InvalidAnswer), 1);
}
