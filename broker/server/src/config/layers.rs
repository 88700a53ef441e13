//! The configuration as one tree of values, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

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

/// A table, in the order of its keys.
pub(super) type Table = BTreeMap<String, Node>;

/// A value that has not been looked at yet.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What a layer can say.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Table),
}

impl Node {
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_) => None,
        }
    }

    fn is_list_of_tables(&self) -> bool {
        matches!(&self.value, Value::List(items) if items.iter().all(|item| item.table().is_some()))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", item.value)?;
                }
                f.write_str("]")
            }
            Self::Table(table) => {
                f.write_str("{ ")?;
                for (i, (key, node)) in table.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{key} = {}", node.value)?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Whether lists of tables of a later layer stand in for those before, or come after them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    Append,
    Replace,
}

/// Lays `upper` over `base`, key by key; what is no table is replaced.
pub(super) fn merge(base: &mut Table, upper: Table, lists: Lists) {
    for (key, node) in upper {
        match base.get_mut(&key) {
            Some(below) => merge_node(below, node, lists),
            None => {
                base.insert(key, node);
            }
        }
    }
}

fn merge_node(below: &mut Node, upper: Node, lists: Lists) {
    let append = lists == Lists::Append && below.is_list_of_tables() && upper.is_list_of_tables();
    match (&mut below.value, upper.value) {
        (Value::Table(base), Value::Table(over)) => merge(base, over, lists),
        (Value::List(base), Value::List(more)) if append => base.extend(more),
        (value, other) => {
            *value = other;
            below.origin = upper.origin;
        }
    }
}

/// Puts `node` at `path`, making tables on the way; a number finds its place in a list.
///
/// # Errors
/// The part of the path that leads nowhere.
pub(super) fn put(base: &mut Table, path: &[String], node: Node) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        base.insert(key.clone(), node);
        return Ok(());
    }
    let below = base
        .entry(key.clone())
        .or_insert_with(|| Node { value: Value::Table(Table::new()), origin: node.origin.clone() });
    put_below(below, key, rest, node)
}

fn put_below(below: &mut Node, key: &str, rest: &[String], node: Node) -> Result<(), String> {
    match &mut below.value {
        Value::Table(table) => put(table, rest, node),
        Value::List(items) => {
            let Some((index, rest)) = rest.split_first() else {
                return Ok(());
            };
            let found = index.parse().ok().and_then(|i: usize| items.get_mut(i));
            match found {
                Some(item) if rest.is_empty() => {
                    *item = node;
                    Ok(())
                }
                Some(item) => put_below(item, index, rest, node),
                None => Err(format!("`{key}` has no entry {index}; the first is 0")),
            }
        }
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            Err(format!("`{key}` is a single value and has no keys of its own"))
        }
    }
}
