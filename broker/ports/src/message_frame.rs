use pintle_mqtt::{Layout, PacketId, Publish, QoS, Run, Violation};

/// A message that did not come from a client, as one encoded PUBLISH in [`Layout::V5`].
///
/// Wills, messages of plugins and messages that a hook has changed take this form, and from there
/// the same way as any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFrame(Vec<u8>);

impl MessageFrame {
    /// Encodes `publish`; its Packet Identifier is of no meaning and may be missing.
    ///
    /// # Errors
    /// If it would not decode again: no topic, or a Topic Alias.
    pub fn new(publish: &Publish<'_>) -> Result<Self, Violation> {
        let packet_id = match publish.flags.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(PacketId::FIRST),
        };
        let mut bytes = Vec::with_capacity(publish.encoded_len(Layout::V5) + 2);
        Publish { packet_id, ..*publish }.encode(Layout::V5, &mut bytes);
        let run = Run::single(&bytes, Layout::V5)?;
        if run.head().topic.is_none() || run.head().properties.topic_alias().is_some() {
            return Err(Violation::protocol_error("a message needs a topic and no alias"));
        }
        Ok(Self(bytes))
    }

    /// The message as a run of one.
    ///
    /// # Errors
    /// None in practice: the bytes were checked when they were made.
    pub fn as_run(&self) -> Result<Run<'_>, Violation> {
        Run::single(&self.0, Layout::V5)
    }
}
