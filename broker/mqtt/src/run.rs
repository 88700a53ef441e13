use crate::{Frame, Layout, Publish, QoS, TopicName, Violation};

/// PUBLISH packets of one Topic Name, QoS and RETAIN, back to back as encoded bytes.
///
/// A run is what the broker handles at once: a client that sends a hundred messages to one topic
/// costs one look-up, not a hundred. A run of more than one packet has no properties; a packet with
/// properties is a run of its own. No packet of a run has DUP set or a Topic Alias, and every
/// Remaining Length is minimal, so the bytes may be sent on as they are.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    head: Publish<'a>,
    layout: Layout,
    frames: &'a [u8],
    count: u32,
}

impl<'a> Run<'a> {
    /// A run of `count` packets in `frames`, the first of which is `head`.
    ///
    /// The caller keeps the promises of the type; debug builds check them.
    pub fn new(head: Publish<'a>, layout: Layout, frames: &'a [u8], count: u32) -> Self {
        debug_assert!(count == 1 || head.properties.is_empty(), "a long run has properties");
        debug_assert!(!head.flags.dup && head.properties.topic_alias().is_none());
        debug_assert!(head.topic.is_some(), "a run needs its topic");
        Self { head, layout, frames, count }
    }

    /// A run of the one packet in `frame`, encoded in `layout`.
    ///
    /// # Errors
    /// What [`Publish::decode`] refuses; malformed if `frame` is not exactly one packet with a
    /// minimal length; a protocol error if it has DUP set or relies on a Topic Alias.
    pub fn single(frame: &'a [u8], layout: Layout) -> Result<Self, Violation> {
        let whole = Frame::split(frame, u32::MAX)?
            .filter(|whole| whole.bytes.len() == frame.len() && whole.is_minimal())
            .ok_or(Violation::malformed("a run is not exactly one packet"))?;
        let head = Publish::decode(&whole, layout, None)?;
        if head.flags.dup || head.topic.is_none() || head.properties.topic_alias().is_some() {
            let what = "a run has DUP set or a Topic Alias";
            return Err(Violation::protocol_error(what));
        }
        Ok(Self::new(head, layout, frame, 1))
    }

    /// The first packet. Its payload and Packet Identifier are its own, the rest is common to all.
    pub fn head(&self) -> &Publish<'a> {
        &self.head
    }

    /// The Topic Name of every packet.
    pub fn topic(&self) -> TopicName<'a> {
        self.head.topic.unwrap_or(TopicName::trusted("?"))
    }

    /// QoS as published.
    pub fn qos(&self) -> QoS {
        self.head.flags.qos
    }

    /// RETAIN as published.
    pub fn retain(&self) -> bool {
        self.head.flags.retain
    }

    /// How the bytes are laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many packets; at least 1.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// All packets as encoded bytes.
    pub fn frames(&self) -> &'a [u8] {
        self.frames
    }

    /// The packets one by one, each with its encoded bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Publish<'a>, &'a [u8])> + use<'a> {
        let Self { head, layout, frames: mut rest, .. } = *self;
        std::iter::from_fn(move || {
            let frame = Frame::split(rest, u32::MAX).ok()??;
            rest = rest.get(frame.bytes.len()..)?;
            let alike = head.decode_alike(&frame, layout);
            let publish = alike.or_else(|| Publish::decode(&frame, layout, None).ok())?;
            Some((publish, frame.bytes))
        })
    }
}
