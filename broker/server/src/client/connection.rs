use std::collections::HashSet;
use std::time::{Duration, Instant};

use pintle_mqtt::{
    AckKind, Connect, Disconnect, Frame, Packet, PacketId, PacketType, Property, PropertyBuffer,
    ProtocolVersion, Publish, PublishFlags, QoS, ReasonCode, Subscribe, SubscribeBuffer,
    SubscribeOptions, TopicName, encode_ack,
};

use super::stream::{HANDSHAKE_TIMEOUT, Stream, address, silent};
use super::{ClientError, ConnectOptions, OutgoingMessage, Will};

/// A connection to a broker that has been accepted.
pub(crate) struct Connection {
    stream: Stream,
    version: ProtocolVersion,
    /// What has arrived and is not handled yet.
    arrived: Vec<u8>,
    next_id: PacketId,
    keep_alive: Duration,
    last_sent: Instant,
    /// What the broker takes.
    packet_bytes_max: u32,
    /// QoS 2 messages that have been handed out and not been released yet.
    unreleased: HashSet<PacketId>,
}

impl Connection {
    /// Connects and waits for CONNACK.
    pub(crate) fn open(options: &ConnectOptions) -> Result<Self, ClientError> {
        let stream = Stream::connect(options)?;
        let mut connection = Self {
            stream,
            version: options.version,
            arrived: Vec::new(),
            next_id: PacketId::FIRST,
            keep_alive: Duration::from_secs(u64::from(options.keep_alive_secs)),
            last_sent: Instant::now(),
            packet_bytes_max: u32::MAX,
            unreleased: HashSet::new(),
        };
        let connect = encode_connect(options)?;
        let accepted = connection.send(&connect).and_then(|()| connection.await_connack(options));
        match accepted {
            Ok(()) => Ok(connection),
            Err(ClientError::Closed | ClientError::Broken(_) | ClientError::NoMqtt(_)) => {
                Err(ClientError::ClosedEarly { address: address(options) })
            }
            Err(other) => Err(other),
        }
    }

    fn await_connack(&mut self, options: &ConnectOptions) -> Result<(), ClientError> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        let Some(bytes) = self.next_packet(Some(deadline))? else {
            return Err(silent(options, "MQTT"));
        };
        match decode(&bytes, self.version)? {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => {
                if let Some(secs) = connack.properties.server_keep_alive() {
                    self.keep_alive = Duration::from_secs(u64::from(secs));
                }
                let max = connack.properties.maximum_packet_size();
                self.packet_bytes_max = max.unwrap_or(u32::MAX);
                Ok(())
            }
            Packet::ConnAck(connack) => Err(ClientError::Refused { reason: connack.reason }),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// Publishes, and at QoS 1 and 2 waits until the broker has taken over.
    pub(crate) fn publish(&mut self, message: &OutgoingMessage) -> Result<(), ClientError> {
        let topic = topic_name(&message.topic)?;
        check_lengths(message)?;
        let properties = message.properties.to_buffer();
        let packet_id = match message.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(self.take_id()),
        };
        let publish = Publish {
            flags: PublishFlags { dup: false, qos: message.qos, retain: message.retain },
            topic: Some(topic),
            packet_id,
            properties: properties.as_properties(),
            payload: &message.payload,
        };
        let mut bytes = Vec::new();
        publish.encode(self.version.layout(), &mut bytes);
        self.send(&bytes)?;
        let Some(id) = packet_id else { return Ok(()) };
        let reason = match message.qos {
            QoS::ExactlyOnce => self.hand_over(id)?,
            QoS::AtMostOnce | QoS::AtLeastOnce => self.await_ack(id, AckKind::PubAck)?,
        };
        if reason.is_failure() {
            let topic = message.topic.clone();
            return Err(ClientError::NotPublished { topic, reason });
        }
        Ok(())
    }

    fn hand_over(&mut self, id: PacketId) -> Result<ReasonCode, ClientError> {
        let reason = self.await_ack(id, AckKind::PubRec)?;
        if reason.is_failure() {
            return Ok(reason);
        }
        self.send_ack(AckKind::PubRel, id)?;
        self.await_ack(id, AckKind::PubComp)
    }

