//! What a remedy did: the failed finding before it and with it, beside the same variant run again without it.

use serde::{Deserialize, Serialize};
use soak_record::VariantRecord;
use soak_scenario::criterion::{Bounds, find};
use soak_scenario::runbook::Seen;
use soak_scenario::{Plan, Variant};

use crate::judge::TARGET;
use crate::outcome::{Finding, RunVerdict, VariantVerdict, Verdict};

/// The trial in which nothing is changed: what it says, chance says.
pub const UNCHANGED: &str = "unchanged";

/// A change of a smaller share than this is none: two processes that do the same keep some percent more or less a cycle.
const IN_PART: f64 = 0.25;

/// What a trial says of its remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// With it the criterion holds.
    Helps,
    /// It fails still, by a quarter less and more: the intervals lie apart, or, where there are none, less than half is left of what both runs without it had.
    HelpsInPart,
    /// It fails as before.
    DoesNotHelp,
    /// It holds without the remedy too, or nothing could be said.
    CannotTell,
    /// It was not tried.
    NotTried,
}

impl Answer {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Helps => "helps",
            Self::HelpsInPart => "helps in part",
            Self::DoesNotHelp => "does not help",
            Self::CannotTell => "cannot tell",
            Self::NotTried => "not tried",
        }
    }
}

/// One remedy, and what became of the failed criterion with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The remedy's name; [`UNCHANGED`] for the variant run again as it was.
    pub remedy: String,
    /// The criterion that had failed.
    pub criterion: String,
    /// The verdict over the variant with it; absent where it was not tried.
    pub verdict: Option<Verdict>,
    /// The failed finding.
    pub before: Option<Finding>,
    /// The same with the remedy.
    pub after: Option<Finding>,
    /// What that says.
    pub answer: Answer,
    /// What else fails with it that did not fail before, or why it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub but: Option<String>,
}

/// What of a record sizes remedies.
pub fn seen(record: &VariantRecord) -> Seen {
    let anon = record.series.get("rss_anon_bytes");
    Seen { peak_bytes: anon.and_then(|series| series.values.iter().copied().reduce(f64::max)) }
}

/// The variant that remedies are tried on: of those that failed and look like a case of the runbook, the one that puts least; of equals, the first.
pub fn to_remedy<'a>(plan: &'a Plan, verdict: &'a RunVerdict) -> Option<(usize, &'a Variant, &'a VariantVerdict)> {
    let planned = plan.variants.iter().enumerate();
    let failed = planned.filter_map(|(index, variant)| {
        let found = verdict.variants.iter().find(|found| found.id == variant.id)?;
        let explained = found.guidance.iter().any(|one| !one.findings.is_empty());
        (found.verdict == Verdict::Fail && explained).then_some((index, variant, found))
    });
    failed.min_by(|(_, a, _), (_, b, _)| plan.bytes_per_cycle(&a.knobs).total_cmp(&plan.bytes_per_cycle(&b.knobs)))
}

impl Trial {
    /// A remedy that was not tried, and why.
    pub fn not_tried(remedy: &str, criterion: &str, before: Option<&Finding>, why: impl Into<String>) -> Self {
        Self {
            remedy: remedy.to_owned(),
            criterion: criterion.to_owned(),
            verdict: None,
            before: before.cloned(),
            after: None,
            answer: Answer::NotTried,
            but: Some(why.into()),
        }
    }

    /// A remedy that was tried: `failed` is the variant without it, `with` the same with it, `unchanged` the trial without anything, where there was one.
    pub fn of(
        remedy: &str,
        criterion: &str,
        failed: &VariantVerdict,
        with: Option<&VariantVerdict>,
        unchanged: Option<&VariantVerdict>,
    ) -> Self {
        let before = failed.finding(criterion);
        let after = with.and_then(|with| with.finding(criterion));
        let same = unchanged.and_then(|one| one.finding(criterion));
        // Of a target that lives there is no finding that says so.
        let lives = |one: &VariantVerdict| {
            criterion == TARGET && one.finding(criterion).is_none() && one.verdict == Verdict::Pass
        };
        let holds_anyway =
            same.is_some_and(|finding| finding.verdict != Some(Verdict::Fail)) || unchanged.is_some_and(lives);
        let answer = match (before, after.and_then(|after| Some((after, after.verdict?)))) {
            (Some(_), Some((_, Verdict::Pass))) if holds_anyway => Answer::CannotTell,
            (Some(_), None) if with.is_some_and(lives) && !holds_anyway => Answer::Helps,
            (Some(_), Some((_, Verdict::Pass))) => Answer::Helps,
            (Some(before), Some((after, Verdict::Fail)))
                if less(criterion, before, after) && same.is_none_or(|same| less(criterion, same, after)) =>
            {
                Answer::HelpsInPart
            }
            (Some(_), Some((_, Verdict::Fail))) => Answer::DoesNotHelp,
            _ => Answer::CannotTell,
        };
        let fails = |one: &VariantVerdict, id: &str| {
            one.finding(id).is_some_and(|finding| finding.verdict == Some(Verdict::Fail))
        };
        let new: Vec<&str> = with
            .into_iter()
            .flat_map(|with| &with.findings)
            .filter(|finding| finding.verdict == Some(Verdict::Fail) && !fails(failed, &finding.criterion))
            .map(|finding| finding.criterion.as_str())
            .collect();
        let but = if holds_anyway && answer == Answer::CannotTell {
            Some("it holds without the remedy as well".to_owned())
        } else {
            (!new.is_empty()).then(|| format!("with it {} fails", new.join(", ")))
        };
        Self {
            remedy: remedy.to_owned(),
            criterion: criterion.to_owned(),
            verdict: with.map(|with| with.verdict),
            before: before.cloned(),
            after: after.cloned(),
            answer,
            but,
        }
    }
}

