//! A comparison on a terminal: one line, who was compared, a table by variant, and what a reader should know.

use std::fmt::Write as _;

use soak_render::{RowCells, comparison_headline, row_cells};
use soak_verdict::compare::{Comparison, Role, Row, Side};

use crate::output::WIDTH;
use crate::table::{table, wrapped};

/// The comparison in words.
pub(crate) fn words(comparison: &Comparison) -> String {
    let mut out = wrapped(&comparison_headline(comparison), 0, WIDTH);
    let _ = writeln!(out, "base       {}", side(&comparison.base));
    let _ = writeln!(out, "candidate  {}", side(&comparison.candidate));
    out.push_str(&rows(comparison));
    out.push_str(&wrapped(
        "from: a smaller change is none. could see: the smallest change that would have been called one. *: worse fails, and what cannot be told is no doubt. (…): for information, as times are of runs that took no turns.",
        0,
        WIDTH,
    ));
    let reasons = comparison
        .rows
        .iter()
        .filter_map(|row| row.reason.as_ref().map(|reason| format!("{} in {}: {reason}", row.quantity, row.variant)));
    let notes: Vec<String> = comparison.notes.iter().cloned().chain(reasons).collect();
    if !notes.is_empty() {
        out.push_str("\nNotes\n");
        for note in notes {
            out.push_str(&wrapped(&note, 2, WIDTH));
        }
    }
    out
}

/// `embedded (soak 0.1.0), 2 runs: a (pass), b (pass)`.
fn side(side: &Side) -> String {
    let runs: Vec<String> = side.runs.iter().map(|run| format!("{} ({})", run.run, run.verdict.name())).collect();
    format!("{}: {}", side.target, runs.join(", "))
}

fn rows(comparison: &Comparison) -> String {
    let cells = |row: &Row| {
        let RowCells { answer, base, candidate, change, threshold, interval, detectable } = row_cells(row);
        let quantity = match row.role {
            Role::Required => row.quantity.clone(),
            Role::Watched => format!("{} *", row.quantity),
            Role::Shown => format!("({})", row.quantity),
        };
        [format!("  {quantity}"), answer, base, candidate, change, threshold, interval, detectable]
    };
    let all: Vec<[String; 8]> = comparison.rows.iter().map(cells).collect();
    let text = table(["  quantity", "", "base", "candidate", "change", "from", "90 % sure", "could see"], &all);
    let mut lines = text.lines();
    let mut out = format!("\n{}\n", lines.next().unwrap_or_default());
    let mut variant = "";
    for (row, line) in comparison.rows.iter().zip(lines) {
        if row.variant != variant {
            variant = &row.variant;
            let _ = writeln!(out, "{variant}");
        }
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
    out
}
