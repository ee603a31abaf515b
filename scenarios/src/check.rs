//! Holds a document against its declared shape: unknown keys, types, units and ranges, all of them at once.
//!
//! What is wrong is reported and taken out, so that later stages meet only values of the declared kind.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, did_you_mean, one_of};
use crate::launch;
use crate::profile_shape::{FREE_PORT, PLACEHOLDERS, mappable_series};
use crate::requests::Requests;
use crate::scenario_shape::axes_of_the_target;
use crate::shape::{Field, Keys, Kind, Presence, Quantity, TextRule};
use crate::source::Origin;
use crate::tree::{Entry, Node, Table, Value};

/// The state of one check.
pub(crate) struct Checker<'a> {
    /// The shape of the whole document, to say where a misplaced key belongs.
    root: &'a Kind,
    /// What was found.
    pub(crate) mistakes: Vec<Diagnostic>,
    /// Dotted paths of the values that were taken out; what depends on them cannot be judged.
    pub(crate) removed: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    /// A check against `root`.
    pub(crate) fn new(root: &'a Kind) -> Self {
        Self { root, mistakes: Vec::new(), removed: BTreeSet::new() }
    }

    /// Checks what is there, not what is missing; returns what is right of it.
    pub(crate) fn check(&mut self, node: Node) -> Node {
        let origin = node.origin.clone();
        let checked = self.node(node, self.root, "");
        checked.unwrap_or(Node { origin, value: Value::Table(Table::new()) })
    }

    fn node(&mut self, node: Node, kind: &Kind, path: &str) -> Option<Node> {
        let Node { origin, value } = node;
        let value = match (kind, value) {
            (Kind::Section(fields) | Kind::Paces(fields), Value::Table(table)) => {
                Value::Table(self.section(table, fields, path))
            }
            (Kind::Map { keys, values }, Value::Table(table)) => Value::Table(self.map(table, *keys, values, path)),
            (Kind::ByDimension { min, max }, Value::Table(table)) => {
                Value::Table(self.by_dimension(table, *min, *max, path))
            }
            (Kind::Tagged { words, variants }, Value::Table(table)) => {
                Value::Table(self.tagged(table, words, variants, &origin, path)?)
            }
            (Kind::List(of), Value::List(items)) => {
                let count = items.len();
                let items: Vec<Node> = items.into_iter().filter_map(|item| self.node(item, of, path)).collect();
                if items.len() < count {
                    self.removed.insert(path.to_owned());
                }
                Value::List(items)
            }
            (kind, value) => self.leaf(kind, value, &origin, path)?,
        };
        Some(Node { origin, value })
    }

    fn section(&mut self, table: Table, fields: &[Field], path: &str) -> Table {
        let mut checked = Table::new();
        for (name, Entry { key, node }) in table {
            let path = join(path, &name);
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                self.unknown_key(&name, &key, fields, &path);
                continue;
            };
            if let Some(node) = self.node(node, &field.kind, &path) {
                checked.insert(name, Entry { key, node });
            }
        }
        checked
    }

    fn unknown_key(&mut self, name: &str, key: &Origin, fields: &[Field], path: &str) {
        let place = match path.rsplit_once('.') {
            Some((section, _)) => format!("in [{section}]"),
            None => "at the top".to_owned(),
        };
        let help = did_you_mean(name, fields.iter().map(|field| field.name))
            .or_else(|| home_of(name, self.root, "").map(|home| format!("`{name}` belongs in {home}")));
        let expected = one_of(fields.iter().map(|field| field.name));
        self.mistakes.push(Diagnostic::new(key, format!("unknown key `{name}` {place}"), expected).with_help(help));
        self.removed.insert(path.to_owned());
    }

    fn map(&mut self, table: Table, keys: Keys, values: &Kind, path: &str) -> Table {
        let mut checked = Table::new();
        for (name, Entry { key, node }) in table {
            let path = join(path, &name);
            let (valid, noun): (Vec<&str>, &str) = match keys {
                Keys::Any | Keys::Names => (vec![name.as_str()], "name"),
                Keys::Series => (mappable_series().collect(), "series"),
                Keys::Knobs => (axes_of_the_target().to_vec(), "knob"),
            };
            if let (Keys::Names, Some((message, _))) = (keys, text_mistake(TextRule::Name, &name)) {
                let expected = format!("expected {}", Kind::Text(TextRule::Name).expected());
                self.mistakes.push(Diagnostic::new(&key, message, expected));
                self.removed.insert(path);
            } else if !valid.contains(&name.as_str()) {
                let help = did_you_mean(&name, valid.iter().copied());
                let expected = one_of(valid);
                self.mistakes.push(Diagnostic::new(&key, format!("unknown {noun} `{name}`"), expected).with_help(help));
            } else if let Some(node) = self.node(node, values, &path) {
                checked.insert(name, Entry { key, node });
            }
        }
        checked
    }

    fn by_dimension(&mut self, table: Table, min: i64, max: i64, path: &str) -> Table {
        let mut checked = Table::new();
        for (name, Entry { key, node }) in table {
            // `0128` and `128` would be one dimension under two names.
            let canonical = name.parse::<u32>().is_ok_and(|dim| (1..=65536).contains(&dim) && dim.to_string() == name);
            if name != "default" && !canonical {
                let help = did_you_mean(&name, ["default"]);
                let message = format!("`{name}` is not a dimension");
                let found = Diagnostic::new(&key, message, "expected a whole number from 1 to 65536, or default");
                self.mistakes.push(found.with_help(help));
                self.removed.insert(path.to_owned());
            } else if let Some(node) = self.node(node, &Kind::Integer { min, max }, path) {
                checked.insert(name, Entry { key, node });
            }
        }
        checked
    }

    /// Exactly one of the variants, whose own keys must all be there.
    fn tagged(
        &mut self,
        table: Table,
        words: &[&str],
        variants: &[Field],
        origin: &Origin,
        path: &str,
    ) -> Option<Table> {
        let mut expected: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        if table.len() != 1 {
            let expected = one_of(expected.iter().copied());
            let message = format!("`{path}` must have exactly one key, found {}", table.len());
            self.mistakes.push(Diagnostic::new(origin, message, expected));
            self.removed.insert(path.to_owned());
            return None;
        }
        if let Some((name, entry)) = table.iter().find(|(name, _)| !expected.contains(&name.as_str())) {
            expected.extend(words);
            let help = if words.contains(&name.as_str()) {
                Some(format!("write it as a word: \"{name}\""))
            } else {
                did_you_mean(name, expected.iter().copied())
            };
            let expected = one_of(variants.iter().map(|variant| variant.name));
            let message = format!("unknown key `{name}` in `{path}`");
            self.mistakes.push(Diagnostic::new(&entry.key, message, expected).with_help(help));
            self.removed.insert(path.to_owned());
            return None;
        }
        let before = self.mistakes.len();
        let table = self.section(table, variants, path);
        for (name, entry) in &table {
            let kind = variants.iter().find(|variant| variant.name == name).map(|variant| &variant.kind);
            if let (Some(Kind::Section(fields)), Some(inner)) = (kind, entry.node.table()) {
                missing_in(inner, fields, &entry.key, &join(path, name), &self.removed, &mut self.mistakes);
            }
        }
        if self.mistakes.len() > before {
            self.removed.insert(path.to_owned());
            return None;
        }
        Some(table)
    }

    /// A value without children; `None`, reported, when it is not one of its kind.
    fn leaf(&mut self, kind: &Kind, value: Value, origin: &Origin, path: &str) -> Option<Value> {
        let (wrong, help) = match (kind, &value) {
            (Kind::Integer { min, max }, Value::Integer(number)) if (min..=max).contains(&number) => {
                return Some(value);
            }
            (Kind::ByDimension { min, max }, Value::Integer(number)) if (min..=max).contains(&number) => {
                return Some(value);
            }
            (Kind::Number, Value::Integer(number)) if *number >= 0 => return Some(value),
            (Kind::Number, Value::Float(number)) if number.is_finite() && *number >= 0.0 => return Some(value),
            (Kind::Flag, Value::Flag(_)) => return Some(value),
            (Kind::Quantity(Quantity::Gogc), Value::Integer(number)) => {
                match Quantity::Gogc.read(&number.to_string()) {
                    Some(read) => return Some(Value::Text(read.text)),
                    None => (None, None),
                }
            }
            (Kind::Quantity(quantity) | Kind::Measure(quantity), Value::Text(text)) => match quantity.read(text) {
                Some(_) if *quantity == Quantity::Gogc && text != "off" => {
                    (None, Some(format!("without quotes: {text}")))
                }
                Some(read) if matches!(kind, Kind::Measure(_)) => return Some(Value::Float(read.number)),
                Some(read) => return Some(Value::Text(read.text)),
                None => (None, None),
            },
            (Kind::Choice(words), Value::Text(text)) => {
                if words.contains(&text.as_str()) {
                    return Some(value);
                }
                (Some(format!("unknown value `{text}`")), did_you_mean(text, words.iter().copied()))
            }
            (Kind::Paces(fields), Value::Text(text)) => {
                let names = || fields.iter().map(|field| field.name).filter(|name| *name != "default");
                if names().any(|name| name == text) {
                    return Some(value);
                }
                (Some(format!("unknown pace `{text}`")), did_you_mean(text, names()))
            }
            (Kind::Tagged { words, variants }, Value::Text(text)) => {
                if words.contains(&text.as_str()) {
                    return Some(value);
                }
                let names = variants.iter().map(|variant| variant.name).chain(words.iter().copied());
                (Some(format!("unknown value `{text}`")), did_you_mean(text, names))
            }
            // Bare on a command line, a number may be meant as a text.
            (Kind::Text(_), Value::Integer(number)) if origin.is_command_line() => {
                return self.leaf(kind, Value::Text(number.to_string()), origin, path);
            }
            (Kind::Text(rule), Value::Text(text)) => match text_mistake(*rule, text) {
                None => return Some(value),
                Some((message, help)) => (Some(message), help),
            },
            (Kind::List(_), Value::Text(text)) => (None, Some(format!("write it in brackets: [\"{text}\"]"))),
            (Kind::List(_), Value::Integer(number)) => (None, Some(format!("write it in brackets: [{number}]"))),
            _ => (None, None),
        };
        let message = wrong.unwrap_or_else(|| match &value {
            Value::Integer(number) => format!("{number} is not valid for `{path}`"),
            Value::Text(text) => format!("\"{text}\" is not valid for `{path}`"),
            other => format!("{} is not valid for `{path}`", other.name()),
        });
        let expected = format!("expected {}", kind.expected());
        self.mistakes.push(Diagnostic::new(origin, message, expected).with_help(help));
        self.removed.insert(path.to_owned());
        None
    }
}

