//! The layers of the configuration, which figment merges, and where each value was written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::problem::Problem;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: Pintle's own default.
    Default,
    /// A line of a file, counted from 1.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line.
        line: u32,
    },
    /// An environment variable.
    Environment(Arc<str>),
    /// A flag of the command line.
    Flag(&'static str),
}

impl Origin {
    /// What figment keeps with the values of a layer; [`Layers::origin`] is the way back.
    fn metadata(&self) -> Metadata {
        match self {
            Self::Default => Metadata::default(),
            Self::File { path, .. } => Metadata::from("file", &**path),
            Self::Environment(variable) => Metadata::from("variable", &**variable),
            Self::Flag(flag) => Metadata::named(*flag),
        }
    }

    /// The folder that relative paths start from; empty for the working directory.
    pub(super) fn base(&self) -> &Path {
        match self {
            Self::File { path, .. } => path.parent().unwrap_or(Path::new("")),
            Self::Default | Self::Environment(_) | Self::Flag(_) => Path::new(""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// What all layers say together.
#[derive(Default)]
pub(super) struct Layers {
    figment: Figment,
    /// figment tells the file of a value by its tag; these are the lines, by the whole names that
    /// the values have once they are merged.
    lines: BTreeMap<Arc<Path>, Lines>,
}

/// The lines of one file, by the whole names of what stands there.
pub(super) type Lines = BTreeMap<String, u32>;

/// One layer, as figment takes it.
struct Layer(Metadata, Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.0.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.1.clone()))
    }
}

impl Layers {
    /// Lays a file over what there is; its lists of tables come after those before.
    pub(super) fn add_file(&mut self, path: Arc<Path>, values: Dict, lines: Lines) {
        let metadata = Metadata::from("file", &*path);
        let (lists, values) = values.into_iter().partition(|(_, value)| is_list_of_tables(value));
        let values = Layer(metadata.clone(), values);
        self.change(|figment| figment.merge(values).admerge(Layer(metadata, lists)));
        self.lines.insert(path, lines);
    }

    /// Lays `values` below all that there is.
    pub(super) fn add_defaults(&mut self, values: Dict) {
        let layer = Layer(Origin::Default.metadata(), values);
        self.change(|figment| figment.join(layer));
    }

    /// Lays `value`, written at `origin`, over what there is under the whole name `name`.
    ///
    /// # Errors
    /// The part of the name that leads nowhere.
    pub(super) fn add(&mut self, origin: Origin, name: &str, value: Value) -> Result<(), Problem> {
        // figment has no name for an entry of a list. So the layer takes with it what lies below
        // the first part of its name; what it does not change keeps the tags that it has.
        let mut path = name.split('.');
        let key = path.next().unwrap_or_default();
        let below = self.values().unwrap_or_default().remove(key);
        let mut below = below.unwrap_or_else(|| Dict::new().into());
        if let Err(what) = put(&mut below, key, path, value) {
            return Err(Problem::new(origin, name, what));
        }
        let layer = Layer(origin.metadata(), Dict::from([(key.to_owned(), below)]));
        self.change(|figment| figment.merge(layer));
        Ok(())
    }

    fn change(&mut self, change: impl FnOnce(Figment) -> Figment) {
        self.figment = change(std::mem::take(&mut self.figment));
    }

    /// The merged values.
    ///
    /// # Errors
    /// What figment has against a layer.
    pub(super) fn values(&self) -> Result<Dict, String> {
        self.figment.extract().map_err(|error| error.to_string())
    }

    /// Whether no layer but the defaults says something of `key`.
    pub(super) fn is_default(&self, key: &str) -> bool {
        let values = self.values().unwrap_or_default();
        values.get(key).is_none_or(|value| self.origin(key, value) == Origin::Default)
    }

    /// How many entries the list `key` has.
    pub(super) fn entries(&self, key: &str) -> usize {
        self.values()
            .unwrap_or_default()
            .get(key)
            .and_then(Value::as_array)
            .map_or(0, <[Value]>::len)
    }

    /// Where `value` was written, whose whole name is `name`.
    pub(super) fn origin(&self, name: &str, value: &Value) -> Origin {
        let Some(metadata) = self.figment.get_metadata(value.tag()) else {
            return Origin::Default;
        };
        match (&metadata.source, &metadata.name) {
            (Some(Source::File(path)), _) => self.place(path, name),
            (Some(Source::Custom(variable)), _) => Origin::Environment(variable.as_str().into()),
            (_, Cow::Borrowed(flag)) if flag.starts_with("--") => Origin::Flag(flag),
            _ => Origin::Default,
        }
    }

    fn place(&self, path: &Path, name: &str) -> Origin {
        let found = self.lines.get_key_value(path);
        let place = found.and_then(|(path, lines)| Some((path, *lines.get(name)?)));
        place.map_or(Origin::Default, |(path, line)| Origin::File { path: Arc::clone(path), line })
    }
}

/// A value that has not been looked at yet.
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) name: String,
    pub(super) layers: &'a Layers,
}

impl<'a> Node<'a> {
    pub(super) fn origin(&self) -> Origin {
        self.layers.origin(&self.name, self.value)
    }

    /// The entries of a list.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = Node<'a>>> {
        let items = self.value.as_array()?.iter().enumerate();
        Some(items.map(|(i, value)| Node {
            value,
            name: format!("{}.{i}", self.name),
            layers: self.layers,
        }))
    }

    /// A string; from the environment, where quotes are unusual, also what looks like a number.
    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(_, text) => Some(text.clone()),
            Value::Num(..) if matches!(self.origin(), Origin::Environment(_)) => {
                Some(self.value.to_i128()?.to_string())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml(self.value))
    }
}

/// `value` as TOML, in one line.
fn toml(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Array(_, items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Dict(_, table) => {
            let entry = |(key, value)| format!("{key} = {}", toml(value));
            let entries: Vec<String> = table.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        plain => ::toml::Value::try_from(plain).map_or_else(|_| String::new(), |v| v.to_string()),
    }
}

fn is_list_of_tables(value: &Value) -> bool {
    let items = value.as_array();
    items.is_some_and(|items| items.iter().all(|item| item.as_dict().is_some()))
}

/// Puts `value` at `path` below `name`, making tables on the way; a number is a place in a list.
fn put(
    below: &mut Value,
    name: &str,
    mut path: std::str::Split<'_, char>,
    value: Value,
) -> Result<(), String> {
    let Some(key) = path.next() else {
        *below = value;
        return Ok(());
    };
    let next = match below {
        Value::Dict(_, table) => table.entry(key.to_owned()).or_insert_with(|| Dict::new().into()),
        Value::Array(_, items) => {
            let item = key.parse().ok().and_then(|i: usize| items.get_mut(i));
            item.ok_or_else(|| format!("`{name}` has no entry {key}; the first is 0"))?
        }
        _ => return Err(format!("`{name}` is a single value and has no keys of its own")),
    };
    put(next, key, path, value)
}
