use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pintle_mqtt::ReasonCode;
use pintle_plugin_api::{PublishOutcome, PublishVerdict};
use pintle_plugin_host::{BreakerState, ErrorKind, Hook, PluginHost};
use pintle_ports::{HookPath, Hooks, PublishVerdict as Outcome};

use crate::support::{Scripted, at, client, load, message};

/// A plugin that panics while it is broken, and counts its calls.
struct Patient {
    host: PluginHost,
    hooks: Arc<dyn Hooks>,
    is_broken: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
}

impl Patient {
    fn new() -> Self {
        let is_broken = Arc::new(AtomicBool::new(true));
        let calls = Arc::new(AtomicU32::new(0));
        let (broken, counter) = (Arc::clone(&is_broken), Arc::clone(&calls));
        let host = load([Scripted::default()
            .publish(move |_, _, _| {
                counter.fetch_add(1, Ordering::Relaxed);
                assert!(!broken.load(Ordering::Relaxed), "on purpose");
                PublishVerdict::from(PublishOutcome::Pass)
            })
            .named("p")]);
        let hooks = host.hooks();
        Self { host, hooks, is_broken, calls }
    }

    fn is_broken(&self, broken: bool) {
        self.is_broken.store(broken, Ordering::Relaxed);
    }

    /// Whether a message at this time reaches the plugin, and gets through.
    fn publish(&self, millis: u64) -> (bool, bool) {
        let before = self.calls.load(Ordering::Relaxed);
        let (who, message) = (client("c"), message("t", b""));
        let ruling = self.hooks.on_publish(HookPath::Client, Some(&who), &message, at(millis));
        let is_called = self.calls.load(Ordering::Relaxed) > before;
        (is_called, ruling.verdict == Outcome::Pass)
    }

    fn errors(&self, kind: ErrorKind) -> u64 {
        self.host.stats()[0].errors(kind)
    }
}

const CALLED_AND_FAILED: (bool, bool) = (true, false);
const NOT_CALLED: (bool, bool) = (false, false);
const WORKED: (bool, bool) = (true, true);

#[test]
fn five_errors_in_a_row_open_it() {
    let patient = Patient::new();
    for _ in 0..5 {
        assert_eq!(patient.publish(0), CALLED_AND_FAILED);
    }
    assert_eq!(patient.publish(0), NOT_CALLED);
    assert_eq!(patient.errors(ErrorKind::Panic), 5);
    assert_eq!(patient.errors(ErrorKind::BreakerOpen), 1);
}

#[test]
fn four_errors_and_a_success_do_not_open_it() {
    let patient = Patient::new();
    for _ in 0..4 {
        assert_eq!(patient.publish(0), CALLED_AND_FAILED);
    }
    patient.is_broken(false);
    assert_eq!(patient.publish(0), WORKED);
    patient.is_broken(true);
    for _ in 0..4 {
        assert_eq!(patient.publish(0), CALLED_AND_FAILED);
    }
}

#[test]
fn half_of_at_least_twenty_calls_in_ten_seconds_open_it() {
    let patient = Patient::new();
    for call in 0..20 {
        patient.is_broken(call % 2 == 0);
        let (is_called, _) = patient.publish(call * 100);
        assert!(is_called, "call {call}");
    }
    patient.is_broken(true);
    assert_eq!(patient.publish(2_000), CALLED_AND_FAILED);
    assert_eq!(patient.publish(2_000), NOT_CALLED);
}

#[test]
fn the_same_errors_over_a_longer_time_do_not_open_it() {
    let patient = Patient::new();
    for call in 0..60 {
        patient.is_broken(call % 2 == 0);
        let (is_called, _) = patient.publish(call * 1_000);
        assert!(is_called, "call {call}");
    }
}

fn opened() -> Patient {
    let patient = Patient::new();
    for _ in 0..5 {
        patient.publish(0);
    }
    patient
}

#[test]
fn after_a_second_one_call_is_let_through() {
    let patient = opened();
    assert_eq!(patient.publish(999), NOT_CALLED);
    assert_eq!(patient.publish(1_000), CALLED_AND_FAILED);
    assert_eq!(patient.publish(1_000), NOT_CALLED);
}

#[test]
fn the_back_off_doubles_up_to_a_minute() {
    let patient = opened();
    let mut trial_at = 1_000;
    for back_off in [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        assert_eq!(patient.publish(trial_at - 1), NOT_CALLED);
        assert_eq!(patient.publish(trial_at), CALLED_AND_FAILED);
        trial_at += back_off;
    }
}

#[test]
fn a_call_that_works_closes_it_and_it_begins_anew() {
    let patient = opened();
    assert_eq!(patient.publish(1_000), CALLED_AND_FAILED);
    patient.is_broken(false);
    assert_eq!(patient.publish(3_000), WORKED);
    assert_eq!(patient.publish(3_000), WORKED);
    patient.is_broken(true);
    for _ in 0..5 {
        assert_eq!(patient.publish(4_000), CALLED_AND_FAILED);
    }
    assert_eq!(patient.publish(4_999), NOT_CALLED);
    patient.is_broken(false);
    assert_eq!(patient.publish(5_000), WORKED);
}

#[test]
fn each_hook_has_its_own() {
    let host = load([Scripted::default()
        .publish(|_, _, _| panic!("on purpose"))
        .unsubscribe(|_, _| Some("other".to_owned()))
        .named("p")]);
    let hooks = host.hooks();
    let who = client("c");
    for _ in 0..5 {
        hooks.on_publish(HookPath::Client, Some(&who), &message("t", b""), at(0));
    }
    assert_eq!(hooks.on_unsubscribe(&who, "t").as_deref(), Some("other"));
    let stats = host.stats();
    let state = |hook| stats[0].hook(hook).unwrap().breaker;
    assert_eq!(state(Hook::Publish), BreakerState::Open);
    assert_eq!(state(Hook::Unsubscribe), BreakerState::Closed);
}

#[test]
fn while_it_is_open_the_failure_policy_answers() {
    let patient = opened();
    let who = client("c");
    let ruling = patient.hooks.on_publish(HookPath::Client, Some(&who), &message("t", b""), at(0));
    let refused = Outcome::Reject(ReasonCode::ImplementationSpecificError);
    assert_eq!(ruling.verdict, refused);
}
