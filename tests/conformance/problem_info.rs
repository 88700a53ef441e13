//! Request Problem Information and Request Response Information (3.1.2.11.6, 3.1.2.11.7).

use pintle_tests::V5;
use pintle_tests::wire::{Ack, AckKind, Connect, Packet, Prop, Publish, Subscribe};

use crate::broker;

fn explains(props: &[Prop]) -> bool {
    props.iter().any(|prop| matches!(prop, Prop::ReasonString(_) | Prop::User(_)))
}

/// [MQTT-3.1.2-29]
#[test]
fn a_client_that_wants_no_problem_information_gets_none_but_where_it_is_always_allowed() {
    let broker = broker();
    let connect = Connect::new("c").with(Prop::RequestProblemInformation(0));
    let mut client = broker.connect(V5, &connect);
    client.send(&Publish::new("t", "x").qos(1).id(1));
    assert!(!explains(&client.expect_ack(AckKind::PubAck).props));
    client.send(&Ack::new(AckKind::PubRel, 9));
    assert!(!explains(&client.expect_ack(AckKind::PubComp).props));
    client.send(&Ack::new(AckKind::PubRec, 9));
    assert!(!explains(&client.expect_ack(AckKind::PubRel).props));
    client.send(&Subscribe::to("x".repeat(5000), 0).id(2));
    match client.next_packet() {
        Some(Packet::SubAck { props, .. }) => assert!(!explains(&props)),
        other => panic!("expected SUBACK, not {other:?}"),
    }
}

/// [MQTT-3.1.2-29]
#[test]
fn user_properties_of_a_message_come_to_it_all_the_same() {
    let broker = broker();
    let connect = Connect::new("c").with(Prop::RequestProblemInformation(0));
    let mut client = broker.connect(V5, &connect);
    client.subscribes("t", 0);
    broker.v5("p").publish(&Publish::new("t", "x").with(Prop::user("k", "v")));
    assert_eq!(client.receives("t", "x").props, [Prop::user("k", "v")]);
}

/// [MQTT-3.1.2-28]
#[test]
fn response_information_is_not_sent_unless_asked_for() {
    let broker = broker();
    for asked in [None, Some(0), Some(1)] {
        let connect = asked
            .into_iter()
            .map(Prop::RequestResponseInformation)
            .fold(Connect::new("c"), Connect::with);
        let mut client = broker.open(V5);
        let connack = client.connects(&connect);
        let told = connack.props.iter().any(|p| matches!(p, Prop::ResponseInformation(_)));
        assert!(!told || asked == Some(1));
    }
}
