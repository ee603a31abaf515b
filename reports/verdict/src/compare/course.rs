//! How the runs went, which no quantity tells: whether their targets came to an end, whether they were what was planned, and what their own criteria say.

use super::side::{builds_of, in_words};
use super::{Answer, Role, Row};
use crate::digest::{Digest, End};
use crate::human;
use crate::outcome::Verdict;

/// What a target's end is called among the quantities.
pub const ENDING: &str = "ending";

/// What it is called there whether the load and the settings were those of the plan.
pub const AS_PLANNED: &str = "as planned";

/// What a run's own verdict is called among the quantities: a leak is no level, and the criteria see it better than a ratio does.
pub const CRITERIA: &str = "own criteria";

/// Where a row is of no single variant.
pub const EVERY_VARIANT: &str = "every variant";

/// The row of a target that did not come to its end, on one side or both; nothing where all did.
pub(super) fn ending(base: &[Digest], candidate: &[Digest], id: &str) -> Option<Row> {
    let ends = |side: &[Digest]| -> Vec<End> {
        side.iter().map(|run| run.variant(id).map_or(End::Early, |variant| variant.end)).collect()
    };
    let (base, candidate) = (ends(base), ends(candidate));
    let all = |ends: &[End], end| ends.iter().all(|one| *one == end);
    let died = |ends: &[End]| {
        let many = ends.iter().filter(|one| **one == End::TargetFailed).count();
        format!("{many} of {}", human::plural(ends.len(), "run"))
    };
    let (answer, reason) = match () {
        () if all(&base, End::Completed) && all(&candidate, End::Completed) => return None,
        () if base.contains(&End::Early) || candidate.contains(&End::Early) => {
            let side = if candidate.contains(&End::Early) { "candidate" } else { "base" };
            (Answer::CannotTell, format!("A run of the {side} broke off, or never came to this variant."))
        }
        // One death is one too many for a candidate, and no merit of it where only some of the base's died.
        () if all(&base, End::Completed) => (
            Answer::Worse,
            format!("The target of the candidate died or gave up in {}; that of the base did not.", died(&candidate)),
        ),
        () if all(&candidate, End::Completed) && all(&base, End::TargetFailed) => {
            (Answer::Better, "The target of the base died or gave up; that of the candidate did not.".to_owned())
        }
        () => {
            let (of_base, of_candidate) = (died(&base), died(&candidate));
            let reason =
                format!("The target died or gave up in {of_base} of the base, and in {of_candidate} of the candidate.");
            (Answer::CannotTell, reason)
        }
    };
    Some(told(id, ENDING, answer, reason))
}

/// Whether no run of a side departed from its plan in this variant, wherever it ended.
pub(super) fn kept_to_its_plan(side: &[Digest], id: &str) -> bool {
    side.iter().filter_map(|run| run.variant(id)).all(|variant| variant.departures.is_empty())
}

/// The row of a variant that was not what was planned in a run of either side: what it takes of memory may be due to that.
pub(super) fn departed(base: &[Digest], candidate: &[Digest], id: &str) -> Option<Row> {
    let of = |name: &str, side: &[Digest]| -> Vec<String> {
        let runs = side.iter().filter_map(|run| Some((&run.run, run.variant(id)?)));
        runs.filter(|(_, variant)| !variant.departures.is_empty())
            .map(|(run, variant)| format!("in {run}, of the {name}, {}", variant.departures.join("; ")))
            .collect()
    };
    let all = [of("base", base), of("candidate", candidate)].concat();
    let reason = format!("Nothing is shown to be no worse: {}.", all.join(". And "));
    (!all.is_empty()).then(|| told(id, AS_PLANNED, Answer::CannotTell, reason))
}

/// The row of a candidate that is of several builds: which of them would have been shown to be no worse? A base may be, as the last ones of a branch are.
pub(super) fn several_builds(candidate: &[Digest]) -> Option<Row> {
    let builds = builds_of(candidate);
    let reason = format!(
        "Nothing is shown to be no worse: the runs of the candidate are of several builds, {}.",
        in_words(&builds)
    );
    (builds.len() > 1).then(|| told(EVERY_VARIANT, AS_PLANNED, Answer::CannotTell, reason))
}

/// The row of runs that fail their own criteria: a difference between the sides where each run of one does and each of the other passes, and a doubt where only some of the candidate do.
pub(super) fn criteria(base: &[Digest], candidate: &[Digest]) -> Option<Row> {
    let failed = |side: &[Digest]| side.iter().filter(|run| run.verdict == Verdict::Fail).count();
    // What could not be judged does not pass.
    let pass = |side: &[Digest]| side.iter().all(|run| run.verdict == Verdict::Pass);
    let (of_base, of_candidate) = (failed(base), failed(candidate));
    let (answer, reason) = if pass(base) && of_candidate == candidate.len() {
        (Answer::Worse, "The candidate fails the scenario's own criteria; the base does not.".to_owned())
    } else if pass(candidate) && of_base == base.len() {
        (Answer::Better, "The base fails the scenario's own criteria; the candidate does not.".to_owned())
    } else if of_base == 0 && of_candidate == candidate.len() {
        let reason = "The candidate fails the scenario's own criteria; of the base it could not be told.".to_owned();
        (Answer::CannotTell, reason)
    } else if of_candidate * base.len() > of_base * candidate.len() {
        let share = |failed: usize, side: &[Digest]| format!("{failed} of {}", human::plural(side.len(), "run"));
        let (of_candidate, of_base) = (share(of_candidate, candidate), share(of_base, base));
        let reason = format!(
            "{of_candidate} of the candidate fail the scenario's own criteria, and {of_base} of the base: more runs tell whether that is chance."
        );
        (Answer::CannotTell, reason)
    } else {
        return None;
    };
    Some(told(EVERY_VARIANT, CRITERIA, answer, reason))
}

/// A row that has no numbers.
pub(super) fn told(variant: &str, quantity: &str, answer: Answer, reason: String) -> Row {
    Row {
        variant: variant.to_owned(),
        quantity: quantity.to_owned(),
        unit: String::new(),
        answer,
        role: Role::Required,
        base: None,
        candidate: None,
        change: None,
        interval: None,
        threshold: 0.0,
        detectable: None,
        p: None,
        reason: Some(reason),
    }
}
