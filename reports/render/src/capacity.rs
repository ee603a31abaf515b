//! The answer of `soak capacity` as parts of a page: the same for terminal, Markdown and HTML.

use std::fmt::Write as _;

use soak_capacity::{Answer, Estimate, HeldOut, Holds, Settings, Tally};
use soak_verdict::human;

/// A page, part by part.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityPage {
    /// The first line.
    pub title: String,
    /// The rest.
    pub parts: Vec<Part>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A heading.
    Heading(&'static str),
    /// A paragraph.
    Text(String),
    /// Lines to paste.
    Lines(String),
    /// A table; cells are text.
    Table {
        /// Heads of its columns.
        heads: Vec<&'static str>,
        /// Its rows, each as long as the heads.
        rows: Vec<Vec<String>>,
    },
}

/// Why the vectors are held to be where they are, at most so many variants are shown.
const OBSERVATIONS_MAX: usize = 200;

impl CapacityPage {
    /// The page of an answer, and of the runs that were held against it.
    pub fn of(answer: &Answer, held_out: Option<&HeldOut>) -> Self {
        let mut parts = Vec::new();
        head(&mut parts, answer);
        estimates(&mut parts, answer);
        parts.extend(answer.settings.iter().flat_map(to_paste));
        trade_off(&mut parts, answer);
        rules(&mut parts, answer);
        if let Some(held_out) = held_out {
            against(&mut parts, held_out);
        }
        fits(&mut parts, answer);
        observations(&mut parts, answer);
        Self { title: title(answer), parts }
    }

    /// The same without what answers a question, where none was asked: only what the fit stands on, and what was held against it.
    #[must_use]
    pub fn without_question(self, is_held_out: bool) -> Self {
        let title = if is_held_out {
            "Predictions of memory, held against runs that were not fitted"
        } else {
            "No fit of memory"
        };
        let is_missing = |part: &Part| matches!(part, Part::Text(text) if text.starts_with("Missing ("));
        let from =
            self.parts.iter().position(|part| matches!(part, Part::Heading(text) if OF_NO_QUESTION.contains(text)));
        let (before, after) = self.parts.split_at(from.unwrap_or(self.parts.len()));
        let missing = before.iter().filter(|part| !is_held_out && is_missing(part));
        Self { title: title.to_owned(), parts: missing.chain(after).cloned().collect() }
    }
}

/// Headings of what is told without a question.
const OF_NO_QUESTION: [&str; 2] = ["Held against runs that were not fitted", "What it stands on"];

fn title(answer: &Answer) -> String {
    let asked = asked(answer);
    match answer.limit {
        Some(limit) => format!("{asked}: a limit of {} (95 % sure)", human::bytes(limit.value)),
        None => format!("{asked}: no answer, because something is missing"),
    }
}

/// What was asked, in words; what was neither said nor run is not in them.
fn asked(answer: &Answer) -> String {
    let point = &answer.asked;
    let mut words = format!("{} vectors × {}-D", grouped(point.vectors), human::number(point.dim));
    let settings = [
        (", M ", point.m, ""),
        (", batches of ", point.batch_rows, ""),
        (", ", point.qps, " searches a second"),
        (", GOGC ", point.gogc.unwrap_or(f64::NAN), ""),
    ];
    for (before, value, after) in settings.into_iter().filter(|(_, value, _)| value.is_finite()) {
        let _ = write!(words, "{before}{}{after}", human::number(value));
    }
    words
}

/// A whole number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

fn head(parts: &mut Vec<Part>, answer: &Answer) {
    let (times, axis) = answer.beyond;
    if answer.extrapolated {
        parts.push(Part::Text(format!(
            "Extrapolated: {} times beyond what was run ({axis}). The interval is wider for it, by a rule; nothing shows that memory goes on as it does in the runs.",
            human::number(times.round())
        )));
    } else if times > 1.0 + 1e-9 {
        parts.push(Part::Text(format!("{times:.1} times beyond what was run ({axis}); the interval is wider for it.")));
    }
    for missing in &answer.missing {
        parts.push(Part::Text(format!("Missing ({}): {}. To do: {}.", missing.what, missing.why, missing.next)));
    }
    match (answer.nodes, answer.node_limit) {
        (Some(1), _) => parts.push(Part::Text("One node of the memory that was told holds all of it.".to_owned())),
        (Some(nodes), Some(limit)) => parts.push(Part::Text(format!(
            "Divided among {nodes} nodes of the memory that was told, each needs a limit of {}; the lines to paste are of one of them.",
            human::bytes(limit.value)
        ))),
        _ => {}
    }
}

