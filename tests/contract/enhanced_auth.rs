//! Enhanced authentication (4.12), by the probe's method COUNT.

use pintle_plugin_api::Hooks;
use pintle_tests::wire::{Auth, Connect, Disconnect, Packet, Prop, Publish, ping};
use pintle_tests::{Client, V5};

use crate::{Embedded, contract};

fn counting(data: &[u8]) -> Connect {
    Connect::new("c")
        .with(Prop::AuthenticationMethod("COUNT".to_owned()))
        .with(Prop::AuthenticationData(data.to_vec()))
}

/// The next packet is AUTH with this code, the method and these data.
#[track_caller]
fn is_asked(client: &mut Client, expected_code: u8, data: &[u8]) {
    match client.next_packet() {
        Some(Packet::Auth { code, props }) => {
            assert_eq!(code, expected_code);
            assert!(props.contains(&Prop::AuthenticationMethod("COUNT".to_owned())), "{props:?}");
            assert!(props.contains(&Prop::AuthenticationData(data.to_vec())), "{props:?}");
        }
        other => panic!("expected AUTH, not {other:?}"),
    }
}

fn let_in(broker: &Embedded) -> Client {
    let mut client = broker.open(V5);
    client.connects(&counting(b"in"));
    client
}

contract! {
    /// [MQTT-4.12.0-2] [MQTT-4.12.0-5]
    fn an_exchange_of_several_steps_lets_in(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Auth::goes_on("COUNT", b"3"));
        let connack = client.expect_connack();
        assert_eq!(connack.code, 0);
        assert!(connack.props.contains(&Prop::AuthenticationMethod("COUNT".to_owned())));
        assert!(connack.props.contains(&Prop::AuthenticationData(b"4".to_vec())));
        client.subscribes("t", 0);
        client.publishes("t", "x");
        client.receives("t", "x");
    }

    /// [MQTT-4.12.0-4]
    fn a_wrong_answer_is_refused(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        assert_eq!(broker.refuses(V5, &counting(b"9")), 0x87);
        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Auth::goes_on("COUNT", b"9"));
        client.is_not_let_in_with(0x87);
    }

    /// [MQTT-4.12.0-1]
    fn a_method_that_nobody_owns_is_refused(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let connect = Connect::new("c").with(Prop::AuthenticationMethod("OTHER".to_owned()));
        assert_eq!(broker.refuses(V5, &connect), 0x8C);
    }

    /// [MQTT-3.1.2-30]
    fn nothing_but_auth_and_disconnect_may_come_during_the_exchange(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send_raw(&ping());
        client.is_not_let_in_with(0x82);

        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Disconnect::code(0));
        client.is_closed();
    }

    /// [MQTT-4.12.0-5]
    fn the_method_may_not_change_during_the_exchange(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Auth::goes_on("OTHER", b"3"));
        client.is_not_let_in_with(0x82);
    }

    /// [MQTT-4.12.0-3]
    fn the_exchange_goes_on_with_code_0x18(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = broker.open(V5);
        client.send(&counting(b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Auth::begins_anew("COUNT", b"3"));
        client.is_not_let_in_with(0x82);
    }

    /// [MQTT-4.12.1-1]
    fn a_client_may_authenticate_anew_while_it_goes_on(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = let_in(&broker);
        client.subscribes("t", 0);
        client.send(&Auth::begins_anew("COUNT", b"1"));
        is_asked(&mut client, 0x18, b"2");
        client.send(&Publish::new("t", "meanwhile"));
        client.receives("t", "meanwhile");
        client.send(&Auth::goes_on("COUNT", b"3"));
        is_asked(&mut client, 0x00, b"4");
        client.receives_nothing();
    }

    /// [MQTT-4.12.1-1]
    fn authenticating_anew_cannot_change_the_method(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = let_in(&broker);
        client.send(&Auth::begins_anew("OTHER", b"1"));
        client.is_refused_with(0x82);
    }

    /// [MQTT-4.12.1-2]
    fn failing_to_authenticate_anew_ends_the_connection(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH);
        let mut client = let_in(&broker);
        client.send(&Auth::begins_anew("COUNT", b"9"));
        client.is_refused_with(0x87);
    }

    /// [MQTT-4.12.0-6]
    fn a_client_without_a_method_is_never_asked(host) {
        let broker = host.broker(Hooks::ENHANCED_AUTH.and(Hooks::AUTHENTICATE));
        let connack = broker.open(V5).connects(&Connect::new("c").username("in"));
        assert!(!connack.props.iter().any(|p| matches!(p, Prop::AuthenticationMethod(_))));
    }
}
