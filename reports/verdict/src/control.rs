//! Variants that something was put into on purpose: what they say of the run, and what the others lose where it was not seen.

use soak_scenario::{Dose, FLOORS, PositiveControl, Variant};

use crate::human;
use crate::judge::TARGET;
use crate::outcome::{ControlVerdict, DoseVerdict, FailureCause, Finding, Seen, VariantVerdict, Verdict};

/// The finding that such a variant is left with.
pub const CONTROL: &str = "control";

/// At this many tolerances a leak has to be found, and at this many it must pass; what lies between may be answered either way.
const HAS_TO_FAIL: f64 = 2.0;
const HAS_TO_PASS: f64 = 0.5;
/// A dose is rounded when it is said to the target.
const ROUNDED: f64 = 0.01;

/// What has to be said of a leak of this size; `None` where either is right.
pub(crate) fn expected(dose: &Dose) -> Option<Verdict> {
    if dose.tolerances >= HAS_TO_FAIL - ROUNDED {
        Some(Verdict::Fail)
    } else if dose.tolerances <= HAS_TO_PASS + ROUNDED {
        Some(Verdict::Pass)
    } else {
        None
    }
}

/// Turns a variant that was judged like any other into what it is for: its findings become information, and one says whether what was put in was seen.
pub(crate) fn conclude(planned: &Variant, mut variant: VariantVerdict, to_its_end: bool) -> VariantVerdict {
    let (finding, either) = if let Some(control) = &planned.control {
        let found = answers(control, &variant);
        let finding = of_misbehaviour(&found, to_its_end);
        variant.control = Some(found);
        (finding, false)
    } else if let Some(dose) = &planned.dose {
        let found = of_floors(dose, &variant);
        let finding = of_leak(dose, &found, to_its_end);
        variant.dose = Some(found);
        // At the tolerance itself either answer is right: there is nothing to hold against it.
        (finding, expected(dose).is_none() && to_its_end)
    } else {
        return variant;
    };
    // What is put in may bring the kernel to kill the target; what else ends it is the target's own.
    let own = |finding: &Finding| finding.criterion == TARGET && finding.cause != Some(FailureCause::OutOfMemory);
    for other in variant.findings.iter_mut().filter(|finding| !own(finding)) {
        // What this variant was made to do is no finding against the target.
        other.reason = format!("For information: this was put in on purpose. {}", other.reason);
        other.informational = true;
        (other.verdict, other.threshold, other.detectable, other.next, other.reproduce) =
            (None, None, None, None, None);
    }
    variant.findings.push(finding);
    let found_all = variant.findings.iter().filter_map(|finding| finding.verdict);
    let none = if either { Verdict::Pass } else { Verdict::Inconclusive };
    variant.verdict = Verdict::over(found_all).unwrap_or(none);
    variant
}

/// What each floor that is judged says of a leak.
fn of_floors(dose: &Dose, variant: &VariantVerdict) -> DoseVerdict {
    let seen = FLOORS.into_iter().filter_map(|id| {
        let finding = variant.finding(id)?;
        let (verdict, value, interval) = (finding.verdict?, finding.value, finding.interval);
        Some((id.to_owned(), Seen { verdict, value, interval, detectable: finding.detectable }))
    });
    DoseVerdict { tolerances: dose.tolerances, bytes_per_cycle: dose.bytes_per_cycle, answers: seen.collect() }
}

/// What each criterion that has to see a misbehaviour says of it.
fn answers(control: &PositiveControl, variant: &VariantVerdict) -> ControlVerdict {
    let answer = |id: &String| (id.clone(), variant.finding(id).and_then(|finding| finding.verdict));
    ControlVerdict { put_in: control.words(), answers: control.seen_by.iter().map(answer).collect() }
}

/// The finding of a variant that was put something into.
fn control_finding(verdict: Option<Verdict>, value: Option<f64>, unit: &str, reason: String, next: &str) -> Finding {
    Finding {
        criterion: CONTROL.to_owned(),
        cause: None,
        verdict,
        informational: verdict.is_none(),
        value,
        unit: unit.to_owned(),
        interval: None,
        threshold: None,
        detectable: None,
        reason,
        next: (verdict == Some(Verdict::Inconclusive)).then(|| next.to_owned()),
        reproduce: None,
    }
}

/// Whether a misbehaviour was seen by every criterion that has to see it, in a variant that ran to its end.
fn of_misbehaviour(found: &ControlVerdict, to_its_end: bool) -> Finding {
    let said = |answer: &Option<Verdict>| answer.map_or("nothing", Verdict::name);
    let words: Vec<String> = found.answers.iter().map(|(id, answer)| format!("{id} says {}", said(answer))).collect();
    let blind = blind(found);
    let so = if !to_its_end {
        " The variant did not run to its end.".to_owned()
    } else if blind.is_empty() {
        String::new()
    } else {
        format!(" This run could not have seen such a misbehaviour by {}.", blind.join(" and "))
    };
    let verdict = if to_its_end && blind.is_empty() { Verdict::Pass } else { Verdict::Inconclusive };
    let reason = format!("Put in on purpose: {}. {}.{so}", found.put_in, words.join(", "));
    let seen = found.answers.len() - blind.len();
    control_finding(Some(verdict), Some(seen as f64), "criteria", reason, NEXT_MISBEHAVIOUR)
}

