//! `schema.json`: the declared shape as a JSON Schema, for editors.

use serde_json::{Map, Value as Json, json};

use crate::merge::to_json;
use crate::profile_shape::mappable_series;
use crate::scenario_shape;
use crate::shape::{Field, Keys, Kind, Presence, Quantity, TextRule};
use crate::source::{Origin, Source, SourceKind};
use crate::tree::parse_value;

/// The JSON Schema (2020-12) of scenario files. Editors read it for TOML too; `soak check` is stricter still.
pub fn schema_json() -> Json {
    let mut schema = of(scenario_shape::scenario());
    if let Json::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("soak scenario"));
    }
    schema
}

fn of(kind: &Kind) -> Json {
    match kind {
        Kind::Text(TextRule::Endpoint) => json!({ "type": "string", "pattern": "^(GET|POST) /\\S*$" }),
        Kind::Text(TextRule::Name) => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
        Kind::Text(_) => json!({ "type": "string", "minLength": 1 }),
        Kind::Integer { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number => json!({ "type": "number", "minimum": 0 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Quantity(Quantity::Gogc) => json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "const": "off" }] }),
        Kind::Quantity(quantity) | Kind::Measure(quantity) => {
            json!({ "type": "string", "pattern": quantity.pattern() })
        }
        Kind::Section(fields) => section(fields),
        Kind::List(kind) => json!({ "type": "array", "items": of(kind) }),
        Kind::Tagged { words, variants } => {
            let mut tables = section(variants);
            tables["minProperties"] = json!(1);
            tables["maxProperties"] = json!(1);
            json!({ "oneOf": [{ "enum": words }, tables] })
        }
        Kind::ByDimension { min, max } => {
            let rows = json!({ "type": "integer", "minimum": min, "maximum": max });
            let table = json!({
                "type": "object",
                "properties": { "default": rows },
                "patternProperties": { "^[1-9][0-9]*$": rows },
                "additionalProperties": false,
            });
            json!({ "oneOf": [rows, table] })
        }
        Kind::Map { keys, values } => {
            let mut schema = json!({ "type": "object", "additionalProperties": of(values) });
            match keys {
                Keys::Any => {}
                Keys::Names => schema["propertyNames"] = json!({ "pattern": "^[A-Za-z0-9_-]+$" }),
                Keys::Series => schema["propertyNames"] = json!({ "enum": mappable_series().collect::<Vec<_>>() }),
                Keys::Knobs => schema["propertyNames"] = json!({ "enum": scenario_shape::axes_of_the_target() }),
            }
            schema
        }
        Kind::Paces(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.name).filter(|name| *name != "default").collect();
            json!({ "oneOf": [{ "enum": names }, section(fields)] })
        }
    }
}

fn section(fields: &[Field]) -> Json {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = of(&field.kind);
        schema["description"] = json!(field.doc);
        if let Some(default) = default(field) {
            schema["default"] = default;
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> =
        fields.iter().filter(|field| field.presence == Presence::Required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A key's default as JSON; a section's is that of its keys.
fn default(field: &Field) -> Option<Json> {
    let Presence::Default(text) = field.presence else { return None };
    if matches!(field.kind, Kind::Section(_)) {
        return None;
    }
    let origin = Origin::whole(&Source::new("default", SourceKind::Default, text));
    let node = parse_value(&origin, &mut Vec::new())?;
    // A flag's conversion keeps numbers as they are written.
    Some(to_json(&node, &Kind::Flag))
}