/// Whether a finding is better than the one before, and surely so.
fn less(criterion: &str, before: &Finding, after: &Finding) -> bool {
    let at_least = find(criterion).is_some_and(|spec| spec.bounds == Bounds::AtLeast);
    let (Some([before_low, before_high]), Some([low, high])) = (before.interval, after.interval) else {
        let values = before.value.zip(after.value);
        return !at_least && values.is_some_and(|(before, after)| after < 0.5 * before);
    };
    let (Some(before), Some(after)) = (before.value, after.value) else { return false };
    // An interval is of one process; two that do the same differ too.
    let matters = (after - before).abs() >= IN_PART * before.abs();
    matters && if at_least { low > before_high } else { high < before_low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{HEALTHY, Target, plan, run};

    fn leak(retained_per_cycle: f64) -> RunVerdict {
        run(Target { retained_per_cycle, ..HEALTHY })
    }

    #[test]
    fn a_remedy_helps_where_the_same_without_it_still_fails() {
        let (failed, healed) = (leak(12.0), leak(0.0));
        let answer = |with: &RunVerdict, unchanged: &RunVerdict| {
            let [failed, with, unchanged] = [&failed, with, unchanged].map(|run| &run.variants[0]);
            Trial::of("gogc_10", "rss_floor", failed, Some(with), Some(unchanged)).answer
        };
        assert_eq!(answer(&healed, &failed), Answer::Helps);
        assert_eq!(answer(&healed, &healed), Answer::CannotTell, "chance helps too");
        assert_eq!(answer(&failed, &failed), Answer::DoesNotHelp);
        assert_eq!(answer(&leak(4.0), &failed), Answer::HelpsInPart);
        assert_eq!(answer(&leak(11.0), &failed), Answer::DoesNotHelp, "another process differs by as much");
        let tasks = |tasks_per_s: f64| run(Target { tasks_per_s, ..HEALTHY });
        let fewer = Trial::of(
            "restart",
            "goroutine_baseline",
            &tasks(2.0).variants[0],
            Some(&tasks(0.5).variants[0]),
            Some(&tasks(2.0).variants[0]),
        );
        assert_eq!(fewer.answer, Answer::HelpsInPart, "{fewer:?}");
        let missing = Trial::of("gogc_10", "rss_floor", &failed.variants[0], None, None);
        assert_eq!((missing.answer, missing.verdict), (Answer::CannotTell, None));
    }

    #[test]
    fn a_target_that_lives_with_a_remedy_is_helped() {
        let healthy = leak(0.0).variants.remove(0);
        let mut killed = healthy.clone();
        let mut end = killed.findings[0].clone();
        (end.criterion, end.verdict) = (TARGET.to_owned(), Some(Verdict::Fail));
        (killed.findings, killed.verdict) = (vec![end], Verdict::Fail);
        let answer = |with: &VariantVerdict, unchanged: &VariantVerdict| {
            Trial::of("raise_limit", TARGET, &killed, Some(with), Some(unchanged)).answer
        };
        assert_eq!(answer(&healthy, &killed), Answer::Helps);
        assert_eq!(answer(&killed, &killed), Answer::DoesNotHelp);
        assert_eq!(answer(&healthy, &healthy), Answer::CannotTell, "it lives without the remedy as well");
    }

    #[test]
    fn what_else_fails_is_told() {
        let (failed, other) = (leak(12.0), run(Target { reclaim: 0.0, ..HEALTHY }));
        let trial = Trial::of("restart", "rss_floor", &failed.variants[0], Some(&other.variants[0]), None);
        assert_eq!(trial.but.as_deref(), Some("with it compaction_reclaim fails"));
    }

    #[test]
    fn the_least_expensive_failed_variant_is_tried() {
        let mut plan = plan();
        plan.variants[3].knobs.dim = 128;
        let verdict = leak(12.0);
        assert_eq!(to_remedy(&plan, &verdict).unwrap().0, 3);
        assert!(to_remedy(&plan, &leak(0.0)).is_none());
    }
}
