use pintle_ports::{Action, PublishRuling, PublishVerdict, Ruling};
use proptest::prelude::*;

use crate::broker_port::message;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

const TOPICS: [&str; 3] = ["a", "b", "c"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bits of the masks stand for [`TOPICS`].
    #[test]
    fn no_rewrite_delivers_what_the_client_may_not_publish_or_the_other_not_receive(
        may_publish in 0_u8..8,
        may_receive in 0_u8..8,
        rewrites in proptest::array::uniform3(0_usize..3),
        published in proptest::collection::vec(0_usize..3, 1..6),
    ) {
        let at = |topic: &str| TOPICS.iter().position(|known| *known == topic);
        let has = |mask: u8, place: usize| mask & (1 << place) != 0;
        let hooks = TestHooks::none()
            .authorizing(move |_, action| {
                let (mask, publish) = match action {
                    Action::Publish(publish) => (may_publish, publish),
                    Action::Receive(publish) => (may_receive, publish),
                    Action::Subscribe(_) | Action::Will(_) => return Ruling::ALLOW,
                };
                let place = publish.topic.and_then(|topic| at(topic.as_str()));
                if place.is_some_and(|place| has(mask, place)) { Ruling::ALLOW } else { denied() }
            })
            .on_publish(move |_, original| {
                let place = original.topic.and_then(|topic| at(topic.as_str())).unwrap();
                let frame = message(publish(TOPICS[rewrites[place]], TOPICS[rewrites[place]]));
                PublishRuling { verdict: PublishVerdict::Rewrite(frame), emits: Vec::new() }
            });
        let mut b = Scenario::with(hooks);
        b.client("s").subscribes("#");
        let mut expected = Vec::new();
        for &place in &published {
            b.client("p").publishes(TOPICS[place], "x");
            let becomes = rewrites[place];
            let may = has(may_publish, place) && has(may_publish, becomes);
            if may && has(may_receive, becomes) {
                expected.push(TOPICS[becomes]);
            }
        }
        b.client("s").receives(&expected);
    }
}
