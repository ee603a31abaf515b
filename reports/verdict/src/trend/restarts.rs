//! A target that is killed and started again: its memory falls to the level of its start, and what it grows by shows only between two starts. The stretches are judged together, each with
//! a level of its own and one slope for all of them; the longest is judged by itself as well.

use super::{Answer, LEAST_SAMPLES, Prepared, Question, judge, judge_prepared};
use crate::outcome::Verdict;
use crate::stats::location::{median, quantile};

/// A start has this part of the climb before it at most left.
const NEAR_START: f64 = 0.15;
/// A fall of less than this part of the value is a collection or a compaction.
const FALL: f64 = 0.25;
/// From this part of the limit on a process is killed.
const NEAR_LIMIT: f64 = 0.9;
/// Samples between two starts.
const APART: usize = 5;
/// A series that stays at its first level for more than this part of the time has pauses, not restarts.
const PAUSED: f64 = 0.35;
/// The first samples of a stretch, up to this quantile of its values, are the target's start.
const STARTING: f64 = 0.25;

/// The samples at which a series has fallen to the level of its first ones: restarts, unless something else is known of them. One fall alone is one only from a limit.
pub fn falls_to_start(values: &[f64], limit: Option<f64>) -> Vec<usize> {
    let Some(start) = median(&values[..values.len().min(3)]) else { return Vec::new() };
    let mut falls: Vec<usize> = Vec::new();
    let mut from_limit = false;
    let mut since = 0;
    for i in 2..values.len() {
        let (before, now) = (values[i - 1].max(values[i - 2]), values[i]);
        let climb = before - start;
        let is_at_limit = limit.is_some_and(|limit| before >= NEAR_LIMIT * limit && climb >= 0.1 * limit);
        let is_far = before - now >= FALL * before || is_at_limit;
        // Far below the start nothing runs: a reading that failed.
        if is_far && climb > 0.0 && now <= start + NEAR_START * climb && now >= 0.5 * start && i - since >= APART {
            falls.push(i);
            since = i;
            from_limit |= is_at_limit;
        }
    }
    if falls.is_empty() || (falls.len() == 1 && !from_limit) {
        return Vec::new();
    }
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = values.iter().filter(|value| **value <= start + NEAR_START * (most - start)).count();
    if low as f64 > PAUSED * values.len() as f64 { Vec::new() } else { falls }
}

/// Judges a series with restarts before these samples. Where no counter told them, the longest stretch alone is no pass.
///
/// # Errors
///
/// When there is too little to judge; the text says what is missing.
pub fn judge_restarted(question: &Question<'_>, restarts: &[usize], is_counted: bool) -> Result<Answer, String> {
    let stretches = stretches(question, restarts);
    let length =
        |part: &Question<'_>| part.times_s.last().zip(part.times_s.first()).map_or(0.0, |(last, first)| last - first);
    let Some((index, longest)) = stretches.iter().enumerate().max_by(|a, b| length(a.1).total_cmp(&length(b.1))) else {
        return judge(question);
    };
    // What was restarted since then no longer goes where the stretch went.
    let limit = question.limit.filter(|_| index + 1 == stretches.len());
    let alone = judge(&Question { limit, ..*longest });
    match (together(&stretches, Between::Restarts), alone) {
        (Ok(all), Ok(alone)) => Ok(match (all.verdict, alone.verdict) {
            (Verdict::Fail, Verdict::Pass) | (Verdict::Pass, Verdict::Fail) => Answer {
                verdict: Verdict::Inconclusive,
                reason: "the stretches between restarts contradict each other: measure for longer without a restart"
                    .to_owned(),
                ..alone
            },
            (Verdict::Fail | Verdict::Pass, _) => Answer { forecast: alone.forecast, ..all },
            (Verdict::Inconclusive, Verdict::Pass) if !is_counted => all,
            _ => alone,
        }),
        (Ok(all), Err(_)) => Ok(all),
        (Err(why), Ok(alone)) if alone.verdict == Verdict::Pass && !is_counted => Err(why),
        (Err(_), alone) => alone,
    }
}

fn stretches<'a>(question: &Question<'a>, restarts: &[usize]) -> Vec<Question<'a>> {
    let ends = restarts.iter().copied().chain([question.values.len()]);
    let starts = std::iter::once(0).chain(restarts.iter().copied());
    let part = |(from, to): (usize, usize)| Question {
        times_s: &question.times_s[from..to],
        values: &question.values[from..to],
        live: question.live.get(from..to).unwrap_or(&[]),
        limit: None,
        ..*question
    };
    starts.zip(ends).filter(|(from, to)| to > from).map(part).collect()
}

/// What lies between two stretches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// They may come at equal times, and a period then takes away what grows between them.
    Restarts,
    Pauses,
}

