use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pintle_mqtt::{QoS, ReasonCode};
use pintle_plugin_api::{
    Accepted, Answer, AuthVerdict, Failure, Limits, QoS as ApiQoS, Rule, RuleAction, RuleEffect,
};
use pintle_plugin_host::{ChainSpec, ErrorKind, Hook, PluginHost, PluginSpec, no_hooks};
use pintle_ports::{Admission, AuthOutcome, Hooks, Refusal, Step};

use crate::support::{Scripted, attempt, client, load, user};

fn accept() -> AuthVerdict {
    AuthVerdict::Accept(Accepted::default())
}

fn answering(
    name: &str,
    answer: impl Fn() -> Answer<AuthVerdict> + Send + Sync + 'static,
) -> PluginSpec {
    Scripted::default().authenticate(move |_, _| answer()).named(name)
}

fn saying(name: &str, verdict: AuthVerdict) -> PluginSpec {
    answering(name, move || Answer::Now(verdict.clone()))
}

fn working(name: &str, work: impl Fn() -> AuthVerdict + Send + Sync + 'static) -> PluginSpec {
    let work = Arc::new(work);
    answering(name, move || {
        let work = Arc::clone(&work);
        Answer::Blocking(Box::new(move || work()))
    })
}

fn settled(step: Step<AuthOutcome>) -> AuthOutcome {
    match step {
        Step::Done(outcome) => outcome,
        Step::Wait(_) => panic!("it waits"),
    }
}

async fn outcome(hooks: &dyn Hooks) -> AuthOutcome {
    match hooks.authenticate(attempt(client("c"))) {
        Step::Done(outcome) => outcome,
        Step::Wait(waiting) => waiting.await,
    }
}

fn answer_of(plugins: impl IntoIterator<Item = PluginSpec>) -> AuthOutcome {
    settled(load(plugins).hooks().authenticate(attempt(client("c"))))
}

fn refused_with(outcome: AuthOutcome) -> (ReasonCode, String) {
    let AuthOutcome::Refuse(Refusal { reason, decided_by, .. }) = outcome else {
        panic!("not refused: {outcome:?}");
    };
    (reason, decided_by.to_string())
}

fn admission(outcome: AuthOutcome) -> Admission {
    let AuthOutcome::Accept(admission) = outcome else {
        panic!("not let in: {outcome:?}");
    };
    admission
}

#[test]
fn nobody_answers_where_there_is_no_plugin() {
    let hooks = no_hooks();
    let outcome = settled(hooks.authenticate(attempt(client("c"))));
    assert!(matches!(outcome, AuthOutcome::NoAnswer));
    assert!(!hooks.interest().authenticate);
}

#[test]
fn nobody_answers_where_all_say_next() {
    let next = || AuthVerdict::Next;
    let outcome = answer_of([saying("a", next()), saying("b", next())]);
    assert!(matches!(outcome, AuthOutcome::NoAnswer));
}

#[test]
fn the_first_answer_other_than_next_counts() {
    let no = AuthVerdict::Reject(Failure::new(0x86, "wrong password"));
    let outcome =
        answer_of([saying("a", AuthVerdict::Next), saying("b", no), saying("c", accept())]);
    let AuthOutcome::Refuse(refusal) = outcome else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason, ReasonCode::BadUserNameOrPassword);
    assert_eq!(refusal.message.as_deref(), Some("wrong password"));
    assert_eq!(&*refusal.decided_by, "b");
}

#[test]
fn a_plugin_that_panics_refuses_and_the_next_is_not_asked() {
    let panics = answering("a", || panic!("on purpose"));
    let (reason, by) = refused_with(answer_of([panics, saying("b", accept())]));
    assert_eq!((reason, by.as_str()), (ReasonCode::ServerUnavailable, "a"));
}

#[test]
fn an_open_breaker_refuses_and_the_next_is_not_asked() {
    let panics = answering("a", || panic!("on purpose"));
    let host = load([panics, saying("b", accept())]);
    let hooks = host.hooks();
    for _ in 0..6 {
        let outcome = settled(hooks.authenticate(attempt(client("c"))));
        assert_eq!(refused_with(outcome).0, ReasonCode::ServerUnavailable);
    }
    let stats = host.stats();
    assert_eq!(stats[0].errors(ErrorKind::Panic), 5);
    assert_eq!(stats[0].errors(ErrorKind::BreakerOpen), 1);
    assert_eq!(stats[1].hook(Hook::Authenticate).unwrap().calls, 0);
}

