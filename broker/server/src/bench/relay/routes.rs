use std::collections::HashMap;

use pintle_mqtt::{Layout, QoS};

/// Most topics whose receivers are remembered.
const CACHED_TOPICS_MAX: usize = 1_000_000;

/// Somebody a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    pub(super) peer: usize,
    pub(super) qos: QoS,
    pub(super) layout: Layout,
}

/// Who has subscribed to what.
#[derive(Default)]
pub(super) struct Routes {
    exact: HashMap<Box<str>, Vec<Receiver>>,
    /// What stands before a trailing `#`.
    prefixes: Vec<(Box<str>, Receiver)>,
    /// Receivers by topic, as they are now.
    cache: HashMap<Box<[u8]>, Box<[Receiver]>, foldhash::fast::RandomState>,
}

impl Routes {
    /// False if the filter is of a kind that a relay does not know.
    pub(super) fn add(&mut self, filter: &str, receiver: Receiver) -> bool {
        let (prefix, is_exact) = match filter.strip_suffix('#') {
            Some(prefix) => (prefix, false),
            None => (filter, true),
        };
        let is_known = !prefix.contains(['+', '#', '$']) && !prefix.is_empty();
        if is_known {
            self.cache.clear();
            if is_exact {
                self.exact.entry(filter.into()).or_default().push(receiver);
            } else {
                self.prefixes.push((prefix.into(), receiver));
            }
        }
        is_known
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, peer: usize) {
        self.cache.clear();
        self.prefixes.retain(|(_, receiver)| receiver.peer != peer);
        self.exact.retain(|_, receivers| {
            receivers.retain(|receiver| receiver.peer != peer);
            !receivers.is_empty()
        });
    }

    /// Who gets messages to `topic`.
    #[inline]
    pub(super) fn receivers(&mut self, topic: &[u8]) -> &[Receiver] {
        if !self.cache.contains_key(topic) {
            self.find(topic);
        }
        self.cache.get(topic).map(AsRef::as_ref).unwrap_or_default()
    }

    #[cold]
    fn find(&mut self, topic: &[u8]) {
        let Ok(name) = std::str::from_utf8(topic) else { return };
        let exact = self.exact.get(name).into_iter().flatten();
        // `a/#` matches `a` too.
        let matches = |prefix: &str| {
            name.starts_with(prefix) || prefix.strip_suffix('/').is_some_and(|above| name == above)
        };
        let below = self.prefixes.iter().filter(|(prefix, _)| matches(prefix)).map(|(_, r)| r);
        let found: Box<[Receiver]> = exact.chain(below).copied().collect();
        if self.cache.len() >= CACHED_TOPICS_MAX {
            self.cache.clear();
        }
        self.cache.insert(topic.into(), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(peer: usize) -> Receiver {
        Receiver { peer, qos: QoS::AtMostOnce, layout: Layout::V3 }
    }

    fn check(routes: &mut Routes, topic: &str, peers: &[usize]) {
        let found: Vec<usize> = routes.receivers(topic.as_bytes()).iter().map(|r| r.peer).collect();
        assert_eq!(found, peers, "{topic}");
    }

    #[test]
    fn exact_filters_and_a_trailing_wildcard_match() {
        let mut routes = Routes::default();
        assert!(routes.add("a/b", receiver(1)));
        assert!(routes.add("a/#", receiver(2)));

        check(&mut routes, "a/b", &[1, 2]);
        check(&mut routes, "a/c/d", &[2]);
        check(&mut routes, "a", &[2]);
        check(&mut routes, "ab", &[]);
    }

    #[test]
    fn changes_are_seen_at_once() {
        let mut routes = Routes::default();
        check(&mut routes, "a", &[]);

        routes.add("a", receiver(1));
        check(&mut routes, "a", &[1]);
        routes.remove(1);
        check(&mut routes, "a", &[]);
    }

    #[test]
    fn other_filters_are_refused() {
        let mut routes = Routes::default();

        for filter in ["#", "+", "a/+/b", "a/+/#", "$share/g/a"] {
            assert!(!routes.add(filter, receiver(1)), "{filter}");
        }
    }
}
