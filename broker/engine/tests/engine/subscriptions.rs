use pintle_mqtt::{QoS, SubscribeOptions};
use pintle_ports::{Action, EventKind, Ruling, SubscribeRuling, Verdict};

use crate::client::at;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

/// [MQTT-3.8.4-6]
#[test]
fn suback_has_a_code_for_each_filter_in_its_place() {
    let mut b = Scenario::bounded(|settings| {
        settings.topic_levels_max = 3;
        settings.topic_bytes_max = 20;
    });
    let filters = [
        ("a", at(0)),
        ("b/#/c", at(1)),
        ("c", at(1)),
        ("a/b/c/d", at(2)),
        ("d", at(2)),
        ("$share/g", at(1)),
        ("$share//t", at(1)),
        ("$share/g/t", at(1)),
        ("xxxxxxxxxxxxxxxxxxxxx", at(1)),
    ];
    let codes = b.client("c").subscribe_codes(&filters, None);
    assert_eq!(codes, [0, 0x8f, 1, 0x8f, 2, 0x8f, 0x8f, 1, 0x8f]);
    assert_eq!(b.stat("subscriptions/count"), 3);
    assert_eq!(b.stat("shared_subscriptions/count"), 1);
}

#[test]
fn an_old_client_is_told_of_any_failure_in_one_way() {
    let mut b = Scenario::new();
    assert_eq!(
        b.v3_client("c").subscribe_codes(&[("a/#/b", at(1)), ("a", at(1))], None),
        [0x80, 1]
    );
}

#[test]
fn what_the_listener_has_switched_off_is_answered_filter_by_filter() {
    let mut b = Scenario::new();
    b.terms.wildcard_subscription_available = false;
    b.terms.shared_subscription_available = false;
    b.terms.max_qos = QoS::AtLeastOnce;
    b.client("c").is_granted(&["a/+", "#", "$share/g/a", "a"], &[0xa2, 0xa2, 0x9e, 1]);
    b.terms.subscription_identifier_available = false;
    let mut client = b.client("d");
    let bytes = client.subscribe_bytes(&[("a", at(0))], Some(1));
    client.sends(&bytes).is_closed_with("DISCONNECT SubscriptionIdentifiersNotSupported");
}

#[test]
fn no_local_on_a_shared_subscription_breaks_the_protocol() {
    let mut b = Scenario::new();
    let mut client = b.client("c");
    let options = SubscribeOptions { no_local: true, ..at(1) };
    let bytes = client.subscribe_bytes(&[("$share/g/t", options)], None);
    client.sends(&bytes).is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn a_session_has_no_more_subscriptions_than_its_bound() {
    let mut b = Scenario::bounded(|settings| settings.subscriptions_max = 2);
    b.client("c").is_granted(&["a", "b", "c", "a"], &[2, 2, 0x97, 2]);
    b.client("c").unsubscribes(&["a"], &[0]).is_granted(&["c"], &[2]);
    assert_eq!(b.stat("subscriptions/count"), 2);
}

#[test]
fn a_filter_asked_for_again_replaces_its_subscription() {
    let mut b = Scenario::new();
    b.client("s").subscribes_with("t", at(2)).subscribes_with("t", at(0));
    b.client("p").publishes("t", "x").qos(2);
    let got = b.client("s").deliveries();
    assert_eq!((got.len(), got[0].qos()), (1, QoS::AtMostOnce));
    assert_eq!(b.stat("subscriptions/count"), 1);
}

#[test]
fn overlapping_subscriptions_bring_one_copy_with_all_identifiers() {
    let mut b = Scenario::new();
    b.client("s").subscribes_as(3, "a/#", at(0)).subscribes_as(1, "a/+", at(1));
    b.client("p").publishes("a/b", "x").qos(1);
    let got = b.client("s").deliveries();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].qos(), got[0].identifiers()), (QoS::AtLeastOnce, vec![1, 3]));
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut b = Scenario::new();
    b.client("c").subscribes_with("t", SubscribeOptions { no_local: true, ..at(1) });
    b.client("c").publishes("t", "own").then().receives(&[]);
    b.client("p").publishes("t", "others'");
    b.client("c").receives(&["others'"]);
    b.client("c").subscribes("+").publishes("t", "own").then().receives(&["own"]);
}

