//! Will Messages (3.1.2.5, 3.1.3.2).

use pintle_tests::wire::{Connect, Disconnect, Prop, Subscribe, Will, frame, put_string};
use pintle_tests::{Broker, Client, V5, Version};

use crate::{broker, broker_with};

fn watch(broker: &Broker) -> Client {
    let mut watch = broker.v5("watch");
    watch.subscribes("will", 2);
    watch
}

/// [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-14]
#[test]
fn a_lost_connection_brings_the_will_at_its_qos() {
    let broker = broker();
    let mut watch = watch(&broker);
    for version in Version::ALL {
        for qos in 0..=2 {
            let will = Will::new("will", "gone").qos(qos);
            broker.connect(version, &Connect::new("c").will(will)).drops();
            let delivery = watch.receives("will", "gone");
            assert_eq!((delivery.qos, delivery.retain), (qos, false));
        }
    }
    watch.receives_nothing();
}

/// [MQTT-3.1.2-10] [MQTT-3.14.4-3]
#[test]
fn a_normal_disconnect_deletes_the_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    for version in Version::ALL {
        let connect = Connect::new("c").will(Will::new("will", "gone"));
        broker.connect(version, &connect).disconnects();
        let keeping = connect.keeping_its_session();
        broker.connect(version, &keeping).disconnects();
        broker.client(version, "c").disconnects();
    }
    watch.receives_nothing();
}

/// [MQTT-3.1.2-8]
#[test]
fn disconnect_with_will_sends_it() {
    let broker = broker();
    let mut watch = watch(&broker);
    for code in [0x04, 0x80, 0x81, 0x82, 0x83, 0x99] {
        let client = broker.connect(V5, &Connect::new("c").will(Will::new("will", "gone")));
        client.disconnects_with(&Disconnect::code(code));
        watch.receives("will", "gone");
    }
    watch.receives_nothing();
}

/// [MQTT-3.1.2-8]
#[test]
fn a_client_that_breaks_the_protocol_leaves_its_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    for version in Version::ALL {
        let connect = Connect::new("c").will(Will::new("will", "gone"));
        let mut client = broker.connect(version, &connect);
        client.send_raw(&frame(0x00, &[]));
        client.is_refused_with(0x81);
        watch.receives("will", "gone");
    }
}

/// [MQTT-3.1.2-8]
#[test]
fn a_client_that_goes_silent_leaves_its_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    let connect = Connect::new("c").keep_alive_secs(1).will(Will::new("will", "gone"));
    let _silent = broker.connect(V5, &connect);
    watch.receives("will", "gone");
}

/// [MQTT-3.1.2-10]
#[test]
fn a_will_is_sent_once() {
    let broker = broker();
    let mut watch = watch(&broker);
    let connect = Connect::new("c").keeping_its_session().will(Will::new("will", "gone"));
    broker.connect(V5, &connect).drops();
    watch.receives("will", "gone");
    broker.connect(V5, &Connect::new("c").keeping_its_session()).drops();
    watch.receives_nothing();
}

#[test]
fn the_will_of_the_last_connect_counts() {
    let broker = broker();
    let mut watch = watch(&broker);
    let keeping = Connect::new("c").keeping_its_session();
    broker.connect(V5, &keeping.clone().will(Will::new("will", "first"))).disconnects();
    broker.connect(V5, &keeping.will(Will::new("will", "second"))).drops();
    watch.receives("will", "second");
    watch.receives_nothing();
}

/// [MQTT-3.1.3-10]
#[test]
fn the_properties_of_a_will_come_out_with_it() {
    let broker = broker();
    let mut watch = watch(&broker);
    let props = [
        Prop::PayloadFormat(1),
        Prop::ContentType("text".to_owned()),
        Prop::ResponseTopic("r".to_owned()),
        Prop::CorrelationData(vec![0, 1]),
        Prop::user("b", "1"),
        Prop::user("a", "2"),
    ];
    let will = props.iter().cloned().fold(Will::new("will", "gone"), Will::with);
    let will = will.with(Prop::WillDelay(0));
    broker.connect(V5, &Connect::new("c").will(will)).drops();
    assert_eq!(watch.receives("will", "gone").props, props);
}

/// [MQTT-3.1.2-8]
#[test]
fn a_delayed_will_is_sent_when_its_time_has_come() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1));
    let connect = Connect::new("c").keeping_its_session().will(will);
    broker.connect(V5, &connect).drops();
    watch.receives_nothing();
    let delivery = watch.receives("will", "gone");
    assert!(delivery.props.is_empty(), "the delay is not passed on: {delivery:?}");
}

/// [MQTT-3.1.3-9]
#[test]
fn a_client_that_comes_back_in_time_cancels_its_delayed_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1));
    let keeping = Connect::new("c").keeping_its_session();
    broker.connect(V5, &keeping.clone().will(will)).drops();
    broker.connect(V5, &keeping).disconnects();
    broker.lets_seconds_pass(2);
    watch.receives_nothing();
}

