//! From records to a verdict, in two steps: measure each variant, then rule with the error rate shared among the variants.

use std::collections::BTreeMap;

use soak_record::{EventKind, Phase, VariantRecord};
use soak_scenario::{Knobs, Launch, Plan, Threshold, Variant, criterion};

use crate::claimed;
use crate::control;
use crate::coverage;
use crate::criteria;
use crate::ending::Ending;
use crate::evidence::{Criterion, Evidence, Shared};
use crate::guidance::{Facts, guide, is_mapped};
use crate::human;
use crate::indication::indications;
use crate::observed::Observed;
use crate::outcome::{
    AttestedKnob, FailureCause, Finding, Indication, RunVerdict, VERDICT_SCHEMA, VariantVerdict, Verdict,
};
use crate::stats::{holm, location};

/// What the end of a target is called among the criteria, where it is a failure.
pub(crate) const TARGET: &str = "target";

/// The chance of any false fail per criterion, over all variants.
pub const ALPHA: f64 = 0.05;

/// What is kept of a variant once its record has been let go.
struct Measured {
    id: String,
    build: Option<String>,
    evidence: Vec<Evidence>,
    attested: BTreeMap<String, AttestedKnob>,
    ending: Ending,
    /// Series whose samples were lost after the warm-up, by source.
    lost: BTreeMap<String, u64>,
    /// Files of samples that are damaged or cut off.
    broken: Vec<String>,
    /// Why its passes cannot be trusted.
    doubts: Vec<String>,
    /// What a person did to it, as one of those.
    by_hand: Option<String>,
    indications: Vec<Indication>,
    facts: Facts,
    notes: Vec<String>,
}

/// Judges a run: `run` is its id, `variants` the records in any order. One record is held in memory at a time.
pub fn judge(run: &str, plan: &Plan, variants: impl IntoIterator<Item = VariantRecord>) -> RunVerdict {
    let mut measured: Vec<Measured> = variants.into_iter().map(|record| measure(plan, &record)).collect();
    let place = |id: &str| plan.variants.iter().position(|variant| variant.id == id).unwrap_or(usize::MAX);
    measured.sort_by_key(|variant| place(&variant.id));
    doubt_other_builds(&mut measured);
    let never_ran: Vec<&str> = plan
        .variants
        .iter()
        .map(|variant| variant.id.as_str())
        .filter(|id| !measured.iter().any(|variant| variant.id == *id))
        .collect();
    let mut notes = Vec::new();
    if !never_ran.is_empty() {
        let failed = measured.iter().any(|variant| matches!(variant.ending, Ending::TargetFailed(..)));
        let why = match plan.target.launch {
            Launch::Attach(_) if failed => ": what ran already is not loaded any more once it has failed",
            _ => "",
        };
        notes.push(format!("Never ran: {}{why}.", never_ran.join(", ")));
    }
    let complete = never_ran.is_empty()
        && measured.iter().all(|variant| matches!(variant.ending, Ending::Completed | Ending::TargetFailed(..)));
    let platform = measured.iter().find_map(|variant| match &variant.ending {
        Ending::PlatformFailed(reason) => Some(format!("{}: {reason}", variant.id)),
        _ => None,
    });
    let not_applicable: BTreeMap<String, String> =
        plan.all_not_applicable().into_iter().map(|(id, why)| (id.to_owned(), why)).collect();
    notes.extend(of_plan(plan));
    notes.extend(out_of_scope(&not_applicable));
    let variants = rule_all(plan, measured);
    let all_ran = (!never_ran.is_empty()).then_some(Verdict::Inconclusive);
    let verdict =
        Verdict::over(variants.iter().map(|variant| variant.verdict).chain(all_ran)).unwrap_or(Verdict::Inconclusive);
    RunVerdict {
        schema: VERDICT_SCHEMA,
        run: run.to_owned(),
        scenario: plan.scenario.clone(),
        title: plan.title.clone(),
        verdict,
        pace: plan.pace,
        seed: plan.seed,
        platform,
        complete,
        variants,
        not_applicable,
        notes,
    }
}

/// What a reader should know of the plan.
fn of_plan(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    if !plan.target.misbehave.is_healthy() {
        let settings: Vec<String> =
            plan.target.misbehave.settings().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        notes.push(format!("The target was told to misbehave: {}.", settings.join(", ")));
    }
    if let Some(why) = &plan.no_control {
        let which = if plan.variants.iter().any(Variant::is_control) { "A" } else { "Every" };
        notes.push(format!("{which} positive control is missing: {why}."));
    }
    notes.extend(
        plan.adapted.iter().map(|one| format!("{} is {} instead of {}: {}.", one.key, one.used, one.asked, one.reason)),
    );
    notes
}

