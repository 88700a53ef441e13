//! Values that several interfaces share, from WIT and to it.

use std::sync::{Mutex, PoisonError};

use super::bindings::pintle::plugin::{answer, types as wit};
use crate::{Failure, HostError, MessagePatch, NewMessage, QoS, Subscription};

/// How many names of bounds are told apart.
const BOUNDS_MAX: usize = 64;

impl From<wit::Qos> for QoS {
    fn from(qos: wit::Qos) -> Self {
        match qos {
            wit::Qos::AtMostOnce => Self::AtMostOnce,
            wit::Qos::AtLeastOnce => Self::AtLeastOnce,
            wit::Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<QoS> for wit::Qos {
    fn from(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::AtMostOnce,
            QoS::AtLeastOnce => Self::AtLeastOnce,
            QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

/// What a refusal is without further words.
const NOT_AUTHORIZED: u8 = 0x87;

/// Says why, unless that goes without saying.
pub(super) fn refuse(failure: Failure) {
    if failure.code != NOT_AUTHORIZED || failure.message.is_some() {
        answer::refuse(&failure.into());
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message.map(Into::into) }
    }
}

impl From<MessagePatch> for wit::MessagePatch {
    fn from(patch: MessagePatch) -> Self {
        Self {
            topic: patch.topic,
            payload: patch.payload,
            qos: patch.qos.map(Into::into),
            retain: patch.retain,
            expiry_secs: patch.expiry_secs,
            content_type: patch.content_type,
            response_topic: patch.response_topic,
            correlation_data: patch.correlation_data,
            user_properties: patch.user_properties,
        }
    }
}

impl From<NewMessage> for wit::NewMessage {
    fn from(message: NewMessage) -> Self {
        Self {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos.into(),
            retain: message.retain,
            expiry_secs: message.expiry_secs,
            content_type: message.content_type,
            response_topic: message.response_topic,
            correlation_data: message.correlation_data,
            user_properties: message.user_properties,
        }
    }
}

impl From<wit::Subscription> for Subscription {
    fn from(subscription: wit::Subscription) -> Self {
        Self {
            filter: subscription.filter,
            share_name: subscription.share_name,
            qos: subscription.qos.into(),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: subscription.retain_handling,
        }
    }
}

impl From<Subscription> for wit::Subscription {
    fn from(subscription: Subscription) -> Self {
        Self {
            filter: subscription.filter,
            share_name: subscription.share_name,
            qos: subscription.qos.into(),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: subscription.retain_handling,
        }
    }
}

impl From<wit::HostError> for HostError {
    fn from(error: wit::HostError) -> Self {
        match error {
            wit::HostError::NotGranted(grant) => Self::NotGranted(grant),
            wit::HostError::Quota(bound) => Self::Quota(bound_name(bound)),
            wit::HostError::Invalid(what) => Self::Invalid(what),
        }
    }
}

/// Keeps the name of a bound for good: the broker has but a few.
fn bound_name(name: String) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.iter().find(|known| **known == name) {
        return known;
    }
    if known.len() == BOUNDS_MAX {
        return "of something";
    }
    let name: &'static str = name.leak();
    known.push(name);
    name
}
