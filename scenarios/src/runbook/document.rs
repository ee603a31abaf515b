//! The catalogue as documents: every row of both runbooks, and what covers it.

use std::fmt::Write as _;

use super::{Runbook, Tally, indicators, steps};

/// The whole catalogue in Markdown: thresholds and steps, runbook by runbook.
pub fn runbooks_markdown() -> String {
    let thresholds = Tally::of(indicators().map(|one| one.covered));
    let actions = Tally::of(steps().map(|one| one.covered));
    let mut out = format!(
        "# What covers the runbooks\n\nGenerated from the catalogue in the code; `soak export runbooks` prints it, `soak criteria --runbooks` its thresholds. \
         What is *written* is to the letter; a test looks it up under its\nheading where the runbooks are at hand, and finds every line that no row covers. *Not yet* \
         says that nothing here answers the row today. GB are 10⁹ bytes, the smaller of two readings.\n\n\
         - {} thresholds: {thresholds}\n- {} steps: {actions}\n",
        indicators().count(),
        steps().count(),
    );
    for runbook in Runbook::ALL {
        thresholds_of(&mut out, runbook);
        steps_of(&mut out, runbook);
    }
    out
}

/// The thresholds alone, in Markdown.
pub fn thresholds_markdown() -> String {
    let mut out = String::new();
    for runbook in Runbook::ALL {
        thresholds_of(&mut out, runbook);
    }
    out.trim_start().to_owned()
}

fn thresholds_of(out: &mut String, runbook: Runbook) {
    let _ = writeln!(out, "\n## {}\n", runbook.title());
    out.push_str("| threshold | section | written | meaning | levels | window | series | covered by |\n");
    out.push_str("|---|---|---|---|---|---|---|---|\n");
    for one in indicators().filter(|one| one.runbook == runbook) {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            one.id,
            cell(one.section),
            verbatim(one.written),
            cell(one.meaning),
            cell(&one.levels.to_string()),
            one.window.map(|window| window.to_string()).unwrap_or_default(),
            one.series.iter().map(|name| code(name)).collect::<Vec<_>>().join(", "),
            cell(&one.covered.to_string()),
        );
    }
}

fn steps_of(out: &mut String, runbook: Runbook) {
    if steps().all(|one| one.runbook != runbook) {
        return;
    }
    let _ = writeln!(out, "\n### Steps of “{}”\n", runbook.title());
    out.push_str("| section | written | covered by |\n|---|---|---|\n");
    for one in steps().filter(|one| one.runbook == runbook) {
        let covered = cell(&one.covered.to_string());
        let _ = writeln!(out, "| {} | {} | {covered} |", cell(one.section), verbatim(one.written));
    }
}

/// A text in a cell: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What is written, line by line.
fn verbatim(text: &str) -> String {
    text.lines().map(code).collect::<Vec<_>>().join("<br>")
}

/// A text as code, in a cell. What holds a backtick stands between two.
fn code(text: &str) -> String {
    let text = cell(text);
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_what_would_break_a_table() {
        assert_eq!(verbatim("a | b\nc `d`"), "`a \\| b`<br>`` c `d` ``");
        assert_eq!(verbatim(""), "");
    }

    #[test]
    fn every_row_is_in_the_document_and_none_is_empty() {
        let document = runbooks_markdown();
        let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).collect();
        let headings = 2 + Runbook::ALL.len();
        assert_eq!(rows.len(), indicators().count() + steps().count() + headings);
        assert_eq!(rows.iter().find(|row| row.ends_with("|  |")), None, "nothing is said of what covers it");
        assert!(document.contains(thresholds_markdown().lines().nth(4).unwrap()));
    }
}
