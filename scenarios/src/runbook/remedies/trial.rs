//! Trials: the plan of a failed variant, run again with one remedy and with nothing else changed.

use std::collections::BTreeMap;

use super::{Ask, Means, Remedy, Seen, words};
use crate::fault::{Fault, FaultPhase, Injection};
use crate::launch::Launch;
use crate::plan::{Chaos, Plan, Variant};
use crate::units::{Limit, Span};

/// Under this name a remedy's own action stands among the faults of its trial.
const ACTION: &str = "remedy";

impl Plan {
    /// The plan of one variant alone, without a control: the data, the load, the faults and the misbehaviour are those of the plan.
    #[must_use]
    pub fn of_one(&self, variant: &Variant) -> Self {
        Self {
            variants: vec![variant.clone()],
            no_control: Some("it is one variant, run again".to_owned()),
            ..self.clone()
        }
    }
}

impl Remedy {
    /// The plan of this variant with the remedy, or why there is none.
    ///
    /// # Errors
    ///
    /// In a clause: what the profile lacks, what is so already, or why it is left to a person.
    pub fn trial(&self, plan: &Plan, variant: &Variant, seen: Seen) -> Result<Plan, String> {
        let mut trial = plan.of_one(variant);
        let attached = matches!(plan.target.launch, Launch::Attach(_));
        let set = |plan: &mut Plan, knobs, edit: String| {
            plan.variants[0].knobs = knobs;
            plan.edits.push(edit);
        };
        match self.means {
            Means::Knob(_) | Means::Variable { .. } | Means::Settings(_) | Means::OomScore(_) | Means::Restart
                if attached =>
            {
                return Err("what runs already keeps its settings, and is never restarted".to_owned());
            }
            Means::Knob(knob) => {
                let now = variant.knobs.settings();
                let now = now.iter().find(|(key, _)| *key == knob.key()).map_or("", |(_, text)| text.as_str());
                let applied = knob.applied(&variant.knobs);
                let knobs = applied.ok_or_else(|| format!("{} is {now} already", knob.key()))?;
                set(&mut trial, knobs, knob.edit());
            }
            Means::Variable { ending, value } => {
                let name = words::variable(&plan.target.profile, ending);
                let name = name.ok_or_else(|| format!("the profile names no variable …{ending}"))?.to_owned();
                trial.target.profile.launch.env.insert(name, value.to_owned());
            }
            Means::Settings(settings) => {
                let launch = &mut trial.target.profile.launch;
                if launch.settings_args.is_empty() {
                    return Err(
                        "the profile does not say how a file of settings is named (launch.settings_args)".to_owned()
                    );
                }
                if matches!(plan.target.launch, Launch::Container(_)) {
                    return Err("a file of settings is given to a process, and this is a container".to_owned());
                }
                launch.settings.extend(settings.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())));
                if *launch == plan.target.profile.launch {
                    return Err("its file of settings has it so already".to_owned());
                }
                // The file stands in the folder of its data.
                trial.target.durable = true;
            }
            Means::OomScore(_) if matches!(plan.target.launch, Launch::Container(_)) => {
                return Err("it is set of a process of this machine, and this is a container".to_owned());
            }
            Means::OomScore(score) => trial.target.oom_score_adj = Some(score),
            Means::Ask(ask) => {
                ask.endpoint(&plan.target.profile)
                    .ok_or_else(|| format!("the profile has no endpoints.{}", ask.name()))?;
                act(&mut trial, ask.injection(plan)?)?;
            }
            Means::Restart => {
                act(&mut trial, Injection::Restart)?;
                // Without its data it would be another target afterwards.
                trial.target.durable |= keeps_data(plan);
            }
            Means::Limit if attached => return Err("what runs already is never limited".to_owned()),
            Means::Limit => {
                if variant.knobs.memory_limit == Limit::Off {
                    return Err("this variant runs under no limit that could be raised".to_owned());
                }
                let limit = words::limit(seen).ok_or("the run read no memory to size a limit by")?;
                let knobs = words::raised(&variant.knobs, limit)?;
                set(&mut trial, knobs, format!("matrix.memory_limit=[\"{limit}\"]"));
            }
            Means::StopLoad => return Err("without load there is nothing to measure".to_owned()),
            Means::Print { why, .. } => return Err(why.to_owned()),
        }
        Ok(trial)
    }
}

impl Ask {
    fn injection(self, plan: &Plan) -> Result<Injection, String> {
        match self {
            Self::Vacuum => Ok(Injection::Vacuum),
            Self::ClearCache => Ok(Injection::ClearCache),
            Self::Compact => Ok(Injection::ForceCompaction),
            Self::CompactAll if plan.target.profile.endpoints.compact.is_none() => Ok(Injection::ForceCompaction),
            Self::CompactAll => Err("a run has one dataset, so that it is the same as `compact`".to_owned()),
        }
    }
}

/// Adds the action to every counted cycle, as its compaction begins: the data is complete then, and what is measured of the cycle is yet to come.
fn act(plan: &mut Plan, inject: Injection) -> Result<(), String> {
    let launch = &plan.target.launch;
    if launch.replicas() > 1 {
        return Err("several replicas cannot be asked at the right moment of each".to_owned());
    }
    if matches!(launch, Launch::Attach(_)) && !plan.target.permit_faults {
        return Err("the scenario does not permit it to touch what runs already (target.permit_faults)".to_owned());
    }
    if !plan.faults.is_empty() {
        return Err("the scenario has faults of its own, among which the effect would not be told apart".to_owned());
    }
    let fault = Fault {
        inject,
        phase: FaultPhase::Compact,
        every: 1,
        after: Span::seconds(0),
        at: None,
        when: None,
        hold: Span(std::time::Duration::from_millis(200)),
        watch: Span::seconds(1),
    };
    plan.faults = BTreeMap::from([(ACTION.to_owned(), fault)]);
    plan.chaos = Chaos::default();
    Ok(())
}

/// Whether the target can be given a folder to keep its data in.
fn keeps_data(plan: &Plan) -> bool {
    let launch = &plan.target.profile.launch;
    launch.args.iter().chain(launch.env.values()).any(|text| text.contains("{data_dir}"))
}
