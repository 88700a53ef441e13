use std::time::{SystemTime, UNIX_EPOCH};

use pintle_plugin_api as api;
use pintle_ports::{DropCause, Event, EventKind, Identity};

use crate::client_view::ClientView;
use crate::core::Core;
use crate::hops::hops;
use crate::message_view::{to_api, to_api_qos};

/// The kinds of events, as the engine and as plugins name them.
pub(crate) const KINDS: [(EventKind, api::EventKind); 15] = [
    (EventKind::Connected, api::EventKind::Connected),
    (EventKind::AuthFailed, api::EventKind::AuthFailed),
    (EventKind::Disconnected, api::EventKind::Disconnected),
    (EventKind::ConnectionLost, api::EventKind::ConnectionLost),
    (EventKind::SessionCreated, api::EventKind::SessionCreated),
    (EventKind::SessionResumed, api::EventKind::SessionResumed),
    (EventKind::SessionTakenOver, api::EventKind::SessionTakenOver),
    (EventKind::SessionExpired, api::EventKind::SessionExpired),
    (EventKind::Subscribed, api::EventKind::Subscribed),
    (EventKind::Unsubscribed, api::EventKind::Unsubscribed),
    (EventKind::Published, api::EventKind::Published),
    (EventKind::Dropped, api::EventKind::Dropped),
    (EventKind::RetainedSet, api::EventKind::RetainedSet),
    (EventKind::RetainedCleared, api::EventKind::RetainedCleared),
    (EventKind::WillSent, api::EventKind::WillSent),
];

impl Core {
    /// Puts `event` into the queues of those that named its kind.
    pub(crate) fn event(&self, event: Event<'_>) {
        let kind = event.kind();
        let Some((_, named)) = KINDS.iter().find(|(ours, _)| *ours == kind) else {
            return;
        };
        if let Event::SessionExpired { who } = event {
            self.shared.forget_session(who.session_key);
        }
        let hears = |slot: &&std::sync::Arc<crate::slot::Slot>| {
            slot.has(api::Hooks::EVENTS) && slot.about().events.contains(*named)
        };
        let mut stamped = None;
        for slot in self.slots.iter().filter(hears) {
            let stamped = stamped.get_or_insert_with(|| api::StampedEvent {
                at_ms: now_ms(),
                event: translated(event),
            });
            if slot.events.push(stamped.clone(), hops()) {
                slot.state.work.notify_one();
            }
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| time.as_millis() as u64)
}

fn translated(event: Event<'_>) -> api::Event {
    match event {
        Event::Connected { who } => api::Event::Connected { who: who_of(who) },
        Event::AuthFailed { who, reason } => {
            api::Event::AuthFailed { who: who_of(who), code: reason.as_u8() }
        }
        Event::Disconnected { who, reason } => {
            api::Event::Disconnected { who: who_of(who), code: reason.as_u8() }
        }
        Event::ConnectionLost { who } => api::Event::ConnectionLost { who: who_of(who) },
        Event::SessionCreated { who } => api::Event::SessionCreated { who: who_of(who) },
        Event::SessionResumed { who } => api::Event::SessionResumed { who: who_of(who) },
        Event::SessionTakenOver { who } => api::Event::SessionTakenOver { who: who_of(who) },
        Event::SessionExpired { who } => api::Event::SessionExpired { who: who_of(who) },
        Event::Subscribed { who, subscription } => {
            api::Event::Subscribed { who: who_of(who), subscription: to_api(subscription) }
        }
        Event::Unsubscribed { who, filter } => {
            api::Event::Unsubscribed { who: who_of(who), filter: filter.to_owned() }
        }
        Event::Published { who, topic, qos, payload_len } => api::Event::Published {
            who: who.map(who_of),
            topic: topic.to_owned(),
            qos: to_api_qos(qos),
            payload_len,
        },
        Event::Dropped { who, topic, cause } => api::Event::Dropped {
            who: who_of(who),
            topic: topic.to_owned(),
            reason: reason_of(cause),
        },
        Event::RetainedSet { topic } => api::Event::RetainedSet { topic: topic.to_owned() },
        Event::RetainedCleared { topic } => api::Event::RetainedCleared { topic: topic.to_owned() },
        Event::WillSent { who, topic } => {
            api::Event::WillSent { who: who_of(who), topic: topic.to_owned() }
        }
    }
}

fn who_of(who: &Identity) -> api::Who {
    api::Who::of(&ClientView(who))
}

fn reason_of(cause: DropCause) -> api::DropReason {
    match cause {
        DropCause::QueueFull => api::DropReason::QueueFull,
        DropCause::Expired => api::DropReason::Expired,
        DropCause::TooLarge => api::DropReason::TooLarge,
        DropCause::SlowConsumer => api::DropReason::SlowConsumer,
        DropCause::Unauthorized => api::DropReason::Unauthorized,
        DropCause::Plugin => api::DropReason::Plugin,
    }
}
