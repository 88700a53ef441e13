use std::task::Poll;

use pintle_engine::{EndCause, Flow};
use pintle_mqtt::{Packet, Property, ReasonCode};
use pintle_ports::{Action, Admission, AuthProgress, AuthReply, Exchange, Refusal, Ruling, Step};

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};
use crate::waiting::Later;

/// Asks once more after each `again`, lets in on `in`, waits on `wait`, and refuses all else.
struct Asking(Later<AuthProgress>);

impl Exchange for Asking {
    fn step(self: Box<Self>, data: AuthReply) -> Step<AuthProgress> {
        let later = self.0.clone();
        answer(&data.unwrap_or_default(), later)
    }
}

fn answer(data: &[u8], later: Later<AuthProgress>) -> Step<AuthProgress> {
    match data {
        b"again" => Step::Done(AuthProgress::Challenge(b"more".to_vec(), Box::new(Asking(later)))),
        b"in" => Step::Done(accepted()),
        b"wait" => later.step(),
        _ => Step::Done(AuthProgress::Refuse(Refusal {
            reason: ReasonCode::NotAuthorized,
            message: None,
            decided_by: "test".into(),
        })),
    }
}

fn accepted() -> AuthProgress {
    let admission = Admission { principal: Some("proven".into()), ..Admission::default() };
    AuthProgress::Accept(Box::new(admission), Some(b"done".to_vec()))
}

/// A broker that knows the method `m`.
fn with_method() -> (Scenario, Later<AuthProgress>) {
    let later = Later::new();
    let given = later.clone();
    let hooks = TestHooks::none().exchanging(move |method, data, _| {
        (method == "m").then(|| answer(data.unwrap_or_default(), given.clone()))
    });
    (Scenario::with(hooks), later)
}

fn connects<'b>(b: &'b mut Scenario, data: &[u8]) -> crate::client::Client<'b> {
    let connects = b.connects("c").property(Property::AuthenticationMethod("m"));
    connects.property(Property::AuthenticationData(data)).sent()
}

/// [MQTT-4.12.0-1]
#[test]
fn a_method_that_no_plugin_owns_is_refused() {
    let (mut b, _) = with_method();
    let connects = b.connects("c").property(Property::AuthenticationMethod("other"));
    connects.is_refused("CONNACK BadAuthenticationMethod");
    let mut b = Scenario::new();
    let connects = b.connects("c").property(Property::AuthenticationMethod("m"));
    connects.is_refused("CONNACK BadAuthenticationMethod");
}

#[test]
fn an_exchange_goes_on_until_the_plugin_is_content() {
    let (mut b, _) = with_method();
    let mut client = connects(&mut b, b"again");
    let asked = client.next_seen();
    assert_eq!(asked.short(), "AUTH ContinueAuthentication");
    assert_eq!(asked.properties().authentication_method(), Some("m"));
    assert_eq!(asked.properties().authentication_data(), Some(&b"more"[..]));
    let client = client.sends_auth(ReasonCode::ContinueAuthentication, "m", b"again");
    let client = client.gets(&["AUTH ContinueAuthentication"]);
    let mut client = client.sends_auth(ReasonCode::ContinueAuthentication, "m", b"in");
    let connack = client.next_seen();
    assert_eq!(connack.short(), "CONNACK");
    assert_eq!(connack.properties().authentication_method(), Some("m"));
    assert_eq!(connack.properties().authentication_data(), Some(&b"done"[..]));
    client.is_open();
}

#[test]
fn an_exchange_may_fail() {
    let (mut b, _) = with_method();
    connects(&mut b, b"wrong").gets(&["CONNACK NotAuthorized"]).is_closed();
    let client = connects(&mut b, b"again").gets(&["AUTH ContinueAuthentication"]);
    let client = client.sends_auth(ReasonCode::ContinueAuthentication, "m", b"wrong");
    client.gets(&["CONNACK NotAuthorized"]).is_closed();
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 0));
}

/// [MQTT-3.1.2-30]
#[test]
fn only_auth_and_disconnect_may_come_before_connack() {
    let (mut b, _) = with_method();
    let client = connects(&mut b, b"again").gets(&["AUTH ContinueAuthentication"]);
    client.sends(&[0xc0, 0]).gets(&["CONNACK ProtocolError"]).is_closed();
    let client = connects(&mut b, b"again").gets(&["AUTH ContinueAuthentication"]);
    client.disconnects(ReasonCode::Success).gets(&[]).is_closed();
}

#[test]
fn an_auth_that_does_not_fit_the_exchange_ends_it() {
    let (mut b, _) = with_method();
    let client = connects(&mut b, b"again").gets(&["AUTH ContinueAuthentication"]);
    let client = client.sends_auth(ReasonCode::ContinueAuthentication, "other", b"in");
    client.gets(&["CONNACK ProtocolError"]).is_closed();
    let client = connects(&mut b, b"again").gets(&["AUTH ContinueAuthentication"]);
    let client = client.sends_auth(ReasonCode::ReAuthenticate, "m", b"in");
    client.gets(&["CONNACK ProtocolError"]).is_closed();
}

