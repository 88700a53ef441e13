use std::fs;

use crate::sources::root;

/// One row of ARCHITECTURE.md's table of crates.
pub(crate) struct CrateRow {
    /// The folder, or a folder and `/*` for all inside it.
    pub(crate) folder: String,
    /// Short names of the crates of ours that it may use; `None` where the table sets no rule.
    pub(crate) may_use: Option<Vec<String>>,
    /// Words that stand for what its source must not name.
    pub(crate) must_never_see: Vec<String>,
}

impl CrateRow {
    /// Whether the row is about this folder.
    pub(crate) fn covers(&self, folder: &str) -> bool {
        match self.folder.strip_suffix('*') {
            Some(parent) => folder.starts_with(parent),
            None => self.folder.trim_end_matches('/') == folder,
        }
    }

    /// Whether it may use the crate of this short name.
    pub(crate) fn allows(&self, short_name: &str) -> bool {
        self.may_use
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == "all" || name == short_name))
    }
}

/// The text of ARCHITECTURE.md.
pub(crate) fn text() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there")
}

/// The table whose columns are crate, job, what it may use of ours, what it must never see.
pub(crate) fn crate_table() -> Vec<CrateRow> {
    let text = text();
    let rows: Vec<CrateRow> = text
        .lines()
        .skip_while(|line| !line.contains("may use of ours"))
        .skip(2)
        .map_while(|line| line.trim().strip_prefix('|'))
        .map(row)
        .collect();
    assert!(rows.len() > 5, "ARCHITECTURE.md has a table with a column `may use of ours`");
    rows
}

fn row(line: &str) -> CrateRow {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [folder, _job, may_use, must_never_see, ..] = cells[..] else {
        panic!("a row of the table of crates has too few cells: {line}");
    };
    CrateRow {
        folder: folder.replace('`', ""),
        may_use: (!may_use.is_empty()).then(|| words(may_use)),
        must_never_see: words(must_never_see),
    }
}

fn words(cell: &str) -> Vec<String> {
    cell.split([' ', ',', ';'])
        .map(|word| word.replace('`', ""))
        .filter(|word| !matches!(word.as_str(), "" | "–" | "-" | "—"))
        .collect()
}
