use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::Member;

/// Members a block; a join or leave copies at most two blocks that routes still hold.
const BLOCK: usize = 256;

/// The members of one Shared Subscription (a ShareName and a Topic Filter) as they were when the
/// route was made.
///
/// Later routes of the same group go on with the same rotation.
#[derive(Clone, Debug)]
pub struct SharedGroup<S> {
    /// How many turns were given so far, over all snapshots of the group.
    turns: Arc<AtomicUsize>,
    /// All blocks but the last are full.
    blocks: Vec<Arc<Vec<Member<S>>>>,
    len: usize,
}

impl<S> SharedGroup<S> {
    /// The next member in round robin order that `usable` accepts.
    ///
    /// If none is usable it is the next one anyway: its session keeps the message. `None` only if
    /// the group is empty. Those passed over do not give their turns to one neighbour: the
    /// rotation goes on after the member that was picked.
    pub fn pick(&self, usable: impl Fn(&S) -> bool) -> Option<&Member<S>> {
        if self.len == 0 {
            return None;
        }
        let next = self.turns.fetch_add(1, Ordering::Relaxed) % self.len;
        for passed in 0..self.len {
            let place = next + passed;
            let wrapped = if place < self.len { place } else { place - self.len };
            let member = self.member(wrapped)?;
            if usable(&member.subscriber) {
                if passed > 0 {
                    self.turns.fetch_add(passed, Ordering::Relaxed);
                }
                return Some(member);
            }
        }
        self.member(next)
    }

    /// The members, each once.
    pub fn members(&self) -> impl Iterator<Item = &Member<S>> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn member(&self, place: usize) -> Option<&Member<S>> {
        self.blocks.get(place / BLOCK)?.get(place % BLOCK)
    }
}

impl<S: Clone> SharedGroup<S> {
    fn new() -> Self {
        Self { turns: Arc::new(AtomicUsize::new(0)), blocks: Vec::new(), len: 0 }
    }

    fn push(&mut self, member: Member<S>) {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::new(Vec::with_capacity(1)));
        }
        if let Some(last) = self.blocks.last_mut() {
            Arc::make_mut(last).push(member);
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<Member<S>> {
        let last = self.blocks.last_mut()?;
        let member = Arc::make_mut(last).pop()?;
        self.len -= 1;
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.pop();
        }
        Some(member)
    }

    fn put(&mut self, place: usize, member: Member<S>) {
        let block = self.blocks.get_mut(place / BLOCK);
        if let Some(old) = block.and_then(|block| Arc::make_mut(block).get_mut(place % BLOCK)) {
            *old = member;
        }
    }
}

impl<S: Clone> FromIterator<Member<S>> for SharedGroup<S> {
    fn from_iter<I: IntoIterator<Item = Member<S>>>(members: I) -> Self {
        let mut group = Self::new();
        members.into_iter().for_each(|member| group.push(member));
        group
    }
}

/// The tree's side of a shared group: its present members, and where each of them stands.
#[derive(Debug)]
pub(crate) struct Roster<S> {
    group: Arc<SharedGroup<S>>,
    places: HashMap<S, usize, RandomState>,
}

impl<S: Clone + Eq + Hash> Roster<S> {
    pub(crate) fn new() -> Self {
        Self { group: Arc::new(SharedGroup::new()), places: HashMap::default() }
    }

    pub(crate) fn group(&self) -> &Arc<SharedGroup<S>> {
        &self.group
    }

    /// Puts `member` in; true if it replaced the one its subscriber had.
    pub(crate) fn insert(&mut self, member: Member<S>) -> bool {
        let group = Arc::make_mut(&mut self.group);
        if let Some(&place) = self.places.get(&member.subscriber) {
            group.put(place, member);
            return true;
        }
        self.places.insert(member.subscriber.clone(), group.len);
        group.push(member);
        false
    }

    /// Takes `subscriber` out; false if it was not in. The last member takes its place.
    pub(crate) fn remove(&mut self, subscriber: &S) -> bool {
        let Some(place) = self.places.remove(subscriber) else {
            return false;
        };
        let group = Arc::make_mut(&mut self.group);
        if let Some(last) = group.pop()
            && place < group.len
        {
            self.places.insert(last.subscriber.clone(), place);
            group.put(place, last);
        }
        true
    }
}
