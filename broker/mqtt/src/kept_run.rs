use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Frame, Layout, Publish, Run, Timestamp, Violation};

/// Bytes of messages that the broker keeps: retained, queued and in flight together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicU64,
    runs: AtomicU64,
    bytes_max: u64,
}

impl Budget {
    /// A budget of `bytes_max` bytes, `broker_bytes_max` in the configuration.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), runs: AtomicU64::new(0), bytes_max })
    }

    /// Bytes in use, with what each kept run costs beside its packets.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How many runs are kept.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
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

    pub(crate) fn new(
        run: &Run<'_>,
        received_at: Timestamp,
        expires_at: Timestamp,
        budget: &Arc<Budget>,
    ) -> Self {
        let frames = Box::from(run.frames());
        let kept = Self {
            frames,
            layout: run.layout(),
            received_at,
            expires_at,
            budget: Arc::clone(budget),
        };
        budget.used.fetch_add(kept.cost(), Ordering::Relaxed);
        budget.runs.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// The one packet of `frame`, as it was kept before.
    ///
    /// # Errors
    /// If it is not one packet that could stand in a run.
    pub fn restored(
        frame: &[u8],
        layout: Layout,
        received_at: Timestamp,
        expires_at: Timestamp,
        budget: &Arc<Budget>,
    ) -> Result<Self, Violation> {
        let run = Run::single(frame, layout)?;
        Ok(Self::new(&run, received_at, expires_at, budget))
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
        self.budget.runs.fetch_sub(1, Ordering::Relaxed);
    }
}
