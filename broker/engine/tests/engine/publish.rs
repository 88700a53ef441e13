use pintle_engine::Flow;
use pintle_mqtt::{Property, ProtocolVersion, QoS, ReasonCode, Timestamp};
use pintle_ports::{Action, Ruling, Verdict};

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, allowed_until, denied};

#[test]
fn a_message_goes_to_all_who_subscribed() {
    let mut b = Scenario::new();
    b.client("a").subscribes("t");
    b.v3_client("b").subscribes("+");
    b.client("c").subscribes("other");
    b.client("p").publishes("t", "x");
    b.client("a").receives(&["x"]);
    b.client("b").receives(&["x"]);
    b.client("c").receives(&[]);
}

#[test]
fn a_message_is_delivered_at_the_lower_of_both_qos() {
    let mut b = Scenario::new();
    for qos in 0..3 {
        b.client(&format!("s{qos}")).subscribes_with("t", crate::client::at(qos));
    }
    b.client("p").publishes("t", "x").qos(1);
    let mut at = |name: &str| b.client(name).deliveries()[0].qos();
    assert_eq!(at("s0"), QoS::AtMostOnce);
    assert_eq!(at("s1"), QoS::AtLeastOnce);
    assert_eq!(at("s2"), QoS::AtLeastOnce);
}

#[test]
fn an_acknowledgement_says_whether_anybody_subscribed() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "x").qos(1).gets(&["PUBACK 1 NoMatchingSubscribers"]);
    let client = b.client("p").publishes("t", "x").qos(2).then();
    client.gets(&["PUBREC 2 NoMatchingSubscribers", "PUBCOMP 2"]);
    b.client("s").subscribes("t");
    b.client("p").publishes("t", "x").qos(1).gets(&["PUBACK 3"]);
    b.v3_client("old").publishes("nobody", "x").qos(1).gets(&["PUBACK 1"]);
}

/// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[test]
fn messages_in_one_read_are_delivered_and_acknowledged_in_order() {
    let mut b = Scenario::new();
    b.client("s").subscribes("#");
    let drafts = [
        publish("a", "1").qos(1).id(10),
        publish("a", "2").qos(1).id(5),
        publish("b", "3").qos(1).id(6),
        publish("b", "4"),
        publish("b", "5").qos(2).id(7),
        publish("b", "6").qos(2).id(3),
        publish("a", "7").qos(1).id(11),
    ];
    let client = b.client("p").answers_by_hand().publishes_at_once(&drafts);
    client.gets(&["PUBACK 10", "PUBACK 5", "PUBACK 6", "PUBREC 7", "PUBREC 3", "PUBACK 11"]);
    b.client("s").receives(&["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_run_of_messages_is_delivered_whole_to_every_version_and_qos() {
    let mut b = Scenario::new();
    b.client("new").subscribes("t");
    b.v3_client("old").subscribes("t");
    b.client("q0").subscribes_with("t", crate::client::at(0));
    let payloads: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let drafts: Vec<_> = payloads.iter().map(|payload| publish("t", payload).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts);
    let expected: Vec<&str> = payloads.iter().map(String::as_str).collect();
    for name in ["new", "old", "q0"] {
        b.client(name).receives(&expected);
    }
    assert_eq!(b.stat("publish/messages/received"), 50);
    assert_eq!(b.stat("publish/messages/sent"), 150);
}

#[test]
fn a_bad_packet_behind_good_ones_ends_the_connection_after_they_were_handled() {
    for bad in [
        &[0x32, 6, 0, 1, b't', 0, 0, 0][..],
        &[0x32, 4, 0, 1, b't', 0],
        &[0x32, 6, 0, 1, b'#', 0, 9, 0],
        &[0x32, 8, 0, 1, b't', 0, 9, 2, 0x7f, 0],
        &[0x32, 0x80, 0x80, 0x80, 0x80, 1],
    ] {
        let mut b = Scenario::new();
        b.client("s").subscribes("t");
        let good = [publish("t", "1").qos(1), publish("t", "2").qos(1)];
        let mut bytes = b.client("p").bytes_of(&good);
        bytes.extend_from_slice(bad);
        let mut client = b.client("p").sends(&bytes);
        let got: Vec<String> = client.seen().iter().map(|seen| seen.short()).collect();
        assert_eq!(got[..2], ["PUBACK 1", "PUBACK 2"], "before {bad:?}");
        assert!(got[2].starts_with("DISCONNECT "), "{got:?}");
        client.is_closed();
        b.client("s").receives(&["1", "2"]);
    }
}

#[test]
fn messages_to_topics_that_begin_alike_are_kept_apart() {
    let mut b = Scenario::new();
    b.client("s").subscribes("#");
    let topics = ["t", "tt", "t", "t/t", "t/", "t"];
    let drafts: Vec<_> = topics.iter().map(|topic| publish(topic, topic).qos(1)).collect();
    b.client("p").publishes_at_once(&drafts);
    let got = b.client("s").deliveries();
    let seen: Vec<&str> = got.iter().map(|seen| seen.topic()).collect();
    assert_eq!(seen, topics);
    assert!(got.iter().all(|seen| seen.topic() == seen.payload()));
}

#[test]
fn a_packet_cut_short_waits_and_those_before_it_are_handled() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let bytes = b.client("p").bytes_of(&[publish("t", "1"), publish("t", "2")]);
    let cut = bytes.len() - 1;
    b.client("p").sends(&bytes[..cut]);
    b.client("s").receives(&["1"]);
    b.client("p").sends(&bytes[cut..]);
    b.client("s").receives(&["2"]);
}

#[test]
fn messages_with_properties_keep_them() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.v3_client("old").subscribes("t");
    let draft = || {
        publish("t", "x")
            .property(Property::ContentType("text"))
            .property(Property::UserProperty(("k", "v")))
            .property(Property::ResponseTopic("answer"))
    };
    b.client("p").publishes_at_once(&[draft(), publish("t", "y"), draft()]);
    let got = b.client("s").deliveries();
    assert_eq!(got.len(), 3);
    for (seen, has) in got.iter().zip([true, false, true]) {
        assert_eq!(seen.properties().content_type().is_some(), has);
        assert_eq!(seen.properties().user_properties().count(), usize::from(has));
    }
    b.client("old").receives(&["x", "y", "x"]);
}

