//! The checklist after an incident, as both runbooks have it: each item ticked where the run shows it, with the evidence, and else with what is to be done.

use std::fmt::Write as _;

use soak_record::Run;
use soak_scenario::criterion;
use soak_scenario::units::{Bytes, Limit};
use soak_verdict::{Answer, RunVerdict, Trial, VariantVerdict, Verdict, human};

use crate::markdown::text::escape;

/// The runbook for Longbow: “Monitor for 1-2 hours”.
const MONITORED_S: f64 = 3600.0;
/// The runbooks' first warning: “Memory usage >80% of limit”.
const ROOMY: f64 = 0.8;
/// A limit has this much room above the peak that a run happened to see.
const HEADROOM: f64 = 1.5;

/// What a checklist is filled in from, beside the run and its verdict.
#[derive(Debug, Clone, Default)]
pub struct Aftermath {
    /// The greatest anonymous memory of each variant, by its id, in bytes.
    pub peaks: Vec<(String, f64)>,
    /// What was tried of the runbook's remedies.
    pub trials: Vec<Trial>,
}

struct Item {
    written: &'static str,
    done: bool,
    evidence: Vec<String>,
}

/// The checklist in Markdown.
pub fn post_incident(run: &Run, verdict: &RunVerdict, aftermath: &Aftermath) -> String {
    let mut out = format!("# After the incident: {}\n\n", escape(&verdict.scenario));
    let target = format!("{}, profile {}", run.plan.target.launch, run.plan.target.profile.name);
    let _ = writeln!(
        out,
        "Run {} of {}: {}. An item is ticked where this run shows it.",
        escape(&run.id),
        escape(&target),
        verdict.verdict.name()
    );
    for variant in verdict.judged().filter(|variant| !variant.guidance.is_empty()) {
        let lines: Vec<String> = variant.guidance.iter().map(soak_verdict::Guidance::line).collect();
        let _ = writeln!(out, "\n{}: {}.", escape(&variant.id), escape(&lines.join("; ")));
    }
    let sections =
        [("Recovery Verification", recovery(run, verdict)), ("Post-Incident", afterwards(run, verdict, aftermath))];
    for (section, items) in sections {
        let _ = writeln!(out, "\n## {section}\n");
        for item in items {
            let _ = writeln!(out, "- [{}] {}", if item.done { 'x' } else { ' ' }, item.written);
            for line in item.evidence {
                let _ = writeln!(out, "  - {}", escape(&line));
            }
        }
    }
    out
}

/// “Recovery Verification” of the runbook for Longbow.
fn recovery(run: &Run, verdict: &RunVerdict) -> Vec<Item> {
    let length_s = run.events.iter().map(|event| event.at_s).fold(0.0, f64::max);
    let watched = Item {
        written: "Monitor for 1-2 hours",
        done: length_s >= MONITORED_S && verdict.complete,
        evidence: vec![format!(
            "the run took {}; of a deployment: soak judge --prometheus URL --query PROMQL --start 2h --tolerance 1MiB/min",
            human::seconds(length_s)
        )],
    };
    vec![
        watched,
        held("Verify RSS is stable or decreasing", verdict, &["rss_floor", "rss_trend"]),
        held("Check goroutine count is back to baseline", verdict, &["goroutine_baseline"]),
        held("Confirm compaction is reducing memory", verdict, &["compaction_reclaim"]),
    ]
}

/// “Post-Incident” of the runbook for Guts.
fn afterwards(run: &Run, verdict: &RunVerdict, aftermath: &Aftermath) -> Vec<Item> {
    let profile = &run.plan.target.profile.name;
    let alerting = Item {
        written: "Set up trend-based alerting",
        done: false,
        evidence: vec![format!("no run shows it: soak export alerts --profile {profile} writes the rules")],
    };
    vec![
        held("Verify memory usage stabilized", verdict, &["rss_floor", "heap_floor", "time_to_baseline"]),
        optimal(run, verdict, aftermath),
        undersized(run, verdict, aftermath),
        alerting,
        capacity(run, verdict),
    ]
}

