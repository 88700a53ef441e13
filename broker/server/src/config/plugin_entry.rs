//! An entry for a plugin that stands in no file: what a command line says of one.

use std::path::Path;

use figment::value::Value;
use toml::Table;

use super::layers::Origin;
use super::plugin::{Granting, PluginConfig, read};
use super::problem::{ConfigError, Problem};
use super::section::{Findings, Section};

/// The table of a `[[plugin]]` entry, as it could stand in a file.
///
/// `grants` are words as `--grant` takes them: `disconnect`, `publish=alerts/#`, `kv=1MiB`,
/// `kv=1MiB,persist`, `secrets.NAME=env:VARIABLE`, `secrets.NAME=file:PATH`; those of lists may
/// come several times. `set` are other keys as `--set` takes them: `topics=["a/#"]`,
/// `on_error.publish=pass`, `limits.memory=32MiB`, `config.unit=K`.
///
/// # Errors
/// A word that can not be read.
pub(crate) fn plugin_entry(
    path: &Path,
    name: Option<&str>,
    grants: &[String],
    set: &[String],
) -> Result<Table, Problem> {
    let mut entry = Table::new();
    if let Some(name) = name {
        entry.insert("name".to_owned(), name.into());
    }
    entry.insert("use".to_owned(), path.display().to_string().into());
    for word in set {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            problem("--set", word, "expected KEY=VALUE, as on_error.publish=pass")
        })?;
        put(&mut entry, key, value_of(value)).map_err(|what| problem("--set", word, &what))?;
    }
    for word in grants {
        grant(&mut entry, word).map_err(|what| problem("--grant", word, &what))?;
    }
    Ok(entry)
}

impl PluginConfig {
    /// Reads one entry that stands in no file.
    ///
    /// # Errors
    /// Everything that is wrong with it, or with the manifest of its folder.
    pub(crate) fn of_entry(
        entry: &Table,
        granting: Granting,
        environment: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let unreadable = |error: figment::Error| Problem::unplaced(error.to_string());
        let value = Value::serialize(entry).map_err(unreadable)?;
        let findings = Findings::default();
        let section = Section::new("", value.as_dict(), Origin::Default, &findings);
        let plugin = read(section, environment, granting);
        let problems = findings.problems.into_inner();
        match plugin {
            Some((plugin, _)) if problems.is_empty() => Ok(plugin),
            Some(_) | None => {
                Err(ConfigError { problems: problems.into_iter().map(without_default).collect() })
            }
        }
    }
}

/// The place of what stands nowhere says nothing.
fn without_default(problem: Problem) -> Problem {
    let origin = problem.origin.filter(|origin| *origin != Origin::Default);
    Problem { origin, ..problem }
}

fn problem(flag: &'static str, word: &str, what: &str) -> Problem {
    Problem::new(Origin::Flag(flag), "", format!("{word:?}: {what}"))
}

/// TOML where it is TOML, else the text itself.
fn value_of(text: &str) -> toml::Value {
    let document = format!("value = {text}").parse::<Table>().ok();
    let value = document.filter(|table| table.len() == 1).and_then(|mut t| t.remove("value"));
    value.unwrap_or_else(|| text.into())
}

/// Puts `value` at the dotted `key` below `table`.
fn put(table: &mut Table, key: &str, value: toml::Value) -> Result<(), String> {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
            Ok(())
        }
        Some((first, rest)) => {
            let below = table.entry(first).or_insert_with(|| Table::new().into());
            match below {
                toml::Value::Table(below) => put(below, rest, value),
                _ => Err(format!("`{first}` is a single value and has no keys of its own")),
            }
        }
    }
}

fn grant(entry: &mut Table, word: &str) -> Result<(), String> {
    let (key, value) = word.split_once('=').unwrap_or((word, "true"));
    let (first, name) = key.split_once('.').unwrap_or((key, ""));
    let value = match first {
        "publish" | "retained" | "http" => return add(entry, first, value),
        "kv" => match value.strip_suffix(",persist") {
            None => value.into(),
            Some(bytes) => {
                let pairs = [("bytes", bytes.into()), ("persist", true.into())];
                Table::from_iter(pairs.map(|(key, value)| (key.to_owned(), value))).into()
            }
        },
        "secrets" => {
            let expected = "expected secrets.NAME=env:VARIABLE or secrets.NAME=file:PATH";
            let (kind, place) = value.split_once(':').ok_or(expected)?;
            if name.is_empty() || !matches!(kind, "env" | "file") {
                return Err(expected.to_owned());
            }
            Table::from_iter([(kind.to_owned(), place.into())]).into()
        }
        _ => value_of(value),
    };
    put(entry, &format!("grants.{key}"), value)
}

/// Adds to a list of grants.
fn add(entry: &mut Table, key: &str, value: &str) -> Result<(), String> {
    let grants = entry.entry("grants").or_insert_with(|| Table::new().into());
    let grants = grants.as_table_mut().ok_or("`grants` is no table")?;
    let list = grants.entry(key).or_insert_with(|| toml::Value::Array(Vec::new()));
    let list = list.as_array_mut().ok_or_else(|| format!("`grants.{key}` is no list"))?;
    list.push(value.into());
    Ok(())
}
