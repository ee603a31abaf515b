//! `soak judge --csv` and `--prometheus`: what a series of another recording shows, for a person and as a document.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::json;
use soak_verdict::baselines::{Baselines, USUAL_ALPHA, USUAL_R_SQUARED, predict_linear};
use soak_verdict::stats::location::median;
use soak_verdict::trend::{self, Answer, Question};
use soak_verdict::{Verdict, human};

use crate::recording::{Recording, Restarts, Stretch, shown};

/// What a person would look ahead by who has only `predict_linear`.
const AHEAD_S: f64 = 4.0 * 3600.0;

/// The usual tests compare every sample with every other: of a longer recording they are shown this many, evenly chosen.
const USUAL_SAMPLES_MAX: usize = 2000;

/// Their names for people.
const USUAL: [&str; 5] = ["Mann–Kendall", "Hamed–Rao", "R²", "predict_linear", "last − first"];

/// A series and what it is held against. Rates are in bytes per second.
pub(super) struct Judged<'a> {
    pub(super) series: &'a str,
    pub(super) tolerance: f64,
    pub(super) limit: Option<f64>,
    pub(super) recording: Cow<'a, Recording>,
    pub(super) restarts: Restarts,
    /// How the file was read, in words.
    pub(super) read_as: &'a str,
}

