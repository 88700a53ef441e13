use crate::sources::{files, root, rust_files};

const LINES_MAX: usize = 800;

/// Lines of all `endings` files that hold one of `words`.
fn lines_with(endings: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(endings) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    found
}

#[test]
fn no_rust_file_is_longer_than_two_files_should_be() {
    let long: Vec<String> = rust_files()
        .iter()
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "above {LINES_MAX} lines: {long:#?}");
}

#[test]
fn nothing_is_put_off_or_left_out() {
    // Taken apart, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ign", "ore"),
    ];
    let found = lines_with(&[".rs", ".py", ".js", ".sh"], &words);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let words = [concat!("/wo", "rk/"), concat!("/tmp/", "pt")];
    let endings =
        [".rs", ".md", ".toml", ".py", ".js", ".sh", ".yml", ".yaml", ".service", ".conf"];
    let found = lines_with(&endings, &words);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    let keyword = concat!("uns", "afe ");
    let mut bare = Vec::new();
    for file in rust_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let reasons = &lines[number.saturating_sub(8)..number];
            if code.contains(keyword) && !reasons.iter().any(|line| line.contains("SAFETY:")) {
                bare.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "no SAFETY comment above: {bare:#?}");
}

#[test]
fn no_file_is_named_after_what_has_not_found_its_home() {
    let homeless = ["utils.rs", "util.rs", "types.rs", "common.rs", "helpers.rs", "misc.rs"];
    let found: Vec<String> = rust_files()
        .into_iter()
        .map(|file| file.path)
        .filter(|path| homeless.iter().any(|name| path.ends_with(&format!("/{name}"))))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_files_that_people_expect_are_there() {
    let expected = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        "rustfmt.toml",
        ".ci/run",
        "tests/GAPS.md",
    ];
    let missing: Vec<&str> =
        expected.into_iter().filter(|name| !root().join(name).exists()).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}
