use pintle_mqtt::{Property, Publish, QoS};
use pintle_plugin_api as api;
use pintle_ports::{Action, SubscriptionRequest};
use smallvec::SmallVec;

use crate::fault::Fault;

/// Lets `ask` see `publish` as plugins do; `None` without a Topic Name, which the engine never leaves
/// out. Copies nothing but the places of User Properties.
#[inline]
pub(crate) fn as_api_message<T>(
    publish: &Publish<'_>,
    ask: impl FnOnce(&api::Message<'_>) -> T,
) -> Option<T> {
    with_payload(publish, publish.payload, ask)
}

/// What a PUBLISH without a Topic Name comes to.
pub(crate) fn no_topic<T>() -> Result<T, Fault> {
    Err(Fault::invalid("a message without a topic"))
}

#[inline]
fn with_payload<T>(
    publish: &Publish<'_>,
    payload: &[u8],
    ask: impl FnOnce(&api::Message<'_>) -> T,
) -> Option<T> {
    let mut message = api::Message {
        qos: to_api_qos(publish.flags.qos),
        retain: publish.flags.retain,
        ..api::Message::new(publish.topic?.as_str(), payload)
    };
    if publish.properties.is_empty() {
        return Some(ask(&message));
    }
    let mut user_properties: SmallVec<[(&str, &str); 4]> = SmallVec::new();
    for property in publish.properties.iter() {
        match property {
            Property::PayloadFormatIndicator(is_utf8) => message.payload_is_utf8 = is_utf8,
            Property::MessageExpiryInterval(secs) => message.expiry_secs = Some(secs),
            Property::ContentType(text) => message.content_type = Some(text),
            Property::ResponseTopic(text) => message.response_topic = Some(text),
            Property::CorrelationData(data) => message.correlation_data = Some(data),
            Property::UserProperty(pair) => user_properties.push(pair),
            _ => {}
        }
    }
    message.user_properties = &user_properties;
    Some(ask(&message))
}

/// Lets `ask` see `action` as plugins do, without payload; `None` if a PUBLISH has no Topic Name.
#[inline]
pub(crate) fn as_api_action<T>(
    action: Action<'_>,
    ask: impl FnOnce(&api::Action<'_>) -> T,
) -> Option<T> {
    let none: &[u8] = &[];
    match action {
        Action::Publish(publish) => {
            with_payload(publish, none, |message| ask(&api::Action::Publish(message)))
        }
        Action::Receive(publish) => {
            with_payload(publish, none, |message| ask(&api::Action::Receive(message)))
        }
        Action::Will(publish) => {
            with_payload(publish, none, |message| ask(&api::Action::Will(message)))
        }
        Action::Subscribe(request) => Some(ask(&api::Action::Subscribe(&to_api(request)))),
    }
}

pub(crate) fn to_api(request: &SubscriptionRequest) -> api::Subscription {
    api::Subscription {
        filter: request.filter.clone(),
        share_name: request.share_name.clone(),
        qos: to_api_qos(request.qos),
        no_local: request.no_local,
        retain_as_published: request.retain_as_published,
        retain_handling: request.retain_handling,
    }
}

pub(crate) fn from_api(subscription: api::Subscription) -> SubscriptionRequest {
    SubscriptionRequest {
        filter: subscription.filter,
        share_name: subscription.share_name,
        qos: from_api_qos(subscription.qos),
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: subscription.retain_handling,
    }
}

pub(crate) fn to_api_qos(qos: QoS) -> api::QoS {
    match qos {
        QoS::AtMostOnce => api::QoS::AtMostOnce,
        QoS::AtLeastOnce => api::QoS::AtLeastOnce,
        QoS::ExactlyOnce => api::QoS::ExactlyOnce,
    }
}

pub(crate) fn from_api_qos(qos: api::QoS) -> QoS {
    match qos {
        api::QoS::AtMostOnce => QoS::AtMostOnce,
        api::QoS::AtLeastOnce => QoS::AtLeastOnce,
        api::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}
