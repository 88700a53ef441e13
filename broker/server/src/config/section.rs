//! Reading a table of the configuration key by key.
//!
//! Whoever reads a key says in the same breath what it must look like and what holds without it,
//! so the keys that exist, their defaults and what `config show` prints cannot drift apart.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Dict;

use super::layers::{Layers, Node, Origin};
use super::problem::{Problem, suggestion};
use super::quantity::{Bytes, Span};

/// An effective value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key, from the top.
    pub key: String,
    /// The value as TOML; secrets are shown by where they are kept.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// What comes to light while a configuration is read.
#[derive(Default)]
pub(super) struct Findings {
    /// What is read.
    pub(super) layers: Layers,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Problem>>,
    pub(super) shown: RefCell<Vec<Shown>>,
}

impl Findings {
    pub(super) fn problem(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        let problem = Problem::new(origin.clone(), key, what);
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn warning(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        let warning = Problem::new(origin.clone(), key, what);
        self.warnings.borrow_mut().push(warning);
    }

    /// Shows a value that comes from elsewhere as `key`, unless something else was written for it.
    pub(super) fn show_unless_written(&self, key: String, elsewhere: Shown) {
        let mut shown = self.shown.borrow_mut();
        match shown.iter_mut().find(|known| known.key == key) {
            Some(known) if known.origin == Origin::Default => {
                *known = Shown { key, ..elsewhere };
            }
            Some(_) => {}
            None => shown.push(Shown { key, ..elsewhere }),
        }
    }

    pub(super) fn show(&self, key: String, value: &dyn Display, origin: &Origin) {
        self.shown.borrow_mut().push(Shown {
            key,
            value: value.to_string(),
            origin: origin.clone(),
        });
    }
}

/// One table being read.
pub(super) struct Section<'a> {
    path: String,
    table: Option<&'a Dict>,
    /// Where the table begins.
    pub(super) origin: Origin,
    known: Vec<&'static str>,
    pub(super) findings: &'a Findings,
}

/// A whole number of the configuration.
pub(super) trait Number: Copy + PartialOrd + Display {
    fn to_u64(self) -> u64;
    fn from_u64(value: u64) -> Option<Self>;
}

macro_rules! numbers {
    ($($kind:ty)*) => {$(
        impl Number for $kind {
            fn to_u64(self) -> u64 {
                u64::try_from(self).unwrap_or(u64::MAX)
            }
            fn from_u64(value: u64) -> Option<Self> {
                value.try_into().ok()
            }
        }
    )*};
}
numbers!(u16 u32 u64 usize);

impl<'a> Section<'a> {
    pub(super) fn new(
        path: &str,
        table: Option<&'a Dict>,
        origin: Origin,
        findings: &'a Findings,
    ) -> Self {
        Self { path: path.to_owned(), table, origin, known: Vec::new(), findings }
    }

    /// The whole name of `key`.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// What was written for `key`, not looked at yet.
    pub(super) fn node(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        self.written(key)
    }

