//! What the runbooks advise in each case, and how that is expressed for one profile: with its endpoints, variables and names, and with a run's own numbers.

mod table;
mod trial;
mod words;

use serde::{Deserialize, Serialize};

pub use self::table::REMEDIES;
use super::Case;
use crate::plan::{Plan, Variant};

/// Something that a runbook advises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remedy {
    /// Its name here, which is also that of its trial's folder.
    pub name: &'static str,
    /// The cases that it is for, in which the runbook has it, or a first response to any of them.
    pub cases: &'static [Case],
    /// The heading under which it stands, to the letter.
    pub section: &'static str,
    /// What stands there, to the letter.
    pub written: &'static str,
    /// How it is done.
    pub means: Means,
}

/// How a remedy is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Means {
    /// A setting of the matrix, by its key, and its value as a scenario writes it.
    Knob(Knob),
    /// Settings of the target's file of settings, by dotted path.
    Settings(&'static [(&'static str, &'static str)]),
    /// How ready the kernel is to kill it.
    OomScore(i32),
    /// A variable that the target reads, by the end of its name, and its value.
    Variable {
        /// The end of its name, such as `COMPACTION_ENABLED`.
        ending: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// The target is asked at an endpoint of the profile, in every cycle.
    Ask(Ask),
    /// The target is ended in good order and started again, in every cycle.
    Restart,
    /// The memory limit is set to what the run says is enough.
    Limit,
    /// Ingestion stops.
    StopLoad,
    /// Lines for a person, in which `{http}`, `{unit}`, `{config}` and `{process}` are filled in; and why the harness does not do it.
    Print {
        /// What to type.
        lines: &'static str,
        /// Why the harness does not.
        why: &'static str,
    },
}

/// A setting that a remedy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// At most so many rows a batch.
    BatchRows(u32),
    /// GOGC in percent.
    Gogc(u32),
    /// The target compacts by itself after so many seconds.
    CompactionInterval(u32),
    /// At most so many neighbours of a node.
    HnswM(u32),
}

/// What a target may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To give retired memory back.
    Vacuum,
    /// To compact a dataset.
    Compact,
    /// To compact every dataset.
    CompactAll,
    /// To empty its caches.
    ClearCache,
}

/// What a run saw that remedies are filled in with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seen {
    /// The most memory that counts against a limit, in bytes; absent where it was not read.
    pub peak_bytes: Option<f64>,
}

/// A remedy as somebody on call would apply it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The remedy's name.
    pub remedy: String,
    /// The heading under which it stands.
    pub section: String,
    /// What stands there.
    pub written: String,
    /// Commands and settings for this profile, ready to be copied. Several lines are one.
    pub commands: Vec<String>,
    /// What of it the profile lacks, or why it is left to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// Whether `--try-remedies` applies it to this variant.
    pub tried: bool,
}

/// The remedies for a case, in the order of the runbook.
pub fn remedies(case: Case) -> impl Iterator<Item = &'static Remedy> {
    REMEDIES.iter().filter(move |remedy| remedy.cases.contains(&case))
}

/// The remedy of this name.
pub fn remedy(name: &str) -> Option<&'static Remedy> {
    REMEDIES.iter().find(|remedy| remedy.name == name)
}

