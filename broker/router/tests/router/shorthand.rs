//! Short constructors, and routes in a form that can be compared.

use std::num::NonZeroU32;

use pintle_mqtt::{QoS, ShareName, TopicFilter, TopicName};
use pintle_router::{Grant, OwnGrant, Route, SubscriptionOptions, Target};

pub(crate) fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap()
}

pub(crate) fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap()
}

pub(crate) fn share(text: &str) -> ShareName<'_> {
    ShareName::new(text).unwrap()
}

pub(crate) fn at(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

pub(crate) fn with_identifier(identifier: u32) -> SubscriptionOptions {
    SubscriptionOptions {
        identifier: NonZeroU32::new(identifier),
        ..SubscriptionOptions::default()
    }
}

pub(crate) fn no_local(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { no_local: true, ..at(qos) }
}

/// The targets in an order that does not depend on who made the route.
pub(crate) fn targets<S: Copy + Ord>(route: &Route<S>) -> Vec<(S, Grant, OwnGrant)> {
    let target = |t: &Target<S>| (t.subscriber, t.grant.clone(), t.own.clone());
    let mut targets: Vec<_> = route.targets.iter().map(target).collect();
    targets.sort_by_key(|(subscriber, ..)| *subscriber);
    targets
}

/// The groups as lists of members, in an order that does not depend on who made the route.
pub(crate) fn groups<S: Copy + Ord>(route: &Route<S>) -> Vec<Vec<(S, SubscriptionOptions)>> {
    let mut groups: Vec<Vec<_>> = Vec::new();
    for group in &route.groups {
        let mut members: Vec<_> = group.members().map(|m| (m.subscriber, m.options)).collect();
        members.sort_by_key(|(subscriber, options)| (*subscriber, options.identifier));
        groups.push(members);
    }
    groups.sort_by_key(|members| {
        let key = |&(subscriber, options): &(S, SubscriptionOptions)| {
            (
                subscriber,
                options.identifier,
                options.qos,
                options.no_local,
                options.retain_as_published,
            )
        };
        members.iter().map(key).collect::<Vec<_>>()
    });
    groups
}
