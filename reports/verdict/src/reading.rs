//! An expression of the runbooks' catalogue over a record: from series to the series of its value.
//!
//! The value is taken at the times of the first series that it is read from; every other series counts with its latest sample, as long as that is no older
//! than [`STALE_S`]. Prometheus reads an instant so (<https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness>). Unlike there, a window has to be
//! filled whole and without a gap: what is told of five minutes is never told of a part of them, nor of more.

use soak_record::Series;
use soak_scenario::runbook::Expr;

use crate::baselines::predict_linear;
use crate::observed::Observed;

/// A sample older than this no longer tells what is; Prometheus' look-back.
pub(crate) const STALE_S: f64 = 300.0;

/// No window reaches over a gap that is longer than this.
const GAP_S: f64 = 60.0;

/// A limit from here on is none: Go tells an absent GOMEMLIMIT as the greatest number of its kind, and the kernel an absent limit as the greatest page.
const NO_LIMIT_BYTES: f64 = (1_u64 << 62) as f64;

/// A prediction is made this many times within its window; each goes through the whole of it.
const PREDICTIONS: f64 = 60.0;

/// The value over time, or why it could not be read.
pub(crate) fn read(expr: &Expr, observed: &Observed<'_>) -> Result<Series, String> {
    match expr {
        Expr::Series(name) => gauge(name, observed),
        Expr::FirstOf(these) => {
            let mut missing = Vec::new();
            for one in *these {
                match read(one, observed) {
                    Ok(series) => return Ok(series),
                    Err(why) => missing.push(why),
                }
            }
            Err(missing.join(" "))
        }
        Expr::Quotient(a, b) => {
            let (a, b) = (read(a, observed)?, read(b, observed)?);
            Ok(joined(&a, &b, |a, b| (b > 0.0).then(|| a / b)))
        }
        Expr::Difference(a, b) => Ok(joined(&read(a, observed)?, &read(b, observed)?, |a, b| Some(a - b))),
        Expr::Increase(counter, over) => Ok(increase(recorded(counter, observed)?, over.as_secs_f64(), 1.0)),
        Expr::PerMinute(counter, over) => {
            Ok(increase(recorded(counter, observed)?, over.as_secs_f64(), 60.0 / over.as_secs_f64()))
        }
        Expr::Predicted { of, over, ahead } => {
            Ok(predicted(&gauge(of, observed)?, over.as_secs_f64(), ahead.as_secs_f64()))
        }
    }
}

/// Both at once, at the times of the first.
pub(crate) fn joined(a: &Series, b: &Series, value: impl Fn(f64, f64) -> Option<f64>) -> Series {
    let mut out = Series::default();
    for (time, left) in a.times_s.iter().zip(&a.values) {
        let behind = b.times_s.partition_point(|at| at <= time);
        let Some(last) = behind.checked_sub(1).filter(|last| time - b.times_s[*last] <= STALE_S) else { continue };
        if let Some(value) = value(*left, b.values[last]) {
            out.push(*time, value);
        }
    }
    out
}

/// A level. One that is 0 all the time is exported and never set, and would be taken for the best there is.
fn gauge(name: &str, observed: &Observed<'_>) -> Result<Series, String> {
    if let Some(why) = observed.unusable(name) {
        return Err(why);
    }
    let series = recorded(name, observed)?;
    let mut out = Series::default();
    for (time, value) in series.times_s.iter().zip(&series.values).filter(|(_, value)| **value < NO_LIMIT_BYTES) {
        out.push(*time, *value);
    }
    if out.is_empty() { Err(format!("The series {name} is off.")) } else { Ok(out) }
}

fn recorded<'a>(name: &str, observed: &Observed<'a>) -> Result<&'a Series, String> {
    observed.series(name).ok_or_else(|| observed.unusable(name).unwrap_or_default())
}

/// Since when a series has had no gap, at each of its samples.
fn whole_since(times_s: &[f64]) -> Vec<f64> {
    let mut since = 0.0;
    let gap = |at: usize| at.checked_sub(1).is_none_or(|before| times_s[at] - times_s[before] > GAP_S);
    let whole = times_s.iter().enumerate().map(|(at, time)| {
        since = if gap(at) { *time } else { since };
        since
    });
    whole.collect()
}

