//! What answers in place of a hook that panics.

use pintle_plugin_api::Hooks;
use pintle_server::{DeliverErrorPolicy, ErrorPolicy, PublishErrorPolicy, SubscribeErrorPolicy};
use pintle_tests::wire::{Connect, Publish, Subscribe};
use pintle_tests::{V5, V311};

use crate::{ContractHost, Embedded, contract};

fn broker(host: &dyn ContractHost, hooks: Hooks, on_error: ErrorPolicy) -> Embedded {
    let mut probe = host.probe("probe", hooks);
    probe.on_error = on_error;
    Embedded::start([probe])
}

contract! {
    fn a_failed_authenticate_has_not_said_yes(host) {
        let broker = Embedded::start([
            host.probe("first", Hooks::AUTHENTICATE),
            host.probe("second", Hooks::AUTHENTICATE),
        ]);
        assert_eq!(broker.refuses(V5, &Connect::new("c").username("crash")), 0x88);
        assert_eq!(broker.refuses(V311, &Connect::new("c").username("crash")), 3);
        broker.connect(V5, &Connect::new("c").username("in"));
    }

    fn a_failed_authorize_has_not_said_yes(host) {
        let broker = host.broker(Hooks::AUTHORIZE);
        let mut client = broker.v5("c");
        let code = client.publish(&Publish::new("crash/x", "x").qos(1));
        assert!(code >= 0x80, "{code:#04x}");
        let codes = client.subscribe(&Subscribe::to("crash/x", 0));
        assert!(codes[0] >= 0x80, "{codes:?}");
        assert!(client.publish(&Publish::new("allow/x", "x").qos(1)) < 0x80);
    }

    fn a_plugin_that_does_not_say_what_its_failure_means_is_not_loaded(host) {
        for hooks in [Hooks::PUBLISH, Hooks::SUBSCRIBE, Hooks::DELIVER] {
            let mut probe = host.probe("probe", hooks);
            probe.on_error = ErrorPolicy::default();
            let broker = pintle_server::Broker::builder().listen("127.0.0.1:0").plugin_with(probe);
            assert!(broker.start().is_err(), "{hooks:?}");
        }
    }

    fn a_failed_on_publish_is_answered_as_declared(host) {
        for (policy, is_acknowledged, is_delivered) in [
            (PublishErrorPolicy::Pass, true, true),
            (PublishErrorPolicy::Drop, true, false),
            (PublishErrorPolicy::Reject, false, false),
        ] {
            let on_error = ErrorPolicy { publish: Some(policy), ..ErrorPolicy::default() };
            let broker = broker(host, Hooks::PUBLISH, on_error);
            let mut client = broker.v5("c");
            client.subscribes("#", 0);
            let code = client.publish(&Publish::new("crash/x", "x").qos(1));
            assert_eq!(code < 0x80, is_acknowledged, "{policy:?}: {code:#04x}");
            client.publishes("after/it", "y");
            let expected: &[&str] =
                if is_delivered { &["crash/x", "after/it"] } else { &["after/it"] };
            for topic in expected {
                assert_eq!(client.takes().topic, *topic, "{policy:?}");
            }
            client.receives_nothing();
        }
    }

    fn a_failed_on_subscribe_is_answered_as_declared(host) {
        for (policy, is_granted) in
            [(SubscribeErrorPolicy::Pass, true), (SubscribeErrorPolicy::Reject, false)]
        {
            let on_error = ErrorPolicy { subscribe: Some(policy), ..ErrorPolicy::default() };
            let broker = broker(host, Hooks::SUBSCRIBE, on_error);
            let mut client = broker.v5("c");
            let codes = client.subscribe(&Subscribe::to("crash/x", 1));
            assert_eq!(codes[0] == 1, is_granted, "{policy:?}: {codes:?}");
        }
    }

    fn a_failed_on_deliver_is_answered_as_declared(host) {
        for (policy, is_delivered) in
            [(DeliverErrorPolicy::Pass, true), (DeliverErrorPolicy::Drop, false)]
        {
            let on_error = ErrorPolicy { deliver: Some(policy), ..ErrorPolicy::default() };
            let broker = broker(host, Hooks::DELIVER, on_error);
            let mut crash = broker.user("crash");
            crash.subscribes("t", 0);
            broker.v5("p").publishes("t", "x");
            if is_delivered {
                crash.receives("t", "x");
            }
            crash.receives_nothing();
        }
    }

    fn a_hook_that_keeps_failing_is_left_out_for_a_while(host) {
        let on_error =
            ErrorPolicy { publish: Some(PublishErrorPolicy::Pass), ..ErrorPolicy::default() };
        let mut probe = host.probe("probe", Hooks::PUBLISH);
        // Messages of the broker itself would come between the failures.
        probe.topics = vec!["shout/#".to_owned(), "crash/#".to_owned()];
        probe.on_error = on_error;
        let broker = Embedded::start([probe]);
        let mut client = broker.v5("c");
        client.subscribes("shout/#", 0);
        client.publishes("shout/x", "before");
        client.receives("shout/x", "BEFORE");
        for _ in 0..5 {
            client.publishes("crash/x", "x");
        }
        client.publishes("shout/x", "left as it is");
        client.receives("shout/x", "left as it is");
    }
}
