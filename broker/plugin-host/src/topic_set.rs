use pintle_mqtt::{TopicFilter, TopicName};

/// A few Topic Filters, checked when made.
#[derive(Debug)]
pub(crate) struct TopicSet {
    filters: Box<[PrefixedFilter]>,
}

/// A Topic Filter that tells most topics that do not match from the text before its first wildcard.
#[derive(Debug)]
pub(crate) struct PrefixedFilter {
    text: Box<str>,
    /// Length of what every match begins with.
    prefix_len: usize,
}

impl TopicSet {
    /// # Errors
    /// The first filter that is none, and what is wrong with it.
    pub(crate) fn new(filters: &[String]) -> Result<Self, (String, &'static str)> {
        let check = |text: &String| PrefixedFilter::new(text).map_err(|why| (text.clone(), why));
        let filters = filters.iter().map(check).collect::<Result<_, _>>()?;
        Ok(Self { filters })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub(crate) fn matches(&self, topic: TopicName<'_>) -> bool {
        self.filters.iter().any(|filter| filter.matches(topic))
    }
}

impl PrefixedFilter {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        TopicFilter::new(text).map_err(|violation| violation.what)?;
        let prefix = match text.find(['+', '#']) {
            None => text,
            Some(wild) => {
                let prefix = text.get(..wild).unwrap_or_default();
                let is_multi = text.get(wild..) == Some("#");
                // `a/#` matches `a` too.
                prefix.strip_suffix('/').filter(|_| is_multi).unwrap_or(prefix)
            }
        };
        Ok(Self { prefix_len: prefix.len(), text: text.into() })
    }

    pub(crate) fn as_filter(&self) -> TopicFilter<'_> {
        TopicFilter::trusted(&self.text)
    }

    /// The same as [`TopicFilter::matches`], without looking for separators first.
    pub(crate) fn matches(&self, topic: TopicName<'_>) -> bool {
        let (filter, name) = (self.text.as_bytes(), topic.as_str().as_bytes());
        let starts_wild = self.prefix_len == 0;
        if starts_wild && topic.is_dollar() {
            return false;
        }
        match (filter.split_at_checked(self.prefix_len), name.split_at_checked(self.prefix_len)) {
            (Some((prefix, wild)), Some((start, rest))) => {
                prefix == start && matches_from(wild, rest)
            }
            (None, _) | (_, None) => false,
        }
    }

    pub(crate) fn covers(&self, other: TopicFilter<'_>) -> bool {
        self.has_prefix_of(other.as_str()) && self.as_filter().covers(other)
    }

    fn has_prefix_of(&self, other: &str) -> bool {
        let prefix = self.text.as_bytes().get(..self.prefix_len);
        prefix.is_some_and(|prefix| other.as_bytes().starts_with(prefix))
    }
}

fn matches_from(mut filter: &[u8], mut name: &[u8]) -> bool {
    loop {
        match (filter, name) {
            ([], []) | ([b'#'], _) | ([b'/', b'#'], []) => return true,
            ([b'+', filter_rest @ ..], _) => {
                let level = name.iter().position(|byte| *byte == b'/');
                name = name.get(level.unwrap_or(name.len())..).unwrap_or_default();
                filter = filter_rest;
            }
            ([wanted, filter_rest @ ..], [found, name_rest @ ..]) if wanted == found => {
                filter = filter_rest;
                name = name_rest;
            }
            _ => return false,
        }
    }
}
