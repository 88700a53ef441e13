//! Enhanced authentication where no plugin knows a method (4.12).
//!
//! What happens with a method that a plugin knows is in the contract tests.

use pintle_tests::wire::{Auth, Connect, Prop, frame};
use pintle_tests::{V5, Version};

use crate::broker;

/// [MQTT-4.12.0-1]
#[test]
fn an_unknown_method_is_refused() {
    let broker = broker();
    let connect = Connect::new("c").with(Prop::AuthenticationMethod("UNKNOWN".to_owned()));
    assert_eq!(broker.refuses(V5, &connect), 0x8C);
    let connect = connect.with(Prop::AuthenticationData(b"data".to_vec()));
    assert_eq!(broker.refuses(V5, &connect), 0x8C);
}

#[test]
fn authentication_data_without_a_method_is_refused() {
    let broker = broker();
    let connect = Connect::new("c").with(Prop::AuthenticationData(b"data".to_vec()));
    assert_eq!(broker.refuses(V5, &connect), 0x82);
}

/// [MQTT-4.12.0-6] [MQTT-4.12.0-7]
#[test]
fn auth_without_a_method_in_connect_ends_the_connection() {
    let broker = broker();
    for auth in [Auth::goes_on("SOME", b""), Auth::begins_anew("SOME", b"")] {
        let mut client = broker.v5("c");
        client.send(&auth);
        client.is_refused_with(0x82);
    }
    let mut client = broker.v5("c");
    client.send_raw(&frame(0xF0, &[]));
    client.is_refused_with(0x82);
}

/// [MQTT-3.15.2-1]
#[test]
fn an_auth_with_a_code_that_is_none_ends_the_connection() {
    let broker = broker();
    for (code, answer) in [(0x42, 0x81), (0x80, 0x82)] {
        let mut client = broker.v5("c");
        client.send_raw(&frame(0xF0, &[code, 0]));
        client.is_refused_with(answer);
    }
}

#[test]
fn auth_came_with_version_5() {
    let broker = broker();
    for version in Version::V3 {
        let mut client = broker.client(version, "c");
        client.send(&Auth::goes_on("SOME", b""));
        client.is_closed();
    }
}
