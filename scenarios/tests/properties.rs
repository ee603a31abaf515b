//! Whatever the matrix, its expansion keeps its promises; whatever the text, nothing panics.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use soak_scenario::{Knobs, LoadError, Pace, Plan, Request, Variant, load_text};

const SCENARIO2: &str = include_str!("../scenario2.toml");

/// A scenario with this matrix and enough vectors for any batch.
fn scenario(matrix: &str) -> String {
    format!("name = \"x\"\ntitle = \"x\"\n[workload]\nvectors_per_cycle = 1000000\n[matrix]\n{matrix}\n")
}

fn expand(text: &str, seed: u64) -> Result<Vec<Variant>, LoadError> {
    load_text("x", text, &Request { seed: Some(seed), ..Request::default() }).map(|loaded| loaded.plan.variants)
}

fn list<T: ToString>(values: &BTreeSet<T>) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn variants_are_product_less_excluded_plus_included(
        dims in btree_set(1_u32..5000, 2..5),
        rows in btree_set(1_u32..10_000, 1..4),
        gogc in btree_set(1_u32..500, 1..4),
        limits in btree_set(16_u32..4096, 1..3),
        out in any::<Index>(),
        seed in any::<u64>(),
    ) {
        let dim = dims.iter().nth(out.index(dims.len())).unwrap();
        let limits_text = limits.iter().map(|mib| format!("\"{mib}MiB\"")).collect::<Vec<_>>().join(", ");
        // Dimension 6000 and 10000 rows are in no list, so the included points are new.
        let matrix = format!(
            "dim = [{}]\nbatch_rows = [{}]\ngogc = [{}]\nmemory_limit = [{limits_text}]\n\
             exclude = [{{ dim = {dim} }}]\ninclude = [{{ dim = 6000 }}, {{ batch_rows = 10000, gogc = \"off\" }}]",
            list(&dims), list(&rows), list(&gogc),
        );
        let variants = expand(&scenario(&matrix), seed).unwrap();
        let excluded = rows.len() * gogc.len() * limits.len();
        prop_assert_eq!(variants.len(), dims.len() * excluded - excluded + 2);
        let ids: BTreeSet<&str> = variants.iter().map(|variant| variant.id.as_str()).collect();
        prop_assert_eq!(ids.len(), variants.len());
        for one in &variants {
            let expected = format!("dim{}-rows{}", one.knobs.dim, one.knobs.batch_rows);
            prop_assert!(one.id.starts_with(&expected), "{}", one.id);
            for other in &variants {
                let sent_alike = Knobs { batch_rows: other.knobs.batch_rows, ..one.knobs.clone() };
                if sent_alike == other.knobs {
                    prop_assert_eq!(one.seed, other.seed);
                }
                prop_assert_eq!(one.seed == other.seed, one.knobs.dim == other.knobs.dim);
            }
        }
    }

    #[test]
    fn a_plan_reads_back_from_its_json(
        pace in proptest::sample::select(Pace::ALL.to_vec()),
        seed in any::<u64>(),
        leak in 1_u64..1 << 40,
        share in 0.0..100.0_f64,
        millis in 100_u64..100_000_000,
    ) {
        let edits = [
            format!("target.misbehave.heap_leak={leak}B/min"),
            format!("target.misbehave.retain_batches={share}%"),
            format!("deadlines.index={millis}ms"),
        ];
        let request = Request { pace: Some(pace), seed: Some(seed), edits: &edits, ..Request::default() };
        let plan = load_text("x", SCENARIO2, &request).unwrap().plan;
        let json = serde_json::to_string(&plan).unwrap();
        let back: Plan = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&back.variants, &plan.variants);
        prop_assert_eq!(&back.deadlines, &plan.deadlines);
        // A share is written with nine decimals of a percent; what was read once reads back unchanged from then on.
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), json);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = load_text("x", &text, &Request::default());
    }

    #[test]
    fn no_toml_like_text_panics(words in vec(words(), 0..40)) {
        let _ = load_text("x", &words.concat(), &Request::default());
    }

    #[test]
    fn no_mutation_of_a_scenario_panics(
        cuts in vec((any::<Index>(), 0_usize..30, words()), 1..6),
        pace in proptest::sample::select(Pace::ALL.to_vec()),
    ) {
        let mut text: Vec<char> = SCENARIO2.chars().collect();
        for (at, length, word) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, word.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(LoadError::Invalid { diagnostics }) = load_text("x", &text, &Request { pace: Some(pace), ..Request::default() }) {
            prop_assert!(!diagnostics.is_empty());
            for one in diagnostics {
                prop_assert!(one.source_text.get(one.span.clone()).is_some());
                prop_assert!(one.to_plain_string().contains(&one.message));
            }
        }
    }

    #[test]
    fn no_command_line_panics(edit in vec(words(), 1..8), target in any::<String>(), only in "[*?{},a-z0-9-]{0,30}") {
        let edits = [edit.concat(), any_edit(&edit)];
        let request = Request { target: Some(&target), only: Some(&only), edits: &edits, ..Request::default() };
        let _ = load_text("x", SCENARIO2, &request);
    }
}

fn any_edit(words: &[String]) -> String {
    format!("matrix.include={}", words.concat())
}

/// Pieces of scenarios, right and wrong.
fn words() -> impl Strategy<Value = String> {
    let pieces = [
        "[matrix]\n",
        "[pace.gate.matrix]\n",
        "[[matrix]]\n",
        "dim",
        "gogc",
        "include",
        "exclude",
        " = ",
        "=",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ".",
        "\n",
        "128",
        "-1",
        "1e400",
        "99999999999999999999",
        "0x7f",
        "\"off\"",
        "\"1MiB\"",
        "'",
        "\"",
        "\"\"\"",
        "true",
        "nan",
        "1979-05-27",
        "workload.query.schedule",
        "step",
        "vectors_per_cycle",
        "default",
        "é",
        "\u{feff}",
        "\r\n",
        "#",
        "\"5s\"",
        "cycle.count",
        "target.profile",
        "\"/\"",
        "\"scenario2.toml\"",
        "pace",
    ];
    proptest::sample::select(pieces.map(str::to_owned).to_vec())
}
