//! Does a series grow, by more than is tolerated, over a long phase? The judge for series without matched states: a soak phase, or a recording from production.
//!
//! The series is thinned to at most [`BLOCKS_MAX`] blocks (medians, at the mean time of what was really sampled: nothing is filled in), single spikes are
//! cut back, a period and levels that come and go are looked for, and then the shapes of the mean that explain it best are weighed with every shape of noise (`posterior.rs`). The verdict is read off the
//! mixture. *Fail* where P(slope > tolerance) is at least [`SURE_FAIL`]. *Pass* where it is sure enough ([`SURE_PASS`]) that neither the slope nor the rate in the end, which a filling-up may add to, is
//! above the tolerance; and where this is so among the shapes with a line alone as well ([`SEEN`]): a level is simpler than a line, and would win by that wherever noise hides
//! everything. The detection limit has to be within the tolerance as well. *Inconclusive* otherwise.
//!
//! A fast change that no shape fits looks like slow noise, in which a line hides. So the part after the last one (`changes.rs`) is judged by itself. Stretches between restarts are judged
//! together (`restarts.rs`), and a series at its limit does not pass (`pinned.rs`).

pub(crate) mod basis;
mod changes;
mod forecast;
mod jumps;
mod noise;
mod period;
mod pinned;
mod posterior;
mod restarts;
mod shape;

use basis::{Basis, dot};
pub use changes::Change;
pub use forecast::Forecast;
use posterior::{Component, Design, Posterior, Scale};
pub use restarts::{falls_to_start, judge_restarted};

use crate::outcome::Verdict;
use crate::stats::location::{median, quantile};
use crate::stats::student::t_quantile;

/// More samples than this say hardly more of a slope, and cost time.
pub const BLOCKS_MAX: usize = 180;

/// Fewer samples than this are too few to tell a trend from noise.
pub const LEAST_SAMPLES: usize = 20;

/// Probabilities from which on a series fails and passes: those at which a leak of exactly the tolerance does either about one time in twenty, over the families that the judge was developed on. The
/// mixture is warier than its own numbers, because it reckons with shapes that few series have.
pub const SURE_FAIL: f64 = 0.9;
/// See [`SURE_FAIL`].
pub const SURE_PASS: f64 = 0.95;

/// The same for a pass among the shapes with a line alone, that is, without the credit that a level has for being simple.
pub const SEEN: f64 = 0.9;

/// The probability with which a leak at the detection limit is seen.
const POWER: f64 = 0.8;

/// A value further from the median of its neighbours than this many deviations is a spike.
const SPIKE_DEVIATIONS: f64 = 4.0;
const NEIGHBOURS: usize = 3;

/// A slope's scale beforehand, in tolerances: beside what the series' own range allows.
const SLOPE_IN_TOLERANCES: f64 = 4.0;

/// The part of the samples below which the height of a peak is read.
const PEAK: f64 = 0.98;

/// The share of the variance of time that nuisances may explain, or the slope cannot be told from them.
const IDENTIFIABLE: f64 = 0.9;

/// Why a series that grows only by a fast change is neither a pass nor a fail.
const RISE_OR_LEAK: &str = "it grows over the whole series, but not after its last fast change: measure for longer";

/// Why growth is not told from growth of the data.
const ONLY_GROWS: &str = "the data rises with time as memory does: growth of memory and growth of data cannot be told apart; hold the data still for some minutes, or give it back";

/// Why a series is no pass in which no growth is seen.
const UNSEEN: &str = "no growth is seen, but a leak above the tolerance could hide in the noise: measure for longer";

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Seconds, ascending.
    pub times_s: &'a [f64],
    /// The values at these times; none that is not finite.
    pub values: &'a [f64],
    /// Growth that is tolerated, in units of the values per second.
    pub tolerance: f64,
    /// Data that the target holds at the same times, which explains memory; empty where it is not known.
    pub live: &'a [f64],
    /// The limit that it must not reach.
    pub limit: Option<f64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one clause.
    pub reason: String,
    /// The shape that explains the series best.
    pub model: &'static str,
    /// Growth in units per second: the middle of what is likely.
    pub slope: f64,
    /// In which it lies with 90 %.
    pub interval: [f64; 2],
    /// The least growth that this series would have shown, per second.
    pub detectable: f64,
    /// Probability that the growth is above the tolerance.
    pub above: f64,
    /// The period that was found, in seconds.
    pub period_s: Option<f64>,
    /// Correlation time of the noise, in seconds.
    pub correlation_s: f64,
    /// The fast change of level that the judged part comes after; `None` where the whole series was judged.
    pub after: Option<Change>,
    /// Since when it stands at the limit, in the times of the samples.
    pub at_limit_since_s: Option<f64>,
    /// When the limit is reached, if it is more likely reached than not within 200 times what was measured.
    pub forecast: Option<Forecast>,
}

