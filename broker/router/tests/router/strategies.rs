//! Strategies over alphabets so small that filters, topics and subscribers meet often.

use std::num::NonZeroU32;

use pintle_mqtt::QoS;
use pintle_router::SubscriptionOptions;
use proptest::prelude::*;

pub(crate) fn any_topic() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "c", "", "$x", "-", "aa"]);
    let topic = prop::collection::vec(level, 1..6).prop_map(|levels| levels.join("/"));
    topic.prop_filter("a Topic Name is not empty", |topic| !topic.is_empty())
}

pub(crate) fn any_filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "", "$x", "-", "aa", "+", "+", "+"]);
    let levels = prop::collection::vec(level, 0..5);
    let filter = (levels, any::<bool>()).prop_map(|(mut levels, multi_level)| {
        if multi_level {
            levels.push("#");
        }
        levels.join("/")
    });
    filter.prop_filter("a Topic Filter is not empty", |filter| !filter.is_empty())
}

pub(crate) fn any_options() -> impl Strategy<Value = SubscriptionOptions> {
    let qos = prop::sample::select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    (qos, any::<bool>(), any::<bool>(), 0..4_u32).prop_map(
        |(qos, no_local, retain_as_published, identifier)| SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            identifier: NonZeroU32::new(identifier),
        },
    )
}
