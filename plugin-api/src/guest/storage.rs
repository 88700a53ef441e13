use super::bindings::exports::pintle::plugin::{commits, store};
use super::bindings::pintle::plugin::storage_types as wit;
use super::{Component, Exported};
use crate::{Plugin, Space, StoreEntry, StoreError, StoreOp};

impl<E: Exported> store::Guest for Component<E> {
    fn open() -> Result<(), wit::StoreError> {
        Ok(E::guest().plugin.store_open()?)
    }

    fn apply(ops: Vec<wit::Op>) -> Result<(), wit::StoreError> {
        Ok(E::guest().plugin.store_apply(&taken(ops))?)
    }

    fn scan(
        space: wit::Space,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        limit: u32,
    ) -> Result<Vec<wit::Entry>, wit::StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let plugin = &E::guest().plugin;
        let entries = plugin.store_scan(space.into(), &prefix, after.as_deref(), limit)?;
        Ok(entries.into_iter().map(Into::into).collect())
    }

    fn flush() -> Result<(), wit::StoreError> {
        Ok(E::guest().plugin.store_flush()?)
    }

    fn close() -> Result<(), wit::StoreError> {
        Ok(E::guest().plugin.store_close()?)
    }
}

impl<E: Exported> commits::Guest for Component<E> {
    fn on_commit(commit: u64, ops: Vec<wit::Op>, lost: u64) {
        E::guest().plugin.on_commit(commit, &taken(ops), lost);
    }
}

fn taken(ops: Vec<wit::Op>) -> Vec<StoreOp> {
    ops.into_iter().map(Into::into).collect()
}

impl From<wit::Op> for StoreOp {
    fn from(op: wit::Op) -> Self {
        match op {
            wit::Op::Put(wit::Put { space, key, value, expires_at_ms }) => {
                Self::Put { space: space.into(), key, value, expires_at_ms }
            }
            wit::Op::Delete(wit::Place { space, key }) => Self::Delete { space: space.into(), key },
        }
    }
}

impl From<wit::Space> for Space {
    fn from(space: wit::Space) -> Self {
        match space {
            wit::Space::Sessions => Self::Sessions,
            wit::Space::Subscriptions => Self::Subscriptions,
            wit::Space::Messages => Self::Messages,
            wit::Space::Queue => Self::Queue,
            wit::Space::InFlight => Self::InFlight,
            wit::Space::Inbound => Self::Inbound,
            wit::Space::Retained => Self::Retained,
        }
    }
}

impl From<StoreEntry> for wit::Entry {
    fn from(entry: StoreEntry) -> Self {
        Self { key: entry.key, value: entry.value }
    }
}

impl From<StoreError> for wit::StoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Full => Self::Full,
            StoreError::Corrupt(what) => Self::Corrupt(what),
            StoreError::Unavailable(what) => Self::Unavailable(what),
        }
    }
}
