//! `report.md`: the same facts for a pull request or a ticket, as GitHub renders them.

mod capacity;
mod diagnosis;
mod guidance;
pub(crate) mod text;

use soak_record::Run;
use soak_scenario::runbook::Level;
use soak_verdict::{Finding, RunVerdict, VariantVerdict, Verdict, human};

pub use capacity::markdown as capacity_markdown;
pub use diagnosis::markdown as diagnosis_markdown;

use crate::comparison::comparisons;
use crate::facts::facts;
use crate::headline::{counts, headline};
use crate::picture::{CYCLE_HEADS, FAULT_HEADS, GROWING_HEADS, VariantPicture};
use crate::wording::{Mark, grouped, interval, level, milliseconds, tally, threshold, value};
use text::{code_block, escape, paragraph, table};

/// The report as Markdown.
pub fn markdown(run: &Run, verdict: &RunVerdict, pictures: &[VariantPicture]) -> String {
    let mut out = format!("# {}\n\n", escape(&headline(verdict, run.plan.variants.len())));
    paragraph(
        &mut out,
        &format!("{} · {} · exit code {}", escape(&verdict.title), counts(verdict), verdict.exit_code()),
    );
    if let Some(platform) = verdict.platform.as_ref().filter(|_| verdict.exit_code() != 4) {
        paragraph(&mut out, &format!("> The harness or the machine failed: {}", escape(platform)));
    }
    notes(&mut out, &verdict.notes);
    matrix(&mut out, run, verdict);
    batches(&mut out, run, verdict, pictures);
    for variant in &verdict.variants {
        section(&mut out, variant, pictures.iter().find(|picture| picture.id == variant.id));
    }
    out.push_str("## Run\n\n");
    let rows: Vec<Vec<String>> =
        facts(run, verdict).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&mut out, &["", ""], &rows);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn notes(out: &mut String, notes: &[String]) {
    for note in notes {
        paragraph(out, &format!("> {}", escape(note)));
    }
}

/// A row for each variant and criterion: a cross table would be too wide for a comment.
fn matrix(out: &mut String, run: &Run, verdict: &RunVerdict) {
    out.push_str("## Findings\n\n");
    let mut rows = Vec::new();
    for (variant, finding) in verdict.findings() {
        rows.push(vec![
            variant.id.clone(),
            finding.criterion.clone(),
            Mark::of(finding).word().to_owned(),
            value(finding),
            interval(finding).unwrap_or_default(),
            threshold(finding).unwrap_or_default(),
            finding.detectable.map(|least| human::in_unit(least, &finding.unit)).unwrap_or_default(),
        ]);
    }
    let planned = run.plan.variants.iter().map(|variant| &variant.id);
    for id in planned.filter(|id| !verdict.variants.iter().any(|variant| variant.id == **id)) {
        let mut row = vec![id.clone(), String::new(), "did not run".to_owned()];
        row.resize(7, String::new());
        rows.push(row);
    }
    let heads = ["Variant", "Criterion", "Answer", "Measured", "Interval", "Threshold", "Smallest detectable"];
    table(out, &heads, &rows);
}

fn batches(out: &mut String, run: &Run, verdict: &RunVerdict, pictures: &[VariantPicture]) {
    let comparisons = comparisons(run, verdict, pictures);
    if comparisons.is_empty() {
        return;
    }
    out.push_str("## Batch sizes side by side\n\n");
    for comparison in comparisons {
        paragraph(out, &format!("### {}", escape(&comparison.title)));
        let columns: Vec<String> = comparison.columns.iter().map(|(rows, _)| format!("{rows} rows a batch")).collect();
        let heads: Vec<&str> = std::iter::once("").chain(columns.iter().map(String::as_str)).collect();
        let row = |(name, values): (&str, Vec<String>)| std::iter::once(name.to_owned()).chain(values).collect();
        table(out, &heads, &comparison.rows.into_iter().map(row).collect::<Vec<Vec<String>>>());
    }
}

fn section(out: &mut String, variant: &VariantVerdict, picture: Option<&VariantPicture>) {
    paragraph(out, &format!("## {} — {}", escape(&variant.id), Mark::of_verdict(variant.verdict).word()));
    if let Some(ending) = picture.and_then(|picture| picture.ending) {
        paragraph(out, &format!("> {}", escape(ending)));
    }
    notes(out, &variant.notes);
    variant.findings.iter().for_each(|finding| one(out, finding));
    guidance::guidance(out, variant);
    indications(out, variant);
    if let Some(picture) = picture {
        let rows: Vec<Vec<String>> = picture.cycles.iter().map(|row| row.to_vec()).collect();
        table(out, &CYCLE_HEADS, &rows);
        if let Some(growing) = picture.growing.as_ref().filter(|_| variant.verdict == Verdict::Fail) {
            paragraph(out, &format!("What grew on the heap {}, by heap profiles:", growing.when));
            let rows: Vec<Vec<String>> = growing.rows.iter().map(|row| row.to_vec()).collect();
            table(out, &GROWING_HEADS, &rows);
        }
        if variant.finding("goroutine_baseline").is_some_and(|finding| finding.verdict == Some(Verdict::Fail)) {
            tasks(out, picture);
        }
        faults(out, picture);
        latencies(out, picture);
        recall(out, picture);
    }
    if !variant.attested.is_empty() {
        let rows = variant.attested.iter().map(|(name, knob)| {
            let holds = knob.holds.map_or("not known", |holds| if holds { "yes" } else { "NO" });
            let effective = knob.effective.as_deref().unwrap_or("not told");
            [name, &knob.requested, effective, &knob.source, holds].map(str::to_owned).to_vec()
        });
        let heads = ["Knob", "Requested", "Effective", "Read from", "Holds"];
        table(out, &heads, &rows.collect::<Vec<Vec<String>>>());
    }
}

