use pintle_mqtt::{AckKind, ReasonCode};
use pintle_ports::{Action, Ruling, Verdict};

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

/// [MQTT-4.3.3-11]
#[test]
fn pubrel_is_answered_and_frees_the_identifier() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let message = || publish("t", "x").qos(2).id(5);
    b.client("p").answers_by_hand().publishes_at_once(&[message()]).gets(&["PUBREC 5"]);
    b.client("p").acks(AckKind::PubRel, 5, ReasonCode::Success).gets(&["PUBCOMP 5"]);
    b.client("p").publishes_at_once(&[message()]).gets(&["PUBREC 5"]);
    b.client("s").receives(&["x", "x"]);
}

#[test]
fn the_same_identifier_before_pubrel_is_the_same_message() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let message = || publish("t", "x").qos(2).id(5);
    let client = b.client("p").answers_by_hand().publishes_at_once(&[message()]);
    client.publishes_at_once(&[message().dup()]).gets(&["PUBREC 5", "PUBREC 5"]);
    b.client("s").receives(&["x"]);
}

#[test]
fn a_duplicate_inside_a_run_is_answered_in_its_place_and_not_delivered() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    let at = |id: u16| publish("t", id.to_string()).qos(2).id(id);
    let client = b.client("p").answers_by_hand();
    let client = client.publishes_at_once(&[at(1), at(2), at(1), at(3), at(3), at(4)]);
    client.gets(&["PUBREC 1", "PUBREC 2", "PUBREC 1", "PUBREC 3", "PUBREC 3", "PUBREC 4"]);
    b.client("s").receives(&["1", "2", "3", "4"]);
}

#[test]
fn an_open_identifier_outlives_the_connection_with_its_session() {
    let mut b = Scenario::new();
    b.client("s").subscribes("t");
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    b.client("p").publishes_at_once(&[publish("t", "x").qos(2).id(5)]).is_lost();
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    let client = b.client("p").publishes_at_once(&[publish("t", "x").qos(2).id(5).dup()]);
    client.gets(&["PUBREC 5"]).acks(AckKind::PubRel, 5, ReasonCode::Success).gets(&["PUBCOMP 5"]);
    b.client("s").receives(&["x"]);
}

#[test]
fn pubrel_out_of_nowhere_is_answered_as_the_version_can() {
    let mut b = Scenario::new();
    let client = b.client("new").acks(AckKind::PubRel, 9, ReasonCode::Success);
    client.gets(&["PUBCOMP 9 PacketIdentifierNotFound"]);
    b.v3_client("old").acks(AckKind::PubRel, 9, ReasonCode::Success).gets(&["PUBCOMP 9"]);
}

#[test]
fn more_open_messages_than_the_receive_maximum_close_the_connection() {
    let mut b = Scenario::new();
    b.terms.receive_maximum = 2;
    b.client("s").subscribes("t");
    let at = |id: u16| publish("t", id.to_string()).qos(2).id(id);
    let client = b.client("p").answers_by_hand().publishes_at_once(&[at(1), at(2), at(3)]);
    client.gets(&["PUBREC 1", "PUBREC 2", "DISCONNECT ReceiveMaximumExceeded"]).is_closed();
    b.client("s").receives(&["1", "2"]);
}

#[test]
fn an_old_client_has_no_receive_maximum() {
    let mut b = Scenario::new();
    b.terms.receive_maximum = 2;
    let drafts: Vec<_> = (1..=10).map(|id| publish("t", "x").qos(2).id(id)).collect();
    let mut client = b.v3_client("p").answers_by_hand().publishes_at_once(&drafts).is_open();
    assert_eq!(client.seen().len(), 10);
}

#[test]
fn a_refused_message_frees_its_identifier() {
    let hooks = TestHooks::none().authorizing(|_, action| match action {
        Action::Publish(publish) if publish.topic.unwrap().as_str() == "no" => denied(),
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#");
    let drafts = [publish("no", "1").qos(2).id(1), publish("yes", "2").qos(2).id(1)];
    let client = b.client("p").answers_by_hand().publishes_at_once(&drafts);
    client.gets(&["PUBREC 1 NotAuthorized", "PUBREC 1"]);
    b.client("s").receives(&["2"]);
}

#[test]
fn a_message_that_ended_the_connection_is_new_when_it_comes_again() {
    let hooks = TestHooks::none().authorizing(|who, action| match action {
        Action::Publish(_) if who.username.is_none() => {
            Ruling { verdict: Verdict::Disconnect(ReasonCode::NotAuthorized), ..denied() }
        }
        _ => Ruling::ALLOW,
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    let message = || publish("t", "x").qos(2).id(1);
    b.client("p").publishes_at_once(&[message()]).is_closed_with("DISCONNECT NotAuthorized");
    b.connects("p").keeping_session(100).username("known").by_hand().is_let_in();
    b.client("p").publishes_at_once(&[message().dup()]).gets(&["PUBREC 1"]);
    b.client("s").receives(&["x"]);
}

#[test]
fn a_topic_that_is_refused_does_not_open_its_identifier() {
    let mut b = Scenario::bounded(|settings| settings.topic_levels_max = 2);
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    let client = b.client("p").publishes_at_once(&[publish("a/b/c", "x").qos(2).id(1)]);
    client.is_closed_with("DISCONNECT TopicNameInvalid");
    b.connects("p").keeping_session(100).by_hand().is_let_in();
    b.client("s").subscribes("t");
    b.client("p").publishes_at_once(&[publish("t", "y").qos(2).id(1)]).gets(&["PUBREC 1"]);
    b.client("s").receives(&["y"]);
}

#[test]
fn a_delivery_takes_its_four_steps() {
    let mut b = Scenario::new();
    b.client("s").answers_by_hand().subscribes("t");
    b.client("p").publishes("t", "x").qos(2);
    let client = b.client("s").gets_in_order(&["PUBLISH t x"]);
    let client = client.acks(AckKind::PubRec, 1, ReasonCode::Success).gets(&["PUBREL 1"]);
    client.acks(AckKind::PubComp, 1, ReasonCode::Success).gets(&[]).is_open();
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

#[test]
fn a_client_that_refuses_a_delivery_ends_it() {
    let mut b = Scenario::new();
    b.client("s").answers_by_hand().subscribes("t");
    b.client("p").publishes("t", "x").qos(2);
    let client = b.client("s").acks(AckKind::PubRec, 1, ReasonCode::QuotaExceeded);
    client.gets(&[]).is_open();
    assert_eq!(b.stat("store/messages/bytes"), 0);
}

#[test]
fn pubrec_for_nothing_is_answered_with_not_found() {
    let mut b = Scenario::new();
    let client = b.client("s").answers_by_hand().acks(AckKind::PubRec, 3, ReasonCode::Success);
    client.gets(&["PUBREL 3 PacketIdentifierNotFound"]).is_open();
}
