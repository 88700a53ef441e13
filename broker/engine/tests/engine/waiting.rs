use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use pintle_engine::{EndCause, Flow};
use pintle_mqtt::{ProtocolVersion, ReasonCode};
use pintle_ports::{Admission, AuthOutcome, Refusal, Step};

use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// An answer that somebody gives later.
pub(crate) struct Later<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Later<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Later<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub(crate) fn give(&self, answer: T) {
        *self.0.lock().unwrap() = Some(answer);
    }

    pub(crate) fn step(&self) -> Step<T> {
        let answer = Arc::clone(&self.0);
        Step::Wait(Box::pin(poll_fn(move |_| match answer.lock().unwrap().take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })))
    }
}

/// A broker whose authentication takes its time.
fn slow() -> (Scenario, Later<AuthOutcome>) {
    let answer = Later::new();
    let given = answer.clone();
    let b = Scenario::with(TestHooks::none().authenticating(move |_| given.step()));
    (b, answer)
}

fn accepted() -> AuthOutcome {
    AuthOutcome::Accept(Admission::default())
}

fn refused() -> AuthOutcome {
    AuthOutcome::Refuse(Refusal {
        reason: ReasonCode::BadUserNameOrPassword,
        message: None,
        decided_by: "test".into(),
    })
}

#[test]
fn nothing_behind_a_connect_is_handled_while_a_hook_decides() {
    let (mut b, answer) = slow();
    let mut client = b.connects("c").sent_with(&[0xc0, 0]).gets(&[]);
    assert_eq!(client.flow(), Flow::Wait);
    assert_eq!(b.wire("c").kept, [0xc0, 0]);
    assert!(b.poll("c").is_pending());
    answer.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Read));
    b.client("c").gets(&["CONNACK", "PINGRESP"]).is_open();
}

#[test]
fn a_hook_that_refuses_later_refuses_all_the_same() {
    let (mut b, answer) = slow();
    b.connects("c").sent_with(&[0xc0, 0]);
    answer.give(refused());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Close));
    b.client("c").gets(&["CONNACK BadUserNameOrPassword"]).is_closed();
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 0));
}

#[test]
fn a_peer_that_leaves_while_a_hook_decides_leaves_nothing() {
    let (mut b, answer) = slow();
    b.connects("c").keeping_session(100).will("w", "gone").sent();
    b.ends("c", EndCause::PeerClosed);
    answer.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Close));
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 0));
}

#[test]
fn a_silent_peer_is_refused_while_a_hook_decides() {
    let (mut b, _answer) = slow();
    b.connects("c").keep_alive(1).sent();
    b.keep_alive_expires("c");
    b.client("c").gets(&["CONNACK UnspecifiedError"]).is_closed();
}

#[test]
fn a_client_whose_turn_comes_after_the_shut_down_is_refused() {
    let (mut b, answer) = slow();
    b.connects("c").sent();
    let engine = Arc::clone(&b.engine);
    engine.shut_down(&mut b.worker);
    answer.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Close));
    b.client("c").gets(&["CONNACK ServerUnavailable"]).is_closed();
}

#[test]
fn of_two_that_wait_for_one_identifier_the_later_answer_has_it() {
    let (mut b, answer) = slow();
    b.connects("one").as_client_id("c").keeping_session(100).sent();
    b.connects("two").as_client_id("c").keeping_session(100).sent();
    answer.give(accepted());
    assert_eq!(b.poll("two"), Poll::Ready(Flow::Read));
    answer.give(accepted());
    assert_eq!(b.poll("one"), Poll::Ready(Flow::Read));
    b.client("one").gets(&["CONNACK present"]).is_open();
    b.client("two").is_closed_with("DISCONNECT SessionTakenOver");
    assert_eq!((b.connected(), b.stat("clients/total")), (1, 1));
}

#[test]
fn polling_when_nothing_is_waited_for_says_to_read() {
    let mut b = Scenario::new();
    b.client("c");
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Read));
    b.opens_socket("fresh", ProtocolVersion::V5_0);
    assert_eq!(b.poll("fresh"), Poll::Ready(Flow::Read));
    b.ends("fresh", EndCause::PeerClosed);
    assert_eq!(b.poll("fresh"), Poll::Ready(Flow::Close));
}
