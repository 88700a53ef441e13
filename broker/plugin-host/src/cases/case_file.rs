use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pintle_plugin_api::{ClientDescription, Settings};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use toml::Spanned;

use super::expect::{Expect, ExpectText};
use super::step::Step;
use super::step_text::{ClientText, StepText};

/// One file of cases.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Where it was read.
    pub path: PathBuf,
    /// What is in it.
    pub cases: Vec<Case>,
    /// What the plugin is told while they run; `None` is what its configuration says.
    pub written_for: Option<WrittenFor>,
}

/// The settings that cases expect: those that the plugin comes with, whatever it is told where it
/// runs.
#[derive(Clone, Debug, Default)]
pub struct WrittenFor {
    /// Its settings.
    pub settings: Settings,
    /// The topics it is asked about; empty for all.
    pub topics: Vec<String>,
}

/// One case: what is asked, and what should come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, or its place in the file.
    pub name: String,
    /// The line where it begins, from 1.
    pub line: u32,
    pub(super) world: World,
    /// What comes before, and only must not fail.
    pub(super) before: Vec<Step>,
    pub(super) step: Step,
    pub(super) repeat: u32,
    pub(super) expect: Expect,
}

/// What is there when a case begins.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// Laid over the plugin's own.
    pub(super) config: Map<String, Value>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) kv: BTreeMap<String, String>,
    pub(super) retained: BTreeMap<String, String>,
    pub(super) http: Vec<HttpStub>,
    pub(super) now_ms: u64,
    pub(super) client: ClientDescription,
}

/// What a server is taken to answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpStub {
    pub(super) url: String,
    pub(super) method: Option<String>,
    #[serde(default = "ok")]
    pub(super) status: u16,
    pub(super) body: Option<String>,
    pub(super) json: Option<Value>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

const fn ok() -> u16 {
    200
}

/// Why a file of cases can not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}:{line}: {what}", .path.display())]
pub struct CaseFileError {
    /// The file.
    pub path: PathBuf,
    /// The line at fault, from 1.
    pub line: u32,
    /// What is wrong and how to mend it.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    case: Vec<Spanned<CaseText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    kv: BTreeMap<String, String>,
    #[serde(default)]
    retained: BTreeMap<String, String>,
    #[serde(default)]
    http: Vec<HttpStub>,
    now: Option<u64>,
    #[serde(default)]
    client: ClientText,
    #[serde(default)]
    before: Vec<StepText>,
    #[serde(default)]
    expect: ExpectText,
    repeat: Option<u32>,
    // The step itself: the same keys as `StepText`, which can not be flattened into a table that
    // refuses what it does not know.
    connect: Option<super::step_text::ConnectText>,
    auth: Option<super::step_text::AuthText>,
    publish: Option<super::step_text::MessageText>,
    subscribe: Option<super::step_text::SubscribeText>,
    unsubscribe: Option<super::step_text::UnsubscribeText>,
    deliver: Option<super::step_text::MessageText>,
    authorize: Option<super::step_text::AuthorizeText>,
    event: Option<super::step_text::EventText>,
    events: Option<Vec<super::step_text::EventText>>,
    timer: Option<super::step_text::TimerText>,
    command: Option<super::step_text::CommandText>,
}

/// The clock of a case that does not set it: the first second of 2026.
const NOW_SECS: u64 = 1_767_225_600;

impl CaseFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If there is none, or what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, CaseFileError> {
        let text = std::fs::read_to_string(path).map_err(|error| CaseFileError {
            path: path.to_owned(),
            line: 1,
            what: format!("cannot read it: {error}"),
        })?;
        Self::parse(path, &text)
    }

    /// Reads `text`, which stands at `path`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CaseFileError> {
        let fault = |line, what: String| CaseFileError { path: path.to_owned(), line, what };
        let file: FileText = toml::from_str(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            fault(line, error.message().to_owned())
        })?;
        let mut cases = Vec::with_capacity(file.case.len());
        for (place, case) in (1..).zip(file.case) {
            let line = line_of(text, case.span().start);
            let case = case.into_inner();
            let name = case.name.clone().unwrap_or_else(|| format!("case {place}"));
            let read = case.read(name.clone(), line, &file.config, &file.secrets);
            cases.push(read.map_err(|what| fault(line, format!("case {name:?}: {what}")))?);
        }
        if cases.is_empty() {
            let what = "there is no case in it: each begins with a line [[case]]";
            return Err(fault(1, what.to_owned()));
        }
        Ok(Self { path: path.to_owned(), cases, written_for: None })
    }
}

impl CaseText {
    fn read(
        self,
        name: String,
        line: u32,
        config: &Map<String, Value>,
        secrets: &BTreeMap<String, String>,
    ) -> Result<Case, String> {
        let mut client = self.client.read()?;
        let names_user = self.connect.as_ref().and_then(|connect| connect.user.clone());
        client.username = names_user.or(client.username);
        let now_ms = self.now.unwrap_or(NOW_SECS).saturating_mul(1000);
        let step = StepText {
            connect: self.connect,
            auth: self.auth,
            publish: self.publish,
            subscribe: self.subscribe,
            unsubscribe: self.unsubscribe,
            deliver: self.deliver,
            authorize: self.authorize,
            event: self.event,
            events: self.events,
            timer: self.timer,
            command: self.command,
            wait: None,
            repeat: None,
        };
        let step = step.read(&client, now_ms)?;
        let mut before = Vec::new();
        for text in self.before {
            let times = text.repeat.unwrap_or(1);
            let step = text.read(&client, now_ms)?;
            before.extend((0..times.min(REPEAT_MAX)).map(|_| step.clone()));
        }
        let expect = self.expect.read(&step)?;
        let config = config.clone().into_iter().chain(self.config).collect();
        let secrets = secrets.clone().into_iter().chain(self.secrets).collect();
        let world = World {
            config,
            secrets,
            kv: self.kv,
            retained: self.retained,
            http: self.http,
            now_ms,
            client,
        };
        let repeat = self.repeat.unwrap_or(1).clamp(1, REPEAT_MAX);
        Ok(Case { name, line, world, before, step, repeat, expect })
    }
}

/// How often a step may be repeated: enough to exhaust any quota, and soon over.
const REPEAT_MAX: u32 = 100_000;

fn line_of(text: &str, byte: usize) -> u32 {
    let before = text.as_bytes().get(..byte).unwrap_or_default();
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}
