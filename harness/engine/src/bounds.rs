//! The longest that each phase may take, as it follows from the plan. A phase that is not over by then ends its variant, so that no run takes longer than their sum.

use std::time::Duration;

use soak_record::Phase;
use soak_scenario::{Fault, Plan, Schedule, Variant};
use soak_workload::Starts;

use crate::conductor;
use crate::machine::{Command, Input, Machine, Step};
use crate::rest;

/// From the request to start a target until it runs. Fetching or building its image comes before.
pub(crate) const START: Duration = Duration::from_secs(90);

/// Healing, the last dumps, and the end of the target.
const STOP: Duration = Duration::from_secs(120);

/// What a phase does besides that which has a deadline of its own.
const ROOM: Duration = Duration::from_secs(10);

/// Calls that a phase makes besides its load, at most: settings, the page, task dumps, profiles.
const CALLS: u32 = 8;

/// The longest that a run of this plan may take: every variant, and every phase at its bound. The calibration before it is included.
pub fn longest(plan: &Plan) -> Duration {
    let variants: Duration = plan.variants.iter().map(|variant| of_variant(plan, variant)).sum();
    match plan.calibrations_at_most() {
        0 => variants,
        times => variants.saturating_add(times * longest(&plan.calibration_run())),
    }
}

fn of_variant(plan: &Plan, variant: &Variant) -> Duration {
    let mut machine = Machine::new(&plan.cycle);
    machine.add_cycles(plan.cycle.most() - plan.cycle.count);
    let mut longest = Duration::ZERO;
    while let Command::Do(step) = machine.next(Input::Done) {
        longest = longest.saturating_add(of_phase(plan, variant, step));
    }
    let timed: Duration = plan.due_at(variant).into_iter().map(|(_, fault, _)| of_fault(fault)).sum();
    let longest = longest.saturating_add(timed);
    plan.stop.after.map_or(longest, |after| longest.min(after.0 + STOP))
}

/// The longest that a phase may take, faults that have a time of their own left out.
fn of_phase(plan: &Plan, variant: &Variant, step: Step) -> Duration {
    let deadlines = &plan.deadlines;
    let (call, index, phase) = (deadlines.call.0, deadlines.index.0, deadlines.phase.0);
    let faults = step.cycle.and_then(|cycle| Some((cycle, conductor::with_load(step.phase)?)));
    let faults: Duration = faults.map_or(Duration::ZERO, |(cycle, phase)| {
        let due = plan.due(variant, cycle).into_iter().filter(|due| due.phase == phase);
        due.map(|due| due.after.0.saturating_add(of_fault(due.fault))).sum()
    });
    let window = |length: Duration| rest::longest_window(step.phase, length);
    let work = match step.phase {
        Phase::Boot => START + deadlines.boot.0,
        Phase::Attest => Duration::ZERO,
        Phase::ColdIdle => window(plan.cycle.cold_idle.0),
        Phase::Ingest => scheduled(plan, variant) + phase,
        Phase::Index | Phase::Compact => index,
        // A query phase is repeated until its faults are over, and checks the rows after them.
        Phase::Query => 2 * plan.workload.query.duration.0 + phase + 2 * index,
        Phase::Delete => phase,
        Phase::Clear => phase + 3 * index,
        Phase::BeforeCompact | Phase::AfterCompact | Phase::Settle => {
            plan.cycle.settle_at_most.0 + window(plan.cycle.window.0)
        }
        Phase::Idle => window(plan.cycle.idle.0),
        Phase::Drain => plan.cycle.drain_at_most.0 + window(plan.cycle.idle.0),
        Phase::Stop => STOP,
    };
    let calls = if step.phase == Phase::Stop { Duration::ZERO } else { CALLS * call + ROOM };
    work.saturating_add(calls).saturating_add(faults)
}

/// The bound of a phase, with the faults that may fall into it at a time of their own.
pub(crate) fn of_step(plan: &Plan, variant: &Variant, step: Step) -> Duration {
    let timed = plan.due_at(variant).into_iter().map(|(_, fault, _)| of_fault(fault));
    of_phase(plan, variant, step).saturating_add(timed.sum())
}

/// From the injection of a fault until its way back is over.
fn of_fault(fault: &Fault) -> Duration {
    let asked = conductor::LONGEST_BESIDE_ITS_HOLD;
    fault.hold.0.saturating_add(fault.watch.0).saturating_add(asked)
}

/// The length of an ingest that goes by a schedule.
fn scheduled(plan: &Plan, variant: &Variant) -> Duration {
    let rows = plan.workload.rows_per_cycle(variant.knobs.dim) as f64 * (1.0 + plan.workload.ingest.upserts.0);
    let batches = (rows / f64::from(variant.knobs.batch_rows.max(1))).ceil() as u64 + 1;
    match plan.workload.ingest.schedule {
        Schedule::All => Duration::ZERO,
        schedule => Starts::covering(schedule, batches).last().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::{Pace, Request, builtin_scenarios, load};

    fn plan(scenario: &str, edits: &[&str]) -> Plan {
        let edits: Vec<String> = edits.iter().map(|edit| (*edit).to_owned()).collect();
        load(&Request { scenario, edits: &edits, ..Request::default() }).unwrap().plan
    }

    #[test]
    fn every_built_in_scenario_has_a_bound_of_hours_and_not_of_weeks() {
        for scenario in builtin_scenarios() {
            for pace in [Pace::Quick, Pace::Gate] {
                let request = Request { scenario: scenario.name, pace: Some(pace), ..Request::default() };
                let plan = load(&request).unwrap().plan;
                let hours = longest(&plan).as_secs_f64() / 3600.0 / plan.variants.len() as f64;
                assert!((0.01..24.0).contains(&hours), "{} at {pace:?}: {hours:.1} h a variant", scenario.name);
            }
        }
    }

    #[test]
    fn more_cycles_faults_and_slower_schedules_take_longer() {
        // A variant may take as long as its phases.
        let longest = |edit: &str| longest(&plan("scenario1", &["stop.after=1000h", edit]));
        let base = longest("cycle.count=8");
        assert!(longest("cycle.at_most=20") > base);
        assert!(longest(r#"workload.ingest.schedule={constant="1/s"}"#) > base);
        assert!(longest(r#"faults.pause={inject="pause",hold="30s"}"#) > base);
        let once = longest("calibration.index_times=10");
        assert!(once > base);
        let peak = [r#"matrix.memory_limit=["200% of peak"]"#, "calibration.cycle_at_most=1s", "stop.after=1000h"];
        let twice = super::longest(&plan("scenario1", &peak));
        assert!(twice > once, "with fewer rows the peak is measured again");
    }

    #[test]
    fn a_limit_of_the_scenario_bounds_the_variant() {
        let plan = plan("scenario1", &["stop.after=1min"]);
        assert_eq!(longest(&plan), (Duration::from_secs(60) + STOP) * plan.variants.len() as u32);
    }
}
