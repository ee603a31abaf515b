//! A comparison of two builds: its first line, the cells of its rows, and as Markdown and a page.

use soak_verdict::compare::{AS_PLANNED, Answer, CRITERIA, Comparison, EVERY_VARIANT, Role, Row, Side};
use soak_verdict::{Verdict, human, quantity};

use crate::html::{head, tables};
use crate::markdown::text::{escape, paragraph, table};
use crate::markup::Markup;
use crate::wording::{listed, utc};

/// Rows that are named in full before the rest are only counted.
const NAMED: usize = 4;

/// The first line.
pub fn headline(comparison: &Comparison) -> String {
    let what = format!("{} at {} pace", comparison.scenario, comparison.pace.name());
    let verdict = match comparison.verdict {
        Verdict::Fail => format!("FAIL — {what}: worse than the base in {}", named(comparison.judged(Answer::Worse))),
        Verdict::Inconclusive => {
            format!("INCONCLUSIVE — {what}: {}", open(comparison))
        }
        Verdict::Pass => format!("PASS — {what}: no worse than the base"),
    };
    let verdict = match comparison.left_out.len() {
        0 => verdict,
        n => format!("{verdict}; {} not compared", human::plural(n, "variant")),
    };
    let verdict = match comparison.rounds_of {
        Some([over, planned]) => format!("{verdict}; interrupted after {over} of {}", human::plural(planned, "round")),
        None => verdict,
    };
    let better: Vec<&Row> = comparison.judged(Answer::Better).collect();
    if better.is_empty() { verdict } else { format!("{verdict}; better in {}", named(better.into_iter())) }
}

/// Why nothing is concluded: a candidate that is none, variants that were not what was planned, and of the others what cannot be told.
fn open(comparison: &Comparison) -> String {
    let rows = || comparison.judged(Answer::CannotTell).filter(|row| row.role == Role::Required);
    if rows().any(|row| (row.variant.as_str(), row.quantity.as_str()) == (EVERY_VARIANT, AS_PLANNED)) {
        return "the candidate is of several builds".to_owned();
    }
    let departed: Vec<String> =
        rows().filter(|row| row.quantity == AS_PLANNED).map(|row| row.variant.clone()).collect();
    let others: Vec<&Row> = rows().filter(|row| !departed.contains(&row.variant)).collect();
    let untold = format!("it cannot be told of {}", named(others.iter().copied()));
    let not_as_planned = format!("not every run was what was planned in {}", few(&departed));
    match (departed.is_empty(), others.is_empty()) {
        (true, _) => untold,
        (false, true) => not_as_planned,
        (false, false) => format!("{not_as_planned}; {untold}"),
    }
}

fn named<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let all: Vec<String> = rows
        .map(|row| {
            let change = row.change.map_or_else(String::new, |change| format!(" ({})", human::change(change)));
            format!("{} of {}{change}", row.quantity, row.variant)
        })
        .collect();
    if all.is_empty() {
        "anything: nothing of memory was recorded on both sides, and judged".to_owned()
    } else {
        few(&all)
    }
}

/// The first of them, and how many more there are.
fn few(all: &[String]) -> String {
    match all.len() {
        n if n > NAMED => format!("{}, and {} more", all[..NAMED].join(", "), n - NAMED),
        _ => listed(all),
    }
}

/// The cells of a row, for every format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCells {
    /// The answer.
    pub answer: String,
    /// The base.
    pub base: String,
    /// The candidate.
    pub candidate: String,
    /// Candidate over base, less one.
    pub change: String,
    /// A smaller change is none.
    pub threshold: String,
    /// Where that lies.
    pub interval: String,
    /// The smallest change that would have been called one.
    pub detectable: String,
}

/// Of a change that is greater than this the number says nothing.
const TOO_GREAT: f64 = 10.0;

