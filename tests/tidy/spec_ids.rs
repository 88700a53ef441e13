use std::collections::{BTreeMap, BTreeSet};

use crate::sources::rust_files;

/// Every `MQTT-x.y.z-n` in a text.
fn ids(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices("MQTT-").filter_map(|(at, prefix)| {
        let rest = &text[at + prefix.len()..];
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
            .unwrap_or(rest.len());
        let id = rest[..end].trim_end_matches(['.', '-']);
        (id.contains('.') && id.contains('-')).then(|| id.to_owned())
    })
}

#[test]
fn a_statement_of_the_standard_named_in_code_is_named_in_a_test() {
    let files = rust_files();
    let tested: BTreeSet<String> = files.iter().flat_map(|file| ids(file.tests())).collect();
    let mut untested = BTreeMap::<String, BTreeSet<String>>::new();
    for file in &files {
        for id in ids(file.production()).filter(|id| !tested.contains(id)) {
            untested.entry(id).or_default().insert(file.path.clone());
        }
    }
    assert!(untested.is_empty(), "no test names these statements: {untested:#?}");
}

#[test]
fn ids_are_found_in_brackets_and_sentences() {
    let found: Vec<String> = ids("see [MQTT-3.3.2-8], MQTT-1.5.4-1. Not MQTT-like.").collect();
    assert_eq!(found, ["3.3.2-8", "1.5.4-1"]);
}
