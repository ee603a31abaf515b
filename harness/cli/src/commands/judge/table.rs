//! `soak judge --csv`: what a series of another recording shows, for a person and as a document.

use std::fmt::Write as _;

use serde_json::json;
use soak_verdict::baselines::{Baselines, USUAL_ALPHA, USUAL_R_SQUARED, predict_linear};
use soak_verdict::trend::{self, Answer, Question};
use soak_verdict::{Verdict, human};

use crate::recording::Recording;

/// What a person would look ahead by who has only `predict_linear`.
const AHEAD_S: f64 = 4.0 * 3600.0;

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

    fn baselines(&self) -> serde_json::Value {
        let Recording { times_s, values, .. } = self.recording;
        let Some(found) = Baselines::of(times_s, values) else { return serde_json::Value::Null };
        let predicted = predict_linear(times_s, values, AHEAD_S);
        let rising = found.least_squares_slope > 0.0;
        json!({
            "mann_kendall": { "p": found.mann_kendall_p, "alarm": rising && found.mann_kendall_p < USUAL_ALPHA },
            "hamed_rao": { "p": found.hamed_rao_p, "alarm": rising && found.hamed_rao_p < USUAL_ALPHA },
            "least_squares": { "slope": found.least_squares_slope, "r_squared": found.r_squared, "alarm": rising && found.r_squared > USUAL_R_SQUARED },
            "predict_linear": { "ahead_s": AHEAD_S, "value": predicted, "alarm": predicted.zip(self.limit).map(|(value, limit)| value > limit) },
            "last_minus_first": { "slope": found.last_minus_first, "alarm": found.last_minus_first > self.tolerance },
        })
    }

    /// Rates in bytes per second; times in the recording's own.
    pub(super) fn json(&self, answer: &Result<Answer, String>) -> serde_json::Value {
        let last_s = self.recording.times_s.last().copied().unwrap_or(0.0);
        let (series, baselines) = (self.series, self.baselines());
        match answer {
            Ok(answer) => {
                let forecast = answer.forecast.map(|found| {
                    json!({ "at": last_s + found.in_s, "unit": "s", "interval": found.interval_s.map(|end| end.map(|in_s| last_s + in_s)) })
                });
                json!({
                    "series": series, "verdict": answer.verdict, "reason": answer.reason, "model": answer.model,
                    "slope": { "value": answer.slope, "unit": "bytes/s", "interval": answer.interval },
                    "tolerance": self.tolerance, "detectable": answer.detectable, "forecast": forecast,
                    "samples": self.recording.values.len(), "missing": self.recording.missing, "baselines": baselines,
                })
            }
            Err(why) => json!({
                "series": series, "verdict": Verdict::Inconclusive, "reason": why, "model": null, "slope": null,
                "tolerance": self.tolerance, "detectable": null, "forecast": null,
                "samples": self.recording.values.len(), "missing": self.recording.missing, "baselines": baselines,
            }),
        }
    }

    pub(super) fn words(&self, answer: &Result<Answer, String>) -> String {
        let series = self.series;
        let a_minute = |rate: f64| format!("{} a minute", human::bytes(rate * 60.0));
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return format!("INCONCLUSIVE — {series}: {why}\n"),
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
                || "is not reached at this rate".to_owned(),
                |found| {
                    let end = |end: Option<f64>| end.map_or_else(|| "never".to_owned(), human::seconds);
                    let [early, late] = found.interval_s;
                    format!("is reached in {} ({} to {}, 90 % sure)", human::seconds(found.in_s), end(early), end(late))
                },
            );
            let _ = writeln!(text, "  limit       {limit} {when}");
        }
        if self.recording.missing > 0 {
            let _ = writeln!(text, "  missing     {}", human::plural(self.recording.missing, "sample"));
        }
        text
    }
}