/// The cells of a row; a dash where there is nothing.
pub fn row_cells(row: &Row) -> RowCells {
    let dash = || "–".to_owned();
    let share =
        |share: f64| if share > TOO_GREAT { format!("> {}", human::percent(TOO_GREAT)) } else { human::change(share) };
    let value = |value: Option<f64>| value.map_or_else(dash, |value| human::in_unit(value, &row.unit));
    RowCells {
        answer: row.answer.word().to_owned(),
        base: value(row.base),
        candidate: value(row.candidate),
        change: row.change.map_or_else(dash, share),
        threshold: row.change.map_or_else(dash, |_| human::percent(row.threshold)),
        interval: row.interval.map_or_else(dash, |[low, high]| format!("{} to {}", share(low), share(high))),
        detectable: row.detectable.map_or_else(dash, |least| match least {
            _ if least > TOO_GREAT => "nothing".to_owned(),
            _ => human::percent(least),
        }),
    }
}

const HEADS: [&str; 10] =
    ["Variant", "Quantity", "Answer", "Base", "Candidate", "Change", "From", "90 % sure", "Could see", "Counts"];

fn cells(row: &Row) -> [String; 10] {
    let RowCells { answer, base, candidate, change, threshold, interval, detectable } = row_cells(row);
    let counts = match row.role {
        Role::Required => "has to be shown",
        Role::Watched => "worse fails",
        Role::Shown => "for information",
    };
    let (variant, quantity) = (row.variant.clone(), row.quantity.clone());
    [variant, quantity, answer, base, candidate, change, threshold, interval, detectable, counts.to_owned()]
}

/// `embedded, by the profile reference: a (2026-11-22 …, pass)`.
fn side(side: &Side) -> String {
    let runs: Vec<String> =
        side.runs.iter().map(|run| format!("{} ({}, {})", run.run, utc(run.unix_s), run.verdict.name())).collect();
    let builds: Vec<String> = side.builds.iter().map(|build| human::build(build)).collect();
    let build = if builds.is_empty() { String::new() } else { format!(", build {}", listed(&builds)) };
    format!("{} (soak {}{build}), by the profile {}: {}", side.target, side.harness, side.profile, runs.join(", "))
}

fn explained(comparison: &Comparison) -> String {
    let turns = if comparison.paired { " The runs of both sides took turns." } else { "" };
    format!(
        "A change counts from {} on (or what a row says, where less than 1 MiB of memory, 256 KiB of heap or 2 tasks would be as much: those are no difference) and where it is no chance; “same” is shown to be less. What could be seen at least is told beside it.{turns}",
        human::percent(comparison.threshold)
    )
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let reasons = comparison
        .rows
        .iter()
        .filter_map(|row| row.reason.as_ref().map(|reason| format!("{} of {}: {reason}", row.quantity, row.variant)));
    comparison.notes.iter().cloned().chain(reasons).collect()
}