/// An item that criteria answer: ticked where one of them passes in every variant that was judged by it, and none fails or is open.
fn held(written: &'static str, verdict: &RunVerdict, criteria: &[&str]) -> Item {
    let mut evidence = Vec::new();
    let mut passes = true;
    for variant in verdict.judged() {
        for finding in criteria.iter().filter_map(|id| variant.finding(id)) {
            let Some(answer) = finding.verdict else { continue };
            passes &= answer == Verdict::Pass;
            evidence.push(format!("{}, {}: {}. {}", variant.id, finding.criterion, answer.name(), finding.reason));
        }
    }
    let known = !evidence.is_empty();
    if !known {
        evidence.push(format!("not measured by this run: it needs {}", criteria.join(" or ")));
    }
    Item { written, done: known && passes, evidence }
}

/// The settings that passed, the one with the lowest peak first, and the remedies that helped.
fn optimal(run: &Run, verdict: &RunVerdict, aftermath: &Aftermath) -> Item {
    let peak = |variant: &VariantVerdict| {
        let found = aftermath.peaks.iter().find(|(id, _)| *id == variant.id);
        found.map_or(f64::INFINITY, |(_, peak)| *peak)
    };
    let mut passed: Vec<&VariantVerdict> =
        verdict.judged().filter(|variant| variant.verdict == Verdict::Pass).collect();
    passed.sort_by(|a, b| peak(a).total_cmp(&peak(b)));
    let mut evidence: Vec<String> = passed
        .iter()
        .filter_map(|variant| {
            let planned = run.plan.variants.iter().find(|planned| planned.id == variant.id)?;
            let settings = planned.knobs.settings().map(|(name, value)| format!("{name} {value}")).join(", ");
            let peak = peak(variant);
            let peak =
                if peak.is_finite() { format!(", with a peak of {}", human::bytes(peak)) } else { String::new() };
            Some(format!("{} passes{peak}: {settings}", variant.id))
        })
        .collect();
    let helped: Vec<&str> = aftermath
        .trials
        .iter()
        .filter(|trial| trial.answer == Answer::Helps && trial.but.is_none())
        .map(|trial| trial.remedy.as_str())
        .collect();
    if !helped.is_empty() {
        evidence.push(format!("of the runbook's remedies these helped: {}", helped.join(", ")));
    }
    let done = !evidence.is_empty();
    if !done {
        evidence
            .push("no variant passes, and no remedy is known to help: soak run … --try-remedies tries them".to_owned());
    }
    Item { written: "Document optimal configuration", done, evidence }
}

/// Whether the limit left room, and what it should be where it did not.
fn undersized(run: &Run, verdict: &RunVerdict, aftermath: &Aftermath) -> Item {
    let mut evidence = Vec::new();
    let mut roomy = true;
    for (id, peak) in &aftermath.peaks {
        let Some(variant) = verdict.judged().find(|variant| variant.id == *id) else { continue };
        let limit =
            run.plan.variants.iter().find(|planned| planned.id == *id).map(|planned| planned.knobs.memory_limit);
        let died = variant.finding("target").is_some_and(|finding| finding.verdict == Some(Verdict::Fail));
        let enough = Bytes::mib(((peak * HEADROOM / 1_048_576.0).ceil() as u64).next_multiple_of(64));
        match limit {
            Some(Limit::At(limit)) => {
                let share = peak / limit.as_f64();
                let room = share <= ROOMY && !died;
                roomy &= room;
                let so = if room { "which leaves room".to_owned() } else { format!("so that {enough} would be right") };
                let (peak, share) = (human::bytes(*peak), human::percent(share));
                evidence.push(format!("{id}: the peak is {peak}, {share} of the limit of {limit}, {so}"));
            }
            Some(Limit::Off | Limit::OfPeak(_)) | None => {
                roomy = false;
                let peak = human::bytes(*peak);
                evidence.push(format!("{id}: the peak is {peak} under no limit; one of {enough} would have room"));
            }
        }
    }
    let known = !evidence.is_empty();
    if !known {
        evidence.push("no memory was read".to_owned());
    }
    Item { written: "Update resource allocations if undersized", done: known && roomy, evidence }
}