fn one(out: &mut String, finding: &Finding) {
    let (word, criterion, reason) = (Mark::of(finding).word(), escape(&finding.criterion), escape(&finding.reason));
    let next = finding.next.as_ref().map_or_else(String::new, |next| format!("\n  Next: {}", escape(next)));
    paragraph(out, &format!("- **{word}** {criterion}: {reason}{next}"));
    if let Some(command) = &finding.reproduce {
        code_block(out, command);
    }
}

/// The thresholds of the runbooks: those that somebody would have been told of.
fn indications(out: &mut String, variant: &VariantVerdict) {
    if variant.indications.is_empty() {
        return;
    }
    paragraph(
        out,
        &format!("Thresholds of the runbooks, which are no part of the verdict: {}.", tally(&variant.indications)),
    );
    let behind = variant.indications.iter().filter(|one| one.level.is_some_and(|level| level > Level::Normal));
    let rows: Vec<Vec<String>> =
        behind.map(|one| vec![one.id.clone(), level(one).to_owned(), one.reason.clone()]).collect();
    if !rows.is_empty() {
        table(out, &["Threshold", "Level", "How far it went"], &rows);
    }
}

fn tasks(out: &mut String, picture: &VariantPicture) {
    let rows = picture.tasks.iter().map(|(group, before)| {
        vec![group.signature.clone(), grouped(*before), grouped(group.count), grouped(group.oldest_minutes)]
    });
    let heads = ["Stack, innermost first", "After the warm-up", "After the drain", "Oldest, minutes"];
    table(out, &heads, &rows.collect::<Vec<_>>());
}

fn faults(out: &mut String, picture: &VariantPicture) {
    let rows: Vec<Vec<String>> = picture.faults.iter().map(|line| line.cells.clone()).collect();
    if !rows.is_empty() {
        table(out, &FAULT_HEADS, &rows);
    }
}

fn latencies(out: &mut String, picture: &VariantPicture) {
    let mut rows = Vec::new();
    for latency in &picture.latencies {
        for (name, spread) in [("corrected", latency.corrected), ("uncorrected", latency.uncorrected)] {
            for (over, p) in [("worst cycle", spread.worst), ("median cycle", spread.median)] {
                let what = format!("{} in {}, {name}, {over}", latency.operation, latency.phase);
                let values = [p.p50_ms, p.p90_ms, p.p99_ms, p.p999_ms, p.max_ms].map(milliseconds);
                let counts = [latency.count, latency.errors, latency.late_starts, latency.never_started].map(grouped);
                rows.push(std::iter::once(what).chain(values).chain(counts).collect());
            }
        }
    }
    let heads = ["Latency, ms", "p50", "p90", "p99", "p99.9", "max", "done", "errors", "late", "never started"];
    table(out, &heads, &rows);
}

fn recall(out: &mut String, picture: &VariantPicture) {
    let shares = picture.recall.iter().map(|(_, _, recall)| *recall);
    let Some(least) = shares.clone().reduce(f64::min) else { return };
    let mean = shares.sum::<f64>() / picture.recall.len() as f64;
    let searches: u64 = picture.recall.iter().map(|(_, searches, _)| u64::from(*searches)).sum();
    let (mean, least) = (human::percent(mean), human::percent(least));
    paragraph(
        out,
        &format!("Recall {mean} on average over cycles, {least} in the worst ({} searches).", grouped(searches)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Target};

    #[test]
    fn the_first_line_is_the_verdict() {
        let (run, verdict, pictures) = synthetic::everything();
        let report = markdown(&run, &verdict, &pictures);
        let first = report.lines().next().unwrap();
        assert_eq!(first, "# PASS — scenario2 at quick pace: 6 variants, 54 findings hold");
        for line in report.lines().filter(|line| line.starts_with('|')) {
            assert!(line.ends_with('|'), "{line}");
        }
        assert!(report.contains("500 rows a batch"));
        synthetic::show("healthy.md", &report);
    }

    #[test]
    fn what_was_recorded_does_not_break_a_table() {
        let (mut run, mut verdict, pictures) = synthetic::judged(&[Target::HEALTHY; 1]);
        run.plan.edits = vec!["a|b\nc".to_owned()];
        verdict.variants[0].findings[0].reason = "<script> | `x`".to_owned();
        verdict.variants[0].findings[0].verdict = Some(Verdict::Fail);
        verdict.variants[0].findings[0].reproduce = Some("run ```\nx".to_owned());
        let report = markdown(&run, &verdict, &pictures);
        assert!(report.contains("| Edits | a\\|b c |"));
        assert!(report.contains("&lt;script> \\| \\`x\\`"));
        assert!(report.contains("````\nrun ```\nx\n````"));
    }

    #[test]
    fn nothing_ran() {
        let report = markdown(&synthetic::run(), &synthetic::verdict_of(&[]), &[]);
        assert!(report.starts_with("# INCONCLUSIVE — scenario2 at quick pace: no variant ran"));
        assert_eq!(report.matches("did not run").count(), 6);
    }
}
