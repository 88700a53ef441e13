//! Topic Names, Topic Filters and share names.

use pintle_mqtt::{ReasonCode, SubscriptionFilter, TopicFilter, TopicName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap_or_else(|refused| panic!("{text}: {refused}"))
}

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap_or_else(|refused| panic!("{text}: {refused}"))
}

/// [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2]
#[test]
fn a_topic_name_has_no_wildcards_and_is_not_empty() {
    for bad in ["", "+", "#", "a/+", "a#", "a\0b", &"x".repeat(65_536)] {
        let refused = TopicName::new(bad).unwrap_err();
        assert_eq!(refused.reason, ReasonCode::TopicNameInvalid, "{bad:?}");
    }
    for good in ["a", "/", "//", "a b", " ", "$SYS/x", "ä/温", &"x".repeat(65_535)] {
        assert_eq!(topic(good).as_str(), good);
    }
    assert_eq!(topic("/a//").levels().collect::<Vec<_>>(), ["", "a", "", ""]);
    assert_eq!(topic("a/b").to_string(), "a/b");
}

/// [MQTT-4.7.1-1] [MQTT-4.7.1-2]
#[test]
fn a_wildcard_takes_a_whole_level_and_number_sign_the_last() {
    for good in ["#", "+", "a/#", "+/#", "a/+/b", "/+", "+/+/+", "/", "/#", "a//+", "$SYS/#"] {
        assert_eq!(filter(good).as_str(), good);
    }
    let too_long = "x".repeat(65_536);
    for bad in
        ["", "a#", "#/", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "++", "+#", "a\0", &too_long]
    {
        let refused = TopicFilter::new(bad).unwrap_err();
        assert_eq!(refused.reason, ReasonCode::TopicFilterInvalid, "{bad:?}");
    }
    assert!(filter("a/+").has_wildcards() && filter("#").has_wildcards());
    assert!(!filter("a/b").has_wildcards());
}

/// [MQTT-4.7.2-1]
#[test]
fn filters_match_as_the_standard_says() {
    for (text, matched, unmatched) in [
        ("a/#", &["a", "a/", "a/b", "a/b/c"][..], &["b", "ab", "/a", "$a"][..]),
        ("#", &["a", "/", "a/b", "/a"], &["$SYS", "$SYS/a", "$"]),
        ("+", &["a", "ä"], &["a/b", "/", "$a", "a/"]),
        ("+/+", &["a/b", "/", "/a", "a/"], &["a", "a/b/c", "$a/b"]),
        ("/+", &["/", "/a", "/$a"], &["a", "/a/b", "a/b"]),
        ("a/+/c", &["a/b/c", "a//c", "a/$b/c"], &["a/c", "a/b/b/c", "a/b/c/d"]),
        ("+/b/#", &["a/b", "/b", "a/b/c/d"], &["b", "$a/b", "a/c/b"]),
        ("$SYS/#", &["$SYS", "$SYS/a", "$SYS/a/b"], &["SYS/a", "$SYSTEM"]),
        ("$SYS/+", &["$SYS/a", "$SYS/"], &["$SYS", "$SYS/a/b"]),
        ("a/b", &["a/b"], &["a/B", "a/b/", "a"]),
        ("a//b", &["a//b"], &["a/b", "a///b"]),
    ] {
        for name in matched {
            assert!(filter(text).matches(topic(name)), "{text} and {name}");
        }
        for name in unmatched {
            assert!(!filter(text).matches(topic(name)), "{text} and {name}");
        }
    }
}

#[test]
fn a_topic_of_65_535_bytes_and_levels_is_matched() {
    let deep = "/".repeat(65_535);
    let filters = ["#", "/#", &deep, &format!("{}#", "+/".repeat(32_767))];
    for text in filters {
        assert!(filter(text).matches(topic(&deep)));
        assert!(filter("#").covers(filter(text)));
    }
    assert_eq!(topic(&deep).levels().count(), 65_536);
}

/// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
#[test]
fn a_shared_subscription_has_a_name_and_a_filter() {
    let shared = SubscriptionFilter::new("$share/group/a/+/#").unwrap();
    assert_eq!(shared.share.map(|share| share.as_str()), Some("group"));
    assert_eq!(shared.filter, filter("a/+/#"));
    assert_eq!(SubscriptionFilter::new("$share/g//").unwrap().filter, filter("/"));
    for ordinary in ["$shared/g/a", "$sharea", "share/g/a", "$Share/g/a"] {
        let taken = SubscriptionFilter::new(ordinary).unwrap();
        assert_eq!((taken.share, taken.filter), (None, filter(ordinary)));
    }
    for bad in [
        "$share",
        "$share/",
        "$share/g",
        "$share/g/",
        "$share//a",
        "$share/+/a",
        "$share/#/a",
        "$share/g+/a",
        "$share/g#/a",
        "$share/#",
        "$share/+",
        "$share/g/a#",
        "$share/g/#/a",
        "",
    ] {
        let refused = SubscriptionFilter::new(bad).unwrap_err();
        assert_eq!(refused.reason, ReasonCode::TopicFilterInvalid, "{bad:?}");
    }
}

#[test]
fn one_filter_covers_another_if_it_matches_all_the_other_does() {
    for (wide, narrow) in [
        ("#", "a/b"),
        ("#", "+/#"),
        ("+/#", "#"),
        ("/+/#", "/#"),
        ("+/+/#", "/#"),
        ("a/#", "a"),
        ("a/#", "a/+/b"),
        ("+/b", "a/b"),
        ("a/+", "a/+"),
        ("$SYS/#", "$SYS/a"),
        ("#", "#"),
    ] {
        assert!(filter(wide).covers(filter(narrow)), "{wide} covers {narrow}");
    }
    for (narrow, wide) in [
        ("a/b", "#"),
        ("a/+", "a/#"),
        ("+", "#"),
        ("#", "$SYS/a"),
        ("+/a", "$SYS/a"),
        ("a/+/#", "a/#"),
        ("+/+/#", "+/#"),
        ("$SYS/#", "#"),
        ("a", "b"),
    ] {
        assert!(!filter(narrow).covers(filter(wide)), "{narrow} does not cover {wide}");
    }
}

/// Every topic of up to four levels over few names, one of which no filter below holds.
fn small_topics() -> Vec<String> {
    let names = ["", "a", "b", "$s", "other"];
    let mut topics: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut last = topics.clone();
    for _ in 0..3 {
        last = last
            .iter()
            .flat_map(|start| names.iter().map(move |name| format!("{start}/{name}")))
            .collect();
        topics.extend_from_slice(&last);
    }
    topics.retain(|topic| !topic.is_empty());
    topics
}

fn small_filter() -> impl Strategy<Value = String> {
    let level = select(&["", "a", "b", "$s", "+"][..]);
    (vec(level, 0..3), any::<bool>()).prop_filter_map("empty", |(mut levels, many)| {
        if many {
            levels.push("#");
        }
        let text = levels.join("/");
        (!text.is_empty()).then_some(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn covering_agrees_with_matching(wide in small_filter(), narrow in small_filter()) {
        let (wide, narrow) = (filter(&wide), filter(&narrow));
        let matches_all = small_topics()
            .iter()
            .map(|name| topic(name))
            .filter(|name| narrow.matches(*name))
            .all(|name| wide.matches(name));
        prop_assert_eq!(wide.covers(narrow), matches_all, "{} and {}", wide, narrow);
    }
}
