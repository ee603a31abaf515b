//! The store: datasets by name, the indexer's work list, compaction, counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use soak_scenario::BadCompaction;
use soak_scenario::units::ByteRate;

use crate::arena::SlabPool;
use crate::batch::{self, BatchError};
use crate::collector::Collector;
use crate::config::{Config, Dialect};
use crate::connections::Connections;
use crate::dataset::{ChangeError, Dataset, DatasetStats, RowId, Thoroughness};
use crate::graph::Builders;
use crate::misbehave::Leaks;
use crate::switched_leak::SwitchedLeak;
use crate::tasks::Tasks;
use crate::wal::{Entry, Folder, LogError, Replay, Totals};

/// Live rows: ids and vectors.
type LiveRows = Vec<(RowId, Vec<f32>)>;

/// Vectors that wait for the indexer; from here on puts are answered with `slow_down`.
const BACKLOG_BYTES_MAX: u64 = 512 << 20;

/// The store behind the servers.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) slabs: Arc<SlabPool>,
    pub(crate) collector: Collector,
    pub(crate) leaks: Leaks,
    pub(crate) connections: Arc<Connections>,
    pub(crate) switched_leak: SwitchedLeak,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) counters: Counters,
    builders: Arc<Builders>,
    pub(crate) log_totals: Arc<Totals>,
    /// Where logs are kept; `None` where nothing outlives the process.
    logs: Option<Folder>,
    datasets: RwLock<BTreeMap<String, Arc<Dataset>>>,
    compactions_stopped: AtomicBool,
    durations: Mutex<Durations>,
}

/// Counters of the metrics page; all from zero.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub put_rows: AtomicU64,
    pub put_messages: AtomicU64,
    pub put_message_rows_max: AtomicU64,
    pub put_message_dim: AtomicU64,
    pub slow_downs: AtomicU64,
    pub searches: AtomicU64,
    pub deletes: AtomicU64,
    pub compactions: AtomicU64,
    pub compaction_ok: AtomicU64,
    pub compaction_errors: AtomicU64,
    pub compaction_skipped: AtomicU64,
}

/// Compaction times, as a Prometheus histogram.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Durations {
    /// Counts at or below each of [`DURATION_BUCKETS_S`].
    pub buckets: [u64; DURATION_BUCKETS_S.len()],
    pub sum_s: f64,
    pub count: u64,
}

/// Upper bounds of the histogram, in seconds.
pub(crate) const DURATION_BUCKETS_S: [f64; 7] = [0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0];

