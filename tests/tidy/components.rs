use std::collections::BTreeMap;
use std::fs;

use sha2::{Digest, Sha256};

use crate::sources::{files, root};

const SUMS: &str = "examples/wasm/SHA256SUMS";

/// A component is small, so that it is loaded quickly.
const BYTES_MAX: u64 = 99_000;

/// Those that have a reason not to be: cryptography, a reader of files, and nearly every hook.
const LARGER: [(&str, u64); 3] = [
    ("examples/wasm/scram/scram.wasm", 140_000),
    ("plugins/acl-file/component/acl-file.wasm", 112_000),
    ("tests/contract/component/probe.wasm", 160_000),
];

/// Hashes of the list, by path.
fn sums() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join(SUMS)).expect("the list of components");
    let line = |line: &str| {
        let (hash, path) = line.split_once("  ").expect("a hash and a path");
        (path.to_owned(), hash.to_owned())
    };
    text.lines().map(line).collect()
}

/// Paths of the components that manifests name, each with its folder.
fn components() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for manifest in files(&["plugin.toml"]) {
        let Some(folder) = manifest.path.strip_suffix("/plugin.toml") else { continue };
        let Ok(table) = manifest.text.parse::<toml::Table>() else { continue };
        let main = table.get("main").and_then(toml::Value::as_str).unwrap_or_default();
        if main.ends_with(".wasm") {
            found.push((format!("{folder}/{main}"), folder.to_owned()));
        }
    }
    assert!(found.len() >= 7, "{found:?}");
    found
}

#[test]
fn components_are_those_that_were_built_last() {
    for (path, hash) in sums() {
        let bytes = fs::read(root().join(&path)).expect("a component of the list");
        let digits = |byte: &u8| format!("{byte:02x}");
        let found: String = Sha256::digest(&bytes).iter().map(digits).collect();
        assert_eq!(found, hash, "{path}: build it with examples/wasm/rebuild.sh");
    }
}

#[test]
fn every_component_is_in_the_list_of_hashes_and_has_its_lock_file() {
    let mut sums = sums();
    for (path, folder) in components() {
        assert!(sums.remove(&path).is_some(), "{path} is not in {SUMS}");
        let folder = root().join(folder);
        let is_rust = folder.join("Cargo.toml").is_file();
        assert!(!is_rust || folder.join("Cargo.lock").is_file(), "{path} has no Cargo.lock");
    }
    assert!(sums.is_empty(), "no manifest names {sums:?}");
}

#[test]
fn components_are_small() {
    for (path, _) in components() {
        let bytes = fs::metadata(root().join(&path)).expect("a component").len();
        let larger = LARGER.iter().find(|(other, _)| *other == path);
        let max = larger.map_or(BYTES_MAX, |(_, max)| *max);
        assert!(bytes <= max, "{path} has {bytes} bytes, and {max} are allowed");
    }
}
