use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pintle_plugin_api::StampedEvent;

/// Events that wait for one plugin. When it is full, newer ones are lost and counted.
#[derive(Debug)]
pub(crate) struct EventQueue {
    events_max: usize,
    waiting: Mutex<Waiting>,
    lost_total: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// With how many plugins each came through.
    events: VecDeque<(StampedEvent, u8)>,
    lost: u64,
}

/// Events to be told at once, which have come through as many plugins.
pub(crate) struct Batch {
    pub(crate) events: Vec<StampedEvent>,
    /// How many did not fit since the batch before.
    pub(crate) lost: u64,
    pub(crate) hops: u8,
}

pub(crate) const BATCH_EVENTS_MAX: usize = 256;

impl EventQueue {
    pub(crate) fn new(events_max: usize) -> Self {
        Self { events_max, waiting: Mutex::default(), lost_total: AtomicU64::new(0) }
    }

    /// Adds an event that has come through so many plugins; true if it is the first to wait.
    pub(crate) fn push(&self, event: StampedEvent, hops: u8) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.events.len() >= self.events_max {
            waiting.lost += 1;
            self.lost_total.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        waiting.events.push_back((event, hops));
        waiting.events.len() == 1
    }

    /// The oldest events; `None` if none wait.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut waiting = self.waiting.lock();
        let &(_, hops) = waiting.events.front()?;
        let alike = waiting.events.iter().take_while(|(_, others)| *others == hops);
        let count = alike.take(BATCH_EVENTS_MAX).count();
        let lost = std::mem::take(&mut waiting.lost);
        let events = waiting.events.drain(..count).map(|(event, _)| event).collect();
        Some(Batch { events, lost, hops })
    }

    /// A batch never reached the plugin: the next one tells.
    pub(crate) fn lose(&self, batch: &Batch) {
        let count = batch.events.len() as u64;
        self.waiting.lock().lost += count + batch.lost;
        self.lost_total.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn lost_total(&self) -> u64 {
        self.lost_total.load(Ordering::Relaxed)
    }
}
