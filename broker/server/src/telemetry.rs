//! The log: tracing events as lines for people or as JSON, to standard error or to a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::admin::{PluginLogLayer, plugin_log_filter};
use crate::config::{LogConfig, LogFormat};

/// What `-v` and `-q` make of the configured log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// `-q`: warnings and errors only.
    Quiet,
    /// As configured.
    #[default]
    Configured,
    /// `-v`: a line for each packet too.
    Packets,
}

/// Target of the line for each packet.
const PACKETS: &str = "pintle::packets";

/// The log of this process, once it is set up.
#[derive(Clone, Debug)]
pub struct Telemetry {
    verbosity: Verbosity,
    filter: reload::Handle<EnvFilter, Registry>,
    file: Option<LogFile>,
}

/// Why there is no log as asked.
#[derive(Debug)]
pub enum TelemetryError {
    /// The file cannot be opened.
    File(PathBuf, io::Error),
    /// Level and filter make no sense together.
    Filter(String),
    /// Something else in this process has set up a log.
    Taken,
}

impl fmt::Display for TelemetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => {
                write!(f, "cannot open the log file {}: {error}", path.display())
            }
            Self::Filter(error) => write!(f, "cannot filter the log: {error}"),
            Self::Taken => f.write_str("this process has a log already"),
        }
    }
}

impl std::error::Error for TelemetryError {}

impl Telemetry {
    /// Sets up the log of this process.
    ///
    /// # Errors
    /// If the file cannot be opened, or this process has a log already.
    pub fn init(log: &LogConfig, verbosity: Verbosity) -> Result<Self, TelemetryError> {
        let (filter, handle) = reload::Layer::new(filter(log, verbosity)?);
        let file = log.file.as_deref().map(LogFile::open).transpose()?;
        let lines = match &file {
            Some(file) => lines(log.format, BoxMakeWriter::new(file.clone()), false),
            None => {
                let colours = io::stderr().is_terminal();
                lines(log.format, BoxMakeWriter::new(io::stderr), colours)
            }
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(PluginLogLayer.with_filter(plugin_log_filter()))
            .try_init()
            .map_err(|_| TelemetryError::Taken)?;
        Ok(Self { verbosity, filter: handle, file })
    }

    /// Takes a changed level and filter, and opens the file anew, for log rotation. Format and file
    /// name stay as they were.
    ///
    /// # Errors
    /// If the file cannot be opened; lines then go on to the old one.
    pub fn reload(&self, log: &LogConfig) -> Result<(), TelemetryError> {
        let filter = filter(log, self.verbosity)?;
        if let Some(file) = &self.file {
            file.reopen()?;
        }
        let unset = |error: reload::Error| TelemetryError::Filter(error.to_string());
        self.filter.reload(filter).map_err(unset)
    }
}

fn filter(log: &LogConfig, verbosity: Verbosity) -> Result<EnvFilter, TelemetryError> {
    let directives = match verbosity {
        Verbosity::Quiet => "warn".to_owned(),
        Verbosity::Configured => log.directives(),
        Verbosity::Packets => format!("{},{PACKETS}=debug", log.directives()),
    };
    EnvFilter::try_new(directives).map_err(|error| TelemetryError::Filter(error.to_string()))
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

fn lines<S>(format: LogFormat, writer: BoxMakeWriter, colours: bool) -> Lines<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    match format {
        LogFormat::Pretty => layer.compact().boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// A file that is only ever added to, and that can be opened anew under its name.
#[derive(Clone, Debug)]
struct LogFile {
    path: Arc<Path>,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, TelemetryError> {
        let file = append_to(path)?;
        Ok(Self { path: path.into(), file: Arc::new(Mutex::new(file)) })
    }

    fn reopen(&self) -> Result<(), TelemetryError> {
        let file = append_to(&self.path)?;
        *self.file.lock() = file;
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File, TelemetryError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| TelemetryError::File(path.to_owned(), error))
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = LogFileWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogFileWriter(self)
    }
}

struct LogFileWriter<'a>(&'a LogFile);

impl Write for LogFileWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.file.lock().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.file.lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(log: &LogConfig, verbosity: Verbosity) -> String {
        filter(log, verbosity).unwrap().to_string()
    }

    #[test]
    fn verbose_adds_the_packets_to_what_is_configured() {
        let log = LogConfig { filter: "pintle_engine=trace".to_owned(), ..LogConfig::default() };
        let filter = directives(&log, Verbosity::Packets);
        assert!(filter.contains("pintle::packets=debug"), "{filter}");
        assert!(filter.contains("pintle_engine=trace"), "{filter}");
        assert!(filter.contains("info"), "{filter}");
    }

    #[test]
    fn quiet_leaves_warnings() {
        assert_eq!(directives(&LogConfig::default(), Verbosity::Quiet), "warn");
    }

    #[test]
    fn a_log_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let file = LogFile::open(&path).unwrap();
        file.make_writer().write_all(b"one\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        file.reopen().unwrap();
        file.make_writer().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
