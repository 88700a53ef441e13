//! The retained index against a plain map and the definition of matching.

use std::collections::BTreeMap;

use pintle_router::RetainedIndex;
use proptest::prelude::*;

use crate::shorthand::{filter, topic};
use crate::strategies::{any_filter, any_topic};

/// What a filter finds, in the order it is found.
fn found(index: &RetainedIndex<String>, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    index.for_each_match(filter(text), &mut |value: &String| {
        found.push(value.clone());
    });
    found
}

fn index(topics: &[&str]) -> RetainedIndex<String> {
    let mut index = RetainedIndex::new();
    for name in topics {
        index.set(topic(name), (*name).to_owned());
    }
    index
}

proptest! {
    /// [MQTT-4.7.2-1]
    #[test]
    fn the_index_finds_what_its_definition_finds(
        changes in prop::collection::vec((any_topic(), prop::bool::weighted(0.2)), 0..120),
        filters in prop::collection::vec(any_filter(), 1..30),
    ) {
        let mut index = RetainedIndex::new();
        let mut map = BTreeMap::new();
        for (name, removes) in &changes {
            if *removes {
                prop_assert_eq!(index.remove(topic(name)), map.remove(name));
            } else {
                let old = index.set(topic(name), name.clone());
                prop_assert_eq!(old, map.insert(name.clone(), name.clone()));
            }
        }
        prop_assert_eq!(index.len(), map.len());
        for (name, _) in &changes {
            prop_assert_eq!(index.get(topic(name)), map.get(name));
        }
        for text in &filters {
            let mut by_index = found(&index, text);
            by_index.sort_unstable();
            let matching = map.keys().filter(|name| filter(text).matches(topic(name)));
            prop_assert_eq!(by_index, matching.cloned().collect::<Vec<_>>(), "of {}", text);
        }
    }
}

/// [MQTT-3.3.1-5]
#[test]
fn a_value_replaces_the_one_before_at_the_same_topic() {
    let mut index = RetainedIndex::new();

    assert_eq!(index.set(topic("a/b"), 1), None);
    assert_eq!(index.set(topic("a/b"), 2), Some(1));

    assert_eq!(index.get(topic("a/b")), Some(&2));
    assert_eq!(index.len(), 1);
}

#[test]
fn removing_again_and_again_leaves_nothing() {
    let mut index = index(&["a/b/c", "a/b"]);

    assert!(index.remove(topic("a/b/c")).is_some());
    assert!(index.remove(topic("a/b")).is_some());
    assert!(index.remove(topic("a/b")).is_none());
    assert!(index.remove(topic("a")).is_none());

    assert!(index.is_empty());
    assert!(found(&index, "#").is_empty());
}

#[test]
fn a_topic_comes_before_those_below_it() {
    let index = index(&["a/b", "a-b", "a", "a/b/c", "a/c", "a/-"]);

    assert_eq!(found(&index, "#"), ["a", "a/-", "a/b", "a/b/c", "a/c", "a-b"]);
    assert_eq!(found(&index, "a/#"), ["a", "a/-", "a/b", "a/b/c", "a/c"]);
    assert_eq!(found(&index, "a/+"), ["a/-", "a/b", "a/c"]);
}

/// [MQTT-4.7.2-1]
#[test]
fn dollar_topics_are_found_only_by_filters_that_name_their_first_level() {
    let index = index(&["!", "$SYS", "$SYS/a", "$other/a", "%", "a"]);

    assert_eq!(found(&index, "#"), ["!", "%", "a"]);
    assert_eq!(found(&index, "+/a"), [""; 0]);
    assert_eq!(found(&index, "$SYS/#"), ["$SYS", "$SYS/a"]);
    assert_eq!(found(&index, "$SYS/+"), ["$SYS/a"]);
}

#[test]
fn a_look_up_finds_the_few_among_long_stretches_that_do_not_match() {
    let mut index = RetainedIndex::new();
    for room in 0..50 {
        for sensor in 0..50 {
            index.set(topic(&format!("room{room:02}/s{sensor:02}/value")), (room, sensor));
        }
    }
    let mut matches = Vec::new();

    index.for_each_match(filter("+/s31/+"), &mut |&value| {
        matches.push(value);
    });

    assert_eq!(matches, (0..50).map(|room| (room, 31)).collect::<Vec<_>>());
}

#[test]
fn a_sweep_keeps_what_it_accepts() {
    let mut index = index(&["a/b", "a/c", "b"]);

    index.retain(|value| value.starts_with('a'));

    assert_eq!(found(&index, "#"), ["a/b", "a/c"]);
}

#[test]
fn topics_and_filters_of_thousands_of_levels_are_served() {
    let deep = "/".repeat(65_535);
    let mut index = RetainedIndex::new();
    index.set(topic(&deep), ());
    let mut matches = 0;

    index.for_each_match(filter(&"+/".repeat(32_767)), &mut |()| {
        matches += 1;
    });
    index.for_each_match(filter(&format!("{}#", "+/".repeat(32_767))), &mut |()| {
        matches += 1;
    });

    assert_eq!(matches, 1);
}
