use super::bindings::exports::pintle::plugin::events as wit;
use super::client::address;
use super::{Component, Exported};
use crate::{DropReason, Event, EventKind, EventKinds, Plugin, StampedEvent, Who};

impl<E: Exported> wit::Guest for Component<E> {
    fn on_events(batch: Vec<wit::StampedEvent>, lost: u64) {
        let batch: Vec<StampedEvent> = batch
            .into_iter()
            .map(|stamped| StampedEvent { at_ms: stamped.at_ms, event: stamped.event.into() })
            .collect();
        E::guest().plugin.on_events(&batch, lost);
    }
}

/// The kinds in `kinds` by the names of `events.event`.
pub(super) fn names(kinds: EventKinds) -> Vec<String> {
    let all = [
        (EventKind::Connected, "connected"),
        (EventKind::AuthFailed, "auth-failed"),
        (EventKind::Disconnected, "disconnected"),
        (EventKind::ConnectionLost, "connection-lost"),
        (EventKind::SessionCreated, "session-created"),
        (EventKind::SessionResumed, "session-resumed"),
        (EventKind::SessionTakenOver, "session-taken-over"),
        (EventKind::SessionExpired, "session-expired"),
        (EventKind::Subscribed, "subscribed"),
        (EventKind::Unsubscribed, "unsubscribed"),
        (EventKind::Published, "published"),
        (EventKind::Dropped, "dropped"),
        (EventKind::RetainedSet, "retained-set"),
        (EventKind::RetainedCleared, "retained-cleared"),
        (EventKind::WillSent, "will-sent"),
    ];
    let named = all.into_iter().filter(|(kind, _)| kinds.contains(*kind));
    named.map(|(_, name)| name.to_owned()).collect()
}

impl From<wit::Who> for Who {
    fn from(who: wit::Who) -> Self {
        Self {
            session_key: who.session_key,
            client_id: who.client_id,
            principal: who.principal,
            remote_addr: address(who.remote_addr),
        }
    }
}

impl From<wit::DropReason> for DropReason {
    fn from(reason: wit::DropReason) -> Self {
        match reason {
            wit::DropReason::QueueFull => Self::QueueFull,
            wit::DropReason::Expired => Self::Expired,
            wit::DropReason::TooLarge => Self::TooLarge,
            wit::DropReason::Unauthorized => Self::Unauthorized,
            wit::DropReason::Plugin => Self::Plugin,
            wit::DropReason::SlowConsumer => Self::SlowConsumer,
        }
    }
}

impl From<wit::Event> for Event {
    fn from(event: wit::Event) -> Self {
        match event {
            wit::Event::Connected(who) => Self::Connected { who: who.into() },
            wit::Event::AuthFailed(it) => Self::AuthFailed { who: it.who.into(), code: it.code },
            wit::Event::Disconnected(it) => {
                Self::Disconnected { who: it.who.into(), code: it.code }
            }
            wit::Event::ConnectionLost(who) => Self::ConnectionLost { who: who.into() },
            wit::Event::SessionCreated(who) => Self::SessionCreated { who: who.into() },
            wit::Event::SessionResumed(who) => Self::SessionResumed { who: who.into() },
            wit::Event::SessionTakenOver(who) => Self::SessionTakenOver { who: who.into() },
            wit::Event::SessionExpired(who) => Self::SessionExpired { who: who.into() },
            wit::Event::Subscribed(it) => {
                Self::Subscribed { who: it.who.into(), subscription: it.subscription.into() }
            }
            wit::Event::Unsubscribed(it) => {
                Self::Unsubscribed { who: it.who.into(), filter: it.filter }
            }
            wit::Event::Published(it) => Self::Published {
                who: it.who.map(Into::into),
                topic: it.topic,
                qos: it.qos.into(),
                payload_len: usize::try_from(it.payload_len).unwrap_or(usize::MAX),
            },
            wit::Event::Dropped(it) => {
                Self::Dropped { who: it.who.into(), topic: it.topic, reason: it.reason.into() }
            }
            wit::Event::RetainedSet(topic) => Self::RetainedSet { topic },
            wit::Event::RetainedCleared(topic) => Self::RetainedCleared { topic },
            wit::Event::WillSent(it) => Self::WillSent { who: it.who.into(), topic: it.topic },
        }
    }
}
