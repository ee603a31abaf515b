//! `verdict.json`: the verdict as it serializes, indented for people.

use soak_verdict::RunVerdict;

/// The verdict as indented JSON with a newline at its end.
///
/// # Panics
///
/// Never: a verdict holds text, numbers and maps with text keys, all of which JSON can hold.
#[expect(clippy::expect_used, reason = "a verdict has nothing that JSON cannot hold")]
pub fn verdict_json(verdict: &RunVerdict) -> String {
    let mut json = serde_json::to_string_pretty(verdict).expect("a verdict is JSON");
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use crate::synthetic;

    #[test]
    fn it_reads_back_and_ends_in_a_newline() {
        let verdict = synthetic::verdict_of(&[]);
        let json = super::verdict_json(&verdict);
        assert!(json.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<soak_verdict::RunVerdict>(&json).unwrap(), verdict);
    }
}