    fn written(&self, key: &str) -> Option<Node<'a>> {
        let value = self.table?.get(key)?;
        Some(Node { value, name: self.name(key), layers: &self.findings.layers })
    }

    /// Where `key` was written.
    pub(super) fn origin_of(&self, key: &str) -> Origin {
        self.written(key).map_or(Origin::Default, |node| node.origin())
    }

    pub(super) fn problem(&self, key: &str, origin: &Origin, what: impl Into<String>) {
        self.findings.problem(origin, &self.name(key), what);
    }

    pub(super) fn show(&self, key: &str, value: &dyn Display, origin: &Origin) {
        self.findings.show(self.name(key), value, origin);
    }

    /// Reads `key` by `read`; `None` if it is missing or, which is then a problem, not `expected`.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let node = self.node(key)?;
        let value = read(&node);
        if value.is_none() {
            self.problem(key, &node.origin(), format!("expected {expected}, found {node}"));
        }
        value
    }

    fn shown_or<T>(
        &mut self,
        key: &'static str,
        found: Option<T>,
        default: T,
        shown: impl Fn(&T) -> String,
    ) -> T {
        let origin = self.origin_of(key);
        let value = found.unwrap_or(default);
        self.show(key, &shown(&value), &origin);
        value
    }

    pub(super) fn bool_or(&mut self, key: &'static str, default: bool) -> bool {
        let found = self.bool(key);
        self.shown_or(key, found, default, bool::to_string)
    }

    pub(super) fn bool(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |node| node.value.to_bool())
    }

    pub(super) fn number_or<T: Number>(
        &mut self,
        key: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> T {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let found = self.read(key, &expected, |node| number(node, &range));
        self.shown_or(key, found, default, T::to_string)
    }

    pub(super) fn bytes_or<T: Number>(
        &mut self,
        key: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> T {
        let expected = "a size such as 65536, \"64KiB\" or \"16MiB\"";
        let found = self.read(key, expected, |node| {
            let bytes = match node.value.as_str() {
                Some(text) => T::from_u64(Bytes::parse(text)?.0),
                None => return number(node, &range),
            };
            bytes.filter(|bytes| range.contains(bytes))
        });
        self.shown_or(key, found, default, |bytes| Bytes(bytes.to_u64()).to_string())
    }

    pub(super) fn span_or(&mut self, key: &'static str, default: Duration) -> Duration {
        let expected = "seconds as a number, or a duration such as \"250ms\", \"10s\" or \"2h\"";
        let found = self.read(key, expected, |node| match node.value.as_str() {
            Some(text) => Some(Span::parse(text)?.0),
            None => number(node, &(0..=u64::MAX)).map(Duration::from_secs),
        });
        self.shown_or(key, found, default, |span| Span(*span).to_string())
    }

    pub(super) fn seconds_or(&mut self, key: &'static str, default: u32) -> u32 {
        let expected = "seconds as a number, or a duration such as \"10m\" or \"14d\"";
        let found = self.read(key, expected, |node| match node.value.as_str() {
            Some(text) => Span::parse(text)?.0.as_secs().try_into().ok(),
            None => number(node, &(0..=u32::MAX)),
        });
        self.shown_or(key, found, default, u32::to_string)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let found = self.read(key, "a string", |node| node.text());
        if let Some(value) = &found {
            let origin = self.origin_of(key);
            self.show(key, &format!("{value:?}"), &origin);
        }
        found
    }

    pub(super) fn text_or(&mut self, key: &'static str, default: &str) -> String {
        let found = self.read(key, "a string", |node| node.text());
        self.shown_or(key, found, default.to_owned(), |text| format!("{text:?}"))
    }

    /// A path, from the folder of the file that names it.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = self.read(key, "a path", |node| node.text())?;
        let origin = self.origin_of(key);
        let path = origin.base().join(path);
        self.show(key, &format!("{:?}", path.display().to_string()), &origin);
        Some(path)
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let found = self
            .read(key, "a list of strings", |node| node.items()?.map(|item| item.text()).collect());
        if found.is_some() {
            self.show_as_written(key);
        }
        found
    }

    pub(super) fn texts_or(&mut self, key: &'static str, default: Vec<String>) -> Vec<String> {
        let found = self.texts(key);
        if found.is_none() {
            self.show(key, &format!("{default:?}"), &Origin::Default);
        }
        found.unwrap_or(default)
    }

    /// Shows `key` as it was written.
    pub(super) fn show_as_written(&self, key: &str) {
        if let Some(node) = self.written(key) {
            self.show(key, &node, &node.origin());
        }
    }

    /// One of a few words.
    pub(super) fn choice_or<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let found = self.choice(key, choices);
        let origin = self.origin_of(key);
        let value = found.unwrap_or(default);
        let word = choices.iter().find(|(_, choice)| *choice == value);
        let word = word.map_or("", |(word, _)| word);
        self.show(key, &format!("{word:?}"), &origin);
        value
    }

    /// One of a few words, not shown.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let expected = words.join(" or ");
        self.read(key, &expected, |node| {
            let written = node.text()?;
            choices.iter().find(|(word, _)| *word == written).map(|(_, value)| *value)
        })
    }

    /// A table below this one; missing ones are read as empty.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let node = self.node(key);
        let table = node.as_ref().and_then(|node| node.value.as_dict());
        if let Some(node) = node
            && table.is_none()
        {
            self.problem(key, &node.origin(), format!("expected a table, found {node}"));
        }
        Section::new(&self.name(key), table, self.origin_of(key), self.findings)
    }

    /// The tables of a list below this one, `[[key]]`; none if there is no such list.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        let Some(items) = node.items() else {
            let what = format!("expected a list of tables, [[{key}]], found {node}");
            self.problem(key, &node.origin(), what);
            return Vec::new();
        };
        let sections = items.map(|item| {
            let (table, origin) = (item.value.as_dict(), item.origin());
            if table.is_none() {
                let what = format!("expected a table, found {item}");
                self.findings.problem(&origin, &item.name, what);
            }
            Section::new(&item.name, table, origin, self.findings)
        });
        sections.collect()
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.table.into_iter().flat_map(Dict::keys) {
            if !self.known.contains(&key.as_str()) {
                let what = format!("unknown key. {}", suggestion(key, &self.known));
                self.problem(key, &self.origin_of(key), what);
            }
        }
    }
}

fn number<T: Number>(node: &Node<'_>, range: &RangeInclusive<T>) -> Option<T> {
    let number = node.value.to_i128()?;
    T::from_u64(u64::try_from(number).ok()?).filter(|value| range.contains(value))
}
