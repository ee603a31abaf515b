//! What two incident runbooks ask for: every threshold and every step as it is written there, and what of this harness covers it.
//!
//! A row is *open* while nothing here answers its question; it says so wherever it is shown. Nothing in this table judges a run: criteria do.

mod alerts;
mod case;
mod document;
mod guts;
mod levels;
mod longbow;
mod reading;
mod remedies;
mod schedule;
mod unwritten;

use std::fmt;

use serde::{Serialize, Serializer};

pub use self::alerts::alert_rules;
pub use self::case::Case;
pub use self::document::{runbooks_markdown, thresholds_markdown};
pub use self::levels::{Alarm, Level, Levels, Unit};
pub use self::reading::{Expr, Metric, Reading};
pub use self::remedies::{Advice, Ask, Knob, Means, REMEDIES, Remedy, Seen, advice, remedies, remedy};
pub use self::schedule::{Checks, Scheduler, schedule};
use crate::units::Span;

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runbook {
    /// The one for Longbow, a vector store in Go.
    Longbow,
    /// The one for Guts, a node in Rust.
    Guts,
    /// What both forget.
    Neither,
}

impl Runbook {
    /// Every source, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::Longbow, Self::Guts, Self::Neither];

    /// Its first heading, as written.
    pub fn title(self) -> &'static str {
        match self {
            Self::Longbow => "High Memory Usage Troubleshooting Runbook",
            Self::Guts => "Runbook: High Memory Usage",
            Self::Neither => "In neither runbook",
        }
    }
}

impl Serialize for Runbook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.title())
    }
}

/// A threshold: a number, alert, symptom or expectation that says when memory is well or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Indicator {
    /// Its name here. No criterion has the same.
    pub id: &'static str,
    /// Where it is written.
    pub runbook: Runbook,
    /// The heading under which it stands, to the letter; empty for what is written nowhere.
    pub section: &'static str,
    /// What stands there, to the letter, and as many lines as it is spread over; empty for what is written nowhere.
    pub written: &'static str,
    /// What that means, in one sentence, with its unit.
    pub meaning: &'static str,
    /// What it is read from: canonical series, and the target's own metrics where no canonical series holds it. Empty where it is read from logs, dumps or events.
    pub series: &'static [&'static str],
    /// How long it has to hold, or over how long it is looked at; absent where nothing is said of that.
    pub window: Option<Span>,
    /// Where it is normal, a warning, or critical.
    pub levels: Levels,
    /// What answers it today.
    pub covered: Covered,
}

/// A step: a command, setting or check that a person would go through in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// Where it is written.
    pub runbook: Runbook,
    /// The heading under which it stands, to the letter.
    pub section: &'static str,
    /// What stands there, to the letter, and as many lines as it is spread over.
    pub written: &'static str,
    /// What does it today.
    pub covered: Covered,
}

