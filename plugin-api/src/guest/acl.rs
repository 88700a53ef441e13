use std::time::Duration;

use super::bindings::exports::pintle::plugin::acl;
use super::bindings::pintle::plugin::answer;
use super::bindings::pintle::plugin::types;
use super::client::CallingClient;
use super::message::with_message;
use super::values::refuse;
use super::{Component, Exported};
use crate::{Action, CacheHint, CacheScope, Client, Decision, Plugin};

impl<E: Exported> acl::Guest for Component<E> {
    fn authorize(client: u64, action: acl::Action) -> acl::Decision {
        let plugin = &E::guest().plugin;
        match asked(client, action, |client, action| plugin.authorize(client, action)) {
            Decision::Next => acl::Decision::Next,
            Decision::Allow(hint) => {
                give(hint);
                acl::Decision::Allow
            }
            Decision::Deny(failure, hint) => {
                refuse(failure);
                give(hint);
                acl::Decision::Deny
            }
            Decision::Disconnect(failure) => {
                refuse(failure);
                acl::Decision::Disconnect
            }
        }
    }

    fn explain(client: u64, action: acl::Action) -> Option<String> {
        let plugin = &E::guest().plugin;
        asked(client, action, |client, action| plugin.explain(client, action))
    }
}

/// Says how long the answer holds, unless that goes without saying.
fn give(hint: CacheHint) {
    if hint != CacheHint::default() {
        answer::hint(&hint.into());
    }
}

/// Lets `ask` see what is asked, and about whom.
fn asked<T>(
    client: u64,
    action: acl::Action,
    ask: impl FnOnce(&dyn Client, &Action<'_>) -> T,
) -> T {
    let client = &CallingClient::new(client);
    match action {
        acl::Action::Publish(header) => {
            with_message(&header, &[], |message| ask(client, &Action::Publish(message)))
        }
        acl::Action::Receive(header) => {
            with_message(&header, &[], |message| ask(client, &Action::Receive(message)))
        }
        acl::Action::Will(header) => {
            with_message(&header, &[], |message| ask(client, &Action::Will(message)))
        }
        acl::Action::Subscribe(subscription) => {
            ask(client, &Action::Subscribe(&subscription.into()))
        }
    }
}

impl From<CacheHint> for types::CacheHint {
    fn from(hint: CacheHint) -> Self {
        Self {
            scope: match hint.scope {
                CacheScope::Session => types::CacheScope::Session,
                CacheScope::Principal => types::CacheScope::Principal,
            },
            ttl_ms: (hint.ttl != Duration::MAX)
                .then(|| u64::try_from(hint.ttl.as_millis()).unwrap_or(u64::MAX)),
            filter: hint.filter,
        }
    }
}