/// Judges a series, and where its level changed fast and then settled, the part after that as well.
///
/// # Errors
///
/// When there is too little to judge; the text says what is missing.
pub fn judge(question: &Question<'_>) -> Result<Answer, String> {
    // The limit is met by the whole series, and not by a part of it.
    judge_after_change(question).map(|answer| pinned::held(question, answer))
}

fn judge_after_change(question: &Question<'_>) -> Result<Answer, String> {
    let whole = judge_stretch(question)?;
    let start_s = question.times_s.first().copied().unwrap_or(0.0);
    let change = Prepared::of(question).ok().and_then(|series| changes::last(&series, start_s));
    let Some(change) = change.filter(|change| change.is_settled) else { return Ok(whole) };
    let from = question.times_s.partition_point(|time| *time < change.ended_s);
    let rest = Question {
        times_s: &question.times_s[from..],
        values: &question.values[from..],
        live: question.live.get(from..).unwrap_or(&[]),
        ..*question
    };
    // A part that is too short says nothing.
    let Ok(rest) = judge_stretch(&rest) else { return Ok(whole) };
    let rest = Answer { after: Some(change), ..rest };
    Ok(match (whole.verdict, rest.verdict) {
        // With so much noise the whole does not fit, and what it says of the slope is the change.
        (Verdict::Fail, _) if whole.detectable > question.tolerance => rest,
        (Verdict::Fail, Verdict::Pass) => {
            Answer { verdict: Verdict::Inconclusive, reason: RISE_OR_LEAK.to_owned(), ..whole }
        }
        (Verdict::Pass, Verdict::Pass | Verdict::Inconclusive) | (Verdict::Fail, _) => whole,
        (Verdict::Inconclusive, Verdict::Inconclusive) if whole.detectable < rest.detectable => whole,
        _ => rest,
    })
}

/// Judges all samples of a question together.
fn judge_stretch(question: &Question<'_>) -> Result<Answer, String> {
    judge_prepared(question, Prepared::of(question)?, None)
}

/// Judges a thinned series. Stretches that are judged together have levels of their own; the flag is whether a period is looked for beside them.
fn judge_prepared(
    question: &Question<'_>,
    mut series: Prepared,
    levels: Option<(Vec<Vec<f64>>, bool)>,
) -> Result<Answer, String> {
    if series.values.iter().all(|value| *value == 0.0) {
        return Err("it is 0 throughout: nothing was measured".to_owned());
    }
    let Some((centre, unit)) = series.rescale() else { return Ok(constant(question, &series)) };
    let tolerance = question.tolerance / unit;
    let length_s = series.length_s();
    let scale = Scale { slope: SLOPE_IN_TOLERANCES * tolerance + 1.0 / length_s, height: 1.0 };
    let mut nuisances = series.live_columns();
    if explained_of_time(&series.times_s, &nuisances) > IDENTIFIABLE {
        return restarts::judge_pauses(question).unwrap_or_else(|| Err(ONLY_GROWS.to_owned()));
    }
    let (levels, has_period) = levels.map_or((None, true), |(levels, period)| (Some(levels), period));
    let is_one = levels.is_none();
    nuisances.extend(levels.into_iter().flatten());
    let find = || period::find(&series.times_s, &series.values, &nuisances, scale);
    let period = has_period.then(find).flatten();
    let period_s = period.as_ref().map(|period| period.seconds);
    nuisances.extend(period.into_iter().flat_map(|period| period.columns));
    if is_one {
        nuisances.extend(jumps::find(&series.times_s, &series.values, &nuisances, (scale, tolerance)));
    }
    let design = Design { times_s: &series.times_s, values: &series.values, nuisances: &nuisances };
    let posterior = Posterior::refined(&design, scale).ok_or("too few samples for all that moves them")?;
    let forecast = question.limit.and_then(|limit| {
        let first_s = question.times_s.first().copied().unwrap_or(0.0);
        let times_s: Vec<f64> = question.times_s.iter().map(|time| time - first_s).collect();
        let values: Vec<f64> = question.values.iter().map(|value| (value - centre) / unit).collect();
        let samples = forecast::Samples { times_s: &times_s, values: &values };
        let beyond = || forecast::of(&design, &posterior.components, &samples, (limit - centre) / unit);
        series.already_at(question, limit).or_else(beyond)
    });
    let found = answer(&posterior, tolerance, length_s);
    Ok(Answer {
        slope: found.slope * unit,
        interval: found.interval.map(|end| end * unit),
        detectable: found.detectable * unit,
        period_s,
        forecast,
        ..found
    })
}