/// The criteria that this target cannot be asked, by reason.
fn out_of_scope(not_applicable: &BTreeMap<String, String>) -> Option<String> {
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for (id, why) in not_applicable {
        match by_reason.iter_mut().find(|(other, _)| other == why) {
            Some((_, ids)) => ids.push(id),
            None => by_reason.push((why, vec![id])),
        }
    }
    let each: Vec<String> = by_reason.iter().map(|(why, ids)| format!("{} ({why})", ids.join(", "))).collect();
    (!each.is_empty())
        .then(|| format!("Not applicable to this target, and not part of the verdict: {}.", each.join("; ")))
}

/// The first step: everything that one record shows.
fn measure(plan: &Plan, record: &VariantRecord) -> Measured {
    let observed = Observed::new(plan, record);
    let evidence = criteria::of(plan)
        .map(|criterion| (criterion.measure)(&observed, plan.criteria.get(criterion.id).copied().unwrap_or_default()))
        .collect();
    let attested = observed.events().filter_map(|event| match event {
        EventKind::Attested { knob, requested, effective, source, holds } => Some((
            knob.clone(),
            AttestedKnob {
                requested: requested.clone(),
                effective: effective.clone(),
                source: source.clone(),
                holds: *holds,
            },
        )),
        _ => None,
    });
    Measured {
        id: record.variant.id.clone(),
        build: coverage::build(observed.events()).map(str::to_owned),
        evidence,
        attested: attested.collect(),
        ending: Ending::of(&observed),
        lost: coverage::lost(&observed),
        doubts: coverage::doubts(&observed),
        by_hand: coverage::by_hand(&observed),
        broken: record.broken.clone(),
        indications: indications(&observed),
        facts: Facts::of(&observed),
        notes: notes(&observed),
    }
}

/// A target that is built anew while a run goes on is another from there on.
fn doubt_other_builds(measured: &mut [Measured]) {
    let first = measured.iter().find_map(|variant| variant.build.clone());
    for variant in measured {
        let doubt = coverage::another_build(first.as_deref(), variant.build.as_deref());
        variant.doubts.extend(doubt);
    }
}

/// What a reader should know of a variant beside its findings.
fn notes(observed: &Observed<'_>) -> Vec<String> {
    let mut notes = claimed::notes(observed);
    let level =
        |name: &str| observed.level(name, Phase::Settle, None).or_else(|| observed.level(name, Phase::Idle, None));
    if let (Some(file), Some(rss)) = (level("rss_file_bytes"), level("rss_bytes"))
        && is_mapped(file.median, rss.median)
    {
        notes.push(format!(
            "RssFile is {} of {} RSS: mapped files, not the heap; no floor counts them (runbook “High Memory Usage Troubleshooting”, “Scenario 3: High \
             RSS But Low Memory Usage”).",
            human::bytes(file.median),
            human::bytes(rss.median)
        ));
    }
    let saturated: Vec<f64> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::HarnessSaturated { phase: Phase::Ingest, cpu_share, .. } => Some(*cpu_share),
            _ => None,
        })
        .collect();
    if !saturated.is_empty() && 2 * saturated.len() > observed.ingests().len() {
        let cores = location::median(&saturated).unwrap_or(0.0);
        notes.push(format!(
            "The harness itself was the bottleneck in {} ({} cores): throughput is a lower bound, memory is not affected.",
            human::plural(saturated.len(), "ingest phase"),
            human::number(cores)
        ));
    }
    let lost: u64 =
        observed.events().map(|event| if let EventKind::SamplesDropped { rows, .. } = event { *rows } else { 0 }).sum();
    if lost > 0 {
        notes.push(format!("{} were lost because the disk did not keep up.", human::plural(lost as usize, "sample")));
    }
    notes
}

/// The second step. A variant that misbehaves on purpose is ruled by itself, as strictly as if it were one of the others.
fn rule_all(plan: &Plan, measured: Vec<Measured>) -> Vec<VariantVerdict> {
    let control = |id: &str| plan.variants.iter().find(|variant| variant.id == id && variant.is_control());
    let (judged, controls): (Vec<Measured>, Vec<Measured>) =
        measured.into_iter().partition(|variant| control(&variant.id).is_none());
    let family = judged.len();
    let mut variants = rule(plan, judged, family);
    for one in controls {
        let (planned, to_its_end) = (control(&one.id), matches!(one.ending, Ending::Completed));
        let ruled = rule(plan, vec![one], family).into_iter();
        variants.extend(ruled.filter_map(|ruled| Some(control::conclude(planned?, ruled, to_its_end))));
    }
    control::withdraw(&mut variants);
    variants
}

