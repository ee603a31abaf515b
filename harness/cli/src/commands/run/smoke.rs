//! `soak run --smoke`: is everything wired up? A list of what answered, of one variant's record.

use serde::Serialize;
use soak_diagnosis::{Artefacts, name};
use soak_record::{EventKind, Outcome, Phase, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::human;

use crate::commands::Exit;
use crate::output::WIDTH;
use crate::table::wrapped;

/// What came of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It answers.
    Wired,
    /// The target does not have it, so that what needs it is not asked.
    Lacking,
    /// It was to answer, and did not: what needs it will be inconclusive.
    Silent,
    /// A run cannot go on without it.
    Broken,
}

/// One part of what a run stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) answer: Answer,
    /// What answered or did not, in a sentence.
    pub(super) told: String,
}

impl Part {
    fn new(name: &'static str, answer: Answer, told: impl Into<String>) -> Self {
        Self { name, answer, told: told.into() }
    }
}

/// Every part, in the order in which a run comes to it.
pub(super) fn parts(plan: &Plan, record: &VariantRecord, dumps: Option<&Artefacts>) -> Vec<Part> {
    let seen = Seen { plan, record };
    let mut parts = vec![seen.target(), seen.settings(), seen.memory(), seen.page(), seen.rows()];
    parts.extend(seen.searches());
    let endpoints = &plan.target.profile.endpoints;
    let dumped = [
        ("task dump", "tasks", endpoints.tasks.as_deref(), name::TASKS),
        ("heap profile", "heap_profile", endpoints.heap_profile.as_deref(), name::HEAP),
    ];
    parts.extend([seen.deletes(), seen.compaction()]);
    parts.extend(dumped.map(|(part, key, endpoint, file)| {
        let Some(endpoint) = endpoint else {
            return Part::new(part, Answer::Lacking, format!("the profile names none (endpoints.{key})."));
        };
        match dumps.and_then(|dumps| dumps.find(file)).map(|dump| &dump.got) {
            Some(Ok(_)) => Part::new(part, Answer::Wired, format!("{endpoint} was read.")),
            Some(Err(missing)) => Part::new(part, Answer::Silent, format!("{endpoint}: {}.", missing.why)),
            None => Part::new(part, Answer::Silent, format!("{endpoint} was never asked: the run did not come to it.")),
        }
    }));
    parts
}

/// A run that would only fail, or not be able to tell, is no pass.
pub(super) fn exit(parts: &[Part]) -> Exit {
    match parts.iter().map(|part| part.answer).max() {
        Some(Answer::Broken) => Exit::Fail,
        Some(Answer::Silent) => Exit::Inconclusive,
        _ => Exit::Pass,
    }
}

/// The list, for a person.
pub(super) fn table(parts: &[Part]) -> String {
    let mut out = String::from("\nWired up?\n");
    for Part { name, answer, told } in parts {
        let mark = match answer {
            Answer::Wired => '✓',
            Answer::Lacking => '·',
            Answer::Silent => '?',
            Answer::Broken => '✗',
        };
        out.push_str(&wrapped(&format!("{mark} {name}: {told}"), 2, WIDTH));
    }
    out.push_str(match exit(parts) {
        Exit::Pass => "Everything that this target has answers. How it behaves, a run without --smoke tells.\n",
        Exit::Inconclusive => {
            "What did not answer (?) leaves what needs it inconclusive: mend the profile, or the target.\n"
        }
        _ => "A run of this cannot pass: see what broke (✗), and the target's log in the run's artifacts.\n",
    });
    out
}

/// What became of operations that the scenario may ask for.
fn counted(name: &'static str, (good, failed): (u64, u64), asked: bool, told: String) -> Part {
    match (good, failed) {
        (0, 0) if asked => Part::new(name, Answer::Silent, "none was made: the run did not come to them."),
        (0, 0) => Part::new(name, Answer::Lacking, "the scenario asks for none."),
        (0, _) => Part::new(name, Answer::Broken, told),
        (_, 0) => Part::new(name, Answer::Wired, told),
        _ => Part::new(name, Answer::Silent, told),
    }
}

struct Seen<'a> {
    plan: &'a Plan,
    record: &'a VariantRecord,
}

