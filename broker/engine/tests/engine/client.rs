use pintle_engine::{EndCause, Flow};
use pintle_mqtt::{
    Ack, AckKind, Auth, Disconnect, Packet, PacketId, Properties, Property, PropertyBuffer, QoS,
    ReasonCode, Subscribe, SubscribeBuffer, SubscribeOptions, Unsubscribe, UnsubscribeBuffer,
};

use crate::draft::{Draft, publish};
use crate::scenario::{Scenario, Wire};
use crate::seen::Seen;

/// One client of a scenario, in the words of its user.
pub(crate) struct Client<'b> {
    scenario: &'b mut Scenario,
    name: String,
}

/// Options with nothing but a QoS.
pub(crate) fn at(qos: u8) -> SubscribeOptions {
    SubscribeOptions::with_qos(QoS::from_bits(qos).unwrap())
}

impl<'b> Client<'b> {
    pub(crate) fn new(scenario: &'b mut Scenario, name: &str) -> Self {
        Self { scenario, name: name.to_owned() }
    }

    fn wire(&mut self) -> &mut Wire {
        self.scenario.wire(&self.name)
    }

    /// A PUBLISH of QoS 0, sent once all was said about it.
    pub(crate) fn publishes(self, topic: &str, payload: &str) -> Publishing<'b> {
        Publishing { draft: Some(publish(topic, payload)), client: Some(self) }
    }

    /// Several PUBLISH packets in one read.
    pub(crate) fn publishes_at_once(mut self, drafts: &[Draft]) -> Self {
        let bytes = self.bytes_of(drafts);
        self.sends(&bytes)
    }

    pub(crate) fn bytes_of(&mut self, drafts: &[Draft]) -> Vec<u8> {
        let wire = self.wire();
        let mut bytes = Vec::new();
        for draft in drafts {
            let draft =
                if draft.needs_id() { draft.clone().id(wire.take_id()) } else { draft.clone() };
            bytes.extend(draft.bytes(wire.version));
        }
        bytes
    }

    /// Subscribes for everything up to QoS 2.
    pub(crate) fn subscribes(self, filter: &str) -> Self {
        self.subscribes_with(filter, at(2))
    }

    pub(crate) fn subscribes_with(mut self, filter: &str, options: SubscribeOptions) -> Self {
        let codes = self.subscribe_codes(&[(filter, options)], None);
        assert!(codes[0] <= 2, "{filter}: {:#x}", codes[0]);
        self
    }

    pub(crate) fn subscribes_as(
        mut self,
        identifier: u32,
        filter: &str,
        options: SubscribeOptions,
    ) -> Self {
        let codes = self.subscribe_codes(&[(filter, options)], Some(identifier));
        assert!(codes[0] <= 2, "{filter}: {:#x}", codes[0]);
        self
    }

    /// Expects these codes for one filter each, at QoS 2.
    pub(crate) fn is_granted(mut self, filters: &[&str], codes: &[u8]) -> Self {
        let filters: Vec<_> = filters.iter().map(|filter| (*filter, at(2))).collect();
        assert_eq!(self.subscribe_codes(&filters, None), codes);
        self
    }

    pub(crate) fn subscribe_bytes(
        &mut self,
        filters: &[(&str, SubscribeOptions)],
        identifier: Option<u32>,
    ) -> Vec<u8> {
        let mut buffer = SubscribeBuffer::new();
        for (filter, options) in filters {
            buffer.push(filter, *options);
        }
        let mut properties = PropertyBuffer::new();
        properties.push_some(identifier.map(Property::SubscriptionIdentifier));
        let packet_id = PacketId::new(self.wire().take_id()).unwrap();
        let properties = properties.as_properties();
        let packet =
            Packet::Subscribe(Subscribe { packet_id, properties, filters: buffer.as_filters() });
        let mut bytes = Vec::new();
        packet.encode(self.wire().version, &mut bytes);
        bytes
    }

    /// Subscribes and takes the SUBACK out of what came.
    pub(crate) fn subscribe_codes(
        &mut self,
        filters: &[(&str, SubscribeOptions)],
        identifier: Option<u32>,
    ) -> Vec<u8> {
        let bytes = self.subscribe_bytes(filters, identifier);
        self.scenario.feed(&self.name, &bytes);
        let suback = self.take_first(|packet| matches!(packet, Packet::SubAck(_)));
        let Packet::SubAck(suback) = suback.packet() else { unreachable!() };
        suback.codes.iter().map(ReasonCode::as_u8).collect()
    }

    /// Unsubscribes; expects an UNSUBACK with these codes (none before 5.0).
    pub(crate) fn unsubscribes(mut self, filters: &[&str], codes: &[u8]) -> Self {
        let mut buffer = UnsubscribeBuffer::new();
        for filter in filters {
            buffer.push(filter);
        }
        let packet_id = PacketId::new(self.wire().take_id()).unwrap();
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id,
            properties: Properties::EMPTY,
            filters: buffer.as_filters(),
        });
        self = self.sends_packet(&packet);
        let unsuback = self.take_first(|packet| matches!(packet, Packet::UnsubAck(_)));
        let Packet::UnsubAck(unsuback) = unsuback.packet() else { unreachable!() };
        let got: Vec<u8> = unsuback.codes.iter().map(ReasonCode::as_u8).collect();
        assert_eq!(got, codes);
        self
    }

    fn take_first(&mut self, is_it: impl Fn(&Packet<'_>) -> bool) -> Seen {
        let inbox = &mut self.wire().inbox;
        let at = inbox.iter().position(|seen| is_it(&seen.packet()));
        let at = at.unwrap_or_else(|| panic!("it did not come, but {inbox:?}"));
        inbox.remove(at)
    }

    /// The first packet that has not been looked at.
    pub(crate) fn next_seen(&mut self) -> Seen {
        let inbox = &mut self.wire().inbox;
        assert!(!inbox.is_empty(), "nothing came");
        inbox.remove(0)
    }

    /// All that came and was not looked at.
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.wire().inbox)
    }

    /// The PUBLISH packets that came; all else is forgotten.
    pub(crate) fn deliveries(&mut self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_publish).collect()
    }

    /// Expects these payloads, in order, and no more PUBLISH packets.
    pub(crate) fn receives(mut self, payloads: &[&str]) -> Self {
        let got: Vec<String> = self.deliveries().iter().map(Seen::payload).collect();
        assert_eq!(got, payloads, "{} received", self.name);
        self
    }

    /// Expects exactly these packets, in order. PUBLISH is left for another look.
    pub(crate) fn gets(mut self, packets: &[&str]) -> Self {
        let (publishes, others) = self.seen().into_iter().partition(Seen::is_publish);
        self.wire().inbox = publishes;
        let got: Vec<String> = others.iter().map(Seen::short).collect();
        assert_eq!(got, packets, "{} got", self.name);
        self
    }

    /// Expects this packet before all others.
    pub(crate) fn gets_first(mut self, packet: &str) -> Self {
        assert_eq!(self.next_seen().short(), packet, "{} got", self.name);
        self
    }

    /// Whether the broker still had its session.
    pub(crate) fn is_resumed(mut self) -> bool {
        self.next_seen().short() == "CONNACK present"
    }

    /// Expects exactly these packets of any type, in order.
    pub(crate) fn gets_in_order(mut self, packets: &[&str]) -> Self {
        let got: Vec<String> = self.seen().iter().map(Seen::short).collect();
        assert_eq!(got, packets, "{} got", self.name);
        self
    }

    pub(crate) fn sends(self, bytes: &[u8]) -> Self {
        self.scenario.feed(&self.name, bytes);
        self
    }

    pub(crate) fn sends_packet(mut self, packet: &Packet<'_>) -> Self {
        let mut bytes = Vec::new();
        packet.encode(self.wire().version, &mut bytes);
        self.sends(&bytes)
    }

    /// Sends an acknowledgement.
    pub(crate) fn acks(mut self, kind: AckKind, id: u16, reason: ReasonCode) -> Self {
        let mut bytes = Vec::new();
        let packet_id = PacketId::new(id).unwrap();
        Ack::new(packet_id, reason).encode(kind, self.wire().version, &mut bytes);
        self.sends(&bytes)
    }

    pub(crate) fn sends_auth(self, reason: ReasonCode, method: &str, data: &[u8]) -> Self {
        let mut properties = PropertyBuffer::new();
        properties.push(Property::AuthenticationMethod(method));
        properties.push(Property::AuthenticationData(data));
        self.sends_packet(&Packet::Auth(Auth { reason, properties: properties.as_properties() }))
    }

    /// Sends DISCONNECT.
    pub(crate) fn disconnects(self, reason: ReasonCode) -> Self {
        self.sends_packet(&Packet::Disconnect(Disconnect::new(reason)))
    }

    pub(crate) fn disconnects_keeping_session(self, secs: u32) -> Self {
        let mut properties = PropertyBuffer::new();
        properties.push(Property::SessionExpiryInterval(secs));
        let properties = properties.as_properties();
        let reason = ReasonCode::Success;
        self.sends_packet(&Packet::Disconnect(Disconnect { reason, properties }))
    }

    /// The network fails.
    pub(crate) fn is_lost(self) {
        self.scenario.ends(&self.name, EndCause::PeerClosed);
    }

    /// Leaves what is sent in the outbox from now on.
    pub(crate) fn stops_reading(mut self) -> Self {
        self.wire().reads = false;
        self
    }

    pub(crate) fn reads_on(mut self) -> Self {
        self.wire().reads = true;
        self.scenario.settle();
        self
    }

    /// Answers nothing of itself from now on.
    pub(crate) fn answers_by_hand(mut self) -> Self {
        self.wire().acknowledges = false;
        self
    }

    pub(crate) fn is_closed(mut self) {
        let name = self.name.clone();
        assert!(self.wire().link.is_closed(), "{name} is still connected");
    }

    /// Expects the connection to be closed after this packet, whatever came before it.
    pub(crate) fn is_closed_with(mut self, last: &str) {
        let seen = self.seen();
        assert_eq!(seen.last().map(Seen::short).as_deref(), Some(last), "{} got", self.name);
        self.is_closed();
    }

    pub(crate) fn is_open(mut self) -> Self {
        let name = self.name.clone();
        assert!(!self.wire().link.is_closed(), "{name} is closed");
        assert!(self.wire().connection.is_connected(), "{name} is not connected");
        self
    }

    pub(crate) fn flow(&mut self) -> Flow {
        self.wire().flow
    }
}

