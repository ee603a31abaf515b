//! What a judgement is: verdict, findings, and the exit code that follows. `verdict.json` is [`RunVerdict`] as it serializes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soak_scenario::Pace;
use soak_scenario::runbook::Level;

use crate::guidance::Guidance;

/// The version of `verdict.json`.
pub const VERDICT_SCHEMA: u32 = 1;

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It cannot be said: too short, too noisy, something missing.
    Inconclusive,
    /// It does not hold.
    Fail,
}

impl Verdict {
    /// The word, as in `verdict.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }

    /// The verdict over several: any fail fails, else any inconclusive is inconclusive. `None` for nothing.
    pub fn over(verdicts: impl IntoIterator<Item = Self>) -> Option<Self> {
        verdicts.into_iter().max()
    }
}

/// The verdict over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunVerdict {
    /// [`VERDICT_SCHEMA`] of the writer.
    pub schema: u32,
    /// The run's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Over all variants.
    pub verdict: Verdict,
    /// The pace that was run.
    pub pace: Pace,
    /// The seed.
    pub seed: u64,
    /// Why the harness or the machine failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Whether every variant of the plan ran to an end.
    pub complete: bool,
    /// In the order of the plan.
    pub variants: Vec<VariantVerdict>,
    /// Criteria that have a threshold and cannot be asked of this target, each with the reason. They are no part of the verdict.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_applicable: BTreeMap<String, String>,
    /// What a reader should know of the whole run.
    pub notes: Vec<String>,
}

impl RunVerdict {
    /// The process's exit code: 1 for any fail, else 4 for a platform error, else 3 for anything inconclusive, else 0.
    pub fn exit_code(&self) -> u8 {
        match (self.verdict, &self.platform) {
            (Verdict::Fail, _) => 1,
            (_, Some(_)) => 4,
            (Verdict::Inconclusive, None) => 3,
            (Verdict::Pass, None) => 0,
        }
    }

    /// The variants that are judged: all but those that something was put into on purpose.
    pub fn judged(&self) -> impl Iterator<Item = &VariantVerdict> {
        self.variants.iter().filter(|variant| !variant.is_control())
    }

    /// What is said after the number of judged variants where there are controls beside them: ` and a control`.
    pub fn and_controls(&self) -> String {
        match self.variants.iter().filter(|variant| variant.is_control()).count() {
            0 => String::new(),
            1 => " and a control".to_owned(),
            count => format!(" and {count} controls"),
        }
    }

    /// Variant and finding of everything that was found.
    pub fn findings(&self) -> impl Iterator<Item = (&VariantVerdict, &Finding)> {
        self.variants.iter().flat_map(|variant| variant.findings.iter().map(move |finding| (variant, finding)))
    }
}

/// The verdict over one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantVerdict {
    /// The variant's id.
    pub id: String,
    /// Over its findings.
    pub verdict: Verdict,
    /// The knobs as they were read back.
    pub attested: BTreeMap<String, AttestedKnob>,
    /// One for each criterion, in the order of reports.
    pub findings: Vec<Finding>,
    /// What the thresholds of the runbooks say of it, in their order. None is part of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indications: Vec<Indication>,
    /// Which cases of the runbooks its failed findings look like, the likeliest first. None is part of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guidance: Vec<Guidance>,
    /// What a reader should know of this variant.
    pub notes: Vec<String>,
    /// What was seen of a leak that was put in on purpose. Its findings are information, but for the one that says whether it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<DoseVerdict>,
    /// What was seen of another misbehaviour that was put in on purpose, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlVerdict>,
}

/// What was seen of a misbehaviour that was put in on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlVerdict {
    /// What was put in, in words.
    pub put_in: String,
    /// The answer of each criterion that has to see it; absent where it gave none.
    pub answers: BTreeMap<String, Option<Verdict>>,
}

