use pintle_mqtt::{Packet, Property, QoS, ReasonCode};
use pintle_ports::{Admission, AuthOutcome, EventKind, Refusal, SessionBounds, Step};

use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// [MQTT-3.1.0-1]
#[test]
fn a_first_packet_other_than_connect_closes_without_an_answer() {
    let mut b = Scenario::new();
    b.opens_socket("c", pintle_mqtt::ProtocolVersion::V5_0);
    b.client("c").sends(&[0xc0, 0]).gets(&[]).is_closed();
    assert_eq!(b.connected(), 0);
}

#[test]
fn a_packet_that_is_announced_too_long_closes_before_connect() {
    let mut b = Scenario::new();
    b.terms.packet_bytes_max = 100;
    b.opens_socket("c", pintle_mqtt::ProtocolVersion::V5_0);
    b.client("c").sends(&[0x10, 0xff, 0xff, 0x7f]).gets(&[]).is_closed();
}

#[test]
fn half_a_connect_waits_for_the_rest() {
    let mut b = Scenario::new();
    let bytes = b.connects("c").bytes();
    b.opens_socket("c", pintle_mqtt::ProtocolVersion::V5_0);
    b.client("c").sends(&bytes[..7]).gets(&[]);
    b.client("c").sends(&bytes[7..]).gets(&["CONNACK"]).is_open();
}

#[test]
fn packets_behind_connect_in_the_same_read_are_handled() {
    let mut b = Scenario::new();
    b.connects("c").sent_with(&[0xc0, 0]).gets(&["CONNACK", "PINGRESP"]);
}

