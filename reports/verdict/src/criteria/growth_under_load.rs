//! `rss_trend`: does anonymous memory grow while the load stays the same? Asked of a long query phase, where there are no matched states; the judge of trends
//! ([`crate::trend`]) answers, given the live rows, which explain memory.

use soak_record::{Phase, Series};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::judge::ALPHA;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::student::t_quantile;
use crate::trend::{self, Answer, Question};

const SERIES: &str = "rss_anon_bytes";
const LIVE: &str = "ledger_live_vectors";
/// Degrees of freedom of a slope after ten minutes at 1 Hz, more or less: beyond this many they hardly matter.
const DF: f64 = 100.0;
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 1: Memory Usage Keeps Growing”: compare two heap profiles taken during the phase; the difference \
     names the site.";

/// Measures one variant: the query phase of the last counted cycle that was not cut short.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(SERIES) {
        return Evidence::absent(why);
    }
    let phases = observed.counted_cycles().filter_map(|cycle| observed.phase(Phase::Query, cycle));
    // The last that was not cut short.
    let whole = observed.plan.workload.query.duration.as_secs_f64() * 0.9;
    let Some([from_s, to_s]) = phases.rev().find(|[from, to]| to - from >= whole) else {
        return Evidence::absent("No query phase of a counted cycle came to its end.");
    };
    let Some(series) = observed.series(SERIES) else { return Evidence::absent("") };
    let (times_s, values) = series.within(from_s, to_s);
    let live = observed.series(LIVE).map_or_else(Vec::new, |live| at(live, times_s));
    let tolerance = threshold.at_most.unwrap_or(0.0);
    match trend::judge(&Question { times_s, values, tolerance, live: &live, limit: None }) {
        Ok(answer) => found(&answer, tolerance, to_s - from_s),
        Err(why) => Evidence::absent(format!("The series {SERIES} of the query phase cannot be judged: {why}.")),
    }
}

/// The last value of a series at or before each of these times; empty where there is none at the first.
fn at(series: &Series, times_s: &[f64]) -> Vec<f64> {
    let before = |time: &f64| series.times_s.partition_point(|at_s| at_s <= time).checked_sub(1);
    times_s.iter().map(|time| before(time).map(|i| series.values[i])).collect::<Option<Vec<f64>>>().unwrap_or_default()
}

fn found(answer: &Answer, tolerance: f64, seconds: f64) -> Evidence {
    let a_minute = |rate: f64| human::in_unit(rate, "bytes/s");
    let [low, high] = answer.interval;
    let summary = format!(
        "Over {} of the same load anonymous resident memory grows by {} ({} to {}, 90 % sure; the shape is a {}).",
        human::seconds(seconds),
        a_minute(answer.slope),
        a_minute(low),
        a_minute(high),
        answer.model,
    );
    let period = answer.period_s.map_or_else(String::new, |period| format!(" Period: {}.", human::seconds(period)));
    let working = vec![
        format!(
            "Shape: {}. Correlation time of the noise: {}.{period}",
            answer.model,
            human::seconds(answer.correlation_s)
        ),
        format!("P(growth above the tolerance) = {:.4}.", answer.above),
    ];
    let because = format!("{} is tolerated: {}.", a_minute(tolerance), answer.reason);
    let (verdict, detectable) = (answer.verdict, answer.detectable);
    Evidence {
        value: Some(answer.slope),
        interval: Some(answer.interval),
        threshold: Some(tolerance),
        summary,
        notes: Vec::new(),
        band: None,
        working,
        p: vec![p_of(answer.above)],
        rule: Box::new(move |shared| {
            match verdict {
                Verdict::Fail if shared.rejects(0) => Ruling::new(verdict, because).next(NEXT),
                Verdict::Fail => Ruling::new(
                    Verdict::Inconclusive,
                    format!("{because} Among so many variants that is not sure enough."),
                ),
                verdict => Ruling::new(verdict, because),
            }
            // A pass is not shared between variants, and neither is its limit.
            .detectable(Some(if verdict == Verdict::Pass {
                detectable
            } else {
                detectable * stricter(shared.alpha)
            }))
        }),
    }
}

