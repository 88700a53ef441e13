//! May you?

use pintle_plugin_api::Hooks;
use pintle_tests::wire::{Connect, Publish, Subscribe};
use pintle_tests::{V5, V311};

use crate::contract;

fn message(topic: &str) -> Publish {
    Publish::new(topic, "x").qos(1)
}

contract! {
    fn a_denied_publish_goes_nowhere_and_v5_is_told(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut watch = broker.v5("watch");
        watch.subscribes("#", 0);
        let mut client = broker.v5("c");
        assert_eq!(client.publish(&message("deny/x")), 0x87);
        assert_eq!(client.publish(&message("deny-publish/x").qos(2)), 0x87);
        client.publishes("deny/x", "x");
        assert!(client.publish(&message("allow/x")) < 0x80);
        let mut v3 = broker.connect(V311, &Connect::new("v3"));
        assert_eq!(v3.publish(&message("deny/x")), 0);
        watch.receives("allow/x", "x");
        watch.receives_nothing();
    }

    fn a_denied_subscription_is_told_and_brings_nothing(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut client = broker.v5("c");
        let subscribe = Subscribe::to("deny-subscribe/x", 1).and("allow/x", 1);
        assert_eq!(client.subscribe(&subscribe), [0x87, 1]);
        client.publishes("deny-subscribe/x", "no");
        client.publishes("allow/x", "yes");
        client.receives("allow/x", "yes");
        client.receives_nothing();
        let mut v3 = broker.connect(V311, &Connect::new("v3"));
        assert_eq!(v3.subscribe(&subscribe), [0x80, 1]);
    }

    fn a_message_that_may_not_be_received_is_not_delivered(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut client = broker.v5("c");
        client.retains("deny-receive/kept", "kept");
        client.subscribes("#", 1);
        client.publishes_at(1, "deny-receive/x", "no");
        client.publishes_at(1, "allow", "yes");
        client.receives("allow", "yes");
        client.receives_nothing();
    }

    fn no_opinion_from_anybody_is_a_no(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut client = broker.v5("c");
        assert_eq!(client.publish(&message("next/x")), 0x87);
        assert_eq!(client.subscribe(&Subscribe::to("next/x", 0)), [0x87]);
    }

    fn a_decision_may_end_the_connection(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut client = broker.v5("c");
        client.send(&message("hang-up/x").id(1));
        client.is_refused_with(0x98);
        let mut v3 = broker.connect(V311, &Connect::new("c"));
        v3.send(&message("hang-up/x").id(1));
        v3.is_closed();
    }

    fn among_several_voters_a_no_is_final(host) {
        let broker = crate::Embedded::start([
            host.probe("first", Hooks::AUTHORIZE),
            host.probe("second", Hooks::AUTHORIZE),
        ]);
        let mut client = broker.v5("c");
        assert_eq!(client.publish(&message("deny/x")), 0x87);
        assert!(client.publish(&message("allow/x")) < 0x80);
        assert_eq!(client.publish(&message("next/x")), 0x87);
    }

    fn rules_decide_before_any_plugin_is_asked(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        let mut client = broker.connect(V5, &Connect::new("c").username("ruled"));
        client.subscribes("own/ruled/#", 1);
        assert!(client.publish(&message("own/ruled/x")) < 0x80);
        client.receives("own/ruled/x", "x");
        assert_eq!(client.publish(&message("own/other/x")), 0x87);
        assert_eq!(client.publish(&message("own/ruled/closed/x")), 0x87);
        assert_eq!(client.publish(&message("news/x")), 0x87);
        client.receives_nothing();
    }

    fn a_rule_for_subscribing_must_cover_the_whole_filter(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        let mut client = broker.connect(V5, &Connect::new("c").username("ruled"));
        let subscribe = Subscribe::to("news/#", 0).and("news/+/x", 0).and("+/x", 0).and("#", 0);
        assert_eq!(client.subscribe(&subscribe), [0, 0, 0x87, 0x87]);
    }

    fn a_rule_may_limit_qos_and_retain(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        let mut watch = broker.connect(V5, &Connect::new("w").username("in"));
        watch.subscribes("lower", 0);
        let mut client = broker.connect(V5, &Connect::new("c").username("ruled"));
        assert_eq!(client.publish(&message("lower")), 0x87);
        client.retains("lower", "retained");
        client.publishes("lower", "as it may");
        watch.receives("lower", "as it may");
        watch.receives_nothing();
    }

    fn a_session_that_another_user_takes_up_has_the_rights_of_that_user_at_once(host) {
        let broker = host.broker(Hooks::AUTHENTICATE.and(Hooks::AUTHORIZE));
        let connect = |name: &str| {
            let connect = Connect::new("c").username(name).keeping_its_session();
            broker.connect(V5, &connect)
        };
        for _ in 0..2 {
            let mut somebody = connect("alias");
            assert!(somebody.publish(&message("only/x")) < 0x80);
            let mut another = connect("in");
            assert_eq!(another.publish(&message("only/x")), 0x87);
        }
    }

    fn what_rules_leave_open_plugins_decide(host) {
        let broker = host.broker(Hooks::AUTHENTICATE.and(Hooks::AUTHORIZE));
        let mut client = broker.connect(V5, &Connect::new("c").username("ruled"));
        assert!(client.publish(&message("asked/x")) < 0x80);
        assert_eq!(client.publish(&message("other/x")), 0x87);
    }
}
