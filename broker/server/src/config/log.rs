//! `[log]`: how much is told, in which form, and where to.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::section::Section;

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How loud the log is where `filter` says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How loud.
    pub level: LogLevel,
    /// Directives for single targets: `pintle::packets=debug,pintle_engine=trace`.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
    /// Where to, if not standard error.
    pub file: Option<PathBuf>,
}

const LEVELS: [(&str, LogLevel); 6] = [
    ("off", LogLevel::Off),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: [(&str, LogFormat); 2] = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, filter: String::new(), format: LogFormat::Pretty, file: None }
    }
}

impl LogLevel {
    /// The level as a directive.
    pub fn name(self) -> &'static str {
        let level = LEVELS.iter().find(|(_, level)| *level == self);
        level.map_or("info", |(name, _)| name)
    }
}

impl LogConfig {
    /// Level and filter as one list of directives; later ones are more exact and win.
    pub(crate) fn directives(&self) -> String {
        if self.filter.is_empty() {
            self.level.name().to_owned()
        } else {
            format!("{},{}", self.level.name(), self.filter)
        }
    }
}

pub(super) fn read(mut section: Section<'_>) -> LogConfig {
    let ours = LogConfig::default();
    let log = LogConfig {
        level: section.choice_or("level", &LEVELS, ours.level),
        filter: section.text_or("filter", ""),
        format: section.choice_or("format", &FORMATS, ours.format),
        file: section.path("file"),
    };
    if let Err(error) = EnvFilter::try_new(log.directives()) {
        let what = format!("{error}; write it as target=level,target=level");
        section.problem("filter", &section.origin_of("filter"), what);
    }
    section.finish();
    log
}