/// A series that never moves has nothing to grow.
fn constant(question: &Question<'_>, series: &Prepared) -> Answer {
    Answer {
        verdict: Verdict::Pass,
        reason: "the series never changed".to_owned(),
        model: "level",
        slope: 0.0,
        interval: [0.0, 0.0],
        detectable: 0.0,
        above: 0.0,
        period_s: None,
        correlation_s: 0.0,
        after: None,
        at_limit_since_s: None,
        forecast: question.limit.and_then(|limit| series.already_at(question, limit)),
    }
}

fn answer(posterior: &Posterior, tolerance: f64, length_s: f64) -> Answer {
    let above = 1.0 - posterior.at_most(tolerance, |one| one.slope);
    let bounded = |one: &Component| one.slope.at_most(tolerance).min(one.rate.at_most(tolerance));
    let below = posterior.share(bounded, |_| true);
    let seen = posterior.share(bounded, |one| one.shape.line);
    let filling = posterior.weight(|one| !one.shape.line && one.shape.is_filling(length_s));
    let best = posterior.components[0];
    let detectable = detectable(posterior);
    let (verdict, reason) = if above >= SURE_FAIL {
        (Verdict::Fail, "it grows by more than is tolerated".to_owned())
    } else if below >= SURE_PASS && seen >= SEEN && detectable <= tolerance {
        (Verdict::Pass, "it does not grow by more than is tolerated".to_owned())
    } else if filling > 0.5 * (1.0 - below) {
        (Verdict::Inconclusive, "it may still be filling up: measure for longer".to_owned())
    } else if below >= SURE_PASS {
        (Verdict::Inconclusive, UNSEEN.to_owned())
    } else {
        (Verdict::Inconclusive, "noise leaves both growth and none possible: measure for longer".to_owned())
    };
    let interval = [posterior.quantile(0.05), posterior.quantile(0.95)];
    let model = heaviest_model(posterior);
    Answer {
        verdict,
        reason,
        model,
        slope: posterior.quantile(0.5),
        interval,
        detectable,
        above,
        period_s: None,
        correlation_s: best.noise.tau_s,
        after: None,
        at_limit_since_s: None,
        forecast: None,
    }
}

/// The name that has most weight, over all moments, time constants and noises.
fn heaviest_model(posterior: &Posterior) -> &'static str {
    let mut weights: Vec<(&'static str, f64)> = Vec::new();
    for one in &posterior.components {
        match weights.iter_mut().find(|(name, _)| *name == one.shape.name()) {
            Some((_, weight)) => *weight += one.weight,
            None => weights.push((one.shape.name(), one.weight)),
        }
    }
    weights.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("level", |(name, _)| name)
}

/// The least growth that this series would have told from none: the distance from 0 that a line needs to be seen with 90 %, and that which noise takes
/// away less than one time in five. A pass needs it to be within the tolerance.
fn detectable(posterior: &Posterior) -> f64 {
    let lines: Vec<&Component> = posterior.components.iter().filter(|one| one.shape.line).collect();
    let weight: f64 = lines.iter().map(|one| one.weight).sum();
    if weight <= 0.0 {
        return 0.0;
    }
    let needed = |one: &&Component| {
        one.weight * one.slope.error * (t_quantile(SEEN, one.slope.df) + t_quantile(POWER, one.slope.df))
    };
    lines.iter().map(needed).sum::<f64>() / weight
}

