//! What a plugin does of its own accord.

use pintle_plugin_api::Hooks;

use crate::contract;

contract! {
    fn a_timer_calls_the_plugin_that_set_it(host) {
        let broker = host.broker(Hooks::PUBLISH.and(Hooks::TIMER));
        let mut client = broker.v5("c");
        client.subscribes("timer-rang", 0);
        client.publishes("timer/set", "");
        client.receives("timer-rang", "probe timer");
    }

    fn a_plugin_may_end_connections(host) {
        let broker = host.broker(Hooks::PUBLISH);
        let mut victim = broker.v5("victim");
        let mut other = broker.v5("other");
        other.publishes("kick/now", "victim");
        victim.is_refused_with(0x98);
        other.receives_nothing();
    }
}