/// The criteria that did not see a misbehaviour.
fn blind(found: &ControlVerdict) -> Vec<&str> {
    let blind = found.answers.iter().filter(|(_, answer)| **answer != Some(Verdict::Fail));
    blind.map(|(id, _)| id.as_str()).collect()
}

/// Whether a leak of a known size got the answers that it has to get.
fn of_leak(dose: &Dose, found: &DoseVerdict, to_its_end: bool) -> Finding {
    let wanted = expected(dose);
    let missed = missed(found);
    let words: Vec<String> = found
        .answers
        .iter()
        .map(|(id, seen)| {
            let measured = seen.value.map_or_else(|| "nothing".to_owned(), human::bytes);
            format!("{id} says {} and measured {measured} a cycle", seen.verdict.name())
        })
        .collect();
    let size = if dose.tolerances > 0.0 {
        let (bytes, tolerances) = (human::bytes(dose.bytes_per_cycle), human::number(dose.tolerances));
        format!("A leak of {bytes} a cycle, {tolerances} tolerances, was put in on purpose")
    } else {
        "Nothing was put in here".to_owned()
    };
    let verdict = match wanted {
        _ if found.answers.is_empty() || !to_its_end => Some(Verdict::Inconclusive),
        None => None,
        Some(_) if missed.is_empty() => Some(Verdict::Pass),
        Some(_) => Some(Verdict::Inconclusive),
    };
    let so = match (verdict, wanted) {
        (Some(Verdict::Inconclusive), _) if found.answers.is_empty() => " No floor answered.".to_owned(),
        (Some(Verdict::Inconclusive), _) if !to_its_end => " The variant did not run to its end.".to_owned(),
        (Some(Verdict::Inconclusive), Some(Verdict::Fail)) => {
            format!(" This machine could not have seen such a leak by {}.", missed.join(" and "))
        }
        (Some(Verdict::Inconclusive), _) => format!(" {} should have passed.", missed.join(" and ")),
        _ => String::new(),
    };
    let told = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    control_finding(verdict, Some(dose.bytes_per_cycle), "bytes/cycle", format!("{size}{told}.{so}"), NEXT_LEAK)
}

const NEXT_LEAK: &str = "What else runs on this machine makes the floors scatter: end it and run again; or run more cycles (`--set cycle.count=…`), which makes smaller leaks visible.";
const NEXT_MISBEHAVIOUR: &str = "Its findings say what they measured, and the series is in the report: a longer load (`--set workload.query.duration=…`) shows more of it, and a series that the target does not export shows nothing.";

/// The criteria that did not answer as the dose demands.
fn missed(found: &DoseVerdict) -> Vec<&str> {
    let dose = Dose {
        tolerances: found.tolerances,
        bytes_per_cycle: found.bytes_per_cycle,
        retained: soak_scenario::units::Share(0.0),
    };
    let Some(wanted) = expected(&dose) else { return Vec::new() };
    let wrong = found.answers.iter().filter(|(_, seen)| seen.verdict != wanted);
    wrong.map(|(id, _)| id.as_str()).collect()
}

/// Takes back the passes of criteria that did not see what they had to see.
pub(crate) fn withdraw(variants: &mut [VariantVerdict]) {
    let blind: Vec<(String, String)> = variants.iter().flat_map(unseen).collect();
    for variant in variants.iter_mut().filter(|variant| !variant.is_control()) {
        for finding in variant.findings.iter_mut().filter(|finding| finding.verdict == Some(Verdict::Pass)) {
            if let Some((_, why)) = blind.iter().find(|(id, _)| *id == finding.criterion) {
                finding.verdict = Some(Verdict::Inconclusive);
                finding.reason = format!("{} {why}", finding.reason);
                variant.verdict = variant.verdict.max(Verdict::Inconclusive);
            }
        }
    }
}

/// The criteria that did not see what was put into this variant, each with what to say of its passes.
fn unseen(variant: &VariantVerdict) -> Vec<(String, String)> {
    let (ids, what): (Vec<&str>, String) = if let Some(found) = &variant.control {
        (blind(found), format!("{}, which was put in on purpose ({}), was not found", found.put_in, variant.id))
    } else if let Some(found) = variant.dose.as_ref().filter(|found| found.tolerances >= HAS_TO_FAIL - ROUNDED) {
        let saw = |id: &&str| found.answers.get(*id).is_some_and(|seen| seen.verdict == Verdict::Fail);
        let size = human::bytes(found.bytes_per_cycle);
        let what = format!("a leak of {size} a cycle that was put in on purpose ({}) was not found", variant.id);
        (FLOORS.into_iter().filter(|id| !saw(id)).collect(), what)
    } else {
        return Vec::new();
    };
    if variant.verdict == Verdict::Pass {
        return Vec::new();
    }
    ids.into_iter().map(|id| (id.to_owned(), format!("That would pass, but {what}."))).collect()
}
