use pintle_mqtt::{
    ConnAck, Packet, PacketType, Property, PropertyBuffer, ProtocolVersion, QoS, ReasonCode,
    reason_is_legal,
};
use pintle_ports::Link;
use pintle_session::{KeepAlive, SessionExpiry};

use crate::connect::{Opening, Refused, packet_bytes_max};
use crate::connection::Halt;
use crate::counters::add;
use crate::settings::ListenerTerms;
use crate::worker::Worker;

/// A text for a client that is refused.
pub(crate) struct Message<'a> {
    pub(crate) text: &'a str,
    /// The client's Maximum Packet Size.
    pub(crate) packet_bytes_max: u32,
}

/// CONNACK with a failure, and the end of the connection [MQTT-3.1.4-2].
pub(crate) fn refuse(
    worker: &Worker,
    link: &dyn Link,
    version: Option<ProtocolVersion>,
    refused: &Refused,
    message: Option<&Message<'_>>,
) -> Halt {
    let Refused { reason, what } = *refused;
    let is_legal = reason_is_legal(PacketType::ConnAck, reason);
    let reason = if is_legal { reason } else { ReasonCode::UnspecifiedError };
    tracing::debug!(what, ?reason, "CONNECT refused.");
    let mut last = Vec::new();
    if let Some(version) = version {
        let mut properties = PropertyBuffer::new();
        properties.push_some(message.map(|message| Property::ReasonString(message.text)));
        let properties = properties.as_properties();
        let connack = ConnAck { session_present: false, reason, properties };
        let bytes_max = message.map_or(u32::MAX, |message| message.packet_bytes_max);
        encode(connack, version, bytes_max, &mut last);
        let counts = worker.counts();
        counts.sent(&counts.connack_sent, 1);
        add(&counts.bytes_sent, last.len() as u64);
    }
    link.close(last);
    Halt::Gone
}

impl ListenerTerms {
    /// CONNACK with everything that the client has to know [MQTT-3.2.2-21].
    pub(crate) fn connack(
        &self,
        opening: &Opening<'_>,
        client_id: &str,
        session_present: bool,
        expiry: SessionExpiry,
        keep_alive: KeepAlive,
    ) -> Vec<u8> {
        let version = opening.connect.version;
        let mut properties = PropertyBuffer::new();
        if version.is_v5() {
            self.announce(opening, client_id, expiry, keep_alive, &mut properties);
        }
        for (name, value) in &opening.admission.user_properties {
            properties.push(Property::UserProperty((name, value)));
        }
        let properties = properties.as_properties();
        let connack = ConnAck { session_present, reason: ReasonCode::Success, properties };
        let mut out = Vec::new();
        encode(connack, version, packet_bytes_max(opening.connect), &mut out);
        out
    }

    fn announce(
        &self,
        opening: &Opening<'_>,
        client_id: &str,
        expiry: SessionExpiry,
        keep_alive: KeepAlive,
        properties: &mut PropertyBuffer,
    ) {
        let off = |available: bool| (!available).then_some(false);
        properties.push_some(expiry.to_announce().map(Property::SessionExpiryInterval));
        properties.push(Property::ReceiveMaximum(self.receive_maximum));
        if self.max_qos < QoS::ExactlyOnce {
            properties.push(Property::MaximumQoS(self.max_qos as u8));
        }
        properties.push_some(off(self.retain_available).map(Property::RetainAvailable));
        properties.push(Property::MaximumPacketSize(self.packet_bytes_max));
        if opening.assigned {
            properties.push(Property::AssignedClientIdentifier(client_id));
        }
        if self.topic_alias_maximum > 0 {
            properties.push(Property::TopicAliasMaximum(self.topic_alias_maximum));
        }
        let wildcard = off(self.wildcard_subscription_available);
        properties.push_some(wildcard.map(Property::WildcardSubscriptionAvailable));
        let identifier = off(self.subscription_identifier_available);
        properties.push_some(identifier.map(Property::SubscriptionIdentifierAvailable));
        let shared = off(self.shared_subscription_available);
        properties.push_some(shared.map(Property::SharedSubscriptionAvailable));
        if let KeepAlive::Imposed(secs) = keep_alive {
            properties.push(Property::ServerKeepAlive(secs));
        }
        let asked = opening.connect.properties;
        properties.push_some(asked.authentication_method().map(Property::AuthenticationMethod));
        properties.push_some(opening.auth_data.as_deref().map(Property::AuthenticationData));
    }
}

/// Leaves Reason String and User Properties out of what would be too long for the client
/// [MQTT-3.2.2-19] [MQTT-3.2.2-20].
fn encode(connack: ConnAck<'_>, version: ProtocolVersion, bytes_max: u32, out: &mut Vec<u8>) {
    if !Packet::ConnAck(connack).encode_within(version, bytes_max, out) {
        let left = connack.properties.without_diagnostics();
        ConnAck { properties: left.as_properties(), ..connack }.encode(version, out);
    }
}
