use std::borrow::Cow;
use std::time::Duration;

use crate::{Client, Message, NewMessage, QoS, Subscription};

/// A refusal: an MQTT 5.0 Reason Code (0x80 or above) and a text for people.
///
/// The broker maps the code for 3.1 and 3.1.1 clients. A code that is not legal in the packet it
/// would be sent in counts as an error of the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Reason Code.
    pub code: u8,
    /// Reason String, for clients that want one.
    pub message: Option<Cow<'static, str>>,
}

impl Failure {
    /// A refusal without a text.
    pub const fn code(code: u8) -> Self {
        Self { code, message: None }
    }

    /// A refusal with a text.
    pub fn new(code: u8, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: Some(message.into()) }
    }
}

/// An answer now, or work that would keep a worker waiting and so is done beside it.
pub enum Answer<T> {
    /// Known at once.
    Now(T),
    /// To be run off the workers, with bounded concurrency: password hashes, files.
    Blocking(Box<dyn FnOnce() -> T + Send>),
}

impl<T> Answer<T> {
    /// The answer, worked out here and now if need be.
    pub fn wait(self) -> T {
        match self {
            Self::Now(answer) => answer,
            Self::Blocking(work) => work(),
        }
    }
}

/// What CONNECT brought.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// User Name.
    pub username: Option<String>,
    /// Password; any bytes.
    pub password: Option<Vec<u8>>,
    /// Topic of the will, if there is one.
    pub will_topic: Option<String>,
}

/// Answer of `authenticate`.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthVerdict {
    /// No opinion: the next plugin is asked; if none answers, the client is refused.
    Next,
    /// Let in.
    Accept(Accepted),
    /// Refuse.
    Reject(Failure),
}

/// On what terms a client is let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// Who the client is; `None` takes the user name.
    pub principal: Option<String>,
    /// What it may do; the core evaluates them. The first rule that matches decides; if none
    /// matches, the `authorize` plugins are asked.
    pub rules: Vec<Rule>,
    /// Bounds for this client; each may only lower what the listener sets.
    pub limits: Limits,
    /// User Properties for CONNACK.
    pub connack_user_properties: Vec<(String, String)>,
}

/// Whether a [`Rule`] says yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEffect {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Ask the `authorize` plugins.
    Ask,
}

/// What a [`Rule`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// PUBLISH, and registering a will.
    Publish,
    /// SUBSCRIBE: the rule's filter must cover the whole filter asked for.
    Subscribe,
    /// Being given a message.
    Receive,
    /// All of them.
    All,
}

/// One rule of a list; see [`Accepted::rules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Yes, no, or ask.
    pub effect: RuleEffect,
    /// What it is about.
    pub action: RuleAction,
    /// Topic Filter; a level `%c` is the Client Identifier, `%u` the User Name.
    pub filter: String,
    /// The highest QoS allowed; the rule does not match above it.
    pub max_qos: Option<QoS>,
    /// Whether RETAIN may be set; `Some(false)` does not match a retained message.
    pub allow_retain: Option<bool>,
}

/// Bounds for one client; `None` leaves what the listener sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet in bytes.
    pub packet_bytes_max: Option<u32>,
    /// QoS 1 and 2 messages in flight towards the broker.
    pub receive_maximum: Option<u16>,
    /// Highest QoS.
    pub max_qos: Option<QoS>,
    /// Subscriptions.
    pub subscriptions_max: Option<u32>,
    /// Queued messages.
    pub queue_messages_max: Option<u32>,
    /// Longest Session Expiry Interval.
    pub session_expiry_secs_max: Option<u32>,
}

/// One exchange of enhanced authentication (4.12), pinned to the plugin that began it.
pub trait AuthExchange: Send {
    /// The client's next Authentication Data.
    fn step(&mut self, data: Option<&[u8]>) -> AuthStep;
}

/// Answer of an exchange to one packet of the client.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthStep {
    /// Send AUTH with Reason Code 0x18 and this data, and wait for the answer.
    Challenge(Vec<u8>),
    /// Let in; the data goes into CONNACK or AUTH 0x00.
    Accept(Box<Accepted>, Option<Vec<u8>>),
    /// Refuse.
    Reject(Failure),
}

/// What `authorize` is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// A PUBLISH; the payload is empty here.
    Publish(&'a Message<'a>),
    /// One entry of a SUBSCRIBE.
    Subscribe(&'a Subscription),
    /// Being given this message; the payload is empty here.
    Receive(&'a Message<'a>),
    /// Registering this will at CONNECT, and again when it is sent; the payload is empty here.
    Will(&'a Message<'a>),
}

/// Answer of `authorize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No opinion.
    Next,
    /// Yes, unless another plugin says no.
    Allow(CacheHint),
    /// No; that is final.
    Deny(Failure, CacheHint),
    /// No, and the connection ends.
    Disconnect(Failure),
}

/// For whom a cached decision may be used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheScope {
    /// For this session.
    #[default]
    Session,
    /// For every client of the same principal.
    Principal,
}

/// How long and how widely the broker may reuse a decision instead of asking again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheHint {
    /// For whom.
    pub scope: CacheScope,
    /// For how long; zero is not cached, [`Duration::MAX`] until [`crate::Host::invalidate`] or a
    /// change of the plugin's settings.
    pub ttl: Duration,
    /// The Topic Filter for all of whose topics the answer holds; `None` for this topic only.
    pub filter: Option<String>,
}

