//! The definition of routing, too slow to use: what the faster structures are tested against.

use std::hash::Hash;
use std::sync::Arc;

use pintle_mqtt::{ShareName, TopicFilter, TopicName};

use crate::{Grant, Member, OwnGrant, Route, SharedGroup, SubscriptionOptions, Target};

/// A list of subscriptions, asked one by one with [`TopicFilter::matches`].
#[derive(Debug)]
pub struct NaiveMatcher<S> {
    subscriptions: Vec<Subscription<S>>,
}

#[derive(Debug)]
struct Subscription<S> {
    share: Option<String>,
    filter: String,
    member: Member<S>,
}

impl<S> Default for NaiveMatcher<S> {
    fn default() -> Self {
        Self { subscriptions: Vec::new() }
    }
}

impl<S: Clone + Eq + Hash> NaiveMatcher<S> {
    /// A matcher without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`crate::TopicTree::subscribe`].
    pub fn subscribe(
        &mut self,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        self.insert(None, filter, subscriber, options)
    }

    /// As [`crate::TopicTree::unsubscribe`].
    pub fn unsubscribe(&mut self, filter: TopicFilter<'_>, subscriber: &S) -> bool {
        self.remove(None, filter, subscriber)
    }

    /// As [`crate::TopicTree::subscribe_shared`].
    pub fn subscribe_shared(
        &mut self,
        share: ShareName<'_>,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        self.insert(Some(share), filter, subscriber, options)
    }

    /// As [`crate::TopicTree::unsubscribe_shared`].
    pub fn unsubscribe_shared(
        &mut self,
        share: ShareName<'_>,
        filter: TopicFilter<'_>,
        subscriber: &S,
    ) -> bool {
        self.remove(Some(share), filter, subscriber)
    }

    /// As [`crate::TopicTree::route`]; the rotation of its groups begins anew each time.
    pub fn route(&self, topic: TopicName<'_>) -> Route<S> {
        let matching = |s: &&Subscription<S>| TopicFilter::trusted(&s.filter).matches(topic);
        let (shared, ordinary): (Vec<_>, Vec<_>) =
            self.subscriptions.iter().filter(matching).partition(|s| s.share.is_some());
        Route { targets: targets(&ordinary), groups: groups(&shared) }
    }

    fn insert(
        &mut self,
        share: Option<ShareName<'_>>,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        let replaced = self.remove(share, filter, subscriber);
        self.subscriptions.push(Subscription {
            share: share.map(|share| share.as_str().to_owned()),
            filter: filter.as_str().to_owned(),
            member: Member { subscriber: subscriber.clone(), options },
        });
        replaced
    }

    fn remove(
        &mut self,
        share: Option<ShareName<'_>>,
        filter: TopicFilter<'_>,
        subscriber: &S,
    ) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|s| {
            s.share.as_deref() != share.map(ShareName::as_str)
                || s.filter != filter.as_str()
                || s.member.subscriber != *subscriber
        });
        self.subscriptions.len() < before
    }
}

fn targets<S: Clone + Eq>(matching: &[&Subscription<S>]) -> Vec<Target<S>> {
    let mut subscribers: Vec<&S> = Vec::new();
    for subscription in matching {
        if !subscribers.contains(&&subscription.member.subscriber) {
            subscribers.push(&subscription.member.subscriber);
        }
    }
    let target = |subscriber: &S| {
        let theirs = matching.iter().filter(|s| s.member.subscriber == *subscriber);
        let all: Vec<_> = theirs.map(|s| s.member.options).collect();
        let of_own: Vec<_> = all.iter().copied().filter(|options| !options.no_local).collect();
        let grant = grant(&all)?;
        let own = match self::grant(&of_own) {
            None => OwnGrant::Nothing,
            Some(own) if own == grant => OwnGrant::Same,
            Some(own) => OwnGrant::Other(Box::new(own)),
        };
        Some(Target { subscriber: subscriber.clone(), grant, own })
    };
    subscribers.into_iter().filter_map(target).collect()
}

/// What these subscriptions grant together; `None` if there is none.
fn grant(options: &[SubscriptionOptions]) -> Option<Grant> {
    let identifiers = options.iter().filter_map(|options| options.identifier);
    let mut identifiers: Vec<u32> = identifiers.map(|id| id.get()).collect();
    identifiers.sort_unstable();
    Some(Grant {
        qos: options.iter().map(|options| options.qos).max()?,
        retain_as_published: options.iter().any(|options| options.retain_as_published),
        identifiers: identifiers.into(),
    })
}

fn groups<S: Clone + Eq>(matching: &[&Subscription<S>]) -> Vec<Arc<SharedGroup<S>>> {
    let mut keys: Vec<(&Option<String>, &String)> =
        matching.iter().map(|s| (&s.share, &s.filter)).collect();
    keys.sort_unstable();
    keys.dedup();
    let group = |key| {
        let members = matching.iter().filter(|s| (&s.share, &s.filter) == key);
        Arc::new(members.map(|s| s.member.clone()).collect())
    };
    keys.into_iter().map(group).collect()
}
