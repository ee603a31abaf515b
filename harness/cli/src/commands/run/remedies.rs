//! `soak run --try-remedies`: a failed variant, run again with each remedy of the runbook that can be applied.
//!
//! The first trial changes nothing: what passes there as well was chance, and no remedy is given the credit for it.

use std::path::Path;
use std::time::{Duration, Instant};

use soak_engine::RunEnd;
use soak_record::{Run, write_whole};
use soak_scenario::runbook::{Seen, remedy};
use soak_scenario::units::Span;
use soak_scenario::{Plan, Variant};
use soak_verdict::{Finding, RunVerdict, Trial, UNCHANGED, VariantVerdict, human, seen, to_remedy};

use crate::commands::Failure;
use crate::execution::{execute, impossible_faults};
use crate::reports::{REMEDIES, REMEDIES_DOCUMENT};
use crate::table::wrapped;
use crate::{output, progress, reports};

/// Trials of one run.
struct Trials<'a> {
    plan: &'a Plan,
    id: &'a str,
    path: &'a Path,
    within: Duration,
    /// Names of remedies; empty for all.
    only: &'a [String],
    began: Instant,
    longest: Duration,
    variant: &'a Variant,
    failed: &'a VariantVerdict,
    seen: Seen,
}

/// Tries what the runbook advises for the failed variant that costs least, until the time is over. Nothing where no failure looks like a case of the runbook.
pub(super) fn try_all(
    plan: &Plan,
    verdict: &RunVerdict,
    id: &str,
    path: &Path,
    (within, only): (Span, &[String]),
) -> Result<(Vec<Trial>, RunEnd), Failure> {
    let Some((index, variant, failed)) = to_remedy(plan, verdict) else { return Ok((Vec::new(), RunEnd::Complete)) };
    let run = Run::open(path).map_err(Failure::platform)?;
    let seen = seen(&run.variant(index).map_err(Failure::platform)?);
    let (began, longest) = (Instant::now(), Duration::ZERO);
    let mut trials = Trials { plan, id, path, within: within.0, only, began, longest, variant, failed, seen };
    let (told, end) = trials.all()?;
    let document = serde_json::to_string_pretty(&document(&told)).map_err(Failure::platform)?;
    let folder = path.join(REMEDIES);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::platform(format!("{}: {error}", folder.display())))?;
    write_whole(&folder.join(REMEDIES_DOCUMENT), document.as_bytes()).map_err(Failure::platform)?;
    Ok((told, end))
}

impl Trials<'_> {
    /// Remedy and the criterion that it is to heal, each remedy once.
    fn wanted(&self) -> Vec<(String, String)> {
        let mut wanted: Vec<(String, String)> = Vec::new();
        for guidance in &self.failed.guidance {
            let Some(criterion) = guidance.findings.first() else { continue };
            for advice in &guidance.remedies {
                let chosen = self.only.is_empty() || self.only.contains(&advice.remedy);
                if chosen && !wanted.iter().any(|(name, _)| *name == advice.remedy) {
                    wanted.push((advice.remedy.clone(), criterion.clone()));
                }
            }
        }
        wanted
    }

    fn all(&mut self) -> Result<(Vec<Trial>, RunEnd), Failure> {
        let wanted = self.wanted();
        let Some((_, first)) = wanted.first().cloned() else { return Ok((Vec::new(), RunEnd::Complete)) };
        let (unchanged, mut end) = self.run(UNCHANGED, &self.plan.of_one(self.variant))?;
        let unchanged = unchanged.variants.into_iter().next();
        let mut told = vec![Trial::of(UNCHANGED, &first, self.failed, unchanged.as_ref(), None)];
        for (name, criterion) in wanted {
            let before = self.failed.finding(&criterion);
            let not_tried = |why: String| Trial::not_tried(&name, &criterion, before, why);
            told.push(match self.planned(&name) {
                Err(why) => not_tried(why),
                Ok(_) if end != RunEnd::Complete => not_tried("the trials were ended".to_owned()),
                Ok(_) if self.began.elapsed() + self.longest > self.within => {
                    not_tried("there was no time left: give it more with --remedies-within".to_owned())
                }
                Ok(plan) => {
                    let (verdict, ended) = self.run(&name, &plan)?;
                    end = ended;
                    let with = verdict.variants.first();
                    Trial::of(&name, &criterion, self.failed, with, unchanged.as_ref())
                }
            });
        }
        Ok((told, end))
    }

    /// The plan of a trial, or why there is none.
    fn planned(&self, name: &str) -> Result<Plan, String> {
        let remedy = remedy(name).ok_or("this version does not know it")?;
        let plan = remedy.trial(self.plan, self.variant, self.seen)?;
        impossible_faults(&plan).map_or(Ok(plan), Err)
    }

    /// An ordinary run, in a folder of its own.
    fn run(&mut self, name: &str, plan: &Plan) -> Result<(RunVerdict, RunEnd), Failure> {
        let since = Instant::now();
        let gone = human::seconds(self.began.elapsed().as_secs_f64());
        let within = human::seconds(self.within.as_secs_f64());
        output::say(&format!("remedy {name} on {}, {gone} of {within} gone\n", self.variant.id));
        let folder = self.path.join(REMEDIES).join(name);
        let end = execute(plan, &format!("{}-{name}", self.id), &folder, progress::for_a_person(plan))?;
        let verdict = reports::write_reports(&folder).map_err(Failure::of_platform)?;
        self.longest = self.longest.max(since.elapsed());
        Ok((verdict, end))
    }
}

/// The trials as a document.
pub(super) fn document(trials: &[Trial]) -> serde_json::Value {
    serde_json::json!({ "remedies": trials })
}

/// The trials as a table, and below it what else is to be said of each.
pub(super) fn table(trials: &[Trial]) -> String {
    if trials.is_empty() {
        return "\nNo remedy was tried: no failure looks like a case of the runbook that has one of those asked for.\n"
            .to_owned();
    }
    let value = |finding: Option<&Finding>| {
        let Some((finding, value)) = finding.and_then(|finding| Some((finding, finding.value?))) else {
            return "-".to_owned();
        };
        // That a floor's growth is one a cycle, the criterion says.
        let number = |value: f64| match finding.unit.as_str() {
            "bytes/cycle" => human::bytes(value),
            unit => human::in_unit(value, unit),
        };
        let value = number(value);
        finding.interval.map_or(value.clone(), |[low, high]| format!("{value} ({} to {})", number(low), number(high)))
    };
    let rows: Vec<[String; 6]> = trials
        .iter()
        .map(|trial| {
            [
                trial.remedy.clone(),
                trial.answer.words().to_owned(),
                trial.verdict.map_or("-", soak_verdict::Verdict::name).to_owned(),
                trial.criterion.clone(),
                value(trial.before.as_ref().filter(|_| trial.verdict.is_some())),
                value(trial.after.as_ref()),
            ]
        })
        .collect();
    let mut out = "\nRemedies\n".to_owned();
    out.push_str(&crate::table::table(["remedy", "", "verdict", "criterion", "before", "with it"], &rows));
    for trial in trials {
        if let Some(but) = &trial.but {
            out.push_str(&wrapped(&format!("{}: {but}", trial.remedy), 2, output::WIDTH));
        }
    }
    out
}