/// Why a text breaks its rule, and what to do about it.
fn text_mistake(rule: TextRule, text: &str) -> Option<(String, Option<String>)> {
    let name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c));
    let wrong = match rule {
        TextRule::NotEmpty => text.trim().is_empty().then(|| "an empty text".to_owned()),
        TextRule::Name => (!name(text) || text.contains(':')).then(|| format!("`{text}` is not a name")),
        TextRule::Endpoint => {
            let path = text.strip_prefix("GET ").or_else(|| text.strip_prefix("POST "));
            match path {
                Some(path) if path.starts_with('/') && !path.contains(char::is_whitespace) => {
                    return unknown_placeholder(text, &["dataset", "leak", "seconds"]);
                }
                _ => Some(format!("`{text}` is not a method and a path")),
            }
        }
        TextRule::Request(request) => {
            let parts = text.split_once(' ');
            let method = |method: &str| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method);
            match parts {
                Some((verb, path)) if method(verb) && path.starts_with('/') && !path.contains(char::is_whitespace) => {
                    return unknown_placeholder(text, &in_path(request));
                }
                _ => Some(format!("`{text}` is not a method and a path")),
            }
        }
        TextRule::InJson => {
            let parts: Vec<&str> = text.split(' ').collect();
            let fits = matches!(parts[..], ["GET", path, pointer] if path.starts_with('/') && pointer.starts_with('/'));
            if fits {
                return unknown_variable(text, &["dataset", "collection", "collection_id"]);
            }
            Some(format!("`{text}` is not a method, a path and a JSON pointer"))
        }
        TextRule::Body(request) => return unknown_variable(text, &Requests::variables(request)),
        TextRule::Pointer => {
            let fits = text.is_empty() || (text.starts_with('/') && !text.contains(char::is_whitespace));
            if fits {
                return unknown_variable(text, &["dataset", "collection", "collection_id"]);
            }
            Some(format!("`{text}` is not a JSON pointer"))
        }
        TextRule::Header => return wrong_secret(text),
        TextRule::Evidence if text.starts_with("GET ") => return text_mistake(TextRule::InJson, text),
        TextRule::Evidence => return text_mistake(TextRule::Metric, text),
        TextRule::Metric => {
            let text_inside = text.strip_prefix("max(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
            let (metric, labels) = text_inside.split_once('{').unwrap_or((text_inside, "}"));
            let inner = labels.strip_suffix('}');
            let label = |pair: &str| {
                pair.split_once('=').is_some_and(|(key, value)| {
                    name(key.trim())
                        && value.trim().len() >= 2
                        && value.trim().starts_with('"')
                        && value.trim().ends_with('"')
                })
            };
            let labels_fit = inner.is_some_and(|inner| inner.is_empty() || inner.split(',').all(label));
            (!name(metric) || !labels_fit).then(|| format!("`{text}` does not name a metric"))
        }
        TextRule::Processors => launch::processors(text).is_none().then(|| format!("`{text}` names no processors")),
        TextRule::Template => {
            let known: Vec<&str> = PLACEHOLDERS.into_iter().chain(axes_of_the_target().iter().copied()).collect();
            return unknown_placeholder(text, &known);
        }
    };
    wrong.map(|message| (message, None))
}

