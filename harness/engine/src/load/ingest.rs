//! Ingest: batches through several streams at once, as fast as the target takes them or when a schedule says. Back-pressure is honoured and counted,
//! silence is noticed, and every batch ends in one of three fates.

mod feed;
mod stream;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soak_workload::Starts;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::load::{Latencies, Progress};
use crate::target::{Batch, Client};
use feed::Feed;
use stream::{StreamEnd, run_stream};

/// Broken or refused streams in a row, with nothing acknowledged between, after which a worker no longer tries.
const BREAKS_AT_MOST: u32 = 5;

/// Rest after a broken stream, times the number of breaks in a row.
const REST_AFTER_BREAK: Duration = Duration::from_millis(100);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Acknowledged: by an answer of its own, or by the good end of its stream.
    Acknowledged,
    /// No answer came: perhaps it is there, perhaps not.
    Indeterminate,
    /// The target said no.
    Refused,
}

/// What is to be put, and how.
pub struct IngestJob {
    /// The batches, in order.
    pub batches: Box<dyn Iterator<Item = Batch> + Send>,
    /// When they are due; `None`: as fast as the target takes them.
    pub starts: Option<Starts>,
    /// No batch is started after this long.
    pub length: Option<Duration>,
    /// Streams at once.
    pub streams: u32,
    /// A target that neither takes nor answers anything for this long is given up.
    pub silence_at_most: Duration,
    /// Asked all the while: whether to end now, with what there is.
    pub given_up: Box<dyn Fn() -> bool + Send + Sync>,
    /// Asked when streams break again and again: whether to go on trying.
    pub persists: Box<dyn Fn() -> bool + Send + Sync>,
    /// Is told of every batch's fate.
    pub tell: Box<dyn Fn(Batch, Fate) + Send + Sync>,
}

/// The account of an ingest.
#[derive(Debug, Clone, Default)]
pub struct Ingested {
    /// Rows sent.
    pub rows: u64,
    /// Rows acknowledged.
    pub acked_rows: u64,
    /// Batches acknowledged.
    pub acked_batches: u64,
    /// Rows of the largest batch that was acknowledged.
    pub largest_acked: u32,
    /// Rows whose answer never came.
    pub indeterminate_rows: u64,
    /// Rows refused.
    pub refused_rows: u64,
    /// Answers that asked for patience.
    pub back_pressure: u64,
    /// From the first batch to the last answer.
    pub seconds: f64,
    /// Latencies of batches that had an answer of their own.
    pub latencies: Latencies,
    /// The longest time for which the target neither took nor answered anything while it was asked to.
    pub longest_silence: Duration,
    /// Whether it was given up for that.
    pub gave_up: bool,
    /// The last error, for people.
    pub last_error: Option<String>,
}

/// What the workers share.
struct Shared {
    client: Arc<dyn Client>,
    feed: Mutex<Feed>,
    silence_at_most: Duration,
    given_up: Box<dyn Fn() -> bool + Send + Sync>,
    persists: Box<dyn Fn() -> bool + Send + Sync>,
    tell: Box<dyn Fn(Batch, Fate) + Send + Sync>,
    account: Mutex<Ingested>,
    back_pressure: AtomicU64,
    gave_up: AtomicBool,
}

impl Shared {
    fn account(&self) -> std::sync::MutexGuard<'_, Ingested> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_batch(&self) -> Option<feed::Due> {
        if self.gave_up.load(Ordering::Relaxed) || (self.given_up)() {
            return None;
        }
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn settle(&self, batch: Batch, fate: Fate) {
        let rows = u64::from(batch.rows);
        let mut account = self.account();
        match fate {
            Fate::Acknowledged => {
                account.acked_rows += rows;
                account.acked_batches += 1;
                account.largest_acked = account.largest_acked.max(batch.rows);
            }
            Fate::Indeterminate => account.indeterminate_rows += rows,
            Fate::Refused => account.refused_rows += rows,
        }
        if fate != Fate::Acknowledged {
            account.latencies.error();
        }
        drop(account);
        (self.tell)(batch, fate);
    }
}

/// Puts all of a job; returns when every batch has met its fate.
pub async fn ingest(client: Arc<dyn Client>, job: IngestJob) -> Ingested {
    let began = Instant::now();
    let streams = job.streams;
    let shared = Arc::new(Shared {
        client,
        feed: Mutex::new(Feed::new(job.batches, job.starts, job.length)),
        silence_at_most: job.silence_at_most,
        given_up: job.given_up,
        persists: job.persists,
        tell: job.tell,
        account: Mutex::new(Ingested::default()),
        back_pressure: AtomicU64::new(0),
        gave_up: AtomicBool::new(false),
    });
    // Tasks of their own, so that streams are fed on every core; a set, so that none outlives the job, also when it is given up.
    let mut workers: JoinSet<()> = (0..streams).map(|_| work(Arc::clone(&shared))).collect();
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended {
            shared.account().last_error = Some(format!("a worker of the harness failed: {error}"));
        }
    }
    let mut account = shared.account().clone();
    let never = shared.feed.lock().unwrap_or_else(PoisonError::into_inner).never_started();
    account.latencies.never_started(never);
    account.seconds = began.elapsed().as_secs_f64();
    account.back_pressure = shared.back_pressure.load(Ordering::Relaxed);
    account.gave_up = shared.gave_up.load(Ordering::Relaxed);
    account
}

/// One stream after another, until nothing is left to put.
async fn work(shared: Arc<Shared>) {
    let mut breaks = 0;
    let mut next = shared.next_batch();
    while let Some(first) = next.take() {
        let progress = Progress::default();
        let end = run_stream(&shared, first, &progress).await;
        {
            let mut account = shared.account();
            account.longest_silence = account.longest_silence.max(progress.longest());
        }
        match end {
            StreamEnd::Over => return,
            StreamEnd::Full => {}
            StreamEnd::Silent => {
                shared.gave_up.store(true, Ordering::Relaxed);
                return;
            }
            StreamEnd::Broken { error, moved } => {
                breaks = if moved { 1 } else { breaks + 1 };
                shared.account().last_error = Some(error.to_string());
                if breaks >= BREAKS_AT_MOST && !(shared.persists)() {
                    return;
                }
                tokio::time::sleep(REST_AFTER_BREAK * breaks.min(BREAKS_AT_MOST)).await;
            }
        }
        next = shared.next_batch();
    }
}
