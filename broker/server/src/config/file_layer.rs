//! Layers from TOML files: the one that `--config` names, and those of `conf.d` beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::layers::{Layers, Lines, Origin};
use super::problem::Problem;

/// Reads one file and lays it over `layers`.
pub(super) fn apply(layers: &mut Layers, path: &Path) -> Result<(), Problem> {
    let path: Arc<Path> = Arc::from(path);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Problem::unplaced(format!("cannot read {}: {error}", path.display())))?;
    let table = DeTable::parse(&text).map_err(|error| {
        let line = line_of(&text, error.span().map_or(0, |span| span.start));
        let origin = Origin::File { path: Arc::clone(&path), line };
        Problem::new(origin, "", error.message())
    })?;
    let mut reader = Reader { text: &text, layers, lines: Lines::new() };
    let values = reader.table("", table.into_inner());
    let lines = reader.lines;
    layers.add_file(path, values, lines);
    Ok(())
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

struct Reader<'a> {
    text: &'a str,
    layers: &'a Layers,
    lines: Lines,
}

impl Reader<'_> {
    fn note(&mut self, name: &str, byte: usize) {
        self.lines.insert(name.to_owned(), line_of(self.text, byte));
    }

    fn table(&mut self, name: &str, table: DeTable<'_>) -> Dict {
        let dot = if name.is_empty() { "" } else { "." };
        let entries = table.into_iter().map(|(key, value)| {
            let (line, key) = (key.span().start, key.into_inner().into_owned());
            let name = format!("{name}{dot}{key}");
            self.note(&name, line);
            (key, self.value(&name, value))
        });
        entries.collect()
    }

    fn value(&mut self, name: &str, value: Spanned<DeValue<'_>>) -> Value {
        match value.into_inner() {
            DeValue::String(text) => text.into_owned().into(),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string().into(), Value::from),
            DeValue::Float(number) => number
                .as_str()
                .parse::<f64>()
                .map_or_else(|_| number.to_string().into(), Value::from),
            DeValue::Boolean(value) => value.into(),
            DeValue::Datetime(moment) => moment.to_string().into(),
            DeValue::Array(items) => self.list(name, items).into(),
            DeValue::Table(table) => self.table(name, table).into(),
        }
    }

    /// Tables of a list are named by the places that they take after those of the layers before.
    fn list(&mut self, name: &str, items: DeArray<'_>) -> Vec<Value> {
        let tables = items.iter().all(|item| item.get_ref().is_table());
        let first = if tables { self.layers.entries(name) } else { 0 };
        let items = items.into_iter().enumerate().map(|(i, item)| {
            let name = format!("{name}.{}", first + i);
            self.note(&name, item.span().start);
            self.value(&name, item)
        });
        items.collect()
    }
}

fn line_of(text: &str, byte: usize) -> u32 {
    let before = text.as_bytes().get(..byte).unwrap_or_default();
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}

/// Reads `text` as one TOML value, for layers that are not files.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    let document = format!("value = {text}");
    let table = DeTable::parse(&document).ok()?.into_inner();
    let mut reader = Reader { text: &document, layers: &Layers::default(), lines: Lines::new() };
    let mut table = reader.table("", table);
    table.remove("value").filter(|_| table.is_empty())
}