/// A PUBLISH that is sent when nothing more is said about it.
pub(crate) struct Publishing<'b> {
    draft: Option<Draft>,
    client: Option<Client<'b>>,
}

impl<'b> Publishing<'b> {
    fn change(mut self, change: impl FnOnce(Draft) -> Draft) -> Self {
        self.draft = self.draft.take().map(change);
        self
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        self.change(|draft| draft.qos(qos))
    }

    pub(crate) fn retained(self) -> Self {
        self.change(Draft::retained)
    }

    pub(crate) fn expiring_in(self, secs: u32) -> Self {
        self.change(|draft| draft.expiring_in(secs))
    }

    /// Sends it and gives the client back.
    pub(crate) fn then(mut self) -> Client<'b> {
        let mut client = self.client.take().unwrap();
        let draft = self.draft.take().unwrap();
        let bytes = client.bytes_of(&[draft]);
        client.sends(&bytes)
    }

    /// Expects these packets in answer, and nothing else unlooked at but PUBLISH.
    pub(crate) fn gets(self, packets: &[&str]) -> Client<'b> {
        self.then().gets(packets)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        if let (Some(mut client), Some(draft)) = (self.client.take(), self.draft.take()) {
            let bytes = client.bytes_of(&[draft]);
            client.sends(&bytes);
        }
    }
}
