//! A series that stands at its limit. Nothing can grow there, so that a level is no evidence against a leak: it is no pass, and nothing is left to forecast.

use super::{Answer, Forecast, Question};
use crate::outcome::Verdict;
use crate::stats::location::quantile;

/// From this part of the limit on a series stands at it: the kernel reclaims a little at a time.
const AT: f64 = 0.97;
/// Of the samples since then, the part that must stand there.
const MOSTLY: f64 = 0.9;
/// Fewer samples at the limit than this are a peak.
const SAMPLES: usize = 10;

/// The answer, with what the limit takes away from it.
pub(super) fn held(question: &Question<'_>, answer: Answer) -> Answer {
    let Some(since_s) = question.limit.and_then(|limit| since(question.times_s, question.values, limit)) else {
        return answer;
    };
    let now = Forecast { in_s: 0.0, interval_s: [Some(0.0); 2] };
    let at_limit = Answer { at_limit_since_s: Some(since_s), forecast: Some(now), ..answer };
    if at_limit.verdict == Verdict::Pass {
        let reason = "it stands at its limit, where no growth can show: raise the limit and measure again".to_owned();
        return Answer { verdict: Verdict::Inconclusive, reason, ..at_limit };
    }
    at_limit
}

/// Since when the last samples stand at the limit.
fn since(times_s: &[f64], values: &[f64], limit: f64) -> Option<f64> {
    let is_at = |value: f64| value >= AT * limit;
    let recent = &values[values.len().saturating_sub(SAMPLES)..];
    // The last ones first: a series that has come down again is not at its limit.
    if values.len() < SAMPLES || !is_at(quantile(recent, 0.5)?) {
        return None;
    }
    let (mut from, mut there) = (None, 0_usize);
    for (taken, i) in (0..values.len()).rev().enumerate() {
        there += usize::from(is_at(values[i]));
        let share = there as f64 / (taken + 1) as f64;
        if taken + 1 >= SAMPLES && share < MOSTLY {
            break;
        }
        if is_at(values[i]) && share >= MOSTLY {
            from = Some((i, taken + 1));
        }
    }
    from.filter(|(_, samples)| *samples >= SAMPLES).map(|(i, _)| times_s[i])
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::*;
    use crate::stats::draws::normal;

    fn judged(value: impl Fn(f64, f64) -> f64) -> Answer {
        let times: Vec<f64> = (0..720).map(|i| f64::from(i) * 10.0).collect();
        let values: Vec<f64> =
            times.iter().enumerate().map(|(i, time)| value(*time, normal(5_000 + i as u64))).collect();
        let question =
            Question { times_s: &times, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: Some(512.0) };
        judge(&question).unwrap()
    }

    #[test]
    fn standing_at_the_limit_is_no_pass_and_has_no_forecast() {
        let held = judged(|time, noise| (200.0 + time / 4.0).min(511.0 + 0.5 * noise));
        assert_ne!(held.verdict, Verdict::Pass, "{held:?}");
        assert!(held.at_limit_since_s.is_some_and(|since| (1150.0..1350.0).contains(&since)), "{held:?}");
        let always = judged(|_, noise| (508.0 + 2.0 * noise).min(512.0));
        assert_eq!(always.verdict, Verdict::Inconclusive, "{always:?}");
        assert!(always.forecast.is_some_and(|now| now.in_s <= 0.0), "{always:?}");
        assert!(always.at_limit_since_s.is_some_and(|since| since < 200.0) && always.reason.contains("limit"));
    }

    #[test]
    fn a_peak_at_the_limit_and_a_level_below_it_are_not() {
        let below = judged(|_, noise| 450.0 + noise);
        assert_eq!((below.verdict, below.at_limit_since_s), (Verdict::Pass, None), "{below:?}");
        let peak = judged(|time, noise| 300.0 + noise + if (3000.0..3100.0).contains(&time) { 210.0 } else { 0.0 });
        assert_eq!(peak.at_limit_since_s, None, "{peak:?}");
    }
}