#[test]
fn a_message_that_may_have_come_before_is_not_sent_on_as_one() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.client("p").publishes_at_once(&[publish("t", "x").qos(1).dup()]);
    let got = b.client("s").deliveries();
    assert!(!got[0].dup());
}

#[test]
fn a_length_with_more_bytes_than_it_needs_is_made_short() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let long = [0x30, 0x85, 0x00, 0, 1, b't', 0, b'x'];
    b.client("p").sends(&long);
    let got = b.client("s").deliveries();
    assert_eq!((got[0].payload(), got[0].len()), ("x".to_owned(), 7));
}

#[test]
fn a_topic_above_its_bounds_closes_the_connection() {
    let bounded = || {
        Scenario::bounded(|settings| {
            settings.topic_levels_max = 3;
            settings.topic_bytes_max = 10;
        })
    };
    let mut b = bounded();
    b.client("p").publishes("a/b/c", "x").then().is_open();
    b.client("p").publishes("a/b/c/d", "x").then().is_closed_with("DISCONNECT TopicNameInvalid");
    let mut b = bounded();
    b.client("p").publishes("aaaaaaaaaa", "x").then().is_open();
    let client = b.client("p").publishes("aaaaaaaaaaa", "x").then();
    client.is_closed_with("DISCONNECT TopicNameInvalid");
}

/// [MQTT-3.2.2-11] [MQTT-3.2.2-14]
#[test]
fn what_the_listener_has_switched_off_closes_the_connection() {
    let mut b = Scenario::new();
    b.terms.max_qos = QoS::AtLeastOnce;
    b.terms.retain_available = false;
    b.client("p").publishes("t", "x").qos(1).then().is_open();
    b.client("p").publishes("t", "x").qos(2).then().is_closed_with("DISCONNECT QosNotSupported");
    let client = b.client("r").publishes("t", "x").retained().then();
    client.is_closed_with("DISCONNECT RetainNotSupported");
}

#[test]
fn retain_of_an_old_client_is_passed_over_where_it_is_not_available() {
    let mut b = Scenario::new();
    b.terms.retain_available = false;
    b.client("s").subscribes("t");
    b.v3_client("p").publishes("t", "x").retained();
    b.client("s").receives(&["x"]);
    b.client("later").subscribes("t").receives(&[]);
    assert_eq!(b.stat("retained messages/count"), 0);
}

#[test]
fn clients_must_not_name_subscription_identifiers_nor_wildcards_in_a_response_topic() {
    let mut b = Scenario::new();
    let bad = publish("t", "x").property(Property::SubscriptionIdentifier(1));
    b.client("a").publishes_at_once(&[bad]).is_closed_with("DISCONNECT ProtocolError");
    let bad = publish("t", "x").property(Property::ResponseTopic("a/#"));
    b.client("b").publishes_at_once(&[bad]).is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn topics_of_the_broker_are_its_own() {
    let mut b = Scenario::new();
    b.client("s").subscribes("$SYS/#");
    b.client("p").publishes("$SYS/x", "x").qos(1).gets(&["PUBACK 1 NotAuthorized"]).is_open();
    b.client("s").receives(&[]);
}

#[test]
fn a_denied_message_is_not_delivered_and_the_client_told_as_its_version_can() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(_) => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    b.client("p").publishes("t", "x").qos(1).gets(&["PUBACK 1 NotAuthorized"]);
    b.client("p").publishes("t", "x").qos(2).gets(&["PUBREC 2 NotAuthorized"]);
    b.v3_client("old").publishes("t", "x").qos(1).gets(&["PUBACK 1"]);
    b.client("old").publishes("t", "x").qos(2).gets(&["PUBREC 2", "PUBCOMP 2"]);
    b.client("old").publishes("t", "x").then().is_open();
    b.client("s").receives(&[]);
}

