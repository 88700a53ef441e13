//! What should this subscription become?

use pintle_plugin_api::Hooks;
use pintle_tests::wire::Subscribe;

use crate::contract;

contract! {
    fn a_subscription_may_pass_be_rewritten_or_rejected(host) {
        let broker = host.broker(Hooks::SUBSCRIBE);
        let mut client = broker.v5("c");
        let subscribe = Subscribe::to("pass/x", 1)
            .and("move/here/#", 2)
            .and("lower/x", 2)
            .and("reject/x", 0);
        assert_eq!(client.subscribe(&subscribe), [1, 2, 0, 0x83]);
        for topic in ["pass/x", "here/x", "lower/x", "reject/x", "move/here/x"] {
            client.publishes_at(2, topic, "x");
        }
        assert_eq!(client.receives("pass/x", "x").qos, 1);
        assert_eq!(client.receives("here/x", "x").qos, 2);
        assert_eq!(client.receives("lower/x", "x").qos, 0);
        client.receives_nothing();
    }

    fn a_rewritten_filter_is_authorised_again(host) {
        let broker = host.broker(Hooks::SUBSCRIBE.and(Hooks::AUTHORIZE));
        let mut client = broker.v5("c");
        assert_eq!(client.subscribe(&Subscribe::to("move/deny-subscribe/x", 0)), [0x87]);
        client.publishes("deny-subscribe/x", "x");
        client.receives_nothing();
    }

    fn an_unsubscribe_may_be_rewritten(host) {
        let broker = host.broker(Hooks::SUBSCRIBE.and(Hooks::UNSUBSCRIBE));
        let mut client = broker.v5("c");
        client.subscribes("move/here", 0);
        assert_eq!(client.unsubscribes(&["move/here"]), [0]);
        client.publishes("here", "x");
        client.receives_nothing();
    }

    fn a_retained_message_comes_by_the_rewritten_filter(host) {
        let broker = host.broker(Hooks::SUBSCRIBE);
        let mut client = broker.v5("c");
        client.retains("here", "kept");
        client.subscribes("move/here", 0);
        client.receives("here", "kept");
        client.receives_nothing();
    }
}
