//! Layers: a file, its section for the chosen pace, command-line edits, and the declared defaults beneath them all.

use serde_json::{Map, Value as Json};

use crate::shape::{Field, Keys, Kind, Presence};
use crate::source::{Origin, Source, SourceKind};
use crate::tree::{Entry, Node, Table, Value, parse_value};

/// Lays `over` on top of `base`: sections and by-dimension tables key by key, everything else as a whole.
pub(crate) fn merge(base: &mut Node, over: Node, kind: &Kind) {
    let fields: &[Field] = match kind {
        Kind::Section(fields) | Kind::Paces(fields) => fields,
        Kind::Map { keys: Keys::Names, values } => return merge_named(base, over, values),
        Kind::ByDimension { .. } | Kind::Map { .. } => &[],
        _ => {
            *base = over;
            return;
        }
    };
    match (&mut base.value, over.value) {
        (Value::Table(under), Value::Table(table)) => {
            for (name, entry) in table {
                let inner = fields.iter().find(|field| field.name == name).map(|field| &field.kind);
                match (under.get_mut(&name), inner) {
                    (Some(old), Some(kind)) => {
                        // An edit's section has no place of its own, so the file's header stays the better one to underline.
                        if entry.node.table().is_none() {
                            old.key = entry.key;
                        }
                        merge(&mut old.node, entry.node, kind);
                    }
                    _ => {
                        under.insert(name, entry);
                    }
                }
            }
        }
        (_, value) => *base = Node { origin: over.origin, value },
    }
}

/// The same for a table whose keys a person chose, each of them a section.
fn merge_named(base: &mut Node, over: Node, kind: &Kind) {
    match (&mut base.value, over.value) {
        (Value::Table(under), Value::Table(table)) => {
            for (name, entry) in table {
                match under.get_mut(&name) {
                    Some(old) => merge(&mut old.node, entry.node, kind),
                    None => {
                        under.insert(name, entry);
                    }
                }
            }
        }
        (_, value) => *base = Node { origin: over.origin, value },
    }
}

/// Fills in every default that is absent, in sections that exist or have a default themselves.
pub(crate) fn fill_defaults(table: &mut Table, fields: &[Field]) {
    for field in fields {
        if let Presence::Default(text) = field.presence
            && !table.contains_key(field.name)
        {
            let key = Origin::whole(&Source::new("default", SourceKind::Default, text));
            if let Some(node) = parse_value(&key, &mut Vec::new()) {
                table.insert(field.name.to_owned(), Entry { key, node });
            }
        }
        let Some(Value::Table(inner_table)) = table.get_mut(field.name).map(|entry| &mut entry.node.value) else {
            continue;
        };
        match &field.kind {
            Kind::Section(inner) => fill_defaults(inner_table, inner),
            Kind::Map { keys: Keys::Names, values } => {
                let Kind::Section(inner) = values.as_ref() else { continue };
                for entry in inner_table.values_mut() {
                    if let Value::Table(named) = &mut entry.node.value {
                        fill_defaults(named, inner);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The JSON that the plan's types read. Meant for checked documents: what the check lets through, the types take.
pub(crate) fn to_json(node: &Node, kind: &Kind) -> Json {
    match &node.value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => match kind {
            // The types know one form only: a table in which 0 is the default.
            Kind::ByDimension { .. } => Json::Object(Map::from_iter([("0".to_owned(), Json::from(*number))])),
            Kind::Quantity(_) => Json::from(number.to_string()),
            _ => Json::from(*number),
        },
        Value::Float(number) => Json::from(*number),
        Value::Flag(flag) => Json::from(*flag),
        Value::Date => Json::Null,
        Value::List(items) => {
            let of = if let Kind::List(of) = kind { of } else { kind };
            items.iter().map(|item| to_json(item, of)).collect()
        }
        Value::Table(table) => {
            let entry = |(name, entry): (&String, &Entry)| {
                let inner = match kind {
                    Kind::Section(fields) | Kind::Paces(fields) | Kind::Tagged { variants: fields, .. } => {
                        fields.iter().find(|field| field.name == name).map(|field| &field.kind)
                    }
                    Kind::Map { values, .. } => Some(values.as_ref()),
                    _ => None,
                };
                let name = if matches!(kind, Kind::ByDimension { .. }) && name == "default" { "0" } else { name };
                // Plain numbers by dimension have no kind of their own; a flag's converts them as they are.
                (name.to_owned(), to_json(&entry.node, inner.unwrap_or(&Kind::Flag)))
            };
            Json::Object(table.iter().map(entry).collect())
        }
    }
}
