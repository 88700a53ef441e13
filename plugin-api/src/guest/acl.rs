use std::time::Duration;

use super::bindings::exports::pintle::plugin::acl;
use super::bindings::pintle::plugin::types::Header;
use super::client::CallingClient;
use super::message::with_message;
use super::{Component, Exported};
use crate::{Action, CacheHint, CacheScope, Client, Decision, Message, Plugin};

impl<E: Exported> acl::Guest for Component<E> {
    fn authorize(action: acl::Action) -> acl::Decision {
        let plugin = &E::guest().plugin;
        match asked(action, |client, action| plugin.authorize(client, action)) {
            Decision::Next => acl::Decision::Next,
            Decision::Allow(hint) => acl::Decision::Allow(hint.into()),
            Decision::Deny(failure, hint) => {
                acl::Decision::Deny(acl::Denial { failure: failure.into(), cache: hint.into() })
            }
            Decision::Disconnect(failure) => acl::Decision::Disconnect(failure.into()),
        }
    }

    fn explain(action: acl::Action) -> Option<String> {
        let plugin = &E::guest().plugin;
        asked(action, |client, action| plugin.explain(client, action))
    }
}

/// Lets `ask` see what is asked, and about whom.
fn asked<T>(action: acl::Action, ask: impl FnOnce(&dyn Client, &Action<'_>) -> T) -> T {
    match action {
        acl::Action::Publish(header) => about(&header, |message| Action::Publish(message), ask),
        acl::Action::Receive(header) => about(&header, |message| Action::Receive(message), ask),
        acl::Action::Will(header) => about(&header, |message| Action::Will(message), ask),
        acl::Action::Subscribe(subscription) => {
            ask(&CallingClient::default(), &Action::Subscribe(&subscription.into()))
        }
    }
}

fn about<T>(
    header: &Header,
    action: for<'a> fn(&'a Message<'a>) -> Action<'a>,
    ask: impl FnOnce(&dyn Client, &Action<'_>) -> T,
) -> T {
    with_message(header, &[], |message| ask(&CallingClient::default(), &action(message)))
}

impl From<CacheHint> for acl::CacheHint {
    fn from(hint: CacheHint) -> Self {
        Self {
            scope: match hint.scope {
                CacheScope::Session => acl::CacheScope::Session,
                CacheScope::Principal => acl::CacheScope::Principal,
            },
            ttl_ms: (hint.ttl != Duration::MAX)
                .then(|| u64::try_from(hint.ttl.as_millis()).unwrap_or(u64::MAX)),
            filter: hint.filter,
        }
    }
}
