use std::any::Any;
use std::fmt;
use std::sync::Arc;

use pintle_mqtt::{Publish, QoS};
use pintle_plugin_api::{Rule, RuleAction, RuleEffect};
use pintle_ports::{Action, Identity, SubscriptionRequest, Voter};

use crate::fault::Fault;
use crate::message_view::from_api_qos;
use crate::topic_set::PrefixedFilter;

/// The rules that `authenticate` returned for one client, ready to be matched.
#[derive(Debug)]
pub(crate) struct RuleSet {
    plugin: Arc<str>,
    rules: Box<[CompiledRule]>,
}

/// A [`Rule`] with its `%c` and `%u` filled in.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// Its place in the list that the plugin returned, from 1.
    number: usize,
    pub(crate) effect: RuleEffect,
    action: RuleAction,
    filter: PrefixedFilter,
    max_qos: Option<QoS>,
    allow_retain: Option<bool>,
}

impl Voter for RuleSet {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl RuleSet {
    /// Compiles what `plugin` returned for `who`.
    ///
    /// # Errors
    /// If a filter is not a Topic Filter.
    pub(crate) fn compile(
        plugin: &Arc<str>,
        rules: &[Rule],
        who: &Identity,
    ) -> Result<Self, Fault> {
        let mut compiled = Vec::with_capacity(rules.len());
        for (at, rule) in rules.iter().enumerate() {
            check_filter(&rule.filter)?;
            let Some(filter) = filled_in(&rule.filter, who) else {
                continue;
            };
            compiled.push(CompiledRule {
                number: at + 1,
                effect: rule.effect,
                action: rule.action,
                filter: check_filter(&filter)?,
                max_qos: rule.max_qos.map(from_api_qos),
                allow_retain: rule.allow_retain,
            });
        }
        Ok(Self { plugin: Arc::clone(plugin), rules: compiled.into_boxed_slice() })
    }

    /// Name of the plugin that the rules are from.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The first rule that matches.
    pub(crate) fn decide(&self, action: Action<'_>) -> Option<&CompiledRule> {
        match action {
            Action::Publish(publish) | Action::Will(publish) => {
                self.first(|rule| rule.matches(RuleAction::Publish, publish))
            }
            Action::Receive(publish) => {
                self.first(|rule| rule.matches(RuleAction::Receive, publish))
            }
            Action::Subscribe(request) => self.first(|rule| rule.covers(request)),
        }
    }

    fn first(&self, matches: impl Fn(&CompiledRule) -> bool) -> Option<&CompiledRule> {
        self.rules.iter().find(|rule| matches(rule))
    }
}

impl CompiledRule {
    fn matches(&self, action: RuleAction, publish: &Publish<'_>) -> bool {
        let is_about = self.action == RuleAction::All || self.action == action;
        is_about
            && publish.topic.is_some_and(|topic| self.filter.matches(topic))
            && self.max_qos.is_none_or(|max| publish.flags.qos <= max)
            && !(publish.flags.retain && self.allow_retain == Some(false))
    }

    fn covers(&self, request: &SubscriptionRequest) -> bool {
        let is_about = matches!(self.action, RuleAction::All | RuleAction::Subscribe);
        let asked = pintle_mqtt::TopicFilter::new(&request.filter);
        is_about
            && asked.is_ok_and(|asked| self.filter.covers(asked))
            && self.max_qos.is_none_or(|max| request.qos <= max)
    }
}

impl fmt::Display for CompiledRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            RuleEffect::Allow => "allow",
            RuleEffect::Deny => "deny",
            RuleEffect::Ask => "ask",
        };
        let action = match self.action {
            RuleAction::Publish => "publish",
            RuleAction::Subscribe => "subscribe",
            RuleAction::Receive => "receive",
            RuleAction::All => "all",
        };
        let (number, filter) = (self.number, self.filter.as_filter());
        write!(f, "rule {number} of the session: {effect} {action} {filter}")
    }
}

fn check_filter(filter: &str) -> Result<PrefixedFilter, Fault> {
    PrefixedFilter::new(filter)
        .map_err(|why| Fault::invalid(format!("the filter `{filter}` of a rule: {why}")))
}

/// `filter` with the values of `%c` and `%u`; `None` if it can match no topic, because there is no
/// such value, or because it is not exactly one level. A value never brings in a wildcard or `$`.
fn filled_in(filter: &str, who: &Identity) -> Option<String> {
    let mut filled = String::with_capacity(filter.len() + 16);
    for (depth, level) in filter.split('/').enumerate() {
        if depth > 0 {
            filled.push('/');
        }
        let value = match level {
            "%c" => &*who.client_id,
            "%u" => who.username.as_deref()?,
            literal => {
                filled.push_str(literal);
                continue;
            }
        };
        let opens_dollar = depth == 0 && value.starts_with('$');
        if value.is_empty() || opens_dollar || value.contains(['/', '+', '#', '\0']) {
            return None;
        }
        filled.push_str(value);
    }
    Some(filled)
}
