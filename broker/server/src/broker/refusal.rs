//! Why the broker does not do what it was asked while it runs.

use pintle_plugin_host::LoadError;

use crate::config::ConfigError;

/// What is wrong, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    /// What is wrong.
    pub(crate) error: String,
    /// The way out, where the error does not say it.
    pub(crate) hint: Option<String>,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// The question makes no sense.
    Question,
    /// There is no such thing.
    Missing,
    /// As things stand it can not be done.
    State,
    /// The plugin is at fault, or what was said of it.
    Plugin,
    /// The broker itself is at fault.
    Broker,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, error: impl Into<String>) -> Self {
        Self { kind, error: error.into(), hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let kind = match &error {
            LoadError::NoSuchPlugin { .. } => RefusalKind::Missing,
            LoadError::NothingBefore { .. } => RefusalKind::State,
            _ => RefusalKind::Plugin,
        };
        let hint = match &error {
            LoadError::NoErrorPolicy { hook, example, .. } => {
                Some(format!("with `pintle plugin load` that is --on-error {hook}={example}"))
            }
            _ => None,
        };
        Self { kind, error: error.to_string(), hint }
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let error = error.to_string();
        let grants = "with `pintle plugin load` grants are given as --grant publish=alerts/#";
        let hint = error.contains("grant").then(|| grants.to_owned());
        Self { kind: RefusalKind::Plugin, error, hint }
    }
}