/// One criterion at a time over these variants, of which there are as many as share an error rate, or more.
fn rule(plan: &Plan, mut measured: Vec<Measured>, family: usize) -> Vec<VariantVerdict> {
    let mut findings: Vec<Vec<Finding>> = measured.iter().map(|_| Vec::new()).collect();
    let mut evidence: Vec<_> =
        measured.iter_mut().map(|variant| std::mem::take(&mut variant.evidence).into_iter()).collect();
    for criterion in criteria::of(plan) {
        let column: Vec<Evidence> = evidence.iter_mut().filter_map(Iterator::next).collect();
        let knobs: Vec<Option<&Knobs>> = measured.iter().map(|variant| knobs(plan, &variant.id)).collect();
        let shared = share(&column, &knobs, family);
        for (i, (evidence, shared)) in column.into_iter().zip(shared).enumerate() {
            let (finding, notes) = decide(plan, criterion, evidence, &shared);
            findings[i].push(finding);
            measured[i].notes.extend(notes);
        }
    }
    measured.into_iter().zip(findings).map(|(variant, findings)| conclude(plan, variant, findings)).collect()
}

fn knobs<'a>(plan: &'a Plan, id: &str) -> Option<&'a Knobs> {
    plan.variants.iter().find(|variant| variant.id == id).map(|variant| &variant.knobs)
}

/// What the variants of one criterion share: Holm's procedure over each route, and the bands of those that differ in GOGC alone.
pub(crate) fn share(column: &[Evidence], knobs: &[Option<&Knobs>], family: usize) -> Vec<Shared> {
    let routes = column.iter().map(|evidence| evidence.p.len()).max().unwrap_or(0);
    let tested = column.iter().filter(|evidence| !evidence.p.is_empty()).count().max(1);
    // Of one that is ruled by itself the others are taken to show nothing, which is the strictest.
    let others = if column.len() < family { family - column.len() } else { 0 };
    let tested = tested + others;
    let mut shared =
        vec![Shared { rejected: Vec::new(), alpha: ALPHA / tested as f64, bands: Vec::new() }; column.len()];
    for (shared, this) in shared.iter_mut().zip(knobs) {
        let others = column.iter().zip(knobs).filter_map(|(evidence, other)| Some((evidence.band?, (*other)?)));
        let differs = |other: &Knobs| {
            this.is_some_and(|this| this.gogc != other.gogc && Knobs { gogc: this.gogc, ..other.clone() } == *this)
        };
        shared.bands = others.filter(|(_, other)| differs(other)).map(|(band, other)| (other.gogc, band)).collect();
    }
    for route in 0..routes {
        let with: Vec<(usize, f64)> =
            column.iter().enumerate().filter_map(|(i, evidence)| Some((i, *evidence.p.get(route)?))).collect();
        let p_values: Vec<f64> = with.iter().map(|(_, p)| *p).chain(std::iter::repeat_n(1.0, others)).collect();
        for ((i, _), rejected) in with.iter().zip(holm::rejected(&p_values, ALPHA)) {
            shared[*i].rejected.push(rejected);
        }
    }
    shared
}

/// One finding, and the notes that go with it.
pub(crate) fn decide(
    plan: &Plan,
    criterion: &Criterion,
    evidence: Evidence,
    shared: &Shared,
) -> (Finding, Vec<String>) {
    let threshold = plan.criteria.get(criterion.id).copied().unwrap_or_default();
    let modelled =
        criterion.series.iter().find(|name| plan.target.profile.modelled.iter().any(|modelled| modelled == *name));
    let unit = criterion::find(criterion.id).map_or("", |spec| spec.unit.name());
    let ruling = (evidence.rule)(shared);
    let informational = modelled.is_some() || !is_set(criterion.id, threshold) || !ruling.asked;
    let why = match modelled {
        Some(name) => format!("For information: {name} is a model in this target, and never judged."),
        None if !ruling.asked => ruling.because,
        None if informational => "For information: the scenario sets no threshold.".to_owned(),
        None => ruling.because,
    };
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite()).map(rounded);
    let finding = Finding {
        criterion: criterion.id.to_owned(),
        cause: None,
        verdict: (!informational).then_some(ruling.verdict),
        informational,
        value: finite(evidence.value),
        unit: unit.to_owned(),
        interval: evidence.interval.filter(|ends| ends.iter().all(|end| end.is_finite())).map(|ends| ends.map(rounded)),
        threshold: if informational {
            None
        } else {
            finite(evidence.threshold.or(threshold.at_least).or(threshold.at_most))
        },
        detectable: if informational { None } else { finite(ruling.detectable) },
        reason: format!("{} {why}", evidence.summary).trim().to_owned(),
        next: ruling.next.filter(|_| !informational).map(str::to_owned),
        reproduce: None,
    };
    (finding, evidence.notes)
}