#[test]
fn a_code_that_connack_can_not_carry_is_an_error_of_the_plugin() {
    let no = AuthVerdict::Reject(Failure::code(0x8E));
    let (reason, _) = refused_with(answer_of([saying("a", no), saying("b", accept())]));
    assert_eq!(reason, ReasonCode::ServerUnavailable);
}

#[test]
fn the_plugin_is_given_what_connect_brought() {
    let plugin = Scripted::default().authenticate(|client, credentials| {
        let is_right = client.client_id() == "c1"
            && credentials.username.as_deref() == Some("u1")
            && credentials.password.as_deref() == Some(b"secret");
        Answer::Now(if is_right { accept() } else { AuthVerdict::Next })
    });
    let hooks = load([plugin.named("p")]).hooks();
    admission(settled(hooks.authenticate(attempt(user("c1", "u1")))));
}

#[test]
fn principal_bounds_and_user_properties_reach_the_engine() {
    let accepted = Accepted {
        principal: Some("alice".to_owned()),
        limits: Limits {
            max_qos: Some(ApiQoS::AtLeastOnce),
            subscriptions_max: Some(3),
            ..Limits::default()
        },
        connack_user_properties: vec![("a".to_owned(), "b".to_owned())],
        ..Accepted::default()
    };
    let admission = admission(answer_of([saying("p", AuthVerdict::Accept(accepted))]));
    assert_eq!(admission.principal.as_deref(), Some("alice"));
    assert_eq!(admission.bounds.max_qos, Some(QoS::AtLeastOnce));
    assert_eq!(admission.bounds.subscriptions_max, Some(3));
    assert_eq!(admission.user_properties, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn a_rule_whose_filter_is_none_is_an_error_of_the_plugin() {
    let accepted = Accepted {
        rules: vec![Rule {
            effect: RuleEffect::Allow,
            action: RuleAction::All,
            filter: "a/#/b".to_owned(),
            max_qos: None,
            allow_retain: None,
        }],
        ..Accepted::default()
    };
    let (reason, _) = refused_with(answer_of([saying("p", AuthVerdict::Accept(accepted))]));
    assert_eq!(reason, ReasonCode::ServerUnavailable);
}

#[test]
fn without_a_runtime_work_is_done_at_once() {
    let admission_ = answer_of([working("a", || AuthVerdict::Next), working("b", accept)]);
    admission(admission_);
}

#[tokio::test]
async fn work_is_done_off_the_worker() {
    let worker = std::thread::current().id();
    let host = load([working("a", move || {
        assert_ne!(std::thread::current().id(), worker);
        accept()
    })]);
    admission(outcome(&*host.hooks()).await);
}

#[tokio::test]
async fn after_work_that_ends_in_next_the_next_plugin_is_asked() {
    let no = AuthVerdict::Reject(Failure::code(0x87));
    let host = load([working("a", || AuthVerdict::Next), saying("b", no)]);
    let (reason, by) = refused_with(outcome(&*host.hooks()).await);
    assert_eq!((reason, by.as_str()), (ReasonCode::NotAuthorized, "b"));
}

#[tokio::test]
async fn work_that_panics_refuses() {
    let host = load([working("a", || panic!("on purpose")), saying("b", accept())]);
    let (reason, by) = refused_with(outcome(&*host.hooks()).await);
    assert_eq!((reason, by.as_str()), (ReasonCode::ServerUnavailable, "a"));
    assert_eq!(host.stats()[0].errors(ErrorKind::Panic), 1);
}

#[test]
fn the_answer_can_be_awaited_on_another_runtime_than_the_work() {
    let works = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let host = {
        let _inside = works.enter();
        load([working("a", accept)])
    };
    let worker = tokio::runtime::Builder::new_current_thread().build().unwrap();
    admission(worker.block_on(outcome(&*host.hooks())));
}

/// Holds work up until it is opened, and counts who is inside.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_open: bool,
    inside: u32,
    most_inside: u32,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock();
        state.inside += 1;
        state.most_inside = state.most_inside.max(state.inside);
        self.changed.notify_all();
        self.changed.wait_while(&mut state, |state| !state.is_open);
        state.inside -= 1;
    }

    fn open(&self) {
        self.state.lock().is_open = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, inside: u32) {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.inside < inside);
    }
}

