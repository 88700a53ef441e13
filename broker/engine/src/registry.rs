use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::HashSet;
use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard};

use crate::session::SessionRef;

/// Every session by its Client Identifier.
///
/// Sharded, so that a storm of connections does not queue at one lock. The lock of a shard comes
/// before that of a session.
pub(crate) struct Registry {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    count: AtomicU64,
}

pub(crate) type Shard = HashSet<ByClientId>;

/// A session that is found by its Client Identifier, without a copy of it.
pub(crate) struct ByClientId(pub(crate) SessionRef);

impl Borrow<str> for ByClientId {
    fn borrow(&self) -> &str {
        &self.0.client_id
    }
}

impl Hash for ByClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.client_id.hash(state);
    }
}

impl PartialEq for ByClientId {
    fn eq(&self, other: &Self) -> bool {
        self.0.client_id == other.0.client_id
    }
}

impl Eq for ByClientId {}

impl Registry {
    const SHARDS: usize = 32;

    pub(crate) fn new() -> Self {
        let shards = (0..Self::SHARDS).map(|_| Mutex::new(Shard::default())).collect();
        Self { hasher: RandomState::default(), shards, count: AtomicU64::new(0) }
    }

    /// The locked shard that holds `client_id`, if there is such a session.
    pub(crate) fn shard(&self, client_id: &str) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(client_id) as usize % Self::SHARDS;
        #[expect(clippy::indexing_slicing, reason = "there are SHARDS shards")]
        self.shards[at].lock()
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<SessionRef> {
        self.shard(client_id).get(client_id).map(|found| found.0.clone())
    }

    /// All sessions as they are now, a shard at a time.
    pub(crate) fn all(&self) -> impl Iterator<Item = SessionRef> {
        self.shards.iter().flat_map(|shard| {
            let shard = shard.lock();
            shard.iter().map(|found| found.0.clone()).collect::<Vec<_>>()
        })
    }

    /// Puts a session into its locked shard, in the place of another one of the same client.
    #[expect(
        clippy::mutable_key_type,
        reason = "the Client Identifier, which is the key, never changes"
    )]
    pub(crate) fn insert(&self, shard: &mut Shard, session: SessionRef) {
        if shard.replace(ByClientId(session)).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a session out of its locked shard, unless another one has its place.
    #[expect(
        clippy::mutable_key_type,
        reason = "the Client Identifier, which is the key, never changes"
    )]
    pub(crate) fn remove(&self, shard: &mut Shard, session: &SessionRef) {
        if shard.get(&*session.client_id).is_some_and(|found| found.0 == *session) {
            shard.remove(&*session.client_id);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
