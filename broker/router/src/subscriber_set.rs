use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

use foldhash::fast::RandomState;

use crate::{Member, SubscriptionOptions};

/// Up to this many members are found by looking through them; more are indexed.
const SCAN_MAX: usize = 16;

/// The subscribers of one Topic Filter, each once. One of them, the usual case, is kept inline.
#[derive(Debug)]
pub(crate) enum SubscriberSet<S> {
    Empty,
    One(Member<S>),
    Many(Box<Many<S>>),
}

#[derive(Debug)]
pub(crate) struct Many<S> {
    members: Vec<Member<S>>,
    /// Where each subscriber stands in `members`; empty while there are `SCAN_MAX` or fewer.
    places: HashMap<S, usize, RandomState>,
}

impl<S> SubscriberSet<S> {
    pub(crate) fn as_slice(&self) -> &[Member<S>] {
        match self {
            Self::Empty => &[],
            Self::One(member) => std::slice::from_ref(member),
            Self::Many(many) => &many.members,
        }
    }
}

impl<S: Clone + Eq + Hash> SubscriberSet<S> {
    /// With which options `subscriber` is here.
    pub(crate) fn options_of(&self, subscriber: &S) -> Option<SubscriptionOptions> {
        let member = match self {
            Self::Many(many) if !many.places.is_empty() => {
                many.members.get(*many.places.get(subscriber)?)
            }
            Self::Empty | Self::One(_) | Self::Many(_) => {
                self.as_slice().iter().find(|member| member.subscriber == *subscriber)
            }
        };
        member.map(|member| member.options)
    }

    /// Puts `member` in; true if it replaced the one its subscriber had.
    pub(crate) fn insert(&mut self, member: Member<S>) -> bool {
        match self {
            Self::Empty => {
                *self = Self::One(member);
                false
            }
            Self::One(one) if one.subscriber == member.subscriber => {
                one.options = member.options;
                true
            }
            Self::One(_) => {
                if let Self::One(one) = mem::replace(self, Self::Empty) {
                    *self = Self::Many(Box::new(Many {
                        members: vec![one, member],
                        places: HashMap::default(),
                    }));
                }
                false
            }
            Self::Many(many) => many.insert(member),
        }
    }

    /// Takes `subscriber` out; false if it was not in.
    pub(crate) fn remove(&mut self, subscriber: &S) -> bool {
        match self {
            Self::Empty => false,
            Self::One(one) if one.subscriber == *subscriber => {
                *self = Self::Empty;
                true
            }
            Self::One(_) => false,
            Self::Many(many) => {
                let removed = many.remove(subscriber);
                if many.members.len() == 1
                    && let Some(one) = many.members.pop()
                {
                    *self = Self::One(one);
                }
                removed
            }
        }
    }
}

impl<S: Clone + Eq + Hash> Many<S> {
    fn place(&self, subscriber: &S) -> Option<usize> {
        if self.members.len() > SCAN_MAX {
            self.places.get(subscriber).copied()
        } else {
            self.members.iter().position(|m| m.subscriber == *subscriber)
        }
    }

    fn insert(&mut self, member: Member<S>) -> bool {
        let known = self.place(&member.subscriber);
        if let Some(old) = known.and_then(|place| self.members.get_mut(place)) {
            old.options = member.options;
            return true;
        }
        let place = self.members.len();
        if place > SCAN_MAX {
            self.places.insert(member.subscriber.clone(), place);
        }
        self.members.push(member);
        if place == SCAN_MAX {
            let subscribers = self.members.iter().map(|m| m.subscriber.clone());
            self.places = subscribers.zip(0..).collect();
        }
        false
    }

    fn remove(&mut self, subscriber: &S) -> bool {
        let Some(place) = self.place(subscriber) else {
            return false;
        };
        self.members.swap_remove(place);
        if self.members.len() <= SCAN_MAX {
            self.places = HashMap::default();
            return true;
        }
        self.places.remove(subscriber);
        if let Some(moved) = self.members.get(place)
            && let Some(its_place) = self.places.get_mut(&moved.subscriber)
        {
            *its_place = place;
        }
        if self.members.capacity() > 4 * self.members.len() {
            self.members.shrink_to(2 * self.members.len());
            self.places.shrink_to(2 * self.members.len());
        }
        true
    }
}
