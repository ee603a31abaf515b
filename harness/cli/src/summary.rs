//! The verdict on a terminal: one line, a grid of variants and criteria, then what failed or stayed open and what to do about it.

use std::fmt::Write as _;

use soak_verdict::{Finding, RunVerdict, VariantVerdict, Verdict, human};

use crate::output::{self, WIDTH};
use crate::table::{width, wrapped};

/// Between two columns of the grid.
const GAP: usize = 2;

/// The summary, in colour where standard output is a terminal.
pub(crate) fn summary(verdict: &RunVerdict) -> String {
    let text = plain(verdict);
    if output::colour_on_stdout() { coloured(&text) } else { text }
}

fn plain(verdict: &RunVerdict) -> String {
    let mut out = headline(verdict);
    let criteria = criteria(verdict);
    if !criteria.is_empty() {
        out.push('\n');
        // A column without a single answer would only be read past; its values are in the report.
        let (judged, told): (Vec<&str>, Vec<&str>) =
            criteria.iter().partition(|criterion| is_judged(verdict, criterion));
        out.push_str(&grid(verdict, if judged.is_empty() { &told } else { &judged }));
        out.push_str("\n✓ pass   ✗ fail   ? inconclusive   · for information\n");
        if !judged.is_empty() && !told.is_empty() {
            out.push_str(&wrapped(&format!("For information alone, in the report: {}.", told.join(", ")), 0, WIDTH));
        }
    }
    for wanted in [Verdict::Fail, Verdict::Inconclusive] {
        for criterion in &criteria {
            let of_criterion = |variant| Some((variant, VariantVerdict::finding(variant, criterion)?));
            let open = verdict.variants.iter().filter_map(of_criterion);
            let open = open.filter(|(variant, finding)| wanted == Verdict::Fail || !left_open(variant, finding));
            let open: Vec<_> = open.filter(|(_, finding)| finding.verdict == Some(wanted)).collect();
            if !open.is_empty() {
                out.push_str(&explained(criterion, wanted, &open));
            }
        }
    }
    out.push_str(&guidance(verdict));
    out.push_str(&not_judged(verdict));
    let noted = verdict.variants.iter().flat_map(|one| one.notes.iter().map(move |note| format!("{}: {note}", one.id)));
    let notes: Vec<String> = verdict.notes.iter().cloned().chain(noted).collect();
    if !notes.is_empty() {
        out.push_str("\nNotes\n");
        for note in notes {
            out.push_str(&wrapped(&note, 2, WIDTH));
        }
    }
    out
}

