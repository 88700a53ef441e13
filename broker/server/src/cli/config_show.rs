//! `pintle config show`: every value in force and where it comes from.

use std::fmt::Write;

use anyhow::Result;

use super::{Exit, SourceArgs, print};
use crate::config::{Config, Shown};

pub(super) fn run(sources: &SourceArgs) -> Result<Exit> {
    let config = Config::load(&sources.sources())?;
    print(&table(&config.shown)?)?;
    Ok(Exit::Success)
}

/// One line for each value; origins stand in a column of their own where that fits.
fn table(shown: &[Shown]) -> Result<String, std::fmt::Error> {
    let lines: Vec<String> =
        shown.iter().map(|shown| format!("{} = {}", shown.key, shown.value)).collect();
    let widest = lines.iter().map(|line| line.chars().count()).filter(|width| *width <= 60);
    let width = widest.max().unwrap_or(0);
    let mut text = String::new();
    for (line, shown) in lines.iter().zip(shown) {
        writeln!(text, "{line:width$}  # {}", shown.origin)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    #[test]
    fn origins_stand_in_a_column() {
        let shown = |key: &str, value: &str, origin| Shown {
            key: key.to_owned(),
            value: value.to_owned(),
            origin,
        };
        let text = table(&[
            shown("workers", "1", Origin::Default),
            shown("data_dir", "\"x\"", Origin::Flag("--data-dir")),
        ]);
        assert_eq!(
            text.unwrap(),
            "workers = 1     # default\ndata_dir = \"x\"  # flag --data-dir\n"
        );
    }
}
