//! The committed schema and reference tables are what the declarations say.

use soak_scenario::runbook::runbooks_markdown;
use soak_scenario::{reference_markdown, schema_json};

#[test]
fn the_schema_is_the_generated_one() {
    let generated = serde_json::to_string_pretty(&schema_json()).unwrap();
    assert!(
        include_str!("../schema.json").trim_end() == generated,
        "scenarios/schema.json is old: run `cargo run --release -- export schema > scenarios/schema.json`"
    );
}

#[test]
fn the_reference_is_the_generated_one() {
    assert!(
        include_str!("../REFERENCE.md") == reference_markdown(),
        "scenarios/REFERENCE.md is old: run `cargo run --release -- export reference > scenarios/REFERENCE.md`"
    );
}

#[test]
fn the_runbooks_table_is_the_generated_one() {
    assert!(
        include_str!("../RUNBOOKS.md") == runbooks_markdown(),
        "scenarios/RUNBOOKS.md is old: run `cargo run --release -- export runbooks > scenarios/RUNBOOKS.md`"
    );
}