impl Judged<'_> {
    pub(super) fn answer(&self) -> Result<Answer, String> {
        let Recording { times_s, values, live, .. } = &*self.recording;
        let question = Question { times_s, values, tolerance: self.tolerance, live, limit: self.limit };
        let restarts = self.restarts.samples();
        let is_counted = matches!(self.restarts, Restarts::Counted(_));
        if restarts.is_empty() {
            trend::judge(&question)
        } else {
            trend::judge_restarted(&question, restarts, is_counted)
        }
    }

    fn longest(&self) -> Stretch<'_> {
        self.recording.longest(self.restarts.samples())
    }

    fn usual(&self) -> Option<Usual> {
        let Stretch { times_s, values, .. } = self.longest();
        let every = values.len().div_ceil(USUAL_SAMPLES_MAX).max(1);
        let times_s: Vec<f64> = times_s.iter().copied().step_by(every).collect();
        let values: Vec<f64> = values.iter().copied().step_by(every).collect();
        let found = Baselines::of(&times_s, &values)?;
        let predicted = predict_linear(&times_s, &values, AHEAD_S);
        let rising = found.least_squares_slope > 0.0;
        let alarms = [
            rising && found.mann_kendall_p < USUAL_ALPHA,
            rising && found.hamed_rao_p < USUAL_ALPHA,
            rising && found.r_squared > USUAL_R_SQUARED,
            predicted.zip(self.limit).is_some_and(|(value, limit)| value > limit),
            found.last_minus_first > self.tolerance,
        ];
        Some(Usual { samples: values.len(), found, predicted, alarms })
    }

    /// Rates in bytes per second; times in the recording's own.
    pub(super) fn json(&self, answer: &Result<Answer, String>) -> serde_json::Value {
        let stretch = self.longest();
        let last_s = stretch.times_s.last().copied();
        let (series, baselines) = (self.series, self.usual().map(|usual| usual.json()));
        let mut document = match answer {
            Ok(answer) => {
                let forecast = answer.forecast.map(|found| {
                    let at = |in_s: f64| last_s.unwrap_or(0.0) + in_s;
                    json!({ "at": at(found.in_s), "unit": "s", "interval": found.interval_s.map(|end| end.map(at)) })
                });
                json!({
                    "series": series, "verdict": answer.verdict, "reason": answer.reason, "model": answer.model,
                    "slope": { "value": answer.slope, "unit": "bytes/s", "interval": answer.interval },
                    "tolerance": self.tolerance, "above": answer.above, "detectable": answer.detectable, "forecast": forecast,
                    "period_s": answer.period_s, "correlation_s": answer.correlation_s, "baselines": baselines,
                })
            }
            Err(why) => json!({
                "series": series, "verdict": Verdict::Inconclusive, "reason": why, "model": null, "slope": null,
                "tolerance": self.tolerance, "above": null, "detectable": null, "forecast": null,
                "period_s": null, "correlation_s": null, "baselines": baselines,
            }),
        };
        let level = range(stretch.values);
        let of_the_recording = json!({
            "level": level.map(|(from, to)| json!({ "least": from, "most": to, "unit": "bytes" })),
            "interval_s": interval_s(stretch.times_s), "span_s": length(stretch.times_s), "read_as": self.read_as,
            "at_limit_since_s": answer.as_ref().ok().and_then(|answer| answer.at_limit_since_s),
            "after": answer.as_ref().ok().and_then(|answer| answer.after).map(|after| json!({ "ended_s": after.ended_s, "height": after.height, "changes": after.count })),
            "restarts_inferred": matches!(&self.restarts, Restarts::Inferred(samples) if !samples.is_empty()),
            "samples": stretch.values.len(), "missing": self.recording.missing, "longest_gap_s": longest_gap(stretch.times_s),
            "restarts": self.restarts.samples().len(), "judged": { "from": stretch.times_s.first(), "to": last_s, "unit": "s" },
        });
        if let (Some(document), serde_json::Value::Object(more)) = (document.as_object_mut(), of_the_recording) {
            document.extend(more);
        }
        document
    }

    pub(super) fn words(&self, answer: &Result<Answer, String>) -> String {
        let series = shown(self.series);
        let a_minute = |rate: f64| format!("{} a minute", human::bytes(rate * 60.0));
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return format!("INCONCLUSIVE — {series}: {why}\n{}{}", self.seen(), self.missing()),
        };
        let mut text = format!("{} — {series}: {}\n", answer.verdict.name().to_uppercase(), answer.reason);
        text.push_str(&self.seen());
        if let Some(after) = answer.after {
            let first_s = self.recording.times_s.first().copied().unwrap_or(0.0);
            let _ = writeln!(
                text,
                "  judged      from {} on, after a fast change by {}",
                human::seconds(after.ended_s - first_s),
                human::bytes(after.height)
            );
        }
        let _ = writeln!(text, "  model       {}", answer.model);
        let _ = writeln!(
            text,
            "  growth      {} ({} to {}, 90 % sure)",
            a_minute(answer.slope),
            human::bytes(answer.interval[0] * 60.0),
            human::bytes(answer.interval[1] * 60.0)
        );
        let _ = writeln!(text, "  tolerated   {}", a_minute(self.tolerance));
        let _ = writeln!(
            text,
            "  detectable  {}: the smallest growth that this series would have shown",
            a_minute(answer.detectable)
        );
        if let Some(period_s) = answer.period_s {
            let _ = writeln!(text, "  period      {}", human::seconds(period_s));
        }
        if let Some(limit) = self.limit {
            let _ = writeln!(text, "  limit       {}", self.of_limit(answer, limit));
        }
        if let Some(usual) = self.usual() {
            let names: Vec<&str> =
                USUAL.iter().zip(usual.alarms).filter_map(|(name, alarm)| alarm.then_some(*name)).collect();
            let alarms =
                if names.is_empty() { "no alarm".to_owned() } else { format!("alarm by {}", names.join(", ")) };
            let _ = writeln!(text, "  usual tests {alarms}");
        }
        text + &self.missing()
    }

    /// Where the series stands to its limit.
    fn of_limit(&self, answer: &Answer, limit: f64) -> String {
        let first_s = self.recording.times_s.first().copied().unwrap_or(0.0);
        let name = human::bytes(limit);
        if let Some(since_s) = answer.at_limit_since_s {
            return format!(
                "{name}: it has stood at the limit since {} after the first sample",
                human::seconds(since_s - first_s)
            );
        }
        if !self.longest().is_last || (answer.forecast.is_none() && !self.restarts.samples().is_empty()) {
            return format!("{name}: no forecast, because of the restarts");
        }
        let Some(found) = answer.forecast else {
            return format!("{name} is not reached within 200 times what was measured");
        };
        let end = |end: Option<f64>| end.map_or_else(|| "never".to_owned(), human::seconds);
        let [early, late] = found.interval_s;
        format!("{name} is reached in {} ({} to {}, 90 % sure)", human::seconds(found.in_s), end(early), end(late))
    }

    /// Level of the recording, and its samples with their span and interval, by which a person sees a wrong unit.
    pub(super) fn level_and_samples(&self) -> [String; 2] {
        let Recording { times_s, values, .. } = &*self.recording;
        let level = range(values).map_or_else(
            || "–".to_owned(),
            |(least, most)| format!("{} to {}", human::bytes(least), human::bytes(most)),
        );
        let every =
            interval_s(times_s).map_or_else(String::new, |every| format!(", one every {}", human::seconds(every)));
        [level, format!("{} over {}{every}", values.len(), human::seconds(length(times_s)))]
    }

    /// What was read of the recording.
    fn seen(&self) -> String {
        let [level, samples] = self.level_and_samples();
        let mut text = format!("  level       {level}\n  samples     {samples}\n");
        if !self.read_as.is_empty() {
            let _ = writeln!(text, "  read as     {}", self.read_as);
        }
        text
    }

    /// What was not read, and what of the recording was not judged.
    fn missing(&self) -> String {
        let mut text = String::new();
        let stretch = self.longest();
        if self.recording.missing > 0 {
            let _ = writeln!(text, "  missing     {}", human::plural(self.recording.missing, "sample"));
        }
        if let Some(gap) = longest_gap(stretch.times_s).filter(|gap| *gap > LONG_GAP * length(stretch.times_s)) {
            let _ = writeln!(text, "  gap         {} without a sample: nothing was filled in", human::seconds(gap));
        }
        let count = self.restarts.samples().len();
        match &self.restarts {
            _ if count == 0 => {}
            Restarts::Counted(_) => {
                let _ = writeln!(
                    text,
                    "  restarts    {count}; the stretches between them are judged together; the longest is {} of {}",
                    human::seconds(length(stretch.times_s)),
                    human::seconds(length(&self.recording.times_s)),
                );
            }
            Restarts::Inferred(_) => {
                let _ = writeln!(
                    text,
                    "  restarts    {count}: it falls to the level of its start, which is taken for a restart; the stretches between them are judged together. Name a counter with --uptime to be sure",
                );
            }
        }
        text
    }
}