#[test]
fn a_second_connect_breaks_the_protocol() {
    let mut b = Scenario::new();
    let again = b.connects("c").bytes();
    b.client("c").sends(&again).is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn packets_that_only_servers_send_break_the_protocol() {
    let mut b = Scenario::new();
    b.client("c").sends(&[0xd0, 0]).is_closed_with("DISCONNECT ProtocolError");
}

#[test]
fn a_protocol_that_is_not_spoken_here_is_refused_in_its_own_words() {
    let mut b = Scenario::new();
    b.opens_socket("c", pintle_mqtt::ProtocolVersion::V5_0);
    let level_6 = [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 6, 2, 0, 0, 0, 0, 0];
    let client = b.client("c").sends(&level_6);
    client.gets(&["CONNACK UnsupportedProtocolVersion"]).is_closed();
}

/// [MQTT-3.1.3-6]
#[test]
fn a_client_without_identifier_is_given_one_of_its_own() {
    let mut b = Scenario::new();
    let one = assigned(&mut b, "one");
    let other = assigned(&mut b, "other");
    assert_ne!(one, other);
    assert_eq!(b.stat("clients/total"), 2);
}

fn assigned(b: &mut Scenario, name: &str) -> String {
    let connack = b.connects(name).as_client_id("").sent().next_seen();
    connack.properties().assigned_client_identifier().unwrap().to_owned()
}

/// [MQTT-3.1.3-8]
#[test]
fn an_empty_identifier_is_refused_where_none_may_be_assigned() {
    let mut b = Scenario::new();
    b.connects("unclean")
        .v3()
        .resuming()
        .as_client_id("")
        .is_refused("CONNACK ClientIdentifierNotValid");
    b.connects("old").v31().as_client_id("").is_refused("CONNACK ClientIdentifierNotValid");
    b.connects("clean").v3().as_client_id("").is_let_in();
    b.terms.assign_client_id = false;
    b.connects("new").as_client_id("").is_refused("CONNACK ClientIdentifierNotValid");
}

/// [MQTT-3.1.3-5] [MQTT-3.1.3-8]
#[test]
fn an_identifier_without_the_prefix_of_the_listener_is_refused() {
    let mut b = Scenario::new();
    b.terms.client_id_prefix = "dev-".into();
    b.connects("other").is_refused("CONNACK ClientIdentifierNotValid");
    b.connects("dev-1").is_let_in();
}

#[test]
fn anonymous_clients_are_let_in_only_where_the_listener_says_so() {
    let mut b = Scenario::new();
    b.terms.anonymous = false;
    b.connects("v5").is_refused("CONNACK NotAuthorized");
    b.connects("v3").v3().is_refused("CONNACK NotAuthorized");
    assert_eq!((b.connected(), b.stat("clients/total")), (0, 0));
}

/// [MQTT-3.1.4-2]
#[test]
fn a_client_that_a_plugin_refuses_is_told_why_and_leaves_nothing() {
    let hooks = TestHooks::none()
        .authenticating(|_| {
            Step::Done(AuthOutcome::Refuse(Refusal {
                reason: ReasonCode::BadUserNameOrPassword,
                message: Some("no such user".into()),
                decided_by: "test".into(),
            }))
        })
        .told(&[EventKind::AuthFailed, EventKind::Connected]);
    let mut b = Scenario::with(hooks);
    let mut client = b.connects("c").will("w", "gone").sent();
    let connack = client.next_seen();
    assert_eq!(connack.short(), "CONNACK BadUserNameOrPassword");
    assert_eq!(connack.properties().reason_string(), Some("no such user"));
    client.is_closed();
    assert_eq!(b.hooks.events(), ["auth-failed c BadUserNameOrPassword"]);
    assert_eq!(b.stat("clients/total"), 0);
}

/// [MQTT-3.2.2-19]
#[test]
fn a_reason_too_long_for_the_client_is_left_out() {
    let hooks = TestHooks::none().authenticating(|_| {
        Step::Done(AuthOutcome::Refuse(Refusal {
            reason: ReasonCode::NotAuthorized,
            message: Some("x".repeat(100)),
            decided_by: "test".into(),
        }))
    });
    let mut b = Scenario::with(hooks);
    let mut client = b.connects("c").property(Property::MaximumPacketSize(50)).sent();
    assert_eq!(client.next_seen().len(), 5);
}

/// [MQTT-3.2.2-20]
#[test]
fn user_properties_too_long_for_the_client_are_left_out_of_connack() {
    let hooks = TestHooks::none().authenticating(|_| {
        let user_properties = vec![("k".to_owned(), "v".repeat(500))];
        let admission = Admission { user_properties, ..Admission::default() };
        Step::Done(AuthOutcome::Accept(admission))
    });
    let mut b = Scenario::with(hooks);
    let connack = b.connects("short").property(Property::MaximumPacketSize(100)).sent().next_seen();
    assert_eq!(connack.properties().user_properties().count(), 0);
    let connack = b.connects("long").sent().next_seen();
    assert_eq!(connack.properties().user_properties().count(), 1);
}

/// [MQTT-3.2.2-21]
#[test]
fn connack_says_what_the_listener_allows() {
    let mut b = Scenario::new();
    b.terms.max_qos = QoS::AtLeastOnce;
    b.terms.retain_available = false;
    b.terms.wildcard_subscription_available = false;
    b.terms.shared_subscription_available = false;
    b.terms.subscription_identifier_available = false;
    b.terms.receive_maximum = 7;
    b.terms.topic_alias_maximum = 3;
    b.terms.packet_bytes_max = 1000;
    b.terms.keep_alive_secs_max = 60;
    let connack = b.connects("c").keep_alive(90).sent().next_seen();
    let said = connack.properties();
    assert_eq!(said.maximum_qos(), Some(1));
    assert_eq!(said.retain_available(), Some(false));
    assert_eq!(said.wildcard_subscription_available(), Some(false));
    assert_eq!(said.shared_subscription_available(), Some(false));
    assert_eq!(said.subscription_identifier_available(), Some(false));
    assert_eq!(said.receive_maximum(), Some(7));
    assert_eq!(said.topic_alias_maximum(), Some(3));
    assert_eq!(said.maximum_packet_size(), Some(1000));
    assert_eq!(said.server_keep_alive(), Some(60));
    assert_eq!(said.assigned_client_identifier(), None);
}

#[test]
fn connack_leaves_out_what_is_as_the_standard_has_it() {
    let mut b = Scenario::new();
    let connack = b.connects("c").sent().next_seen();
    let said = connack.properties();
    assert_eq!(said.maximum_qos(), None);
    assert_eq!(said.retain_available(), None);
    assert_eq!(said.server_keep_alive(), None);
    assert_eq!(said.session_expiry_interval(), None);
}

#[test]
fn a_keep_alive_above_the_listeners_is_refused_before_v5() {
    let mut b = Scenario::new();
    b.terms.keep_alive_secs_max = 60;
    b.connects("long").v3().keep_alive(61).is_refused("CONNACK ServerUnavailable");
    b.connects("never").v3().keep_alive(0).is_refused("CONNACK ServerUnavailable");
    b.connects("fine").v3().keep_alive(60).is_let_in();
}

#[test]
fn authentication_may_lower_what_the_listener_allows_but_not_raise_it() {
    let hooks = TestHooks::none().authenticating(|_| {
        let bounds = SessionBounds {
            receive_maximum: Some(3),
            max_qos: Some(QoS::AtLeastOnce),
            packet_bytes_max: Some(u32::MAX),
            subscriptions_max: Some(100),
            session_expiry_secs_max: Some(60),
            queue_messages_max: Some(5),
        };
        Step::Done(AuthOutcome::Accept(Admission { bounds, ..Admission::default() }))
    });
    let mut b = Scenario::with(hooks);
    b.terms.packet_bytes_max = 500;
    b.terms.subscriptions_max = Some(1);
    let connack = b.connects("c").keeping_session(3600).sent().next_seen();
    let said = connack.properties();
    assert_eq!(said.receive_maximum(), Some(3));
    assert_eq!(said.maximum_qos(), Some(1));
    assert_eq!(said.maximum_packet_size(), Some(500));
    assert_eq!(said.session_expiry_interval(), Some(60));
    b.client("c").is_granted(&["a", "b"], &[1, 0x97]);
}

#[test]
fn no_more_sessions_than_sessions_max_are_opened() {
    let mut b = Scenario::bounded(|settings| settings.sessions_max = 1);
    b.connects("one").keeping_session(100).is_let_in();
    b.connects("two").is_refused("CONNACK QuotaExceeded");
    b.connects("one again").as_client_id("one").is_let_in();
    assert_eq!(b.stat("clients/total"), 1);
}

#[test]
fn a_will_that_the_listener_can_not_serve_is_refused() {
    let mut b = Scenario::bounded(|settings| settings.topic_levels_max = 3);
    b.terms.max_qos = QoS::AtMostOnce;
    b.terms.retain_available = false;
    let qos = b.connects("c").will("w", "x").will_qos(QoS::AtLeastOnce);
    qos.is_refused("CONNACK QosNotSupported");
    b.connects("c").will("w", "x").will_retained().is_refused("CONNACK RetainNotSupported");
    b.connects("c").will("a/b/c/d", "x").is_refused("CONNACK TopicNameInvalid");
    b.connects("c").will("$SYS/x", "x").is_refused("CONNACK NotAuthorized");
    b.connects("c").will("a/b/c", "x").is_let_in();
}

#[test]
fn the_principal_of_authentication_is_who_the_client_is() {
    let hooks = TestHooks::none()
        .authenticating(|attempt| {
            assert_eq!(attempt.who.username.as_deref(), Some("user"));
            let admission =
                Admission { principal: Some("principal".into()), ..Admission::default() };
            Step::Done(AuthOutcome::Accept(admission))
        })
        .authorizing(|who, _| {
            assert_eq!(who.principal(), Some("principal"));
            pintle_ports::Ruling::ALLOW
        });
    let mut b = Scenario::with(hooks);
    b.connects("c").username("user").is_let_in().subscribes("t");
    assert_eq!(b.hooks.calls_of("authorize"), 1);
}

#[test]
fn connack_is_the_first_packet_of_a_connection() {
    let mut b = Scenario::new();
    b.connects("s").keeping_session(100).is_let_in().subscribes("t").is_lost();
    b.client("p").publishes("t", "waits").qos(1);
    let mut client = b.connects("s").keeping_session(100).sent();
    let seen = client.seen();
    assert!(matches!(seen[0].packet(), Packet::ConnAck(_)), "{seen:?}");
    assert_eq!(seen[1].payload(), "waits");
}

/// [MQTT-3.1.4-1]
#[test]
fn a_connect_that_does_not_conform_is_told_so_only_where_the_version_can() {
    let mut b = Scenario::new();
    let with_reserved_flag = |mut bytes: Vec<u8>| {
        bytes[9] |= 1;
        bytes
    };
    let old = with_reserved_flag(b.connects("old").v3().bytes());
    b.opens_socket("old", pintle_mqtt::ProtocolVersion::V3_1_1);
    b.client("old").sends(&old).gets(&[]).is_closed();
    let new = with_reserved_flag(b.connects("new").bytes());
    b.opens_socket("new", pintle_mqtt::ProtocolVersion::V5_0);
    b.client("new").sends(&new).gets(&["CONNACK MalformedPacket"]).is_closed();
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<pintle_engine::Connection>() <= 48);
}
