use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;
use tracing::{debug, warn};
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Engine};

use super::private_folder::private_folder;
use super::sums::{Sums, sum_of};
use crate::guests::COMPILED_BYTES_MAX;

/// Compiled components on disk, so that the next load of the same one need not compile it.
///
/// wasmtime writes and finds the files, by its version, the settings of its compiler and what the
/// component holds. It runs what it finds there, and does not see every damage; so a file is left
/// to it only while its sum is the one that was noted when it was written.
pub(super) struct Compiled {
    cache: Cache,
    folder: PathBuf,
    bytes_max: u64,
    /// Held while wasmtime reads or writes.
    using: Mutex<()>,
}

/// A file of compiled code.
struct Entry {
    /// Below the folder of the code, as the sums name it.
    name: String,
    path: PathBuf,
    bytes: u64,
    last_used: SystemTime,
}

impl Compiled {
    /// The folder for compiled code below `data_dir`; `None`, and a warning, if there can be none
    /// that is safe.
    pub(super) fn open(data_dir: &Path) -> Option<Self> {
        let folder = data_dir.join("compiled");
        Self::at(&folder, COMPILED_BYTES_MAX)
            .inspect_err(|why| {
                let folder = folder.display();
                warn!(%folder, %why, "Compiled components are not kept: each load compiles.");
            })
            .ok()
    }

    fn at(folder: &Path, bytes_max: u64) -> Result<Self, String> {
        let folder = private_folder(folder)?;
        let mut config = CacheConfig::new();
        config
            .with_directory(folder.join("code"))
            .with_files_total_size_soft_limit(bytes_max)
            // Compressing once more saves little, and would change the sum.
            .with_optimized_compression_usage_counter_threshold(u64::MAX);
        let cache = Cache::new(config).map_err(|error| format!("{error:#}"))?;
        Ok(Self { cache, folder, bytes_max, using: Mutex::default() })
    }

    /// What an engine is to be configured with.
    pub(super) fn cache(&self) -> Cache {
        self.cache.clone()
    }

    /// Removes every file that is not as it was noted; says whether none is left.
    pub(super) fn is_sound(&self) -> bool {
        let _one_at_a_time = self.using.lock();
        let noted = Sums::read(&self.sums());
        let is_noted = |entry: &Entry| {
            let sum = entry.sum();
            sum.is_some() && sum.as_deref() == noted.of(&entry.name)
        };
        let mut damaged = self.entries().into_iter().filter(|entry| !is_noted(entry));
        damaged.all(|entry| {
            let path = entry.path.display();
            warn!(%path, "A compiled component is not as it was written: it is compiled anew.");
            entry.remove().is_ok()
        })
    }

    /// The component of these bytes, as it was compiled before, or else compiled now and kept.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub(super) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let _one_at_a_time = self.using.lock();
        let hits = self.cache.cache_hits();
        let component = Component::from_binary(engine, bytes)?;
        let was_kept = self.cache.cache_hits() > hits;
        debug!(bytes = bytes.len(), was_kept, "A component is compiled.");
        if let Err(error) = self.note_and_trim() {
            let folder = self.folder.display();
            warn!(%folder, %error, "What compiled components are kept can not be noted.");
        }
        Ok(component)
    }

    /// Notes what has been written, and removes what was not used for longest while there is more
    /// than the bound.
    fn note_and_trim(&self) -> io::Result<()> {
        let noted = Sums::read(&self.sums());
        let mut sums = Sums::default();
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.last_used);
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        for entry in entries {
            if total > self.bytes_max {
                total -= entry.bytes;
                entry.remove()?;
            } else if let Some(sum) =
                noted.of(&entry.name).map(str::to_owned).or_else(|| entry.sum())
            {
                sums.note(entry.name, sum);
            }
        }
        if sums == noted { Ok(()) } else { sums.write(&self.sums()) }
    }

    fn sums(&self) -> PathBuf {
        self.folder.join("sums")
    }

    /// All compiled code. What a process that died left half written is removed: wasmtime would
    /// take it for one that is still being written.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for version in files_in(&self.cache.directory().join("modules")) {
            for path in files_in(&version) {
                match path.extension().and_then(|it| it.to_str()) {
                    None => entries.extend(Entry::at(path)),
                    Some("wip-atomic-write-mod") => drop(fs::remove_file(path)),
                    Some(_) => {}
                }
            }
        }
        entries
    }
}

impl Entry {
    fn at(path: PathBuf) -> Option<Self> {
        let found = path.metadata().ok()?;
        // wasmtime notes beside a file that it was used.
        let used = path.with_extension("stats").metadata().and_then(|stats| stats.modified());
        let version = path.parent()?.file_name()?.to_str()?;
        let name = format!("{version}/{}", path.file_name()?.to_str()?);
        let last_used = used.or_else(|_| found.modified()).ok()?;
        Some(Self { name, bytes: found.len(), last_used, path })
    }

    /// `None` if it can not be read.
    fn sum(&self) -> Option<String> {
        Some(sum_of(&fs::read(&self.path).ok()?))
    }

