use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pintle_mqtt::{QoS, ReasonCode};
use pintle_plugin_api::{CacheHint, CacheScope, Decision, Failure, Settings};
use pintle_plugin_host::{ChainSpec, ErrorKind, PluginHost};
use pintle_ports::{Action, Hooks, Identity, Verdict};

use crate::support::{Notebook, Scripted, at, client, message, subscription, user};

/// A host whose plugin answers with `decision` each time, counting.
struct Counted {
    host: PluginHost,
    hooks: Arc<dyn Hooks>,
    asked: Arc<AtomicU32>,
    plugin_host: Arc<parking_lot::Mutex<Option<Arc<dyn pintle_plugin_api::Host>>>>,
}

fn counted(decision: Decision) -> Counted {
    counted_within(decision, ChainSpec::default().decisions_max)
}

fn counted_within(decision: Decision, decisions_max: usize) -> Counted {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let plugin = Scripted::default().authorize(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        decision.clone()
    });
    let plugin_host = plugin.host();
    let host = PluginHost::load(ChainSpec {
        plugins: vec![plugin.named("p")],
        decisions_max,
        ..ChainSpec::default()
    })
    .unwrap();
    host.connect_broker(Arc::new(Notebook::default()));
    let hooks = host.hooks();
    Counted { host, hooks, asked, plugin_host }
}

