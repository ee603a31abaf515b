//! Calibration: one short cycle without limits and faults, measured before the run. What the plan says relative to it becomes a number.

use serde::{Deserialize, Serialize};

use crate::plan::{Chaos, Plan, Variant};
use crate::scenario_shape::MEMORY_LIMIT_MIN;
use crate::smoke::{ms, shorten};
use crate::units::{Bytes, Limit, Span};

/// The section `[calibration]`: what is fitted to the server, besides limits that are written as a share of its peak.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// `deadlines.index` becomes this many times the longest of indexing, compaction and clearing, at least `deadlines.call` and at most what the plan says.
    pub index_times: Option<u32>,
    /// Rows are taken out of a cycle until its load takes about this long.
    pub cycle_at_most: Option<Span>,
    /// No fewer rows than this are put in a cycle for that.
    pub rows_at_least: u64,
}

/// The key of the rows of a cycle.
const ROWS_KEY: &str = "workload.vectors_per_cycle";

/// What the calibration cycle of one variant showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The variant's id.
    pub variant: String,
    /// What was measured, or why nothing was.
    pub measured: Result<Measured, String>,
}

/// Figures of one calibration cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The most memory that the target held at once.
    pub peak: Bytes,
    /// The longest of indexing, compaction, clearing and one put: what `deadlines.index` is for.
    pub index: Span,
    /// Ingest, indexing, deletes, compaction and clearing together.
    pub load: Span,
}

/// A number of the plan that was fitted to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The variants that it holds for; none where it holds for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<String>,
    /// The key of the scenario.
    pub key: String,
    /// What the scenario asks for.
    pub asked: String,
    /// What it became.
    pub value: String,
    /// What it stands on.
    pub from: FittedFrom,
}

/// What a fitted number stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedFrom {
    /// The most memory that the target held in its calibration cycle.
    Peak(Bytes),
    /// How long indexing or compaction took there.
    Index(Span),
    /// How long the load of that cycle took.
    Load(Span),
    /// The calibration cycle did not end well, for this reason.
    NotMeasured(String),
}

impl Plan {
    /// Whether something in it is relative to a measurement that has yet to be made.
    pub fn needs_calibration(&self) -> bool {
        self.fitted.is_empty() && (self.is_relative() || self.has_relative_limits())
    }

