use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pintle_mqtt::QoS;
use smallvec::SmallVec;

use crate::{Member, SharedGroup, SubscriptionOptions};

/// Up to this many subscriptions are merged by looking through the targets found so far.
const SCAN_MAX: usize = 16;

/// All receivers of a topic.
#[derive(Clone, Debug)]
pub struct Route<S> {
    /// The subscribers, each once, in no particular order.
    pub targets: Vec<Target<S>>,
    /// The shared groups; one member of each gets the message.
    pub groups: Vec<Arc<SharedGroup<S>>>,
}

/// A subscriber and what all of its subscriptions that match grant it together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<S> {
    /// The handle of its session.
    pub subscriber: S,
    /// What it gets of publications of others.
    pub grant: Grant,
    /// What it gets of its own publications.
    pub own: OwnGrant,
}

/// How one copy of a message goes to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The maximum of the matching subscriptions [MQTT-3.3.4-2].
    pub qos: QoS,
    /// Whether any of them asked for Retain As Published.
    pub retain_as_published: bool,
    /// The Subscription Identifiers of all of them that have one, ascending; an identifier used
    /// twice stands here twice [MQTT-3.3.4-3] [MQTT-3.3.4-4].
    pub identifiers: SmallVec<[u32; 2]>,
}

/// What a subscriber gets of its own publications (No Local) [MQTT-3.8.3-3].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnGrant {
    /// The same as of those of others.
    Same,
    /// Nothing: all of its matching subscriptions are No Local.
    Nothing,
    /// Less, since some of them are No Local and change the grant.
    Other(Box<Grant>),
}

impl<S> Default for Route<S> {
    fn default() -> Self {
        Self { targets: Vec::new(), groups: Vec::new() }
    }
}

impl<S> Route<S> {
    /// Whether nobody receives the topic.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.groups.is_empty()
    }
}

impl Grant {
    /// The grant of a single subscription.
    pub fn new(options: SubscriptionOptions) -> Self {
        Self {
            qos: options.qos,
            retain_as_published: options.retain_as_published,
            identifiers: options.identifier.iter().map(|id| id.get()).collect(),
        }
    }

    fn add(&mut self, options: SubscriptionOptions) {
        self.qos = self.qos.max(options.qos);
        self.retain_as_published |= options.retain_as_published;
        if let Some(identifier) = options.identifier {
            let identifier = identifier.get();
            let place = self.identifiers.partition_point(|&id| id <= identifier);
            self.identifiers.insert(place, identifier);
        }
    }
}

impl<S: Clone> Target<S> {
    fn new(member: &Member<S>) -> Self {
        Self {
            subscriber: member.subscriber.clone(),
            grant: Grant::new(member.options),
            own: if member.options.no_local { OwnGrant::Nothing } else { OwnGrant::Same },
        }
    }

    fn add(&mut self, options: SubscriptionOptions) {
        match (&mut self.own, options.no_local) {
            (OwnGrant::Same, true) => self.own = OwnGrant::Other(Box::new(self.grant.clone())),
            (OwnGrant::Nothing, false) => {
                self.own = OwnGrant::Other(Box::new(Grant::new(options)));
            }
            (OwnGrant::Other(own), false) => own.add(options),
            (OwnGrant::Same, false) | (OwnGrant::Nothing | OwnGrant::Other(_), true) => {}
        }
        self.grant.add(options);
    }

    fn settle(&mut self) {
        if matches!(&self.own, OwnGrant::Other(own) if **own == self.grant) {
            self.own = OwnGrant::Same;
        }
    }
}

/// Merges the subscribers of all matching filters into one target each.
///
/// Within one filter a subscriber stands only once, so a single filter needs no look-up, and the
/// longest list needs to be looked up only among the others.
pub(crate) fn merge<S: Clone + Eq + Hash>(
    mut lists: SmallVec<[&[Member<S>]; 8]>,
) -> Vec<Target<S>> {
    lists.sort_unstable_by_key(|list| list.len());
    let Some(longest) = lists.pop() else {
        return Vec::new();
    };
    let total = lists.iter().map(|list| list.len()).sum::<usize>() + longest.len();
    let mut targets: Vec<Target<S>> = Vec::with_capacity(total);
    if lists.is_empty() {
        targets.extend(longest.iter().map(Target::new));
        return targets;
    }
    let shorter = lists.iter().copied().flatten();
    if total <= SCAN_MAX {
        merge_by_scan(&mut targets, shorter.chain(longest));
    } else {
        merge_by_hash(&mut targets, shorter, longest);
    }
    targets.iter_mut().for_each(Target::settle);
    targets
}

fn merge_by_scan<'m, S: Clone + Eq + 'm>(
    targets: &mut Vec<Target<S>>,
    members: impl Iterator<Item = &'m Member<S>>,
) {
    for member in members {
        match targets.iter_mut().find(|t| t.subscriber == member.subscriber) {
            Some(target) => target.add(member.options),
            None => targets.push(Target::new(member)),
        }
    }
}

fn merge_by_hash<'m, S: Clone + Eq + Hash + 'm>(
    targets: &mut Vec<Target<S>>,
    shorter: impl Iterator<Item = &'m Member<S>>,
    longest: &'m [Member<S>],
) {
    let mut places: HashMap<&S, usize, RandomState> = HashMap::default();
    for member in shorter {
        let place = *places.entry(&member.subscriber).or_insert(targets.len());
        match targets.get_mut(place) {
            Some(target) => target.add(member.options),
            None => targets.push(Target::new(member)),
        }
    }
    for member in longest {
        let known = places.get(&member.subscriber);
        match known.and_then(|&place| targets.get_mut(place)) {
            Some(target) => target.add(member.options),
            None => targets.push(Target::new(member)),
        }
    }
}
