use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use pintle_mqtt::{ShareName, TopicFilter, TopicName};
use smallvec::SmallVec;

use crate::filter_entry::FilterEntry;
use crate::route::merge;
use crate::wildcard_tree::WildcardTree;
use crate::{Member, Route, SubscriptionOptions};

/// Who subscribes to what: answers a Topic Name with all of its receivers.
///
/// `S` is a handle of a session, small and cheap to clone and to compare. Filters without
/// wildcards live in one hash map, the others in a tree of levels. Nothing is normalised: levels
/// are equal when their bytes are, and an empty level is a level [MQTT-4.7.3-4].
#[derive(Debug)]
pub struct TopicTree<S> {
    exact: HashMap<Box<str>, FilterEntry<S>, RandomState>,
    wildcard: WildcardTree<S>,
    subscriptions: usize,
    shared_subscriptions: usize,
}

impl<S: Clone + Eq + Hash> Default for TopicTree<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Eq + Hash> TopicTree<S> {
    /// A tree without subscriptions.
    pub fn new() -> Self {
        Self {
            exact: HashMap::default(),
            wildcard: WildcardTree::new(),
            subscriptions: 0,
            shared_subscriptions: 0,
        }
    }

    /// Adds a subscription; true if it replaced the one that `subscriber` had to the identical
    /// filter [MQTT-3.8.4-3].
    pub fn subscribe(
        &mut self,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        let replaced = self.insert(None, filter, subscriber, options);
        self.subscriptions += usize::from(!replaced);
        replaced
    }

    /// Ends the subscription of `subscriber` to exactly this filter, character by character; true
    /// if there was one [MQTT-3.10.4-1].
    pub fn unsubscribe(&mut self, filter: TopicFilter<'_>, subscriber: &S) -> bool {
        let removed = self.remove(None, filter, subscriber);
        self.subscriptions -= usize::from(removed);
        removed
    }

    /// Makes `subscriber` a member of the group of this share name and filter; true if it was one
    /// already and only its options changed.
    pub fn subscribe_shared(
        &mut self,
        share: ShareName<'_>,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        let replaced = self.insert(Some(share), filter, subscriber, options);
        self.shared_subscriptions += usize::from(!replaced);
        replaced
    }

    /// Takes `subscriber` out of the group; true if it was a member.
    pub fn unsubscribe_shared(
        &mut self,
        share: ShareName<'_>,
        filter: TopicFilter<'_>,
        subscriber: &S,
    ) -> bool {
        let removed = self.remove(Some(share), filter, subscriber);
        self.shared_subscriptions -= usize::from(removed);
        removed
    }

    /// All receivers of a topic, overlapping subscriptions of one subscriber merged into one
    /// target.
    ///
    /// Filters that begin with a wildcard do not match topics that begin with `$`
    /// [MQTT-4.7.2-1].
    pub fn route(&self, topic: TopicName<'_>) -> Route<S> {
        let mut entries: SmallVec<[&FilterEntry<S>; 8]> = SmallVec::new();
        entries.extend(self.exact.get(topic.as_str()));
        self.wildcard.for_each_match(topic, |entry| entries.push(entry));

        let lists = entries.iter().map(|entry| entry.subscribers());
        Route {
            targets: merge(lists.filter(|list| !list.is_empty()).collect()),
            groups: entries.iter().flat_map(|entry| entry.groups()).cloned().collect(),
        }
    }

    /// With which options `subscriber` subscribed to exactly this filter, on its own or by this share
    /// name; `None` if it did not.
    pub fn options_of(
        &self,
        share: Option<ShareName<'_>>,
        filter: TopicFilter<'_>,
        subscriber: &S,
    ) -> Option<SubscriptionOptions> {
        let entry = if filter.has_wildcards() {
            self.wildcard.find(filter)?
        } else {
            self.exact.get(filter.as_str())?
        };
        entry.options_of(share, subscriber)
    }

    /// How many subscriptions there are that are not shared.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// How many memberships of shared groups there are.
    pub fn shared_subscription_count(&self) -> usize {
        self.shared_subscriptions
    }

    /// How many pieces the tree is made of: filters without wildcards, and nodes for the others.
    pub fn node_count(&self) -> usize {
        self.exact.len() + self.wildcard.node_count()
    }

    fn insert(
        &mut self,
        share: Option<ShareName<'_>>,
        filter: TopicFilter<'_>,
        subscriber: &S,
        options: SubscriptionOptions,
    ) -> bool {
        let member = Member { subscriber: subscriber.clone(), options };
        if filter.has_wildcards() {
            return self.wildcard.entry(filter).insert(share, member);
        }
        if let Some(entry) = self.exact.get_mut(filter.as_str()) {
            return entry.insert(share, member);
        }
        let entry = self.exact.entry(filter.as_str().into()).or_default();
        entry.insert(share, member)
    }

    fn remove(
        &mut self,
        share: Option<ShareName<'_>>,
        filter: TopicFilter<'_>,
        subscriber: &S,
    ) -> bool {
        if filter.has_wildcards() {
            let end = |entry: &mut FilterEntry<S>| entry.remove(share, subscriber);
            return self.wildcard.remove(filter, end);
        }
        let Some(entry) = self.exact.get_mut(filter.as_str()) else {
            return false;
        };
        let removed = entry.remove(share, subscriber);
        if entry.is_empty() {
            self.exact.remove(filter.as_str());
            if self.exact.is_empty() {
                self.exact = HashMap::default();
            }
        }
        removed
    }
}
