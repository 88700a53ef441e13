use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::decision_cache::Entry;

/// What threads found last among the decisions of one plugin. Each finds its own again without a lock,
/// and counts that where no other thread writes.
#[derive(Debug)]
pub(crate) struct RecentDecisions {
    /// By which threads tell those of one plugin from those of another.
    id: u64,
    /// Rises when all are to be forgotten.
    version: AtomicU64,
    hits: Mutex<Hits>,
}

/// How often something was found.
#[derive(Debug, Default)]
struct Hits {
    of_threads: Vec<Arc<AtomicU64>>,
    /// Of threads that ended.
    of_others: u64,
}

/// How many a thread remembers, of all plugins together. Another that comes to the same place takes it.
const RECENT_MAX: usize = 1024;

struct Recent {
    id: u64,
    version: u64,
    entry: Arc<Entry>,
    hits: Arc<AtomicU64>,
}

#[derive(Default)]
struct OfThread {
    recent: Vec<Option<Recent>>,
    /// This thread's figures, by the plugin.
    hits: Vec<(u64, Arc<AtomicU64>)>,
}

thread_local! {
    static OF_THREAD: RefCell<OfThread> =
        const { RefCell::new(OfThread { recent: Vec::new(), hits: Vec::new() }) };
}

impl RecentDecisions {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed),
            version: AtomicU64::new(0),
            hits: Mutex::default(),
        }
    }

    /// Shows `seen` what this thread found last for `key` if it still `holds`, else what `search` finds,
    /// which does; whether there is such a thing.
    #[inline]
    pub(crate) fn find(
        &self,
        key: u64,
        holds: impl FnOnce(&Entry) -> bool,
        search: impl FnOnce() -> Option<Arc<Entry>>,
        mut seen: impl FnMut(&Entry),
    ) -> bool {
        // Before the search: what is forgotten during it is not remembered after it.
        let version = self.version.load(Ordering::Acquire);
        let place = self.place_of(key);
        let is_recent = OF_THREAD.with_borrow(|mine| match mine.recent.get(place) {
            Some(Some(one)) if one.id == self.id && one.version == version && holds(&one.entry) => {
                count(&one.hits);
                seen(&one.entry);
                true
            }
            _ => false,
        });
        if is_recent {
            return true;
        }
        let Some(entry) = search() else { return false };
        seen(&entry);
        self.remember(place, version, entry);
        true
    }

    #[inline]
    fn place_of(&self, key: u64) -> usize {
        // Plugins that are asked about the same have places beside each other.
        let place = key.wrapping_add(self.id) % RECENT_MAX as u64;
        usize::try_from(place).unwrap_or_default()
    }

    fn remember(&self, place: usize, version: u64, entry: Arc<Entry>) {
        let before = OF_THREAD.with_borrow_mut(|mine| {
            let hits = self.hits_of(mine);
            count(&hits);
            if mine.recent.is_empty() {
                mine.recent.resize_with(RECENT_MAX, || None);
            }
            let recent = Recent { id: self.id, version, entry, hits };
            mine.recent.get_mut(place).and_then(|place| place.replace(recent))
        });
        drop(before);
    }

    /// The figure of a thread.
    fn hits_of(&self, mine: &mut OfThread) -> Arc<AtomicU64> {
        if let Some((_, hits)) = mine.hits.iter().find(|(id, _)| *id == self.id) {
            return Arc::clone(hits);
        }
        // Those of plugins that are gone.
        mine.hits.retain(|(_, hits)| Arc::strong_count(hits) > 1);
        let hits = Arc::new(AtomicU64::new(0));
        mine.hits.push((self.id, Arc::clone(&hits)));
        let mut all = self.hits.lock();
        let Hits { of_threads, of_others } = &mut *all;
        of_threads.retain(|other| {
            let is_used = Arc::strong_count(other) > 1;
            if !is_used {
                *of_others += other.load(Ordering::Relaxed);
            }
            is_used
        });
        of_threads.push(Arc::clone(&hits));
        hits
    }

    /// What threads remember counts for nothing from now on.
    pub(crate) fn forget(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn hits(&self) -> u64 {
        let all = self.hits.lock();
        let of_threads = all.of_threads.iter().map(|hits| hits.load(Ordering::Relaxed));
        of_threads.sum::<u64>() + all.of_others
    }
}

/// Its own thread alone writes a figure.
#[inline]
fn count(hits: &AtomicU64) {
    hits.store(hits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
