use crate::{Layout, PacketId, Property, PropertyBuffer, Publish, PublishFlags, WireForm};

/// What differs between the deliveries of one message.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFields<'a> {
    /// Set on a second try [MQTT-3.3.1-1].
    pub dup: bool,
    /// Present exactly if the delivery's QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Of all subscriptions that matched.
    pub subscription_ids: &'a [u32],
    /// Seconds left of the Message Expiry Interval, if it has one.
    pub expiry_secs: Option<u32>,
}

impl Publish<'_> {
    /// Appends the packet as it is delivered to one subscriber, slow and general: in `form`, with
    /// its Packet Identifier, Subscription Identifiers [MQTT-3.3.4-3] and the seconds that are left
    /// of its expiry [MQTT-3.3.2-6].
    pub fn encode_delivery(
        &self,
        form: WireForm,
        delivery: &DeliveryFields<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut properties = PropertyBuffer::new();
        if form.layout == Layout::V5 {
            for property in self.properties.iter() {
                match property {
                    Property::MessageExpiryInterval(_) => properties
                        .push_some(delivery.expiry_secs.map(Property::MessageExpiryInterval)),
                    Property::TopicAlias(_) | Property::SubscriptionIdentifier(_) => {}
                    other => properties.push(other),
                }
            }
            for &id in delivery.subscription_ids {
                properties.push(Property::SubscriptionIdentifier(id));
            }
        }
        let flags = PublishFlags { dup: delivery.dup, qos: form.qos, retain: form.retain };
        let properties = properties.as_properties();
        Publish { flags, packet_id: delivery.packet_id, properties, ..*self }
            .encode(form.layout, out);
    }
}
