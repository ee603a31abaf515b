//! `soak judge --csv … --series GLOB`: many series of one table, each judged by itself, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use soak_verdict::{Verdict, human};

use super::elsewhere::{Elsewhere, Found};
use crate::failure::Failure;
use crate::recording::shown;
use crate::table::table;

/// Answers, in the order of the columns.
pub(super) struct Several(Vec<One>);

struct One {
    series: String,
    verdict: Verdict,
    reason: String,
    /// From the least to the most, and how many samples there are over which time, in words.
    level: String,
    samples: String,
    /// Growth, its interval, and what would have been seen, in words.
    growth: String,
    detectable: String,
    document: serde_json::Value,
}

impl Several {
    /// Judges every series that was read. A few are worked on at a time, so that memory does not grow with their number.
    pub(super) fn judge(asked: &Elsewhere, found: &Found) -> Result<Self, Failure> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Result<One, Failure>)>> = Mutex::new(Vec::new());
        let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= found.len() {
                            return;
                        }
                        let one = One::judge(asked, found, index);
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, one)| one).collect::<Result<_, _>>().map(Self)
    }

    /// The worst of them.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::over(self.0.iter().map(|one| one.verdict)).unwrap_or(Verdict::Inconclusive)
    }

    pub(super) fn json(&self) -> Vec<&serde_json::Value> {
        self.0.iter().map(|one| &one.document).collect()
    }

    /// What failed first, then what is open, then the rest.
    pub(super) fn words(&self) -> String {
        let count = |verdict| self.0.iter().filter(|one| one.verdict == verdict).count();
        let mut text = format!(
            "{} — {} series: {} fail, {} inconclusive, {} pass\n\n",
            self.verdict().name().to_uppercase(),
            self.0.len(),
            count(Verdict::Fail),
            count(Verdict::Inconclusive),
            count(Verdict::Pass)
        );
        let mut order: Vec<&One> = self.0.iter().collect();
        order.sort_by_key(|one| std::cmp::Reverse(one.verdict));
        let row = |one: &&One| {
            [
                shown(&one.series),
                one.verdict.name().to_owned(),
                one.level.clone(),
                one.samples.clone(),
                one.growth.clone(),
                one.detectable.clone(),
                one.reason.clone(),
            ]
        };
        let rows: Vec<[String; 7]> = order.iter().map(row).collect();
        text.push_str(&table(["series", "verdict", "level", "samples", "growth a minute", "detectable", "why"], &rows));
        text
    }
}

impl One {
    fn judge(asked: &Elsewhere, found: &Found, index: usize) -> Result<Self, Failure> {
        let judged = asked.judged(found, index)?;
        let answer = judged.answer();
        let a_minute = |rate: f64| human::bytes(rate * 60.0);
        let (growth, detectable) = answer.as_ref().map_or_else(
            |_| ("–".to_owned(), "–".to_owned()),
            |answer| {
                let [low, high] = answer.interval.map(a_minute);
                (format!("{} ({low} to {high})", a_minute(answer.slope)), a_minute(answer.detectable))
            },
        );
        let document = judged.json(&answer);
        let series = judged.series.to_owned();
        let [level, samples] = judged.level_and_samples();
        let (verdict, reason) = match answer {
            Ok(answer) => (answer.verdict, answer.reason),
            Err(why) => (Verdict::Inconclusive, why),
        };
        Ok(Self { series, verdict, reason, level, samples, growth, detectable, document })
    }
}
