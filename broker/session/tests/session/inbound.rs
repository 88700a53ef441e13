use pintle_mqtt::{
    Properties, Property, PropertyBuffer, Publish, PublishFlags, QoS, ReasonCode, TopicName,
    Violation,
};
use pintle_session::{Acceptance, Inbound, ResolvedTopic};

use crate::conversation::{AtLeastOnce, AtMostOnce, ExactlyOnce, id};

fn connected(receive_maximum: u16, topic_alias_maximum: u16) -> Inbound {
    let mut inbound = Inbound::new();
    inbound.begin_connection(receive_maximum, topic_alias_maximum);
    inbound
}

fn with_publish<R>(
    topic: Option<&str>,
    alias: Option<u16>,
    use_it: impl FnOnce(&Publish<'_>) -> R,
) -> R {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::ContentType("text/plain"));
    properties.push_some(alias.map(Property::TopicAlias));
    use_it(&Publish {
        flags: PublishFlags::default(),
        topic: topic.map(|topic| TopicName::new(topic).unwrap()),
        packet_id: None,
        properties: properties.as_properties(),
        payload: b"",
    })
}

/// The topic of a PUBLISH, or the code that refuses it.
fn resolve(
    inbound: &mut Inbound,
    topic: Option<&str>,
    alias: Option<u16>,
) -> Result<String, ReasonCode> {
    let resolved = |publish: &Publish<'_>| {
        let topic = inbound.resolve_topic(publish)?;
        Ok(topic.name().as_str().to_owned())
    };
    with_publish(topic, alias, resolved).map_err(|violation: Violation| violation.reason)
}

#[test]
fn a_topic_without_an_alias_is_taken_as_it_stands() {
    let mut inbound = connected(10, 0);
    let publish = Publish {
        flags: PublishFlags::default(),
        topic: Some(TopicName::new("a/b").unwrap()),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"",
    };

    let resolved = inbound.resolve_topic(&publish).unwrap();

    assert!(matches!(resolved, ResolvedTopic::Sent(topic) if topic.as_str() == "a/b"));
    assert_eq!(resolve(&mut inbound, Some("c"), None).unwrap(), "c");
}

#[test]
fn an_alias_stands_for_the_topic_it_was_sent_with() {
    let mut inbound = connected(10, 5);

    assert_eq!(resolve(&mut inbound, Some("a/b"), Some(5)).unwrap(), "a/b");
    assert_eq!(resolve(&mut inbound, None, Some(5)).unwrap(), "a/b");

    let aliased =
        with_publish(None, Some(5), |publish| inbound.resolve_topic(publish).unwrap().is_aliased());
    assert!(aliased);
}

#[test]
fn an_alias_may_be_bound_to_another_topic() {
    let mut inbound = connected(10, 5);
    resolve(&mut inbound, Some("old"), Some(1)).unwrap();
    resolve(&mut inbound, Some("other"), Some(2)).unwrap();

    resolve(&mut inbound, Some("new"), Some(1)).unwrap();

    assert_eq!(resolve(&mut inbound, None, Some(1)).unwrap(), "new");
    assert_eq!(resolve(&mut inbound, None, Some(2)).unwrap(), "other");
}

/// [MQTT-3.3.2-8] [MQTT-3.3.2-9]
#[test]
fn an_alias_of_0_or_above_the_maximum_is_invalid() {
    let mut inbound = connected(10, 5);
    let invalid = Err(ReasonCode::TopicAliasInvalid);

    assert_eq!(resolve(&mut inbound, Some("a"), Some(0)), invalid);
    assert_eq!(resolve(&mut inbound, None, Some(0)), invalid);
    assert_eq!(resolve(&mut inbound, Some("a"), Some(6)), invalid);
    assert_eq!(resolve(&mut inbound, None, Some(6)), invalid);
    assert_eq!(resolve(&mut connected(10, 0), Some("a"), Some(1)), invalid);
}

#[test]
fn an_alias_that_was_never_set_is_a_protocol_error() {
    let mut inbound = connected(10, 5);
    resolve(&mut inbound, Some("a"), Some(1)).unwrap();

    let unknown = resolve(&mut inbound, None, Some(2));

    assert_eq!(unknown, Err(ReasonCode::ProtocolError));
}

/// [MQTT-3.3.2-7]
#[test]
fn aliases_die_with_their_network_connection() {
    let mut inbound = connected(10, 5);
    resolve(&mut inbound, Some("a"), Some(1)).unwrap();

    inbound.begin_connection(10, 5);

    let unknown = resolve(&mut inbound, None, Some(1));
    assert_eq!(unknown, Err(ReasonCode::ProtocolError));
}

#[test]
fn qos_0_and_1_are_always_new() {
    let mut inbound = connected(1, 0);

    for _ in 0..3 {
        assert_eq!(inbound.accept(AtMostOnce, None), Ok(Acceptance::New));
        let again = inbound.accept(AtLeastOnce, Some(id(7)));
        assert_eq!(again, Ok(Acceptance::New));
    }
}

/// [MQTT-4.3.3-10]
#[test]
fn a_qos_2_publish_that_comes_again_before_pubrel_is_one_message() {
    let mut inbound = connected(1, 0);

    let first = inbound.accept(ExactlyOnce, Some(id(7)));
    let second = inbound.accept(ExactlyOnce, Some(id(7)));

    assert_eq!(first, Ok(Acceptance::New));
    assert_eq!(second, Ok(Acceptance::Duplicate));
    assert_eq!(inbound.open_qos2(), 1);
}