/// What is left of certainty, so that the variants share the chance of a false fail: α where the judge of trends fails a series that is alone.
fn p_of(above: f64) -> f64 {
    ((1.0 - above) * ALPHA / (1.0 - trend::SURE_FAIL)).min(1.0)
}

/// How much greater a growth must be to be found, where the first of several variants is held to `alpha`.
fn stricter(alpha: f64) -> f64 {
    let distance = |sure: f64| t_quantile(sure, DF) + t_quantile(0.9, DF);
    distance(1.0 - alpha / ALPHA * (1.0 - trend::SURE_FAIL)) / distance(trend::SURE_FAIL)
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, EventKind, VariantRecord};

    use super::*;
    use crate::stats::draws::normal;

    /// Twenty minutes of queries at 1 Hz, which leak so many MiB a minute.
    fn measured(leak: f64) -> Evidence {
        let mut plan = crate::simulation::plan();
        plan.workload.query.duration = soak_scenario::units::Span::seconds(1200);
        assert_eq!(plan.not_applicable("rss_trend"), None);
        let mut series = Series::default();
        (0..1200).for_each(|i: u32| {
            let value = 300.0 + leak * f64::from(i) / 60.0 + 2.0 * normal(u64::from(i));
            series.push(100.0 + f64::from(i), value * 1_048_576.0);
        });
        let event = |at_s, kind| Event { at_s, variant: None, kind };
        let (phase, cycle) = (Phase::Query, Some(1));
        let events = vec![
            event(100.0, EventKind::PhaseStarted { phase, cycle }),
            event(1300.0, EventKind::PhaseEnded { phase, cycle, seconds: 1200.0 }),
        ];
        let record = VariantRecord {
            variant: plan.variants[0].clone(),
            events,
            series: [(SERIES.to_owned(), series)].into(),
            broken: Vec::new(),
        };
        measure(&Observed::new(&plan, &record), Threshold { at_most: Some(1_048_576.0 / 60.0), ..Threshold::default() })
    }

    #[test]
    fn what_fails_alone_is_not_excused_by_itself() {
        let answer = |above: f64| Answer {
            verdict: Verdict::Fail,
            reason: "it grows".to_owned(),
            model: "leak",
            slope: 2.0,
            interval: [0.9, 3.0],
            detectable: 2.5,
            above,
            period_s: None,
            correlation_s: 0.0,
            after: None,
            at_limit_since_s: None,
            forecast: None,
        };
        let ruled = |above: f64, family: usize| {
            let column = [found(&answer(above), 1.0, 1200.0)];
            let shared = crate::judge::share(&column, &[None], family).remove(0);
            let [evidence] = column;
            (evidence.rule)(&shared)
        };
        assert_eq!(ruled(trend::SURE_FAIL, 1).verdict, Verdict::Fail);
        assert_eq!(ruled(0.95, 6).verdict, Verdict::Inconclusive, "one of six must be surer");
        assert_eq!(ruled(0.985, 6).verdict, Verdict::Fail);
        assert!((ruled(0.95, 1).detectable.unwrap() - 2.5).abs() < 1e-9);
        assert!(ruled(0.95, 6).detectable.unwrap() > 2.8);
    }

    fn verdict(leak: f64) -> Verdict {
        let shared = crate::evidence::Shared { rejected: Vec::new(), alpha: 0.05, bands: Vec::new() };
        let shared = crate::evidence::Shared { rejected: vec![true], ..shared };
        (measured(leak).rule)(&shared).verdict
    }

    #[test]
    fn a_leak_under_load_fails_and_a_level_passes() {
        assert_eq!([verdict(0.0), verdict(3.0)], [Verdict::Pass, Verdict::Fail]);
        let value = measured(3.0).value.unwrap() * 60.0 / 1_048_576.0;
        assert!((value - 3.0).abs() < 0.2, "{value}");
    }

    #[test]
    fn short_phases_are_not_asked() {
        let why = crate::simulation::plan().not_applicable("rss_trend");
        assert_eq!(why.as_deref(), Some("no query phase takes ten minutes"));
    }
}
