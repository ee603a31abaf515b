//! Which case of a runbook a failed variant is, by what was measured: for and against it, why the others are less likely, and what the runbook advises.
//!
//! Each failed finding goes to the cause that explains it best: of those that would fail it, the one for which the observations add up to most. Causes and
//! observations are one table ([`rules`]), so that what is weighed against what can be read in one place. Where nothing failed there is nothing to explain, but for
//! mapped files: they fail nothing, and are what somebody on call takes for pressure.

mod facts;
mod rules;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use soak_scenario::runbook::{Advice, Case, Runbook, Seen, advice};
use soak_scenario::{Plan, Variant};

pub(crate) use self::facts::Facts;
pub(crate) use self::rules::is_mapped;
use self::rules::{Clue, RULES, Rule, Shown};
use crate::outcome::{Finding, Verdict};

/// Less than this speaks for a cause by chance.
const LEAST: i32 = 2;

/// What a failure looks like, by a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guidance {
    /// The case that it matches.
    pub case: Case,
    /// Its heading in the runbook.
    pub section: String,
    /// The cause that the observations point to.
    pub cause: String,
    /// The failed criteria that it explains; none where it is worth knowing and fails nothing.
    pub findings: Vec<String>,
    /// What speaks for it, the strongest first.
    pub evidence_for: Vec<String>,
    /// What speaks against it.
    pub evidence_against: Vec<String>,
    /// What else would explain the same findings, or is looked for beside them, and what there is of it.
    pub alternatives: Vec<Alternative>,
    /// What the runbook advises, for this target.
    pub remedies: Vec<Advice>,
}

/// A cause that is less likely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// The case.
    pub case: Case,
    /// Its heading in the runbook.
    pub section: String,
    /// The cause.
    pub cause: String,
    /// What speaks for it.
    pub evidence_for: Vec<String>,
    /// What speaks against it; empty where only nothing speaks for it.
    pub evidence_against: Vec<String>,
}

impl Guidance {
    /// `looks like Scenario 4: Goroutine Leaks (tasks that never end)`.
    pub fn line(&self) -> String {
        format!("looks like {} ({})", self.section, self.cause)
    }
}

impl Alternative {
    /// Why it is less likely, in a clause.
    pub fn reason(&self) -> String {
        match (self.evidence_against.as_slice(), self.evidence_for.as_slice()) {
            ([], []) => "nothing that was measured speaks for it".to_owned(),
            ([], some) => format!("less speaks for it: {}", some.join("; ")),
            (some, _) => some.join("; "),
        }
    }
}

/// A cause with its observations.
struct Weighed<'a> {
    rule: &'a Rule,
    clues: Vec<Clue>,
}

impl Weighed<'_> {
    fn score(&self) -> i32 {
        self.clues.iter().map(|clue| clue.weight).sum()
    }

    fn words(&self, wanted: impl Fn(i32) -> bool) -> Vec<String> {
        let mut clues: Vec<&Clue> = self.clues.iter().filter(|clue| wanted(clue.weight)).collect();
        clues.sort_by_key(|clue| std::cmp::Reverse(clue.weight.abs()));
        clues.into_iter().map(|clue| clue.words.clone()).collect()
    }
}

/// What a variant's failed findings look like, the one that explains most of them first.
pub(crate) fn guide(plan: &Plan, variant: &Variant, facts: &Facts, findings: &[Finding]) -> Vec<Guidance> {
    // What the run itself did, and what is left of it, is no case of the target's.
    if !facts.own_faults.is_empty() {
        return Vec::new();
    }
    let shown = Shown { facts, findings };
    let weighed: Vec<Weighed<'_>> = RULES.iter().map(|rule| Weighed { rule, clues: (rule.clues)(&shown) }).collect();
    let failed = findings.iter().filter(|finding| finding.verdict == Some(Verdict::Fail));
    let mut matched: Vec<(usize, Vec<String>)> = Vec::new();
    for finding in failed {
        let explains = |one: &Weighed<'_>| one.rule.explains.contains(&finding.criterion.as_str());
        // Of equals, the first of the table.
        let best = weighed.iter().enumerate().rev().filter(|(_, one)| explains(one) && one.score() >= LEAST);
        let Some((place, _)) = best.max_by_key(|(_, one)| one.score()) else { continue };
        match matched.iter_mut().find(|(other, _)| *other == place) {
            Some((_, criteria)) => criteria.push(finding.criterion.clone()),
            None => matched.push((place, vec![finding.criterion.clone()])),
        }
    }
    matched.sort_by_key(|(_, criteria)| std::cmp::Reverse(criteria.len()));
    let mapped = weighed.iter().position(|one| one.rule.cause == "mapped files");
    if let Some(place) = mapped.filter(|place| weighed[*place].score() >= LEAST)
        && matched.iter().all(|(other, _)| *other != place)
    {
        matched.push((place, Vec::new()));
    }
    let seen = Seen { peak_bytes: facts.peak };
    matched.into_iter().map(|(place, criteria)| told(plan, variant, seen, &weighed, place, criteria)).collect()
}

fn told(
    plan: &Plan,
    variant: &Variant,
    seen: Seen,
    weighed: &[Weighed<'_>],
    place: usize,
    findings: Vec<String>,
) -> Guidance {
    let one = &weighed[place];
    let of_runbook = |case: Case| match Runbook::of(&plan.target.profile) {
        Runbook::Guts => case.in_guts(),
        _ => case,
    };
    let case = of_runbook(one.rule.case);
    let explains = |rule: &Rule| findings.iter().any(|criterion| rule.explains.contains(&criterion.as_str()));
    let mut others: Vec<&Weighed<'_>> = weighed
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != place)
        .map(|(_, other)| other)
        // Of causes that would not fail these criteria, those of which something was seen all the same.
        .filter(|other| explains(other.rule) || other.score() >= LEAST)
        .collect();
    others.sort_by_key(|other| std::cmp::Reverse((explains(other.rule), other.score())));
    Guidance {
        case,
        section: case.section().to_owned(),
        cause: one.rule.cause.to_owned(),
        evidence_for: one.words(|weight| weight > 0),
        evidence_against: one.words(|weight| weight < 0),
        alternatives: others
            .into_iter()
            .map(|other| {
                let case = of_runbook(other.rule.case);
                Alternative {
                    case,
                    section: case.section().to_owned(),
                    cause: other.rule.cause.to_owned(),
                    evidence_for: other.words(|weight| weight > 0),
                    evidence_against: other.words(|weight| weight < 0),
                }
            })
            .collect(),
        remedies: advice(case, plan, variant, seen),
        findings,
    }
}