#[test]
fn a_session_that_ends_with_its_connection_does_not_wait_for_the_delay() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1000));
    broker.connect(V5, &Connect::new("c").will(will)).drops();
    watch.receives("will", "gone");
}

#[test]
fn the_end_of_the_session_cuts_the_delay_short() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1000));
    let connect = Connect::new("c").with(Prop::SessionExpiry(1)).will(will);
    broker.connect(V5, &connect).drops();
    watch.receives("will", "gone");
}

#[test]
fn a_clean_start_ends_the_session_and_sends_the_delayed_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1000));
    broker.connect(V5, &Connect::new("c").keeping_its_session().will(will)).drops();
    watch.receives_nothing();
    broker.v5("c").receives_nothing();
    watch.receives("will", "gone");
    watch.receives_nothing();
}

#[test]
fn a_disconnect_that_ends_the_session_sends_the_will_it_asks_for_at_once() {
    let broker = broker();
    let mut watch = watch(&broker);
    let will = Will::new("will", "gone").with(Prop::WillDelay(1000));
    let client = broker.connect(V5, &Connect::new("c").keeping_its_session().will(will));
    client.disconnects_with(&Disconnect::code(0x04).with(Prop::SessionExpiry(0)));
    watch.receives("will", "gone");
}

/// [MQTT-3.1.3-11] [MQTT-4.7.1-1] [MQTT-4.7.3-1]
#[test]
fn a_will_whose_topic_is_none_refuses_the_connect() {
    let broker = broker();
    for version in Version::ALL {
        for topic in ["", "a/#", "+"] {
            let mut client = broker.open(version);
            client.send(&Connect::new("c").will(Will::new(topic, "x")));
            client.is_not_let_in_with(0x90);
        }
    }
}

/// [MQTT-3.1.2-9]
#[test]
fn a_will_cut_short_refuses_the_connect() {
    let broker = broker();
    for version in Version::ALL {
        let whole = Connect::new("c").will(Will::new("topic", "payload")).body(version);
        for missing in 1..=13 {
            let mut client = broker.open(version);
            client.send_raw(&frame(0x10, &whole[..whole.len() - missing]));
            client.is_not_let_in_with(0x81);
        }
    }
}

#[test]
fn a_will_with_a_bad_property_refuses_the_connect() {
    let broker = broker();
    for (prop, code) in [
        (Prop::PayloadFormat(2), 0x82),
        (Prop::ReasonString("no".to_owned()), 0x81),
        (Prop::TopicAlias(1), 0x81),
        (Prop::SessionExpiry(1), 0x81),
        (Prop::Raw(vec![0x7E]), 0x81),
        (Prop::Raw(vec![0x18, 0, 0]), 0x81),
        (Prop::ResponseTopic("a/#".to_owned()), 0x82),
    ] {
        let mut client = broker.open(V5);
        client.send(&Connect::new("c").will(Will::new("t", "x").with(prop.clone())));
        let told = client.expect_connack().code;
        assert_eq!(told, code, "{prop:?}: {told:#04x}");
        client.is_closed();
    }
}

#[test]
fn a_will_too_large_for_the_broker_refuses_the_connect() {
    let broker = broker_with("packet_bytes_max = 1000");
    for version in Version::ALL {
        let mut client = broker.open(version);
        client.send(&Connect::new("c").will(Will::new("t", "x".repeat(2000))));
        client.send_raw(&[]);
        assert!(
            client.next_packet().is_none_or(|packet| format!("{packet:?}").contains("code: 149"))
        );
        client.is_closed();
    }
}

/// A will may be as large as a field of its packet.
#[test]
fn a_large_will_arrives_whole() {
    let broker = broker();
    let mut watch = watch(&broker);
    let payload = "x".repeat(65_535);
    for version in Version::ALL {
        broker.connect(version, &Connect::new("c").will(Will::new("will", &payload))).drops();
        watch.receives("will", &payload);
    }
}

#[test]
fn nobody_but_the_broker_sends_a_will_and_no_local_does_not_hold_it_back() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping.clone().will(Will::new("will", "own").qos(1)));
    client.subscribe(&Subscribe::to("will", 1));
    client.drops();
    let mut client = broker.connect(V5, &keeping);
    client.receives("will", "own");
    client.receives_nothing();
}

#[test]
fn a_connect_cut_short_on_its_way_leaves_no_will() {
    let broker = broker();
    let mut watch = watch(&broker);
    let mut client = broker.open(V5);
    let mut body = Connect::new("c").will(Will::new("will", "gone")).flags(0x86).body(V5);
    put_string("user", &mut body);
    client.send_raw(&frame(0x10, &body)[..20]);
    client.drops();
    watch.receives_nothing();
}
