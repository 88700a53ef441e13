use std::sync::Arc;

use crate::{
    Budget, Frame, KeptRun, Layout, PacketId, Properties, Publish, PublishFlags, QoS, Run,
    Timestamp,
};

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
        let expires_at = expiry_of(run.head().properties, received_at);
        Self { run, received_at, expires_at, encoded: Vec::new(), kept: None }
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
        let flags = self.run.head().flags;
        if form == (WireForm { layout: self.run.layout(), qos: flags.qos, retain: flags.retain }) {
            return self.run.frames();
        }
        let found = self.encoded.iter().position(|(known, _)| *known == form);
        let at = found.unwrap_or_else(|| {
            let mut bytes = Vec::with_capacity(self.run.frames().len() + 8);
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
            Arc::new(KeptRun::new(&self.run, self.received_at, self.expires_at, budget))
        });
        Arc::clone(kept)
    }

    /// A publication made again from a kept run.
    pub fn of_kept(kept: &'a Arc<KeptRun>) -> Option<Self> {
        let (head, _) = kept.message_at(0)?;
        let count = kept.count_from(0);
        Some(Self {
            run: Run::new(head, kept.layout(), kept.frames(), count),
            received_at: kept.received_at(),
            expires_at: kept.expires_at(),
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
    let flags = PublishFlags { dup: false, qos: form.qos, retain: form.retain };
    Publish { flags, packet_id, ..*publish }
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
