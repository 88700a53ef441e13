//! What is wrong with a configuration.

use std::fmt;

use super::Origin;

/// One thing that is wrong, where, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value was written; `None` if the fault is not in a value.
    pub origin: Option<Origin>,
    /// The key, from the top: `limits.queue_messages_max`. Empty if no key is at fault.
    pub key: String,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(origin: Origin, key: &str, what: impl Into<String>) -> Self {
        Self { origin: Some(origin), key: key.to_owned(), what: what.into() }
    }

    pub(crate) fn unplaced(what: impl Into<String>) -> Self {
        Self { origin: None, key: String::new(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// Why a configuration is not taken: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// `Did you mean …?`, or else the list of what there is.
pub(crate) fn suggestion(wrong: &str, valid: &[&str]) -> String {
    let near = valid
        .iter()
        .map(|name| (likeness(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, name)) => format!("Did you mean `{name}`?"),
        None => format!("There are: {}.", valid.join(", ")),
    }
}

fn likeness(a: &str, b: &str) -> f64 {
    if strsim::damerau_levenshtein(a, b) <= 1 { 1.0 } else { strsim::jaro_winkler(a, b) }
}
