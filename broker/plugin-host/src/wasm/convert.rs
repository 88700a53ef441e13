//! What components are handed, from what the broker has. Nothing is copied.

use pintle_plugin_api::{
    Action, Credentials, DropReason, Event, HostError, HttpError, Message, Origin, Protocol, QoS,
    Space, StampedEvent, StoreOp, Subscription, Transport, Who,
};

use super::bindings::exports::pintle::plugin::{acl, auth, events, publish};
use super::bindings::pintle::plugin::{http, storage_types, types};

/// A payload above it is not handed over: a component asks for what it wants of it.
pub(super) const INLINE_PAYLOAD_MAX: usize = 8 << 10;

pub(super) const fn qos(qos: QoS) -> types::Qos {
    match qos {
        QoS::AtMostOnce => types::Qos::AtMostOnce,
        QoS::AtLeastOnce => types::Qos::AtLeastOnce,
        QoS::ExactlyOnce => types::Qos::ExactlyOnce,
    }
}

pub(super) const fn protocol(protocol: Protocol) -> types::Protocol {
    match protocol {
        Protocol::Mqtt31 => types::Protocol::Mqtt31,
        Protocol::Mqtt311 => types::Protocol::Mqtt311,
        Protocol::Mqtt5 => types::Protocol::Mqtt5,
    }
}

pub(super) const fn transport(transport: Transport) -> types::Transport {
    match transport {
        Transport::Tcp => types::Transport::Tcp,
        Transport::Tls => types::Transport::Tls,
        Transport::WebSocket => types::Transport::WebSocket,
        Transport::WebSocketTls => types::Transport::WebSocketTls,
        Transport::Internal => types::Transport::Internal,
    }
}

pub(super) const fn origin(origin: Origin) -> publish::Origin {
    match origin {
        Origin::Client => publish::Origin::Client,
        Origin::Will => publish::Origin::Will,
        Origin::Plugin => publish::Origin::Plugin,
        Origin::Admin => publish::Origin::Admin,
    }
}

pub(super) const fn header<'a>(message: &Message<'a>) -> types::Header<'a> {
    types::Header {
        topic: message.topic,
        qos: qos(message.qos),
        retain: message.retain,
        payload_is_utf8: message.payload_is_utf8,
        expiry_secs: message.expiry_secs,
        has_properties: message.content_type.is_some()
            || message.response_topic.is_some()
            || message.correlation_data.is_some()
            || !message.user_properties.is_empty(),
    }
}

/// The payload as an argument, if it is one.
pub(super) fn inline<'a>(message: &Message<'a>, is_wanted: bool) -> Option<&'a [u8]> {
    Some(message.payload).filter(|payload| is_wanted && payload.len() <= INLINE_PAYLOAD_MAX)
}

pub(super) fn subscription(subscription: &Subscription) -> types::SubscriptionParam<'_> {
    types::SubscriptionParam {
        filter: &subscription.filter,
        share_name: subscription.share_name.as_deref(),
        qos: qos(subscription.qos),
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: subscription.retain_handling,
    }
}

pub(super) fn action<'a>(action: &Action<'a>) -> acl::Action<'a> {
    match action {
        Action::Publish(message) => acl::Action::Publish(header(message)),
        Action::Subscribe(asked) => acl::Action::Subscribe(subscription(asked)),
        Action::Receive(message) => acl::Action::Receive(header(message)),
        Action::Will(message) => acl::Action::Will(header(message)),
    }
}

pub(super) fn credentials(credentials: &Credentials) -> auth::Credentials<'_> {
    auth::Credentials {
        username: credentials.username.as_deref(),
        password: credentials.password.as_deref(),
        will_topic: credentials.will_topic.as_deref(),
    }
}

pub(super) fn host_error(error: HostError) -> types::HostError {
    match error {
        HostError::NotGranted(grant) => types::HostError::NotGranted(grant),
        HostError::Quota(bound) => types::HostError::Quota(bound.to_owned()),
        HostError::Invalid(what) => types::HostError::Invalid(what),
    }
}

pub(super) fn http_error(error: HttpError) -> http::HttpError {
    match error {
        HttpError::NotGranted(why) => http::HttpError::NotGranted(why),
        HttpError::Timeout => http::HttpError::Timeout,
        HttpError::TooLarge => http::HttpError::TooLarge,
        HttpError::Failed(why) => http::HttpError::Failed(why),
    }
}

/// The addresses of a batch of events as texts, which the events borrow.
pub(super) fn addresses(batch: &[StampedEvent]) -> Vec<Option<String>> {
    let address = |stamped: &StampedEvent| {
        who_of(&stamped.event).and_then(|who| who.remote_addr).map(|address| address.to_string())
    };
    batch.iter().map(address).collect()
}