#[test]
fn a_plugin_may_take_its_time_over_each_step() {
    let (mut b, later) = with_method();
    let mut client = connects(&mut b, b"wait").gets(&[]);
    assert_eq!(client.flow(), Flow::Wait);
    let (_, sub) = (later.clone(), later.clone());
    later.give(AuthProgress::Challenge(b"more".to_vec(), Box::new(Asking(sub))));
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Read));
    let mut client = b.client("c").gets(&["AUTH ContinueAuthentication"]);
    client = client.sends_auth(ReasonCode::ContinueAuthentication, "m", b"wait");
    assert_eq!(client.flow(), Flow::Wait);
    later.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Read));
    b.client("c").gets(&["CONNACK"]).is_open();
}

#[test]
fn a_peer_that_leaves_in_an_exchange_leaves_nothing() {
    let (mut b, _) = with_method();
    connects(&mut b, b"again");
    b.ends("c", EndCause::PeerClosed);
    connects(&mut b, b"wait");
    b.ends("c", EndCause::PeerClosed);
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 0));
}

#[test]
fn an_auth_without_a_method_in_connect_breaks_the_protocol() {
    let (mut b, _) = with_method();
    let client = b.client("c").sends_auth(ReasonCode::ReAuthenticate, "m", b"in");
    client.is_closed_with("DISCONNECT ProtocolError");
}

/// [MQTT-4.12.1-1]
#[test]
fn a_client_may_authenticate_again_by_the_same_method_only() {
    let (mut b, _) = with_method();
    connects(&mut b, b"in").gets(&["CONNACK"]);
    let client = b.client("c").sends_auth(ReasonCode::ReAuthenticate, "m", b"again");
    let client = client.gets(&["AUTH ContinueAuthentication"]).sends(&[0xc0, 0]);
    let client = client.gets(&["PINGRESP"]);
    let client = client.sends_auth(ReasonCode::ContinueAuthentication, "m", b"in").gets(&["AUTH"]);
    let client = client.sends_auth(ReasonCode::ReAuthenticate, "other", b"in");
    client.is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn a_re_authentication_that_fails_ends_the_connection() {
    let (mut b, _) = with_method();
    connects(&mut b, b"in");
    let client = b.client("c").sends_auth(ReasonCode::ReAuthenticate, "m", b"wrong");
    client.is_closed_with("DISCONNECT NotAuthorized");
}

#[test]
fn packets_behind_a_re_authentication_wait_for_it() {
    let (mut b, later) = with_method();
    connects(&mut b, b"in").gets(&["CONNACK"]);
    b.client("s").subscribes("t");
    let mut bytes = auth(b"wait");
    bytes.extend(publish("t", "x").qos(1).id(1).bytes(pintle_mqtt::ProtocolVersion::V5_0));
    let mut client = b.client("c").sends(&bytes).gets(&[]);
    assert_eq!(client.flow(), Flow::Wait);
    assert!(b.poll("c").is_pending());
    later.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Read));
    b.client("c").gets(&["AUTH", "PUBACK 1"]).is_open();
    b.client("s").receives(&["x"]);
}

fn auth(data: &[u8]) -> Vec<u8> {
    let mut properties = pintle_mqtt::PropertyBuffer::new();
    properties.push(Property::AuthenticationMethod("m"));
    properties.push(Property::AuthenticationData(data));
    let properties = properties.as_properties();
    let reason = ReasonCode::ReAuthenticate;
    let mut bytes = Vec::new();
    Packet::Auth(pintle_mqtt::Auth { reason, properties })
        .encode(pintle_mqtt::ProtocolVersion::V5_0, &mut bytes);
    bytes
}

#[test]
fn a_connection_that_is_taken_over_while_it_waits_ends() {
    let (mut b, later) = with_method();
    let connects = b.connects("c").property(Property::AuthenticationMethod("m"));
    connects.property(Property::AuthenticationData(b"in")).sent();
    b.client("c").sends(&auth(b"wait"));
    b.connects("new").as_client_id("c").is_let_in();
    later.give(accepted());
    assert_eq!(b.poll("c"), Poll::Ready(Flow::Close));
    b.client("new").is_open();
    assert_eq!(b.connected(), 1);
}

#[test]
fn the_rights_of_a_re_authentication_hold_at_once() {
    let later = Later::new();
    let hooks = TestHooks::none()
        .exchanging(move |_, data, reauth| {
            if !reauth {
                return Some(Step::Done(AuthProgress::Accept(Box::default(), None)));
            }
            Some(answer(data.unwrap_or_default(), later.clone()))
        })
        .authorizing(|who, action| match action {
            Action::Receive(_) | Action::Publish(_) if who.principal() != Some("proven") => {
                if *who.client_id == *"c" { denied() } else { Ruling::ALLOW }
            }
            _ => Ruling::ALLOW,
        });
    let mut b = Scenario::with(hooks);
    connects(&mut b, b"").gets(&["CONNACK"]).subscribes("t");
    b.client("p").publishes("t", "before");
    b.client("c").receives(&[]).publishes("t", "x").qos(1).gets(&["PUBACK 2 NotAuthorized"]);
    b.client("c").sends_auth(ReasonCode::ReAuthenticate, "m", b"in").gets(&["AUTH"]);
    b.client("p").publishes("t", "after");
    b.client("c").receives(&["after"]).publishes("t", "y").qos(1).gets(&["PUBACK 3"]);
}