    /// How many calibration runs there are at most: a second one where the first takes rows out, because fewer rows have another peak.
    pub fn calibrations_at_most(&self) -> u32 {
        match (self.needs_calibration(), self.calibration.cycle_at_most.is_some() && self.has_relative_limits()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }

    /// Whether a variant's limit is a share of its peak.
    pub fn has_relative_limits(&self) -> bool {
        self.variants.iter().any(has_relative_limit)
    }

    /// The same plan, with what another calibration had fitted before it.
    #[must_use]
    pub fn also_fitted(mut self, before: &Self) -> Self {
        let rows = before.fitted.iter().filter(|fitted| fitted.key == ROWS_KEY).cloned();
        self.fitted.extend(rows);
        self.calibration = before.calibration.clone();
        self
    }

    /// The same plan with the numbers that another plan of the same scenario was fitted to.
    #[must_use]
    pub fn fitted_as(mut self, other: &Self) -> Self {
        for variant in &mut self.variants {
            if let Some(same) = other.variants.iter().find(|same| same.id == variant.id) {
                for (limit, fitted) in [
                    (&mut variant.knobs.memory_limit, same.knobs.memory_limit),
                    (&mut variant.knobs.gomemlimit, same.knobs.gomemlimit),
                ] {
                    if matches!(limit, Limit::OfPeak(_)) {
                        *limit = fitted;
                    }
                }
            }
        }
        if self.is_relative() {
            self.deadlines.index = other.deadlines.index;
            self.workload.vectors_per_cycle.clone_from(&other.workload.vectors_per_cycle);
        }
        self.fitted.clone_from(&other.fitted);
        self
    }

    fn is_relative(&self) -> bool {
        self.calibration.index_times.is_some() || self.calibration.cycle_at_most.is_some()
    }

    /// The run that measures: every variant that differs in more than its relative limits, for one cycle without limits, faults and criteria.
    #[must_use]
    pub fn calibration_run(&self) -> Self {
        let mut plan = self.clone();
        plan.variants = Vec::new();
        for variant in &self.variants {
            let unlimited = unlimited(variant);
            if !plan.variants.iter().any(|other| other.knobs == unlimited.knobs) {
                plan.variants.push(unlimited);
            }
        }
        plan.calibration = Calibration::default();
        (plan.faults, plan.chaos) = (std::collections::BTreeMap::new(), Chaos::default());
        plan.criteria.clear();
        plan.no_control = Some("a calibration is not judged".to_owned());
        plan.is_smoke = true;
        (plan.cycle.count, plan.cycle.at_most, plan.cycle.warm_up) = (1, None, 0);
        shorten([
            (&mut plan.cycle.window, ms(100)),
            (&mut plan.cycle.settle_at_most, ms(500)),
            (&mut plan.cycle.cold_idle, ms(100)),
            (&mut plan.cycle.idle, ms(100)),
            (&mut plan.cycle.drain_at_most, ms(100)),
            (&mut plan.workload.query.duration, ms(2000)),
            (&mut plan.sampling.process, ms(20)),
        ]);
        plan
    }

    /// Puts what was measured in the place of what is relative to it. A variant whose calibration did not end well gets no limit: its own run shows why.
    #[must_use]
    pub fn fitted_to(&self, calibrated: &[Calibrated]) -> Self {
        let mut plan = self.clone();
        for variant in &mut plan.variants {
            let bare = unlimited(variant).knobs;
            let same = self.variants.iter().filter(|other| unlimited(other).knobs == bare).map(|other| &other.id);
            let ids: Vec<&String> = same.collect();
            let of = calibrated.iter().find(|one| ids.contains(&&one.variant));
            let missing = Err("it was not calibrated".to_owned());
            let measured = of.map_or(&missing, |one| &one.measured);
            let knobs = &mut variant.knobs;
            for (key, limit) in [("memory_limit", &mut knobs.memory_limit), ("gomemlimit", &mut knobs.gomemlimit)] {
                if let Limit::OfPeak(percent) = *limit {
                    let (value, from) = limit_of(percent, measured);
                    let (asked, variants) = (limit.to_string(), vec![variant.id.clone()]);
                    plan.fitted.push(Fitted { variants, key: key.to_owned(), asked, value: value.to_string(), from });
                    *limit = value;
                }
            }
        }
        plan.fit_index_deadline(calibrated);
        plan.fit_rows(calibrated);
        plan
    }

    fn fit_index_deadline(&mut self, calibrated: &[Calibrated]) {
        let Some(times) = self.calibration.index_times else { return };
        let (asked, key) = (format!("{times} times what is measured"), "deadlines.index".to_owned());
        let longest = calibrated.iter().map(|one| one.measured.as_ref().map(|measured| measured.index));
        // The slowest variant decides; where one could not be measured the deadline stays.
        let from = match longest.collect::<Result<Vec<Span>, &String>>() {
            Ok(all) => {
                let longest = all.into_iter().max().unwrap_or_default();
                let wanted = Span(longest.0.saturating_mul(times)).max(self.deadlines.call);
                self.deadlines.index = whole_seconds(wanted).min(self.deadlines.index);
                FittedFrom::Index(longest)
            }
            Err(reason) => FittedFrom::NotMeasured(reason.clone()),
        };
        self.fitted.push(Fitted { variants: Vec::new(), key, asked, value: self.deadlines.index.to_string(), from });
    }

    /// Halves the rows of a dimension until the slowest variant of it is expected to take no longer than asked. Variants of one dimension keep the same data.
    fn fit_rows(&mut self, calibrated: &[Calibrated]) {
        let Some(most) = self.calibration.cycle_at_most else { return };
        let least = self.calibration.rows_at_least.max(1);
        let mut dims: Vec<u32> = self.variants.iter().map(|variant| variant.knobs.dim).collect();
        dims.sort_unstable();
        dims.dedup();
        for dim in dims {
            let planned = self.workload.rows_per_cycle(dim);
            let of_dim = |one: &&Calibrated| self.variants.iter().any(|v| v.id == one.variant && v.knobs.dim == dim);
            let loads = calibrated.iter().filter(of_dim);
            let loads = loads.map(|one| one.measured.as_ref().map(|measured| measured.load));
            let (rows, from) = match loads.collect::<Result<Vec<Span>, &String>>() {
                Ok(all) => {
                    let load = all.into_iter().max().unwrap_or_default();
                    (halved(planned, least, load.as_secs_f64() / most.as_secs_f64().max(1e-3)), FittedFrom::Load(load))
                }
                Err(reason) => (planned, FittedFrom::NotMeasured(reason.clone())),
            };
            self.workload.vectors_per_cycle.insert(dim, rows);
            self.fitted.push(Fitted {
                variants: self.variants.iter().filter(|v| v.knobs.dim == dim).map(|v| v.id.clone()).collect(),
                key: ROWS_KEY.to_owned(),
                asked: format!("at most {planned}, in about {most}"),
                value: rows.to_string(),
                from,
            });
        }
    }

    /// Name and text of every setting as the scenario asks for it: relative ones as they were written.
    pub fn asked_settings(&self, variant: &Variant) -> [(&'static str, String); 9] {
        variant.knobs.settings().map(|(name, text)| {
            let of = |fitted: &&Fitted| fitted.key == name && fitted.variants.contains(&variant.id);
            (name, self.fitted.iter().find(of).map_or(text, |fitted| fitted.asked.clone()))
        })
    }
}

fn has_relative_limit(variant: &Variant) -> bool {
    [variant.knobs.memory_limit, variant.knobs.gomemlimit].iter().any(|limit| matches!(limit, Limit::OfPeak(_)))
}

/// The variant without relative limits, and without what is put into it on purpose.
fn unlimited(variant: &Variant) -> Variant {
    let mut variant = Variant { dose: None, control: None, ..variant.clone() };
    variant.knobs.drop_relative_limits();
    variant
}

/// In whole mebibytes, and never less than any target could start under.
fn limit_of(percent: u32, measured: &Result<Measured, String>) -> (Limit, FittedFrom) {
    match measured {
        Ok(Measured { peak, .. }) => {
            let bytes = peak.as_f64() * f64::from(percent) / 100.0;
            let limit = Bytes::mib((bytes / 1_048_576.0).ceil() as u64).max(MEMORY_LIMIT_MIN);
            (Limit::At(limit), FittedFrom::Peak(*peak))
        }
        Err(reason) => (Limit::Off, FittedFrom::NotMeasured(reason.clone())),
    }
}

fn whole_seconds(span: Span) -> Span {
    Span::seconds(span.as_secs_f64().ceil() as u64)
}

/// `times`: how many times too long the load of all these rows takes.
fn halved(rows: u64, least: u64, times: f64) -> u64 {
    let (mut fitted, mut times) = (rows, times);
    while times > 1.0 && fitted / 2 >= least {
        (fitted, times) = (fitted / 2, times / 2.0);
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, load};

    fn plan(edits: &[&str]) -> Plan {
        let edits: Vec<String> = edits.iter().map(|edit| (*edit).to_owned()).collect();
        load(&Request { scenario: "scenario2", edits: &edits, ..Request::default() }).unwrap().plan
    }

    fn of_each(plan: &Plan, peak_mib: u64, load_s: u64) -> Vec<Calibrated> {
        let measured = Measured { peak: Bytes::mib(peak_mib), index: ms(700), load: Span::seconds(load_s) };
        let run = plan.calibration_run();
        run.variants.iter().map(|one| Calibrated { variant: one.id.clone(), measured: Ok(measured) }).collect()
    }

    #[test]
    fn absolute_plans_need_none() {
        assert!(!plan(&[]).needs_calibration());
        assert!(plan(&[r#"matrix.memory_limit=["200% of peak"]"#]).needs_calibration());
        assert!(plan(&["calibration.index_times=10"]).needs_calibration());
    }

    #[test]
    fn limits_follow_the_peak_of_their_own_variant_and_ids_stay() {
        let plan = plan(&[r#"matrix.memory_limit=["150% of peak","300% of peak","1GiB"]"#, "matrix.dim=[128]"]);
        let run = plan.calibration_run();
        assert!(run.variants.len() < plan.variants.len(), "relative limits share one cycle");
        assert!(run.variants.iter().all(|one| !has_relative_limit(one)) && run.faults.is_empty());
        let fitted = plan.fitted_to(&of_each(&plan, 101, 1));
        assert!(!fitted.needs_calibration());
        let limits = |tag: &str| {
            let one = fitted.variants.iter().find(|one| one.id.contains(tag)).unwrap();
            (one.knobs.memory_limit, fitted.asked_settings(one)[4].1.clone())
        };
        assert_eq!(limits("limit150pc"), (Limit::At(Bytes::mib(152)), "150% of peak".to_owned()));
        assert_eq!(limits("limit300pc"), (Limit::At(Bytes::mib(303)), "300% of peak".to_owned()));
        assert_eq!(limits("limit1GiB").0, Limit::At(Bytes::mib(1024)));
    }

    #[test]
    fn what_could_not_be_measured_gets_no_limit_and_says_why() {
        let plan = plan(&[r#"matrix.memory_limit=["150% of peak"]"#, "calibration.index_times=3"]);
        let run = plan.calibration_run();
        let failed = |one: &Variant| Calibrated { variant: one.id.clone(), measured: Err("it ended".to_owned()) };
        let fitted = plan.fitted_to(&run.variants.iter().map(failed).collect::<Vec<_>>());
        assert!(fitted.variants.iter().all(|one| one.knobs.memory_limit == Limit::Off));
        assert!(fitted.fitted.iter().all(|one| one.from == FittedFrom::NotMeasured("it ended".to_owned())));
        assert_eq!(fitted.deadlines, plan.deadlines);
    }

    #[test]
    fn rows_are_halved_down_to_the_bound_and_deadlines_stay_within_theirs() {
        let plan =
            plan(&["calibration.cycle_at_most=10s", "calibration.rows_at_least=1000", "calibration.index_times=4"]);
        let rows = |load_s| {
            let fitted = plan.fitted_to(&of_each(&plan, 100, load_s));
            fitted.workload.rows_per_cycle(128)
        };
        let planned = plan.workload.rows_per_cycle(128);
        assert_eq!(rows(9), planned);
        assert_eq!(rows(11), planned / 2);
        assert!(rows(10_000) >= 1000 && rows(10_000) < 2000);
        let fitted = plan.fitted_to(&of_each(&plan, 100, 1));
        assert!(fitted.deadlines.index >= plan.deadlines.call && fitted.deadlines.index <= plan.deadlines.index);
    }
}
