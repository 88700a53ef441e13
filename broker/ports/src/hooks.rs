use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pintle_mqtt::{Publish, QoS, ReasonCode, Timestamp, TopicName};

use crate::{Event, EventKinds, Identity, MessageFrame, Voter};

/// An answer now, or one to wait for. While a CONNECT waits, its connection is not read.
pub enum Step<T> {
    /// The answer.
    Done(T),
    /// Resolves to the answer within the hook's budget, always.
    Wait(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// What the engine asks plugins; the plugin host implements it.
///
/// The engine loads the table once per read batch, and looks at [`Hooks::interest`] before any other
/// call, so that a hook nobody registered costs one branch. No lock is held across a call.
pub trait Hooks: Send + Sync {
    /// Which hooks somebody registered. Constant for one table.
    fn interest(&self) -> Interest;

    /// Rises whenever rights or cohorts may have changed; what was derived under another value is
    /// asked again.
    fn generation(&self) -> u64;

    /// Who is this? Asked if `interest().authenticate`.
    fn authenticate(&self, attempt: ConnectAttempt) -> Step<AuthOutcome>;

    /// Begins enhanced authentication; `None` if no plugin owns `method` (0x8C).
    fn auth_begin(
        &self,
        who: &Arc<Identity>,
        method: &str,
        data: Option<&[u8]>,
        reauth: bool,
    ) -> Option<Step<AuthProgress>>;

    /// May it? Asked if `interest().authorize` or if `who` has rules. Never waits; any failure is a
    /// denial.
    fn authorize(&self, who: &Identity, action: Action<'_>, now: Timestamp) -> Ruling;

    /// Whether any `on_publish` hook wants this topic.
    fn wants_publish(&self, topic: TopicName<'_>) -> bool;

    /// What should this message become? `who` is the client that published it or whose will it is.
    fn on_publish(
        &self,
        path: HookPath,
        who: Option<&Identity>,
        publish: &Publish<'_>,
        now: Timestamp,
    ) -> PublishRuling;

    /// What should this subscription become?
    fn on_subscribe(&self, who: &Identity, request: &SubscriptionRequest) -> SubscribeRuling;

    /// Another filter to unsubscribe instead of `filter` (share prefix included).
    fn on_unsubscribe(&self, who: &Identity, filter: &str) -> Option<String>;

    /// The group that `who` is delivered with; [`CohortId::NONE`] if no `on_deliver` hook touches
    /// it.
    fn cohort(&self, who: &Identity) -> CohortId;

    /// Whether an `on_deliver` hook wants this topic.
    fn wants_deliver(&self, topic: TopicName<'_>) -> bool;

    /// What should this message become for a cohort?
    fn on_deliver(&self, cohort: CohortId, publish: &Publish<'_>, now: Timestamp) -> DeliverRuling;

    /// Something happened; asked only for kinds in `interest().events`. Copies what it needs into a
    /// bounded queue and returns.
    fn event(&self, event: Event<'_>);
}

/// Which hooks somebody registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// [`Hooks::authenticate`].
    pub authenticate: bool,
    /// [`Hooks::auth_begin`].
    pub enhanced_auth: bool,
    /// [`Hooks::authorize`].
    pub authorize: bool,
    /// [`Hooks::on_publish`].
    pub publish: bool,
    /// [`Hooks::on_subscribe`].
    pub subscribe: bool,
    /// [`Hooks::on_unsubscribe`].
    pub unsubscribe: bool,
    /// [`Hooks::cohort`] and [`Hooks::on_deliver`].
    pub deliver: bool,
    /// [`Hooks::event`].
    pub events: EventKinds,
}

/// A plugin's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PluginId(pub u16);

/// A CONNECT to be decided on.
#[derive(Clone, Debug)]
pub struct ConnectAttempt {
    /// Everything known so far; `principal` and `rules` are still empty.
    pub who: Arc<Identity>,
    /// Password; any bytes.
    pub password: Option<Vec<u8>>,
    /// Topic of the will.
    pub will_topic: Option<String>,
}

/// Answer of the `authenticate` chain.
#[derive(Debug)]
pub enum AuthOutcome {
    /// No plugin answered: the listener's `anonymous` decides.
    NoAnswer,
    /// Let in.
    Accept(Admission),
    /// Refused.
    Refuse(Refusal),
}

/// On what terms a client is let in.
#[derive(Debug, Default)]
pub struct Admission {
    /// Who it is, where that is not the user name.
    pub principal: Option<Box<str>>,
    /// What it may do.
    pub rules: Option<Arc<dyn Voter>>,
    /// Bounds of its own.
    pub bounds: SessionBounds,
    /// User Properties for CONNACK.
    pub user_properties: Vec<(String, String)>,
}

/// Bounds that authentication set for one client; each only lowers the listener's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionBounds {
    /// Largest packet taken, in bytes.
    pub packet_bytes_max: Option<u32>,
    /// Receive Maximum announced to it.
    pub receive_maximum: Option<u16>,
    /// Highest QoS.
    pub max_qos: Option<QoS>,
    /// Subscriptions.
    pub subscriptions_max: Option<u32>,
    /// Queued messages.
    pub queue_messages_max: Option<u32>,
    /// Longest Session Expiry Interval, in seconds.
    pub session_expiry_secs_max: Option<u32>,
}

/// A refusal of a client, and who decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, legal in CONNACK.
    pub reason: ReasonCode,
    /// Text for the client.
    pub message: Option<String>,
    /// Name of the plugin.
    pub decided_by: Arc<str>,
}

/// Where an exchange of enhanced authentication stands.
pub enum AuthProgress {
    /// Send AUTH 0x18 with this data; the exchange goes on with the client's answer.
    Challenge(Vec<u8>, Box<dyn Exchange>),
    /// Let in, with final data for CONNACK or AUTH 0x00.
    Accept(Box<Admission>, Option<Vec<u8>>),
    /// Refused.
    Refuse(Refusal),
}

/// The client's answer to a challenge.
pub type AuthReply = Option<Vec<u8>>;

/// An exchange that waits for the client.
pub trait Exchange: Send {
    /// Goes on with the client's Authentication Data.
    fn step(self: Box<Self>, data: AuthReply) -> Step<AuthProgress>;
}

/// What [`Hooks::authorize`] is asked about; topics are there, aliases resolved.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Publishing this.
    Publish(&'a Publish<'a>),
    /// Subscribing.
    Subscribe(&'a SubscriptionRequest),
    /// Being given this.
    Receive(&'a Publish<'a>),
    /// Registering this will, or sending it.
    Will(&'a Publish<'a>),
}

/// One entry of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRequest {
    /// Topic Filter without the share prefix.
    pub filter: String,
    /// ShareName.
    pub share_name: Option<String>,
    /// Highest QoS asked for.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Retain Handling, 0 to 2.
    pub retain_handling: u8,
}

/// Answer of [`Hooks::authorize`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Yes or no.
    pub verdict: Verdict,
    /// Until when the same question may be answered the same; [`Timestamp::NEVER`] until
    /// [`Hooks::generation`] changes, the present moment if it must be asked each time.
    pub valid_until: Timestamp,
    /// Who said no, in words: plugin and rule. `None` for a yes.
    pub decided_by: Option<Arc<str>>,
}

impl Ruling {
    /// Yes, until the generation changes.
    pub const ALLOW: Self =
        Self { verdict: Verdict::Allow, valid_until: Timestamp::NEVER, decided_by: None };
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No, with the code for the answer.
    Deny(ReasonCode),
    /// No, and the connection ends with this code.
    Disconnect(ReasonCode),
}

/// Where a message comes from, and which part of the `on_publish` chain is left to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPath {
    /// A client's PUBLISH: the whole chain.
    Client,
    /// A will: the whole chain.
    Will,
    /// An operator: the whole chain.
    Admin,
    /// A plugin: the chain below it. `hops` counts plugins it came through, 4 at most.
    Plugin {
        /// Who made it.
        plugin: PluginId,
        /// How many plugins it came through, this one included.
        hops: u8,
    },
}

/// Answer of the `on_publish` chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRuling {
    /// What becomes of the message.
    pub verdict: PublishVerdict,
    /// More messages, to be routed after it, in order; granted already.
    pub emits: Vec<(MessageFrame, HookPath)>,
}

/// What becomes of a published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishVerdict {
    /// As it is.
    Pass,
    /// This instead; authorised again if topic, QoS or RETAIN differ.
    Rewrite(MessageFrame),
    /// Acknowledged, routed to nobody.
    Drop,
    /// Refused with a code legal in PUBACK and PUBREC.
    Reject(ReasonCode),
}

/// Answer of the `on_subscribe` chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeRuling {
    /// As it is.
    Pass,
    /// This instead; authorised again if the filter differs.
    Rewrite(SubscriptionRequest),
    /// Refused with a code legal in SUBACK.
    Reject(ReasonCode),
}

/// A group of clients that `on_deliver` treats alike: the tuple of what each plugin named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CohortId(pub u32);

impl CohortId {
    /// No `on_deliver` hook touches the client.
    pub const NONE: Self = Self(0);
}

/// Answer of the `on_deliver` chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliverRuling {
    /// As it is.
    Pass,
    /// This instead; topic, QoS and RETAIN are those of the message it replaces.
    Rewrite(MessageFrame),
    /// Not delivered to this cohort.
    Drop,
}
