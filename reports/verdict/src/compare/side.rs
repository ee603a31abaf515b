//! The two sides of a comparison: who they are, whether they can be set beside each other, and what a reader should know of how they differ.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use soak_scenario::Plan;

use super::unlike::{Unlike, builds, experiment, machines};
use super::{Incomparable, Settings};
use crate::digest::{Digest, VariantDigest};
use crate::human;
use crate::outcome::Verdict;

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What was started, as `--target` takes it.
    pub target: String,
    /// How it was talked to.
    pub profile: String,
    /// Version of the harness, and so of the embedded target.
    pub harness: String,
    /// The machine.
    pub host: String,
    /// Which builds its runs are of, each once, where that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<String>,
    /// Its runs, in the order in which they were given.
    pub runs: Vec<SideRun>,
}

/// A run of a side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideRun {
    /// Its id.
    pub run: String,
    /// Start, seconds since the Unix epoch.
    pub unix_s: u64,
    /// Its verdict by the scenario's own thresholds.
    pub verdict: Verdict,
}

impl Side {
    /// Of its runs.
    pub(super) fn of(runs: &[Digest]) -> Self {
        let first = runs.first();
        let text = |of: fn(&Digest) -> String| first.map(of).unwrap_or_default();
        Self {
            target: text(|run| run.plan.target.launch.to_string()),
            profile: text(|run| run.plan.target.profile.name.clone()),
            harness: text(|run| run.harness.clone()),
            host: text(|run| run.host.clone()),
            builds: builds_of(runs).into_iter().map(str::to_owned).collect(),
            runs: runs
                .iter()
                .map(|run| SideRun { run: run.run.clone(), unix_s: run.unix_s, verdict: run.verdict })
                .collect(),
        }
    }
}

/// Refuses what cannot be compared, every reason at once. Else: why times cannot be, and the variants that both sides have.
pub(super) fn check(
    base: &[Digest],
    candidate: &[Digest],
    settings: &Settings,
) -> Result<(Option<String>, Vec<String>), Incomparable> {
    let (Some(first), Some(other)) = (base.first(), candidate.first()) else {
        return Err(Incomparable(vec!["there is nothing to compare: each side needs a run".to_owned()]));
    };
    let mut lines = twice(base, candidate);
    for side in [base, candidate] {
        lines.extend(unlike_within(side));
    }
    let names = [format!("base {}", first.run), format!("candidate {}", other.run)];
    let names = names.each_ref().map(String::as_str);
    lines.extend(experiment(&first.plan, &other.plan).iter().map(|one| one.words(names)));
    if settings.paired && base.len() != candidate.len() {
        let (left, right) = (human::plural(base.len(), "run"), human::plural(candidate.len(), "run"));
        lines.push(format!(
            "runs that took turns come in pairs: there are {left} of the base and {right} of the candidate"
        ));
    }
    let (unlike, _) = machines(first, other);
    let other_machine = unlike.first().map(|one| one.words(names));
    if !settings.across_machines {
        lines.extend(unlike.iter().map(|one| one.words(names)));
    }
    let variants = in_both(&first.plan, &other.plan);
    if lines.is_empty() {
        lines.extend(nothing_in_both(&first.plan, &other.plan, names));
    }
    if lines.is_empty() {
        Ok((other_machine.map(|why| format!("The machines differ ({why}).")), variants))
    } else {
        Err(Incomparable(lines))
    }
}

/// The builds that these runs are of, each once, in the order of the runs; nothing of runs that do not tell.
pub fn builds_of(runs: &[Digest]) -> Vec<&str> {
    let mut builds = Vec::new();
    for build in runs.iter().filter_map(|run| run.build.as_deref()) {
        if !builds.contains(&build) {
            builds.push(build);
        }
    }
    builds
}

/// Builds as people are told of them.
pub(super) fn in_words(builds: &[&str]) -> String {
    builds.iter().map(|build| human::build(build)).collect::<Vec<_>>().join(", ")
}

/// Whether all runs are of one build, or the base of several; nothing where that was not recorded.
fn of_builds(sides: [&[Digest]; 2]) -> Option<String> {
    // A variant of another build is among the departures.
    let of_one = |run: &Digest| run.build.is_some() && run.variants.iter().all(VariantDigest::is_as_planned);
    let all_tell = sides.iter().all(|side| side.iter().all(of_one));
    match sides.map(builds_of) {
        [base, candidate] if all_tell && base.len() == 1 && base == candidate => {
            Some(format!("Both sides are one build, {}.", in_words(&base)))
        }
        [base, _] if base.len() > 1 => Some(format!(
            "The base is of several builds, {}: the candidate is held against what they have in common, and how they differ is taken for chance.",
            in_words(&base)
        )),
        _ => None,
    }
}

