//! What was run, where and when: the facts that a reader needs to run it again.

use soak_record::{EventKind, Run};
use soak_scenario::Plan;
use soak_verdict::{RunVerdict, human};

use crate::wording::utc;

/// Which build was tested; several where it changed while the run went on.
fn builds(run: &Run) -> Option<String> {
    let builds = run.builds();
    (!builds.is_empty()).then(|| builds.join(", then "))
}

/// Names and values, in the order in which they are shown.
pub(crate) fn facts(run: &Run, verdict: &RunVerdict) -> Vec<(&'static str, String)> {
    let plan = &run.plan;
    let started = run.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { harness, unix_s, host, .. } => Some((harness.clone(), utc(*unix_s), host.clone())),
        _ => None,
    });
    let unknown = || "not recorded".to_owned();
    let (harness, start, host) = started.unwrap_or_else(|| (unknown(), unknown(), unknown()));
    let length = run.events.iter().map(|event| event.at_s).fold(0.0, f64::max);
    let mut facts = vec![
        ("Run", run.id.clone()),
        ("Scenario", format!("{} ({})", plan.scenario, plan.source)),
        ("Title", plan.title.clone()),
        ("Pace", plan.pace.name().to_owned()),
        ("Seed", plan.seed.to_string()),
        ("Target", target(plan)),
        ("Build", builds(run).unwrap_or_else(unknown)),
        ("Cycles", cycles(plan)),
        ("Variants", format!("{} of {} ran", verdict.variants.len(), plan.variants.len())),
        ("Complete", if verdict.complete { "yes" } else { "no" }.to_owned()),
        ("Start", start),
        ("Length", human::seconds(length)),
        ("Host", host),
        ("Harness", harness),
    ];
    if let Some(runbook) = &plan.runbook {
        facts.insert(3, ("Runbook", format!("{}, “{}”", runbook.runbook, runbook.section)));
    }
    if !plan.target.misbehave.is_healthy() {
        let settings = plan.target.misbehave.settings().into_iter().map(|(key, value)| format!("{key}={value}"));
        facts.push(("Told to misbehave", settings.collect::<Vec<_>>().join(" ")));
    }
    if !plan.fitted.is_empty() {
        let numbers: Vec<String> = plan.fitted.iter().map(human::fitted).collect();
        facts.push(("Fitted to the server", numbers.join(" · ")));
    }
    if !plan.edits.is_empty() {
        facts.push(("Edits", plan.edits.join(" · ")));
    }
    facts
}

fn cycles(plan: &Plan) -> String {
    let cycle = &plan.cycle;
    let more = if cycle.most() > cycle.count {
        format!(", up to {} while floors still fill", cycle.most())
    } else {
        String::new()
    };
    format!("{} a variant, {} of them warm-up{more}", cycle.count, cycle.warm_up)
}

fn target(plan: &Plan) -> String {
    format!("{}, profile {}", plan.target.launch, plan.target.profile.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn a_run_without_events_still_has_its_facts() {
        let mut run = synthetic::run();
        run.events.clear();
        let facts = facts(&run, &synthetic::verdict_of(&[]));
        assert!(facts.contains(&("Start", "not recorded".to_owned())));
        assert!(facts.contains(&("Seed", "7".to_owned())));
    }
}