/// Why a request cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("dataset {0:?} is not here")]
    NoDataset(String),
    #[error("dataset {dataset:?} holds vectors of {holds} components, not {given}")]
    WrongDim { dataset: String, holds: usize, given: usize },
    #[error("{0}")]
    Batch(#[from] BatchError),
    #[error("{0}")]
    Change(#[from] ChangeError),
    #[error("{0}")]
    Log(#[from] LogError),
    #[error("compaction failed: could not rewrite slab 0 (misbehaviour compaction=fails)")]
    CompactionFails,
}

impl Store {
    pub(crate) fn new(config: Config, tasks: Arc<Tasks>) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let slabs = Arc::new(SlabPool::default());
        let slow_release = config.misbehave.slow_release.and_then(ByteRate::bytes_per_second);
        let log_totals = Arc::<Totals>::default();
        let logs = config.data_path.as_deref().map(|path| Folder::open(path, Arc::clone(&log_totals))).transpose()?;
        let store = Self {
            collector: Collector::new(config.pacing, Arc::clone(&slabs), slow_release),
            leaks: Leaks::new(config.misbehave.clone())?,
            connections: Arc::new(Connections::new(config.misbehave.connection_leak.map_or(0.0, |share| share.0))),
            switched_leak: SwitchedLeak::default(),
            config,
            slabs,
            tasks,
            counters: Counters::default(),
            builders: Arc::new(Builders::new()?),
            log_totals,
            logs,
            datasets: RwLock::default(),
            compactions_stopped: AtomicBool::new(false),
            durations: Mutex::default(),
        };
        store.replay()?;
        Ok(store)
    }

    /// How it answers where servers differ.
    pub(crate) fn dialect(&self) -> Dialect {
        self.config.dialect
    }

    /// Makes the datasets that there are logs of. Their rows wait for the indexer then, as after a put.
    fn replay(&self) -> Result<(), LogError> {
        let Some(logs) = &self.logs else { return Ok(()) };
        let mut datasets = self.datasets.write().unwrap_or_else(PoisonError::into_inner);
        for (name, path) in logs.logs()? {
            let Some(mut replay) = Replay::open(&path)? else { continue };
            let dataset = self.new_dataset(&name, replay.dim());
            let apply = &mut |entry| match entry {
                Entry::Put(ids, vectors) => dataset.put(ids, &vectors),
                Entry::Delete(id) => dataset.delete(&id).map(drop).map_err(ChangeError::Log),
            };
            while replay.next(apply)? {}
            dataset.keep_log(replay.into_log(Arc::clone(&self.log_totals))?);
            datasets.insert(name, Arc::new(dataset));
        }
        Ok(())
    }

    fn new_dataset(&self, name: &str, dim: usize) -> Dataset {
        let (slabs, builders) = (Arc::clone(&self.slabs), Arc::clone(&self.builders));
        Dataset::new(name, dim, slabs, builders, self.config.graph())
    }

    fn dataset(&self, name: &str) -> Result<Arc<Dataset>, StoreError> {
        let datasets = self.datasets.read().unwrap_or_else(PoisonError::into_inner);
        datasets.get(name).cloned().ok_or_else(|| StoreError::NoDataset(name.to_owned()))
    }

    fn all(&self) -> Vec<Arc<Dataset>> {
        self.datasets.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn dataset_or_new(&self, name: &str, dim: usize) -> Result<Arc<Dataset>, StoreError> {
        let mut datasets = self.datasets.write().unwrap_or_else(PoisonError::into_inner);
        let dataset = if let Some(dataset) = datasets.get(name) {
            Arc::clone(dataset)
        } else {
            let dataset = Arc::new(self.new_dataset(name, dim));
            if let Some(logs) = &self.logs {
                dataset.keep_log(logs.create(name, dim)?);
            }
            self.leaks.dataset_made();
            datasets.insert(name.to_owned(), Arc::clone(&dataset));
            dataset
        };
        match dataset.dim() {
            holds if holds == dim => Ok(dataset),
            holds => Err(StoreError::WrongDim { dataset: name.to_owned(), holds, given: dim }),
        }
    }

    /// Puts a decoded batch. Whether the client should slow down.
    pub(crate) fn put(&self, dataset: &str, decoded: RecordBatch) -> Result<bool, StoreError> {
        let rows = batch::rows(&decoded)?;
        let (count, dim) = (rows.ids.len() as u64, rows.dim);
        self.dataset_or_new(dataset, dim)?.put(rows.ids, rows.vectors.values())?;
        let counters = &self.counters;
        counters.put_rows.fetch_add(count, Ordering::Relaxed);
        counters.put_messages.fetch_add(1, Ordering::Relaxed);
        counters.put_message_rows_max.fetch_max(count, Ordering::Relaxed);
        counters.put_message_dim.store(dim as u64, Ordering::Relaxed);
        self.leaks.operation();
        let batch_bytes = count as usize * dim * size_of::<f32>();
        self.leaks.retain(batch_bytes);
        self.leaks.cache(batch_bytes);
        // A garbage-collected store leaves the decoded batch to its collector.
        let bytes = decoded.get_array_memory_size() as u64;
        self.collector.retire(decoded, bytes);
        let slow_down = self.backlog_bytes() > BACKLOG_BYTES_MAX;
        self.counters.slow_downs.fetch_add(u64::from(slow_down), Ordering::Relaxed);
        Ok(slow_down)
    }

    fn backlog_bytes(&self) -> u64 {
        self.all().iter().map(|dataset| dataset.stats()).map(|stats| (stats.waiting * stats.dim * 4) as u64).sum()
    }

    /// Indexes a chunk of every dataset. Whether any has more waiting.
    pub(crate) fn index_some(&self) -> bool {
        let mut more = false;
        for dataset in self.all() {
            if dataset.stats().waiting > 0 {
                more |= dataset.index_some();
            }
        }
        self.collector.collect_if_due();
        more
    }

    pub(crate) fn search(&self, dataset: &str, vector: &[f32], k: usize) -> Result<Vec<(RowId, f32)>, StoreError> {
        let found = self.dataset(dataset)?;
        if found.dim() != vector.len() {
            let (holds, given) = (found.dim(), vector.len());
            return Err(StoreError::WrongDim { dataset: dataset.to_owned(), holds, given });
        }
        self.counters.searches.fetch_add(1, Ordering::Relaxed);
        self.leaks.operation();
        Ok(found.search(vector, k))
    }

    /// Dimension and up to `limit` live rows of a dataset.
    pub(crate) fn scan(&self, dataset: &str, limit: usize) -> Result<(usize, LiveRows), StoreError> {
        let found = self.dataset(dataset)?;
        Ok((found.dim(), found.scan(limit)))
    }

    /// Deletes by the client's id, given as text; an integer id matches its decimal form.
    pub(crate) fn delete(&self, dataset: &str, id: &str) -> Result<bool, StoreError> {
        let found = self.dataset(dataset)?;
        self.counters.deletes.fetch_add(1, Ordering::Relaxed);
        self.leaks.operation();
        let by_number = id.parse().map_or(Ok(false), |number| found.delete(&RowId::Int(number)))?;
        Ok(by_number || found.delete(&RowId::Text(id.into()))?)
    }

    pub(crate) fn delete_row(&self, dataset: &str, row: usize) -> Result<bool, StoreError> {
        Ok(self.dataset(dataset)?.delete_row(row)?)
    }

    /// Drops a dataset; its memory is retired.
    pub(crate) fn delete_dataset(&self, name: &str) -> Result<(), StoreError> {
        let dataset = {
            let mut datasets = self.datasets.write().unwrap_or_else(PoisonError::into_inner);
            let dataset = datasets.get(name).cloned().ok_or_else(|| StoreError::NoDataset(name.to_owned()))?;
            // The name is free only when its log is gone: the next dataset of this name has a log of its own.
            dataset.abandon()?;
            datasets.remove(name);
            dataset
        };
        let bytes = dataset.stats().bytes();
        self.collector.retire(dataset, bytes);
        Ok(())
    }

    /// Rows of a dataset that wait for the indexer, and rows in the index.
    pub(crate) fn readiness(&self, dataset: &str) -> Result<(usize, usize), StoreError> {
        let stats = self.dataset(dataset)?.stats();
        Ok((stats.waiting, stats.nodes))
    }

    /// Compacts one dataset.
    pub(crate) fn compact(&self, name: &str) -> Result<(), StoreError> {
        let dataset = self.dataset(name)?;
        self.counters.compactions.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        let result = self.compact_as_told(&dataset);
        self.note_duration(begun.elapsed());
        let counter = match &result {
            Err(_) => &self.counters.compaction_errors,
            Ok(false) => &self.counters.compaction_skipped,
            Ok(true) => &self.counters.compaction_ok,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result.map(drop)
    }

    /// Whether anything was rewritten.
    fn compact_as_told(&self, dataset: &Dataset) -> Result<bool, StoreError> {
        let misbehave = self.leaks.settings();
        let how = match misbehave.compaction {
            Some(BadCompaction::Fails) => return Err(StoreError::CompactionFails),
            Some(BadCompaction::Noop) => return Ok(true),
            Some(BadCompaction::Weak) => Thoroughness::Weak,
            None if misbehave.fragment => Thoroughness::Pinned,
            None => Thoroughness::Full,
        };
        let replaced = dataset.compact(how)?;
        let rewritten = replaced.is_some();
        if let Some((old, bytes)) = replaced {
            self.collector.retire(old, bytes);
        }
        Ok(rewritten)
    }

    fn note_duration(&self, took: Duration) {
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        for (bucket, bound) in durations.buckets.iter_mut().zip(DURATION_BUCKETS_S) {
            *bucket += u64::from(took.as_secs_f64() <= bound);
        }
        durations.sum_s += took.as_secs_f64();
        durations.count += 1;
    }

    /// Compacts every dataset; the first error, after all have been tried.
    pub(crate) fn compact_all(&self) -> Result<usize, StoreError> {
        let all = self.all();
        let results: Vec<_> = all.iter().map(|dataset| self.compact(&dataset.name)).collect();
        results.into_iter().collect::<Result<Vec<()>, _>>().map(|done| done.len())
    }

    /// Compacts each dataset of which more than the threshold is dead, unless compactions are stopped.
    pub(crate) fn compact_where_due(&self) {
        if self.compactions_stopped.load(Ordering::Relaxed) {
            return;
        }
        for dataset in self.all() {
            let stats = dataset.stats();
            if stats.dead as f64 > self.config.compaction_threshold * (stats.live + stats.dead) as f64 {
                // A failure is counted and shown on the metrics page; the next period tries again.
                let _ = self.compact(&dataset.name);
            }
        }
    }

    /// Stops periodic compaction for good.
    pub(crate) fn stop_compactions(&self) {
        self.compactions_stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn compaction_durations(&self) -> Durations {
        *self.durations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dataset_stats(&self) -> Vec<(String, DatasetStats)> {
        self.all().iter().map(|dataset| (dataset.name.clone(), dataset.stats())).collect()
    }
}