impl<'a> Seen<'a> {
    fn events(&self) -> impl Iterator<Item = &'a EventKind> {
        self.record.events.iter().map(|event| &event.kind)
    }

    fn target(&self) -> Part {
        let ended = self.events().find_map(|event| match event {
            EventKind::VariantEnded { outcome } => Some(outcome),
            _ => None,
        });
        match ended {
            Some(Outcome::Completed) => {
                Part::new("target", Answer::Wired, "it started, went through every phase, and ended.")
            }
            Some(
                Outcome::TargetFailed { reason } | Outcome::PlatformFailed { reason } | Outcome::Stopped { reason },
            ) => Part::new("target", Answer::Broken, format!("{reason}.")),
            Some(Outcome::Interrupted) | None => {
                Part::new("target", Answer::Broken, "the run was ended before it was over.")
            }
        }
    }

    fn settings(&self) -> Part {
        let (mut held, mut not) = (0, Vec::new());
        for event in self.events() {
            match event {
                EventKind::Attested { holds: Some(true), .. } => held += 1,
                EventKind::Attested { knob, requested, effective, .. } => not.push(match effective {
                    Some(effective) => format!("{knob} is {effective}, {requested} was asked for"),
                    None => format!("{knob} cannot be read back"),
                }),
                _ => {}
            }
        }
        let answer = match (held, not.len()) {
            (0, 0) => {
                return Part::new("settings", Answer::Lacking, "no setting of the plan reaches it by its profile.");
            }
            (_, 0) => Answer::Wired,
            _ => Answer::Silent,
        };
        let more = if not.is_empty() { String::new() } else { format!("; {}", not.join("; ")) };
        Part::new(
            "settings",
            answer,
            format!("{held} of {} were read back as they were asked for{more}.", held + not.len()),
        )
    }

    fn has(&self, series: &str) -> bool {
        self.record.series.get(series).is_some_and(|series| !series.values.is_empty())
    }

    fn memory(&self) -> Part {
        let of_kernel = ["rss_anon_bytes", "rss_bytes", "cgroup_usage_bytes"];
        let read: Vec<&str> = of_kernel.into_iter().filter(|name| self.has(name)).collect();
        if self.has("rss_anon_bytes") {
            Part::new("memory by the kernel", Answer::Wired, format!("{} were read.", read.join(", ")))
        } else {
            Part::new(
                "memory by the kernel",
                Answer::Silent,
                "anonymous resident memory could not be read: is the process of this machine, and may it be looked at (soak doctor)?",
            )
        }
    }

    fn page(&self) -> Part {
        let profile = &self.plan.target.profile;
        let Some(endpoint) = &profile.endpoints.metrics else {
            return Part::new("metrics page", Answer::Lacking, "the profile names none (endpoints.metrics).");
        };
        let claimed = || profile.series.keys().chain(profile.json.keys());
        let missing: Vec<&str> = claimed().filter(|name| !self.has(name)).map(String::as_str).collect();
        let found = claimed().count() - missing.len();
        if missing.is_empty() {
            return Part::new(
                "metrics page",
                Answer::Wired,
                format!("{endpoint} has all {found} series that the profile names."),
            );
        }
        let all = missing.join(", ");
        Part::new(
            "metrics page",
            Answer::Silent,
            format!("{endpoint} has {found} of the series that the profile names, and not {all}."),
        )
    }

    fn rows(&self) -> Part {
        let (mut sent, mut acked, mut refused) = (0, 0, 0);
        for event in self.events() {
            if let EventKind::Ingested { rows, acked_rows, refused_rows, .. } = event {
                (sent, acked, refused) = (sent + rows, acked + acked_rows, refused + refused_rows);
            }
        }
        let told = format!("{acked} of {sent} were acknowledged, {refused} refused.");
        Part::new("rows", if sent > 0 && acked == sent { Answer::Wired } else { Answer::Broken }, told)
    }

    fn searches(&self) -> Vec<Part> {
        let (mut done, mut errors) = (0, 0);
        for event in self.events() {
            if let EventKind::Latency { phase: Phase::Query, operation, summary, .. } = event
                && operation == "search"
            {
                (done, errors) = (done + summary.count, errors + summary.errors);
            }
        }
        let told = format!("{done} were answered, {errors} failed.");
        let mut parts = vec![counted("searches", (done, errors), self.plan.workload.query.mix.search > 0, told)];
        if let Some(recall) = self.events().find_map(|event| match event {
            EventKind::Recall { recall, .. } => Some(*recall),
            _ => None,
        }) {
            let answer = if recall > 0.0 { Answer::Wired } else { Answer::Silent };
            parts.push(Part::new(
                "neighbours",
                answer,
                format!("{} of the nearest were found.", human::percent(recall)),
            ));
        }
        parts
    }

    fn deletes(&self) -> Part {
        let told = self.events().filter_map(|event| match event {
            EventKind::Deleted { rows, failed, .. } => Some((*rows, *failed)),
            _ => None,
        });
        let (rows, failed) = told.fold((0, 0), |(rows, failed), (r, f)| (rows + r, failed + f));
        let workload = &self.plan.workload;
        let asked = workload.delete.0 > 0.0 || workload.query.mix.delete > 0;
        counted("deletes", (rows, failed), asked, format!("{rows} rows were deleted, {failed} deletes failed."))
    }

    fn compaction(&self) -> Part {
        let mut answers = self.events().filter_map(|event| match event {
            EventKind::Compacted { error, seconds, .. } => Some((error.as_deref(), *seconds)),
            _ => None,
        });
        match answers.next() {
            None => {
                let why = self.plan.not_applicable("compaction_time");
                let why = why.unwrap_or_else(|| "none took place, and no matrix.compaction_interval is set".to_owned());
                Part::new("compaction", Answer::Lacking, format!("{why}."))
            }
            Some((Some(error), _)) => Part::new("compaction", Answer::Silent, format!("{error}.")),
            Some((None, seconds)) => {
                Part::new("compaction", Answer::Wired, format!("done in {}.", human::seconds(seconds)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answers: &[Answer]) -> Exit {
        exit(&answers.iter().map(|answer| Part::new("x", *answer, "y.")).collect::<Vec<_>>())
    }

    #[test]
    fn the_worst_part_is_the_answer() {
        use Answer::{Broken, Lacking, Silent, Wired};
        assert_eq!(of(&[Wired, Lacking]), Exit::Pass);
        assert_eq!(of(&[Silent, Wired]), Exit::Inconclusive);
        assert_eq!(of(&[Silent, Broken, Wired]), Exit::Fail);
    }
}
