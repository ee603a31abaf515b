//! Variants that leak on purpose: what they say of the run, and what the others lose where such a leak was not seen.

use std::collections::BTreeMap;

use soak_scenario::{Dose, FLOORS};

use crate::human;
use crate::judge::TARGET;
use crate::outcome::{DoseVerdict, Finding, Seen, VariantVerdict, Verdict};

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

/// Turns a variant that was judged like any other into what it is for: its findings become information, and one says whether the leak was seen.
pub(crate) fn conclude(dose: Dose, mut variant: VariantVerdict, to_its_end: bool) -> VariantVerdict {
    let mut answers = BTreeMap::new();
    for id in FLOORS {
        if let Some((finding, answer)) = variant.finding(id).and_then(|finding| Some((finding, finding.verdict?))) {
            let (value, interval) = (finding.value, finding.interval);
            answers.insert(id.to_owned(), Seen { verdict: answer, value, interval, detectable: finding.detectable });
        }
    }
    let found = DoseVerdict { tolerances: dose.tolerances, bytes_per_cycle: dose.bytes_per_cycle, answers };
    let finding = finding(&dose, &found, to_its_end);
    // A leak may bring the kernel to kill the target; what else ends it is the target's own.
    let own = |finding: &Finding| finding.criterion == TARGET && !finding.reason.contains("for memory");
    for other in variant.findings.iter_mut().filter(|finding| !own(finding)) {
        // What this variant was made to do is no finding against the target.
        other.reason = format!("For information, this variant leaks on purpose. {}", other.reason);
        other.informational = true;
        (other.verdict, other.threshold, other.detectable, other.next, other.reproduce) =
            (None, None, None, None, None);
    }
    variant.findings.push(finding);
    // At the tolerance itself either answer is right: there is nothing to hold against it.
    let either = expected(&dose).is_none() && to_its_end;
    let found_all = variant.findings.iter().filter_map(|finding| finding.verdict);
    let none = if either { Verdict::Pass } else { Verdict::Inconclusive };
    variant.verdict = Verdict::over(found_all).unwrap_or(none);
    variant.dose = Some(found);
    variant
}

fn finding(dose: &Dose, found: &DoseVerdict, to_its_end: bool) -> Finding {
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
    Finding {
        criterion: CONTROL.to_owned(),
        verdict,
        informational: verdict.is_none(),
        value: Some(dose.bytes_per_cycle),
        unit: "bytes/cycle".to_owned(),
        interval: None,
        threshold: None,
        detectable: None,
        reason: format!("{size}{told}.{so}"),
        next: (verdict == Some(Verdict::Inconclusive)).then(|| NEXT.to_owned()),
        reproduce: None,
    }
}

const NEXT: &str = "What else runs on this machine makes the floors scatter: end it and run again; or run more cycles (`--set cycle.count=…`), which makes smaller leaks visible.";

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

/// Takes back the passes of criteria that did not see a leak which they had to see.
pub(crate) fn withdraw(variants: &mut [VariantVerdict]) {
    let mut blind: Vec<(String, String)> = Vec::new();
    for variant in variants.iter() {
        let Some(found) = variant.dose.as_ref().filter(|found| found.tolerances >= HAS_TO_FAIL - ROUNDED) else {
            continue;
        };
        let of_this = if variant.verdict == Verdict::Pass { Vec::new() } else { FLOORS.to_vec() };
        let of_this =
            of_this.into_iter().filter(|id| found.answers.get(*id).is_none_or(|seen| seen.verdict != Verdict::Fail));
        let why = format!(
            "That would pass, but a leak of {} a cycle that was put in on purpose ({}) was not found.",
            human::bytes(found.bytes_per_cycle),
            variant.id
        );
        blind.extend(of_this.map(|id| (id.to_owned(), why.clone())));
    }
    for variant in variants.iter_mut().filter(|variant| variant.dose.is_none()) {
        for finding in variant.findings.iter_mut().filter(|finding| finding.verdict == Some(Verdict::Pass)) {
            if let Some((_, why)) = blind.iter().find(|(id, _)| *id == finding.criterion) {
                finding.verdict = Some(Verdict::Inconclusive);
                finding.reason = format!("{} {why}", finding.reason);
                variant.verdict = variant.verdict.max(Verdict::Inconclusive);
            }
        }
    }
}
