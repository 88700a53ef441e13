use std::fmt;

/// The kinds of records that a store holds. A record is found by its space and key.
///
/// Keys are bytes and are ordered as bytes. A Client Identifier holds no byte 0, so that one ends
/// it where more follows; numbers are big-endian. What values hold is the broker's own matter: they
/// begin with a byte for their version, and a store gives them back as they were.
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

    /// Its name, for scripts and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Subscriptions => "subscriptions",
            Self::Messages => "messages",
            Self::Queue => "queue",
            Self::InFlight => "in-flight",
            Self::Inbound => "inbound",
            Self::Retained => "retained",
        }
    }

    /// The space of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.name() == name)
    }
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

#[cfg(test)]
mod tests {
    use super::Space;

    #[test]
    fn every_space_is_found_by_its_name() {
        for space in Space::ALL {
            assert_eq!(Space::named(space.name()), Some(space));
        }
        assert_eq!(Space::named("nowhere"), None);
    }
}
