use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use pintle_mqtt::{TopicFilter, TopicName};
use smallvec::SmallVec;

/// Keys passed over one by one before the map is searched for the next that may match.
const STEPS_MAX: usize = 8;

/// Retained messages by Topic Name, or whatever `V` stands for them.
///
/// A sorted map whose keys are topics with U+0000 in place of `/`. No topic holds U+0000 and it
/// sorts before everything else, so a topic stands directly before all that lie below it, and a
/// wildcard look-up is a walk that leaps over what cannot match.
#[derive(Debug)]
pub struct RetainedIndex<V> {
    entries: BTreeMap<Box<[u8]>, V>,
}

impl<V> Default for RetainedIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> RetainedIndex<V> {
    /// An index without entries.
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Puts `value` at `topic` and returns the one before, which it replaces [MQTT-3.3.1-5].
    pub fn set(&mut self, topic: TopicName<'_>, value: V) -> Option<V> {
        let key = key(topic);
        if let Some(old) = self.entries.get_mut(key.as_slice()) {
            return Some(std::mem::replace(old, value));
        }
        self.entries.insert(key.as_slice().into(), value)
    }

    /// Takes out and returns what is kept at `topic`.
    pub fn remove(&mut self, topic: TopicName<'_>) -> Option<V> {
        self.entries.remove(key(topic).as_slice())
    }

    /// What is kept at `topic`.
    pub fn get(&self, topic: TopicName<'_>) -> Option<&V> {
        self.entries.get(key(topic).as_slice())
    }

    /// Calls `found` with what is kept at each topic that `filter` matches, in the order of their
    /// levels. Topics that begin with `$` are not matched by filters that begin with a wildcard
    /// [MQTT-4.7.2-1].
    pub fn for_each_match(&self, filter: TopicFilter<'_>, found: &mut impl FnMut(&V)) {
        let pattern = Pattern::new(filter);
        let mut target = pattern.first_key();
        let mut keys = self.keys_from(&target);
        let mut passed_over = 0;
        while let Some((key, value)) = keys.next() {
            if **key < *target {
                passed_over += 1;
                if passed_over > STEPS_MAX {
                    keys = self.keys_from(&target);
                    passed_over = 0;
                }
                continue;
            }
            passed_over = 0;
            match pattern.compare(key) {
                Step::Match => found(value),
                Step::Next => {}
                Step::Leap { keep, then } => {
                    target.clear();
                    target.extend_from_slice(key.get(..keep).unwrap_or(key));
                    target.extend_from_slice(then);
                }
                Step::Done => return,
            }
        }
    }

    /// Calls `found` with what is kept at each topic.
    pub fn for_each(&self, found: impl FnMut(&V)) {
        self.entries.values().for_each(found);
    }

    /// How many topics have something.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no topic has anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps only what `keep` accepts, for sweeping out what has expired.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, value| keep(value));
    }

    fn keys_from(&self, first: &[u8]) -> std::collections::btree_map::Range<'_, Box<[u8]>, V> {
        self.entries.range::<[u8], _>((Bound::Included(first), Bound::Unbounded))
    }
}

type Key = SmallVec<[u8; 128]>;

const SEPARATOR: u8 = 0;
/// Appended to a key it makes the first one after everything below that key.
const AFTER: &[u8] = &[SEPARATOR + 1];

fn key(topic: TopicName<'_>) -> Key {
    let separated = |byte| if byte == b'/' { SEPARATOR } else { byte };
    topic.as_str().bytes().map(separated).collect()
}

/// A Topic Filter taken apart for walking over sorted keys.
struct Pattern<'f> {
    levels: SmallVec<[&'f [u8]; 16]>,
    /// It ended with `#`, which is not among the levels.
    multi_level: bool,
    dollar_excluded: bool,
}

/// Where to go on after one key.
enum Step<'f> {
    Match,
    Next,
    /// The next key that may match is not below the first `keep` bytes of this one with `then`
    /// after them.
    Leap {
        keep: usize,
        then: &'f [u8],
    },
    Done,
}

impl<'f> Pattern<'f> {
    fn new(filter: TopicFilter<'f>) -> Self {
        let mut levels: SmallVec<[&[u8]; 16]> = filter.levels().map(str::as_bytes).collect();
        let multi_level = levels.last().is_some_and(|level| *level == b"#");
        if multi_level {
            levels.pop();
        }
        Self { levels, multi_level, dollar_excluded: filter.as_str().starts_with(['+', '#']) }
    }

    /// The levels before the first wildcard: no smaller key matches.
    fn first_key(&self) -> Key {
        let mut key = Key::new();
        for (place, level) in self.levels.iter().take_while(|level| **level != b"+").enumerate() {
            if place > 0 {
                key.push(SEPARATOR);
            }
            key.extend_from_slice(level);
        }
        key
    }

    fn compare(&self, key: &[u8]) -> Step<'f> {
        if self.dollar_excluded && key.first() == Some(&b'$') {
            return Step::Leap { keep: 0, then: b"%" };
        }
        let mut rest = Some(key);
        let mut start = 0;
        let mut last_plus_end = None;
        for &level in &self.levels {
            let Some(from_here) = rest else {
                return Step::Next;
            };
            let mut parts = from_here.splitn(2, |&byte| byte == SEPARATOR);
            let name = parts.next().unwrap_or_default();
            rest = parts.next();
            let end = start + name.len();
            if level == b"+" {
                last_plus_end = Some(end);
            } else {
                match name.cmp(level) {
                    Ordering::Equal => {}
                    Ordering::Less => {
                        return Step::Leap { keep: start, then: level };
                    }
                    Ordering::Greater => return Self::after(last_plus_end),
                }
            }
            start = end + 1;
        }
        match rest {
            Some(_) if !self.multi_level => Self::after(start.checked_sub(1)),
            Some(_) | None => Step::Match,
        }
    }

    /// The step past everything below the first `end` bytes of the key; without an end there is
    /// nothing left to look for.
    fn after(end: Option<usize>) -> Step<'f> {
        match end {
            Some(keep) => Step::Leap { keep, then: AFTER },
            None => Step::Done,
        }
    }
}
