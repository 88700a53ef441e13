use std::fmt;

use crate::{ReasonCode, Violation};

/// A Topic Name: no wildcards, not empty, no U+0000 [MQTT-4.7.0-1] [MQTT-4.7.3-1]
/// [MQTT-4.7.3-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// `TopicNameInvalid` (0x90) if it is empty or longer than 65,535 bytes, or holds `+`, `#` or
    /// U+0000.
    pub fn new(text: &'a str) -> Result<Self, Violation> {
        let invalid = |what| Err(Violation::new(ReasonCode::TopicNameInvalid, what));
        if text.is_empty() {
            return invalid("a Topic Name is empty");
        }
        if text.len() > usize::from(u16::MAX) {
            return invalid("a Topic Name is longer than 65,535 bytes");
        }
        let clean = text.bytes().fold(true, |clean, b| clean & !matches!(b, b'+' | b'#' | 0));
        if clean { Ok(Self(text)) } else { invalid("a Topic Name holds a wildcard or U+0000") }
    }

    /// The text, known to be a Topic Name already: one that [`TopicName::new`] took before.
    pub fn trusted(text: &'a str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "not a Topic Name: {text}");
        Self(text)
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels, in order; there is always at least one, and any may be empty.
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
    }

    /// Whether wildcards at the first level pass it by [MQTT-4.7.2-1].
    pub fn is_dollar(self) -> bool {
        self.0.starts_with('$')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A Topic Filter without a share name: `+` takes a whole level, `#` only the last one
/// [MQTT-4.7.1-1] [MQTT-4.7.1-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// `TopicFilterInvalid` (0x8F) if it is empty, longer than 65,535 bytes, holds U+0000, or has a wildcard where
    /// none may stand.
    pub fn new(text: &'a str) -> Result<Self, Violation> {
        let invalid = |what| Err(Violation::new(ReasonCode::TopicFilterInvalid, what));
        if text.is_empty() {
            return invalid("a Topic Filter is empty");
        }
        if text.len() > usize::from(u16::MAX) {
            return invalid("a Topic Filter is longer than 65,535 bytes");
        }
        if text.contains('\0') {
            return invalid("a Topic Filter holds U+0000");
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let wild = level.contains(['+', '#']);
            if wild && level.len() > 1 {
                return invalid("a wildcard does not stand alone in its level");
            }
            if level == "#" && levels.peek().is_some() {
                return invalid("# is not the last level");
            }
        }
        Ok(Self(text))
    }

    /// The text, known to be a Topic Filter already: one that [`TopicFilter::new`] took before.
    pub fn trusted(text: &'a str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "not a Topic Filter: {text}");
        Self(text)
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels, in order.
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
    }

    /// Whether it holds `+` or `#`.
    pub fn has_wildcards(self) -> bool {
        self.0.contains(['+', '#'])
    }

    /// Whether `topic` matches, level by level: the definition that faster matchers are held to.
    pub fn matches(self, topic: TopicName<'_>) -> bool {
        if topic.is_dollar() && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
        for level in self.levels() {
            if level == "#" {
                return true;
            }
            match names.next() {
                Some(name) if level == "+" || level == name => {}
                Some(_) | None => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether every topic that `other` matches is matched by `self` too.
    pub fn covers(self, other: TopicFilter<'_>) -> bool {
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        // # matches the level above it too, but there is no empty Topic Name to match.
        let other = match other.0 {
            "#" => "+/#",
            "/#" => "/+/#",
            other => other,
        };
        let mut theirs = other.split('/');
        for level in self.levels() {
            if level == "#" {
                return true;
            }
            match theirs.next() {
                Some(their) if level == their || (level == "+" && their != "#") => {}
                Some(_) | None => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The ShareName of a Shared Subscription: at least one character, no `/`, `+` or `#`
/// [MQTT-4.8.2-1] [MQTT-4.8.2-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShareName<'a>(&'a str);

impl<'a> ShareName<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// `TopicFilterInvalid` (0x8F).
    pub fn new(text: &'a str) -> Result<Self, Violation> {
        if text.is_empty() || text.contains(['/', '+', '#']) {
            let what = "a ShareName is empty or holds a wildcard";
            return Err(Violation::new(ReasonCode::TopicFilterInvalid, what));
        }
        Ok(Self(text))
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// What a SUBSCRIBE asks for: a Topic Filter, perhaps shared (`$share/name/filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionFilter<'a> {
    /// The group, if the subscription is shared.
    pub share: Option<ShareName<'a>>,
    /// The filter proper.
    pub filter: TopicFilter<'a>,
}

impl<'a> SubscriptionFilter<'a> {
    /// Checks `text` as it stood in SUBSCRIBE or UNSUBSCRIBE.
    ///
    /// # Errors
    /// `TopicFilterInvalid` (0x8F), also for `$share` without a name or without a filter.
    pub fn new(text: &'a str) -> Result<Self, Violation> {
        let Some(shared) = text.strip_prefix("$share/") else {
            if text == "$share" {
                let what = "a Shared Subscription has no ShareName";
                return Err(Violation::new(ReasonCode::TopicFilterInvalid, what));
            }
            return Ok(Self { share: None, filter: TopicFilter::new(text)? });
        };
        let Some((name, filter)) = shared.split_once('/') else {
            let what = "a Shared Subscription has no Topic Filter";
            return Err(Violation::new(ReasonCode::TopicFilterInvalid, what));
        };
        Ok(Self { share: Some(ShareName::new(name)?), filter: TopicFilter::new(filter)? })
    }
}
