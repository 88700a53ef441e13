use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::made_by::MadeBy;

/// Instructions for one operation of each case, to one decimal.
pub(crate) type Counts = BTreeMap<String, f64>;

/// What a change is held to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    pub(crate) made_by: MadeBy,
    pub(crate) instructions: Counts,
}

impl Baseline {
    /// The baseline in the file at `path`.
    ///
    /// # Errors
    /// If there is none, or it is not one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the baseline at {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} does not hold a baseline", path.display()))
    }

    /// Puts it into the file at `path`.
    ///
    /// # Errors
    /// If that can not be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text)
            .with_context(|| format!("cannot write the baseline to {}", path.display()))
    }
}

/// `instructions` of `operations`, for one of them.
pub(crate) fn for_one(instructions: u64, operations: u64) -> f64 {
    (instructions as f64 * 10.0 / operations.max(1) as f64).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::{Baseline, for_one};
    use crate::made_by;

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let instructions = [("decode".to_owned(), 61.4), ("route".to_owned(), 300.0)].into();
        let baseline = Baseline { made_by: made_by::tests::somewhere(), instructions };
        let text = serde_json::to_string_pretty(&baseline).unwrap();
        assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), baseline);
    }

    #[test]
    fn the_committed_baseline_has_a_count_for_each_case_and_no_other() {
        let baseline = Baseline::read(&crate::baseline_path()).unwrap();
        let mut names: Vec<&str> = crate::cases::all().iter().map(|case| case.name).collect();
        names.sort_unstable();
        assert_eq!(baseline.instructions.keys().collect::<Vec<_>>(), names);
        assert!(baseline.instructions.values().all(|&count| count > 0.0));
    }

    #[test]
    fn a_count_is_for_one_operation_to_one_decimal() {
        assert_eq!(for_one(12_345, 100), 123.5);
        assert_eq!(for_one(100, 3), 33.3);
    }
}
