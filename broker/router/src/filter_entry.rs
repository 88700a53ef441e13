use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pintle_mqtt::ShareName;

use crate::shared_group::Roster;
use crate::subscriber_set::SubscriberSet;
use crate::{Member, SharedGroup, SubscriptionOptions};

type Rosters<S> = HashMap<Box<str>, Roster<S>, RandomState>;

/// All that is subscribed to one Topic Filter: subscribers of their own, and groups by ShareName.
#[derive(Debug)]
pub(crate) struct FilterEntry<S> {
    subscribers: SubscriberSet<S>,
    /// Boxed and seldom there, so that the usual entry stays small.
    rosters: Option<Box<Rosters<S>>>,
}

impl<S> Default for FilterEntry<S> {
    fn default() -> Self {
        Self { subscribers: SubscriberSet::Empty, rosters: None }
    }
}

impl<S: Clone + Eq + Hash> FilterEntry<S> {
    pub(crate) fn is_empty(&self) -> bool {
        self.rosters.is_none() && self.subscribers.as_slice().is_empty()
    }

    pub(crate) fn subscribers(&self) -> &[Member<S>] {
        self.subscribers.as_slice()
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &Arc<SharedGroup<S>>> {
        let rosters = self.rosters.iter().flat_map(|rosters| rosters.values());
        rosters.map(Roster::group)
    }

    /// With which options `subscriber` is here.
    pub(crate) fn options_of(
        &self,
        share: Option<ShareName<'_>>,
        subscriber: &S,
    ) -> Option<SubscriptionOptions> {
        let Some(share) = share else {
            return self.subscribers.options_of(subscriber);
        };
        let group = self.rosters.as_ref()?.get(share.as_str())?.group();
        let member = group.members().find(|member| member.subscriber == *subscriber)?;
        Some(member.options)
    }

    /// Adds a subscription; true if it replaced one of the same subscriber and share.
    pub(crate) fn insert(&mut self, share: Option<ShareName<'_>>, member: Member<S>) -> bool {
        let Some(share) = share else {
            return self.subscribers.insert(member);
        };
        let rosters = self.rosters.get_or_insert_default();
        if let Some(roster) = rosters.get_mut(share.as_str()) {
            return roster.insert(member);
        }
        let roster = rosters.entry(share.as_str().into()).or_insert_with(Roster::new);
        roster.insert(member)
    }

    /// Ends a subscription, and with the last member its group; false if there was none.
    pub(crate) fn remove(&mut self, share: Option<ShareName<'_>>, subscriber: &S) -> bool {
        let Some(share) = share else {
            return self.subscribers.remove(subscriber);
        };
        let Some(rosters) = &mut self.rosters else {
            return false;
        };
        let Some(roster) = rosters.get_mut(share.as_str()) else {
            return false;
        };
        let removed = roster.remove(subscriber);
        if roster.group().is_empty() {
            rosters.remove(share.as_str());
        }
        if rosters.is_empty() {
            self.rosters = None;
        }
        removed
    }
}
