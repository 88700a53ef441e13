use super::bindings::exports::pintle::plugin::{auth, enhanced_auth};
use super::bindings::pintle::plugin::auth_types;
use super::client::CallingClient;
use super::{Component, Exported, take};
use crate::{
    Accepted, AuthStep, AuthVerdict, Credentials, Failure, Limits, Plugin, Rule, RuleAction,
    RuleEffect,
};

const NOT_AUTHORIZED: u8 = 0x87;

impl<E: Exported> auth::Guest for Component<E> {
    fn authenticate(credentials: auth::Credentials) -> auth::Verdict {
        let credentials = Credentials {
            username: credentials.username,
            password: credentials.password,
            will_topic: credentials.will_topic,
        };
        let client = CallingClient::default();
        match E::guest().plugin.authenticate(&client, &credentials).wait() {
            AuthVerdict::Next => auth::Verdict::Next,
            AuthVerdict::Accept(accepted) => auth::Verdict::Accept(accepted.into()),
            AuthVerdict::Reject(failure) => auth::Verdict::Reject(failure.into()),
        }
    }
}

impl<E: Exported> enhanced_auth::Guest for Component<E> {
    fn begin(exchange: u64, method: String, reauth: bool) -> bool {
        let guest = E::guest();
        let begun = guest.plugin.auth_begin(&CallingClient::default(), &method, reauth);
        let takes_it = begun.is_some();
        if let Some(begun) = begun {
            guest.exchanges().push((exchange, begun));
        }
        takes_it
    }

    fn step(exchange: u64, data: Option<Vec<u8>>) -> enhanced_auth::AuthStep {
        let guest = E::guest();
        // Taken out, so that nothing is locked while the plugin works.
        let Some(mut running) = take(&mut guest.exchanges(), exchange) else {
            let failure = Failure::new(NOT_AUTHORIZED, "the exchange is over");
            return enhanced_auth::AuthStep::Reject(failure.into());
        };
        match running.step(data.as_deref()) {
            AuthStep::Challenge(data) => {
                guest.exchanges().push((exchange, running));
                enhanced_auth::AuthStep::Challenge(data)
            }
            AuthStep::Accept(accepted, data) => {
                let accepted = (*accepted).into();
                enhanced_auth::AuthStep::Accept(enhanced_auth::Acceptance { accepted, data })
            }
            AuthStep::Reject(failure) => enhanced_auth::AuthStep::Reject(failure.into()),
        }
    }

    fn end(exchange: u64) {
        take(&mut E::guest().exchanges(), exchange);
    }
}

impl From<Accepted> for auth_types::Accepted {
    fn from(accepted: Accepted) -> Self {
        Self {
            principal: accepted.principal,
            rules: accepted.rules.into_iter().map(Into::into).collect(),
            limits: accepted.limits.into(),
            connack_user_properties: accepted.connack_user_properties,
        }
    }
}

impl From<Limits> for auth_types::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            packet_bytes_max: limits.packet_bytes_max,
            receive_maximum: limits.receive_maximum,
            max_qos: limits.max_qos.map(Into::into),
            subscriptions_max: limits.subscriptions_max,
            queue_messages_max: limits.queue_messages_max,
            session_expiry_secs_max: limits.session_expiry_secs_max,
        }
    }
}

impl From<Rule> for auth_types::Rule {
    fn from(rule: Rule) -> Self {
        Self {
            effect: match rule.effect {
                RuleEffect::Allow => auth_types::RuleEffect::Allow,
                RuleEffect::Deny => auth_types::RuleEffect::Deny,
                RuleEffect::Ask => auth_types::RuleEffect::Ask,
            },
            action: match rule.action {
                RuleAction::Publish => auth_types::RuleAction::Publish,
                RuleAction::Subscribe => auth_types::RuleAction::Subscribe,
                RuleAction::Receive => auth_types::RuleAction::Receive,
                RuleAction::All => auth_types::RuleAction::All,
            },
            filter: rule.filter,
            max_qos: rule.max_qos.map(Into::into),
            allow_retain: rule.allow_retain,
        }
    }
}