fn estimate_row(name: &str, what: &str, estimate: Option<Estimate>, data: f64) -> Option<Vec<String>> {
    let estimate = estimate?;
    let [low, high] = estimate.interval.map(human::bytes);
    Some(vec![
        name.to_owned(),
        human::bytes(estimate.value),
        format!("{low} to {high}"),
        format!("{:.2} ×", estimate.value / data),
        what.to_owned(),
    ])
}

fn estimates(parts: &mut Vec<Part>, answer: &Answer) {
    let data = answer.asked.data_bytes();
    let rows: Vec<Vec<String>> = [
        estimate_row("at rest", "all vectors in it, collected", answer.settled, data),
        estimate_row("peak", "while it is loaded, searched and compacted", answer.peak, data),
        estimate_row("limit", "the upper end of the peak's interval", answer.limit, data),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !rows.is_empty() {
        parts.push(Part::Table {
            heads: vec!["memory", "expected", "95 % interval", "of the vectors", "what it is"],
            rows,
        });
    }
}

/// Lines to paste, and why those.
pub fn to_paste(settings: &Settings) -> Vec<Part> {
    let mut parts = vec![
        Part::Heading("To paste"),
        Part::Lines(format!("# Kubernetes, of the container\n{}", settings.kubernetes)),
        Part::Lines(format!("# systemd, [Service] of the unit\n{}", settings.systemd)),
    ];
    if let Some(environment) = &settings.environment {
        parts.push(Part::Lines(format!("# environment\n{environment}")));
    }
    parts.extend(settings.why.iter().map(|why| Part::Text(format!("{}.", capital(why)))));
    parts
}

fn trade_off(parts: &mut Vec<Part>, answer: &Answer) {
    if answer.trade_off.is_empty() {
        return;
    }
    parts.push(Part::Heading("GOGC: memory against processor time"));
    let row = |one: &soak_capacity::TradeOff| {
        let [low, high] = one.peak.interval.map(human::bytes);
        let cpu = match (one.cpu.zip(one.cpu_interval), one.cpu_pairs) {
            (None, 0) => "not run side by side".to_owned(),
            (None, _) => "too short to tell".to_owned(),
            (Some((factor, _)), 0) => format!("{factor:.2} ×"),
            (Some((factor, [low, high])), pairs) => {
                format!("{factor:.2} × ({low:.2} to {high:.2}) in {}", human::plural(pairs, "pair"))
            }
        };
        vec![human::number(one.gogc), human::bytes(one.peak.value), format!("{low} to {high}"), cpu]
    };
    parts.push(Part::Table {
        heads: vec!["GOGC", "peak", "95 % interval", "processor time of ingest and index, as far as ticks tell"],
        rows: answer.trade_off.iter().map(row).collect(),
    });
}

fn rules(parts: &mut Vec<Part>, answer: &Answer) {
    if answer.rules.is_empty() {
        return;
    }
    parts.push(Part::Heading("The runbook's rules, for this build"));
    let mut rules: Vec<&soak_capacity::Rule> = answer.rules.iter().collect();
    rules.sort_by_key(|one| match one.holds {
        Holds::No => 0,
        Holds::Yes => 1,
        Holds::Unknown => 2,
    });
    let told = |one: &soak_capacity::Rule| {
        format!("{}: “{}”. {}.", capital(one.holds.word()), one.rule, capital(&one.because))
    };
    parts.extend(rules.into_iter().map(|one| Part::Text(told(one))));
}

fn tally_row(name: &str, tally: Tally) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{} of {}", tally.inside, tally.of),
        human::percent(tally.half_width_most),
        human::percent(tally.error_most),
    ]
}

