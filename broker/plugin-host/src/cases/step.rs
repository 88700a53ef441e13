use std::time::Duration;

use pintle_plugin_api::{Credentials, Message, NewMessage, Origin, StampedEvent, Subscription};

use crate::hook::Hook;

/// One thing that a plugin is asked or told.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Connect(Credentials),
    Auth {
        method: String,
        reauth: bool,
        data: Vec<Option<Vec<u8>>>,
    },
    Publish(Origin, NewMessage),
    Subscribe(Subscription),
    Unsubscribe(String),
    Deliver(Option<String>, NewMessage),
    Authorize(Ask),
    Events(Vec<StampedEvent>),
    Timer(String),
    Command {
        principal: Option<String>,
        command: String,
        args: String,
    },
    /// Time passes.
    Wait(Duration),
}

/// What `authorize` is asked about.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Publish(NewMessage),
    Receive(NewMessage),
    Will(NewMessage),
    Subscribe(Subscription),
}

impl Step {
    /// The hook that it is about; `None` where only time passes.
    pub(super) fn hook(&self) -> Option<Hook> {
        match self {
            Self::Connect(_) => Some(Hook::Authenticate),
            Self::Auth { .. } => Some(Hook::EnhancedAuth),
            Self::Publish(..) => Some(Hook::Publish),
            Self::Subscribe(_) => Some(Hook::Subscribe),
            Self::Unsubscribe(_) => Some(Hook::Unsubscribe),
            Self::Deliver(..) => Some(Hook::Deliver),
            Self::Authorize(_) => Some(Hook::Authorize),
            Self::Events(_) => Some(Hook::Events),
            Self::Timer(_) => Some(Hook::Timer),
            Self::Command { .. } => Some(Hook::Command),
            Self::Wait(_) => None,
        }
    }

    /// The words that `expect.verdict` may be.
    pub(super) fn verdicts(&self) -> &'static [&'static str] {
        match self {
            Self::Connect(_) => &["next", "accept", "reject"],
            Self::Auth { .. } => &["challenge", "accept", "reject", "next"],
            Self::Publish(..) => &["pass", "rewrite", "drop", "reject"],
            Self::Subscribe(_) => &["pass", "rewrite", "reject"],
            Self::Unsubscribe(_) => &["pass", "rewrite"],
            Self::Deliver(..) => &["pass", "rewrite", "drop"],
            Self::Authorize(_) => &["next", "allow", "deny", "disconnect"],
            Self::Events(_) | Self::Timer(_) | Self::Wait(_) => &["done"],
            Self::Command { .. } => &["answer", "refuse"],
        }
    }
}

/// A message as the hooks see it.
pub(super) fn with_message<T>(message: &NewMessage, use_it: impl FnOnce(&Message<'_>) -> T) -> T {
    let pairs = message.user_properties.iter();
    let pairs: Vec<(&str, &str)> =
        pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    use_it(&Message {
        qos: message.qos,
        retain: message.retain,
        expiry_secs: message.expiry_secs,
        content_type: message.content_type.as_deref(),
        response_topic: message.response_topic.as_deref(),
        correlation_data: message.correlation_data.as_deref(),
        user_properties: &pairs,
        ..Message::new(&message.topic, &message.payload)
    })
}
