use std::collections::BTreeMap;
use std::sync::Arc;

use pintle_mqtt::{ReasonCode, TopicName, Violation};

/// The Topic Aliases that a client has set on its Network Connection.
#[derive(Debug, Default)]
pub(crate) struct TopicAliases {
    topics: BTreeMap<u16, Arc<str>>,
}

impl TopicAliases {
    /// From now on `alias` stands for `topic`, whatever it stood for before.
    pub(crate) fn set(&mut self, alias: u16, topic: TopicName<'_>) {
        let known = self.topics.get(&alias);
        if known.is_none_or(|known| **known != *topic.as_str()) {
            self.topics.insert(alias, Arc::from(topic.as_str()));
        }
    }

    pub(crate) fn get(&self, alias: u16) -> Result<Arc<str>, Violation> {
        let unknown = Violation::protocol_error("a Topic Alias is used before it is set");
        self.topics.get(&alias).cloned().ok_or(unknown)
    }
}

/// 0x94 unless `alias` is one of those that the server announced.
pub(crate) fn check_alias(alias: u16, topic_alias_maximum: u16) -> Result<(), Violation> {
    let invalid = |what| Err(Violation::new(ReasonCode::TopicAliasInvalid, what));
    if alias == 0 {
        return invalid("a Topic Alias is 0");
    }
    if alias > topic_alias_maximum {
        return invalid("a Topic Alias is above the Topic Alias Maximum");
    }
    Ok(())
}

/// The full Topic Name of a PUBLISH, whichever way it was sent.
#[derive(Clone, Debug)]
pub enum ResolvedTopic<'a> {
    /// It stood in the packet.
    Sent(TopicName<'a>),
    /// It stood in an earlier packet, and this one named its Topic Alias.
    Aliased(Arc<str>),
}

impl ResolvedTopic<'_> {
    /// The topic.
    pub fn name(&self) -> TopicName<'_> {
        match self {
            Self::Sent(topic) => *topic,
            Self::Aliased(topic) => TopicName::trusted(topic),
        }
    }

    /// Whether the packet left its topic out.
    pub fn is_aliased(&self) -> bool {
        matches!(self, Self::Aliased(_))
    }
}
