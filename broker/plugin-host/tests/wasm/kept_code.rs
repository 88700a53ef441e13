//! Compiled code outlives the broker, and is never in the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pintle_plugin_host::{ChainSpec, PluginHost};
use pintle_ports::PublishVerdict;
use tempfile::TempDir;

use crate::component::on_publish;
use crate::support::Table;

/// A broker that begins over `data_dir` with one component that lets messages pass.
fn starts_and_serves(data_dir: &Path) {
    let spec = ChainSpec {
        plugins: vec![on_publish("", "")],
        data_dir: Some(data_dir.to_owned()),
        ..ChainSpec::default()
    };
    let host = PluginHost::load(spec).unwrap();
    let hooks = host.hooks();
    let table = Table::new(host, hooks);
    assert_eq!(table.publish("sensors/a", b"1").verdict, PublishVerdict::Pass);
}

/// Every file of compiled code below a data directory.
fn compiled_code(data_dir: &Path) -> Vec<PathBuf> {
    let list = |folder: PathBuf| {
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path())
    };
    let versions = list(data_dir.join("compiled/code/modules"));
    versions.flat_map(list).filter(|path| path.extension().is_none()).collect()
}

/// Whether the same file is there: compiled code that is written anew is another.
fn identity(path: &Path) -> (u64, i64, i64) {
    let found = fs::metadata(path).unwrap();
    (found.ino(), found.mtime(), found.mtime_nsec())
}

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let data_dir = place.path().join("data");
    (place, data_dir)
}

#[test]
fn the_next_broker_finds_the_code_that_was_compiled() {
    let (_place, data_dir) = place();
    starts_and_serves(&data_dir);
    let code = compiled_code(&data_dir);
    assert_eq!(code.len(), 1);
    let before = identity(&code[0]);
    starts_and_serves(&data_dir);
    assert_eq!(compiled_code(&data_dir), code);
    assert_eq!(identity(&code[0]), before);
}

#[test]
fn a_damaged_file_is_replaced() {
    let (_place, data_dir) = place();
    starts_and_serves(&data_dir);
    let code = compiled_code(&data_dir).remove(0);
    let sound = fs::read(&code).unwrap();
    fs::write(&code, &sound[..sound.len() / 2]).unwrap();
    starts_and_serves(&data_dir);
    assert_eq!(fs::read(&code).unwrap().len(), sound.len());
}

#[test]
fn a_folder_that_others_may_write_to_is_left_alone() {
    let (_place, data_dir) = place();
    let folder = data_dir.join("compiled");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    starts_and_serves(&data_dir);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_place_where_no_folder_can_be_stops_nobody() {
    let (place, _) = place();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    starts_and_serves(&file);
}
