use super::bindings::exports::pintle::plugin::{commits, store};
use super::bindings::pintle::plugin::storage_types::{Entry, Op, Space, StoreError};
use super::{Component, Exported};

impl<E: Exported> store::Guest for Component<E> {
    fn open() -> Result<(), StoreError> {
        Err(no_store())
    }

    fn apply(_: Vec<Op>) -> Result<(), StoreError> {
        Err(no_store())
    }

    fn scan(_: Space, _: Vec<u8>, _: Option<Vec<u8>>, _: u32) -> Result<Vec<Entry>, StoreError> {
        Err(no_store())
    }

    fn flush() -> Result<(), StoreError> {
        Err(no_store())
    }

    fn close() -> Result<(), StoreError> {
        Err(no_store())
    }
}

impl<E: Exported> commits::Guest for Component<E> {
    fn on_commit(_: u64, _: Vec<Op>, _: u64) {}
}

fn no_store() -> StoreError {
    StoreError::Unavailable("the plugin is no store".to_owned())
}
