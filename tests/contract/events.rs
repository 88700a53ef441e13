//! What happened.

use std::collections::BTreeMap;

use pintle_plugin_api::Hooks;
use pintle_tests::wire::{Connect, Prop, Will};
use pintle_tests::{Client, V5};

use crate::{Embedded, contract};

/// A client that is given every event but those about itself.
fn watch(broker: &Embedded) -> Client {
    let connect = Connect::new("watch").username("in");
    let mut watch = broker.connect(V5, &connect);
    watch.subscribes("event/#", 0);
    watch
}

/// The payload of the next event of this kind that is about `about`.
fn tells(watch: &mut Client, kind: &str, about: &str) -> String {
    loop {
        let delivery = watch.takes();
        let text = delivery.text();
        if delivery.topic == format!("event/{kind}") && text.starts_with(about) {
            return text;
        }
    }
}

contract! {
    fn the_life_of_a_client_is_told_in_order(host) {
        let broker = host.broker(Hooks::EVENTS);
        let mut watch = watch(&broker);
        let mut client = broker.v5("c");
        client.subscribes("a/#", 1);
        client.unsubscribes(&["a/#"]);
        client.disconnects();
        let mut told = Vec::new();
        while told.last().is_none_or(|(kind, _)| kind != "event/Disconnected") {
            let delivery = watch.takes();
            let is_of_client = delivery.text().split(' ').next() == Some("c");
            let text = delivery.text();
            told.extend(is_of_client.then_some((delivery.topic, text)));
        }
        let place: BTreeMap<&str, usize> =
            told.iter().enumerate().map(|(place, (kind, _))| (kind.as_str(), place)).collect();
        assert!(place["event/SessionCreated"] < place["event/Subscribed"], "{told:?}");
        assert!(place["event/Connected"] < place["event/Subscribed"], "{told:?}");
        assert!(place["event/Subscribed"] < place["event/Unsubscribed"], "{told:?}");
        assert!(place["event/Unsubscribed"] < place["event/Disconnected"], "{told:?}");
        assert!(told.contains(&("event/Subscribed".to_owned(), "c a/#".to_owned())), "{told:?}");
        assert!(told.contains(&("event/Disconnected".to_owned(), "c 0x00".to_owned())), "{told:?}");
    }

    fn lost_resumed_and_taken_over_sessions_are_told(host) {
        let broker = host.broker(Hooks::EVENTS);
        let mut watch = watch(&broker);
        let keeping = Connect::new("c").keeping_its_session();
        broker.connect(V5, &keeping).drops();
        tells(&mut watch, "ConnectionLost", "c");
        let _old = broker.connect(V5, &keeping);
        tells(&mut watch, "SessionResumed", "c");
        let new = broker.connect(V5, &Connect::new("c").resuming().with(Prop::SessionExpiry(0)));
        tells(&mut watch, "SessionTakenOver", "c");
        new.disconnects();
        tells(&mut watch, "SessionExpired", "c");
    }

    fn refused_clients_are_told(host) {
        let broker = host.broker(Hooks::EVENTS.and(Hooks::AUTHENTICATE));
        let mut watch = watch(&broker);
        broker.refuses(V5, &Connect::new("c").username("banned"));
        assert_eq!(tells(&mut watch, "AuthFailed", "c"), "c 0x8a");
    }

    fn wills_and_retained_messages_are_told(host) {
        let broker = host.broker(Hooks::EVENTS);
        let mut watch = watch(&broker);
        broker.connect(V5, &Connect::new("c").will(Will::new("will", "gone"))).drops();
        assert_eq!(tells(&mut watch, "WillSent", "c"), "c will");
        let mut client = broker.v5("d");
        client.retains("kept", "x");
        assert_eq!(tells(&mut watch, "RetainedSet", "kept"), "kept");
        client.retains("kept", "");
        assert_eq!(tells(&mut watch, "RetainedCleared", "kept"), "kept");
    }
}