impl Counted {
    fn publish(&self, who: &Identity, topic: &str, now: u64) -> Verdict {
        let publish = message(topic, b"");
        let ruling = self.hooks.authorize(who, Action::Publish(&publish), at(now));
        ruling.verdict
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn allow_for(filter: &str) -> Decision {
    Decision::Allow(CacheHint { filter: Some(filter.to_owned()), ..CacheHint::until_invalidated() })
}

fn of_principal(ttl: Duration) -> Decision {
    Decision::Allow(CacheHint { scope: CacheScope::Principal, ttl, filter: None })
}

#[test]
fn one_answer_serves_all_topics_of_its_filter() {
    let plugin = counted(allow_for("a/#"));
    let who = client("c");
    for topic in ["a", "a/b", "a/b/c"] {
        assert_eq!(plugin.publish(&who, topic, 0), Verdict::Allow);
    }
    assert_eq!(plugin.asked(), 1);
    let stats = &plugin.host.stats()[0];
    assert_eq!((stats.decisions_cached, stats.decisions_reused), (1, 2));
}

#[test]
fn another_session_is_asked_about_by_itself() {
    let plugin = counted(allow_for("a/#"));
    let other = Identity { session_key: 2, ..client("other") };
    plugin.publish(&client("c"), "a", 0);
    plugin.publish(&other, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn another_action_qos_or_retain_is_asked_about_by_itself() {
    let plugin = counted(allow_for("a/#"));
    let who = client("c");
    plugin.publish(&who, "a", 0);
    let mut publish = message("a", b"");
    publish.flags.qos = QoS::AtLeastOnce;
    plugin.hooks.authorize(&who, Action::Publish(&publish), at(0));
    publish.flags.retain = true;
    plugin.hooks.authorize(&who, Action::Publish(&publish), at(0));
    plugin.hooks.authorize(&who, Action::Receive(&publish), at(0));
    plugin.hooks.authorize(&who, Action::Will(&publish), at(0));
    assert_eq!(plugin.asked(), 5);
}

#[test]
fn a_subscription_is_served_if_the_filter_covers_it() {
    let plugin = counted(allow_for("a/#"));
    let who = client("c");
    for filter in ["a/+", "a/b"] {
        let request = subscription(filter);
        plugin.hooks.authorize(&who, Action::Subscribe(&request), at(0));
    }
    assert_eq!(plugin.asked(), 1);
}

#[test]
fn one_answer_serves_all_sessions_of_a_principal() {
    let plugin = counted(of_principal(Duration::MAX));
    let second = Identity { session_key: 2, ..user("c2", "alice") };
    let stranger = Identity { session_key: 3, ..user("c3", "bob") };
    plugin.publish(&user("c1", "alice"), "a", 0);
    plugin.publish(&second, "a", 0);
    assert_eq!(plugin.asked(), 1);
    plugin.publish(&second, "b", 0);
    plugin.publish(&stranger, "a", 0);
    assert_eq!(plugin.asked(), 3);
}

#[test]
fn clients_without_a_name_do_not_share_answers() {
    let plugin = counted(of_principal(Duration::MAX));
    let other = Identity { session_key: 2, ..client("c2") };
    plugin.publish(&client("c1"), "a", 0);
    plugin.publish(&other, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn an_answer_is_not_used_beyond_its_ttl() {
    let plugin = counted(of_principal(Duration::from_secs(5)));
    let who = user("c", "alice");
    plugin.publish(&who, "a", 1_000);
    plugin.publish(&who, "a", 5_999);
    assert_eq!(plugin.asked(), 1);
    plugin.publish(&who, "a", 6_000);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn a_kept_answer_is_valid_no_longer_than_it_was() {
    let plugin = counted(of_principal(Duration::from_secs(5)));
    let who = user("c", "alice");
    plugin.publish(&who, "a", 1_000);
    let publish = message("a", b"");
    let ruling = plugin.hooks.authorize(&who, Action::Publish(&publish), at(3_000));
    assert_eq!(ruling.valid_until, at(6_000));
}

#[test]
fn a_ttl_of_zero_is_not_kept() {
    let plugin = counted(of_principal(Duration::ZERO));
    let who = user("c", "alice");
    plugin.publish(&who, "a", 0);
    plugin.publish(&who, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn what_holds_for_one_topic_and_session_is_left_to_the_engine() {
    let plugin = counted(Decision::Allow(CacheHint::until_invalidated()));
    let who = client("c");
    plugin.publish(&who, "a", 0);
    plugin.publish(&who, "a", 0);
    assert_eq!(plugin.asked(), 2);
    assert_eq!(plugin.host.stats()[0].decisions_cached, 0);
}

#[test]
fn a_no_is_kept_with_its_code() {
    let plugin = counted(Decision::Deny(
        Failure::code(0x97),
        CacheHint { filter: Some("#".to_owned()), ..CacheHint::until_invalidated() },
    ));
    let who = client("c");
    let no = Verdict::Deny(ReasonCode::QuotaExceeded);
    assert_eq!(plugin.publish(&who, "a", 0), no);
    assert_eq!(plugin.publish(&who, "b", 0), no);
    assert_eq!(plugin.asked(), 1);
}

#[test]
fn invalidate_forgets_and_raises_the_generation() {
    let plugin = counted(allow_for("#"));
    let who = client("c");
    plugin.publish(&who, "a", 0);
    let before = plugin.hooks.generation();
    plugin.plugin_host.lock().as_ref().unwrap().invalidate();
    assert!(plugin.hooks.generation() > before);
    plugin.publish(&who, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn what_a_thread_found_again_and_again_is_forgotten_there_too() {
    let plugin = counted(allow_for("#"));
    let who = client("c");
    for _ in 0..3 {
        plugin.publish(&who, "a", 0);
    }
    let invalidate = || plugin.plugin_host.lock().as_ref().unwrap().invalidate();
    thread::scope(|scope| scope.spawn(invalidate).join()).unwrap();
    plugin.publish(&who, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn what_threads_reused_is_counted_together_also_when_they_ended() {
    let plugin = counted(allow_for("#"));
    let who = client("c");
    plugin.publish(&who, "a", 0);
    let publish = || {
        for topic in ["a", "b", "c"] {
            assert_eq!(
                plugin.hooks.authorize(&who, Action::Publish(&message(topic, b"")), at(0)).verdict,
                Verdict::Allow
            );
        }
    };
    for _ in 0..5 {
        thread::scope(|scope| scope.spawn(publish).join()).unwrap();
    }
    publish();
    assert_eq!(plugin.host.stats()[0].decisions_reused, 18);
    assert_eq!(plugin.asked(), 1);
}

#[test]
fn a_session_whose_principal_is_another_now_is_asked_about_again() {
    let plugin = counted(of_principal(Duration::MAX));
    for (user_name, asked) in [("alice", 1), ("bob", 2), ("alice", 2), ("bob", 2)] {
        plugin.publish(&user("c", user_name), "a", 0);
        assert_eq!(plugin.asked(), asked, "{user_name}");
    }
}

#[test]
fn new_settings_forget_and_raise_the_generation() {
    let plugin = counted(allow_for("#"));
    let who = client("c");
    plugin.publish(&who, "a", 0);
    let before = plugin.hooks.generation();
    plugin.host.reconfigure("p", &Settings::default()).unwrap();
    assert!(plugin.hooks.generation() > before);
    plugin.publish(&who, "a", 0);
    assert_eq!(plugin.asked(), 2);
}

#[test]
fn no_more_decisions_are_kept_than_allowed() {
    let plugin = counted_within(of_principal(Duration::MAX), 10);
    for session_key in 0..100 {
        let who = Identity { session_key, ..user("c", &format!("user{session_key}")) };
        plugin.publish(&who, "a", 0);
        assert!(plugin.host.stats()[0].decisions_cached <= 10);
    }
}

#[test]
fn one_session_keeps_no_more_than_its_share() {
    let plugin = counted(of_principal(Duration::MAX));
    let who = user("c", "alice");
    for number in 0..1_000 {
        plugin.publish(&who, &format!("t/{number}"), 0);
    }
    assert_eq!(plugin.host.stats()[0].decisions_cached, 64);
}

#[test]
fn a_hint_that_does_not_hold_for_what_was_asked_is_an_error() {
    let plugin = counted(allow_for("b/#"));
    let no = Verdict::Deny(ReasonCode::NotAuthorized);
    assert_eq!(plugin.publish(&client("c"), "a", 0), no);
    assert_eq!(plugin.host.stats()[0].errors(ErrorKind::InvalidAnswer), 1);
}

#[test]
fn generations_of_two_tables_are_never_the_same() {
    let one = counted(Decision::Next);
    let two = counted(Decision::Next);
    assert_ne!(one.hooks.generation(), two.hooks.generation());
}