impl CacheHint {
    /// Until the plugin says otherwise, for this topic and session.
    pub const fn until_invalidated() -> Self {
        Self { scope: CacheScope::Session, ttl: Duration::MAX, filter: None }
    }

    /// Not at all.
    pub const fn never() -> Self {
        Self { scope: CacheScope::Session, ttl: Duration::ZERO, filter: None }
    }
}

impl Default for CacheHint {
    /// Ten seconds, for this topic and session.
    fn default() -> Self {
        Self { scope: CacheScope::Session, ttl: Duration::from_secs(10), filter: None }
    }
}

/// Changes to a message; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessagePatch {
    /// Topic Name. Not in `on_deliver`.
    pub topic: Option<String>,
    /// Payload.
    pub payload: Option<Vec<u8>>,
    /// QoS. Not in `on_deliver`.
    pub qos: Option<QoS>,
    /// RETAIN. Not in `on_deliver`.
    pub retain: Option<bool>,
    /// `Some(None)` removes the expiry.
    pub expiry_secs: Option<Option<u32>>,
    /// `Some(None)` removes the content type.
    pub content_type: Option<Option<String>>,
    /// `Some(None)` removes the response topic.
    pub response_topic: Option<Option<String>>,
    /// `Some(None)` removes the correlation data.
    pub correlation_data: Option<Option<Vec<u8>>>,
    /// Replaces the whole list.
    pub user_properties: Option<Vec<(String, String)>>,
}

/// What becomes of a published message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PublishOutcome {
    /// As it is.
    #[default]
    Pass,
    /// Changed. A changed topic, QoS or RETAIN is authorised again.
    Rewrite(MessagePatch),
    /// Acknowledged to the sender as a success, routed to nobody.
    Drop,
    /// Not taken; v5 publishers of QoS 1 and 2 are told the code.
    Reject(Failure),
}

/// Answer of `on_publish`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishVerdict {
    /// What becomes of the message.
    pub outcome: PublishOutcome,
    /// More messages, routed after this one, in order.
    pub emit: Vec<NewMessage>,
}

impl From<PublishOutcome> for PublishVerdict {
    fn from(outcome: PublishOutcome) -> Self {
        Self { outcome, emit: Vec::new() }
    }
}

/// Answer of `on_subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeVerdict {
    /// As it is.
    Pass,
    /// Changed; a changed filter is authorised again.
    Rewrite(Subscription),
    /// Refused with this code in SUBACK.
    Reject(Failure),
}

/// Answer of `on_deliver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliverVerdict {
    /// As it is.
    Pass,
    /// Changed for this cohort.
    Rewrite(MessagePatch),
    /// Not delivered to this cohort.
    Drop,
}

/// A client in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Session key.
    pub session_key: u64,
    /// Client Identifier.
    pub client_id: String,
    /// Principal.
    pub principal: Option<String>,
    /// Address.
    pub remote_addr: Option<std::net::SocketAddr>,
}

impl Who {
    /// The client as it is now.
    pub fn of(client: &dyn Client) -> Self {
        Self {
            session_key: client.session_key(),
            client_id: client.client_id().to_owned(),
            principal: client.principal().map(str::to_owned),
            remote_addr: client.remote_addr(),
        }
    }
}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DropReason {
    QueueFull,
    Expired,
    TooLarge,
    Unauthorized,
    Plugin,
    SlowConsumer,
}

macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident { $($field:ident: $type:ty),* },)*) => {
        /// Something that happened. Told after the fact; no answer changes it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "fields are named after what they hold")]
        pub enum Event { $($(#[$doc])* $kind { $($field: $type),* },)* }

        /// The kinds of [`Event`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $kind,)* }

        impl Event {
            /// Which kind it is.
            pub fn kind(&self) -> EventKind {
                match self { $(Self::$kind { .. } => EventKind::$kind,)* }
            }
        }
    };
}

events! {
    /// A client was let in.
    Connected { who: Who },
    /// A client was refused.
    AuthFailed { who: Who, code: u8 },
    /// A connection ended with DISCONNECT, by either side.
    Disconnected { who: Who, code: u8 },
    /// A connection ended without DISCONNECT.
    ConnectionLost { who: Who },
    /// A session began.
    SessionCreated { who: Who },
    /// A client came back to its session.
    SessionResumed { who: Who },
    /// Another connection took the Client Identifier.
    SessionTakenOver { who: Who },
    /// A session ended.
    SessionExpired { who: Who },
    /// A subscription was made or replaced.
    Subscribed { who: Who, subscription: Subscription },
    /// A subscription was removed.
    Unsubscribed { who: Who, filter: String },
    /// A message was taken. Per message: off unless named.
    Published { who: Option<Who>, topic: String, qos: QoS, payload_len: usize },
    /// A message was not delivered to one of its receivers. Per message: off unless named.
    Dropped { who: Who, topic: String, reason: DropReason },
    /// A retained message was set.
    RetainedSet { topic: String },
    /// A retained message was deleted.
    RetainedCleared { topic: String },
    /// A will was sent.
    WillSent { who: Who, topic: String },
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

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `kind` is in it.
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}

/// An event with when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedEvent {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}