#[test]
fn topics_of_the_broker_are_not_matched_by_leading_wildcards() {
    let mut b = Scenario::new();
    b.client("s").subscribes("#").subscribes("+/x");
    b.client("p").publishes("$own/x", "hidden");
    b.client("s").receives(&[]);
    b.client("s").subscribes("$own/#");
    b.client("p").publishes("$own/x", "shown");
    b.client("s").receives(&["shown"]);
}

/// [MQTT-3.11.3-1] [MQTT-3.11.3-2]
#[test]
fn unsuback_has_a_code_for_each_filter_in_its_place() {
    let mut b = Scenario::new();
    b.client("c").subscribes("a").subscribes("$share/g/b");
    b.client("c").unsubscribes(&["a", "none", "b/#/c", "$share/g/b"], &[0, 0x11, 0x8f, 0]);
    assert_eq!(b.stat("subscriptions/count"), 0);
    assert_eq!(b.stat("shared_subscriptions/count"), 0);
    b.v3_client("old").subscribes("a").unsubscribes(&["a", "none"], &[]);
}

#[test]
fn after_unsubscribing_nothing_new_comes_but_what_is_in_flight_is_finished() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).by_hand().is_let_in().subscribes("t");
    b.client("p").publishes("t", "before").qos(1).gets(&["PUBACK 1"]);
    b.client("s").unsubscribes(&["t"], &[0]);
    b.client("p").publishes("t", "after").qos(1).gets(&["PUBACK 2 NoMatchingSubscribers"]);
    b.client("s").receives(&["before"]).is_lost();
    b.connects("s").keeping_session(100).is_let_in().receives(&["before"]);
}

#[test]
fn a_denied_subscription_is_not_made() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Subscribe(request) if request.filter == "secret" => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").is_granted(&["secret", "open"], &[0x87, 2]);
    b.client("p").publishes("secret", "x");
    b.client("s").receives(&[]);
}

#[test]
fn a_verdict_on_a_subscription_may_end_the_connection() {
    let hooks = TestHooks::none().authorizing(|_, _| Ruling {
        verdict: Verdict::Disconnect(pintle_mqtt::ReasonCode::NotAuthorized),
        ..denied()
    });
    let mut b = Scenario::with(hooks);
    let mut client = b.client("s");
    let bytes = client.subscribe_bytes(&[("t", at(1))], None);
    client.sends(&bytes).is_closed_with("DISCONNECT NotAuthorized");
}

#[test]
fn a_plugin_may_change_a_subscription_which_is_then_authorised_again() {
    let hooks = TestHooks::none()
        .authorizing(|_, action| match action {
            Action::Subscribe(request) if request.filter == "secret" => denied(),
            _ => Ruling::ALLOW,
        })
        .on_subscribe(|request| {
            let mut request = request.clone();
            match request.filter.as_str() {
                "mine" => request.filter = "users/me".to_owned(),
                "trick" => request.filter = "secret".to_owned(),
                "low" => request.qos = QoS::AtMostOnce,
                "broken" => request.filter = "a/#/b".to_owned(),
                "shared" => request.share_name = Some("g".to_owned()),
                "no" => {
                    let reason = pintle_mqtt::ReasonCode::ImplementationSpecificError;
                    return SubscribeRuling::Reject(reason);
                }
                _ => return SubscribeRuling::Pass,
            }
            SubscribeRuling::Rewrite(request)
        })
        .on_unsubscribe(|filter| (filter == "mine").then(|| "users/me".to_owned()));
    let mut b = Scenario::with(hooks);
    b.client("p").publishes("users/me", "retained").retained();
    b.client("p").publishes("shared", "retained").retained();
    let filters = ["mine", "trick", "low", "broken", "shared", "no", "plain"];
    b.client("s").is_granted(&filters, &[2, 0x87, 0, 0x8f, 2, 0x83, 2]).receives(&["retained"]);
    b.client("p").publishes("users/me", "x");
    b.client("s").receives(&["x"]).unsubscribes(&["mine", "plain"], &[0, 0]);
    b.client("p").publishes("users/me", "y");
    b.client("s").receives(&[]);
    assert_eq!(b.stat("shared_subscriptions/count"), 1);
}

#[test]
fn plugins_are_told_of_subscriptions() {
    let kinds = [EventKind::Subscribed, EventKind::Unsubscribed];
    let mut b = Scenario::with(TestHooks::none().told(&kinds));
    b.client("c").is_granted(&["a", "#/x"], &[2, 0x8f]).unsubscribes(&["a", "b"], &[0, 0x11]);
    assert_eq!(b.hooks.events(), ["subscribed c a", "unsubscribed c a"]);
}