/// By how much a counter grew within the last `over_s`, times a factor. A fall is a restart from 0.
fn increase(counter: &Series, over_s: f64, factor: f64) -> Series {
    let mut total = 0.0;
    let mut last = None;
    let mut totals = Vec::with_capacity(counter.len());
    for value in &counter.values {
        total += last.map_or(0.0, |last| if *value >= last { value - last } else { *value });
        last = Some(*value);
        totals.push(total);
    }
    let mut out = Series::default();
    for ((time, total), whole_s) in counter.times_s.iter().zip(&totals).zip(whole_since(&counter.times_s)) {
        let behind = counter.times_s.partition_point(|at| *at <= time - over_s);
        if let Some(first) = behind.checked_sub(1).filter(|_| whole_s <= time - over_s) {
            out.push(*time, (total - totals[first]) * factor);
        }
    }
    out
}

/// Where the line through the last `over_s` is, `ahead_s` later.
fn predicted(series: &Series, over_s: f64, ahead_s: f64) -> Series {
    let mut out = Series::default();
    let mut next = f64::NEG_INFINITY;
    for (time, whole_s) in series.times_s.iter().zip(whole_since(&series.times_s)) {
        if *time < next || whole_s > time - over_s {
            continue;
        }
        next = time + over_s / PREDICTIONS;
        let (times, values) = series.within(time - over_s, *time);
        if let Some(value) = predict_linear(times, values, ahead_s) {
            out.push(*time, value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)]) -> Series {
        let (times_s, values) = points.iter().copied().unzip();
        Series { times_s, values }
    }

    #[test]
    fn both_sides_are_read_at_the_times_of_the_first() {
        let a = series(&[(0.0, 4.0), (10.0, 6.0), (20.0, 8.0), (400.0, 8.0)]);
        let b = series(&[(5.0, 2.0), (15.0, 0.0), (25.0, 4.0)]);
        let quotient = joined(&a, &b, |a, b| (b > 0.0).then(|| a / b));
        // Before the first sample, over nothing, and long after the last sample there is no value.
        assert_eq!(quotient, series(&[(10.0, 3.0)]));
    }

    #[test]
    fn a_counter_grows_over_restarts_and_only_over_whole_windows() {
        let counter = series(&[(0.0, 5.0), (30.0, 7.0), (60.0, 10.0), (90.0, 1.0), (120.0, 2.0)]);
        assert_eq!(increase(&counter, 60.0, 1.0), series(&[(60.0, 5.0), (90.0, 4.0), (120.0, 2.0)]));
        assert_eq!(increase(&counter, 60.0, 0.5).values, [2.5, 2.0, 1.0]);
        assert_eq!(increase(&counter, 600.0, 1.0), Series::default());
        // What came about in a gap is not told of the window after it.
        let gap = series(&[(0.0, 0.0), (30.0, 1.0), (60.0, 2.0), (700.0, 500.0), (730.0, 501.0), (760.0, 502.0)]);
        assert_eq!(increase(&gap, 60.0, 1.0), series(&[(60.0, 2.0), (760.0, 2.0)]));
    }

    #[test]
    fn a_line_goes_on_where_it_went() {
        let rising: Vec<(f64, f64)> = (0..=120).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        let ahead = predicted(&series(&rising), 60.0, 100.0);
        assert_eq!(ahead.times_s.first(), Some(&60.0));
        for (time, value) in ahead.times_s.iter().zip(&ahead.values) {
            assert!((value - 2.0 * (time + 100.0)).abs() < 1e-6, "{time}: {value}");
        }
        assert_eq!(predicted(&series(&rising[..30]), 60.0, 100.0), Series::default());
        // Nor is a slope of the two samples after a gap.
        let gap = series(&[(0.0, 0.0), (30.0, 1.0), (700.0, 5.0), (701.0, 500.0)]);
        assert_eq!(predicted(&gap, 60.0, 100.0), Series::default());
    }
}
