use pintle_plugin_api::{
    Accepted, AuthVerdict, Decision, DeliverVerdict, Failure, MessagePatch, NewMessage,
    PublishOutcome, Rule, RuleAction, RuleEffect, SubscribeVerdict, Subscription,
};

use crate::fault::Fault;
use crate::made_message::made;
use crate::refusal_code::Carrier;

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) verdict: &'static str,
    pub(super) code: Option<u8>,
    pub(super) message: Option<String>,
    /// The message as it goes on.
    pub(super) goes_on: Option<NewMessage>,
    pub(super) principal: Option<String>,
    pub(super) rules: Vec<String>,
    pub(super) filter: Option<String>,
    pub(super) cohort: Option<String>,
    pub(super) challenges: Vec<Vec<u8>>,
    pub(super) answer: Option<String>,
    pub(super) error: Option<String>,
}

/// Larger messages are refused by any broker.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

impl Observed {
    pub(super) fn of(verdict: &'static str) -> Self {
        Self { verdict, ..Self::default() }
    }

    pub(super) fn failed(fault: &Fault) -> Self {
        Self { error: Some(format!("{fault} ({})", fault.kind.name())), ..Self::of("error") }
    }

    fn refused(verdict: &'static str, failure: &Failure, carrier: Carrier) -> Result<Self, Fault> {
        carrier.check(failure)?;
        let message = failure.message.as_ref().map(ToString::to_string);
        Ok(Self { code: Some(failure.code), message, ..Self::of(verdict) })
    }

    pub(super) fn of_auth(verdict: AuthVerdict, user: Option<&str>) -> Result<Self, Fault> {
        match verdict {
            AuthVerdict::Next => Ok(Self::of("next")),
            AuthVerdict::Accept(accepted) => Ok(Self::accepted(accepted, user)),
            AuthVerdict::Reject(failure) => Self::refused("reject", &failure, Carrier::ConnAck),
        }
    }

    pub(super) fn accepted(accepted: Accepted, user: Option<&str>) -> Self {
        let rules = accepted.rules.iter().map(rule_text).collect();
        let principal = accepted.principal.or_else(|| user.map(str::to_owned));
        Self { principal, rules, ..Self::of("accept") }
    }

    pub(super) fn rejected(failure: &Failure) -> Result<Self, Fault> {
        Self::refused("reject", failure, Carrier::ConnAck)
    }

    pub(super) fn of_publish(outcome: PublishOutcome, sent: &NewMessage) -> Result<Self, Fault> {
        match outcome {
            PublishOutcome::Pass => Ok(Self::going_on("pass", sent.clone())),
            PublishOutcome::Rewrite(patch) => Self::rewritten(sent, patch),
            PublishOutcome::Drop => Ok(Self::of("drop")),
            PublishOutcome::Reject(failure) => Self::refused("reject", &failure, Carrier::PubAck),
        }
    }

    pub(super) fn of_deliver(verdict: DeliverVerdict, sent: &NewMessage) -> Result<Self, Fault> {
        match verdict {
            DeliverVerdict::Pass => Ok(Self::going_on("pass", sent.clone())),
            DeliverVerdict::Rewrite(patch) => {
                if patch.topic.is_some() || patch.qos.is_some() || patch.retain.is_some() {
                    let what = "on_deliver can not change topic, QoS or RETAIN";
                    return Err(Fault::invalid(what));
                }
                Self::rewritten(sent, patch)
            }
            DeliverVerdict::Drop => Ok(Self::of("drop")),
        }
    }

    fn rewritten(sent: &NewMessage, patch: MessagePatch) -> Result<Self, Fault> {
        let changed = patched(sent.clone(), patch);
        made(&changed, MESSAGE_BYTES_MAX)?;
        Ok(Self::going_on("rewrite", changed))
    }

    fn going_on(verdict: &'static str, message: NewMessage) -> Self {
        Self { goes_on: Some(message), ..Self::of(verdict) }
    }

    pub(super) fn of_subscribe(
        verdict: SubscribeVerdict,
        asked: &Subscription,
    ) -> Result<Self, Fault> {
        match verdict {
            SubscribeVerdict::Pass => {
                Ok(Self { filter: Some(filter_text(asked)), ..Self::of("pass") })
            }
            SubscribeVerdict::Rewrite(changed) => {
                Ok(Self { filter: Some(filter_text(&changed)), ..Self::of("rewrite") })
            }
            SubscribeVerdict::Reject(failure) => Self::refused("reject", &failure, Carrier::SubAck),
        }
    }

    pub(super) fn of_decision(decision: Decision, carrier: Carrier) -> Result<Self, Fault> {
        match decision {
            Decision::Next => Ok(Self::of("next")),
            Decision::Allow(_) => Ok(Self::of("allow")),
            Decision::Deny(failure, _) => Self::refused("deny", &failure, carrier),
            Decision::Disconnect(failure) => {
                Self::refused("disconnect", &failure, Carrier::Disconnect)
            }
        }
    }
}

/// As the client would write it, share prefix included.
fn filter_text(subscription: &Subscription) -> String {
    match &subscription.share_name {
        Some(name) => format!("$share/{name}/{}", subscription.filter),
        None => subscription.filter.clone(),
    }
}

fn rule_text(rule: &Rule) -> String {
    let effect = match rule.effect {
        RuleEffect::Allow => "allow",
        RuleEffect::Deny => "deny",
        RuleEffect::Ask => "ask",
    };
    let action = match rule.action {
        RuleAction::Publish => "publish",
        RuleAction::Subscribe => "subscribe",
        RuleAction::Receive => "receive",
        RuleAction::All => "all",
    };
    format!("{effect} {action} {}", rule.filter)
}

fn patched(message: NewMessage, patch: MessagePatch) -> NewMessage {
    NewMessage {
        topic: patch.topic.unwrap_or(message.topic),
        payload: patch.payload.unwrap_or(message.payload),
        qos: patch.qos.unwrap_or(message.qos),
        retain: patch.retain.unwrap_or(message.retain),
        expiry_secs: patch.expiry_secs.unwrap_or(message.expiry_secs),
        content_type: patch.content_type.unwrap_or(message.content_type),
        response_topic: patch.response_topic.unwrap_or(message.response_topic),
        correlation_data: patch.correlation_data.unwrap_or(message.correlation_data),
        user_properties: patch.user_properties.unwrap_or(message.user_properties),
    }
}
