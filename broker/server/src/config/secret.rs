//! Secrets that are kept elsewhere: `{ file = "…" }` and `{ env = "…" }` inside a plugin's
//! `config`.

use std::path::PathBuf;

use serde_json::{Map, Number};

use super::layers::{Node, Table, Value};

/// A plugin's `config` with its secrets fetched.
pub(super) struct Fetched {
    pub(super) config: serde_json::Value,
    /// Files that held secrets.
    pub(super) files: Vec<PathBuf>,
    /// What could not be fetched: the node, and why.
    pub(super) problems: Vec<(Node, String)>,
}

/// Turns `table` into JSON, with secrets fetched.
pub(super) fn fetch(table: &Table, environment: &[(String, String)]) -> Fetched {
    let mut fetcher = Fetcher { environment, files: Vec::new(), problems: Vec::new() };
    let config = fetcher.table(table);
    Fetched { config, files: fetcher.files, problems: fetcher.problems }
}

struct Fetcher<'a> {
    environment: &'a [(String, String)],
    files: Vec<PathBuf>,
    problems: Vec<(Node, String)>,
}

impl Fetcher<'_> {
    fn table(&mut self, table: &Table) -> serde_json::Value {
        let entries = table.iter().map(|(key, node)| (key.clone(), self.value(node)));
        serde_json::Value::Object(entries.collect::<Map<_, _>>())
    }

    fn value(&mut self, node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => Number::from_f64(*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Table(table) => match reference(table) {
                Some(reference) => self.secret(node, &reference),
                None => self.table(table),
            },
        }
    }

    fn secret(&mut self, node: &Node, reference: &Reference<'_>) -> serde_json::Value {
        let fetched = match reference {
            Reference::File(name) => {
                let path = node.origin.base().join(name);
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
                self.problems.push((node.clone(), what));
                serde_json::Value::Null
            }
        }
    }
}

enum Reference<'a> {
    File(&'a str),
    Environment(&'a str),
}

fn reference(table: &Table) -> Option<Reference<'_>> {
    let (key, node) = table.first_key_value().filter(|_| table.len() == 1)?;
    match (key.as_str(), &node.value) {
        ("file", Value::Text(name)) => Some(Reference::File(name)),
        ("env", Value::Text(name)) => Some(Reference::Environment(name)),
        _ => None,
    }
}
