//! `leaked_goroutines`: how many goroutines does the runtime itself prove can never run again, after the drain?

use soak_record::{EventKind, TaskGroup};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling, at_most};
use crate::human;
use crate::observed::Observed;

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 4: Goroutine Leaks”: close the channel or cancel the context that the named \
     stack waits for. Nothing that is reachable can wake it.";

/// Measures one variant. The collector's proof is exact: there is neither an interval nor a p-value.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let read = observed.events().rev().find_map(|event| match event {
        EventKind::LeakedTasks { total, groups } => Some((*total, groups)),
        _ => None,
    });
    match read {
        None => Evidence::absent("The profile of leaked goroutines could not be read after the drain."),
        Some((None, _)) => not_served(),
        Some((Some(total), groups)) => counted(total, groups, threshold),
    }
}

/// Most runtimes do not serve the profile yet, which says nothing of the target.
fn not_served() -> Evidence {
    let summary = "The target's runtime does not serve the goroutineleak profile (404).";
    let why = "Not judged: Go serves it from 1.27 on, and 1.26 when built with GOEXPERIMENT=goroutineleakprofile.";
    Evidence { rule: Box::new(move |_| Ruling::not_asked(why)), ..Evidence::absent(summary) }
}

fn counted(total: u64, groups: &[TaskGroup], threshold: Threshold) -> Evidence {
    let value = total as f64;
    let stack = groups.first().map_or_else(String::new, |group| {
        format!(" The most frequent stack, {} times: “{}”.", group.count, group.signature)
    });
    let noun = if total == 1 { "goroutine" } else { "goroutines" };
    Evidence {
        value: Some(value),
        interval: None,
        threshold: threshold.at_most,
        summary: format!("{total} {noun} can never run again, as the garbage collector proved after the drain.{stack}"),
        notes: Vec::new(),
        band: None,
        working: groups.iter().map(|group| format!("{} × {}", group.count, group.signature)).collect(),
        p: Vec::new(),
        rule: at_most(value, threshold, human::number, NEXT),
    }
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, VariantRecord};

    use super::*;
    use crate::evidence::Shared;
    use crate::outcome::Verdict;

    fn ruling(event: Option<EventKind>) -> (String, Ruling) {
        let plan = crate::simulation::plan();
        let events = event.into_iter().map(|kind| Event { at_s: 1.0, variant: None, kind });
        let record = VariantRecord {
            variant: plan.variants[0].clone(),
            events: events.collect(),
            series: [].into(),
            broken: Vec::new(),
        };
        let threshold = Threshold { at_most: Some(0.0), ..Threshold::default() };
        let evidence = measure(&Observed::new(&plan, &record), threshold);
        let shared = Shared { rejected: Vec::new(), alpha: 0.05, bands: Vec::new() };
        (evidence.summary, (evidence.rule)(&shared))
    }

    #[test]
    fn a_proved_leak_fails_with_its_stack_and_none_passes() {
        let group = TaskGroup { signature: "main.wait < main.start".to_owned(), count: 3, oldest_minutes: 0 };
        let leak = EventKind::LeakedTasks { total: Some(3), groups: vec![group] };
        let (summary, ruled) = ruling(Some(leak));
        assert_eq!(ruled.verdict, Verdict::Fail);
        assert!(summary.contains("3 goroutines") && summary.contains("“main.wait < main.start”"), "{summary}");
        let (_, ruled) = ruling(Some(EventKind::LeakedTasks { total: Some(0), groups: Vec::new() }));
        assert_eq!((ruled.verdict, ruled.asked), (Verdict::Pass, true));
    }

    #[test]
    fn a_runtime_that_cannot_tell_is_not_asked() {
        let (summary, ruled) = ruling(Some(EventKind::LeakedTasks { total: None, groups: Vec::new() }));
        assert!(!ruled.asked && summary.contains("404"), "{summary}");
        assert_eq!(ruling(None).1.verdict, Verdict::Inconclusive);
    }
}
