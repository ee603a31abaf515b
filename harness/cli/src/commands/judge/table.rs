//! `soak judge --csv`: what a series of another recording shows, for a person and as a document.

use std::fmt::Write as _;

use serde_json::json;
use soak_verdict::baselines::{Baselines, USUAL_ALPHA, USUAL_R_SQUARED, predict_linear};
use soak_verdict::trend::{self, Answer, Question};
use soak_verdict::{Verdict, human};

use crate::recording::Recording;

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
    pub(super) recording: &'a Recording,
}

impl Judged<'_> {
    pub(super) fn answer(&self) -> Result<Answer, String> {
        let Recording { times_s, values, live, .. } = self.recording;
        trend::judge(&Question { times_s, values, tolerance: self.tolerance, live, limit: self.limit })
    }

    fn usual(&self) -> Option<Usual> {
        let Recording { times_s, values, .. } = self.recording;
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
        let last_s = self.recording.times_s.last().copied().unwrap_or(0.0);
        let (series, baselines) = (self.series, self.usual().map(|usual| usual.json()));
        match answer {
            Ok(answer) => {
                let forecast = answer.forecast.map(|found| {
                    json!({ "at": last_s + found.in_s, "unit": "s", "interval": found.interval_s.map(|end| end.map(|in_s| last_s + in_s)) })
                });
                json!({
                    "series": series, "verdict": answer.verdict, "reason": answer.reason, "model": answer.model,
                    "slope": { "value": answer.slope, "unit": "bytes/s", "interval": answer.interval },
                    "tolerance": self.tolerance, "above": answer.above, "detectable": answer.detectable, "forecast": forecast,
                    "period_s": answer.period_s, "correlation_s": answer.correlation_s,
                    "samples": self.recording.values.len(), "missing": self.recording.missing, "baselines": baselines,
                })
            }
            Err(why) => json!({
                "series": series, "verdict": Verdict::Inconclusive, "reason": why, "model": null, "slope": null,
                "tolerance": self.tolerance, "above": null, "detectable": null, "forecast": null,
                "period_s": null, "correlation_s": null,
                "samples": self.recording.values.len(), "missing": self.recording.missing, "baselines": baselines,
            }),
        }
    }

    pub(super) fn words(&self, answer: &Result<Answer, String>) -> String {
        let series = self.series;
        let a_minute = |rate: f64| format!("{} a minute", human::bytes(rate * 60.0));
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return format!("INCONCLUSIVE — {series}: {why}\n{}", self.missing()),
        };
        let mut text = format!("{} — {series}: {}\n", answer.verdict.name().to_uppercase(), answer.reason);
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
            "  detectable  {}: the least that this series would have shown",
            a_minute(answer.detectable)
        );
        if let Some(period_s) = answer.period_s {
            let _ = writeln!(text, "  period      {}", human::seconds(period_s));
        }
        if let Some(limit) = self.limit {
            let limit = human::bytes(limit);
            let when = answer.forecast.map_or_else(
                || "is not reached within 200 times what was measured".to_owned(),
                |found| {
                    let end = |end: Option<f64>| end.map_or_else(|| "never".to_owned(), human::seconds);
                    let [early, late] = found.interval_s;
                    format!("is reached in {} ({} to {}, 90 % sure)", human::seconds(found.in_s), end(early), end(late))
                },
            );
            let _ = writeln!(text, "  limit       {limit} {when}");
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

    fn missing(&self) -> String {
        match self.recording.missing {
            0 => String::new(),
            missing => format!("  missing     {}\n", human::plural(missing, "sample")),
        }
    }
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
