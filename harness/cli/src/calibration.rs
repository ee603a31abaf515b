//! Before a run: one cycle of each variant without limits and faults, and the plan fitted to what it showed.

use std::path::Path;
use std::time::Duration;

use soak_engine::{Listener, RunEnd};
use soak_record::{Event, EventKind, Outcome, Phase, Run, VariantRecord, file};
use soak_scenario::units::{Bytes, Span};
use soak_scenario::{Calibrated, Measured, Plan};
use soak_verdict::human;

use crate::execution::{execute, refuse_what_holds_something};
use crate::failure::Failure;
use crate::output;

/// Series of memory that the kernel cannot take back from a target, or only at a cost. The greater one is its peak.
const MEMORY: [&str; 2] = ["rss_bytes", "cgroup_working_set_bytes"];

/// The plan with numbers in the place of what is relative to the server. A plan without anything relative comes back unchanged, and `None` after an interruption.
pub(crate) fn fitted(plan: Plan, id: &str, path: &Path) -> Result<Option<Plan>, Failure> {
    if !plan.needs_calibration() {
        return Ok(Some(plan));
    }
    refuse_what_holds_something(path)?;
    let folder = path.join(file::CALIBRATION);
    let fitted = calibrate(&plan, id, &folder)?;
    // Rows were taken out of the cycle, and with fewer rows the peak is another one.
    let rows_changed = fitted.as_ref().is_some_and(|fitted| fitted.workload != plan.workload);
    match fitted {
        Some(first) if rows_changed && plan.has_relative_limits() => {
            let mut fewer = plan;
            fewer.workload = first.workload.clone();
            fewer.calibration.cycle_at_most = None;
            let second = calibrate(&fewer, &format!("{id}-rows"), &folder.join("with-fewer-rows"))?;
            Ok(second.map(|second| second.also_fitted(&first)))
        }
        fitted => Ok(fitted),
    }
}

/// A base and its candidate, both with the numbers that fit the base: what is compared runs under the same limits. Where the candidate alone is relative, it is
/// measured itself.
pub(crate) fn both_fitted([base, candidate]: [Plan; 2], id: &str, path: &Path) -> Result<Option<[Plan; 2]>, Failure> {
    if base.needs_calibration() {
        let base = fitted(base, id, path)?;
        return Ok(base.map(|base| [base.clone(), candidate.fitted_as(&base)]));
    }
    Ok(fitted(candidate, id, path)?.map(|candidate| [base, candidate]))
}

fn calibrate(plan: &Plan, id: &str, folder: &Path) -> Result<Option<Plan>, Failure> {
    let measuring = plan.calibration_run();
    output::say(&format!(
        "calibration: {} without limits and faults, one cycle each\n",
        human::plural(measuring.variants.len(), "variant")
    ));
    let end = execute(&measuring, &format!("{id}-calibration"), folder, Box::new(Quiet))?;
    if end == RunEnd::Interrupted {
        return Ok(None);
    }
    let run = Run::open(folder).map_err(Failure::platform)?;
    let mut calibrated = Vec::new();
    for index in 0..run.plan.variants.len() {
        let record = run.variant(index).map_err(Failure::platform)?;
        calibrated.push(Calibrated { variant: record.variant.id.clone(), measured: measured(&record) });
    }
    let fitted = plan.fitted_to(&calibrated);
    for line in fitted.fitted.iter().map(human::fitted) {
        output::say(&format!("calibration: {line}\n"));
    }
    Ok(Some(fitted))
}

/// What the cycle showed, or why it did not end well.
fn measured(record: &VariantRecord) -> Result<Measured, String> {
    let outcome = record.events.iter().find_map(|event| match &event.kind {
        EventKind::VariantEnded { outcome } => Some(outcome),
        _ => None,
    });
    match outcome {
        Some(Outcome::Completed) => {}
        Some(Outcome::TargetFailed { reason } | Outcome::Stopped { reason } | Outcome::PlatformFailed { reason }) => {
            return Err(reason.clone());
        }
        Some(Outcome::Interrupted) | None => return Err("the calibration did not come to its end".to_owned()),
    }
    let values = MEMORY.iter().filter_map(|name| record.series.get(*name)).flat_map(|series| &series.values);
    let peak = values.copied().reduce(f64::max).ok_or("the target's memory could not be read")?;
    let seconds = |phases: &[Phase]| -> f64 {
        let of = |event: &Event| match &event.kind {
            EventKind::PhaseEnded { phase, seconds, .. } if phases.contains(phase) => Some(*seconds),
            _ => None,
        };
        record.events.iter().filter_map(of).sum()
    };
    let span = |seconds: f64| Span(Duration::from_secs_f64(seconds.max(0.0)));
    // Some servers answer a put or a drop once their index has caught up.
    let slowest_put = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::Latency { phase: Phase::Ingest, summary, .. } => Some(summary.uncorrected.max_ms / 1000.0),
        _ => None,
    });
    let indexing = [Phase::Index, Phase::Compact, Phase::Clear].map(|phase| seconds(&[phase]));
    let index = indexing.into_iter().chain(slowest_put).fold(0.0, f64::max);
    let load = [Phase::Ingest, Phase::Index, Phase::Delete, Phase::Compact, Phase::Clear];
    Ok(Measured { peak: Bytes(peak as u64), index: span(index), load: span(seconds(&load)) })
}

/// Prints nothing: a calibration is short, and its results are printed when it is over.
struct Quiet;

impl Listener for Quiet {
    fn event(&self, _: &Event) {}
}