/// What a request fills in, in its path. Lists of rows and vectors are too long for one.
fn in_path(request: &str) -> Vec<&'static str> {
    let long = ["text", "vector", "rows", "ids", "vectors", "next"];
    Requests::variables(request).into_iter().filter(|variable| !long.contains(variable)).collect()
}

/// A header has no other placeholders than those of secrets.
fn wrong_secret(text: &str) -> Option<(String, Option<String>)> {
    let mut names = text.split('{').skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name));
    let is_secret = |name: &&str| {
        ["env:", "file:"].iter().any(|kind| name.strip_prefix(kind).is_some_and(|what| !what.trim().is_empty()))
    };
    let unknown = names.find(|name| !is_secret(name))?;
    Some((format!("nothing fills in `{{{unknown}}}`"), Some("expected `{env:NAME}` or `{file:PATH}`".to_owned())))
}

fn unknown_placeholder(text: &str, known: &[&str]) -> Option<(String, Option<String>)> {
    let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let is_port =
        |name: &str| known.contains(&"data_dir") && name.strip_prefix(FREE_PORT).is_some_and(|name| !name.is_empty());
    let unknown = names.into_iter().find(|name| !known.contains(name) && !is_port(name))?;
    let help = did_you_mean(unknown, known.iter().copied()).unwrap_or_else(|| one_of(known.iter().copied()));
    Some((format!("nothing fills in `{{{unknown}}}`"), Some(help)))
}

