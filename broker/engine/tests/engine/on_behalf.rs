use std::sync::Arc;

use pintle_mqtt::{QoS, ReasonCode};
use pintle_ports::{Action, Broker, NotDone, Ruling, SubscriptionRequest};

use crate::broker_port::message;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied, pass, verdict};

fn wanted(filter: &str) -> SubscriptionRequest {
    SubscriptionRequest {
        filter: filter.to_owned(),
        share_name: None,
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

#[test]
fn a_message_for_one_client_reaches_it_alone_and_waits_while_it_is_away() {
    let mut b = Scenario::new();
    b.client("other").subscribes("#");
    b.connects("c").keeping_session(100).is_let_in();
    b.engine.publish_to("c", &message(publish("t", "1"))).unwrap();
    b.settle();
    b.client("c").receives(&["1"]).is_lost();
    b.engine.publish_to("c", &message(publish("t", "2").qos(1))).unwrap();
    b.connects("c").keeping_session(100).is_let_in().receives(&["2"]);
    b.client("other").receives(&[]);
    let nobody = b.engine.publish_to("nobody", &message(publish("t", "3")));
    assert_eq!(nobody, Err(NotDone::NoSuchSession));
}

#[test]
fn a_subscription_in_a_clients_place_is_as_its_own_and_brings_what_is_retained() {
    let mut b = Scenario::new();
    b.client("p").publishes("t/1", "kept").retained();
    b.client("c");
    b.engine.subscribe_for("c", &wanted("t/+")).unwrap();
    b.settle();
    b.client("c").receives(&["kept"]);
    b.client("p").publishes("t/2", "new");
    b.client("c").receives(&["new"]);
    b.engine.unsubscribe_for("c", "t/+").unwrap();
    b.client("p").publishes("t/2", "unheard");
    b.client("c").receives(&[]);
    let none = NotDone::Refused(ReasonCode::NoSubscriptionExisted);
    assert_eq!(b.engine.unsubscribe_for("c", "t/+"), Err(none));
    assert_eq!(b.engine.subscribe_for("nobody", &wanted("t")), Err(NotDone::NoSuchSession));
}

#[test]
fn a_subscription_in_a_clients_place_needs_that_clients_right() {
    let may = |_: &_, action: Action<'_>| match action {
        Action::Subscribe(request) if request.filter == "secret" => denied(),
        _ => Ruling::ALLOW,
    };
    let mut b = Scenario::with(TestHooks::none().authorizing(may));
    b.client("c");
    let refused = b.engine.subscribe_for("c", &wanted("secret"));
    assert_eq!(refused, Err(NotDone::Refused(ReasonCode::NotAuthorized)));
    b.client("p").publishes("secret", "x");
    b.client("c").receives(&[]);
}

#[test]
fn what_is_retained_can_be_read() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "kept").retained();
    assert_eq!(b.engine.retained("t").as_deref(), Some(&b"kept"[..]));
    assert_eq!(b.engine.retained("other"), None);
}

#[test]
fn under_new_hooks_connected_clients_have_their_cohorts_and_rights_asked_anew() {
    let mut b = Scenario::with(TestHooks::none().on_publish(|_, _| pass()));
    b.client("1-c").subscribes("t");
    b.client("2-c").subscribes("t");
    b.client("p").publishes("t", "old");
    b.client("1-c").receives(&["old"]);
    b.client("2-c").receives(&["old"]);

    let may = |who: &pintle_ports::Identity, action: Action<'_>| match action {
        Action::Receive(_) if &*who.client_id == "2-c" => denied(),
        _ => Ruling::ALLOW,
    };
    let cohort = |who: &pintle_ports::Identity| u32::from(who.client_id.starts_with('1'));
    let changed = |_, _: &pintle_mqtt::Publish<'_>| {
        pintle_ports::DeliverRuling::Rewrite(message(publish("t", "for cohort 1")))
    };
    let new = Arc::new(TestHooks::none().authorizing(may).on_deliver(cohort, changed));
    Broker::set_hooks(&*b.engine, Arc::clone(&new) as _);
    b.client("p").publishes("t", "new");
    b.client("1-c").receives(&["for cohort 1"]);
    b.client("2-c").receives(&[]);
    assert_eq!(b.hooks.calls_of("on_publish"), 1);
    assert!(new.calls().contains(&"cohort 1-c".to_owned()));

    Broker::invalidate(&*b.engine);
    b.client("p").publishes("t", "again");
    b.client("1-c").receives(&["for cohort 1"]);
    assert!(new.calls().contains(&"cohort 1-c".to_owned()));

    let closed = TestHooks::none().on_publish(|_, _| verdict(pintle_ports::PublishVerdict::Drop));
    Broker::set_hooks(&*b.engine, Arc::new(closed));
    b.client("p").publishes("t", "dropped");
    b.client("1-c").receives(&[]);
    b.client("2-c").receives(&[]);
}
