//! Runs over time as a page: a table of them, and a chart a quantity for each scenario at each pace.

use soak_verdict::{Entry, QUANTITIES, Quantity, human};

use crate::html::variant::figure;
use crate::html::{head, tables};
use crate::markup::Markup;
use crate::picture::{Course, trend};
use crate::wording::{Mark, utc};

const HEADS: [&str; 12] = [
    "#",
    "When",
    "Run",
    "Scenario",
    "Target",
    "Verdict",
    "Settled",
    "Loaded",
    "Peak",
    "Throughput",
    "Search p99",
    "Settled, since the one before",
];

/// The history as a page that loads nothing.
pub fn history(folder: &str, entries: &[Entry]) -> String {
    let mut m = Markup::new("<!doctype html>\n");
    let title = format!("{} in {folder}", human::plural(entries.len(), "run"));
    m.element("html", &[("lang", "en")], |m| {
        m.element("head", &[], |m| head(m, &title));
        m.line();
        m.element("body", &[], |m| {
            m.element("header", &[], |m| m.leaf("h1", &[], &title));
            m.element("main", &[], |m| {
                tables::table(m, "Runs, the oldest first", "matrix", |m| {
                    tables::heads(m, &HEADS);
                    m.element("tbody", &[], |m| entries.iter().enumerate().for_each(|(at, one)| row(m, at, one)));
                });
                m.leaf(
                    "p",
                    &[("class", "muted")],
                    "Figures are geometric means over cycles and variants. The one before is the last run of the same experiment, kind of target and machine; a change is no \
                     verdict: `soak compare` says whether it is one. Of a run that was not as planned there are none at all.",
                );
                for (at, entry) in entries.iter().enumerate() {
                    if let Some(why) = entry.why_no_figures() {
                        m.leaf("p", &[("class", "muted")], &format!("No figures of run {}, {}: {why}.", at + 1, entry.run));
                    }
                }
                for (scenario, pace) in groups(entries) {
                    section(m, entries, &scenario, &pace);
                }
            });
        });
    });
    m.line();
    m.finish()
}

