use std::collections::BTreeMap;

use pintle_mqtt::{PacketId, Publish, QoS, ReasonCode, Violation};

use crate::topic_aliases::{ResolvedTopic, TopicAliases, check_alias};

/// What a client sends us: Topic Aliases, open QoS 2 identifiers, its receive quota.
///
/// The identifiers belong to the Session, the rest to the Network Connection.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Open QoS 2 identifiers, and whether their PUBLISH came on this Network Connection.
    qos2: BTreeMap<PacketId, bool>,
    aliases: Option<Box<TopicAliases>>,
    receive_maximum: u16,
    topic_alias_maximum: u16,
    /// How many of `qos2` came on this Network Connection.
    qos2_here: u16,
    /// QoS 1 messages whose PUBACK has to wait.
    unacked: u16,
}

/// What a PUBLISH is to its Session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// A message to route.
    New,
    /// A QoS 2 message that was routed already; answer with PUBREC and do no more.
    Duplicate,
}

impl Inbound {
    /// Nothing open, no connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// A Network Connection begins: aliases are forgotten [MQTT-3.3.2-7] and the quota is fresh;
    /// open QoS 2 identifiers stay.
    ///
    /// Both numbers are those announced in CONNACK; v3 clients have 65,535 and 0.
    pub fn begin_connection(&mut self, receive_maximum: u16, topic_alias_maximum: u16) {
        self.aliases = None;
        self.receive_maximum = receive_maximum;
        self.topic_alias_maximum = topic_alias_maximum;
        self.qos2_here = 0;
        self.unacked = 0;
        for here in self.qos2.values_mut() {
            *here = false;
        }
    }

    /// The Session ends: nothing is open any more.
    pub fn clear(&mut self) {
        self.qos2 = BTreeMap::new();
        self.qos2_here = 0;
        self.unacked = 0;
    }

    /// Turns the topic fields of a PUBLISH into its full Topic Name.
    ///
    /// Runs before any hook: a plugin never sees an alias.
    ///
    /// # Errors
    /// `TopicAliasInvalid` (0x94) if the alias is 0 or above the maximum we announced in CONNACK
    /// [MQTT-3.3.2-8] [MQTT-3.3.2-9]; `ProtocolError` (0x82) if it is not known yet.
    #[inline]
    pub fn resolve_topic<'a>(
        &mut self,
        publish: &Publish<'a>,
    ) -> Result<ResolvedTopic<'a>, Violation> {
        if publish.properties.is_empty()
            && let Some(topic) = publish.topic
        {
            return Ok(ResolvedTopic::Sent(topic));
        }
        self.resolve_alias(publish)
    }

    fn resolve_alias<'a>(&mut self, publish: &Publish<'a>) -> Result<ResolvedTopic<'a>, Violation> {
        let alias = publish.properties.topic_alias();
        if let Some(alias) = alias {
            check_alias(alias, self.topic_alias_maximum)?;
        }
        match (publish.topic, alias) {
            (Some(topic), None) => Ok(ResolvedTopic::Sent(topic)),
            (Some(topic), Some(alias)) => {
                self.aliases.get_or_insert_default().set(alias, topic);
                Ok(ResolvedTopic::Sent(topic))
            }
            (None, Some(alias)) => {
                let known = self.aliases.get_or_insert_default().get(alias)?;
                Ok(ResolvedTopic::Aliased(known))
            }
            (None, None) => Err(Violation::protocol_error("a PUBLISH has neither topic nor alias")),
        }
    }

    /// The accept step of a PUBLISH: opens a QoS 2 identifier, or finds it open
    /// [MQTT-4.3.3-10].
    ///
    /// # Errors
    /// `ReceiveMaximumExceeded` (0x93) if as many QoS 1 and 2 messages as we announced are
    /// unfinished already [MQTT-3.3.4-7].
    #[inline]
    pub fn accept(&mut self, qos: QoS, id: Option<PacketId>) -> Result<Acceptance, Violation> {
        match qos {
            QoS::AtMostOnce => Ok(Acceptance::New),
            QoS::AtLeastOnce => self.check_quota().map(|()| Acceptance::New),
            QoS::ExactlyOnce => {
                let missing = Violation::malformed("a PUBLISH lacks its Packet Identifier");
                self.accept_qos2(id.ok_or(missing)?)
            }
        }
    }

    fn accept_qos2(&mut self, id: PacketId) -> Result<Acceptance, Violation> {
        if self.qos2.get(&id) == Some(&true) {
            return Ok(Acceptance::Duplicate);
        }
        self.check_quota()?;
        self.qos2_here += 1;
        match self.qos2.insert(id, true) {
            None => Ok(Acceptance::New),
            Some(_) => Ok(Acceptance::Duplicate),
        }
    }

    fn check_quota(&self) -> Result<(), Violation> {
        let unfinished = u32::from(self.qos2_here) + u32::from(self.unacked);
        if unfinished < u32::from(self.receive_maximum) {
            return Ok(());
        }
        Err(Violation::new(
            ReasonCode::ReceiveMaximumExceeded,
            "more messages are unfinished than the Receive Maximum allows",
        ))
    }

    /// The PUBACK of an accepted QoS 1 message has to wait: it counts against the quota until
    /// [`Inbound::puback_sent`].
    pub fn puback_waits(&mut self) {
        self.unacked = self.unacked.saturating_add(1);
    }

    /// A PUBACK that waited has been sent.
    pub fn puback_sent(&mut self) {
        self.unacked = self.unacked.saturating_sub(1);
    }

    /// A QoS 2 message is answered by a PUBREC of 0x80 or more: its identifier is free, and the
    /// next PUBLISH with it is a new message [MQTT-4.3.3-9].
    pub fn refuse(&mut self, id: PacketId) {
        self.close(id);
    }

    /// PUBREL came: frees the identifier [MQTT-4.3.3-12]. False if it was not open, which PUBCOMP
    /// tells by 0x92.
    pub fn pubrel(&mut self, id: PacketId) -> bool {
        self.close(id)
    }

    fn close(&mut self, id: PacketId) -> bool {
        let Some(here) = self.qos2.remove(&id) else {
            return false;
        };
        self.qos2_here -= u16::from(here);
        if self.qos2.is_empty() {
            self.qos2 = BTreeMap::new();
        }
        true
    }

    /// The QoS 2 identifiers that are open.
    pub fn open_ids(&self) -> impl Iterator<Item = PacketId> {
        self.qos2.keys().copied()
    }

    /// An identifier is open, as it was before; its PUBLISH came on another Network Connection.
    pub fn restore_open(&mut self, id: PacketId) {
        self.qos2.insert(id, false);
    }

    /// How many QoS 2 identifiers are open.
    pub fn open_qos2(&self) -> usize {
        self.qos2.len()
    }
}
