//! JSON pointers with `*` for every element of a list.

use serde_json::Value;

/// A pointer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::client) struct Pointer(pub(super) Vec<Step>);

/// A part of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of an object, or the place of an element.
    Key(String),
    /// Every element.
    Each,
}

impl Pointer {
    /// Reads a pointer. The empty one, and `/`, are the whole answer.
    pub(in crate::client) fn parse(text: &str) -> Self {
        let steps = text.trim_matches('/').split('/').filter(|step| !step.is_empty());
        let step = |step: &str| match step {
            "*" => Step::Each,
            key => Step::Key(key.replace("~1", "/").replace("~0", "~")),
        };
        Self(steps.map(step).collect())
    }

    /// Whether it stands for every element of a list.
    pub(super) fn is_of_each(&self) -> bool {
        self.0.contains(&Step::Each)
    }
}

/// Whether a value in the place of an error is one.
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(table) => !table.is_empty(),
        // The number of errors, or the code of one.
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_something_is_an_error() {
        for none in [json!(null), json!(""), json!([]), json!({}), json!(false), json!(0)] {
            assert!(!is_error(&none), "{none}");
        }
        for some in [json!("no"), json!([1]), json!({ "error": [] }), json!(true), json!(2)] {
            assert!(is_error(&some), "{some}");
        }
    }
}