/// Nine significant digits: more would be noise, and these read back from JSON as they were written.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

/// Whether the scenario sets the threshold that the criterion is judged by.
fn is_set(id: &str, threshold: Threshold) -> bool {
    match criterion::find(id).map(|spec| spec.bounds) {
        Some(criterion::Bounds::AtLeast) => threshold.at_least.is_some(),
        Some(criterion::Bounds::AtMostOfIngested) => {
            threshold.at_most.is_some() || threshold.at_most_of_ingested.is_some()
        }
        _ => threshold.at_most.is_some(),
    }
}

/// The variant's verdict: its ending and its settings are brought to bear on its findings.
fn conclude(plan: &Plan, measured: Measured, findings: Vec<Finding>) -> VariantVerdict {
    let Measured { id, attested, ending, lost, broken, doubts: more, by_hand, indications, facts, notes, .. } =
        measured;
    let verdict = Verdict::Inconclusive;
    let mut variant = VariantVerdict {
        id,
        verdict,
        attested,
        findings,
        indications,
        guidance: Vec::new(),
        notes,
        dose: None,
        control: None,
    };
    match &ending {
        Ending::TargetFailed(cause, reason) => {
            let at = usize::from(*cause == FailureCause::FailedStep && lost_data_first(&mut variant.findings));
            variant.findings.insert(at, target_failed(*cause, reason));
        }
        Ending::PlatformFailed(reason) => {
            variant.notes.insert(0, format!("The harness or the machine failed: {reason}"));
        }
        Ending::Early(Some(condition)) => {
            variant.notes.insert(0, format!("A stop condition ended the run: {condition}."));
        }
        Ending::Early(None) => variant.notes.insert(0, "The run of this variant ended early.".to_owned()),
        Ending::Completed => {}
    }
    let mut doubts = Vec::new();
    if matches!(ending, Ending::Completed) {
        doubts.extend(more.into_iter().map(|doubt| (None, doubt)));
    } else {
        doubts.push((None, "the variant did not run to its end".to_owned()));
    }
    doubts.extend(without_effect(plan, &variant).map(|doubt| (None, doubt)));
    // Samples of a run that was cut off end early by themselves.
    for file in broken.iter().filter(|_| matches!(ending, Ending::Completed)) {
        variant.notes.push(format!("The samples in {file} are damaged or cut off: what came after is lost."));
        // `000-process-000.arrow`.
        doubts.push((file.split('-').nth(1), coverage::is_broken(file)));
    }
    doubts.extend(lost.iter().map(|(source, rows)| (Some(source.as_str()), coverage::were_lost(source, *rows))));
    for finding in &mut variant.findings {
        let doubt = doubts.iter().find(|(source, _)| source.is_none_or(|source| stands_on(&finding.criterion, source)));
        if let (Some(Verdict::Pass), Some((_, doubt))) = (finding.verdict, doubt) {
            finding.verdict = Some(Verdict::Inconclusive);
            finding.reason = format!("{} That would pass, but {doubt}.", finding.reason);
        }
    }
    excuse_compaction(&mut variant.findings, by_hand.as_deref());
    let line = reproduce(plan, &variant.id);
    for finding in variant.findings.iter_mut().filter(|finding| finding.verdict == Some(Verdict::Fail)) {
        finding.reproduce = Some(line.clone());
    }
    let early = (!matches!(ending, Ending::Completed)).then_some(Verdict::Inconclusive);
    let found = variant.findings.iter().filter_map(|finding| finding.verdict);
    variant.verdict = Verdict::over(found.chain(early)).unwrap_or(Verdict::Inconclusive);
    // What misbehaves on purpose needs no explanation.
    if let Some(planned) = plan.judged().find(|one| one.id == variant.id) {
        variant.guidance = guide(plan, planned, &facts, &variant.findings);
    }
    variant
}