/// A host whose only plugin's work waits at a gate.
fn gated(concurrency_max: usize, queue_max: usize) -> (PluginHost, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let at_gate = Arc::clone(&gate);
    let plugin = working("p", move || {
        at_gate.pass();
        accept()
    });
    let host = PluginHost::load(ChainSpec {
        plugins: vec![plugin],
        auth_concurrency_max: concurrency_max,
        auth_queue_max: queue_max,
        ..ChainSpec::default()
    });
    (host.unwrap(), gate)
}

#[tokio::test]
async fn no_more_work_than_allowed_is_done_at_once() {
    let (host, gate) = gated(2, 100);
    let hooks = host.hooks();
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let hooks = Arc::clone(&hooks);
            tokio::spawn(async move { outcome(&*hooks).await })
        })
        .collect();
    let waited = Arc::clone(&gate);
    tokio::task::spawn_blocking(move || waited.wait_for(2)).await.unwrap();
    gate.open();
    for attempt in attempts {
        admission(attempt.await.unwrap());
    }
    assert_eq!(gate.state.lock().most_inside, 2);
}

async fn all_run_until_they_wait() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn beyond_the_queue_clients_are_told_that_the_server_is_busy() {
    let (host, gate) = gated(1, 1);
    let hooks = host.hooks();
    let Step::Wait(mut first) = hooks.authenticate(attempt(client("1"))) else {
        panic!("it does not wait");
    };
    let Step::Wait(mut second) = hooks.authenticate(attempt(client("2"))) else {
        panic!("it does not wait");
    };
    std::future::poll_fn(|cx| {
        assert!(first.as_mut().poll(cx).is_pending());
        assert!(second.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    all_run_until_they_wait().await;
    let (reason, _) = refused_with(outcome(&*hooks).await);
    assert_eq!(reason, ReasonCode::ServerBusy);
    gate.open();
    admission(first.await);
    admission(second.await);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_in_the_queue() {
    let (host, gate) = gated(1, 1);
    let hooks = host.hooks();
    let first = hooks.authenticate(attempt(client("1")));
    let second = hooks.authenticate(attempt(client("2")));
    all_run_until_they_wait().await;
    drop(second);
    all_run_until_they_wait().await;
    let Step::Wait(third) = hooks.authenticate(attempt(client("3"))) else {
        panic!("it does not wait");
    };
    let Step::Wait(first) = first else {
        panic!("it does not wait");
    };
    all_run_until_they_wait().await;
    gate.open();
    admission(first.await);
    admission(third.await);
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_longer_than_three_seconds_refuses() {
    let (host, gate) = gated(1, 1);
    let hooks = host.hooks();
    let Step::Wait(waiting) = hooks.authenticate(attempt(client("c"))) else {
        panic!("it does not wait");
    };
    all_run_until_they_wait().await;
    tokio::time::advance(Duration::from_millis(3001)).await;
    let (reason, by) = refused_with(waiting.await);
    assert_eq!((reason, by.as_str()), (ReasonCode::ServerUnavailable, "p"));
    assert_eq!(host.stats()[0].errors(ErrorKind::Late), 1);
    gate.open();
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_queue_for_half_the_budget_is_told_busy_and_no_plugin_is_to_blame() {
    let (host, gate) = gated(1, 1);
    let hooks = host.hooks();
    let first = hooks.authenticate(attempt(client("1")));
    all_run_until_they_wait().await;
    let Step::Wait(second) = hooks.authenticate(attempt(client("2"))) else {
        panic!("it does not wait");
    };
    all_run_until_they_wait().await;
    tokio::time::advance(Duration::from_millis(1501)).await;
    let (reason, _) = refused_with(second.await);
    assert_eq!(reason, ReasonCode::ServerBusy);
    assert_eq!(host.stats()[0].errors(ErrorKind::Late), 0);
    drop(first);
    gate.open();
}

#[test]
fn each_attempt_is_asked_about_anew() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let hooks = load([answering("p", move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Answer::Now(accept())
    })])
    .hooks();
    for _ in 0..3 {
        settled(hooks.authenticate(attempt(client("c"))));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}
