/// A Topic Filter whose levels may stand for the client's names.
#[derive(Clone, Debug)]
pub(crate) struct TopicPattern {
    /// What every Topic Name that matches begins with; most are told apart by it.
    prefix: Box<str>,
    levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Level {
    Literal(Box<str>),
    ClientId,
    User,
    /// `+`
    Any,
    /// `#`
    Rest,
}

/// What `%c` and `%u` stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) user: Option<&'a str>,
}

impl Names<'_> {
    /// Whether one of them holds a wildcard.
    pub(crate) fn hold_wildcards(&self) -> bool {
        let wild = |name: &str| name.contains(['+', '#']);
        wild(self.client_id) || self.user.is_some_and(wild)
    }
}

const FILTER_BYTES_MAX: usize = 65_535;

impl TopicPattern {
    /// Reads a Topic Filter; with `names`, levels `%c` and `%u` are not taken literally.
    ///
    /// # Errors
    /// Why it is not a Topic Filter.
    pub(crate) fn parse(filter: &str, names: bool) -> Result<Self, String> {
        if filter.is_empty() || filter.len() > FILTER_BYTES_MAX {
            return Err(format!("a filter is 1 to {FILTER_BYTES_MAX} bytes long"));
        }
        if filter.contains(char::is_control) {
            return Err("the filter holds a tab or another control character".to_owned());
        }
        let levels: Vec<Level> =
            filter.split('/').map(|level| Level::parse(level, names)).collect::<Result<_, _>>()?;
        if levels.iter().rev().skip(1).any(|level| *level == Level::Rest) {
            return Err("# is not the last level of the filter".to_owned());
        }
        Ok(Self { prefix: literal_start(&levels).into(), levels })
    }

    /// Whether a level stands for one of the client's names.
    pub(crate) fn uses_names(&self) -> bool {
        self.levels.iter().any(|level| matches!(level, Level::ClientId | Level::User))
    }

    /// Whether it matches a Topic Name, for a client with these names.
    pub(crate) fn matches(&self, topic: &str, names: Names<'_>) -> bool {
        if !topic.as_bytes().starts_with(self.prefix.as_bytes()) {
            return false;
        }
        if topic.starts_with('$') && !self.prefix.starts_with('$') {
            return false;
        }
        let mut parts = topic.split('/');
        for level in &self.levels {
            if *level == Level::Rest {
                return true;
            }
            let Some(part) = parts.next() else {
                return false;
            };
            if !level.matches(part, names) {
                return false;
            }
        }
        parts.next().is_none()
    }
}

/// The levels before the first that is not literal, without the separator after them: `a/#` matches
/// `a` too.
fn literal_start(levels: &[Level]) -> String {
    let literal = |level: &Level| match level {
        Level::Literal(text) => Some(text.clone()),
        Level::ClientId | Level::User | Level::Any | Level::Rest => None,
    };
    levels.iter().map_while(literal).collect::<Vec<_>>().join("/")
}

impl Level {
    fn parse(level: &str, names: bool) -> Result<Self, String> {
        Ok(match level {
            "+" => Self::Any,
            "#" => Self::Rest,
            "%c" if names => Self::ClientId,
            "%u" if names => Self::User,
            _ if level.contains(['+', '#']) => {
                return Err(format!("+ or # is not alone in its level {level:?}"));
            }
            literal => Self::Literal(literal.into()),
        })
    }