/// A series, thinned and without its spikes; time begins at 0.
struct Prepared {
    times_s: Vec<f64>,
    values: Vec<f64>,
    live: Vec<f64>,
}

impl Prepared {
    fn of(question: &Question<'_>) -> Result<Self, String> {
        let Question { times_s, values, live, .. } = *question;
        let (Some(first), Some(last)) = (times_s.first(), times_s.last()) else {
            return Err("there are no samples".to_owned());
        };
        if values.len() < LEAST_SAMPLES || last <= first {
            return Err(format!("only {} samples; {LEAST_SAMPLES} at different times are needed", values.len()));
        }
        let blocks = BLOCKS_MAX.min(values.len());
        let width_s = (last - first) / blocks as f64;
        let block = |at_s: f64| (((at_s - first) / width_s) as usize).min(blocks - 1);
        let mut prepared = Self { times_s: Vec::new(), values: Vec::new(), live: Vec::new() };
        let mut from = 0;
        while from < values.len() {
            let this = block(times_s[from]);
            let to = (from..values.len()).find(|i| block(times_s[*i]) != this).unwrap_or(values.len());
            let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
            prepared.times_s.push(mean(&times_s[from..to]) - first);
            // Where a block holds many samples their median leaves single spikes out; of one or two it is the mean.
            prepared.values.push(median(&values[from..to]).unwrap_or(0.0));
            if live.len() == values.len() {
                prepared.live.push(mean(&live[from..to]));
            }
            from = to;
        }
        let moments = prepared.times_s.len();
        if moments < LEAST_SAMPLES {
            return Err(format!(
                "{} samples, but at only {moments} moments that stand apart; {LEAST_SAMPLES} are needed",
                values.len()
            ));
        }
        prepared.cut_spikes();
        Ok(prepared)
    }

    /// Brings the values to a range of about 1 around 0, so that no size of theirs drowns in rounding; gives centre and unit, or `None` where they never change.
    fn rescale(&mut self) -> Option<(f64, f64)> {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most <= least {
            return None;
        }
        // Without the outermost, unless it is they that move.
        let inner = quantile(&self.values, 0.975)? - quantile(&self.values, 0.025)?;
        let (centre, unit) = (median(&self.values)?, if inner > 0.0 { inner } else { most - least });
        for value in &mut self.values {
            *value = (*value - centre) / unit;
        }
        Some((centre, unit))
    }

    /// A limit that the last samples have reached is reached now.
    fn already_at(&self, question: &Question<'_>, limit: f64) -> Option<Forecast> {
        let last = &question.values[question.values.len().saturating_sub(LEAST_SAMPLES)..];
        let now = Forecast { in_s: 0.0, interval_s: [Some(0.0); 2] };
        (quantile(last, PEAK)? >= limit && !self.times_s.is_empty()).then_some(now)
    }

    fn length_s(&self) -> f64 {
        self.times_s.last().copied().unwrap_or(0.0)
    }

    /// Cuts single values that stand out from their neighbours back to what the scatter of such differences allows (Hampel's identifier).
    fn cut_spikes(&mut self) {
        let n = self.values.len();
        let around = |i: usize| {
            let (from, to) = (i.saturating_sub(NEIGHBOURS), (i + NEIGHBOURS + 1).min(n));
            median(&self.values[from..to]).unwrap_or(self.values[i])
        };
        let middles: Vec<f64> = (0..n).map(around).collect();
        let differences: Vec<f64> =
            self.values.iter().zip(&middles).map(|(value, middle)| (value - middle).abs()).collect();
        let allowed = SPIKE_DEVIATIONS * 1.4826 * median(&differences).unwrap_or(0.0);
        if allowed > 0.0 {
            for (value, middle) in self.values.iter_mut().zip(&middles) {
                *value = value.clamp(middle - allowed, middle + allowed);
            }
        }
    }