/// Scenario and pace, each pair once.
fn groups(entries: &[Entry]) -> Vec<(String, String)> {
    let mut groups: Vec<(String, String)> = Vec::new();
    for entry in entries {
        let group = (entry.scenario.clone(), entry.pace.name().to_owned());
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn row(m: &mut Markup, at: usize, entry: &Entry) {
    let value = |id: &str| entry.figures.get(id).map_or("–".to_owned(), |value| in_its_unit(id, *value));
    let change = entry.changes.get("rss_settled").map_or("–".to_owned(), |change| human::change(*change));
    m.element("tr", &[], |m| {
        m.leaf("th", &[("scope", "row")], &(at + 1).to_string());
        for text in [
            utc(entry.unix_s),
            entry.run.clone(),
            format!("{}, {}, seed {}", entry.scenario, entry.pace.name(), entry.seed),
            entry.target.clone(),
        ] {
            m.leaf("td", &[], &text);
        }
        m.element("td", &[], |m| tables::mark(m, Mark::of_verdict(entry.verdict)));
        for id in ["rss_settled", "rss_loaded", "rss_peak", "throughput", "search_p99"] {
            m.leaf("td", &[], &value(id));
        }
        m.leaf("td", &[], &change);
    });
    m.line();
}

fn in_its_unit(id: &str, value: f64) -> String {
    human::in_unit(value, soak_verdict::quantity(id).map_or("", |quantity| quantity.unit))
}

fn section(m: &mut Markup, entries: &[Entry], scenario: &str, pace: &str) {
    m.element("section", &[], |m| {
        m.leaf("h2", &[], &format!("{scenario}, {pace}"));
        for quantity in QUANTITIES {
            let (unit, factor) = axis(quantity);
            let courses = courses(entries, (scenario, pace), quantity.id, factor);
            let title = format!("{} of {scenario}, {pace}", quantity.id);
            if let Some(drawing) = trend(&title, unit, entries.len(), &courses) {
                m.leaf("h3", &[], quantity.id);
                figure(m, &drawing, &format!("{}, by the number of the run.", quantity.doc));
                numbers(m, quantity, &courses);
            }
        }
    });
    m.line();
}

/// What a chart shows, for those who do not see it.
fn numbers(m: &mut Markup, quantity: &Quantity, courses: &[Course]) {
    let (_, factor) = axis(quantity);
    let mut runs: Vec<f64> = courses.iter().flat_map(|course| course.points.iter().map(|(run, _)| *run)).collect();
    runs.sort_by(f64::total_cmp);
    runs.dedup();
    let heads: Vec<String> =
        std::iter::once("Variant".to_owned()).chain(runs.iter().map(|run| format!("Run {run:.0}"))).collect();
    m.element("details", &[], |m| {
        m.leaf("summary", &[], "The chart's numbers");
        tables::table(m, &format!("{}, by variant and run", quantity.id), "cycles", |m| {
            tables::heads(m, &heads.iter().map(String::as_str).collect::<Vec<_>>());
            m.element("tbody", &[], |m| {
                for course in courses {
                    m.element("tr", &[], |m| {
                        m.leaf("th", &[("scope", "row")], &course.name);
                        for run in &runs {
                            let point = course.points.iter().find(|(at, _)| at.total_cmp(run).is_eq());
                            let told = point.map(|(_, value)| human::in_unit(value / factor, quantity.unit));
                            m.leaf("td", &[], told.as_deref().unwrap_or("–"));
                        }
                    });
                }
            });
        });
    });
}

/// The unit at the axis, and what it makes of a value.
fn axis(quantity: &Quantity) -> (&'static str, f64) {
    match quantity.unit {
        "bytes" => ("MiB", 1.0 / 1_048_576.0),
        "share" => ("%", 100.0),
        unit => (unit, 1.0),
    }
}

fn courses(entries: &[Entry], (scenario, pace): (&str, &str), id: &str, factor: f64) -> Vec<Course> {
    let mut courses: Vec<Course> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if entry.scenario != scenario || entry.pace.name() != pace {
            continue;
        }
        for (name, figures) in &entry.variants {
            let Some(value) = figures.get(id) else { continue };
            let point = ((at + 1) as f64, value * factor);
            match courses.iter_mut().find(|course| course.name == *name) {
                Some(course) => course.points.push(point),
                None => courses.push(Course { name: name.clone(), points: vec![point] }),
            }
        }
    }
    courses
}

#[cfg(test)]
mod tests {
    use soak_scenario::Pace;
    use soak_verdict::Verdict;

    use super::*;
    use crate::markup::check_well_formed;

    fn entry(run: &str, settled: f64) -> Entry {
        let figures = std::collections::BTreeMap::from([("rss_settled".to_owned(), settled)]);
        Entry {
            run: run.to_owned(),
            unix_s: 0,
            scenario: "scenario2".to_owned(),
            pace: Pace::Quick,
            seed: 1,
            target: "embedded".to_owned(),
            harness: "0".to_owned(),
            verdict: Verdict::Pass,
            complete: true,
            as_planned: true,
            departures: Vec::new(),
            figures: figures.clone(),
            variants: vec![("<a>".to_owned(), figures)],
            before: None,
            changes: [].into(),
        }
    }

    #[test]
    fn the_page_is_whole_and_draws_what_was_recorded() {
        let page = history("runs & more", &[entry("one", 8.0e6), entry("two", 9.0e6)]);
        check_well_formed(&page).unwrap();
        assert!(
            page.contains("2 runs in runs &amp; more") && page.contains("&lt;a&gt;: 7.6 MiB in run 1, 8.6 in run 2.")
        );
        assert_eq!(page.matches("<svg class=\"chart\"").count(), 1, "nothing is drawn of what was not recorded");
        for loads in ["<script", "src=", "url(", "http://", " fill=\"#", "stroke=\"#"] {
            assert!(!page.contains(loads), "{loads}");
        }
        check_well_formed(&history("runs", &[])).unwrap();
    }
}
