//! Secrets that are kept elsewhere: `{ file = "…" }` and `{ env = "…" }` inside a plugin's
//! `config`.

use std::path::PathBuf;

use figment::value::{Dict, Value};

use super::layers::{Layers, Node, Origin};

/// A plugin's `config` with its secrets fetched.
pub(super) struct Fetched {
    pub(super) config: serde_json::Value,
    /// Files that held secrets.
    pub(super) files: Vec<PathBuf>,
    /// What could not be fetched: where it is named, and why.
    pub(super) problems: Vec<(Origin, String)>,
}

/// Turns `table`, which stands at `node`, into JSON, with secrets fetched.
pub(super) fn fetch(node: &Node<'_>, table: &Dict, environment: &[(String, String)]) -> Fetched {
    let layers = node.layers;
    let mut fetcher = Fetcher { layers, environment, files: Vec::new(), problems: Vec::new() };
    let config = fetcher.table(&node.name, table);
    Fetched { config, files: fetcher.files, problems: fetcher.problems }
}

struct Fetcher<'a> {
    layers: &'a Layers,
    environment: &'a [(String, String)],
    files: Vec<PathBuf>,
    problems: Vec<(Origin, String)>,
}

impl Fetcher<'_> {
    fn table(&mut self, name: &str, table: &Dict) -> serde_json::Value {
        let entry =
            |(key, value): (&String, _)| (key.clone(), self.value(&format!("{name}.{key}"), value));
        serde_json::Value::Object(table.iter().map(entry).collect())
    }

    fn value(&mut self, name: &str, value: &Value) -> serde_json::Value {
        match value {
            Value::Dict(_, table) => match reference(table) {
                Some(reference) => self.secret(self.layers.origin(name, value), &reference),
                None => self.table(name, table),
            },
            Value::Array(_, items) => {
                let items = items.iter().enumerate();
                items.map(|(i, item)| self.value(&format!("{name}.{i}"), item)).collect()
            }
            plain => serde_json::to_value(plain).unwrap_or_default(),
        }
    }

    fn secret(&mut self, origin: Origin, reference: &Reference<'_>) -> serde_json::Value {
        let fetched = match reference {
            Reference::File(name) => {
                let path = origin.base().join(name);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read the secret {}: {error}", path.display()));
                self.files.push(path);
                text
            }
            Reference::Environment(name) => self
                .environment
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
                .ok_or_else(|| format!("the environment has no variable {name} for the secret")),
        };
        match fetched {
            Ok(secret) => secret.trim_end_matches(['\n', '\r']).into(),
            Err(what) => {
                self.problems.push((origin, what));
                serde_json::Value::Null
            }
        }
    }
}

enum Reference<'a> {
    File(&'a str),
    Environment(&'a str),
}

/// Whether `value` says where a secret is kept.
pub(super) fn is_reference(value: &Value) -> bool {
    value.as_dict().and_then(reference).is_some()
}

fn reference(table: &Dict) -> Option<Reference<'_>> {
    let (key, value) = table.first_key_value().filter(|_| table.len() == 1)?;
    match key.as_str() {
        "file" => value.as_str().map(Reference::File),
        "env" => value.as_str().map(Reference::Environment),
        _ => None,
    }
}