/// Variants that a run plans and the comparison does not have.
fn alone<'a>(run: &'a Digest, variants: &[String]) -> Vec<&'a str> {
    let ids = run.plan.judged().map(|variant| variant.id.as_str());
    ids.filter(|id| !variants.iter().any(|one| one == id)).collect()
}

/// Variants that only one of these runs plans, each once.
pub(super) fn left_out(runs: [&Digest; 2], variants: &[String]) -> Vec<String> {
    let all: BTreeSet<&str> = runs.into_iter().flat_map(|run| alone(run, variants)).collect();
    all.into_iter().map(str::to_owned).collect()
}

/// What a reader should know: how the builds differ, the kernels, what was left out, and what one run a side cannot show.
pub(super) fn notes(sides: [&[Digest]; 2], variants: &[String], settings: &Settings) -> Vec<String> {
    let [Some(base), Some(candidate)] = sides.map(<[Digest]>::first) else { return Vec::new() };
    let names = ["the base", "the candidate"];
    let mut notes: Vec<String> = builds(base, candidate).iter().map(|one| format!("{}.", one.words(names))).collect();
    notes.extend(of_builds(sides));
    let (unlike, kernel) = machines(base, candidate);
    if settings.across_machines && !unlike.is_empty() {
        let words: Vec<String> = unlike.iter().map(|one| one.words(names)).collect();
        notes.push(format!("The machines differ, so that times are not compared: {}.", words.join("; ")));
    }
    notes.extend(kernel.map(|kernel| format!("{}.", kernel.words(names))));
    for (name, run) in [("base", base), ("candidate", candidate)] {
        let alone = alone(run, variants);
        if !alone.is_empty() {
            notes.push(format!("Only the {name} has {}, which is not compared.", alone.join(", ")));
        }
    }
    if sides.iter().all(|side| side.len() == 1) {
        notes.push(
            "One run a side: what two processes of one build differ by is allowed for as it was measured of other stores. Several runs a side, or turns, measure it."
                .to_owned(),
        );
    }
    notes
}

/// Ids of the variants that two plans have in common.
fn in_both(left: &Plan, right: &Plan) -> Vec<String> {
    let both = left.judged().filter(|variant| right.judged().any(|other| other.id == variant.id));
    both.map(|variant| variant.id.clone()).collect()
}

fn nothing_in_both(left: &Plan, right: &Plan, names: [&str; 2]) -> Option<String> {
    let ids = |plan: &Plan| plan.judged().map(|variant| variant.id.as_str()).collect::<Vec<_>>().join(", ");
    in_both(left, right)
        .is_empty()
        .then(|| format!("no variant is in both: {} has {}; {} has {}", names[0], ids(left), names[1], ids(right)))
}

/// Why runs of these plans could not be compared, before anything is run; nothing where they can.
pub fn unlike_plans(base: &Plan, candidate: &Plan) -> Vec<String> {
    let names = ["the base", "the candidate"];
    let lines = experiment(base, candidate).iter().map(|one| one.words(names)).collect::<Vec<_>>();
    if lines.is_empty() { nothing_in_both(base, candidate, names).into_iter().collect() } else { lines }
}

/// A run that is there twice is no second witness.
fn twice(base: &[Digest], candidate: &[Digest]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for run in base.iter().chain(candidate) {
        if !seen.insert((&run.run, run.unix_s)) {
            lines.push(format!("{} is given twice: a run compared with itself says nothing", run.run));
        }
    }
    lines
}

/// Runs of one side have to be the same experiment on the same build.
pub(super) fn unlike_within(side: &[Digest]) -> Vec<String> {
    let Some(first) = side.first() else { return Vec::new() };
    let mut lines = Vec::new();
    for run in &side[1..] {
        let mut found = experiment(&first.plan, &run.plan);
        found.extend(builds(first, run));
        found.extend(machines(first, run).0);
        let (left, right) = (&first.plan.target.launch, &run.plan.target.launch);
        if left != right {
            found.push(Unlike { what: "target".to_owned(), left: left.to_string(), right: right.to_string() });
        }
        lines.extend(found.iter().map(|one| format!("{} (runs of one side)", one.words([&first.run, &run.run]))));
    }
    lines
}

/// Whether two runs are the same experiment on the same machine, whatever was tested.
pub(crate) fn alike(left: &Digest, right: &Digest) -> bool {
    experiment(&left.plan, &right.plan).is_empty() && machines(left, right).0.is_empty()
}

/// Why these runs cannot be one side of a comparison, or one baseline; nothing where they can.
pub fn unlike(runs: &[Digest]) -> Vec<String> {
    let mut lines = twice(runs, &[]);
    lines.extend(unlike_within(runs));
    lines
}