/// [MQTT-4.3.3-12]
#[test]
fn a_qos_2_publish_after_pubrel_is_a_new_message() {
    let mut inbound = connected(1, 0);
    inbound.accept(ExactlyOnce, Some(id(7))).unwrap();

    assert!(inbound.pubrel(id(7)));

    let next = inbound.accept(ExactlyOnce, Some(id(7)));
    assert_eq!(next, Ok(Acceptance::New));
}

/// [MQTT-4.3.3-9]
#[test]
fn a_qos_2_publish_after_a_refusal_is_a_new_message() {
    let mut inbound = connected(1, 0);
    inbound.accept(ExactlyOnce, Some(id(7))).unwrap();

    inbound.refuse(id(7));

    assert_eq!(inbound.open_qos2(), 0);
    let next = inbound.accept(ExactlyOnce, Some(id(7)));
    assert_eq!(next, Ok(Acceptance::New));
}

#[test]
fn a_qos_1_publish_with_the_identifier_of_an_open_qos_2_flow_does_not_disturb_it() {
    let mut inbound = connected(5, 0);
    inbound.accept(ExactlyOnce, Some(id(7))).unwrap();

    let between = inbound.accept(AtLeastOnce, Some(id(7)));

    assert_eq!(between, Ok(Acceptance::New));
    let again = inbound.accept(ExactlyOnce, Some(id(7)));
    assert_eq!(again, Ok(Acceptance::Duplicate));
    assert!(inbound.pubrel(id(7)));
}

#[test]
fn a_pubrel_out_of_nowhere_is_not_known() {
    let mut inbound = connected(5, 0);
    inbound.accept(ExactlyOnce, Some(id(7))).unwrap();

    assert!(!inbound.pubrel(id(8)));
    assert!(inbound.pubrel(id(7)));
    assert!(!inbound.pubrel(id(7)));
}

#[test]
fn open_qos_2_identifiers_outlive_the_network_connection_but_not_the_session() {
    let mut inbound = connected(5, 0);
    inbound.accept(ExactlyOnce, Some(id(7))).unwrap();

    inbound.begin_connection(5, 0);

    let again = inbound.accept(ExactlyOnce, Some(id(7)));
    assert_eq!(again, Ok(Acceptance::Duplicate));
    inbound.clear();
    let anew = inbound.accept(ExactlyOnce, Some(id(7)));
    assert_eq!(anew, Ok(Acceptance::New));
}

fn exceeded(inbound: &mut Inbound, qos: QoS, packet_id: u16) -> bool {
    match inbound.accept(qos, Some(id(packet_id))) {
        Ok(_) => false,
        Err(violation) => {
            assert_eq!(violation.reason, ReasonCode::ReceiveMaximumExceeded);
            true
        }
    }
}

/// [MQTT-3.3.4-7]
#[test]
fn who_exceeds_our_receive_maximum_is_refused() {
    let mut inbound = connected(2, 0);
    assert!(!exceeded(&mut inbound, ExactlyOnce, 1));
    assert!(!exceeded(&mut inbound, AtLeastOnce, 2));
    assert!(!exceeded(&mut inbound, ExactlyOnce, 2));

    assert!(exceeded(&mut inbound, ExactlyOnce, 3));
    assert!(exceeded(&mut inbound, AtLeastOnce, 4));

    assert!(!exceeded(&mut inbound, AtMostOnce, 1));
    inbound.pubrel(id(1));
    assert!(!exceeded(&mut inbound, ExactlyOnce, 3));
}

/// [MQTT-3.3.4-7]
#[test]
fn a_qos_1_message_counts_for_as_long_as_its_puback_waits() {
    let mut inbound = connected(2, 0);
    inbound.accept(ExactlyOnce, Some(id(1))).unwrap();
    inbound.accept(AtLeastOnce, Some(id(2))).unwrap();
    inbound.puback_waits();

    assert!(exceeded(&mut inbound, AtLeastOnce, 3));
    inbound.puback_sent();
    assert!(!exceeded(&mut inbound, AtLeastOnce, 3));
}

/// [MQTT-3.3.4-7]
#[test]
fn the_receive_quota_is_fresh_on_each_network_connection() {
    let mut inbound = connected(2, 0);
    inbound.accept(ExactlyOnce, Some(id(1))).unwrap();
    inbound.accept(ExactlyOnce, Some(id(2))).unwrap();

    inbound.begin_connection(2, 0);

    assert!(!exceeded(&mut inbound, ExactlyOnce, 3));
    assert!(!exceeded(&mut inbound, ExactlyOnce, 1));
    assert!(exceeded(&mut inbound, ExactlyOnce, 2));
    assert!(inbound.pubrel(id(2)));
    assert!(exceeded(&mut inbound, ExactlyOnce, 4));
    assert!(inbound.pubrel(id(1)));
    assert!(!exceeded(&mut inbound, ExactlyOnce, 4));
}

#[test]
fn what_was_stored_as_open_is_a_duplicate_until_it_is_released() {
    let mut before = connected(10, 0);
    before.accept(ExactlyOnce, Some(id(3))).unwrap();
    let mut after = Inbound::new();
    before.open_ids().for_each(|id| after.restore_open(id));
    after.begin_connection(10, 0);

    assert_eq!(after.accept(ExactlyOnce, Some(id(3))).unwrap(), Acceptance::Duplicate);
    assert!(after.pubrel(id(3)));
    assert_eq!(after.accept(ExactlyOnce, Some(id(3))).unwrap(), Acceptance::New);
}
