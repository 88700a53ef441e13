//! Files of `conf.d` that keep plugins which were loaded by command.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

const FIRST_LINE: &str = "# Written by `pintle plugin load --save`; `pintle plugin remove` removes \
                          it again.";

/// Where the plugin `name` is kept.
fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

/// Whether the plugin `name` is kept in a file that a command has written.
pub(super) fn is_ours(folder: &Path, name: &str) -> bool {
    let text = fs::read_to_string(path_of(folder, name));
    text.is_ok_and(|text| text.starts_with(FIRST_LINE))
}

/// Writes the entry of a plugin to a file of its own, in one step.
///
/// # Errors
/// What the system says, or that there is a file of that name which no command has written.
pub(super) fn save(folder: &Path, name: &str, entry: &Table) -> io::Result<PathBuf> {
    let path = path_of(folder, name);
    if path.exists() && !is_ours(folder, name) {
        let what = format!("there is a {} that somebody else has written", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!("{name}.toml.new"));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text_of(name, entry)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    Ok(path)
}

fn text_of(name: &str, entry: &Table) -> io::Result<String> {
    let mut entry = entry.clone();
    entry.insert("name".to_owned(), name.into());
    let document = Table::from_iter([("plugin".to_owned(), Value::Array(vec![entry.into()]))]);
    let text = toml::to_string(&document).map_err(io::Error::other)?;
    Ok(format!("{FIRST_LINE}\n{text}"))
}

/// Removes the file of the plugin `name` if a command has written it; says whether that was so.
///
/// # Errors
/// What the system says.
pub(super) fn forget(folder: &Path, name: &str) -> io::Result<bool> {
    if !is_ours(folder, name) {
        return Ok(false);
    }
    fs::remove_file(path_of(folder, name)).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_an_entry_and_is_removed_again() {
        let folder = tempfile::tempdir().unwrap();
        let entry: Table = "use = \"/p.lua\"\n[grants]\npublish = [\"a/#\"]".parse().unwrap();
        let path = save(folder.path(), "p", &entry).unwrap();
        let saved: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let plugin = &saved["plugin"][0];
        assert_eq!(plugin["name"].as_str(), Some("p"));
        assert_eq!(plugin["grants"]["publish"][0].as_str(), Some("a/#"));
        assert!(forget(folder.path(), "p").unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_somebody_else_wrote_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        fs::write(&path, "workers = 2\n").unwrap();
        assert!(save(folder.path(), "p", &Table::new()).is_err());
        assert!(!forget(folder.path(), "p").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "workers = 2\n");
    }
}
