use pintle_mqtt::{
    PacketId, Property, PropertyBuffer, ProtocolVersion, Publish, PublishFlags, QoS, TopicName,
};

/// A PUBLISH being put together.
#[derive(Clone)]
pub(crate) struct Draft {
    topic: Option<String>,
    payload: Vec<u8>,
    flags: PublishFlags,
    id: Option<u16>,
    properties: PropertyBuffer,
}

/// A PUBLISH of QoS 0.
pub(crate) fn publish(topic: &str, payload: impl AsRef<[u8]>) -> Draft {
    Draft {
        topic: Some(topic.to_owned()),
        payload: payload.as_ref().to_vec(),
        flags: PublishFlags::default(),
        id: None,
        properties: PropertyBuffer::new(),
    }
}

impl Draft {
    pub(crate) fn qos(mut self, qos: u8) -> Self {
        self.flags.qos = QoS::from_bits(qos).unwrap();
        self
    }

    pub(crate) fn retained(mut self) -> Self {
        self.flags.retain = true;
        self
    }

    pub(crate) fn dup(mut self) -> Self {
        self.flags.dup = true;
        self
    }

    pub(crate) fn id(mut self, id: u16) -> Self {
        self.id = Some(id);
        self
    }

    pub(crate) fn property(mut self, property: Property<'_>) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn alias(self, alias: u16) -> Self {
        self.property(Property::TopicAlias(alias))
    }

    /// Leaves the topic out, as a packet does that relies on its alias.
    pub(crate) fn without_topic(mut self) -> Self {
        self.topic = None;
        self
    }

    pub(crate) fn expiring_in(self, secs: u32) -> Self {
        self.property(Property::MessageExpiryInterval(secs))
    }

    pub(crate) const fn needs_id(&self) -> bool {
        !matches!(self.flags.qos, QoS::AtMostOnce) && self.id.is_none()
    }

    pub(crate) fn bytes(&self, version: ProtocolVersion) -> Vec<u8> {
        let mut bytes = Vec::new();
        Publish {
            flags: self.flags,
            topic: self.topic.as_deref().map(|topic| TopicName::new(topic).unwrap()),
            packet_id: self.id.and_then(PacketId::new),
            properties: self.properties.as_properties(),
            payload: &self.payload,
        }
        .encode(version.layout(), &mut bytes);
        bytes
    }
}