    fn remove(&self) -> io::Result<()> {
        let _ = fs::remove_file(self.path.with_extension("stats"));
        fs::remove_file(&self.path)
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    found.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;
    use wasmtime::{Config, Engine, Store, component::Linker};

    use super::Compiled;
    use crate::guests::COMPILED_BYTES_MAX;

    #[derive(Debug, PartialEq)]
    enum Code {
        Kept,
        CompiledNow,
    }

    struct Place(TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn folder(&self) -> PathBuf {
            self.0.path().join("compiled")
        }

        /// A process that begins, loads one component whose function answers `answer`, and calls it.
        fn load(&self, answer: i32) -> Code {
            self.load_within(answer, COMPILED_BYTES_MAX)
        }

        fn load_within(&self, answer: i32, bytes_max: u64) -> Code {
            let compiled = Compiled::at(&self.folder(), bytes_max).unwrap();
            let engine = Engine::new(Config::new().cache(Some(compiled.cache()))).unwrap();
            assert!(compiled.is_sound());
            let component = compiled.component(&engine, &component(answer)).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
            let f = instance.get_typed_func::<(), (i32,)>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), (answer,));
            match (compiled.cache.cache_hits(), compiled.cache.cache_misses()) {
                (1, 0) => Code::Kept,
                _ => Code::CompiledNow,
            }
        }

        /// The files of compiled code.
        fn code(&self) -> Vec<PathBuf> {
            let compiled = Compiled::at(&self.folder(), COMPILED_BYTES_MAX).unwrap();
            compiled.entries().into_iter().map(|entry| entry.path).collect()
        }
    }

    fn component(answer: i32) -> Vec<u8> {
        let text = format!(
            r#"(component
                (core module $m (func (export "f") (result i32) (i32.const {answer})))
                (core instance $i (instantiate $m))
                (func (export "f") (result s32) (canon lift (core func $i "f"))))"#
        );
        wat::parse_str(text).unwrap()
    }

    fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_was_compiled_once_is_found_by_the_next_that_begins() {
        let place = Place::new();
        assert_eq!(place.load(7), Code::CompiledNow);
        assert_eq!(place.load(7), Code::Kept);
        assert_eq!(place.load(8), Code::CompiledNow);
        assert_eq!(place.load(7), Code::Kept);
        assert_eq!(place.code().len(), 2);
    }

    #[test]
    fn code_with_any_damage_is_compiled_anew() {
        let damages: [fn(&mut Vec<u8>); 4] = [
            |code| code.truncate(code.len() / 2),
            |code| code.clear(),
            |code| *code = b"something else".to_vec(),
            |code| code.push(0),
        ];
        let place = Place::new();
        assert_eq!(place.load(7), Code::CompiledNow);
        for damage in damages {
            change(&place.code()[0], damage);
            assert_eq!(place.load(7), Code::CompiledNow);
            assert_eq!(place.load(7), Code::Kept);
        }
    }

    #[test]
    fn no_bit_of_the_code_can_change_unseen() {
        let place = Place::new();
        assert_eq!(place.load(7), Code::CompiledNow);
        let length = fs::read(&place.code()[0]).unwrap().len();
        for at in (0..length).step_by(length / 8) {
            change(&place.code()[0], |code| code[at] ^= 1);
            assert_eq!(place.load(7), Code::CompiledNow);
        }
    }

    #[test]
    fn code_of_another_component_is_not_taken_for_it() {
        let place = Place::new();
        place.load(7);
        let seven = place.code().remove(0);
        place.load(8);
        let eight = place.code().into_iter().find(|path| *path != seven).unwrap();
        fs::copy(eight, seven).unwrap();
        assert_eq!(place.load(7), Code::CompiledNow);
    }

    #[test]
    fn code_that_nobody_noted_is_not_used() {
        let place = Place::new();
        place.load(7);
        fs::remove_file(place.folder().join("sums")).unwrap();
        assert_eq!(place.load(7), Code::CompiledNow);
        fs::write(place.folder().join("sums"), [0xff; 64]).unwrap();
        assert_eq!(place.load(7), Code::CompiledNow);
        assert_eq!(place.load(7), Code::Kept);
    }

    #[test]
    fn sums_that_others_may_write_count_for_nothing() {
        let place = Place::new();
        place.load(7);
        let sums = place.folder().join("sums");
        fs::set_permissions(&sums, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(place.load(7), Code::CompiledNow);
        assert_eq!(place.load(7), Code::Kept);
    }

    #[test]
    fn what_a_process_that_died_left_half_written_is_in_nobodys_way() {
        let place = Place::new();
        place.load(7);
        let code = place.code().remove(0);
        fs::rename(&code, code.with_extension("wip-atomic-write-mod")).unwrap();
        assert_eq!(place.load(7), Code::CompiledNow);
        assert_eq!(place.load(7), Code::Kept);
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let place = Place::new();
        place.load(7);
        let one = fs::metadata(&place.code()[0]).unwrap().len();
        place.load_within(8, one + one / 2);
        assert_eq!(place.code().len(), 1);
        place.load_within(9, 0);
        assert!(place.code().is_empty());
    }
}