    fn matches(&self, part: &str, names: Names<'_>) -> bool {
        match self {
            Self::Literal(text) => **text == *part,
            Self::ClientId => !part.is_empty() && part == names.client_id,
            Self::User => !part.is_empty() && names.user == Some(part),
            Self::Any | Self::Rest => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names { client_id: "c1", user: Some("alice") };

    fn matches(filter: &str, topic: &str) -> bool {
        TopicPattern::parse(filter, true).unwrap().matches(topic, NAMES)
    }

    #[test]
    fn filters_match_by_levels() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a/b", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/+", "/", true),
            ("+", "/a", false),
            ("#", "a/b", true),
            ("#", "/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("+/#", "a", true),
            ("a/+/#", "a", false),
            ("a/+/c", "a/b/c", true),
            ("a b/c", "a b/c", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn only_a_filter_with_a_dollar_matches_a_topic_with_one() {
        for (filter, topic, expected) in [
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("$SYS/+", "$SYS/a", true),
            ("a/$b", "a/$b", true),
            ("a/+", "a/$b", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
        let pattern = TopicPattern::parse("%c/a", true).unwrap();
        assert!(!pattern.matches("$x/a", Names { client_id: "$x", user: None }));
    }

    #[test]
    fn names_stand_for_whole_levels_only() {
        for (filter, topic, expected) in [
            ("d/%c", "d/c1", true),
            ("d/%u/%c/#", "d/alice/c1", true),
            ("d/%c", "d/alice", false),
            ("d/%c", "d/c", false),
            ("d/%c", "d/c11", false),
            ("d/%count", "d/%count", true),
            ("d/x%c", "d/xc1", false),
            ("d/%c", "d/%c", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_name_that_is_empty_missing_or_of_several_levels_matches_nothing() {
        let pattern = TopicPattern::parse("d/%u/x", true).unwrap();
        for (user, topic) in [
            (Some(""), "d//x"),
            (None, "d//x"),
            (None, "d/%u/x"),
            (Some("a/b"), "d/a/b/x"),
            (Some("a/b"), "d/a/x"),
            (Some("+"), "d/a/x"),
        ] {
            assert!(!pattern.matches(topic, Names { client_id: "c", user }), "{user:?} {topic}");
        }
    }

    #[test]
    fn names_are_literal_where_they_are_not_asked_for() {
        let filter = TopicPattern::parse("d/%c", false).unwrap();
        assert!(filter.matches("d/%c", NAMES) && !filter.matches("d/c1", NAMES));
        assert!(!filter.uses_names());
        assert!(TopicPattern::parse("d/%c", true).unwrap().uses_names());
    }

    #[test]
    fn what_is_not_a_topic_filter_is_refused_with_the_reason() {
        for (filter, reason) in [
            ("", "1 to 65535 bytes"),
            ("a/b+", "not alone"),
            ("a+/b", "not alone"),
            ("#a", "not alone"),
            ("a/#/b", "not the last level"),
            ("#/#", "not the last level"),
            ("read\ta", "control character"),
            ("a\0", "control character"),
            (&"x".repeat(65_536), "1 to 65535 bytes"),
        ] {
            let error = TopicPattern::parse(filter, true).unwrap_err();
            assert!(error.contains(reason), "{filter:.20}: {error}");
        }
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        /// The rules of 4.7, word for word, with `%c` and `%u` put in beforehand.
        fn oracle(filter: &[&str], topic: &[&str]) -> bool {
            match (filter, topic) {
                ([], []) => true,
                (["#"], _) => true,
                (["+", filter @ ..], [_, topic @ ..]) => oracle(filter, topic),
                (["%c", filter @ ..], ["c1", topic @ ..]) => oracle(filter, topic),
                (["%u", filter @ ..], ["alice", topic @ ..]) => oracle(filter, topic),
                ([a, filter @ ..], [b, topic @ ..]) if a == b && !a.starts_with('%') => {
                    oracle(filter, topic)
                }
                _ => false,
            }
        }

        fn text(levels: &'static [&'static str]) -> impl Strategy<Value = String> {
            let level = proptest::sample::select(levels);
            proptest::collection::vec(level, 1..5).prop_map(|levels| levels.join("/"))
        }

        proptest! {
            #[test]
            fn matching_agrees_with_the_rules_taken_word_for_word(
                filter in text(&["a", "", "$a", "+", "#", "%c", "%u"]),
                topic in text(&["a", "", "$a", "c1", "alice"]),
            ) {
                if let Ok(pattern) = TopicPattern::parse(&filter, true) {
                    let levels: Vec<_> = filter.split('/').collect();
                    let parts: Vec<_> = topic.split('/').collect();
                    let hidden = topic.starts_with('$') && !filter.starts_with('$');
                    let expected = !hidden && oracle(&levels, &parts);
                    prop_assert_eq!(pattern.matches(&topic, NAMES), expected);
                }
            }
        }
    }
}
