//! Several plugins: order, and what an emitted message meets.

use pintle_plugin_api::Hooks;
use pintle_tests::wire::Publish;

use crate::{ContractHost, Embedded, contract};

fn three(host: &dyn ContractHost) -> Embedded {
    Embedded::start(["first", "second", "third"].map(|name| host.probe(name, Hooks::PUBLISH)))
}

contract! {
    fn a_message_passes_the_plugins_in_their_order(host) {
        let broker = three(host);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes("sign/x", "signed by");
        client.receives("sign/x", "signed by first second third");
    }

    fn a_drop_or_reject_ends_the_way_through_the_chain(host) {
        let broker = three(host);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes_at(1, "drop/x", "x");
        assert_eq!(client.publish(&Publish::new("reject/x", "x").qos(1)), 0x99);
        client.receives_nothing();
    }

    fn an_emitted_message_passes_the_plugins_below_its_emitter(host) {
        let broker = three(host);
        let mut client = broker.v5("c");
        client.subscribes("sign", 0);
        client.publishes("emit-sign/x", "x");
        let mut got: Vec<String> = (0..3).map(|_| client.takes().text()).collect();
        got.sort();
        assert_eq!(got, ["made", "made second third", "made third"]);
        client.receives_nothing();
    }

    fn a_plugin_that_wants_certain_topics_is_asked_about_no_others(host) {
        let mut choosy = host.probe("choosy", Hooks::PUBLISH);
        choosy.topics = vec!["sign/+".to_owned()];
        let broker = Embedded::start([choosy, host.probe("other", Hooks::PUBLISH)]);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes("sign/x", "x");
        client.receives("sign/x", "x choosy other");
        client.publishes("sign/x/y", "x");
        client.receives("sign/x/y", "x other");
    }

    fn a_topic_beyond_the_grant_of_a_plugin_is_not_emitted(host) {
        let mut confined = host.probe("confined", Hooks::PUBLISH);
        confined.grants.publish = vec!["elsewhere/#".to_owned()];
        let broker = Embedded::start([confined]);
        let mut client = broker.v5("c");
        client.subscribes("#", 0);
        client.publishes("emit/x", "x");
        client.receives("emit/x", "x");
        client.receives_nothing();
    }
}