#[test]
fn a_verdict_may_end_the_connection_after_what_was_answered_before() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(publish) if publish.topic.unwrap().as_str() == "trap" => {
            Ruling { verdict: Verdict::Disconnect(ReasonCode::NotAuthorized), ..denied() }
        }
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#");
    let drafts = [publish("t", "1").qos(1), publish("trap", "2").qos(1), publish("t", "3").qos(1)];
    let client = b.client("p").publishes_at_once(&drafts);
    client.gets(&["PUBACK 1", "DISCONNECT NotAuthorized"]).is_closed();
    b.client("s").receives(&["1"]);
}

#[test]
fn the_right_to_a_topic_is_asked_once_while_it_holds() {
    let mut b = Scenario::with(TestHooks::none().authorizing(|_, _| Ruling::ALLOW));
    b.client("p").publishes("t", "1");
    b.client("p").publishes("t", "2");
    assert_eq!(b.hooks.calls_of("authorize p publish"), 1);
    b.client("p").publishes("t", "3").qos(1);
    b.client("p").publishes("other", "4").qos(1);
    b.client("p").publishes("t", "5").qos(1);
    assert_eq!(b.hooks.calls_of("authorize p publish"), 3);
    b.hooks.raise_generation();
    b.client("p").publishes("t", "6").qos(1);
    assert_eq!(b.hooks.calls_of("authorize p publish"), 1);
}

#[test]
fn a_right_that_holds_for_a_while_is_asked_again_after_it() {
    let until = Timestamp::from_millis(1_005_000);
    let hooks = TestHooks::none().authorizing(move |_, _| allowed_until(until));
    let mut b = Scenario::with(hooks);
    b.client("p").publishes("t", "1");
    b.client("p").publishes("t", "2");
    assert_eq!(b.hooks.calls_of("authorize p publish"), 1);
    b.seconds_pass(5);
    b.client("p").publishes("t", "3");
    b.client("p").publishes("t", "4");
    assert_eq!(b.hooks.calls_of("authorize p publish"), 2);
}

#[test]
fn the_right_to_one_topic_says_nothing_of_one_that_an_alias_stands_for() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(publish) if publish.topic.unwrap().as_str() == "secret" => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#");
    let drafts = [
        publish("secret", "1").alias(1),
        publish("open", "2").alias(2),
        publish("", "3").without_topic().alias(1),
        publish("", "4").without_topic().alias(2),
        publish("open", "5"),
        publish("", "6").without_topic().alias(1),
    ];
    b.client("p").publishes_at_once(&drafts);
    b.client("s").receives(&["2", "4", "5"]);
}

#[test]
fn a_topic_alias_stands_for_the_topic_it_was_set_to_last() {
    let mut b = Scenario::new();
    b.client("s").subscribes("#");
    let drafts = [
        publish("a", "1").alias(1),
        publish("", "2").without_topic().alias(1),
        publish("b", "3").alias(1),
        publish("", "4").without_topic().alias(1),
    ];
    b.client("p").publishes_at_once(&drafts);
    let got = b.client("s").deliveries();
    let topics: Vec<&str> = got.iter().map(|seen| seen.topic()).collect();
    assert_eq!(topics, ["a", "a", "b", "b"]);
    assert!(got.iter().all(|seen| seen.properties().topic_alias().is_none()));
}

#[test]
fn a_topic_alias_that_is_not_allowed_or_not_known_closes_the_connection() {
    let mut b = Scenario::new();
    b.terms.topic_alias_maximum = 2;
    let client = b.client("a").publishes_at_once(&[publish("t", "x").alias(3)]);
    client.is_closed_with("DISCONNECT TopicAliasInvalid");
    let client = b.client("b").publishes_at_once(&[publish("", "x").without_topic().alias(1)]);
    client.is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn an_alias_is_learnt_from_a_message_that_is_a_duplicate() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    b.client("p").publishes_at_once(&[publish("t", "1").qos(2).id(1)]).is_lost();
    b.connects("p").keeping_session(100).is_let_in();
    let again = publish("t", "1").qos(2).id(1).dup().alias(4);
    b.client("p").publishes_at_once(&[again, publish("", "2").without_topic().alias(4)]);
    b.client("s").receives(&["1", "2"]);
}