pub(super) fn event<'a>(
    stamped: &'a StampedEvent,
    address: Option<&'a str>,
) -> events::StampedEvent<'a> {
    let who = |who: &'a Who| events::Who {
        session_key: who.session_key,
        client_id: &who.client_id,
        principal: who.principal.as_deref(),
        remote_addr: address,
    };
    let with_code = |client, code| events::WhoCode { who: who(client), code };
    let event = match &stamped.event {
        Event::Connected { who: client } => events::Event::Connected(who(client)),
        Event::AuthFailed { who, code } => events::Event::AuthFailed(with_code(who, *code)),
        Event::Disconnected { who, code } => events::Event::Disconnected(with_code(who, *code)),
        Event::ConnectionLost { who: client } => events::Event::ConnectionLost(who(client)),
        Event::SessionCreated { who: client } => events::Event::SessionCreated(who(client)),
        Event::SessionResumed { who: client } => events::Event::SessionResumed(who(client)),
        Event::SessionTakenOver { who: client } => events::Event::SessionTakenOver(who(client)),
        Event::SessionExpired { who: client } => events::Event::SessionExpired(who(client)),
        Event::Subscribed { who: client, subscription: made } => {
            let subscription = subscription(made);
            events::Event::Subscribed(events::WhoSubscription { who: who(client), subscription })
        }
        Event::Unsubscribed { who: client, filter } => {
            events::Event::Unsubscribed(events::WhoFilter { who: who(client), filter })
        }
        Event::Published { who: client, topic, qos: level, payload_len } => {
            events::Event::Published(events::Publication {
                who: client.as_ref().map(who),
                topic,
                qos: qos(*level),
                payload_len: *payload_len as u64,
            })
        }
        Event::Dropped { who: client, topic, reason } => {
            let reason = drop_reason(*reason);
            events::Event::Dropped(events::Dropping { who: who(client), topic, reason })
        }
        Event::RetainedSet { topic } => events::Event::RetainedSet(topic),
        Event::RetainedCleared { topic } => events::Event::RetainedCleared(topic),
        Event::WillSent { who: client, topic } => {
            events::Event::WillSent(events::WhoTopic { who: who(client), topic })
        }
    };
    events::StampedEvent { at_ms: stamped.at_ms, event }
}

const fn drop_reason(reason: DropReason) -> events::DropReason {
    match reason {
        DropReason::QueueFull => events::DropReason::QueueFull,
        DropReason::Expired => events::DropReason::Expired,
        DropReason::TooLarge => events::DropReason::TooLarge,
        DropReason::Unauthorized => events::DropReason::Unauthorized,
        DropReason::Plugin => events::DropReason::Plugin,
        DropReason::SlowConsumer => events::DropReason::SlowConsumer,
    }
}

const fn who_of(event: &Event) -> Option<&Who> {
    match event {
        Event::Connected { who }
        | Event::AuthFailed { who, .. }
        | Event::Disconnected { who, .. }
        | Event::ConnectionLost { who }
        | Event::SessionCreated { who }
        | Event::SessionResumed { who }
        | Event::SessionTakenOver { who }
        | Event::SessionExpired { who }
        | Event::Subscribed { who, .. }
        | Event::Unsubscribed { who, .. }
        | Event::Dropped { who, .. }
        | Event::WillSent { who, .. } => Some(who),
        Event::Published { who, .. } => who.as_ref(),
        Event::RetainedSet { .. } | Event::RetainedCleared { .. } => None,
    }
}

pub(super) const fn space(space: Space) -> storage_types::Space {
    match space {
        Space::Sessions => storage_types::Space::Sessions,
        Space::Subscriptions => storage_types::Space::Subscriptions,
        Space::Messages => storage_types::Space::Messages,
        Space::Queue => storage_types::Space::Queue,
        Space::InFlight => storage_types::Space::InFlight,
        Space::Inbound => storage_types::Space::Inbound,
        Space::Retained => storage_types::Space::Retained,
    }
}

pub(super) fn store_op(op: &StoreOp) -> storage_types::Op<'_> {
    match op {
        StoreOp::Put { space: at, key, value, expires_at_ms } => {
            let expires_at_ms = *expires_at_ms;
            storage_types::Op::Put(storage_types::Put {
                space: space(*at),
                key,
                value,
                expires_at_ms,
            })
        }
        StoreOp::Delete { space: at, key } => {
            storage_types::Op::Delete(storage_types::Place { space: space(*at), key })
        }
    }
}
