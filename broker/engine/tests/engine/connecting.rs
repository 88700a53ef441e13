use pintle_mqtt::{
    Connect, Packet, Property, PropertyBuffer, ProtocolVersion, QoS, TopicName, Will,
};

use crate::client::Client;
use crate::scenario::Scenario;

/// A CONNECT being put together: of 5.0, with a clean start, unless it is said otherwise.
pub(crate) struct Connecting<'b> {
    scenario: &'b mut Scenario,
    name: String,
    client_id: String,
    version: ProtocolVersion,
    clean_start: bool,
    keep_alive_secs: u16,
    properties: PropertyBuffer,
    will: Option<WillDraft>,
    username: Option<String>,
    by_hand: bool,
}

struct WillDraft {
    topic: String,
    payload: Vec<u8>,
    qos: QoS,
    retain: bool,
    properties: PropertyBuffer,
}

impl<'b> Connecting<'b> {
    pub(crate) fn new(scenario: &'b mut Scenario, name: &str) -> Self {
        Self {
            scenario,
            name: name.to_owned(),
            client_id: name.to_owned(),
            version: ProtocolVersion::V5_0,
            clean_start: true,
            keep_alive_secs: 0,
            properties: PropertyBuffer::new(),
            will: None,
            username: None,
            by_hand: false,
        }
    }

    pub(crate) fn v3(mut self) -> Self {
        self.version = ProtocolVersion::V3_1_1;
        self
    }

    pub(crate) fn v31(mut self) -> Self {
        self.version = ProtocolVersion::V3_1;
        self
    }

    pub(crate) fn as_client_id(mut self, client_id: &str) -> Self {
        self.client_id = client_id.to_owned();
        self
    }

    /// Clean Start (Clean Session before 5.0) is not set.
    pub(crate) fn resuming(mut self) -> Self {
        self.clean_start = false;
        self
    }

    /// Resumes, and keeps its session for so long.
    pub(crate) fn keeping_session(self, secs: u32) -> Self {
        self.resuming().property(Property::SessionExpiryInterval(secs))
    }

    pub(crate) fn keep_alive(mut self, secs: u16) -> Self {
        self.keep_alive_secs = secs;
        self
    }

    pub(crate) fn property(mut self, property: Property<'_>) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn username(mut self, username: &str) -> Self {
        self.username = Some(username.to_owned());
        self
    }

    /// The client answers nothing of itself.
    pub(crate) fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    pub(crate) fn will(mut self, topic: &str, payload: &str) -> Self {
        self.will = Some(WillDraft {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: PropertyBuffer::new(),
        });
        self
    }

    pub(crate) fn will_qos(mut self, qos: QoS) -> Self {
        self.will.as_mut().unwrap().qos = qos;
        self
    }

    pub(crate) fn will_retained(mut self) -> Self {
        self.will.as_mut().unwrap().retain = true;
        self
    }

    pub(crate) fn will_property(mut self, property: Property<'_>) -> Self {
        self.will.as_mut().unwrap().properties.push(property);
        self
    }

    pub(crate) fn will_delay(self, secs: u32) -> Self {
        self.will_property(Property::WillDelayInterval(secs))
    }

    /// The packet.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let will = self.will.as_ref().map(|will| Will {
            topic: TopicName::new(&will.topic).unwrap(),
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: will.properties.as_properties(),
        });
        let mut bytes = Vec::new();
        Connect {
            version: self.version,
            clean_start: self.clean_start,
            keep_alive_secs: self.keep_alive_secs,
            client_id: &self.client_id,
            will,
            username: self.username.as_deref(),
            password: None,
            properties: self.properties.as_properties(),
        }
        .encode(&mut bytes);
        bytes
    }

    /// Opens a connection and sends it.
    pub(crate) fn sent(self) -> Client<'b> {
        self.sent_with(&[])
    }

    /// Sends it with more behind it in the same read.
    pub(crate) fn sent_with(self, more: &[u8]) -> Client<'b> {
        let bytes = [&self.bytes(), more].concat();
        self.scenario.opens_socket(&self.name, self.version);
        self.scenario.wire(&self.name).acknowledges = !self.by_hand;
        self.scenario.feed(&self.name, &bytes);
        Client::new(self.scenario, &self.name)
    }

    /// Sends it and expects success.
    pub(crate) fn is_let_in(self) -> Client<'b> {
        let mut client = self.sent();
        let connack = client.next_seen();
        let is_success = matches!(
            connack.packet(),
            Packet::ConnAck(connack) if connack.reason == pintle_mqtt::ReasonCode::Success
        );
        assert!(is_success, "{connack:?}");
        client
    }

    /// Sends it and expects this one answer, and the end of the connection.
    pub(crate) fn is_refused(self, answer: &str) {
        let client = self.sent();
        client.gets(&[answer]).is_closed();
    }
}
