//! The committed reference values, for the tests of this folder.

use serde_json::Value;

/// All of them.
pub(crate) fn values() -> Value {
    serde_json::from_str(include_str!("../../reference/values.json")).unwrap()
}

/// Asserts agreement to 1e-9, absolute below 1 and relative above.
#[track_caller]
pub(crate) fn close(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}
