//! DISCONNECT, from a client (3.14).

use pintle_tests::V5;
use pintle_tests::Version;
use pintle_tests::wire::{Connect, Disconnect, Encode, Prop, Publish, frame};

use crate::broker;

/// [MQTT-3.14.4-2]
#[test]
fn the_broker_closes_after_a_disconnect_and_says_nothing_more() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.send(&Disconnect::code(0));
        client.is_closed();
    }
}

/// [MQTT-3.14.4-1]
#[test]
fn nothing_behind_a_disconnect_counts() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("t", 0);
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        let after = Publish::new("t", "too late").encode(version);
        client.send_raw(&[Disconnect::code(0).encode(version), after].concat());
        client.is_closed();
    }
    watch.receives_nothing();
}

/// [MQTT-3.1.2-23]
#[test]
fn a_session_expiry_of_0_in_connect_cannot_be_raised() {
    let broker = broker();
    for connect in [Connect::new("c"), Connect::new("c").with(Prop::SessionExpiry(0))] {
        let mut client = broker.connect(V5, &connect);
        client.send(&Disconnect::code(0).with(Prop::SessionExpiry(10)));
        client.is_refused_with(0x82);
        let mut client = broker.open(V5);
        assert!(!client.connects(&Connect::new("c").resuming()).session_present);
    }
    let mut client = broker.v5("c");
    client.send(&Disconnect::code(0).with(Prop::SessionExpiry(0)));
    client.is_closed();
}

#[test]
fn a_server_reference_from_a_client_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Disconnect::code(0).with(Prop::ServerReference("elsewhere".to_owned())));
    client.is_refused_with(0x82);
}

/// [MQTT-3.14.2-1]
#[test]
fn a_code_that_clients_do_not_send_ends_the_connection() {
    let broker = broker();
    for code in [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x9C, 0x9D, 0xA2, 0x01, 0x10] {
        let mut client = broker.v5("c");
        client.send(&Disconnect::code(code));
        client.is_refused_with(0x82);
    }
    let mut client = broker.v5("c");
    client.send_raw(&frame(0xE0, &[0x42]));
    client.is_refused_with(0x81);
}

/// [MQTT-3.14.2-1]
#[test]
fn a_reason_code_without_properties_is_taken() {
    let broker = broker();
    for body in [[].as_slice(), &[0x00], &[0x04], &[0x80], &[0x00, 0x00]] {
        let mut client = broker.v5("c");
        client.send_raw(&frame(0xE0, body));
        client.is_closed();
    }
}