    fn await_ack(&mut self, id: PacketId, kind: AckKind) -> Result<ReasonCode, ClientError> {
        loop {
            let Some(bytes) = self.next_packet(None)? else {
                continue;
            };
            let answer = match (decode(&bytes, self.version)?, kind) {
                (Packet::PubAck(ack), AckKind::PubAck)
                | (Packet::PubRec(ack), AckKind::PubRec)
                | (Packet::PubComp(ack), AckKind::PubComp) => Some(ack),
                (Packet::Disconnect(disconnect), _) => return Err(disconnected(&disconnect)),
                _ => None,
            };
            if let Some(ack) = answer.filter(|ack| ack.packet_id == id) {
                return Ok(ack.reason);
            }
        }
    }

    /// Subscribes and waits for SUBACK. Messages that come before it are kept for
    /// [`Connection::receive`].
    pub(crate) fn subscribe(
        &mut self,
        filters: &[String],
        options: SubscribeOptions,
    ) -> Result<(), ClientError> {
        let packet_id = self.take_id();
        let mut buffer = SubscribeBuffer::new();
        for filter in filters {
            check_length(filter, "a Topic Filter")?;
            buffer.push(filter, options);
        }
        let mut bytes = Vec::new();
        let properties = PropertyBuffer::new();
        let subscribe = Subscribe {
            packet_id,
            properties: properties.as_properties(),
            filters: buffer.as_filters(),
        };
        subscribe.encode(self.version, &mut bytes);
        self.send(&bytes)?;
        self.await_suback(packet_id, filters)
    }

    fn await_suback(&mut self, id: PacketId, filters: &[String]) -> Result<(), ClientError> {
        let mut early = Vec::new();
        let codes: Vec<ReasonCode> = loop {
            let Some(bytes) = self.next_packet(None)? else {
                continue;
            };
            match decode(&bytes, self.version)? {
                Packet::SubAck(suback) if suback.packet_id == id => {
                    break suback.codes.iter().collect();
                }
                Packet::Disconnect(disconnect) => return Err(disconnected(&disconnect)),
                _ => early.extend_from_slice(&bytes),
            }
        };
        early.append(&mut self.arrived);
        self.arrived = early;
        let refused = filters.iter().zip(codes).find(|(_, code)| code.is_failure());
        match refused {
            Some((filter, reason)) => {
                Err(ClientError::NotSubscribed { filter: filter.clone(), reason })
            }
            None => Ok(()),
        }
    }

    /// Waits for a message until `deadline` and hands it to `take`; false if none came. Answers
    /// what the broker sends otherwise.
    pub(crate) fn receive(
        &mut self,
        deadline: Option<Instant>,
        take: impl FnOnce(&Publish<'_>),
    ) -> Result<bool, ClientError> {
        loop {
            let Some(bytes) = self.next_packet(deadline)? else {
                return Ok(false);
            };
            match decode(&bytes, self.version)? {
                Packet::Publish(publish) if self.acknowledge(&publish)? => {
                    take(&publish);
                    return Ok(true);
                }
                Packet::PubRel(ack) => {
                    self.unreleased.remove(&ack.packet_id);
                    self.send_ack(AckKind::PubComp, ack.packet_id)?;
                }
                Packet::Disconnect(disconnect) => return Err(disconnected(&disconnect)),
                _ => {}
            }
        }
    }

    /// Acknowledges a message; false if it was handed out before.
    fn acknowledge(&mut self, publish: &Publish<'_>) -> Result<bool, ClientError> {
        match (publish.flags.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => {
                self.send_ack(AckKind::PubAck, id)?;
                Ok(true)
            }
            (QoS::ExactlyOnce, Some(id)) => {
                self.send_ack(AckKind::PubRec, id)?;
                Ok(self.unreleased.insert(id))
            }
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => Ok(true),
        }
    }

    /// Says goodbye, so that the will is not sent.
    pub(crate) fn close(mut self) -> Result<(), ClientError> {
        let mut bytes = Vec::new();
        Disconnect::new(ReasonCode::Success).encode(self.version, &mut bytes);
        self.send(&bytes)?;
        self.stream.close();
        Ok(())
    }

    fn take_id(&mut self) -> PacketId {
        let id = self.next_id;
        self.next_id = id.next();
        id
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        if bytes.len() > self.packet_bytes_max as usize {
            return Err(ClientError::TooLarge { bytes: bytes.len(), max: self.packet_bytes_max });
        }
        self.last_sent = Instant::now();
        self.stream.write(bytes).map_err(ClientError::Broken)
    }

    fn send_ack(&mut self, kind: AckKind, id: PacketId) -> Result<(), ClientError> {
        let mut bytes = Vec::new();
        encode_ack(kind, id, &mut bytes);
        self.send(&bytes)
    }

    /// The next whole packet; `None` if none came until `deadline`. Keeps the connection alive
    /// meanwhile.
    fn next_packet(&mut self, deadline: Option<Instant>) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(frame) = Frame::split(&self.arrived, u32::MAX)? {
                let len = frame.bytes.len();
                return Ok(Some(self.arrived.drain(..len).collect()));
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(None);
            }
            let silence = self.keep_alive.saturating_sub(now - self.last_sent);
            if !self.keep_alive.is_zero() && silence.is_zero() {
                self.send(&[PacketType::PingReq.first_byte(), 0])?;
                continue;
            }
            let mut wait = Duration::from_secs(3600);
            if !self.keep_alive.is_zero() {
                wait = wait.min(silence);
            }
            if let Some(deadline) = deadline {
                wait = wait.min(deadline - now);
            }
            let open = self.stream.read(&mut self.arrived, wait);
            if !open.map_err(ClientError::Broken)? {
                return Err(ClientError::Closed);
            }
        }
    }
}