/// What the quantities are, of those that there are rows of.
fn glossary(comparison: &Comparison) -> Vec<(&str, &'static str)> {
    let mut known: Vec<(&str, &'static str)> = Vec::new();
    for row in &comparison.rows {
        let doc = match quantity(&row.quantity) {
            Some(quantity) => quantity.doc,
            None if row.quantity == CRITERIA => "the verdict of each run by the scenario's thresholds",
            None if row.quantity == AS_PLANNED => {
                "whether the load arrived, the settings took effect, and nobody took a hand in it"
            }
            None => "whether the target came to its end",
        };
        if !known.iter().any(|(name, _)| *name == row.quantity) {
            known.push((&row.quantity, doc));
        }
    }
    known
}

/// The comparison as Markdown.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = format!("# {}\n\n", escape(&headline(comparison)));
    paragraph(&mut out, &format!("Base: {}", escape(&side(&comparison.base))));
    paragraph(&mut out, &format!("Candidate: {}", escape(&side(&comparison.candidate))));
    let rows: Vec<Vec<String>> = comparison.rows.iter().map(|row| cells(row).to_vec()).collect();
    table(&mut out, &HEADS, &rows);
    paragraph(&mut out, &escape(&explained(comparison)));
    for note in notes(comparison) {
        paragraph(&mut out, &format!("> {}", escape(&note)));
    }
    let rows: Vec<Vec<String>> =
        glossary(comparison).into_iter().map(|(name, doc)| vec![name.to_owned(), doc.to_owned()]).collect();
    table(&mut out, &["Quantity", "What it is"], &rows);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The comparison as a page.
pub fn html(comparison: &Comparison) -> String {
    let mut m = Markup::new("<!doctype html>\n");
    let line = headline(comparison);
    m.element("html", &[("lang", "en")], |m| {
        m.element("head", &[], |m| head(m, &line));
        m.line();
        m.element("body", &[], |m| {
            m.element("header", &[], |m| {
                let class = match comparison.verdict {
                    Verdict::Pass => "pass",
                    Verdict::Inconclusive => "open",
                    Verdict::Fail => "fail",
                };
                let (word, rest) = line.split_once(" — ").unwrap_or((&line, ""));
                m.element("h1", &[("class", class)], |m| {
                    m.leaf("strong", &[], word);
                    m.text(&format!(" — {rest}"));
                });
                m.leaf("p", &[("class", "muted")], &format!("Base: {}", side(&comparison.base)));
                m.leaf("p", &[("class", "muted")], &format!("Candidate: {}", side(&comparison.candidate)));
                tables::notes(m, &notes(comparison));
            });
            m.element("main", &[], |m| {
                tables::table(m, "Candidate against base", "matrix", |m| {
                    tables::heads(m, &HEADS);
                    m.element("tbody", &[], |m| comparison.rows.iter().for_each(|one| row(m, one)));
                });
                m.leaf("p", &[("class", "muted")], &explained(comparison));
                m.element("dl", &[], |m| {
                    for (name, doc) in glossary(comparison) {
                        m.leaf("dt", &[], name);
                        m.leaf("dd", &[], doc);
                    }
                });
            });
        });
    });
    m.line();
    m.finish()
}

fn row(m: &mut Markup, row: &Row) {
    let class = match (row.role, row.answer) {
        (Role::Shown, _) => "info",
        (_, Answer::Worse) => "fail",
        (_, Answer::CannotTell) => "open",
        (_, Answer::Same | Answer::Better) => "pass",
    };
    m.element("tr", &[], |m| {
        for (at, cell) in cells(row).iter().enumerate() {
            match at {
                0 => m.leaf("th", &[("scope", "row")], cell),
                2 => m.element("td", &[("class", class)], |m| {
                    m.leaf("span", &[("class", &format!("mark {class}"))], cell);
                }),
                _ => m.leaf("td", &[], cell),
            }
        }
    });
    m.line();
}

#[cfg(test)]
mod tests {
    use soak_scenario::Pace;
    use soak_verdict::compare::{COMPARISON_SCHEMA, SideRun};

    use super::*;
    use crate::markup::check_well_formed;

    fn row(quantity: &str, answer: Answer, role: Role) -> Row {
        Row {
            variant: "a|b <i>".to_owned(),
            quantity: quantity.to_owned(),
            unit: "bytes".to_owned(),
            answer,
            role,
            base: Some(10.0 * 1_048_576.0),
            candidate: Some(12.0 * 1_048_576.0),
            change: Some(0.2),
            interval: Some([0.15, 0.25]),
            threshold: 0.05,
            detectable: Some(0.05),
            p: Some(0.001),
            reason: None,
        }
    }

    fn comparison(verdict: Verdict, rows: Vec<Row>) -> Comparison {
        let side = |run: &str| Side {
            target: "embedded".to_owned(),
            profile: "reference".to_owned(),
            harness: "0".to_owned(),
            builds: Vec::new(),
            host: String::new(),
            runs: vec![SideRun { run: run.to_owned(), unix_s: 0, verdict: Verdict::Pass }],
        };
        Comparison {
            schema: COMPARISON_SCHEMA,
            verdict,
            scenario: "scenario2".to_owned(),
            pace: Pace::Quick,
            threshold: 0.05,
            paired: true,
            base: side("one"),
            candidate: side("two"),
            rows,
            left_out: Vec::new(),
            rounds_of: None,
            notes: vec!["<script>".to_owned()],
        }
    }

    #[test]
    fn the_first_line_has_what_is_worse_and_what_cannot_be_told() {
        let worse = row("rss_loaded", Answer::Worse, Role::Required);
        let better = row("heap_loaded", Answer::Better, Role::Required);
        let line = headline(&comparison(Verdict::Fail, vec![worse.clone(), better]));
        let expected = "FAIL — scenario2 at quick pace: worse than the base in rss_loaded of a|b <i> (+20.0 %); better in heap_loaded of a|b <i> (+20.0 %)";
        assert_eq!(line, expected);
        let many = headline(&comparison(Verdict::Fail, vec![worse; 6]));
        assert!(many.ends_with(", and 2 more"), "{many}");
        let open = row("rss_loaded", Answer::CannotTell, Role::Required);
        let watched = row("rss_peak", Answer::CannotTell, Role::Watched);
        let line = headline(&comparison(Verdict::Inconclusive, vec![open, watched]));
        assert!(line.ends_with("it cannot be told of rss_loaded of a|b <i> (+20.0 %)"), "{line}");
        let departed = row(AS_PLANNED, Answer::CannotTell, Role::Required);
        let untold = row("rss_loaded", Answer::CannotTell, Role::Required);
        let other = Row { variant: "b".to_owned(), ..untold.clone() };
        let line = headline(&comparison(Verdict::Inconclusive, vec![departed, untold, other]));
        assert!(
            line.ends_with(
                "not every run was what was planned in a|b <i>; it cannot be told of rss_loaded of b (+20.0 %)"
            ),
            "{line}"
        );
        let partly = Comparison { left_out: vec!["b".to_owned()], ..comparison(Verdict::Pass, Vec::new()) };
        assert!(headline(&partly).ends_with("no worse than the base; 1 variant not compared"), "{}", headline(&partly));
        let cut = Comparison { rounds_of: Some([1, 2]), ..comparison(Verdict::Pass, Vec::new()) };
        assert!(
            headline(&cut).ends_with("no worse than the base; interrupted after 1 of 2 rounds"),
            "{}",
            headline(&cut)
        );
        let nothing = headline(&comparison(Verdict::Inconclusive, Vec::new()));
        assert!(nothing.contains("nothing of memory was recorded"), "{nothing}");
    }

    #[test]
    fn what_was_recorded_is_text_in_every_format() {
        let rows = vec![row("rss_loaded", Answer::Worse, Role::Required), row("throughput", Answer::Same, Role::Shown)];
        let comparison = comparison(Verdict::Fail, rows);
        let page = html(&comparison);
        check_well_formed(&page).unwrap();
        assert!(page.contains("a|b &lt;i&gt;") && !page.contains("<script") && page.contains("took turns"));
        let markdown = markdown(&comparison);
        assert!(
            markdown.contains("| a\\|b &lt;i> | rss_loaded | WORSE | 10.0 MiB | 12.0 MiB | +20.0 % | 5.0 % |"),
            "{markdown}"
        );
        assert!(markdown.contains("> &lt;script>"), "{markdown}");
        // What is seen only where it is a hundredfold is not seen, and has no forty digits.
        let cells =
            row_cells(&Row { detectable: Some(6.4e39), interval: Some([-1.0, 1e30]), ..comparison.rows[0].clone() });
        assert_eq!((cells.detectable.as_str(), cells.interval.as_str()), ("nothing", "-100.0 % to > 1000.0 %"));
    }
}
