//! When a cached route must be made anew.

use pintle_router::Generations;

use crate::shorthand::{filter, topic};

#[test]
fn a_change_of_a_filter_shows_at_all_topics_of_its_first_level() {
    for text in ["a", "a/b", "a/+/c", "a/#"] {
        let generations = Generations::new();
        let before = (generations.of(topic("a")), generations.of(topic("a/b/c")));

        generations.bump(filter(text));

        assert!(generations.of(topic("a")) > before.0);
        assert!(generations.of(topic("a/b/c")) > before.1);
    }
}

#[test]
fn a_change_at_one_first_level_leaves_nearly_all_others_alone() {
    let generations = Generations::new();
    let topics: Vec<String> = (0..1000).map(|n| format!("site{n}/temp")).collect();
    let before: Vec<u64> = topics.iter().map(|t| generations.of(topic(t))).collect();

    generations.bump(filter("site7/#"));

    let changed = |(t, before): (&String, &u64)| generations.of(topic(t)) != *before;
    let stale = topics.iter().zip(&before).filter(|pair| changed(*pair)).count();
    assert!((1..20).contains(&stale), "{stale} of 1000 are stale");
}

#[test]
fn a_change_of_a_filter_with_a_leading_wildcard_shows_everywhere() {
    for text in ["#", "+", "+/a", "+/#"] {
        let generations = Generations::new();
        let before = ["a", "b/c", "/"].map(|name| generations.of(topic(name)));

        generations.bump(filter(text));

        let after = ["a", "b/c", "/"].map(|name| generations.of(topic(name)));
        assert!(before.iter().zip(after).all(|(before, after)| after > *before));
    }
}

#[test]
fn a_bump_of_all_shows_everywhere() {
    let generations = Generations::new();
    let before = ["a", "$SYS/x"].map(|name| generations.of(topic(name)));

    generations.bump_all();

    assert_ne!(["a", "$SYS/x"].map(|name| generations.of(topic(name))), before);
}

#[test]
fn a_long_first_level_has_one_generation_with_and_without_further_levels() {
    let generations = Generations::new();
    let level = "x".repeat(4000);
    let before = generations.of(topic(&level));

    generations.bump(filter(&format!("{level}/#")));

    assert!(generations.of(topic(&level)) > before);
}