fn against(parts: &mut Vec<Part>, held_out: &HeldOut) {
    parts.push(Part::Heading("Held against runs that were not fitted"));
    let mut rows = vec![tally_row("at rest", held_out.settled), tally_row("peak", held_out.peak)];
    if held_out.outside.of > 0 {
        rows.push(tally_row("both, beyond the range", held_out.outside));
    }
    let heads = vec!["predictions", "inside of their interval", "widest half of one", "worst error"];
    parts.push(Part::Table { heads, rows });
    let (verdict, why) = held_out.verdict();
    parts.push(Part::Text(format!("{}: {why}.", capital(verdict.name()))));
    let row = |one: &soak_capacity::Prediction| {
        let predicted = one.predicted.map_or_else(
            || ["none".to_owned(), String::new()],
            |one| {
                [
                    human::bytes(one.value),
                    format!("{} to {}", human::bytes(one.interval[0]), human::bytes(one.interval[1])),
                ]
            },
        );
        let [value, interval] = predicted;
        let inside = match (one.predicted, one.inside) {
            (None, _) => "no answer",
            (_, true) => "inside",
            (_, false) => "OUTSIDE",
        };
        vec![one.variant.clone(), one.of.to_owned(), human::bytes(one.measured), value, interval, inside.to_owned()]
    };
    parts.push(Part::Table {
        heads: vec!["variant", "of", "measured", "predicted", "95 % interval", ""],
        rows: held_out.predictions.iter().map(row).collect(),
    });
}

fn fits(parts: &mut Vec<Part>, answer: &Answer) {
    if answer.fits.is_empty() {
        return;
    }
    parts.push(Part::Heading("What it stands on"));
    let rows = answer.fits.iter().flat_map(|fit| {
        fit.bytes_for.iter().map(|(term, bytes)| vec![fit.of.to_owned(), (*term).to_owned(), coefficient(*bytes)])
    });
    parts.push(Part::Table { heads: vec!["fit", "bytes for each", ""], rows: rows.collect() });
    for fit in &answer.fits {
        parts.push(Part::Text(format!(
            "{}: of {}, each predicted by a fit without its size, the error is {} in the mean and {} at worst; residuals {}.",
            capital(fit.of),
            human::plural(fit.variants, "variant"),
            human::percent(fit.held_out),
            human::percent(fit.held_out_worst),
            human::percent(fit.residual)
        )));
    }
    if let Some(target) = &answer.target {
        let told: Vec<String> = target.0.iter().map(|(what, told)| format!("{what} {told}")).collect();
        parts.push(Part::Text(format!("Target: {}. Runs: {}.", told.join(", "), answer.runs.join(", "))));
    }
    if !answer.assumptions.is_empty() {
        parts.push(Part::Text(format!("Taken for granted: {}.", answer.assumptions.join("; "))));
    }
}

fn observations(parts: &mut Vec<Part>, answer: &Answer) {
    if !answer.left_out.is_empty() {
        parts.push(Part::Heading("Left out"));
        let row = |one: &soak_capacity::LeftOut| vec![one.run.clone(), one.variant.clone(), one.why.clone()];
        parts.push(Part::Table {
            heads: vec!["run", "variant", "why"],
            rows: answer.left_out.iter().map(row).collect(),
        });
    }
    if answer.observations.is_empty() {
        return;
    }
    parts.push(Part::Heading("Measured"));
    let row = |one: &soak_capacity::Observation| {
        vec![
            one.variant.clone(),
            grouped(one.point.vectors),
            human::bytes(one.point.data_bytes()),
            human::bytes(one.settled_bytes),
            human::bytes(one.peak_bytes),
            one.peak_phase.words().to_owned(),
        ]
    };
    parts.push(Part::Table {
        heads: vec!["variant", "vectors", "their bytes", "at rest", "peak", "in"],
        rows: answer.observations.iter().take(OBSERVATIONS_MAX).map(row).collect(),
    });
}

/// A coefficient: bytes for whole things, a factor for bytes.
fn coefficient(bytes: f64) -> String {
    match bytes {
        0.0 => "none seen".to_owned(),
        many if many >= 1024.0 => human::bytes(many),
        few => format!("{few:.2} B"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
