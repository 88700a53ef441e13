//! Every property in every packet that a client sends (2.2.2).

use pintle_tests::wire::{
    Ack, AckKind, Connect, Disconnect, Encode, Packet, Prop, Publish, Subscribe, Unsubscribe, Will,
    frame,
};
use pintle_tests::{Broker, V5};

use crate::broker;

/// A packet that a client sends and that has properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Connect,
    Will,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
}

use Place as P;

const ALL: [Place; 11] = [
    P::Connect,
    P::Will,
    P::Publish,
    P::PubAck,
    P::PubRec,
    P::PubRel,
    P::PubComp,
    P::Subscribe,
    P::Unsubscribe,
    P::Disconnect,
    P::Auth,
];

/// Table 2-4: each property with a good value, and where clients may send it.
fn table() -> Vec<(Prop, Vec<Place>)> {
    let text = || "text".to_owned();
    let acks = [P::PubAck, P::PubRec, P::PubRel, P::PubComp];
    let reason = [acks.as_slice(), &[P::Disconnect, P::Auth]].concat();
    vec![
        (Prop::PayloadFormat(1), vec![P::Publish, P::Will]),
        (Prop::MessageExpiry(1), vec![P::Publish, P::Will]),
        (Prop::ContentType(text()), vec![P::Publish, P::Will]),
        (Prop::ResponseTopic(text()), vec![P::Publish, P::Will]),
        (Prop::CorrelationData(vec![1]), vec![P::Publish, P::Will]),
        (Prop::SubscriptionIdentifier(1), vec![P::Subscribe, P::Publish]),
        (Prop::SessionExpiry(1), vec![P::Connect, P::Disconnect]),
        (Prop::AssignedClientIdentifier(text()), vec![]),
        (Prop::ServerKeepAlive(1), vec![]),
        (Prop::AuthenticationMethod(text()), vec![P::Connect, P::Auth]),
        (Prop::AuthenticationData(vec![1]), vec![P::Connect, P::Auth]),
        (Prop::RequestProblemInformation(1), vec![P::Connect]),
        (Prop::WillDelay(1), vec![P::Will]),
        (Prop::RequestResponseInformation(1), vec![P::Connect]),
        (Prop::ResponseInformation(text()), vec![]),
        (Prop::ReasonString(text()), reason),
        (Prop::ReceiveMaximum(1), vec![P::Connect]),
        (Prop::TopicAliasMaximum(1), vec![P::Connect]),
        (Prop::TopicAlias(1), vec![P::Publish]),
        (Prop::MaximumQoS(1), vec![]),
        (Prop::RetainAvailable(1), vec![]),
        (Prop::user("k", "v"), ALL.to_vec()),
        (Prop::MaximumPacketSize(1000), vec![P::Connect]),
        (Prop::WildcardSubscriptionAvailable(1), vec![]),
        (Prop::SubscriptionIdentifierAvailable(1), vec![]),
        (Prop::SharedSubscriptionAvailable(1), vec![]),
    ]
}

/// The code that the broker ends the connection with for these properties; 0 if it takes them.
#[track_caller]
fn answer(broker: &Broker, place: Place, props: &[Prop]) -> u8 {
    let with = props.iter().cloned();
    let connect = match place {
        P::Connect => Some(with.clone().fold(Connect::new("c"), Connect::with)),
        P::Will => {
            let will = with.clone().fold(Will::new("t", "x"), Will::with);
            Some(Connect::new("c").will(will))
        }
        _ => None,
    };
    if let Some(connect) = connect {
        let mut client = broker.open(V5);
        client.send(&connect);
        return client.expect_connack().code;
    }
    let ack = |kind| with.clone().fold(Ack::new(kind, 1), Ack::with).encode(V5);
    let bytes = match place {
        P::Connect | P::Will => unreachable!("answered above"),
        P::Publish => with.clone().fold(Publish::new("t", "x"), Publish::with).encode(V5),
        P::PubAck => ack(AckKind::PubAck),
        P::PubRec => ack(AckKind::PubRec),
        P::PubRel => ack(AckKind::PubRel),
        P::PubComp => ack(AckKind::PubComp),
        P::Subscribe => with.clone().fold(Subscribe::to("t", 0).id(1), Subscribe::with).encode(V5),
        P::Unsubscribe => {
            let unsubscribe = Unsubscribe::of(1, &["t"]);
            with.clone().fold(unsubscribe, Unsubscribe::with).encode(V5)
        }
        P::Disconnect => with.clone().fold(Disconnect::code(0), Disconnect::with).encode(V5),
        P::Auth => {
            let mut body = vec![0x19];
            Prop::encode_all(props, &mut body);
            frame(0xF0, &body)
        }
    };
    let mut client = broker.connect(V5, &Connect::new("c").with(Prop::SessionExpiry(1)));
    client.send_raw(&bytes);
    client.send_raw(&pintle_tests::wire::ping());
    loop {
        match client.next_packet() {
            Some(Packet::Disconnect { code, .. }) => return code,
            Some(Packet::PingResp) => return 0,
            Some(_) => {}
            None if place == P::Disconnect => return 0,
            None => panic!("closed without a word at {props:?} in {place:?}"),
        }
    }
}

/// What a property without its company is answered with where it is allowed.
fn expected_alone(place: Place, prop: &Prop) -> u8 {
    match (place, prop) {
        // No plugin knows the method “text”.
        (P::Connect, Prop::AuthenticationMethod(_)) => 0x8C,
        (P::Connect, Prop::AuthenticationData(_)) => 0x82,
        // Only servers send it there.
        (P::Publish, Prop::SubscriptionIdentifier(_)) => 0x82,
        // CONNECT had no method.
        (P::Auth, _) => 0x82,
        _ => 0,
    }
}