#[test]
fn a_route_that_was_used_before_learns_of_new_and_old_subscribers() {
    let mut b = Scenario::new();
    for filter in ["a/b", "a/+", "#", "$share/g/a/b"] {
        let nobody = publish("a/b", "lost").qos(1).id(1);
        b.client("p").publishes_at_once(&[nobody]).gets(&["PUBACK 1 NoMatchingSubscribers"]);
        b.client("s").subscribes(filter);
        b.client("p").publishes("a/b", filter);
        b.client("s").receives(&[filter]).unsubscribes(&[filter], &[0]);
    }
}

#[test]
fn a_shared_group_gives_each_message_to_one_member_in_turn() {
    let mut b = Scenario::new();
    b.client("a").subscribes("$share/g/t");
    b.client("b").subscribes("$share/g/t");
    b.client("other").subscribes("$share/h/t");
    b.client("plain").subscribes("t");
    let drafts: Vec<_> = (0..6).map(|n| publish("t", n.to_string()).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts);
    assert_eq!(b.client("a").deliveries().len(), 3);
    assert_eq!(b.client("b").deliveries().len(), 3);
    assert_eq!(b.client("other").deliveries().len(), 6);
    assert_eq!(b.client("plain").deliveries().len(), 6);
}

#[test]
fn a_shared_group_prefers_members_that_are_connected() {
    let mut b = Scenario::new();
    b.connects("away").keeping_session(100).is_let_in().subscribes("$share/g/t").is_lost();
    b.client("here").subscribes("$share/g/t");
    for _ in 0..4 {
        b.client("p").publishes("t", "x").qos(1);
    }
    assert_eq!(b.client("here").deliveries().len(), 4);
    b.client("here").is_lost();
    b.client("p").publishes("t", "kept").qos(1);
    b.connects("away").keeping_session(100).is_let_in().receives(&["kept"]);
}

#[test]
fn a_shared_group_passes_over_members_without_the_right() {
    let hooks = TestHooks::none().authorizing(|who, action| match action {
        Action::Receive(_) if who.client_id.starts_with("no") => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("no1").subscribes("$share/g/t");
    b.connects("yes").keeping_session(100).is_let_in().subscribes("$share/g/t").is_lost();
    b.client("no2").subscribes("$share/g/t");
    for n in 0..4 {
        b.client("p").publishes("t", &n.to_string()).qos(1);
    }
    b.client("no1").receives(&[]);
    b.client("no2").receives(&[]);
    b.connects("yes").keeping_session(100).is_let_in().receives(&["0", "1", "2", "3"]);
}

#[test]
fn shared_subscriptions_bring_no_retained_messages() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").retained();
    b.client("s").subscribes("$share/g/t").receives(&[]);
}

#[test]
fn a_member_that_leaves_takes_no_messages_with_it() {
    let mut b = Scenario::new();
    b.client("a").subscribes("$share/g/t");
    b.client("b").subscribes("$share/g/t");
    b.client("p").publishes("t", "0");
    b.client("a").is_lost();
    for n in 1..5 {
        b.client("p").publishes("t", &n.to_string());
    }
    assert!(b.client("b").deliveries().len() >= 4);
}

#[test]
fn a_batch_of_many_subscriptions_lets_others_go_first() {
    let mut b = Scenario::new();
    let mut client = b.client("c");
    let filters: Vec<String> = (0..35).map(|number| format!("t/{number}")).collect();
    let packets: Vec<u8> = filters
        .iter()
        .flat_map(|filter| client.subscribe_bytes(&[(filter.as_str(), at(0))], None))
        .collect();

    b.feed("c", &packets);

    let wire = b.wire("c");
    assert_eq!(wire.yields, 3);
    assert!(wire.kept.is_empty());
    assert_eq!(b.client("c").seen().len(), 35);
    assert_eq!(b.stat("subscriptions/count"), 35);
}

#[test]
fn a_few_subscriptions_are_made_at_once() {
    let mut b = Scenario::new();
    let mut client = b.client("c");
    let filters: Vec<String> = (0..10).map(|number| format!("t/{number}")).collect();
    let packets: Vec<u8> = filters
        .iter()
        .flat_map(|filter| client.subscribe_bytes(&[(filter.as_str(), at(0))], None))
        .collect();

    b.feed("c", &packets);

    assert_eq!(b.wire("c").yields, 0);
    assert_eq!(b.stat("subscriptions/count"), 10);
}
