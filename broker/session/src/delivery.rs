use pintle_mqtt::QoS;

/// How one session is to get a publication.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// QoS granted to the subscription; the delivery's is the lower of this and the message's.
    pub qos: QoS,
    /// RETAIN as the client is to see it.
    pub retain: bool,
    /// Subscription Identifiers of all subscriptions that matched.
    pub subscription_ids: &'a [u32],
    /// By a Shared Subscription: should the session end first, it is for another member.
    pub shared: bool,
}