/// Settings that did not demonstrably take effect, where that is asked.
fn without_effect(plan: &Plan, variant: &VariantVerdict) -> Option<String> {
    let asked = variant.finding(criteria::UNVERIFIED_SETTINGS)?;
    if asked.verdict != Some(Verdict::Inconclusive) {
        return None;
    }
    let wrong = variant.attested.iter().filter(|(name, knob)| match knob.holds {
        Some(holds) => !holds,
        None => criteria::is_compared(plan, name),
    });
    let wrong: Vec<&str> = wrong.map(|(name, _)| name.as_str()).collect();
    let which = if wrong.is_empty() { "no setting".to_owned() } else { wrong.join(", ") };
    let effect = if wrong.is_empty() { "was read back" } else { "did not demonstrably take effect" };
    Some(format!("{which} {effect}"))
}

/// A compaction that a person asked for leaves nothing to the target's own: what fails of those may be the person's doing.
fn excuse_compaction(findings: &mut [Finding], by_hand: Option<&str>) {
    let Some(doubt) = by_hand else { return };
    for finding in findings.iter_mut().filter(|finding| finding.criterion.starts_with("compaction_")) {
        if finding.verdict == Some(Verdict::Fail) {
            finding.verdict = Some(Verdict::Inconclusive);
            finding.reason = format!("{} That would fail, but {doubt}.", finding.reason);
        }
    }
}

/// Whether a criterion's answer stands on series of this source.
fn stands_on(id: &str, source: &str) -> bool {
    let series =
        criteria::TABLE.iter().find(|criterion| criterion.id == id).map_or(&[][..], |criterion| criterion.series);
    series.iter().filter_map(|name| soak_scenario::series::find(name)).any(|spec| spec.source.name() == source)
}

/// Puts lost or resurrected rows before everything else: a step that fails afterwards follows from them. Whether there are any.
fn lost_data_first(findings: &mut Vec<Finding>) -> bool {
    let lost = |finding: &Finding| finding.criterion == "acknowledged_data" && finding.verdict == Some(Verdict::Fail);
    let Some(at) = findings.iter().position(lost) else { return false };
    let finding = findings.remove(at);
    findings.insert(0, finding);
    true
}

/// The finding of a target that died, was killed or stopped answering.
fn target_failed(cause: FailureCause, reason: &str) -> Finding {
    let next = match cause {
        FailureCause::OutOfMemory => {
            "Runbook “High Memory Usage Troubleshooting”, “Escalation Path” (“Pod killed by OOMKilled”): raise the limit, or find what grows with \
             `soak diag RUN`."
        }
        FailureCause::Died => {
            "Read the last lines that the target printed, in the run's artifacts folder; the exit code or signal says whether it ended itself."
        }
        FailureCause::Unresponsive => {
            "Read the task dump in the run's artifacts (folder `unresponsive`): the stacks that most tasks wait in hold the lock."
        }
        FailureCause::Overdue => {
            "It works, but too slowly for this plan: lower workload.vectors_per_cycle, or raise the deadline that is named (--set deadlines.phase=10min)."
        }
        FailureCause::FailedStep => {
            "Read the errors by reason (criterion `operation_errors`), and the target's output in the run's artifacts folder."
        }
    };
    Finding {
        criterion: TARGET.to_owned(),
        cause: Some(cause),
        verdict: Some(Verdict::Fail),
        informational: false,
        value: Some(1.0),
        unit: "count".to_owned(),
        interval: None,
        threshold: Some(0.0),
        detectable: None,
        reason: reason.to_owned(),
        next: Some(next.to_owned()),
        reproduce: None,
    }
}

/// The command that runs this variant again, ready for a shell.
fn reproduce(plan: &Plan, variant: &str) -> String {
    let source = if plan.is_built_in() { &plan.scenario } else { &plan.source };
    let mut words = vec![
        "soak run".to_owned(),
        shell(source),
        format!("--pace {}", plan.pace.name()),
        format!("--seed {}", plan.seed),
        format!("--only {}", quoted(variant)),
    ];
    if plan.target.launch != Launch::Embedded {
        words.push(format!("--target {}", shell(&plan.target.launch.to_string())));
    }
    words.extend(plan.edits.iter().map(|edit| format!("--set {}", quoted(edit))));
    words.join(" ")
}

/// A word for a shell: as it is where that is safe.
fn shell(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(safe) { word.to_owned() } else { quoted(word) }
}

/// A word in single quotes.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
