use std::collections::HashMap;

use crate::acl_line::{Access, AclLine, Grant};
use crate::topic_pattern::{Names, TopicPattern};

/// The rules of an ACL file.
#[derive(Debug, Default)]
pub(crate) struct Acl {
    anonymous: Rules,
    users: HashMap<String, Rules>,
    patterns: Rules,
}

/// Lines in the order in which they are asked.
#[derive(Debug, Default)]
struct Rules {
    denies: Vec<Rule>,
    grants: Vec<Rule>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    /// Counted from 1.
    pub(crate) line: u32,
    /// The line as it is in the file.
    pub(crate) text: Box<str>,
    grant: Grant,
    pattern: TopicPattern,
}

/// What the rules say, and which of them.
#[derive(Debug)]
pub(crate) enum Finding<'a> {
    Allowed(&'a Rule),
    Denied(&'a Rule),
    /// Publishing below `$SYS` is the broker's.
    SysWrite,
    /// The client's names hold wildcards and there are patterns.
    WildcardInName,
    NoRule,
}

impl Acl {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first line that can not be read, counted from 1, and why.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, (u32, String)> {
        let mut acl = Self::default();
        let mut user: Option<String> = None;
        for (line, raw) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            match AclLine::parse(raw).map_err(|reason| (line, reason))? {
                AclLine::Nothing => {}
                AclLine::User(name) => user = Some(name.to_owned()),
                AclLine::Topic(grant, pattern) => {
                    let rules = match &user {
                        Some(name) => acl.users.entry(name.clone()).or_default(),
                        None => &mut acl.anonymous,
                    };
                    rules.push(Rule::new(line, raw, grant, pattern));
                }
                AclLine::Pattern(grant, pattern) => {
                    acl.patterns.push(Rule::new(line, raw, grant, pattern));
                }
            }
        }
        Ok(acl)
    }

    /// Patterns that stand for nobody's name, which is rarely meant.
    pub(crate) fn patterns_without_names(&self) -> impl Iterator<Item = &Rule> {
        self.patterns.iter().filter(|rule| !rule.pattern.uses_names())
    }

    pub(crate) fn decide(&self, names: Names<'_>, access: Access, topic: &str) -> Finding<'_> {
        if access == Access::Write && topic.starts_with("$SYS") && !is_bridge_state(topic) {
            return Finding::SysWrite;
        }
        let own = match names.user {
            Some(user) => self.users.get(user),
            None => Some(&self.anonymous),
        };
        if let Some(finding) = own.and_then(|rules| rules.decide(names, access, topic)) {
            return finding;
        }
        if self.patterns.is_empty() {
            return Finding::NoRule;
        }
        if names.hold_wildcards() {
            return Finding::WildcardInName;
        }
        self.patterns.decide(names, access, topic).unwrap_or(Finding::NoRule)
    }
}

impl Rules {
    fn push(&mut self, rule: Rule) {
        match rule.grant {
            Grant::Deny => self.denies.push(rule),
            Grant::Read | Grant::Write | Grant::ReadWrite => self.grants.push(rule),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.denies.iter().chain(&self.grants)
    }

    fn is_empty(&self) -> bool {
        self.denies.is_empty() && self.grants.is_empty()
    }

    fn decide(&self, names: Names<'_>, access: Access, topic: &str) -> Option<Finding<'_>> {
        let matches = |rule: &&Rule| rule.pattern.matches(topic, names);
        if let Some(rule) = self.denies.iter().find(matches) {
            return Some(Finding::Denied(rule));
        }
        let mut grants = self.grants.iter().filter(|rule| rule.grant.allows(access));
        grants.find(matches).map(Finding::Allowed)
    }
}

impl Rule {
    fn new(line: u32, raw: &[u8], grant: Grant, pattern: TopicPattern) -> Self {
        let text = String::from_utf8_lossy(raw.trim_ascii()).into();
        Self { line, text, grant, pattern }
    }
}

/// Whether a topic matches `$SYS/broker/connection/+/state`, which bridges publish.
fn is_bridge_state(topic: &str) -> bool {
    topic
        .strip_prefix("$SYS/broker/connection/")
        .and_then(|rest| rest.strip_suffix("/state"))
        .is_some_and(|name| !name.contains('/'))
}
