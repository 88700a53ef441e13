use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Frame, Layout, PacketId, Properties, Property, PropertyBuffer, Publish, PublishFlags, QoS,
    Timestamp, TopicName, Violation,
};

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
        debug_assert!(
            count == 1 || head.properties.is_empty(),
            "a long run has properties"
        );
        debug_assert!(!head.flags.dup && head.properties.topic_alias().is_none());
        debug_assert!(head.topic.is_some(), "a run needs its topic");
        Self {
            head,
            layout,
            frames,
            count,
        }
    }

    /// A run of the one packet in `frame`, encoded in `layout`.
    ///
    /// # Errors
    /// What [`Publish::decode`] refuses.
    pub fn single(frame: &'a [u8], layout: Layout) -> Result<Self, Violation> {
        let cut = Violation::malformed("a packet is cut short");
        let whole = Frame::split(frame, u32::MAX)?.ok_or(cut)?;
        Ok(Self::new(
            Publish::decode(&whole, layout, None)?,
            layout,
            frame,
            1,
        ))
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
        messages(self.frames, self.layout, self.head.topic)
    }
}

fn messages<'a>(
    mut rest: &'a [u8],
    layout: Layout,
    known: Option<TopicName<'a>>,
) -> impl Iterator<Item = (Publish<'a>, &'a [u8])> {
    std::iter::from_fn(move || {
        let frame = Frame::split(rest, u32::MAX).ok()??;
        rest = rest.get(frame.bytes.len()..)?;
        Some((Publish::decode(&frame, layout, known).ok()?, frame.bytes))
    })
}

/// How a PUBLISH is to look on the wire, apart from its Packet Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireForm {
    /// With or without properties.
    pub layout: Layout,
    /// QoS of the delivery, never above that of the message.
    pub qos: QoS,
    /// RETAIN as the receiver is to see it.
    pub retain: bool,
}

/// A run on its way to its receivers: keeps what several of them need, made once.
#[derive(Debug)]
pub struct Publication<'a> {
    run: Run<'a>,
    received_at: Timestamp,
    expires_at: Timestamp,
    encoded: Vec<(WireForm, Vec<u8>)>,
    kept: Option<Arc<KeptRun>>,
}

impl<'a> Publication<'a> {
    /// A run that the broker took at `received_at`.
    pub fn new(run: Run<'a>, received_at: Timestamp) -> Self {
        let expires_at = expiry_of(run.head.properties, received_at);
        Self {
            run,
            received_at,
            expires_at,
            encoded: Vec::new(),
            kept: None,
        }
    }

    /// The run itself.
    pub fn run(&self) -> &Run<'a> {
        &self.run
    }

    /// When the broker took it.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// When it expires; [`Timestamp::NEVER`] without a Message Expiry Interval.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// All packets in `form`, Packet Identifiers still to be written by [`copy_with_packet_ids`].
    ///
    /// The bytes as they came if they already have that form. A Message Expiry Interval is as it
    /// was published, so this serves only deliveries made at once.
    #[inline]
    pub fn encoded(&mut self, form: WireForm) -> &[u8] {
        let flags = self.run.head.flags;
        if form
            == (WireForm {
                layout: self.run.layout,
                qos: flags.qos,
                retain: flags.retain,
            })
        {
            return self.run.frames;
        }
        let found = self.encoded.iter().position(|(known, _)| *known == form);
        let at = found.unwrap_or_else(|| {
            let mut bytes = Vec::with_capacity(self.run.frames.len() + 8);
            for (publish, _) in self.run.iter() {
                in_form(&publish, form).encode(form.layout, &mut bytes);
            }
            self.encoded.push((form, bytes));
            self.encoded.len() - 1
        });
        self.encoded.get(at).map_or(&[], |(_, bytes)| bytes)
    }

    /// The run in memory of its own, shared by all queues that need it.
    pub fn kept(&mut self, budget: &Arc<Budget>) -> Arc<KeptRun> {
        let kept = self.kept.get_or_insert_with(|| {
            Arc::new(KeptRun::new(
                &self.run,
                self.received_at,
                self.expires_at,
                budget,
            ))
        });
        Arc::clone(kept)
    }

    /// A publication made again from a kept run.
    pub fn of_kept(kept: &'a Arc<KeptRun>) -> Option<Self> {
        let mut all = messages(&kept.frames, kept.layout, None);
        let (head, _) = all.next()?;
        let count = 1 + all.count() as u32;
        Some(Self {
            run: Run::new(head, kept.layout, &kept.frames, count),
            received_at: kept.received_at,
            expires_at: kept.expires_at,
            encoded: Vec::new(),
            kept: Some(Arc::clone(kept)),
        })
    }
}