/// What a byte of vectors took, which is what capacity is planned by.
fn capacity(run: &Run, verdict: &RunVerdict) -> Item {
    let dim = |id: &str| run.plan.variants.iter().find(|planned| planned.id == id).map_or(0, |one| one.knobs.dim);
    let mut evidence: Vec<String> = verdict
        .judged()
        .filter_map(|variant| {
            let finding = variant.finding("peak_per_ingested")?;
            let high = finding.interval.map_or(finding.value?, |[_, high]| high);
            let rule = if dim(&variant.id) >= 1536 { "; the runbook plans 2 to 3 times at this dimension" } else { "" };
            Some(format!("{}: a byte of vectors takes up to {high:.2} bytes while it is indexed{rule}", variant.id))
        })
        .collect();
    if evidence.is_empty() {
        let title = criterion::find("peak_per_ingested").map_or("", |spec| spec.id);
        evidence.push(format!("not measured by this run: it needs {title}"));
    }
    evidence.push("how much the next months bring is not in a run".to_owned());
    Item { written: "Review capacity planning", done: false, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Target};

    fn aftermath(verdict: &RunVerdict) -> Aftermath {
        let peaks = verdict.variants.iter().map(|variant| (variant.id.clone(), 100.0 * 1_048_576.0)).collect();
        Aftermath { peaks, trials: Vec::new() }
    }

    #[test]
    fn a_healthy_run_ticks_what_it_shows_and_nothing_else() {
        let (mut run, verdict, _) = synthetic::judged(&[Target::HEALTHY; 6]);
        for variant in &mut run.plan.variants {
            variant.knobs.memory_limit = Limit::At(Bytes::mib(512));
        }
        let list = post_incident(&run, &verdict, &aftermath(&verdict));
        for ticked in [
            "Verify RSS is stable or decreasing",
            "Check goroutine count is back to baseline",
            "Confirm compaction is reducing memory",
            "Verify memory usage stabilized",
            "Document optimal configuration",
            "Update resource allocations if undersized",
        ] {
            assert!(list.contains(&format!("- [x] {ticked}")), "{ticked} is not ticked in\n{list}");
        }
        for open in ["Monitor for 1-2 hours", "Set up trend-based alerting", "Review capacity planning"] {
            assert!(list.contains(&format!("- [ ] {open}")), "{open} is ticked in\n{list}");
        }
        assert!(list.contains("19.5 % of the limit of 512MiB"), "{list}");
    }

    #[test]
    fn a_leak_is_not_ticked_off() {
        let mut targets = [Target::HEALTHY; 6];
        targets[0].leak_per_cycle = 3.0;
        let (run, verdict, _) = synthetic::judged(&targets);
        let list = post_incident(&run, &verdict, &aftermath(&verdict));
        assert!(list.contains("- [ ] Verify RSS is stable or decreasing"), "{list}");
        assert!(list.contains("looks like Scenario 1: Memory Usage Keeps Growing"), "{list}");
        assert!(list.contains("one of 192MiB would have room"), "{list}");
        assert!(list.contains("- [x] Check goroutine count"), "{list}");
    }

    #[test]
    fn nothing_is_ticked_of_a_run_in_which_nothing_ran() {
        let list = post_incident(&synthetic::run(), &synthetic::verdict_of(&[]), &Aftermath::default());
        assert!(!list.contains("[x]") && list.matches("- [ ]").count() == 9, "{list}");
    }
}
