//! CONNECT and CONNACK (3.1, 3.2).

use pintle_tests::wire::{Connect, Prop, Will, frame, put_string};
use pintle_tests::{V5, V31, V311, Version};

use crate::{broker, broker_with};

/// [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-2]
#[test]
fn a_client_of_any_version_is_let_in() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.open(version);
        let connack = client.connects(&Connect::new("c").keep_alive_secs(30));
        assert!(!connack.session_present);
        client.receives_nothing();
    }
}

/// [MQTT-3.1.2-3] [MQTT-3.1.4-1]
#[test]
fn the_reserved_connect_flag_must_be_clear() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.open(version);
        client.send(&Connect::new("c").flags(0x03));
        client.is_not_let_in_with(0x81);
    }
}

/// [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13]
#[test]
fn will_qos_and_will_retain_must_fit_the_will_flag() {
    let broker = broker();
    for version in Version::ALL {
        for flags in [0x02 | 0x08, 0x02 | 0x10, 0x02 | 0x20, 0x02 | 0x18] {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").flags(flags));
            client.is_not_let_in_with(0x81);
        }
        let mut client = broker.open(version);
        client.send(&Connect::new("c").will(Will::new("t", "").qos(3)));
        client.is_not_let_in_with(0x81);
    }
}

#[test]
fn a_password_without_a_user_name_is_for_v5_alone() {
    let broker = broker();
    for version in Version::V3 {
        let mut client = broker.open(version);
        client.send(&Connect::new("c").password("secret"));
        client.is_closed();
    }
    broker.connect(V5, &Connect::new("c").password("secret"));
}

/// [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-9]
#[test]
fn the_payload_must_hold_exactly_the_fields_that_the_flags_name() {
    let broker = broker();
    for version in Version::ALL {
        for flags in [0x82, 0xC2, 0x06] {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").flags(flags));
            client.is_not_let_in_with(0x81);
        }
        for connect in [
            Connect::new("c").username("u").flags(0x02),
            Connect::new("c").username("u").password("p").flags(0x82),
            Connect::new("c").will(Will::new("t", "w")).flags(0x02),
        ] {
            let mut client = broker.open(version);
            client.send(&connect);
            client.is_not_let_in_with(0x81);
        }
    }
}

/// [MQTT-3.1.2-1] [MQTT-3.1.2-2]
#[test]
fn an_unknown_protocol_name_or_level_is_refused_in_its_own_version() {
    let broker = broker();
    for (name, level) in [("MQTT", 3), ("MQTT", 0), ("MQIsdp", 4), ("MQTX", 4), ("mqtt", 4)] {
        assert_eq!(
            broker.refuses(V311, &Connect::new("c").protocol(name, level)),
            1,
            "{name} {level}"
        );
    }
    for (name, level) in [("MQTT", 6), ("MQTT", 255), ("MQTX", 5), ("MQIsdp", 5)] {
        let code = broker.refuses(V5, &Connect::new("c").protocol(name, level));
        assert_eq!(code, 0x84, "{name} {level}");
    }
}

/// [MQTT-3.1.3-5]
#[test]
fn client_identifiers_of_1_to_23_letters_and_digits_are_taken() {
    let broker = broker();
    for version in Version::ALL {
        broker.client(version, "a");
        broker.client(version, "0123456789abcdefghijkLM");
    }
    for version in [V311, V5] {
        broker.client(version, &"long".repeat(100));
    }
}

/// [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]
#[test]
fn a_v5_client_without_an_identifier_is_told_the_one_it_gets() {
    let broker = broker();
    let mut first = broker.open(V5);
    let first_id = assigned(first.connects(&Connect::new("")).props);
    let mut second = broker.open(V5);
    let second_id = assigned(second.connects(&Connect::new("").keeping_its_session()).props);
    assert_ne!(first_id, second_id);
    first.receives_nothing();
    second.disconnects();

    let mut resumed = broker.open(V5);
    let connack = resumed.connects(&Connect::new(&second_id).keeping_its_session());
    assert!(connack.session_present, "the assigned identifier names the session");
    assert!(!connack.props.iter().any(|p| matches!(p, Prop::AssignedClientIdentifier(_))));
}

fn assigned(props: Vec<Prop>) -> String {
    props
        .into_iter()
        .find_map(|prop| match prop {
            Prop::AssignedClientIdentifier(id) => Some(id),
            _ => None,
        })
        .expect("CONNACK tells the assigned Client Identifier")
}

/// [MQTT-3.1.3-8]
#[test]
fn a_v3_client_without_an_identifier_needs_a_clean_session() {
    let broker = broker();
    assert_eq!(broker.refuses(V31, &Connect::new("")), 2);
    assert_eq!(broker.refuses(V311, &Connect::new("").resuming()), 2);
    let mut first = broker.connect(V311, &Connect::new(""));
    let mut second = broker.connect(V311, &Connect::new(""));
    first.receives_nothing();
    second.receives_nothing();
}

/// [MQTT-3.1.3-8]
#[test]
fn a_listener_may_ask_for_client_identifiers_of_a_certain_beginning() {
    let broker = broker_with("client_id_prefix = \"dev-\"");
    assert_eq!(broker.refuses(V31, &Connect::new("other")), 2);
    assert_eq!(broker.refuses(V311, &Connect::new("other")), 2);
    assert_eq!(broker.refuses(V5, &Connect::new("other")), 0x85);
    for version in Version::ALL {
        broker.client(version, "dev-1");
    }
}

/// [MQTT-3.1.3-8]
#[test]
fn a_listener_may_refuse_to_assign_client_identifiers() {
    let broker = broker_with("assign_client_id = false");
    assert_eq!(broker.refuses(V311, &Connect::new("")), 2);
    assert_eq!(broker.refuses(V5, &Connect::new("")), 0x85);
    broker.v5("named");
}

/// [MQTT-3.1.4-6]
#[test]
fn nothing_behind_a_refused_connect_is_done() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("t", 0);
    let mut client = broker.open(V311);
    let mut bytes = frame(0x10, &Connect::new("").resuming().body(V311));
    let mut publish = Vec::new();
    put_string("t", &mut publish);
    bytes.extend_from_slice(&frame(0x30, &publish));
    client.send_raw(&bytes);
    assert_eq!(client.expect_connack().code, 2);
    client.is_closed();
    watch.receives_nothing();
}

#[test]
fn what_the_broker_can_do_without_limits_is_not_announced() {
    let broker = broker();
    let connack = broker.open(V5).connects(&Connect::new("c"));
    let unannounced = |prop: &Prop| {
        matches!(
            prop,
            Prop::MaximumQoS(_)
                | Prop::RetainAvailable(0)
                | Prop::WildcardSubscriptionAvailable(0)
                | Prop::SubscriptionIdentifierAvailable(0)
                | Prop::SharedSubscriptionAvailable(0)
                | Prop::ServerKeepAlive(_)
                | Prop::AssignedClientIdentifier(_)
        )
    };
    assert!(!connack.props.iter().any(unannounced), "{connack:?}");
}
