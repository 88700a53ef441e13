//! The broker's store, kept in the plugin's own kv: what is retained, sessions and what waits for
//! them. A record stands at `<space>:<key>`, the key in hexadecimal digits, which have its order.

use std::sync::{Arc, OnceLock};

use pintle_plugin_api::{
    About, Hooks, Host, HostError, Plugin, Space, StoreEntry, StoreError, StoreOp,
};
use serde_json::{Map, Value, json};

pintle_plugin_api::export!(KvStore, interfaces: [store, control]);

/// Keys that kv lists at once.
const PAGE_MAX: usize = 1000;

/// The plugin.
#[derive(Default)]
pub struct KvStore {
    host: OnceLock<Arc<dyn Host>>,
}

impl KvStore {
    fn host(&self) -> Result<&dyn Host, StoreError> {
        let host = self.host.get();
        host.map(|host| &**host).ok_or_else(|| StoreError::Unavailable("not started".to_owned()))
    }

    /// How many records a space has.
    fn count(&self, space: Space) -> Result<usize, StoreError> {
        let host = self.host()?;
        let mut count = 0;
        let mut last: Option<String> = None;
        loop {
            let prefix = place(space, &[]);
            let page = host.kv_list(&prefix, last.as_deref(), PAGE_MAX).map_err(store_error)?;
            count += page.len();
            last = page.into_iter().next_back();
            if last.is_none() {
                return Ok(count);
            }
        }
    }
}

impl Plugin for KvStore {
    fn about(&self) -> About {
        let hooks = Hooks::STORE.and(Hooks::COMMAND);
        About::new("kv-store", env!("CARGO_PKG_VERSION"), hooks)
    }

    fn start(&self, host: Arc<dyn Host>) {
        // The first is kept; there is one broker.
        let _ = self.host.set(host);
    }

    /// Where one can not be done, those before it are done again with it: the batch comes again.
    fn store_apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        let host = self.host()?;
        for op in ops {
            let done = match op {
                StoreOp::Put { space, key, value, .. } => {
                    host.kv_set(&place(*space, key), value, None)
                }
                StoreOp::Delete { space, key } => host.kv_delete(&place(*space, key)).map(drop),
            };
            done.map_err(store_error)?;
        }
        Ok(())
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let host = self.host()?;
        let after = after.map(|key| place(space, key));
        let places = host.kv_list(&place(space, prefix), after.as_deref(), limit.min(PAGE_MAX));
        let mut entries = Vec::new();
        for place in places.map_err(store_error)? {
            let key = key_at(&place).ok_or_else(|| StoreError::Corrupt(format!("key {place}")))?;
            if let Some(value) = host.kv_get(&place).map_err(store_error)? {
                entries.push(StoreEntry { key, value });
            }
        }
        Ok(entries)
    }

    /// `count` tells how many records there are.
    fn on_command(&self, _: Option<&str>, command: &str, _: &str) -> Result<String, String> {
        if command != "count" {
            return Err(format!("there is no command `{command}`; there is: count"));
        }
        let mut counts = Map::new();
        for space in Space::ALL {
            let count = self.count(space).map_err(|error| error.to_string())?;
            counts.insert(space.name().to_owned(), json!(count));
        }
        Ok(Value::Object(counts).to_string())
    }
}

fn store_error(error: HostError) -> StoreError {
    match error {
        HostError::Quota(_) => StoreError::Full,
        HostError::NotGranted(_) | HostError::Invalid(_) => {
            StoreError::Unavailable(error.to_string())
        }
    }
}

/// Where in kv the record of a key stands, or begins.
fn place(space: Space, key: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

    let mut place = String::with_capacity(space.name().len() + 1 + 2 * key.len());
    place.push_str(space.name());
    place.push(':');
    for byte in key {
        place.extend([byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]));
    }
    place
}

/// The key of the record that stands at `place`.
fn key_at(place: &str) -> Option<Vec<u8>> {
    let (_, digits) = place.split_once(':')?;
    let mut key = Vec::with_capacity(digits.len() / 2);
    for pair in digits.as_bytes().chunks(2) {
        let &[high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16);
        key.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_and_keeps_its_order() {
        let keys: [&[u8]; 4] = [b"", b"\0", b"a/b", b"a\xff"];
        let places = keys.map(|key| place(Space::InFlight, key));
        assert!(places.is_sorted());
        assert_eq!(places.each_ref().map(|place| key_at(place).unwrap()), keys.map(<[u8]>::to_vec));
    }

    #[test]
    fn what_is_no_place_has_no_key() {
        for bad in ["retained", "retained:6", "retained:6x"] {
            assert_eq!(key_at(bad), None, "{bad}");
        }
    }
}