fn expiry_of(properties: Properties<'_>, received_at: Timestamp) -> Timestamp {
    if properties.is_empty() {
        return Timestamp::NEVER;
    }
    properties
        .message_expiry_interval()
        .map_or(Timestamp::NEVER, |secs| received_at.plus_secs(secs))
}

fn in_form<'a>(publish: &Publish<'a>, form: WireForm) -> Publish<'a> {
    let packet_id = match form.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce | QoS::ExactlyOnce => Some(PacketId::FIRST),
    };
    let flags = PublishFlags {
        dup: false,
        qos: form.qos,
        retain: form.retain,
    };
    Publish {
        flags,
        packet_id,
        ..*publish
    }
}

/// Appends `frames`, which all have a Packet Identifier, giving them the identifiers of `ids` in
/// turn.
pub fn copy_with_packet_ids(
    frames: &[u8],
    mut ids: impl FnMut() -> PacketId,
    dup: bool,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(frames);
    let Some(mut rest) = out.get_mut(start..) else {
        return;
    };
    while let Some((len, id_at)) = packet_id_position(rest) {
        if dup && let Some(first) = rest.first_mut() {
            *first |= 0x08;
        }
        if let Some(place) = rest.get_mut(id_at..id_at + 2) {
            place.copy_from_slice(&ids().get().to_be_bytes());
        }
        let Some((_, tail)) = rest.split_at_mut_checked(len) else {
            return;
        };
        rest = tail;
    }
}

/// Length of the packet at the front, and where its Packet Identifier stands.
fn packet_id_position(frames: &[u8]) -> Option<(usize, usize)> {
    let frame = Frame::split(frames, u32::MAX).ok()??;
    let topic_len = u16::from_be_bytes(*frame.body.first_chunk::<2>()?);
    let header_len = frame.bytes.len() - frame.body.len();
    Some((frame.bytes.len(), header_len + 2 + usize::from(topic_len)))
}

/// Bytes of messages that the broker keeps: retained, queued and in flight together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicU64,
    bytes_max: u64,
}

impl Budget {
    /// A budget of `bytes_max` bytes, `broker_bytes_max` in the configuration.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            bytes_max,
        })
    }

    /// Bytes in use, with what each kept run costs beside its packets.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether more is in use than there should be.
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.bytes_max
    }
}

/// A run that outlives its buffer: queued, in flight, or retained. Counts against a [`Budget`].
#[derive(Debug)]
pub struct KeptRun {
    frames: Box<[u8]>,
    layout: Layout,
    received_at: Timestamp,
    expires_at: Timestamp,
    budget: Arc<Budget>,
}

impl KeptRun {
    /// What a kept run costs beside its packets, in bytes.
    const OVERHEAD: u64 = 96;

    fn new(
        run: &Run<'_>,
        received_at: Timestamp,
        expires_at: Timestamp,
        budget: &Arc<Budget>,
    ) -> Self {
        let frames = Box::from(run.frames);
        let kept = Self {
            frames,
            layout: run.layout,
            received_at,
            expires_at,
            budget: Arc::clone(budget),
        };
        budget.used.fetch_add(kept.cost(), Ordering::Relaxed);
        kept
    }

    fn cost(&self) -> u64 {
        self.frames.len() as u64 + Self::OVERHEAD
    }

    /// All packets as encoded bytes.
    pub fn frames(&self) -> &[u8] {
        &self.frames
    }

    /// How the bytes are laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// When the broker took it.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// When it expires; [`Timestamp::NEVER`] without a Message Expiry Interval.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether its Message Expiry Interval has passed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// The packet that begins at byte `offset`, and the offset of the one after it.
    pub fn message_at(&self, offset: u32) -> Option<(Publish<'_>, u32)> {
        let frame = Frame::split(self.frames.get(offset as usize..)?, u32::MAX).ok()??;
        let publish = Publish::decode(&frame, self.layout, None).ok()?;
        Some((publish, offset + frame.bytes.len() as u32))
    }

    /// How many packets there are from byte `offset` on.
    pub fn count_from(&self, offset: u32) -> u32 {
        let mut rest = self.frames.get(offset as usize..).unwrap_or_default();
        let mut count = 0;
        while let Ok(Some(frame)) = Frame::split(rest, u32::MAX) {
            count += 1;
            rest = rest.get(frame.bytes.len()..).unwrap_or_default();
        }
        count
    }
}

impl Drop for KeptRun {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.cost(), Ordering::Relaxed);
    }
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
        let flags = PublishFlags {
            dup: delivery.dup,
            qos: form.qos,
            retain: form.retain,
        };
        let properties = properties.as_properties();
        Publish {
            flags,
            packet_id: delivery.packet_id,
            properties,
            ..*self
        }
        .encode(form.layout, out);
    }
}

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