/// What a threshold of a runbook says of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Indication {
    /// The threshold's id, as `soak criteria --runbooks` has it.
    pub id: String,
    /// The worst level that it reached, for as long as an alert waits; absent where it could not be read.
    pub level: Option<Level>,
    /// How far the value went.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
    /// When it went furthest, in seconds of the run.
    pub at_s: Option<f64>,
    /// When an alert by it would first have fired, in seconds of the run.
    pub fired_s: Option<f64>,
    /// All of it in words, or why it could not be read.
    pub reason: String,
}

/// What was seen of a leak of a known size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoseVerdict {
    /// Its size in tolerances a cycle.
    pub tolerances: f64,
    /// Its size in bytes a cycle.
    pub bytes_per_cycle: f64,
    /// What each floor that is judged says of it.
    pub answers: BTreeMap<String, Seen>,
}

/// What a floor says of a leak of a known size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The answer, as of any variant.
    pub verdict: Verdict,
    /// Growth in bytes a cycle.
    pub value: Option<f64>,
    /// Where it lies.
    pub interval: Option<[f64; 2]>,
    /// The smallest leak that the variant was predicted to show.
    pub detectable: Option<f64>,
}

impl VariantVerdict {
    /// Whether something was put into it on purpose, to show what the run can see.
    pub fn is_control(&self) -> bool {
        self.dose.is_some() || self.control.is_some()
    }

    /// The finding of this criterion.
    pub fn finding(&self, criterion: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.criterion == criterion)
    }
}

/// A knob as it was asked for and as it was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestedKnob {
    /// What the plan asked for.
    pub requested: String,
    /// What the target or the kernel says.
    pub effective: Option<String>,
    /// Where that was read.
    pub source: String,
    /// Whether the two agree; `None` when it could not be read.
    pub holds: Option<bool>,
}

/// Why a target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The kernel killed it at its own memory limit.
    OutOfMemory,
    /// It ended, for another reason or an unknown one.
    Died,
    /// It runs, and answers nothing.
    Unresponsive,
    /// It answers, and a phase took longer than the plan allows.
    Overdue,
    /// It answers, and a step of the run could not be done.
    FailedStep,
}

/// What one criterion found in one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The criterion's id; `target` when the target itself failed.
    pub criterion: String,
    /// Why the target failed; present for the finding `target` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FailureCause>,
    /// The answer; absent when the finding is for information.
    pub verdict: Option<Verdict>,
    /// Whether it is for information only: no threshold is set, or the series is a model.
    pub informational: bool,
    /// What was measured.
    pub value: Option<f64>,
    /// Unit of value, interval, threshold and detectable.
    pub unit: String,
    /// Where the true value lies, at the criterion's level.
    pub interval: Option<[f64; 2]>,
    /// What it was held against.
    pub threshold: Option<f64>,
    /// The smallest value that this run would have failed.
    pub detectable: Option<f64>,
    /// The finding in one or two sentences.
    pub reason: String,
    /// What to do next, by the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The command that reproduces a failure.
    #[serde(default)]
    pub reproduce: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(verdict: Verdict, platform: Option<&str>) -> RunVerdict {
        RunVerdict {
            schema: VERDICT_SCHEMA,
            run: "r".to_owned(),
            scenario: "s".to_owned(),
            title: String::new(),
            verdict,
            pace: Pace::Quick,
            seed: 1,
            platform: platform.map(str::to_owned),
            complete: true,
            variants: Vec::new(),
            not_applicable: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn exit_codes_have_an_order() {
        assert_eq!(run(Verdict::Pass, None).exit_code(), 0);
        assert_eq!(run(Verdict::Fail, Some("disk full")).exit_code(), 1);
        assert_eq!(run(Verdict::Inconclusive, Some("disk full")).exit_code(), 4);
        assert_eq!(run(Verdict::Pass, Some("disk full")).exit_code(), 4);
        assert_eq!(run(Verdict::Inconclusive, None).exit_code(), 3);
    }

    #[test]
    fn verdicts_are_lower_case_in_json() {
        assert_eq!(serde_json::to_string(&Verdict::Inconclusive).unwrap(), "\"inconclusive\"");
        assert_eq!(Verdict::over([Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]), Some(Verdict::Fail));
        assert_eq!(Verdict::over([]), None);
    }
}
