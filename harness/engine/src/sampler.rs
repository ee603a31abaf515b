//! Samplers: read series at their own pace, hand them to the journal, and keep the last of them for those who wait for rest.

mod harness;
pub(crate) mod proc;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soak_scenario::Sampling;
use soak_scenario::series::Source;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::journal::Journal;
use crate::load::Books;
use crate::target::{Cause, Misfit, Probe, Values};
pub(crate) use harness::HarnessUse;

/// How much of a series is kept: more than any look-back.
const KEPT: usize = 4096;

/// The latest values of the two series that the run itself waits for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latest {
    rss_anon: Arc<Mutex<VecDeque<(f64, f64)>>>,
    goroutines: Arc<Mutex<Option<(f64, f64)>>>,
    /// How often the target's metrics page was read.
    page_reads: Arc<AtomicU64>,
    /// Every series as it was last read.
    all: Arc<Mutex<BTreeMap<&'static str, f64>>>,
}

impl Latest {
    fn push_rss(&self, at_s: f64, bytes: f64) {
        let mut kept = self.rss_anon.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((at_s, bytes));
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }

    fn keep(&self, values: &Values) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).extend(values.iter().copied());
    }

    /// A series as it was last read.
    pub(crate) fn read(&self, series: &str) -> Option<f64> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(series).copied()
    }

    /// Anonymous resident memory since this moment, oldest first.
    pub(crate) fn rss_since(&self, from_s: f64) -> Vec<f64> {
        let kept = self.rss_anon.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|(at_s, _)| *at_s >= from_s).map(|(_, bytes)| *bytes).collect()
    }

    /// How often the target's metrics page was read so far.
    pub(crate) fn page_reads(&self) -> u64 {
        self.page_reads.load(Ordering::Relaxed)
    }

    /// Tasks as last read, and when.
    pub(crate) fn goroutines(&self) -> Option<(f64, f64)> {
        *self.goroutines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running samplers of a variant. Dropping them stops them.
#[derive(Debug)]
pub(crate) struct Samplers {
    pub(crate) latest: Latest,
    _tasks: JoinSet<()>,
}

impl Samplers {
    /// Starts reading.
    pub(crate) fn start(journal: &Journal, probe: &Arc<dyn Probe>, books: &Arc<Books>, sampling: &Sampling) -> Self {
        let latest = Latest::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(process(journal.clone(), Arc::clone(probe), latest.clone(), sampling.process.0));
        tasks.spawn(metrics(journal.clone(), Arc::clone(probe), latest.clone(), sampling.metrics.0));
        tasks.spawn(smaps(journal.clone(), Arc::clone(probe), sampling.smaps.0));
        tasks.spawn(harness::sample(journal.clone(), Arc::clone(books), sampling.process.0));
        Self { latest, _tasks: tasks }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    // A sampler that was held up goes on from there; a burst would only disturb.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn process(journal: Journal, probe: Arc<dyn Probe>, latest: Latest, every: Duration) {
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        let at_s = journal.now_s();
        let values = probe.process().await;
        if let Some((_, bytes)) = values.iter().find(|(name, _)| *name == "rss_anon_bytes") {
            latest.push_rss(at_s, *bytes);
        }
        latest.keep(&values);
        journal.sample(Source::Process, at_s, values);
    }
}

/// A page that is too large to be read will not be smaller in a moment.
const REST_AFTER_TOO_LARGE: Duration = Duration::from_secs(10);

async fn metrics(journal: Journal, probe: Arc<dyn Probe>, latest: Latest, every: Duration) {
    let mut ticks = ticks(every);
    let mut took_before = Duration::ZERO;
    loop {
        ticks.tick().await;
        let at_s = journal.now_s();
        let began = Instant::now();
        // A page that could not be read is a gap, and gaps are left as they are.
        let page = probe.metrics().await;
        let took = began.elapsed();
        let rest = match &page {
            Ok(_) => rest_between_pages([std::mem::replace(&mut took_before, took), took], every),
            Err(error) if error.cause() == Cause::Unfit(Misfit::TooLarge) => REST_AFTER_TOO_LARGE,
            Err(_) => Duration::ZERO,
        };
        let mut values = page.unwrap_or_default();
        values.extend(probe.json().await);
        if let Some((_, count)) = values.iter().find(|(name, _)| *name == "goroutines") {
            *latest.goroutines.lock().unwrap_or_else(PoisonError::into_inner) = Some((at_s, *count));
        }
        latest.page_reads.fetch_add(u64::from(!values.is_empty()), Ordering::Relaxed);
        latest.keep(&values);
        journal.sample(Source::Metrics, at_s, values);
        tokio::time::sleep(rest).await;
    }
}

async fn smaps(journal: Journal, probe: Arc<dyn Probe>, every: Duration) {
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        let at_s = journal.now_s();
        journal.sample(Source::Smaps, at_s, probe.smaps().await);
    }
}

/// How long a server is left alone that took so long to write its last two pages: being watched must not be its main work. One late page says nothing of that.
/// The server may have been held up, and what comes just after is worth seeing.
fn rest_between_pages(took: [Duration; 2], every: Duration) -> Duration {
    took[0].min(took[1]).saturating_sub(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_slow_is_left_alone_and_one_that_was_held_up_is_not() {
        let rest =
            |before, last| rest_between_pages([before, last].map(Duration::from_millis), Duration::from_millis(50));
        assert_eq!(rest(700, 800), Duration::from_millis(650));
        assert_eq!(rest(5, 3000), Duration::ZERO, "held up once");
        assert_eq!(rest(3000, 5), Duration::ZERO);
    }
}
