use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests stand inside the workspace").to_path_buf()
}

/// A file of the repository, by its path from the root.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether the whole file is about testing or measuring.
    fn is_test_file(&self) -> bool {
        let stem = Path::new(&self.path).file_stem().unwrap_or_default().to_string_lossy();
        self.path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"))
            || stem == "tests"
            || stem.ends_with("_tests")
    }

    /// What the product is made of: everything before the unit tests.
    pub(crate) fn production(&self) -> &str {
        if self.is_test_file() { "" } else { self.split().0 }
    }

    /// The unit tests at its end, or all of a test file.
    pub(crate) fn tests(&self) -> &str {
        if self.is_test_file() { &self.text } else { self.split().1 }
    }

    fn split(&self) -> (&str, &str) {
        let at = self.text.find("\n#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        self.text.split_at(at)
    }
}

/// Every file whose name ends in one of `endings`.
pub(crate) fn files(endings: &[&str]) -> Vec<SourceFile> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, endings, &mut found);
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found
}

/// Every Rust file.
pub(crate) fn rust_files() -> Vec<SourceFile> {
    files(&[".rs"])
}

fn walk(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<SourceFile>) {
    let not_ours = ["target", ".git", "node_modules", "__pycache__", "pintle-data", "corpus"];
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder of the repository")
        .map(|entry| entry.expect("an entry of the repository").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !not_ours.contains(&name.as_str()) {
                walk(root, &path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending))
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root).expect("below the root");
            let path = path.to_string_lossy().into_owned();
            found.push(SourceFile { path, text });
        }
    }
}