fn decode(bytes: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, ClientError> {
    let Some(frame) = Frame::split(bytes, u32::MAX)? else {
        return Err(ClientError::Unexpected);
    };
    Ok(Packet::decode(&frame, version)?)
}

fn disconnected(disconnect: &Disconnect<'_>) -> ClientError {
    ClientError::Disconnected {
        reason: disconnect.reason,
        text: disconnect.properties.reason_string().map(str::to_owned),
    }
}

fn topic_name(text: &str) -> Result<TopicName<'_>, ClientError> {
    TopicName::new(text)
        .map_err(|violation| ClientError::Topic { text: text.to_owned(), why: violation.what })
}

fn check_length(text: &str, what: &'static str) -> Result<(), ClientError> {
    if text.len() > usize::from(u16::MAX) {
        return Err(ClientError::TooLong { what });
    }
    Ok(())
}

fn check_lengths(message: &OutgoingMessage) -> Result<(), ClientError> {
    message.properties.strings().try_for_each(|text| check_length(text, "a property"))
}

fn encode_connect(options: &ConnectOptions) -> Result<Vec<u8>, ClientError> {
    check_length(&options.client_id, "the Client Identifier")?;
    let username = options.username.as_deref();
    let password = options.password.as_deref();
    check_length(username.unwrap_or_default(), "the User Name")?;
    check_length(password.unwrap_or_default(), "the password")?;
    let will_properties = options.will.as_ref().map(will_properties);
    let will_properties = will_properties.unwrap_or_default();
    let will = match &options.will {
        Some(will) => Some(encode_will(will, &will_properties)?),
        None => None,
    };
    let mut properties = PropertyBuffer::new();
    if options.session_expiry_secs > 0 {
        properties.push(Property::SessionExpiryInterval(options.session_expiry_secs));
    }
    let connect = Connect {
        version: options.version,
        clean_start: options.clean_start,
        keep_alive_secs: options.keep_alive_secs,
        client_id: &options.client_id,
        will,
        username,
        password: password.map(str::as_bytes),
        properties: properties.as_properties(),
    };
    let mut bytes = Vec::new();
    connect.encode(&mut bytes);
    Ok(bytes)
}

fn will_properties(will: &Will) -> PropertyBuffer {
    let mut properties = will.message.properties.to_buffer();
    properties.push_some(will.delay_secs.map(Property::WillDelayInterval));
    properties
}

fn encode_will<'a>(
    will: &'a Will,
    properties: &'a PropertyBuffer,
) -> Result<pintle_mqtt::Will<'a>, ClientError> {
    let message = &will.message;
    check_lengths(message)?;
    if message.payload.len() > usize::from(u16::MAX) {
        return Err(ClientError::TooLong { what: "the payload of a will" });
    }
    Ok(pintle_mqtt::Will {
        topic: topic_name(&message.topic)?,
        payload: &message.payload,
        qos: message.qos,
        retain: message.retain,
        properties: properties.as_properties(),
    })
}
