use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use pintle_mqtt::{Property, ReasonCode};
use pintle_ports::{
    Admission, AuthOutcome, AuthProgress, Broker, DeliverRuling, EventKind, Ruling, Step,
    SubscribeRuling, Whom,
};

use crate::client::at;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, pass};

const ALL_EVENTS: [EventKind; 15] = [
    EventKind::Connected,
    EventKind::AuthFailed,
    EventKind::Disconnected,
    EventKind::ConnectionLost,
    EventKind::SessionCreated,
    EventKind::SessionResumed,
    EventKind::SessionTakenOver,
    EventKind::SessionExpired,
    EventKind::Subscribed,
    EventKind::Unsubscribed,
    EventKind::Published,
    EventKind::Dropped,
    EventKind::RetainedSet,
    EventKind::RetainedCleared,
    EventKind::WillSent,
];

/// Hooks of every kind, in each of which another thread needs every lock there is.
fn broker_that_is_locked_from_every_hook() -> Scenario {
    let hooks = TestHooks::none()
        .authenticating(|_| Step::Done(AuthOutcome::Accept(Admission::default())))
        .exchanging(|_, _, _| Some(Step::Done(AuthProgress::Accept(Box::default(), None))))
        .authorizing(|_, _| Ruling::ALLOW)
        .on_publish(|_, _| pass())
        .on_subscribe(|_| SubscribeRuling::Pass)
        .on_unsubscribe(|_| None)
        .on_deliver(|_| 1, |_, _| DeliverRuling::Pass)
        .told(&ALL_EVENTS);
    let b = Scenario::build(hooks, |settings| settings.queue_messages_max = 2);
    let engine = Arc::downgrade(&b.engine);
    b.hooks.look_at_each_call(move || {
        let Some(engine) = engine.upgrade() else { return };
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let nobody = Whom::Principal("nobody".into());
            engine.disconnect(&nobody, ReasonCode::AdministrativeAction);
            engine.stats();
            done.send(()).unwrap();
        });
        assert!(is_done.recv_timeout(Duration::from_secs(10)).is_ok(), "a hook under a lock");
    });
    b
}

#[test]
fn no_hook_is_called_under_a_lock() {
    let mut b = broker_that_is_locked_from_every_hook();
    b.client("p").publishes("t", "retained").qos(1).retained();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t");
    b.client("g").subscribes("$share/g/t").unsubscribes(&["$share/g/t", "none"], &[0, 0x11]);
    b.client("g").subscribes("$share/g/t");
    b.client("p").publishes_at_once(&[publish("t", "1").qos(1), publish("t", "2").qos(2)]);
    b.client("s").is_lost();
    for payload in ["3", "4", "5"] {
        b.client("p").publishes("t", payload).qos(1);
    }
    b.connects("s").keeping_session(100).will("t", "will").will_delay(5).is_let_in();
    b.connects("s2").as_client_id("s").keeping_session(1).will("t", "w").is_let_in().is_lost();
    b.seconds_pass(10);
    b.connects("m").property(Property::AuthenticationMethod("m")).is_let_in();
    b.client("m").sends_auth(ReasonCode::ReAuthenticate, "m", b"").gets(&["AUTH"]);
    b.client("p").publishes("t", "").retained();
    b.client("p").sends(&[0xd0, 0]).is_closed_with("DISCONNECT ProtocolError");
    b.client("g").disconnects(ReasonCode::Success).is_closed();
    let engine = Arc::clone(&b.engine);
    engine.shut_down(&mut b.worker);
    let calls = b.hooks.calls();
    for hook in [
        "authenticate",
        "auth_begin",
        "authorize",
        "on_publish",
        "on_subscribe",
        "on_unsubscribe",
        "cohort",
        "on_deliver",
        "event",
    ] {
        assert!(calls.iter().any(|call| call.starts_with(hook)), "{hook} was not called");
    }
}

#[test]
fn clients_of_two_workers_may_do_everything_at_once() {
    let b = Scenario::bounded(|settings| settings.queue_messages_max = 50);
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let engine = Arc::clone(&b.engine);
            std::thread::spawn(move || {
                let mut own = Scenario::on(engine);
                for round in 0..300 {
                    turmoil(&mut own, thread, round);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(b.connected(), 0);
    assert_eq!(b.stat("subscriptions/count") + b.stat("shared_subscriptions/count"), 0);
    assert_eq!(b.stat("clients/total"), 0);
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

/// Both threads take the same client from each other while they publish to it.
fn turmoil(b: &mut Scenario, thread: u32, round: u32) {
    let secs = if round.is_multiple_of(3) { 0 } else { 100 };
    let connects = b.connects("mine").as_client_id("both").keeping_session(secs);
    let mut client = connects.will("t/w", "gone").sent();
    for filter in ["t/#", "$share/g/t/+"] {
        let bytes = client.subscribe_bytes(&[(filter, at(2))], None);
        client = client.sends(&bytes);
    }
    client.seen();
    let own = format!("p{thread}");
    let drafts = [
        publish("t/a", "x").qos(1).id(1),
        publish("t/a", "y").qos(1).id(2),
        publish("t/b", "z").qos(2).id(3),
    ];
    b.client(&own).publishes_at_once(&drafts).seen();
    if round == 299 {
        b.client(&own).is_lost();
        b.connects("last").as_client_id("both").sent().is_lost();
    } else if round.is_multiple_of(2) {
        b.client("mine").is_lost();
    }
}
