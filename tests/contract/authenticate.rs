//! Who are you?

use pintle_plugin_api::Hooks;
use pintle_tests::wire::{Connect, Prop, Publish, Subscribe};
use pintle_tests::{V5, V311, Version};

use crate::contract;

fn user(name: &str) -> Connect {
    Connect::new("c").username(name)
}

contract! {
    fn an_accepted_client_is_let_in_with_the_words_of_the_plugin(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        for version in Version::ALL {
            broker.connect(version, &user("in"));
        }
        let connack = broker.open(V5).connects(&user("in"));
        assert!(connack.props.contains(&Prop::user("welcome", "probe")), "{connack:?}");
    }

    fn an_answer_may_take_its_time(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        let mut client = broker.connect(V5, &user("slow"));
        client.subscribes("t", 0);
        client.publishes("t", "x");
        client.receives("t", "x");
    }

    fn a_rejected_client_is_told_the_code(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        assert_eq!(broker.refuses(V5, &user("out")), 0x86);
        assert_eq!(broker.refuses(V5, &user("banned")), 0x8A);
        assert!(matches!(broker.refuses(V311, &user("out")), 4 | 5));
        assert_eq!(broker.refuses(V311, &user("banned")), 5);
        let mut client = broker.open(V5);
        client.send(&user("out"));
        let reason = Prop::ReasonString("out means out".to_owned());
        assert!(client.expect_connack().props.contains(&reason));
    }

    fn a_client_that_nobody_answers_for_is_refused(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        assert!(matches!(broker.refuses(V5, &user("unknown")), 0x86 | 0x87));
        assert!(matches!(broker.refuses(V5, &Connect::new("c")), 0x86 | 0x87));
        assert!(matches!(broker.refuses(V311, &Connect::new("c")), 4 | 5));
    }

    fn a_plugin_without_the_hook_is_not_asked(host) {
        let broker = host.broker(Hooks::PUBLISH);
        broker.connect(V5, &user("out"));
        broker.connect(V5, &Connect::new("c"));
    }

    fn the_principal_is_what_authorize_sees(host) {
        let broker = host.broker(Hooks::AUTHENTICATE.and(Hooks::AUTHORIZE));
        let mut somebody = broker.connect(V5, &Connect::new("s").username("alias"));
        let mut other = broker.connect(V5, &Connect::new("o").username("in"));
        let publish = Publish::new("only/somebody", "x").qos(1);
        assert!(somebody.publish(&publish) < 0x80);
        assert_eq!(other.publish(&publish), 0x87);
    }

    fn limits_are_announced_and_held(host) {
        let broker = host.broker(Hooks::AUTHENTICATE);
        let mut client = broker.open(V5);
        let connack = client.connects(&user("limited").with(Prop::SessionExpiry(5000)));
        for prop in [
            Prop::MaximumPacketSize(1000),
            Prop::ReceiveMaximum(7),
            Prop::MaximumQoS(1),
            Prop::SessionExpiry(60),
        ] {
            assert!(connack.props.contains(&prop), "{prop:?} is missing in {connack:?}");
        }
        assert_eq!(client.subscribe(&Subscribe::to("a", 0).and("b", 0).and("c", 0)), [0, 0, 0x97]);
        client.send(&Publish::new("t", "x").qos(2).id(1));
        client.is_refused_with(0x9B);
        let mut client = broker.connect(V5, &user("limited"));
        client.send(&Publish::new("t", "x".repeat(1000)));
        client.is_refused_with(0x95);
    }
}
