//! How a variant's record ends, and what was told of the end of its target.

use soak_record::{EventKind, OomScope, Outcome};

use crate::human;
use crate::observed::Observed;
use crate::outcome::FailureCause;

/// The forecast looks back this far.
const LOOK_BACK_S: f64 = 10.0;

/// How a variant's record ends.
pub(crate) enum Ending {
    Completed,
    /// The cause, and the reason for people.
    TargetFailed(FailureCause, String),
    /// The reason.
    PlatformFailed(String),
    /// It was interrupted, the record just stops, or a stop condition was met, which is told.
    Early(Option<String>),
}

impl Ending {
    /// The end of this record.
    pub(crate) fn of(observed: &Observed<'_>) -> Self {
        let outcome = observed.events().rev().find_map(|event| match event {
            EventKind::VariantEnded { outcome } => Some(outcome),
            _ => None,
        });
        let by_the_machine =
            observed.events().any(|event| matches!(event, EventKind::Oom { scope: OomScope::Host, .. }));
        match (outcome, death(observed)) {
            (Some(Outcome::PlatformFailed { reason }), _) => Self::PlatformFailed(reason.clone()),
            (_, Some(died)) if by_the_machine => Self::PlatformFailed(format!("The machine ran out of memory. {died}")),
            (Some(Outcome::TargetFailed { reason }), None) => Self::TargetFailed(cause(observed), reason.clone()),
            (_, Some(died)) => Self::TargetFailed(cause(observed), died),
            (Some(Outcome::Completed), None) => Self::Completed,
            (Some(Outcome::Stopped { reason }), None) => Self::Early(Some(reason.clone())),
            (Some(Outcome::Interrupted) | None, None) => Self::Early(None),
        }
    }
}

/// Why the target failed, by what was recorded of it.
fn cause(observed: &Observed<'_>) -> FailureCause {
    let recorded = |wanted: fn(&EventKind) -> bool| observed.events().any(wanted);
    if recorded(|event| matches!(event, EventKind::Oom { scope: OomScope::Target, .. })) {
        FailureCause::OutOfMemory
    } else if recorded(|event| matches!(event, EventKind::TargetDied { .. })) {
        FailureCause::Died
    } else if recorded(|event| matches!(event, EventKind::Unresponsive { recovered: false, .. })) {
        FailureCause::Unresponsive
    } else if recorded(|event| matches!(event, EventKind::PhaseOverdue { .. })) {
        FailureCause::Overdue
    } else {
        FailureCause::FailedStep
    }
}

/// What was told of the target's death, the kernel's words first.
fn death(observed: &Observed<'_>) -> Option<String> {
    let oom = observed.events().find(|event| matches!(event, EventKind::Oom { .. }));
    if let Some(EventKind::Oom { scope: OomScope::Target, limit_bytes, usage_bytes, victim, cgroup, phase, .. }) = oom {
        let bytes = |bytes: &Option<u64>| bytes.map(|bytes| human::bytes(bytes as f64));
        let limit = bytes(limit_bytes).map_or_else(String::new, |limit| format!(" of {limit}"));
        let charged = bytes(usage_bytes).map_or_else(String::new, |usage| format!(" with {usage} charged"));
        let during = phase.map_or_else(String::new, |phase| format!(" during {}", phase.words()));
        let victim = victim.as_deref().unwrap_or("the target");
        let group = cgroup.as_ref().map_or_else(String::new, |group| format!(" (cgroup {group})"));
        let forecast = forecast(observed).unwrap_or_default();
        return Some(format!(
            "The kernel killed {victim} for memory at the target's limit{limit}{charged}{during}{group}.{forecast}"
        ));
    }
    let (how, last_lines) = observed.events().find_map(|event| match event {
        EventKind::TargetDied { how, last_lines } => Some((how, last_lines)),
        _ => None,
    })?;
    let said = last_lines.last().map_or_else(String::new, |line| format!(" The last line it printed: {line}"));
    let memory = match oom {
        Some(EventKind::Oom { scope: OomScope::Child, victim, .. }) => {
            let victim = victim.as_deref().unwrap_or("one of them");
            format!(" Of its processes the kernel had killed {victim} for memory, not the main one.")
        }
        Some(EventKind::Oom { scope: OomScope::Unknown, evidence, .. }) => {
            format!(" Whether the kernel killed it for memory is unknown: {}.", evidence.join("; "))
        }
        _ => String::new(),
    };
    Some(format!("The target died: {how}.{memory}{said}"))
}

/// How the charge went towards the limit in the last seconds before the end.
fn forecast(observed: &Observed<'_>) -> Option<String> {
    // Of several replicas there is only the sum.
    if observed.plan.target.launch.replicas() > 1 {
        return None;
    }
    let usage = observed.series("cgroup_usage_bytes")?;
    let limit = *observed.series("cgroup_limit_bytes")?.values.last()?;
    let end_s = *usage.times_s.last()?;
    let (times, values) = usage.within(end_s - LOOK_BACK_S, end_s);
    let (first, last) = (*values.first()?, *values.last()?);
    let seconds = times.last()? - times.first()?;
    let rate = (last - first) / seconds;
    if seconds <= 0.0 || rate <= 0.0 {
        return None;
    }
    Some(format!(
        " In the last {} that were sampled the charge rose from {} to {}, by {}/s: at that rate the limit of {} was {} away.",
        human::seconds(seconds),
        human::bytes(first),
        human::bytes(last),
        human::bytes(rate),
        human::bytes(limit),
        human::seconds(((limit - last) / rate).max(0.0)),
    ))
}
