use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Place, write_certificate};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs")
}

/// The configurations of the examples with the files that they name beside them.
fn place() -> (Place, Vec<String>) {
    let place = Place::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        place.write(&name, &fs::read_to_string(&path).unwrap());
        names.push(name);
    }
    place.pintle(&["passwd", "-b", "passwd", "alice", "x", "-H", "sha512"]).succeeds();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    names.retain(|name| name.ends_with(".toml"));
    (place, names)
}

#[test]
fn the_configurations_of_the_examples_are_fine() {
    let (place, names) = place();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let said = place.pintle(&["check", "-c", &name]).succeeds();
        assert!(said.ends_with("The configuration is fine.\n"), "{name}: {said}");
    }
}

/// Key and value of each line of `config show`.
fn values(shown: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (key, rest) = line.split_once(" = ").unwrap();
        let (value, _) = rest.rsplit_once("  # ").unwrap();
        (key.to_owned(), value.trim().to_owned())
    };
    shown.lines().map(line).collect()
}

#[test]
fn the_example_with_all_settings_has_each_of_them_with_its_default() {
    let (place, _) = place();
    let text = place.read("all-settings.toml");
    let defaults = values(&place.pintle(&["config", "show"]).succeeds());
    let written = values(&place.pintle(&["config", "show", "-c", "all-settings.toml"]).succeeds());
    let differ = |key: &str| {
        ["limits.broker_bytes_max", "listener.0.name", "listener.1.name"].contains(&key)
            || key.starts_with("plugin.")
            || key.ends_with(".anonymous")
    };
    for (key, value) in defaults {
        let short = key.rsplit('.').next().unwrap();
        let is_there = text.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{short} =")) || line.contains(&format!("{{ {short} ="))
        });
        assert!(is_there || key.starts_with("plugin."), "{key} is missing in all-settings.toml");
        if !differ(&key) {
            let same = written.contains(&(key.clone(), value.clone()));
            assert!(same, "{key} is {value} by default, and not so in all-settings.toml");
        }
    }
}
