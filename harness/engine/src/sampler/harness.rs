//! The harness about itself: is it flatter than what it measures, and was it the bottleneck?

use std::sync::Arc;
use std::time::Duration;

use soak_scenario::series::Source;
use tokio::time::Instant;

use crate::journal::Journal;
use crate::load::Books;
use crate::sampler::proc;

/// Processor time of the harness since some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HarnessUse {
    since: Instant,
    cpu_seconds: f64,
}

impl HarnessUse {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self { since: Instant::now(), cpu_seconds: proc::cpu_seconds("self").unwrap_or(0.0) }
    }

    /// Processor share since then; 1 is one core. `None` while too little time has gone by to tell.
    pub(crate) fn cpu_share(&self) -> Option<f64> {
        let seconds = self.since.elapsed().as_secs_f64();
        let used = proc::cpu_seconds("self")? - self.cpu_seconds;
        // The kernel counts in hundredths of a second.
        (seconds >= 0.05).then(|| used / seconds)
    }
}

pub(super) async fn sample(journal: Journal, books: Arc<Books>, every: Duration) {
    let mut ticks = super::ticks(every);
    let mut last = HarnessUse::start();
    let mut share = None;
    loop {
        ticks.tick().await;
        if last.since.elapsed() >= Duration::from_secs(1) {
            share = last.cpu_share();
            last = HarnessUse::start();
        }
        let mut values = vec![
            ("acked_vectors_total", books.acked_total() as f64),
            ("ledger_live_vectors", books.ledger().live() as f64),
            ("in_flight", books.in_flight() as f64),
        ];
        values.extend(proc::host_memory());
        values.extend(proc::rss_bytes("self").map(|bytes| ("harness_rss_bytes", bytes)));
        values.extend(share.map(|share| ("harness_cpu_share", share)));
        journal.sample(Source::Harness, journal.now_s(), values);
    }
}
