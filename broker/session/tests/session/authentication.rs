use pintle_mqtt::ReasonCode::{
    self, ContinueAuthentication, NotAuthorized, ProtocolError, ReAuthenticate, Success,
};
use pintle_session::{AuthExchange, AuthStep};

const METHOD: Option<&str> = Some("SCRAM-SHA-256");

fn during_connect() -> AuthExchange {
    AuthExchange::of_connect(METHOD, true).unwrap()
}

fn connected() -> AuthExchange {
    let mut exchange = during_connect();
    exchange.succeeded();
    exchange
}

/// The step, or the code that refuses the AUTH.
fn auth(
    exchange: &mut AuthExchange,
    reason: ReasonCode,
    method: Option<&str>,
) -> Result<AuthStep, ReasonCode> {
    exchange.auth(reason, method).map_err(|violation| violation.reason)
}

#[test]
fn authentication_data_without_a_method_is_a_protocol_error() {
    let refused = AuthExchange::of_connect(None, true).unwrap_err();

    assert_eq!(refused.reason, ProtocolError);
    assert_eq!(AuthExchange::of_connect(None, false).unwrap().method(), None);
}

/// [MQTT-4.12.0-7]
#[test]
fn an_auth_without_a_method_in_connect_is_a_protocol_error() {
    for method in [None, METHOD] {
        for reason in [ContinueAuthentication, ReAuthenticate] {
            let mut exchange = AuthExchange::of_connect(None, false).unwrap();
            exchange.succeeded();
            assert_eq!(auth(&mut exchange, reason, method), Err(ProtocolError));
        }
    }
}

/// [MQTT-4.12.0-2] [MQTT-4.12.0-3]
#[test]
fn an_exchange_during_connect_goes_to_and_fro_until_the_method_is_content() {
    let mut exchange = during_connect();
    assert_eq!(exchange.method(), METHOD);

    for _ in 0..3 {
        exchange.challenged();
        let step = auth(&mut exchange, ContinueAuthentication, METHOD);
        assert_eq!(step, Ok(AuthStep::ContinueConnect));
    }
    assert!(exchange.is_during_connect());
    exchange.succeeded();

    assert!(!exchange.is_during_connect());
}

/// [MQTT-3.1.2-30]
#[test]
fn nothing_but_auth_and_disconnect_may_come_before_connack() {
    let mut exchange = during_connect();
    assert_eq!(exchange.other_packet().unwrap_err().reason, ProtocolError);
    exchange.challenged();
    assert_eq!(exchange.other_packet().unwrap_err().reason, ProtocolError);

    exchange.succeeded();

    exchange.other_packet().unwrap();
    let without = AuthExchange::of_connect(None, false).unwrap();
    without.other_packet().unwrap();
}

/// [MQTT-4.12.0-3]
#[test]
fn an_auth_out_of_turn_or_with_another_code_is_a_protocol_error() {
    for reason in [Success, ReAuthenticate, NotAuthorized] {
        let mut exchange = during_connect();
        exchange.challenged();
        assert_eq!(auth(&mut exchange, reason, METHOD), Err(ProtocolError));
    }
    let mut servers_turn = during_connect();
    let early = auth(&mut servers_turn, ContinueAuthentication, METHOD);
    assert_eq!(early, Err(ProtocolError));
}

/// [MQTT-4.12.0-5]
#[test]
fn every_auth_carries_the_method_of_connect() {
    for other in [None, Some("SCRAM-SHA-1"), Some("")] {
        let mut exchange = during_connect();
        exchange.challenged();
        let step = auth(&mut exchange, ContinueAuthentication, other);
        assert_eq!(step, Err(ProtocolError));
    }
}

/// [MQTT-4.12.1-1]
#[test]
fn a_connected_client_may_authenticate_again_with_the_same_method() {
    let mut exchange = connected();

    let begun = auth(&mut exchange, ReAuthenticate, METHOD);
    assert_eq!(begun, Ok(AuthStep::BeginReAuthentication));
    assert!(exchange.is_re_authenticating());
    exchange.other_packet().unwrap();
    exchange.challenged();
    let answered = auth(&mut exchange, ContinueAuthentication, METHOD);
    assert_eq!(answered, Ok(AuthStep::ContinueReAuthentication));
    exchange.succeeded();

    assert!(!exchange.is_re_authenticating());
    let again = auth(&mut exchange, ReAuthenticate, METHOD);
    assert_eq!(again, Ok(AuthStep::BeginReAuthentication));
}

/// [MQTT-4.12.1-1]
#[test]
fn re_authentication_cannot_change_the_method() {
    for other in [None, Some("SCRAM-SHA-1")] {
        let step = auth(&mut connected(), ReAuthenticate, other);
        assert_eq!(step, Err(ProtocolError));
    }
}

#[test]
fn a_connected_client_cannot_continue_what_nobody_began() {
    for reason in [Success, ContinueAuthentication] {
        let step = auth(&mut connected(), reason, METHOD);
        assert_eq!(step, Err(ProtocolError));
    }
}

#[test]
fn a_second_re_authentication_does_not_begin_inside_the_first() {
    let mut exchange = connected();
    auth(&mut exchange, ReAuthenticate, METHOD).unwrap();
    exchange.challenged();

    let step = auth(&mut exchange, ReAuthenticate, METHOD);

    assert_eq!(step, Err(ProtocolError));
}