/// What of this harness covers a row today.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Covered {
    /// Every run reads it so, and tells how far it went.
    Read(&'static Reading),
    /// Another threshold that asks the same, by id.
    As(&'static str),
    /// Criteria that ask the same, by id.
    Criterion(&'static [&'static str]),
    /// A command that tells or does it.
    Command(&'static str),
    /// A built-in scenario that runs it.
    Scenario(&'static str),
    /// A fault that rehearses it, whose effect is measured.
    Fault(&'static str),
    /// A remedy that is told as commands for the target at hand, and tried where a run can apply it.
    Remedy(&'static str),
    /// A remedy that is printed with the run's names and numbers, and not tried, for the reason that stands there.
    Printed(&'static str),
    /// The guidance on a failed run reads it, to tell this case from others.
    Guidance(Case),
    /// Only a person can act on it, for this reason.
    HumanOnly(&'static str),
    /// Nothing yet.
    Open,
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(reading) => write!(f, "read in every run: `{reading}`"),
            Self::As(id) => write!(f, "as `{id}`"),
            Self::Criterion(ids) => {
                let noun = if ids.len() == 1 { "criterion" } else { "criteria" };
                write!(f, "{noun} `{}`", ids.join("`, `"))
            }
            Self::Command(command) => write!(f, "`{command}`"),
            Self::Scenario(name) => write!(f, "scenario `{name}`"),
            Self::Fault(name) => write!(f, "fault `{name}`"),
            Self::Remedy(name) => write!(f, "remedy `{name}`"),
            Self::Printed(name) => write!(f, "remedy `{name}`, printed and not tried"),
            Self::Guidance(case) => write!(f, "read by the guidance for “{}”", case.section()),
            Self::HumanOnly(reason) => write!(f, "for people: {reason}"),
            Self::Open => f.write_str("not yet"),
        }
    }
}

/// How many rows are covered, open, and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Something of this harness answers them.
    pub covered: usize,
    /// Nothing does yet.
    pub open: usize,
    /// Nothing ever will.
    pub human_only: usize,
}

impl Tally {
    /// Of rows that are covered so.
    pub fn of(rows: impl Iterator<Item = Covered>) -> Self {
        rows.fold(Self::default(), |mut tally, covered| {
            match covered {
                Covered::Open => tally.open += 1,
                Covered::HumanOnly(_) => tally.human_only += 1,
                _ => tally.covered += 1,
            }
            tally
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { covered, open, human_only } = self;
        write!(f, "{covered} covered, {open} not yet, {human_only} for people alone")
    }
}

const INDICATORS: [&[Indicator]; 5] = [
    longbow::diagnosis::INDICATORS,
    longbow::symptoms::INDICATORS,
    longbow::prevention::INDICATORS,
    guts::INDICATORS,
    unwritten::INDICATORS,
];
const STEPS: [&[Step]; 2] = [longbow::steps::STEPS, guts::steps::STEPS];

/// Every threshold of both runbooks, in their order, and then what both forget.
pub fn indicators() -> impl Iterator<Item = &'static Indicator> {
    INDICATORS.into_iter().flatten()
}

/// Every step of both runbooks, in their order.
pub fn steps() -> impl Iterator<Item = &'static Step> {
    STEPS.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FAULTS, builtin_scenarios, criterion, series};

    /// Beginnings of metrics that targets have of their own; a canonical series that is misspelt has none of them.
    const OF_TARGETS: [&str; 9] =
        ["longbow_", "hnsw_", "graph_", "slab_pool_", "compaction_", "go_", "guts_", "node_", "process_"];

    /// Bounds that are no number in the text: "majority" is a half, 40 GB over 20 GB is twice, and a heap that may grow beyond the limit is above once it.
    const IN_OTHER_WORDS: [&str; 3] = ["slab_share", "rss_above_heap", "gogc_high"];

    fn all_covered() -> impl Iterator<Item = Covered> {
        indicators().map(|one| one.covered).chain(steps().map(|one| one.covered))
    }

    #[test]
    fn ids_are_unique_and_in_one_style() {
        let mut ids: Vec<&str> = indicators().map(|one| one.id).collect();
        ids.extend(criterion::CRITERIA.iter().map(|spec| spec.id));
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id stands twice");
        let plain = |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert_eq!(ids.into_iter().find(|id| !plain(id)), None);
    }

    #[test]
    fn what_covers_a_row_exists() {
        for covered in all_covered() {
            let there = match covered {
                Covered::Criterion(ids) => !ids.is_empty() && ids.iter().all(|id| criterion::find(id).is_some()),
                Covered::As(id) => indicators().any(|one| one.id == id && one.covered.reading().is_some()),
                Covered::Scenario(name) => builtin_scenarios().iter().any(|one| one.name == name),
                Covered::Fault(name) => FAULTS.iter().any(|kind| kind.name == name),
                // That it is a command of the binary, only the binary can say.
                Covered::Command(command) => command.starts_with("soak "),
                Covered::Remedy(name) => remedy(name).is_some_and(|one| !matches!(one.means, Means::Print { .. })),
                Covered::Printed(name) => remedy(name).is_some_and(|one| matches!(one.means, Means::Print { .. })),
                Covered::HumanOnly(reason) => reason.len() > 20,
                // A reading's own test asks for its series.
                Covered::Read(_) | Covered::Guidance(_) | Covered::Open => true,
            };
            assert!(there, "{covered} is not there");
        }
    }

    #[test]
    fn every_open_row_is_counted_and_says_not_yet() {
        let open = Tally::of(all_covered()).open;
        assert_eq!(open, all_covered().filter(|covered| *covered == Covered::Open).count());
        assert_eq!(runbooks_markdown().matches("| not yet |").count(), open);
        let tally = Tally::of([Covered::Open, Covered::HumanOnly("x"), Covered::Fault("y")].into_iter());
        assert_eq!(tally.to_string(), "1 covered, 1 not yet, 1 for people alone");
    }

    #[test]
    fn what_is_written_has_its_place_and_nothing_else_has() {
        for one in indicators() {
            let nowhere = one.runbook == Runbook::Neither;
            assert_eq!((one.section.is_empty(), one.written.is_empty()), (nowhere, nowhere), "{}", one.id);
            assert!(one.meaning.ends_with('.') && one.meaning.matches(". ").count() == 0, "{}: one sentence", one.id);
        }
        for one in steps() {
            assert!(!one.section.is_empty() && !one.written.is_empty() && one.runbook != Runbook::Neither, "{one:?}");
        }
    }

    #[test]
    fn series_are_canonical_or_a_targets_own() {
        for one in indicators() {
            for name in one.series {
                let own = OF_TARGETS.iter().any(|beginning| name.starts_with(beginning));
                assert!(series::find(name).is_some() || own, "{}: there is no series {name}", one.id);
            }
        }
    }

    /// A number as a runbook may write it: in the unit itself, in percent, GB, ms, minutes or hours.
    fn is_in(text: &str, number: f64) -> bool {
        let numbers: Vec<f64> =
            text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|part| part.parse().ok()).collect();
        let factors = [1.0, 1e-2, 1e9, 1e-3, 60.0, 3600.0];
        factors.iter().any(|factor| numbers.iter().any(|found| (found * factor - number).abs() < 1e-9 * number.abs()))
    }

    #[test]
    fn typed_numbers_are_the_written_ones() {
        for one in indicators() {
            let window = one.window.map(|window| window.0.as_secs_f64());
            let bounds = if IN_OTHER_WORDS.contains(&one.id) { Vec::new() } else { one.levels.bounds() };
            for number in bounds.into_iter().chain(window) {
                assert!(is_in(one.written, number), "{}: {number} is not in {}", one.id, one.written);
            }
        }
        assert!(is_in(">80% (5m)", 0.8) && is_in(">80% (5m)", 300.0) && is_in("0.9 of it", 0.9));
        assert!(!is_in(">80% (5m)", 0.7) && !is_in("none", 0.8));
    }
}
