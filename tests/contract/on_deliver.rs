//! What should this message become for these clients?

use pintle_plugin_api::Hooks;
use pintle_tests::V5;
use pintle_tests::wire::{Connect, Prop, Publish};

use crate::{Embedded, contract};

contract! {
    fn each_cohort_gets_its_own_bytes(host) {
        let broker = host.broker(Hooks::DELIVER);
        let mut plain = broker.user("plain");
        let mut loud = broker.user("loud");
        let mut none = broker.user("none");
        let mut team = broker.user("team");
        let mut nameless = broker.v5("nameless");
        for client in [&mut plain, &mut loud, &mut none, &mut team, &mut nameless] {
            client.subscribes("t", 1);
        }
        broker.v5("p").publish(&Publish::new("t", "hello").qos(1).with(Prop::user("k", "v")));
        for (client, payload) in [
            (&mut plain, "hello"),
            (&mut loud, "HELLO"),
            (&mut team, "hello team"),
            (&mut nameless, "hello"),
        ] {
            let delivery = client.receives("t", payload);
            assert_eq!((delivery.qos, delivery.props), (1, vec![Prop::user("k", "v")]));
            client.receives_nothing();
        }
        none.receives_nothing();
    }

    fn the_hook_runs_once_for_a_cohort_however_many_clients_it_has(host) {
        let broker = host.broker(Hooks::DELIVER);
        let mut clients: Vec<_> = (0..5)
            .map(|number| {
                let connect = Connect::new(format!("c{number}")).username("counted");
                let mut client = broker.connect(V5, &connect);
                client.subscribes("t", number % 3);
                client
            })
            .collect();
        let mut publisher = broker.v5("p");
        for call in ["1", "2", "3"] {
            publisher.publishes_at(2, "t", "x");
            for client in &mut clients {
                client.receives("t", call);
            }
        }
    }

    fn retained_messages_meet_the_hook_when_given_out(host) {
        let broker = host.broker(Hooks::DELIVER);
        broker.v5("p").retains("t", "kept");
        let mut loud = broker.user("loud");
        loud.subscribes("t", 0);
        loud.receives("t", "KEPT");
        let mut none = broker.user("none");
        none.subscribes("t", 0);
        none.receives_nothing();
        let mut plain = broker.user("plain");
        plain.subscribes("t", 0);
        plain.receives("t", "kept");
    }

    fn waiting_messages_meet_the_hook_once(host) {
        let broker = host.broker(Hooks::DELIVER);
        let team = Connect::new("c").username("team").keeping_its_session();
        let mut client = broker.connect(V5, &team);
        client.subscribes("t", 1);
        client.disconnects();
        broker.v5("p").publishes_at(1, "t", "hello");
        let mut client = broker.connect(V5, &team);
        let first = client.expect_publish();
        assert_eq!(first.text(), "hello team");
        client.drops();
        let mut client = broker.connect(V5, &team);
        let again = client.takes();
        assert!(again.dup);
        assert_eq!(again.text(), "hello team");
        client.receives_nothing();
    }

    fn what_one_subscriber_gets_does_not_change_what_is_retained(host) {
        let broker = host.broker(Hooks::DELIVER);
        let mut loud = broker.user("loud");
        loud.subscribes("t", 0);
        broker.v5("p").retains("t", "quiet");
        loud.receives("t", "QUIET");
        let mut plain = broker.user("plain");
        plain.subscribes("t", 0);
        plain.receives("t", "quiet");
    }

    fn several_plugins_form_a_pipeline(host) {
        let broker = Embedded::start([
            host.probe("first", Hooks::DELIVER),
            host.probe("second", Hooks::DELIVER),
        ]);
        let mut team = broker.user("team");
        team.subscribes("t", 0);
        broker.v5("p").publishes("t", "x");
        team.receives("t", "x team team");
    }
}