#[test]
fn over_its_budget_the_broker_refuses_what_it_would_have_to_keep() {
    let mut b = over_budget();
    b.client("live").subscribes("t");
    b.client("p").publishes("t", "1").qos(1).gets(&["PUBACK 1 QuotaExceeded"]);
    b.client("p").publishes("t", "2").qos(2).gets(&["PUBREC 2 QuotaExceeded"]);
    b.client("p").publishes("t", "3").then();
    b.client("live").receives(&["3"]);
}

/// A broker whose budget a message queued for a client that is away has used up.
fn over_budget() -> Scenario {
    let mut b = Scenario::bounded(|settings| settings.broker_bytes_max = 1000);
    b.connects("away").keeping_session(1000).is_let_in().subscribes("big").is_lost();
    b.client("filler").publishes("big", &"x".repeat(2000)).qos(1);
    assert!(b.engine.is_over_budget());
    b
}

#[test]
fn over_its_budget_the_broker_lets_old_clients_wait() {
    let mut b = over_budget();
    b.client("s").subscribes("t");
    let mut client = b.v3_client("p").publishes("t", "1").qos(2).gets(&[]);
    assert_eq!(client.flow(), Flow::Pause);
    b.connects("away").keeping_session(1000).is_let_in();
    assert!(!b.engine.is_over_budget());
    let mut client = b.client("p").sends(&[]).gets(&["PUBREC 1", "PUBCOMP 1"]);
    assert_eq!(client.flow(), Flow::Read);
    b.client("s").receives(&["1"]);
}

#[test]
fn a_duplicate_is_acknowledged_even_over_the_budget() {
    let mut b = Scenario::bounded(|settings| settings.broker_bytes_max = 1000);
    b.connects("away").keeping_session(1000).is_let_in().subscribes("big").is_lost();
    let big = publish("big", "x".repeat(2000)).qos(2).id(9);
    let client = b.client("p").answers_by_hand().publishes_at_once(&[big.clone(), big.dup()]);
    client.gets(&["PUBREC 9", "PUBREC 9"]);
}

#[test]
fn an_alias_is_learnt_from_a_message_that_is_refused_over_the_budget() {
    let mut b = over_budget();
    b.client("s").subscribes("t");
    let refused = publish("t", "1").qos(1).alias(1);
    b.client("p").publishes_at_once(&[refused, publish("", "2").without_topic().alias(1)]);
    b.client("s").receives(&["2"]);
}

#[test]
fn a_peer_that_does_not_take_its_acknowledgements_is_not_read() {
    let mut b = Scenario::bounded(|settings| settings.outbox_bytes_max = 100);
    let drafts: Vec<_> = (1..=60).map(|id| publish("t", "x").qos(1).id(id)).collect();
    let mut client = b.v3_client("p").stops_reading().publishes_at_once(&drafts);
    assert_eq!(client.flow(), Flow::Pause);
    let more = publish("t", "y").qos(1).id(61).bytes(ProtocolVersion::V3_1_1);
    let mut client = b.client("p").sends(&more);
    assert_eq!(client.flow(), Flow::Pause);
    assert_eq!(b.stat("publish/messages/received"), 60);
    let mut client = b.client("p").reads_on().sends(&[]);
    assert_eq!(client.flow(), Flow::Read);
    assert_eq!(client.seen().len(), 61);
}

#[test]
fn a_message_expires_from_when_it_was_taken() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.client("p").publishes("t", "x").expiring_in(0);
    b.client("p").publishes("t", "y").expiring_in(60);
    let got = b.client("s").deliveries();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1].properties().message_expiry_interval(), Some(60));
}

#[test]
fn a_message_too_large_for_a_client_is_left_out_for_it_alone() {
    let mut b = Scenario::new();
    b.connects("small").property(Property::MaximumPacketSize(50)).is_let_in().subscribes("t");
    b.client("any").subscribes("t");
    let long = "x".repeat(100);
    b.client("p").publishes("t", &long).qos(1);
    b.client("p").publishes("t", "short").qos(1);
    b.client("small").receives(&["short"]);
    b.client("any").receives(&[&long, "short"]);
    assert_eq!(b.stat("publish/messages/dropped"), 1);
}

#[test]
fn the_packet_size_of_the_listener_holds() {
    let mut b = Scenario::new();
    b.terms.packet_bytes_max = 100;
    let client = b.client("p").publishes("t", &"x".repeat(100)).then();
    client.is_closed_with("DISCONNECT PacketTooLarge");
}