/// A gap that is more than this part of the whole is told.
const LONG_GAP: f64 = 0.1;

fn length(times_s: &[f64]) -> f64 {
    times_s.last().zip(times_s.first()).map_or(0.0, |(last, first)| last - first)
}

/// The typical time between two samples.
fn interval_s(times_s: &[f64]) -> Option<f64> {
    median(&times_s.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>())
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some((least, values.iter().copied().reduce(f64::max)?))
}

fn longest_gap(times_s: &[f64]) -> Option<f64> {
    times_s.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::max)
}

/// What the usual tests say.
struct Usual {
    /// Of so many samples.
    samples: usize,
    found: Baselines,
    predicted: Option<f64>,
    /// In the order of [`USUAL`].
    alarms: [bool; USUAL.len()],
}

impl Usual {
    fn json(&self) -> serde_json::Value {
        let [mann_kendall, hamed_rao, least_squares, predict_linear, last_minus_first] = self.alarms;
        let found = &self.found;
        json!({
            "samples": self.samples,
            "mann_kendall": { "p": found.mann_kendall_p, "alarm": mann_kendall },
            "hamed_rao": { "p": found.hamed_rao_p, "alarm": hamed_rao },
            "least_squares": { "slope": found.least_squares_slope, "r_squared": found.r_squared, "alarm": least_squares },
            "predict_linear": { "ahead_s": AHEAD_S, "value": self.predicted, "alarm": predict_linear },
            "last_minus_first": { "slope": found.last_minus_first, "alarm": last_minus_first },
        })
    }
}
