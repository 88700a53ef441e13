use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use pintle_plugin_api::HostError;
use serde::{Deserialize, Serialize};

use crate::events::now_ms;

/// What one plugin keeps, shared by all its instances and generations.
#[derive(Debug, Default)]
pub(crate) struct KvStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<String, Entry>,
    /// Bytes of all keys and values.
    bytes: usize,
    /// Whether there is something that no snapshot has.
    is_dirty: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(with = "crate::kv_bytes")]
    value: Vec<u8>,
    /// Milliseconds since 1970, so that it holds over a restart.
    until_ms: Option<u64>,
}

/// Longest key, in bytes: room for whatever a store has to find again, written as text.
const KEY_BYTES_MAX: usize = 256 << 10;
/// Keys listed at once.
const LIST_MAX: usize = 1000;

impl Entry {
    fn is_there(&self, now: u64) -> bool {
        self.until_ms.is_none_or(|until| now < until)
    }
}

fn until(ttl: Option<Duration>) -> Option<u64> {
    ttl.map(|ttl| now_ms().saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)))
}

fn check_key(key: &str) -> Result<(), HostError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let what = format!("a key should have 1 to {KEY_BYTES_MAX} bytes, and has {}", key.len());
        return Err(HostError::Invalid(what));
    }
    Ok(())
}

impl Kept {
    fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.is_there(now_ms()))
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        self.bytes -= key.len() + entry.value.len();
        self.is_dirty = true;
        entry.is_there(now_ms())
    }

    fn put(&mut self, key: &str, entry: Entry, bytes_max: usize) -> Result<(), HostError> {
        let bytes = key.len() + entry.value.len();
        let freed = self.entries.get(key).map_or(0, |old| key.len() + old.value.len());
        if self.bytes - freed + bytes > bytes_max {
            self.sweep(key);
            let freed = self.entries.get(key).map_or(0, |old| key.len() + old.value.len());
            if self.bytes - freed + bytes > bytes_max {
                return Err(HostError::Quota("grants.kv"));
            }
        }
        self.remove(key);
        self.entries.insert(key.to_owned(), entry);
        self.bytes += bytes;
        self.is_dirty = true;
        Ok(())
    }

    /// Takes out what is over.
    fn sweep(&mut self, except: &str) {
        let now = now_ms();
        let bytes = &mut self.bytes;
        self.entries.retain(|key, entry| {
            let stays = entry.is_there(now) || key == except;
            if !stays {
                *bytes -= key.len() + entry.value.len();
            }
            stays
        });
    }
}

