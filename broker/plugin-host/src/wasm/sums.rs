use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::private_folder::check_private;

/// The SHA-256 of files by their names, as `sha256sum` writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<String, String>);

/// In hexadecimal.
pub(super) fn sum_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Sums {
    /// What is noted in the file at `path`; nothing if others may write to it, or it makes no sense.
    pub(super) fn read(path: &Path) -> Self {
        let read = || {
            let mut file = File::open(path).ok()?;
            check_private(&file.metadata().ok()?).ok()?;
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            Some(text)
        };
        let text = read().unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once("  "));
        Self(lines.map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect())
    }

    /// Writes them in one step.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        // One that somebody else may write to.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let text: String = self.0.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, path)
    }

    pub(super) fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn note(&mut self, name: String, sum: String) {
        self.0.insert(name, sum);
    }
}