/// Like a placeholder, but among the braces of JSON: only what looks like a name is one.
fn unknown_variable(text: &str, known: &[&str]) -> Option<(String, Option<String>)> {
    let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let looks_like_one = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let unknown = names.filter(looks_like_one).find(|name| !known.contains(name))?;
    let help = did_you_mean(unknown, known.iter().copied()).unwrap_or_else(|| one_of(known.iter().copied()));
    Some((format!("nothing fills in `{{{unknown}}}`"), Some(help)))
}

/// Reports required keys that are absent; `removed` ones were reported already.
pub(crate) fn missing_in(
    table: &Table,
    fields: &[Field],
    at: &Origin,
    path: &str,
    removed: &BTreeSet<String>,
    mistakes: &mut Vec<Diagnostic>,
) {
    for field in fields {
        let here = join(path, field.name);
        match table.get(field.name) {
            Some(entry) => match (&field.kind, entry.node.table()) {
                (Kind::Section(inner), Some(table)) => {
                    missing_in(table, inner, &entry.key, &here, removed, mistakes);
                }
                (Kind::Map { keys: Keys::Names, values }, Some(named)) => {
                    let Kind::Section(inner) = values.as_ref() else { continue };
                    for (name, entry) in named {
                        let Some(table) = entry.node.table() else { continue };
                        missing_in(table, inner, &entry.key, &join(&here, name), removed, mistakes);
                    }
                }
                _ => {}
            },
            None if field.presence == Presence::Required && !removed.contains(&here) => {
                let place = if path.is_empty() { "at the top".to_owned() } else { format!("in [{path}]") };
                let message = format!("missing key `{}` {place}", field.name);
                mistakes.push(Diagnostic::new(at, message, format!("expected {}", field.kind.expected())));
            }
            None => {}
        }
    }
}

/// The section that has a key of this name, for a key that was written elsewhere.
fn home_of(name: &str, kind: &Kind, path: &str) -> Option<String> {
    let Kind::Section(fields) = kind else { return None };
    if !path.is_empty() && fields.iter().any(|field| field.name == name) {
        return Some(format!("[{path}]"));
    }
    fields.iter().find_map(|field| home_of(name, &field.kind, &join(path, field.name)))
}

/// A dotted path.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