impl KvStore {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        check_key(key)?;
        Ok(self.kept.lock().get(key).map(|entry| entry.value.clone()))
    }

    pub(crate) fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
        bytes_max: usize,
    ) -> Result<(), HostError> {
        check_key(key)?;
        let entry = Entry { value: value.to_vec(), until_ms: until(ttl) };
        self.kept.lock().put(key, entry, bytes_max)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool, HostError> {
        check_key(key)?;
        Ok(self.kept.lock().remove(key))
    }

    pub(crate) fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
        bytes_max: usize,
    ) -> Result<i64, HostError> {
        check_key(key)?;
        let mut kept = self.kept.lock();
        let (count, until_ms) = match kept.get(key) {
            None => (0, until(ttl)),
            Some(entry) => {
                let text = std::str::from_utf8(&entry.value).ok();
                let count = text.and_then(|text| text.parse::<i64>().ok()).ok_or_else(|| {
                    HostError::Invalid(format!("the value of `{key}` is no whole number"))
                })?;
                (count, entry.until_ms)
            }
        };
        let count = count
            .checked_add(by)
            .ok_or_else(|| HostError::Invalid(format!("`{key}` can not be counted any further")))?;
        let value = count.to_string().into_bytes();
        kept.put(key, Entry { value, until_ms }, bytes_max)?;
        Ok(count)
    }

    pub(crate) fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
        bytes_max: usize,
    ) -> Result<bool, HostError> {
        check_key(key)?;
        let mut kept = self.kept.lock();
        if kept.get(key).map(|entry| &*entry.value) != expected {
            return Ok(false);
        }
        match value {
            Some(value) => {
                let entry = Entry { value: value.to_vec(), until_ms: None };
                kept.put(key, entry, bytes_max)?;
            }
            None => {
                kept.remove(key);
            }
        }
        Ok(true)
    }

    pub(crate) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let kept = self.kept.lock();
        let now = now_ms();
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        kept.entries
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, entry)| entry.is_there(now))
            .map(|(key, _)| key.clone())
            .take(limit.min(LIST_MAX))
            .collect()
    }

    /// Reads a snapshot, if there is one.
    ///
    /// # Errors
    /// If it can not be read or is none; the store is then as before.
    pub(crate) fn restore(&self, path: &Path) -> io::Result<()> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let entries: BTreeMap<String, Entry> = serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut kept = self.kept.lock();
        // What was kept in memory since is newer.
        let newer = std::mem::take(&mut kept.entries);
        let is_dirty = !newer.is_empty();
        let entries: BTreeMap<String, Entry> = entries.into_iter().chain(newer).collect();
        kept.bytes = entries.iter().map(|(key, entry)| key.len() + entry.value.len()).sum();
        kept.entries = entries;
        kept.sweep("");
        kept.is_dirty = is_dirty;
        Ok(())
    }

    /// Writes a snapshot if something has changed: to a file beside it, to the disk, into its place.
    ///
    /// # Errors
    /// If it can not be written; the one before it is still there.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let bytes = {
            let mut kept = self.kept.lock();
            if !kept.is_dirty {
                return Ok(());
            }
            kept.is_dirty = false;
            kept.sweep("");
            serde_json::to_vec(&kept.entries)?
        };
        self.write(path, &bytes).inspect_err(|_| self.kept.lock().is_dirty = true)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The name is on the disk once the folder is.
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// Where the snapshot of a plugin is: below `data_dir`, under a name that leads nowhere else.
pub(crate) fn snapshot_path(data_dir: &Path, plugin: &str) -> PathBuf {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut name = String::new();
    for byte in plugin.bytes() {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    data_dir.join("kv").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{KvStore, snapshot_path};

    const ROOM: usize = 1000;

    #[test]
    fn what_is_set_is_there_until_it_is_deleted() {
        let store = KvStore::default();
        store.set("a", b"1", None, ROOM).unwrap();
        assert_eq!(store.get("a").unwrap().unwrap(), b"1");
        assert!(store.delete("a").unwrap());
        assert!(!store.delete("a").unwrap());
        assert_eq!(store.get("a").unwrap(), None);
    }

    #[test]
    fn what_has_a_time_to_live_is_gone_when_it_is_over_and_makes_room() {
        let store = KvStore::default();
        store.set("a", &[0; 900], Some(Duration::ZERO), ROOM).unwrap();
        assert_eq!(store.get("a").unwrap(), None);
        store.set("b", &[0; 900], None, ROOM).unwrap();
        assert_eq!(store.list("", None, 10), ["b"]);
    }

    #[test]
    fn the_bound_holds_for_keys_and_values_together() {
        let store = KvStore::default();
        store.set("a", &[0; 900], None, ROOM).unwrap();
        let error = store.set("b", &[0; 100], None, ROOM).unwrap_err();
        assert_eq!(error.to_string(), "the bound grants.kv is reached");
        store.set("a", &[0; 999], None, ROOM).unwrap();
        store.delete("a").unwrap();
        store.set("b", &[0; 999], None, ROOM).unwrap();
    }

    #[test]
    fn counters_begin_at_nought_and_are_text() {
        let store = KvStore::default();
        assert_eq!(store.increment("n", 2, None, ROOM).unwrap(), 2);
        assert_eq!(store.increment("n", -5, None, ROOM).unwrap(), -3);
        assert_eq!(store.get("n").unwrap().unwrap(), b"-3");
        store.set("n", b"many", None, ROOM).unwrap();
        assert!(
            store
                .increment("n", 1, None, ROOM)
                .unwrap_err()
                .to_string()
                .contains("no whole number")
        );
    }

    #[test]
    fn a_value_is_set_only_if_it_is_what_was_expected() {
        let store = KvStore::default();
        assert!(store.compare_and_set("k", None, Some(b"1"), ROOM).unwrap());
        assert!(!store.compare_and_set("k", None, Some(b"2"), ROOM).unwrap());
        assert!(store.compare_and_set("k", Some(b"1"), None, ROOM).unwrap());
        assert_eq!(store.get("k").unwrap(), None);
    }

    #[test]
    fn keys_are_listed_in_order_page_by_page() {
        let store = KvStore::default();
        for key in ["b/2", "a", "b/1", "b/3", "c"] {
            store.set(key, b"", None, ROOM).unwrap();
        }
        assert_eq!(store.list("b/", None, 2), ["b/1", "b/2"]);
        assert_eq!(store.list("b/", Some("b/2"), 2), ["b/3"]);
    }

    #[test]
    fn keys_that_are_empty_or_long_are_refused() {
        let store = KvStore::default();
        assert!(store.get("").is_err());
        assert!(store.get(&"k".repeat(super::KEY_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_snapshot_brings_everything_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = snapshot_path(folder.path(), "p");
        let store = KvStore::default();
        store.restore(&path).unwrap();
        store.set("a", &[0, 255], None, ROOM).unwrap();
        store.save(&path).unwrap();
        let again = KvStore::default();
        again.restore(&path).unwrap();
        assert_eq!(again.get("a").unwrap().unwrap(), [0, 255]);
        std::fs::write(&path, b"{").unwrap();
        let error = again.restore(&path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(again.get("a").unwrap().unwrap(), [0, 255]);
    }

    #[test]
    fn a_snapshot_that_lists_its_bytes_is_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.json");
        std::fs::write(&path, r#"{"a":{"value":[0,255],"until_ms":null}}"#).unwrap();
        let store = KvStore::default();
        store.restore(&path).unwrap();
        assert_eq!(store.get("a").unwrap().unwrap(), [0, 255]);
        store.set("b", b"x", None, ROOM).unwrap();
        store.save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""a":{"value":"00ff","#), "{text}");
        std::fs::write(&path, r#"{"a":{"value":"0","until_ms":null}}"#).unwrap();
        assert!(store.restore(&path).is_err());
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let path = snapshot_path(Path::new("d"), "../x");
        assert_eq!(path, Path::new("d/kv/%2e%2e%2fx.json"));
    }
}