/// What the failures look like, a line each, with the variants that look the same together.
fn guidance(verdict: &RunVerdict) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (variant, one) in verdict.variants.iter().flat_map(|one| one.guidance.iter().map(move |found| (one, found))) {
        let strongest = one.evidence_for.first().map_or_else(String::new, |evidence| format!(": {evidence}"));
        let line = one.line();
        match lines.iter_mut().find(|(other, _)| other.starts_with(&line)) {
            Some((_, variants)) => variants.push(&variant.id),
            None => lines.push((format!("{line}{strongest}"), vec![&variant.id])),
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let mut out = "\nBy the runbook\n".to_owned();
    for (line, variants) in lines {
        out.push_str(&wrapped(&format!("{}: {line}", variants.join(", ")), 2, WIDTH));
    }
    out.push_str("  What speaks against it, what else it may be, and what to type: in the report.\n");
    out
}

/// Whether it was the target's end that left a finding open: one fact, and not one for each criterion. Settings that did not take effect are another.
fn left_open(variant: &VariantVerdict, finding: &Finding) -> bool {
    let died = variant.finding("target").is_some_and(|target| target.verdict == Some(Verdict::Fail));
    died && finding.verdict == Some(Verdict::Inconclusive) && finding.criterion != "unverified_settings"
}

/// What the variants that were cut short could not be judged by.
fn not_judged(verdict: &RunVerdict) -> String {
    let mut out = String::new();
    for variant in &verdict.variants {
        let open = variant.findings.iter().filter(|finding| left_open(variant, finding));
        let open: Vec<&str> = open.map(|finding| finding.criterion.as_str()).collect();
        if !open.is_empty() {
            let line = format!("{}: its target ended before {} could be judged", variant.id, open.join(", "));
            out.push_str(&wrapped(&line, 2, WIDTH));
        }
    }
    if out.is_empty() { out } else { format!("\nINCONCLUSIVE beside that\n{out}") }
}

fn headline(verdict: &RunVerdict) -> String {
    let control = verdict.and_controls();
    let mut out = format!(
        "{} — {}, pace {}, seed {}, {}{control}\n",
        verdict.verdict.name().to_uppercase(),
        verdict.scenario,
        verdict.pace.name(),
        verdict.seed,
        human::plural(verdict.judged().count(), "variant")
    );
    if let Some(platform) = &verdict.platform {
        out.push_str(&wrapped(&format!("The harness or the machine failed: {platform}"), 0, WIDTH));
    } else if !verdict.complete {
        out.push_str("The run did not come to its end.\n");
    }
    out
}

/// Every criterion that any variant has a finding for, in the order of reports.
fn criteria(verdict: &RunVerdict) -> Vec<&str> {
    let mut criteria: Vec<&str> = Vec::new();
    for variant in &verdict.variants {
        for (place, finding) in variant.findings.iter().enumerate() {
            if !criteria.contains(&finding.criterion.as_str()) {
                criteria.insert(place.min(criteria.len()), &finding.criterion);
            }
        }
    }
    criteria
}

/// Whether the criterion has an answer in any variant.
fn is_judged(verdict: &RunVerdict, criterion: &str) -> bool {
    let found = verdict.variants.iter().filter_map(|variant| variant.finding(criterion));
    found.into_iter().any(|finding| finding.verdict.is_some())
}

/// One row a variant, one column a criterion; columns that find no room go to a further band below.
fn grid(verdict: &RunVerdict, criteria: &[&str]) -> String {
    let ids = verdict.variants.iter().map(|variant| width(&variant.id)).max().unwrap_or(0).max(7);
    let columns: Vec<Vec<String>> = criteria.iter().map(|criterion| column(verdict, criterion)).collect();
    let mut bands: Vec<Vec<&Vec<String>>> = Vec::new();
    let mut room = 0;
    for column in &columns {
        let needed = GAP + breadth(column);
        match bands.last_mut() {
            Some(band) if needed <= room => {
                band.push(column);
                room -= needed;
            }
            _ => {
                bands.push(vec![column]);
                room = WIDTH.saturating_sub(ids + needed);
            }
        }
    }
    let bands: Vec<String> = bands.iter().map(|band| drawn(verdict, ids, band)).collect();
    bands.join("\n")
}

/// Two lines of heading, then a cell for each variant.
fn column(verdict: &RunVerdict, criterion: &str) -> Vec<String> {
    let (above, below) = criterion.rsplit_once('_').unwrap_or(("", criterion));
    let mut column = vec![above.to_owned(), below.to_owned()];
    column.extend(verdict.variants.iter().map(|variant| variant.finding(criterion).map_or_else(String::new, cell)));
    column
}

fn cell(finding: &Finding) -> String {
    let value = finding.value.map(|value| match finding.unit.as_str() {
        // The heading says the rest.
        "bytes/cycle" => human::bytes(value),
        unit => human::in_unit(value, unit),
    });
    format!("{} {}", mark(finding.verdict), value.unwrap_or_else(|| "–".to_owned()))
}

/// A verdict as one character.
pub(crate) fn mark(verdict: Option<Verdict>) -> char {
    match verdict {
        Some(Verdict::Pass) => '✓',
        Some(Verdict::Fail) => '✗',
        Some(Verdict::Inconclusive) => '?',
        None => '·',
    }
}

fn breadth(column: &[String]) -> usize {
    column.iter().map(|cell| width(cell)).max().unwrap_or(0)
}

fn drawn(verdict: &RunVerdict, ids: usize, band: &[&Vec<String>]) -> String {
    let mut out = String::new();
    let names = ["", "variant"].into_iter().chain(verdict.variants.iter().map(|variant| variant.id.as_str()));
    for (row, name) in names.enumerate() {
        let mut line = format!("{name:<ids$}");
        for column in band {
            let (cell, breadth) = (column.get(row).map_or("", String::as_str), breadth(column));
            let _ = write!(line, "{:GAP$}{cell:<breadth$}", "");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// What somebody has to act on: the variants of one criterion, then what to do, each advice once.
fn explained(criterion: &str, verdict: Verdict, open: &[(&VariantVerdict, &Finding)]) -> String {
    let mut out = format!("\n{} {criterion}\n", verdict.name().to_uppercase());
    let mut advice: Vec<&str> = Vec::new();
    for (variant, finding) in open {
        out.push_str(&wrapped(&format!("{}: {}", variant.id, finding.reason), 2, WIDTH));
        if let Some(reproduce) = &finding.reproduce {
            // Whole, however long: it is there to be copied.
            let _ = writeln!(out, "  Reproduce: {reproduce}");
        }
        advice.extend(finding.next.as_deref().filter(|next| !advice.contains(next)));
    }
    for next in advice {
        out.push_str(&wrapped(&format!("Next: {next}"), 2, WIDTH));
    }
    out
}

fn coloured(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        let (word, rest) = line.split_at(line.find(' ').unwrap_or(0));
        match word {
            "PASS" => out.push_str("\u{1b}[1;32mPASS\u{1b}[0m"),
            "FAIL" => out.push_str("\u{1b}[1;31mFAIL\u{1b}[0m"),
            "INCONCLUSIVE" => out.push_str("\u{1b}[1;33mINCONCLUSIVE\u{1b}[0m"),
            other => out.push_str(other),
        }
        for letter in rest.chars() {
            match letter {
                '✓' => out.push_str("\u{1b}[32m✓\u{1b}[0m"),
                '✗' => out.push_str("\u{1b}[31m✗\u{1b}[0m"),
                other => out.push(other),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use soak_scenario::Pace;
    use soak_verdict::VERDICT_SCHEMA;

    use super::*;

    fn finding(criterion: &str, verdict: Option<Verdict>, value: Option<f64>, unit: &str) -> Finding {
        Finding {
            criterion: criterion.to_owned(),
            cause: None,
            verdict,
            informational: verdict.is_none(),
            value,
            unit: unit.to_owned(),
            interval: None,
            threshold: None,
            detectable: None,
            reason: format!(
                "The {criterion} is what it is, which takes a good many words to say and so must be broken over lines."
            ),
            next: Some("Runbook, “Escalation Path”.".to_owned()),
            reproduce: Some(format!("soak run scenario2 --only '{}'", "long".repeat(40))),
        }
    }

    fn verdict() -> RunVerdict {
        let variant = |id: &str, floor| VariantVerdict {
            dose: None,
            control: None,
            indications: Vec::new(),
            guidance: Vec::new(),
            id: id.to_owned(),
            verdict: floor,
            attested: BTreeMap::new(),
            findings: vec![
                finding("rss_floor", Some(floor), Some(-123_456_789.0), "bytes/cycle"),
                finding("heap_floor", Some(Verdict::Pass), Some(14.5e6), "bytes/cycle"),
                finding("compaction_reclaim", Some(Verdict::Inconclusive), None, "share"),
                finding("goroutine_baseline", None, Some(2.0), "count"),
                finding("peak_per_ingested", Some(Verdict::Pass), Some(1.83), "ratio"),
                finding("time_to_baseline", Some(Verdict::Pass), Some(0.25), "s"),
                finding("unresponsive_time", Some(Verdict::Pass), Some(7230.0), "s"),
                finding("unverified_settings", Some(Verdict::Pass), Some(0.0), "count"),
            ],
            notes: vec!["A note.".to_owned()],
        };
        RunVerdict {
            schema: VERDICT_SCHEMA,
            run: "r".to_owned(),
            scenario: "scenario2".to_owned(),
            title: "t".to_owned(),
            verdict: Verdict::Fail,
            pace: Pace::Quick,
            seed: 1,
            platform: None,
            complete: false,
            variants: vec![
                variant("dim128-rows500", Verdict::Fail),
                variant("dim1536-rows4096-gogc100-memlimit2GiB", Verdict::Pass),
            ],
            not_applicable: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn it_begins_with_the_verdict_and_fits() {
        let text = plain(&verdict());
        assert!(
            text.starts_with("FAIL — scenario2, pace quick, seed 1, 2 variants\nThe run did not come to its end.\n"),
            "{text}"
        );
        for line in text.lines().filter(|line| !line.trim_start().starts_with("Reproduce:")) {
            assert!(width(line) <= WIDTH, "{line}");
        }
    }

    #[test]
    fn the_grid_has_every_value_and_only_open_findings_are_explained() {
        let text = plain(&verdict());
        for part in ["✗ -118 MiB", "✓ 13.8 MiB", "? –", "✓ 250 ms", "✓ 2.01 h", "dim128-rows500: A note."] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(text.contains("\nFAIL rss_floor\n  dim128-rows500: The rss_floor is"), "{text}");
        let open = text.split("\nINCONCLUSIVE compaction_reclaim\n").nth(1).unwrap();
        assert_eq!(open.matches("Reproduce: soak run").count(), 2, "{text}");
        assert_eq!(open.matches("Next: Runbook").count(), 1, "advice is given once a criterion:\n{text}");
        assert!(!text.contains("FAIL heap_floor"));
    }

    #[test]
    fn a_criterion_of_one_variant_alone_has_its_column() {
        let mut verdict = verdict();
        verdict.variants[1].findings.insert(0, finding("target", Some(Verdict::Fail), Some(1.0), "count"));
        assert_eq!(criteria(&verdict)[..2], ["target", "rss_floor"]);
        assert!(plain(&verdict).contains("✗ 1"));
    }

    #[test]
    fn what_a_dead_target_left_open_is_told_once() {
        let mut verdict = verdict();
        for variant in &mut verdict.variants {
            variant.findings.insert(0, finding("target", Some(Verdict::Fail), Some(1.0), "count"));
        }
        let text = plain(&verdict);
        assert!(!text.contains("INCONCLUSIVE compaction_reclaim"), "{text}");
        assert!(text.contains("dim128-rows500: its target ended before compaction_reclaim could be judged"), "{text}");
    }

    #[test]
    fn colour_changes_no_text() {
        let text = plain(&verdict());
        let mut bare = coloured(&text);
        for code in ["\u{1b}[1;32m", "\u{1b}[1;31m", "\u{1b}[1;33m", "\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, text);
        assert_ne!(coloured(&text), text);
    }
}
