use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use pintle_mqtt::{TopicFilter, TopicName};

const SHARDS: usize = 256;
/// As many bytes of the first level tell the shard; the rest may collide.
const HASHED_BYTES: usize = 24;

/// Tells whether routes made before still hold, sharded by the first topic level, so that one
/// SUBSCRIBE does not make every cached route stale.
///
/// Whoever changes the tree bumps after the change; whoever caches a route reads [`Self::of`]
/// before it asks the tree. The route holds as long as `of` says the same.
pub struct Generations {
    shards: [AtomicU64; SHARDS],
    all: AtomicU64,
}

impl Generations {
    /// Generations at their beginning.
    pub fn new() -> Self {
        Self { shards: [const { AtomicU64::new(0) }; SHARDS], all: AtomicU64::new(0) }
    }

    /// Makes the routes of all topics stale that `filter` may match, and few others.
    pub fn bump(&self, filter: TopicFilter<'_>) {
        let text = filter.as_str();
        if text.starts_with(['+', '#']) {
            self.bump_all();
        } else {
            self.shard(text).fetch_add(1, Ordering::Release);
        }
    }

    /// Makes all routes stale.
    pub fn bump_all(&self) {
        self.all.fetch_add(1, Ordering::Release);
    }

    /// A number that never goes down; while it stays the same, nothing has changed that could
    /// change the route of `topic`.
    pub fn of(&self, topic: TopicName<'_>) -> u64 {
        // Neither summand goes down, so an equal sum means that both are equal.
        let shard = self.shard(topic.as_str()).load(Ordering::Acquire);
        shard.wrapping_add(self.all.load(Ordering::Acquire))
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder by SHARDS is below SHARDS")]
    fn shard(&self, text: &str) -> &AtomicU64 {
        let level = text.bytes().take(HASHED_BYTES).take_while(|&byte| byte != b'/');
        let hash = level.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        &self.shards[(hash ^ hash >> 32) as usize % SHARDS]
    }
}

impl Default for Generations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").finish_non_exhaustive()
    }
}
