use pintle_mqtt::{QoS, ReasonCode};

use crate::{Identity, SubscriptionRequest};

/// Why a message was not delivered to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropCause {
    /// `queue_messages_max` or `queue_bytes_max`.
    QueueFull,
    /// Message Expiry Interval.
    Expired,
    /// The client's Maximum Packet Size.
    TooLarge,
    /// `outbox_bytes_max`, QoS 0.
    SlowConsumer,
    /// No right to receive.
    Unauthorized,
    /// A hook dropped it.
    Plugin,
}

macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident { $($field:ident: $type:ty),* },)*) => {
        /// Something that happened, told to the plugins that asked for its kind.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "fields are named after what they hold")]
        pub enum Event<'a> { $($(#[$doc])* $kind { $($field: $type),* },)* }

        /// The kinds of [`Event`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $kind,)* }

        impl Event<'_> {
            /// Which kind it is.
            pub fn kind(&self) -> EventKind {
                match self { $(Self::$kind { .. } => EventKind::$kind,)* }
            }
        }
    };
}

events! {
    /// A client was let in.
    Connected { who: &'a Identity },
    /// A client was refused.
    AuthFailed { who: &'a Identity, reason: ReasonCode },
    /// A connection ended with DISCONNECT, by either side.
    Disconnected { who: &'a Identity, reason: ReasonCode },
    /// A connection ended without DISCONNECT.
    ConnectionLost { who: &'a Identity },
    /// A session began.
    SessionCreated { who: &'a Identity },
    /// A client came back to its session.
    SessionResumed { who: &'a Identity },
    /// Another connection took the Client Identifier.
    SessionTakenOver { who: &'a Identity },
    /// A session ended.
    SessionExpired { who: &'a Identity },
    /// A subscription was made or replaced.
    Subscribed { who: &'a Identity, subscription: &'a SubscriptionRequest },
    /// A subscription was removed.
    Unsubscribed { who: &'a Identity, filter: &'a str },
    /// A message was taken.
    Published { who: Option<&'a Identity>, topic: &'a str, qos: QoS, payload_len: usize },
    /// A message was not delivered to one of its receivers.
    Dropped { who: &'a Identity, topic: &'a str, cause: DropCause },
    /// A retained message was set.
    RetainedSet { topic: &'a str },
    /// A retained message was deleted.
    RetainedCleared { topic: &'a str },
    /// A will was sent.
    WillSent { who: &'a Identity, topic: &'a str },
}

/// A set of [`EventKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventKinds(u32);

impl EventKinds {
    /// None.
    pub const NONE: Self = Self(0);

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// Whether `kind` is in it.
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}
