//! What the broker understands, from what components answer.

use std::borrow::Cow;
use std::time::Duration;

use pintle_plugin_api::{
    Accepted, AuthStep, AuthVerdict, CacheHint, CacheScope, Failure, Limits, MessagePatch,
    NewMessage, QoS, Rule, RuleAction, RuleEffect, StoreEntry, StoreError, SubscribeVerdict,
    Subscription,
};

use super::bindings::exports::pintle::plugin::{auth, enhanced_auth, subscribe};
use super::bindings::pintle::plugin::{auth_types, storage_types, types};
use crate::fault::{ErrorKind, Fault};
use crate::guests::{FILTER_BYTES_MAX, RULES_MAX};

const fn qos(qos: types::Qos) -> QoS {
    match qos {
        types::Qos::AtMostOnce => QoS::AtMostOnce,
        types::Qos::AtLeastOnce => QoS::AtLeastOnce,
        types::Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(super) fn failure(failure: types::Failure) -> Failure {
    Failure { code: failure.code, message: failure.message.map(Cow::Owned) }
}

pub(super) fn patch(patch: types::MessagePatch) -> MessagePatch {
    MessagePatch {
        topic: patch.topic,
        payload: patch.payload,
        qos: patch.qos.map(qos),
        retain: patch.retain,
        expiry_secs: patch.expiry_secs,
        content_type: patch.content_type,
        response_topic: patch.response_topic,
        correlation_data: patch.correlation_data,
        user_properties: patch.user_properties,
    }
}

pub(super) fn new_message(message: types::NewMessage) -> NewMessage {
    NewMessage {
        topic: message.topic,
        payload: message.payload,
        qos: qos(message.qos),
        retain: message.retain,
        expiry_secs: message.expiry_secs,
        content_type: message.content_type,
        response_topic: message.response_topic,
        correlation_data: message.correlation_data,
        user_properties: message.user_properties,
    }
}

pub(super) fn subscription(made: types::SubscriptionResult) -> Subscription {
    Subscription {
        filter: made.filter,
        share_name: made.share_name,
        qos: qos(made.qos),
        no_local: made.no_local,
        retain_as_published: made.retain_as_published,
        retain_handling: made.retain_handling,
    }
}

pub(super) fn cache_hint(hint: types::CacheHint) -> CacheHint {
    CacheHint {
        scope: match hint.scope {
            types::CacheScope::Session => CacheScope::Session,
            types::CacheScope::Principal => CacheScope::Principal,
        },
        ttl: hint.ttl_ms.map_or(Duration::MAX, Duration::from_millis),
        filter: hint.filter,
    }
}

pub(super) fn subscribe_verdict(verdict: subscribe::Verdict) -> SubscribeVerdict {
    match verdict {
        subscribe::Verdict::Pass => SubscribeVerdict::Pass,
        subscribe::Verdict::Rewrite(changed) => SubscribeVerdict::Rewrite(subscription(changed)),
        subscribe::Verdict::Reject(why) => SubscribeVerdict::Reject(failure(why)),
    }
}

pub(super) fn auth_verdict(verdict: auth::Verdict) -> Result<AuthVerdict, Fault> {
    Ok(match verdict {
        auth::Verdict::Next => AuthVerdict::Next,
        auth::Verdict::Accept(terms) => AuthVerdict::Accept(accepted(terms)?),
        auth::Verdict::Reject(why) => AuthVerdict::Reject(failure(why)),
    })
}

pub(super) fn auth_step(step: enhanced_auth::AuthStep) -> Result<AuthStep, Fault> {
    Ok(match step {
        enhanced_auth::AuthStep::Challenge(data) => AuthStep::Challenge(data),
        enhanced_auth::AuthStep::Accept(acceptance) => {
            AuthStep::Accept(Box::new(accepted(acceptance.accepted)?), acceptance.data)
        }
        enhanced_auth::AuthStep::Reject(why) => AuthStep::Reject(failure(why)),
    })
}

/// # Errors
/// If there is too much of it.
fn accepted(terms: auth_types::Accepted) -> Result<Accepted, Fault> {
    if terms.rules.len() > RULES_MAX {
        let what = format!("{} rules, and {RULES_MAX} are allowed", terms.rules.len());
        return Err(Fault::new(ErrorKind::Bound, what));
    }
    if let Some(rule) = terms.rules.iter().find(|rule| rule.filter.len() > FILTER_BYTES_MAX) {
        let what = format!("a rule's filter has {} bytes", rule.filter.len());
        return Err(Fault::new(ErrorKind::Bound, what));
    }
    Ok(Accepted {
        principal: terms.principal,
        rules: terms.rules.into_iter().map(rule).collect(),
        limits: Limits {
            packet_bytes_max: terms.limits.packet_bytes_max,
            receive_maximum: terms.limits.receive_maximum,
            max_qos: terms.limits.max_qos.map(qos),
            subscriptions_max: terms.limits.subscriptions_max,
            queue_messages_max: terms.limits.queue_messages_max,
            session_expiry_secs_max: terms.limits.session_expiry_secs_max,
        },
        connack_user_properties: terms.connack_user_properties,
    })
}

fn rule(rule: auth_types::Rule) -> Rule {
    Rule {
        effect: match rule.effect {
            auth_types::RuleEffect::Allow => RuleEffect::Allow,
            auth_types::RuleEffect::Deny => RuleEffect::Deny,
            auth_types::RuleEffect::Ask => RuleEffect::Ask,
        },
        action: match rule.action {
            auth_types::RuleAction::Publish => RuleAction::Publish,
            auth_types::RuleAction::Subscribe => RuleAction::Subscribe,
            auth_types::RuleAction::Receive => RuleAction::Receive,
            auth_types::RuleAction::All => RuleAction::All,
        },
        filter: rule.filter,
        max_qos: rule.max_qos.map(qos),
        allow_retain: rule.allow_retain,
    }
}

pub(super) fn store_entry(entry: storage_types::Entry) -> StoreEntry {
    StoreEntry { key: entry.key, value: entry.value }
}

pub(super) fn store_error(error: storage_types::StoreError) -> StoreError {
    match error {
        storage_types::StoreError::Busy => StoreError::Busy,
        storage_types::StoreError::Full => StoreError::Full,
        storage_types::StoreError::Corrupt(what) => StoreError::Corrupt(what),
        storage_types::StoreError::Unavailable(what) => StoreError::Unavailable(what),
    }
}
