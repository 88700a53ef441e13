//! What should this message become?

use pintle_plugin_api::Hooks;
use pintle_tests::V5;
use pintle_tests::wire::{Connect, Prop, Publish, Will};

use crate::contract;

contract! {
    fn a_message_may_pass_as_it_is(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 2);
        for qos in 0..=2 {
            client.publish(&Publish::new("pass/x", "x").qos(qos).with(Prop::user("k", "v")));
            let delivery = client.receives("pass/x", "x");
            assert_eq!((delivery.qos, delivery.props), (qos, vec![Prop::user("k", "v")]));
        }
        client.receives_nothing();
    }

    fn a_payload_may_be_rewritten(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 2);
        for qos in 0..=2 {
            client.publish(&Publish::new("shout/x", "hello").qos(qos).with(Prop::user("k", "v")));
            let delivery = client.receives("shout/x", "HELLO");
            assert_eq!((delivery.qos, delivery.props), (qos, vec![Prop::user("k", "v")]));
        }
        client.receives_nothing();
    }

    fn a_topic_may_be_rewritten(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes("move/to/here", "x");
        client.receives("to/here", "x");
        client.receives_nothing();
    }

    fn properties_and_retain_may_be_rewritten(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("dress/x", 0);
        client.publish(&Publish::new("dress/x", "x").with(Prop::user("old", "gone")));
        let delivery = client.receives("dress/x", "x");
        let left = delivery.expiry().expect("an expiry was set");
        assert!((4900..=5000).contains(&left), "{left}");
        for prop in [
            Prop::ContentType("text/plain".to_owned()),
            Prop::ResponseTopic("answers".to_owned()),
            Prop::CorrelationData(vec![1, 2, 3]),
            Prop::user("dressed", "yes"),
        ] {
            assert!(delivery.props.contains(&prop), "{prop:?} is missing in {delivery:?}");
        }
        assert!(!delivery.props.contains(&Prop::user("old", "gone")));
        client.publishes("keep/x", "kept");
        client.subscribes("keep/x", 0);
        assert!(client.receives("keep/x", "kept").retain);
    }

    fn what_is_retained_is_the_rewritten_message(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.retains("shout/x", "hello");
        client.subscribes("#", 0);
        client.receives("shout/x", "HELLO");
        client.receives_nothing();
    }

    fn a_rewritten_topic_is_authorised_again(host) {
        let broker = host.broker(Hooks::PUBLISH.and(Hooks::AUTHORIZE));
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        assert_eq!(client.publish(&Publish::new("move/deny-publish/x", "x").qos(1)), 0x87);
        assert!(client.publish(&Publish::new("move/allow/x", "x").qos(1)) < 0x80);
        client.receives("allow/x", "x");
        client.receives_nothing();
    }

    fn a_denied_message_never_reaches_the_hook(host) {
        let broker = host.broker(Hooks::PUBLISH.and(Hooks::AUTHORIZE));
        let mut watch = broker.v5("watch");
        watch.subscribes("timer-rang", 0);
        let mut client = broker.v5("c");
        assert_eq!(client.publish(&Publish::new("deny/x", "x").qos(1)), 0x87);
        watch.receives_nothing();
    }

    fn a_dropped_message_is_acknowledged_and_goes_nowhere(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        for qos in 0..=2 {
            let code = client.publish(&Publish::new("drop/x", "x").qos(qos).retained());
            assert!(code < 0x80, "{code:#04x}");
        }
        client.receives_nothing();
        client.subscribes("drop/#", 0);
        client.receives_nothing();
    }

    fn a_rejected_message_is_told_its_code_and_goes_nowhere(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        assert_eq!(client.publish(&Publish::new("reject/x", "x").qos(1)), 0x99);
        assert_eq!(client.publish(&Publish::new("reject/x", "x").qos(2)), 0x99);
        client.publishes("reject/x", "x");
        client.receives_nothing();
    }

    fn emitted_messages_follow_in_their_order(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes("emit/x", "first");
        client.receives("emit/x", "first");
        client.receives("emitted", "one");
        client.receives("emitted", "two");
        client.receives_nothing();
    }

    fn the_hook_is_told_where_a_message_is_from(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut watch = broker.v5("watch");
        watch.subscribes("origin/#", 0);
        let will = Will::new("origin/will", "gone");
        let mut client = broker.connect(V5, &Connect::new("c").will(will));
        client.publishes("origin/client", "x");
        watch.receives("origin/client", "Client c");
        client.drops();
        watch.receives("origin/will", "Will c");
    }

    fn wills_pass_the_chain(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut watch = broker.v5("watch");
        watch.subscribes("#", 0);
        for (topic, payload) in [("drop/x", "never"), ("shout/x", "gone")] {
            let connect = Connect::new("c").will(Will::new(topic, payload));
            broker.connect(V5, &connect).drops();
        }
        watch.receives("shout/x", "GONE");
        watch.receives_nothing();
    }

    fn a_topic_alias_is_resolved_before_the_hook(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publish(&Publish::new("shout/x", "one").with(Prop::TopicAlias(1)));
        client.publish(&Publish::new("", "two").with(Prop::TopicAlias(1)));
        client.receives("shout/x", "ONE");
        client.receives("shout/x", "TWO");
    }

    fn a_qos_2_message_sent_twice_meets_the_hook_once(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        let publish = Publish::new("emit/x", "x").qos(2).id(1);
        client.send(&publish);
        client.send(&publish.clone().dup());
        client.is_heard();
        let topics: Vec<String> = (0..3).map(|_| client.next_publish().topic).collect();
        assert_eq!(topics, ["emit/x", "emitted", "emitted"]);
    }
}
