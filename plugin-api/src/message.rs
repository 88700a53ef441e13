/// Quality of Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A PUBLISH of a client.
    Client,
    /// The will of a client.
    Will,
    /// A plugin.
    Plugin,
    /// An operator.
    Admin,
}

/// An Application Message as hooks see it; nothing in it is copied.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Topic Name.
    pub topic: &'a str,
    /// The Application Message. Empty where the hook did not ask for it.
    pub payload: &'a [u8],
    /// QoS as published (or as delivered, in `on_deliver`).
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Seconds until it expires.
    pub expiry_secs: Option<u32>,
    /// Whether the sender says that the payload is UTF-8.
    pub payload_is_utf8: bool,
    /// Content Type.
    pub content_type: Option<&'a str>,
    /// Response Topic.
    pub response_topic: Option<&'a str>,
    /// Correlation Data.
    pub correlation_data: Option<&'a [u8]>,
    /// User Properties, in order.
    pub user_properties: &'a [(&'a str, &'a str)],
}

impl<'a> Message<'a> {
    /// A message with nothing but topic and payload.
    pub fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Self {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            expiry_secs: None,
            payload_is_utf8: false,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: &[],
        }
    }
}

/// A complete message that a plugin makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Topic Name; it must be covered by the plugin's `publish` grant.
    pub topic: String,
    /// The Application Message.
    pub payload: Vec<u8>,
    /// QoS.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Seconds until it expires.
    pub expiry_secs: Option<u32>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Vec<u8>>,
    /// User Properties, in order.
    pub user_properties: Vec<(String, String)>,
}

impl NewMessage {
    /// A message of QoS 0, not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), ..Self::default() }
    }

    /// The same, retained.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// The same with `qos`.
    #[must_use]
    pub fn with_qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }
}

/// One entry of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Topic Filter, without the share prefix.
    pub filter: String,
    /// ShareName of a Shared Subscription.
    pub share_name: Option<String>,
    /// The highest QoS asked for.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Retain Handling, 0 to 2.
    pub retain_handling: u8,
}
