use std::fmt;

/// The kinds of records that a store holds. A record is found by its space and key.
///
/// Keys are bytes and are ordered as bytes. A Client Identifier holds no byte 0, so that one ends
/// it where more follows; numbers are big-endian. A value begins with a byte for its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// One session. Key: Client Identifier.
    Sessions,
    /// One subscription. Key: Client Identifier, 0, filter with its share prefix.
    Subscriptions,
    /// One message that queues or clients in flight refer to. Key: its number in 8 bytes.
    Messages,
    /// One message that waits for a client. Key: Client Identifier, 0, place in the queue in 8
    /// bytes.
    Queue,
    /// One message that was sent and is not finished. Key: Client Identifier, 0, Packet Identifier
    /// in 2 bytes.
    InFlight,
    /// One QoS 2 message that the client has not released. Key: Client Identifier, 0, Packet
    /// Identifier in 2 bytes.
    Inbound,
    /// One retained message. Key: its topic.
    Retained,
}

impl Space {
    /// All of them, in the order in which they are read at the start.
    pub const ALL: [Self; 7] = [
        Self::Messages,
        Self::Sessions,
        Self::Subscriptions,
        Self::Queue,
        Self::InFlight,
        Self::Inbound,
        Self::Retained,
    ];
}

/// One change of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// Sets a record, in the place of the one that has its key.
    Put {
        /// Where.
        space: Space,
        /// Its key.
        key: Vec<u8>,
        /// What it holds.
        value: Vec<u8>,
        /// From when on it is of no meaning, in milliseconds since 1970: a store may then forget
        /// it, and need not.
        expires_at_ms: Option<u64>,
    },
    /// Removes a record. That there is none is no error.
    Delete {
        /// Where.
        space: Space,
        /// Its key.
        key: Vec<u8>,
    },
}

impl StoreOp {
    /// Where it makes a change.
    pub const fn space(&self) -> Space {
        match self {
            Self::Put { space, .. } | Self::Delete { space, .. } => *space,
        }
    }
}

/// A record as a store gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEntry {
    /// Its key, whole.
    pub key: Vec<u8>,
    /// What was put there last.
    pub value: Vec<u8>,
}

/// Why a store did not do what it was asked. It has then done nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Not now: the same again in a moment.
    Busy,
    /// There is no room.
    Full,
    /// What it holds makes no sense.
    Corrupt(String),
    /// It can not be reached, or fails.
    Unavailable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the store is busy"),
            Self::Full => f.write_str("the store is full"),
            Self::Corrupt(what) => write!(f, "the store is corrupt: {what}"),
            Self::Unavailable(what) => write!(f, "the store is not available: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Where what must outlive the broker is kept.
///
/// Called from one thread at a time, which may wait; never from a worker.
pub trait Store: Send + Sync {
    /// Makes it ready; called before everything else.
    ///
    /// # Errors
    /// Why it can not be used.
    fn open(&self) -> Result<(), StoreError>;

    /// Does all of `ops`, in their order, or nothing of them. A batch that failed comes again as it
    /// was: doing it twice is the same as doing it once.
    ///
    /// # Errors
    /// Why nothing was done.
    fn apply(&self, ops: &[StoreOp]) -> Result<(), StoreError>;

    /// The first records of `space`, at most `limit` (at least 1), whose keys begin with `prefix`
    /// and come behind `after`, in the order of their keys. Fewer than `limit` may be given, but
    /// none only if there are none.
    ///
    /// # Errors
    /// Why they can not be read.
    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError>;

    /// Returns when all that was applied would outlive the broker.
    ///
    /// # Errors
    /// If it might not.
    fn flush(&self) -> Result<(), StoreError>;

    /// The end: nothing else is asked before it is opened again.
    ///
    /// # Errors
    /// If something could not be kept.
    fn close(&self) -> Result<(), StoreError>;
}
