//! A TOML document as a tree in which every value knows where it was written, so that several sources can be merged and still be underlined.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::source::{Origin, Source};

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The value's text; for a `[section]`, its header.
    pub(crate) origin: Origin,
    /// The value.
    pub(crate) value: Value,
}

/// A TOML value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    /// A date or time; no field takes one.
    Date,
    List(Vec<Node>),
    Table(Table),
}

/// Entries by key.
pub(crate) type Table = BTreeMap<String, Entry>;

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Where the key was written.
    pub(crate) key: Origin,
    /// What it holds.
    pub(crate) node: Node,
}

impl Value {
    /// The kind of value, for "found …".
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The table inside, if it is one.
    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text inside, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value at a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.table()?.get(*key).map(|entry| &entry.node))
    }

    /// Where a person would look for this path: its value, or else the key of the innermost section that was written, or else the top.
    pub(crate) fn origin_of(&self, path: &[&str]) -> Origin {
        let mut best = &self.origin;
        let mut node = self;
        for key in path {
            let Some(entry) = node.table().and_then(|table| table.get(*key)) else { break };
            if entry.key.is_default() {
                break;
            }
            best = if entry.node.table().is_some() || entry.node.origin.is_default() {
                &entry.key
            } else {
                &entry.node.origin
            };
            node = &entry.node;
        }
        best.clone()
    }
}

/// Reads a whole document. Syntax errors go to `mistakes`; what could be read despite them is returned.
pub(crate) fn parse_document(source: &Arc<Source>, mistakes: &mut Vec<Diagnostic>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    report(source, 0, &errors, mistakes);
    let reader = Reader { source, offset: 0 };
    let value = Value::Table(reader.table(table.get_ref(), mistakes));
    Node { origin: Origin::top(source), value }
}

/// Reads the one value that stands at `origin`; `None` when it is not TOML.
pub(crate) fn parse_value(origin: &Origin, mistakes: &mut Vec<Diagnostic>) -> Option<Node> {
    let (source, offset) = (&origin.source, origin.span.start);
    let (value, errors) = DeValue::parse_recoverable(source.text.get(origin.span.clone()).unwrap_or(""));
    report(source, offset, &errors, mistakes);
    let reader = Reader { source, offset };
    errors.is_empty().then(|| reader.node(value.span(), value.get_ref(), mistakes))
}

fn report(source: &Arc<Source>, offset: usize, errors: &[toml::de::Error], mistakes: &mut Vec<Diagnostic>) {
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let origin = Origin { source: Arc::clone(source), span: span.start + offset..span.end + offset };
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        mistakes.push(Diagnostic::new(&origin, format!("not valid TOML: {message}"), ""));
    }
}

/// Converts the parser's values into nodes.
struct Reader<'a> {
    source: &'a Arc<Source>,
    offset: usize,
}

impl Reader<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin { source: Arc::clone(self.source), span: span.start + self.offset..span.end + self.offset }
    }

    fn table(&self, table: &DeTable<'_>, mistakes: &mut Vec<Diagnostic>) -> Table {
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>), mistakes: &mut _| {
            let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
            let node = self.node(value.span(), value.get_ref(), mistakes);
            (key.get_ref().clone().into_owned(), Entry { key: self.origin(key.span()), node })
        };
        table.iter().map(|pair| entry(pair, mistakes)).collect()
    }

    fn node(&self, span: Range<usize>, value: &DeValue<'_>, mistakes: &mut Vec<Diagnostic>) -> Node {
        let origin = self.origin(span);
        let value = match value {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
                    mistakes.push(Diagnostic::new(&origin, "the number is too large", "expected less than 2^63"));
                    0
                }))
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(list) => {
                Value::List(list.iter().map(|item| self.node(item.span(), item.get_ref(), mistakes)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, mistakes)),
        };
        Node { origin, value }
    }
}
