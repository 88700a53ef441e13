use pintle_mqtt::ReasonCode;
use pintle_plugin_api::{Accepted, AuthExchange, AuthStep, Failure};
use pintle_plugin_host::{ErrorKind, PluginHost};
use pintle_ports::{AuthProgress, Exchange, Step};
use std::sync::Arc;

use crate::support::{Scripted, client, load};

/// Answers the data of the n-th packet with the n-th step.
struct Script(Vec<AuthStep>);

impl AuthExchange for Script {
    fn step(&mut self, data: Option<&[u8]>) -> AuthStep {
        assert!(data != Some(b"panic"), "on purpose");
        self.0.remove(0)
    }
}

fn host(steps: Vec<AuthStep>) -> PluginHost {
    load([Scripted::default()
        .auth_begin(&["TEST"], move |_, method, _| {
            assert_eq!(method, "TEST");
            Some(Box::new(Script(steps.clone())))
        })
        .named("p")])
}

fn begin(host: &PluginHost, method: &str, data: &[u8], reauth: bool) -> Option<AuthProgress> {
    let who = Arc::new(client("c"));
    let step = host.hooks().auth_begin(&who, method, Some(data), reauth)?;
    Some(settled(step))
}

fn settled(step: Step<AuthProgress>) -> AuthProgress {
    match step {
        Step::Done(progress) => progress,
        Step::Wait(_) => panic!("it waits"),
    }
}

fn challenge(progress: Option<AuthProgress>) -> (Vec<u8>, Box<dyn Exchange>) {
    let Some(AuthProgress::Challenge(data, exchange)) = progress else {
        panic!("no challenge");
    };
    (data, exchange)
}

fn refusal(progress: Option<AuthProgress>) -> ReasonCode {
    let Some(AuthProgress::Refuse(refusal)) = progress else {
        panic!("not refused");
    };
    refusal.reason
}

fn accepted() -> AuthStep {
    let accepted = Accepted { principal: Some("alice".to_owned()), ..Accepted::default() };
    AuthStep::Accept(Box::new(accepted), Some(b"done".to_vec()))
}

#[test]
fn a_method_that_nobody_owns_is_not_begun() {
    assert!(begin(&host(vec![accepted()]), "OTHER", b"", false).is_none());
}

#[test]
fn an_exchange_goes_on_until_the_plugin_lets_the_client_in() {
    let host = host(vec![AuthStep::Challenge(b"who?".to_vec()), accepted()]);
    let (data, exchange) = challenge(begin(&host, "TEST", b"hello", false));
    assert_eq!(data, b"who?");
    let AuthProgress::Accept(admission, data) = settled(exchange.step(Some(b"me".to_vec()))) else {
        panic!("not let in");
    };
    assert_eq!(admission.principal.as_deref(), Some("alice"));
    assert_eq!(data.as_deref(), Some(&b"done"[..]));
}

#[test]
fn a_step_that_panics_refuses() {
    let host = host(vec![accepted()]);
    let refused = refusal(begin(&host, "TEST", b"panic", false));
    assert_eq!(refused, ReasonCode::ServerUnavailable);
    assert_eq!(host.stats()[0].errors(ErrorKind::Panic), 1);
}

#[test]
fn a_refusal_carries_the_code_of_the_packet_that_tells_it() {
    let no = |code| vec![AuthStep::Reject(Failure::code(code))];
    let at_connect = refusal(begin(&host(no(0x8C)), "TEST", b"", false));
    assert_eq!(at_connect, ReasonCode::BadAuthenticationMethod);
    let later = refusal(begin(&host(no(0x8C)), "TEST", b"", true));
    assert_eq!(later, ReasonCode::ServerUnavailable);
    let later = refusal(begin(&host(no(0x87)), "TEST", b"", true));
    assert_eq!(later, ReasonCode::NotAuthorized);
}

#[test]
fn data_too_long_for_a_packet_is_an_error_of_the_plugin() {
    let host = host(vec![AuthStep::Challenge(vec![0; 65_536])]);
    let refused = refusal(begin(&host, "TEST", b"", false));
    assert_eq!(refused, ReasonCode::ServerUnavailable);
    assert_eq!(host.stats()[0].errors(ErrorKind::InvalidAnswer), 1);
}

#[test]
fn a_plugin_may_decline_to_begin() {
    let host = load([Scripted::default().auth_begin(&["TEST"], |_, _, _| None).named("p")]);
    assert!(begin(&host, "TEST", b"", false).is_none());
}

#[tokio::test]
async fn inside_a_runtime_steps_are_made_off_the_worker() {
    let host = host(vec![AuthStep::Challenge(b"who?".to_vec()), accepted()]);
    let who = Arc::new(client("c"));
    let Some(Step::Wait(first)) = host.hooks().auth_begin(&who, "TEST", None, false) else {
        panic!("it does not wait");
    };
    let (_, exchange) = challenge(Some(first.await));
    let Step::Wait(second) = exchange.step(None) else {
        panic!("it does not wait");
    };
    assert!(matches!(second.await, AuthProgress::Accept(..)));
}