/// What the runbook advises in this case, for this plan's target and this variant.
pub fn advice(case: Case, plan: &Plan, variant: &Variant, seen: Seen) -> Vec<Advice> {
    remedies(case).map(|remedy| remedy.advice(plan, variant, seen)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::steps;
    use crate::{Injection, Pace, Request, load};

    fn plan() -> Plan {
        let request = Request { scenario: "scenario2", pace: Some(Pace::Quick), ..Request::default() };
        load(&request).unwrap().plan
    }

    const SEEN: Seen = Seen { peak_bytes: Some(700.0 * 1_048_576.0) };

    #[test]
    fn every_remedy_is_a_step_of_its_runbook_and_every_case_has_some() {
        for remedy in REMEDIES {
            let is_step = |step: &crate::runbook::Step| {
                step.section == remedy.section
                    && step.runbook == remedy.cases[0].runbook()
                    && remedy.written.lines().all(|line| step.written.contains(line))
            };
            assert!(steps().any(is_step), "{} is nowhere in the catalogue", remedy.name);
            assert_eq!(REMEDIES.iter().filter(|other| other.name == remedy.name).count(), 1, "{}", remedy.name);
        }
        for case in Case::ALL {
            assert!(remedies(case).count() >= 2, "{case:?}");
        }
    }

    #[test]
    fn commands_are_the_profiles_and_the_numbers_the_runs() {
        let plan = plan();
        let advice = advice(Case::Spikes, &plan, &plan.variants[1], SEEN);
        let of = |name: &str| advice.iter().find(|one| one.remedy == name).unwrap();
        assert!(of("batch_500").commands.iter().any(|line| line.contains("--set 'matrix.batch_rows=[500]'")));
        let interval = of("compaction_interval_30s");
        assert!(interval.commands.iter().any(|line| line.contains("LONGBOW_COMPACTION_INTERVAL=30s")), "{interval:?}");
        // One and a half times 700 MiB, rounded up.
        let limit = of("raise_limit").commands.join("\n");
        assert!(limit.contains("kubectl patch deployment/reference") && limit.contains("1088Mi"), "{limit}");
        // It is so already.
        let m = of("hnsw_m_32");
        assert!(!m.tried && m.lacks.as_deref().unwrap().contains("already"), "{m:?}");
        assert!(of("batch_500").tried);
    }

    #[test]
    fn what_a_profile_lacks_is_said() {
        let mut plan = plan();
        plan.target.profile.endpoints.vacuum = None;
        plan.target.profile.launch.env.remove("LONGBOW_COMPACTION_THRESHOLD");
        let advice = advice(Case::Growth, &plan, &plan.variants[0], SEEN);
        let of = |name: &str| advice.iter().find(|one| one.remedy == name).unwrap();
        assert!(of("vacuum").lacks.as_deref().unwrap().contains("endpoints.vacuum"), "{:?}", of("vacuum"));
        assert!(!of("vacuum").tried);
        assert!(of("compaction_threshold").lacks.as_deref().unwrap().contains("COMPACTION_THRESHOLD"));
    }

    #[test]
    fn a_trial_changes_one_thing_and_keeps_the_rest() {
        let plan = plan();
        let variant = &plan.variants[1];
        let trial = remedy("batch_500").unwrap().trial(&plan, variant, SEEN).unwrap();
        assert_eq!((trial.variants.len(), trial.variants[0].knobs.batch_rows), (1, 500));
        assert_eq!((trial.seed, trial.variants[0].seed, &trial.target), (plan.seed, variant.seed, &plan.target));
        assert!(trial.edits.contains(&"matrix.batch_rows=[500]".to_owned()), "{:?}", trial.edits);
        let trial = remedy("restart").unwrap().trial(&plan, variant, SEEN).unwrap();
        assert_eq!(trial.faults.values().next().unwrap().inject, Injection::Restart);
        assert!(remedy("drop_caches").unwrap().trial(&plan, variant, SEEN).is_err());
        let settings = remedy("guts_cache_size").unwrap();
        assert!(settings.trial(&plan, variant, SEEN).unwrap_err().contains("settings_args"));
        let limit = remedy("raise_limit").unwrap().trial(&plan, variant, SEEN).unwrap_err();
        assert!(limit.contains("no limit"), "{limit}");
    }

    #[test]
    fn a_remedy_of_the_nodes_changes_its_file_of_settings_or_how_it_is_spared() {
        let request = Request { scenario: "guts-growth", pace: Some(Pace::Quick), ..Request::default() };
        let mut plan = load(&request).unwrap().plan;
        let trial = |plan: &Plan, name: &str| remedy(name).unwrap().trial(plan, &plan.variants[0], SEEN);
        let changed = trial(&plan, "guts_connections").unwrap().target;
        assert_eq!(changed.profile.launch.settings["api.max_connections"], "1000");
        assert_eq!(changed.profile.launch.settings["p2p.max_peers"], "25");
        assert!(changed.durable, "the file needs a folder");
        assert_eq!(trial(&plan, "guts_oom_score").unwrap().target.oom_score_adj, Some(-500));
        assert!(trial(&plan, "guts_cache_clear").unwrap_err().contains("endpoints.clear_cache"));
        plan.target = changed;
        assert!(trial(&plan, "guts_connections").unwrap_err().contains("already"));
        let advice = advice(Case::GutsLeak, &plan, &plan.variants[0], SEEN);
        let of = |name: &str| advice.iter().find(|one| one.remedy == name).unwrap().commands.join("\n");
        assert!(
            of("guts_cache_size").contains("storage:\n  cache:\n    max_size: 134217728\n"),
            "{}",
            of("guts_cache_size")
        );
        assert_eq!(of("guts_cache_clear"), "guts-node cache clear");
    }
}