#[test]
fn each_property_is_taken_where_table_2_4_has_it_and_malformed_elsewhere() {
    let broker = broker();
    for (prop, allowed) in table() {
        for place in ALL {
            let expected =
                if allowed.contains(&place) { expected_alone(place, &prop) } else { 0x81 };
            let got = answer(&broker, place, std::slice::from_ref(&prop));
            let fits = got == expected || (place == P::Auth && matches!(got, 0x81 | 0x82));
            assert!(fits, "{prop:?} in {place:?}: {got:#04x} for {expected:#04x}");
        }
    }
}

#[test]
fn a_property_given_twice_breaks_the_protocol() {
    let broker = broker();
    for (prop, allowed) in table() {
        let expected = if matches!(prop, Prop::User(_)) { 0 } else { 0x82 };
        for place in allowed.into_iter().filter(|place| *place != P::Auth) {
            let got = answer(&broker, place, &[prop.clone(), prop.clone()]);
            assert_eq!(got, expected, "{prop:?} twice in {place:?}: {got:#04x}");
        }
    }
}

#[test]
fn a_value_out_of_range_breaks_the_protocol() {
    let broker = broker();
    for (place, prop) in [
        (P::Publish, Prop::PayloadFormat(2)),
        (P::Publish, Prop::PayloadFormat(255)),
        (P::Will, Prop::PayloadFormat(2)),
        (P::Connect, Prop::RequestProblemInformation(2)),
        (P::Connect, Prop::RequestResponseInformation(2)),
        (P::Connect, Prop::ReceiveMaximum(0)),
        (P::Connect, Prop::MaximumPacketSize(0)),
        (P::Subscribe, Prop::SubscriptionIdentifier(0)),
    ] {
        let got = answer(&broker, place, std::slice::from_ref(&prop));
        assert_eq!(got, 0x82, "{prop:?} in {place:?}: {got:#04x}");
    }
}

#[test]
fn an_unknown_property_is_malformed() {
    let broker = broker();
    for place in ALL {
        for id in [0x00, 0x04, 0x0A, 0x0C, 0x14, 0x2B, 0x7F] {
            let got = answer(&broker, place, &[Prop::Raw(vec![id, 0])]);
            assert_eq!(got, 0x81, "{id:#04x} in {place:?}: {got:#04x}");
        }
        // An identifier is a Variable Byte Integer; none of two bytes is known.
        assert_eq!(answer(&broker, place, &[Prop::Raw(vec![0x80, 0x01, 0])]), 0x81);
    }
}

#[test]
fn a_property_cut_short_is_malformed() {
    let broker = broker();
    for place in ALL {
        for cut in [vec![0x26], vec![0x26, 0, 5, b'k'], vec![0x26, 0, 1, b'k'], vec![0x11, 0, 0]] {
            let got = answer(&broker, place, &[Prop::Raw(cut.clone())]);
            assert_eq!(got, 0x81, "{cut:?} in {place:?}: {got:#04x}");
        }
    }
}

#[test]
fn a_property_length_that_lies_is_malformed() {
    let broker = broker();
    let packets: [(u8, &[u8]); 8] = [
        (0x30, &[0, 1, b't', 50]),
        (0x30, &[0, 1, b't', 0xFF, 0xFF, 0xFF, 0xFF]),
        (0x40, &[0, 1, 0, 9, 0x1F, 0, 1, b'x']),
        (0x82, &[0, 1, 200, 0x0B, 1, 0, 1, b't', 0]),
        (0x82, &[0, 1, 1, 0x0B, 1, 0, 1, b't', 0]),
        (0xA2, &[0, 1, 200, 0, 1, b't']),
        (0xE0, &[0, 40]),
        (0xE0, &[0, 1, 0x11, 0, 0, 0, 1]),
    ];
    for (first_byte, body) in packets {
        let mut client = broker.v5("c");
        client.send_raw(&frame(first_byte, body));
        client.is_refused_with(0x81);
    }
}

/// [MQTT-1.5.5-1]
#[test]
fn an_integer_in_more_bytes_than_it_needs_is_malformed() {
    let broker = broker();
    let identifier = Prop::Raw(vec![0x0B, 0x81, 0x00]);
    assert_eq!(answer(&broker, P::Subscribe, &[identifier]), 0x81);
    let mut client = broker.v5("c");
    client.send_raw(&frame(0x30, &[0, 1, b't', 0x80, 0x00]));
    client.is_refused_with(0x81);
}

/// [MQTT-2.2.2-1]
#[test]
fn a_packet_without_properties_says_so() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send_raw(&frame(0x30, &[0, 1, b't']));
    client.is_refused_with(0x81);
    let mut client = broker.v5("c");
    client.send_raw(&frame(0x82, &[0, 1]));
    client.is_refused_with(0x81);
}

/// [MQTT-3.2.2-7] [MQTT-4.13.1-1] [MQTT-4.13.2-1]
#[test]
fn a_v5_client_is_always_told_why_before_its_connection_closes() {
    let broker = broker();
    let mut client = broker.open(V5);
    client.send(&Connect::new("c").with(Prop::ReceiveMaximum(0)));
    client.is_not_let_in_with(0x82);
    let mut client = broker.v5("c");
    client.send(&Publish::new("t", "x").with(Prop::Raw(vec![0x7F])));
    client.is_refused_with(0x81);
}