/// All stretches with one slope. Each begins where its start is over.
fn together(stretches: &[Question<'_>], between: Between) -> Result<Answer, String> {
    let first = stretches.first().ok_or("there are no samples")?;
    let usable: Vec<Question<'_>> =
        stretches.iter().filter(|part| part.values.len() >= APART).map(without_start).collect();
    let samples: usize = usable.iter().map(|part| part.values.len()).sum();
    let each = super::BLOCKS_MAX as f64 / samples.max(1) as f64;
    let mut series = Prepared { times_s: Vec::new(), values: Vec::new(), live: Vec::new() };
    let mut begins = Vec::new();
    for part in &usable {
        let blocks = ((part.values.len() as f64 * each).ceil() as usize).clamp(2, part.values.len());
        begins.push(series.values.len());
        let mut thinned = Prepared { times_s: Vec::new(), values: Vec::new(), live: Vec::new() };
        for block in 0..blocks {
            let (from, to) = (block * part.values.len() / blocks, (block + 1) * part.values.len() / blocks);
            let mean = part.times_s[from..to].iter().sum::<f64>() / (to - from) as f64;
            thinned.times_s.push(mean - first.times_s[0]);
            thinned.values.push(median(&part.values[from..to]).unwrap_or(0.0));
        }
        thinned.cut_spikes();
        series.times_s.extend(thinned.times_s);
        series.values.extend(thinned.values);
    }
    let n = series.values.len();
    if n < LEAST_SAMPLES || begins.len() * 2 > n {
        return Err(format!("only {samples} samples between restarts; {LEAST_SAMPLES} are needed"));
    }
    let level = |begin: &usize| (0..n).map(|i| f64::from(u8::from(i >= *begin))).collect::<Vec<f64>>();
    let levels: Vec<Vec<f64>> = begins.iter().skip(1).map(level).collect();
    judge_prepared(&Question { limit: None, ..*first }, series, Some((levels, between == Between::Pauses)))
}

/// Judges the pauses of the load, in which the data stands still: what memory grows by there is not explained by data. `None` without enough of them. Of each pause the first third is left out,
/// in which memory of the load is still given back.
pub(super) fn judge_pauses(question: &Question<'_>) -> Option<Result<Answer, String>> {
    let live = question.live;
    if live.len() != question.values.len() {
        return None;
    }
    let ends = (1..=live.len()).filter(|i| *i == live.len() || (live[*i] - live[*i - 1]).abs() > 0.0);
    let mut from = 0;
    let mut pauses = Vec::new();
    for to in ends {
        let begin = from + (to - from) / 3;
        if to - from >= 3 * APART {
            let (times_s, values) = (&question.times_s[begin..to], &question.values[begin..to]);
            pauses.push(Question { times_s, values, live: &[], limit: None, ..*question });
        }
        from = to;
    }
    let samples: usize = pauses.iter().map(|part| part.values.len()).sum();
    (samples >= 2 * LEAST_SAMPLES).then(|| together(&pauses, Between::Pauses)).map(|answer| {
        answer.map(|answer| Answer { reason: format!("in the pauses of the load {}", answer.reason), ..answer })
    })
}

/// A stretch from where its values first reach what is low for them.
fn without_start<'a>(part: &Question<'a>) -> Question<'a> {
    let low = quantile(part.values, STARTING).unwrap_or(f64::NEG_INFINITY);
    let from = part.values.iter().position(|value| *value >= low).unwrap_or(0);
    Question { times_s: &part.times_s[from..], values: &part.values[from..], ..*part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draws::normal;

    const MIB: f64 = 1_048_576.0;

    /// Climbs from a start by a rate a minute, with a fall every so many minutes, one sample in 30 s for eight hours.
    fn climbs(start: f64, rate: f64, every_min: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let times: Vec<f64> = (0..960).map(|i| f64::from(i) * 30.0).collect();
        let value = |(i, time): (usize, &f64)| {
            MIB * (start + rate * (time / 60.0 % every_min) + 0.5 * normal(seed * 10_000 + i as u64))
        };
        let values = times.iter().enumerate().map(value).collect();
        (times, values)
    }

    #[test]
    fn a_climb_between_restarts_fails() {
        for (start, rate, every) in [(90.0, 7.0, 60.0), (200.0, 20.0, 13.0), (50.0, 2.0, 45.0), (400.0, 100.0, 6.0)] {
            let (times_s, values) = climbs(start, rate, every, 3);
            let restarts = falls_to_start(&values, None);
            assert_eq!(restarts.len(), (480.0_f64 / every).ceil() as usize - 1, "{start} {rate} {every}");
            let question =
                Question { times_s: &times_s, values: &values, tolerance: MIB / 60.0, live: &[], limit: None };
            let answer = judge_restarted(&question, &restarts, false).unwrap();
            assert_eq!(answer.verdict, Verdict::Fail, "{start} {rate} {every}: {answer:?}");
            assert!((answer.slope * 60.0 / MIB / rate - 1.0).abs() < 0.1, "{answer:?}");
        }
    }

    #[test]
    fn collections_and_pauses_are_no_restarts() {
        let (_, values) = climbs(500.0, 8.0, 12.0, 4);
        assert_eq!(falls_to_start(&values, None).len(), 0, "a fall by a sixth is a compaction");
        assert_ne!(falls_to_start(&values, Some(600.0 * MIB)).len(), 0, "from a limit it is a restart");
        let bursts: Vec<f64> = (0..960).map(|i| if i % 120 < 60 { 100.0 * MIB } else { 300.0 * MIB }).collect();
        assert_eq!(falls_to_start(&bursts, None).len(), 0, "between bursts it rests at its first level");
    }
}