    /// What live data explains: its amount, and the greatest so far.
    fn live_columns(&self) -> Vec<Vec<f64>> {
        let (Some(least), Some(most)) =
            (self.live.iter().copied().reduce(f64::min), self.live.iter().copied().reduce(f64::max))
        else {
            return Vec::new();
        };
        if most <= least {
            return Vec::new();
        }
        // Of unit range, so that no column drowns in another's rounding.
        let live: Vec<f64> = self.live.iter().map(|value| (value - least) / (most - least)).collect();
        let mut so_far = 0.0_f64;
        let greatest = live.iter().map(|value| {
            so_far = so_far.max(*value);
            so_far
        });
        let greatest: Vec<f64> = greatest.collect();
        // Data that only ever rose is its own greatest amount.
        let mut columns = vec![live];
        let mut basis = Basis::default();
        basis.add(vec![1.0; greatest.len()]);
        basis.add(columns[0].clone());
        if basis.add(greatest.clone()).is_some() {
            columns.push(greatest);
        }
        columns
    }
}

/// The share of the variance of time that these columns explain: the coefficient of determination of time on them.
fn explained_of_time(times_s: &[f64], columns: &[Vec<f64>]) -> f64 {
    let mut level = Basis::default();
    level.add(vec![1.0; times_s.len()]);
    let mut basis = level.clone();
    for column in columns {
        basis.add(column.clone());
    }
    let left = |basis: &Basis| {
        let left = basis.cleared(times_s.to_vec());
        dot(&left, &left)
    };
    let whole = left(&level);
    if whole > 0.0 { 1.0 - left(&basis) / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Family;

    const HALF_HOUR_S: f64 = 1800.0;

    /// Judged with 1 MiB a minute tolerated.
    fn judged(family: Family, seed: u64, leak: f64) -> Answer {
        let (times_s, values) = family.series(seed, HALF_HOUR_S, 10.0, leak);
        judge(&Question { times_s: &times_s, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: None }).unwrap()
    }

    /// A few series of each family; `ci/bench verdict` has many.
    #[test]
    fn leaks_are_found_and_healthy_series_pass_in_every_family() {
        for (family, name) in Family::ALL {
            let of = |leak: f64, verdict: Verdict| {
                (0..4).filter(|seed| judged(family, 900 + seed, leak).verdict == verdict).count()
            };
            assert_eq!(of(0.0, Verdict::Fail), 0, "{name}: false fails");
            assert_eq!(of(2.0, Verdict::Pass), 0, "{name}: false passes");
            assert!(of(0.0, Verdict::Pass) >= 3, "{name}: passes");
            assert!(of(4.0, Verdict::Fail) >= 3, "{name}: leaks found");
        }
    }

    #[test]
    fn noise_that_hides_everything_is_no_pass() {
        for leak in [0.0, 2.0] {
            let times: Vec<f64> = (0..180).map(|i| f64::from(i) * 10.0).collect();
            let noise = |i: usize| 1000.0 * crate::stats::draws::normal(i as u64 + 7000 * leak as u64);
            let values: Vec<f64> =
                times.iter().enumerate().map(|(i, time)| 8000.0 + leak * time / 60.0 + noise(i)).collect();
            let question = Question { times_s: &times, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: None };
            let answer = judge(&question).unwrap();
            assert_eq!(answer.verdict, Verdict::Inconclusive, "leak {leak}: {answer:?}");
            assert!(answer.detectable > 10.0 / 60.0, "{answer:?}");
        }
    }

    #[test]
    fn series_without_any_noise_are_judged_as_well() {
        let times: Vec<f64> = (0..180).map(f64::from).collect();
        let of = |value: fn(f64) -> f64| {
            let values: Vec<f64> = times.iter().map(|time| value(*time)).collect();
            judge(&Question { times_s: &times, values: &values, tolerance: 1e4, live: &[], limit: None }).unwrap()
        };
        let step = of(|time| if time < 90.0 { 5e8 } else { 8e8 });
        assert_eq!((step.verdict, step.model), (Verdict::Pass, "step"), "{step:?}");
        let line = of(|time| 5e8 + 1e6 * time);
        assert_eq!((line.verdict, line.model), (Verdict::Fail, "leak"), "{line:?}");
        let late = of(|time| if time < 176.0 { 5e8 } else { 5e8 + 1e8 * (time - 175.0) });
        assert_ne!(late.verdict, Verdict::Pass, "{late:?}");
    }

    #[test]
    fn a_leak_behind_memory_that_is_given_back_does_not_pass() {
        let times: Vec<f64> = (0..180).map(|i| f64::from(i) * 10.0).collect();
        let value = |(i, time): (usize, &f64)| {
            500.0 + 300.0 * (-time / 1800.0).exp() + 4.0 * time / 60.0 + crate::stats::draws::normal(i as u64)
        };
        let values: Vec<f64> = times.iter().enumerate().map(value).collect();
        let question = Question { times_s: &times, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: None };
        assert_ne!(judge(&question).unwrap().verdict, Verdict::Pass);
    }

    #[test]
    fn what_is_still_filling_is_neither_a_leak_nor_well() {
        let times: Vec<f64> = (0..180).map(|i| f64::from(i) * 10.0).collect();
        let values: Vec<f64> = times
            .iter()
            .enumerate()
            .map(|(i, time)| 300.0 * (1.0 - (-time / 1000.0).exp()) + 3.0 * crate::stats::draws::normal(i as u64))
            .collect();
        let question = Question { times_s: &times, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: None };
        let answer = judge(&question).unwrap();
        assert_eq!(answer.verdict, Verdict::Inconclusive, "{answer:?}");
        assert!(answer.reason.contains("filling"), "{answer:?}");
    }

    #[test]
    fn growth_of_the_data_is_not_growth_of_the_memory() {
        let times: Vec<f64> = (0..180).map(|i| f64::from(i) * 10.0).collect();
        let live: Vec<f64> = times.iter().map(|time| 100.0 + 50.0 * (time / 200.0).sin() + 0.02 * time).collect();
        let noise = |i: usize| 3.0 * crate::stats::draws::normal(i as u64);
        let values: Vec<f64> = live.iter().enumerate().map(|(i, live)| 50.0 + 1.4 * live + noise(i)).collect();
        let question = Question { times_s: &times, values: &values, tolerance: 1.0 / 60.0, live: &live, limit: None };
        assert_ne!(judge(&Question { live: &[], ..question }).unwrap().verdict, Verdict::Pass);
        assert_eq!(judge(&question).unwrap().verdict, Verdict::Pass);
        let only_up: Vec<f64> = times.iter().map(|time| 100.0 + time).collect();
        assert!(judge(&Question { live: &only_up, ..question }).unwrap_err().contains("cannot be told apart"));
    }

    #[test]
    fn too_little_and_nothing_are_said_so() {
        let ask = |times_s: &[f64], values: &[f64]| {
            judge(&Question { times_s, values, tolerance: 1.0, live: &[], limit: None })
        };
        assert!(ask(&[], &[]).unwrap_err().contains("no samples"));
        assert!(ask(&[0.0, 1.0], &[1.0, 2.0]).unwrap_err().contains("only 2 samples"));
        let times: Vec<f64> = (0..60).map(f64::from).collect();
        assert!(ask(&times, &[0.0; 60]).unwrap_err().contains("nothing was measured"));
        assert_eq!(ask(&times, &[5.0; 60]).unwrap().verdict, Verdict::Pass);
    }

    #[test]
    fn a_limit_is_reached_when_the_line_gets_there() {
        let (times_s, values) = Family::White.series(5, HALF_HOUR_S, 10.0, 4.0);
        let question =
            Question { times_s: &times_s, values: &values, tolerance: 1.0 / 60.0, live: &[], limit: Some(1000.0) };
        // 500 + 4 · 30 at the end; peaks stand some 16 above; so 364 more at 4 a minute.
        let forecast = judge(&question).unwrap().forecast.unwrap();
        let [Some(early), Some(late)] = forecast.interval_s else { panic!("{forecast:?}") };
        assert!(early < 5460.0 && 5460.0 < late && late < 1.2 * early, "{forecast:?}");
        let now = judge(&Question { limit: Some(510.0), ..question }).unwrap().forecast.unwrap();
        assert!(now.in_s <= 0.0, "{now:?}");
        let (times_s, values) = Family::White.series(5, HALF_HOUR_S, 10.0, 0.0);
        assert_eq!(judge(&Question { times_s: &times_s, values: &values, ..question }).unwrap().forecast, None);
    }
}
