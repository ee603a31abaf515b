//! What a run kept: its dumps, and what its events and samples tell of the same questions.

use std::fmt::Write as _;
use std::path::Path;

use soak_diagnosis::{Artefact, Artefacts, Good, Missing, Subject, name};
use soak_engine::diagnosis::log_of_file;
use soak_record::{Event, EventKind, Run, VariantRecord, file};
use soak_scenario::{Launch, Profile};

use super::earlier::Earlier;
use crate::dumps::{PHASES, kept, last_and_idle};
use crate::failure::Failure;

/// Series of the control group's last moment.
const CGROUP: [&str; 6] = [
    "cgroup_limit_bytes",
    "cgroup_usage_bytes",
    "cgroup_working_set_bytes",
    "cgroup_file_bytes",
    "cgroup_anon_bytes",
    "cgroup_oom_kills_total",
];

/// A subject for each variant that ran.
pub(super) fn subjects(folder: &Path, baseline: Option<&Earlier>) -> Result<(Profile, String, Vec<Subject>), Failure> {
    let run = Run::open(folder).map_err(Failure::usage)?;
    let mut subjects = Vec::new();
    for (index, variant) in run.plan.variants.iter().enumerate() {
        let record = run.variant(index).map_err(Failure::usage)?;
        if record.events.is_empty() {
            continue;
        }
        let (last, idle) = last_and_idle(folder, &variant.id);
        let (mut now, phase) = last.unwrap_or_else(|| (none_kept(), "nothing"));
        let (before, before_is) = match (baseline, idle) {
            (Some(earlier), _) => (Some(earlier.artefacts.clone()), earlier.name.clone()),
            (None, Some((idle, words))) => (Some(idle), words.to_owned()),
            (None, None) => (None, String::new()),
        };
        now.0.extend(told(&run, index, &record, phase));
        subjects.push(Subject { name: variant.id.clone(), now, before, before_is });
    }
    if subjects.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no variant of this run began, so there is nothing to tell of",
            folder.display()
        )));
    }
    let title = format!("Diagnosis of the run {}", run.id);
    Ok((run.plan.target.profile, title, subjects))
}

/// What the first variant of a run kept, and in which phase.
pub(super) fn first_kept(folder: &Path) -> Result<Option<(Artefacts, &'static str)>, Failure> {
    let run = Run::open(folder).map_err(Failure::usage)?;
    let ids = run.plan.variants.iter().map(|variant| &variant.id);
    // A run that is compared with was good: its idle baseline is what a healthy target looks like at rest.
    let found = ids.flat_map(|id| PHASES.iter().rev().map(move |phase| (id, phase)));
    Ok(found.into_iter().find_map(|(id, (phase, words))| Some((kept(folder, id, phase)?, *words))))
}

/// The settings and the log of a run that was good.
pub(super) fn good(folder: &Path) -> Result<Good, Failure> {
    let run = Run::open(folder).map_err(Failure::usage)?;
    let log = log_of_file(&folder.join(file::ARTIFACTS).join("000-target.log"));
    let log = Artefacts(vec![log]).text(name::LOG).map(str::to_owned);
    let first = run.plan.variants.first().map(|variant| variant.id.clone());
    let events = run.events.iter().filter(|event| event.variant == first);
    Ok(Good { name: run.id.clone(), settings: settings(&run, events), log })
}

fn none_kept() -> Artefacts {
    let missing = Missing::new(
        "the run kept none: it did not come to its idle baseline, or an older soak made it",
        "run it again, or ask a running target with `soak diag --profile P --http ADDR --pid N`",
    );
    let names = [name::METRICS, name::TASKS, name::HEAP, name::STATUS, name::SMAPS];
    Artefacts(names.map(|name| Artefact::missing(name, "the run's artifacts", missing.clone())).to_vec())
}

/// What events and samples tell.
fn told(run: &Run, index: usize, record: &VariantRecord, phase: &str) -> Vec<Artefact> {
    let of_plan = file::PLAN;
    let host = run.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { host, .. } => Some(host.clone()),
        _ => None,
    });
    let settings = settings(run, record.events.iter());
    let settings: String = settings.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}={value}");
        text
    });
    let replicas = match &run.plan.target.launch {
        Launch::Container(container) => container.replicas,
        _ => 1,
    };
    let log = format!("{index:03}-target.log");
    let log = run.folder.join(file::ARTIFACTS).join(log);
    let no_cluster = Missing::new(
        "a run starts its targets on this machine, and no Kubernetes",
        "ask a deployed target with `soak diag --profile P --deployment NAME`",
    );
    let taken = Missing::new(
        "a run takes none, because it would disturb what it measures",
        "ask a running target with `soak diag --profile P --http ADDR`",
    );
    vec![
        Artefact::of(name::HOST, file::EVENTS, host.unwrap_or_default().as_bytes()),
        Artefact::of(name::SETTINGS, format!("{of_plan} and {}", file::EVENTS), settings.as_bytes()),
        Artefact::of(name::KUBERNETES_DEPLOYMENT, of_plan, format!("replicas: {replicas}\n").as_bytes()),
        Artefact::missing(name::KUBERNETES_VERSION, "kubectl", no_cluster.clone()),
        Artefact::missing(name::KUBERNETES_ROLLOUTS, "kubectl", no_cluster),
        Artefact::missing(name::CPU, "the run's artifacts", taken),
        Artefact::of(name::CGROUP, file::SAMPLES, cgroup(record).as_bytes()),
        Artefact::of(name::EVENTS, file::EVENTS, events(record, phase).as_bytes()),
        log_of_file(&log),
    ]
}

/// The last value of each.
fn cgroup(record: &VariantRecord) -> String {
    let mut text = String::new();
    for name in CGROUP {
        if let Some(value) = record.series.get(name).and_then(|series| series.values.last()) {
            let _ = writeln!(text, "{name} {value}");
        }
    }
    text
}

/// What was set, and what took effect.
fn settings<'a>(run: &Run, events: impl Iterator<Item = &'a Event>) -> Vec<(String, String)> {
    let mut settings = vec![("profile".to_owned(), run.plan.target.profile.name.clone())];
    settings.extend(
        run.plan
            .edits
            .iter()
            .filter_map(|edit| edit.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    for event in events {
        if let EventKind::Attested { knob, requested, effective, .. } = &event.kind {
            settings.push((knob.clone(), requested.clone()));
            settings.extend(effective.clone().map(|effective| (format!("{knob} (effective)"), effective)));
        }
    }
    settings
}

/// Compactions, deaths and kills, a line each.
fn events(record: &VariantRecord, phase: &str) -> String {
    let mut text = format!("Dumps are of {phase}.\n");
    for event in &record.events {
        let line = match &event.kind {
            EventKind::Compacted { cycle, seconds, error: None } => {
                format!("cycle {cycle}: compacted in {seconds:.2} s")
            }
            EventKind::Compacted { cycle, seconds, error: Some(error) } => {
                format!("cycle {cycle}: compaction failed after {seconds:.2} s: {error}")
            }
            EventKind::TargetDied { how, .. } => format!("the target died: {how}"),
            EventKind::Oom { victim, limit_bytes, .. } => format!(
                "killed for memory: {} at a limit of {limit_bytes:?} bytes",
                victim.as_deref().unwrap_or("unknown")
            ),
            EventKind::VariantEnded { outcome } => format!("ended: {outcome:?}"),
            _ => continue,
        };
        let _ = writeln!(text, "{:8.1} s  {line}", event.at_s);
    }
    text
}
