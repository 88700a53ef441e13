use std::num::NonZeroU32;

use pintle_mqtt::QoS;

/// What a SUBSCRIBE asked for with one Topic Filter, as far as routing needs to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The QoS granted; deliveries never exceed it.
    pub qos: QoS,
    /// The subscriber does not want its own publications back.
    pub no_local: bool,
    /// The RETAIN flag is forwarded as the publisher set it.
    pub retain_as_published: bool,
    /// The Subscription Identifier, if the SUBSCRIBE carried one.
    pub identifier: Option<NonZeroU32>,
}

/// One subscriber of a Topic Filter or of a shared group, with the options it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<S> {
    /// The handle of its session.
    pub subscriber: S,
    /// The options of its subscription.
    pub options: SubscriptionOptions,
}
