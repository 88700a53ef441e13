//! The `$SYS` topics of `builtin:sys-stats`, under mosquitto's names.

use pintle_tests::wire::Publish;
use pintle_tests::{Broker, V5, V311};

use crate::{PINTLE, broker};

fn broker_that_tells_every_second() -> Broker {
    PINTLE.prepare(|_| {
        "[[listener]]\nbind = \"127.0.0.1:0\"\n\
         [[plugin]]\nuse = \"builtin:sys-stats\"\nconfig = { interval_secs = 1 }\n"
            .to_owned()
    })
}

#[test]
fn counters_are_retained_under_the_names_that_mosquitto_documents() {
    let broker = broker_that_tells_every_second();
    for topic in [
        "$SYS/broker/version",
        "$SYS/broker/uptime",
        "$SYS/broker/clients/connected",
        "$SYS/broker/messages/received",
        "$SYS/broker/store/messages/bytes",
        "$SYS/broker/subscriptions/count",
        "$SYS/broker/retained messages/count",
        "$SYS/broker/load/messages/received/1min",
        "$SYS/broker/mqtt/publish/received",
        "$SYS/broker/mqtt/connack/sent",
    ] {
        let mut client = broker.client(V311, "s");
        client.subscribes(topic, 0);
        assert_eq!(client.takes().topic, topic);
    }
}

#[test]
fn a_counter_follows_what_happens() {
    let broker = broker_that_tells_every_second();
    let mut watch = broker.v5("watch");
    watch.subscribes("$SYS/broker/mqtt/publish/received", 0);
    watch.subscribes("$SYS/broker/clients/connected", 0);
    let mut client = broker.v5("c");
    for _ in 0..7 {
        client.publishes("t", "x");
    }
    let (mut received, mut connected) = (String::new(), String::new());
    while received != "7" || connected != "2" {
        let delivery = watch.takes();
        match delivery.topic.as_str() {
            "$SYS/broker/mqtt/publish/received" => received = delivery.text(),
            _ => connected = delivery.text(),
        }
    }
}

/// [MQTT-4.7.2-1]
#[test]
fn they_do_not_come_to_those_who_ask_for_everything() {
    let broker = broker_that_tells_every_second();
    let mut client = broker.v5("c");
    client.subscribes("#", 0);
    broker.lets_seconds_pass(2);
    client.receives("clock/0", "tick");
    client.receives_nothing();
}

#[test]
fn a_client_may_not_publish_there() {
    let broker = broker();
    let mut watch = broker.v5("watch");
    watch.subscribes("$SYS/broker/mine", 0);
    let mut client = broker.connect(V5, &pintle_tests::wire::Connect::new("c"));
    assert_eq!(client.publish(&Publish::new("$SYS/broker/mine", "x").qos(1)), 0x87);
    watch.receives_nothing();
}
