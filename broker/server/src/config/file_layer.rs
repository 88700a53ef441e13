//! Layers from TOML files: the one that `--config` names, and those of `conf.d` beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{Node, Origin, Table, Value};
use super::problem::Problem;

/// Reads and parses one file.
pub(super) fn read(path: &Path) -> Result<Table, Problem> {
    let path: Arc<Path> = Arc::from(path);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Problem::unplaced(format!("cannot read {}: {error}", path.display())))?;
    parse(&text, &path)
}

/// The files of `conf.d` beside `config`, in the order of their names.
pub(super) fn drop_ins(config: &Path) -> Vec<PathBuf> {
    let folder = drop_in_folder(config);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// `conf.d` beside `config`.
pub(super) fn drop_in_folder(config: &Path) -> PathBuf {
    config.with_file_name("conf.d")
}

fn parse(text: &str, path: &Arc<Path>) -> Result<Table, Problem> {
    let lines = Lines { text, path };
    match DeTable::parse(text) {
        Ok(table) => Ok(lines.table(table.into_inner())),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            Err(Problem::new(lines.origin(at), "", error.message()))
        }
    }
}

struct Lines<'a> {
    text: &'a str,
    path: &'a Arc<Path>,
}

impl Lines<'_> {
    fn origin(&self, byte: usize) -> Origin {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        let breaks = before.iter().filter(|byte| **byte == b'\n').count();
        Origin::File {
            path: Arc::clone(self.path),
            line: u32::try_from(breaks + 1).unwrap_or(u32::MAX),
        }
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        table
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origin(key.span().start);
                let node = Node { value: self.value(value), origin };
                (key.into_inner().into_owned(), node)
            })
            .collect()
    }

    fn item(&self, item: Spanned<DeValue<'_>>) -> Node {
        Node { origin: self.origin(item.span().start), value: self.value(item) }
    }

    fn value(&self, value: Spanned<DeValue<'_>>) -> Value {
        match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Text(number.to_string()), Value::Integer),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map_or_else(|_| Value::Text(number.to_string()), Value::Float),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Datetime(moment) => Value::Text(moment.to_string()),
            DeValue::Array(items) => {
                Value::List(items.into_iter().map(|item| self.item(item)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

/// Reads `text` as one TOML value, for layers that are not files.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Option<Value> {
    let document = format!("value = {text}");
    let mut table = parse(&document, &Arc::from(Path::new(""))).ok()?;
    let mut node = table.remove("value").filter(|_| table.is_empty())?;
    replace_origin(&mut node, origin);
    Some(node.value)
}

fn replace_origin(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| replace_origin(item, origin)),
        Value::Table(table) => {
            table.values_mut().for_each(|item| replace_origin(item, origin));
        }
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
    }
}
