//! A simulated vector store under a simulated clock: memory as a few numbers, calls as sleeps. It shares no code with the embedded target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use soak_engine::fault::{Evidence, Guard};
use soak_engine::load::Progress;
use soak_engine::target::{
    Ack, Batch, CallError, Client, Control, Driver, Ending, Knob, Probe, PutAcks, PutSender, StartError, Target, Values,
};
use soak_record::TaskGroup;
use soak_scenario::{Injection, Variant};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

const MIB: f64 = 1_048_576.0;
const IDLE_BYTES: f64 = 8.0 * MIB;
/// Memory of a row, over the bytes of its vector: the arena and the graph.
const OVERHEAD: f64 = 2.2;
/// What was freed comes back by half in this time.
const HALF_RELEASED_S: f64 = 0.03;
const TASKS: f64 = 9.0;

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Faults {
    pub(crate) leak_bytes_per_s: f64,
    pub(crate) leaked_tasks_per_s: f64,
    pub(crate) compaction_does_nothing: bool,
    pub(crate) never_acknowledges: bool,
    /// Gives no answers but the good end of a stream.
    pub(crate) answers_at_the_end: bool,
    /// Refuses every n-th batch, and its stream with it; 0 is none.
    pub(crate) refuses_every: u64,
    /// Asks for patience with every n-th batch; 0 is never.
    pub(crate) slow_down_every: u64,
    /// Dies this long after its start.
    pub(crate) dies_at: Option<Duration>,
    /// Answers every delete, after this long.
    pub(crate) delete_takes: Option<Duration>,
    /// Neither takes nor answers anything from … to, after its start.
    pub(crate) paused: Option<(Duration, Duration)>,
    /// What was freed comes back no faster than this.
    pub(crate) release_bytes_per_s: Option<f64>,
    /// Pools that fill from cycle to cycle: their size in bytes, and the cycles in which they come within a third of it.
    pub(crate) fills: Option<(f64, f64)>,
    /// Bytes that each cycle keeps.
    pub(crate) kept_per_cycle: f64,
}

/// Starts simulated stores.
pub(crate) struct SimDriver {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// What a test may ask afterwards.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) started: u32,
    pub(crate) stopped: u32,
    pub(crate) operations: Vec<String>,
    /// Faults that were injected, let go of, and healed before that.
    pub(crate) injected: u32,
    pub(crate) let_go: u32,
    pub(crate) healed: u32,
}

struct Store {
    faults: Faults,
    started: Instant,
    row_bytes: f64,
    live: BTreeSet<u64>,
    dead: f64,
    unindexed_until: Instant,
    /// Freed, and on its way back to the system, as of `released_at`.
    freed: f64,
    released_at: Instant,
    batches: u64,
    dropped: u32,
    /// Streams that it will never end.
    held: Vec<Answers>,
    random: Pcg64,
    seen: Arc<Mutex<Seen>>,
    settings: BTreeMap<String, Knob>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Store>>);

#[async_trait]
impl Driver for SimDriver {
    async fn start(&self, index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError> {
        self.seen.lock().unwrap().started += 1;
        let knobs = &variant.knobs;
        let value = |value: f64| Knob { value: Some(value), source: "simulation".to_owned() };
        let settings = [
            ("dim", f64::from(knobs.dim)),
            ("batch_rows", f64::from(knobs.batch_rows)),
            ("gogc", 75.0),
            ("hnsw_m", f64::from(knobs.hnsw_m)),
            ("ef_construction", f64::from(knobs.ef_construction)),
            ("compaction_interval", 0.0),
        ];
        let store = Store {
            faults: self.faults,
            started: Instant::now(),
            row_bytes: f64::from(knobs.dim) * 4.0 * OVERHEAD,
            live: BTreeSet::new(),
            dead: 0.0,
            unindexed_until: Instant::now(),
            freed: 0.0,
            released_at: Instant::now(),
            batches: 0,
            dropped: 0,
            held: Vec::new(),
            random: Pcg64::seed_from_u64(self.seed + index as u64 * 1_000_003),
            seen: Arc::clone(&self.seen),
            settings: settings.into_iter().map(|(name, number)| (name.to_owned(), value(number))).collect(),
        };
        Ok(Arc::new(SimTarget { shared: Shared(Arc::new(Mutex::new(store))), stopped: watch::channel(false).0 }))
    }
}

struct SimTarget {
    shared: Shared,
    stopped: watch::Sender<bool>,
}

#[async_trait]
impl Target for SimTarget {
    fn pid(&self) -> u32 {
        0
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::new(self.shared.clone())
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::new(self.shared.clone())
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::new(self.shared.clone())
    }

    async fn inject(&self, injection: &Injection) -> Result<Box<dyn Guard>, String> {
        self.shared.store().seen.lock().unwrap().injected += 1;
        Ok(Box::new(SimGuard { shared: self.shared.clone(), what: injection.name(), healed: false }))
    }

    async fn ended(&self) -> Ending {
        let (started, dies_at) = {
            let store = self.shared.store();
            (store.started, store.faults.dies_at)
        };
        match dies_at {
            Some(after) => sleep_until(started + after).await,
            None => std::future::pending().await,
        }
        Ending {
            how: "signal 9".to_owned(),
            last_lines: vec!["simulated".to_owned()],
            oom: None,
            living: 0,
            lost: false,
        }
    }

    async fn stop(&self) {
        assert!(!self.stopped.send_replace(true), "a target is stopped once");
        self.shared.store().seen.lock().unwrap().stopped += 1;
    }
}

/// A fault that changes nothing but what is held.
struct SimGuard {
    shared: Shared,
    what: &'static str,
    healed: bool,
}

#[async_trait]
impl Guard for SimGuard {
    async fn evidence(&mut self) -> Evidence {
        Evidence { took_place: true, words: format!("{} is simulated", self.what), figures: Vec::new() }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        sleep(Duration::from_millis(5)).await;
        self.healed = true;
        Ok(())
    }
}

impl Drop for SimGuard {
    fn drop(&mut self) {
        let store = self.shared.store();
        let mut seen = store.seen.lock().unwrap();
        seen.let_go += 1;
        seen.healed += u32::from(self.healed);
    }
}

impl Store {
    /// Lets memory go back until now.
    fn release(&mut self) {
        let seconds = self.released_at.elapsed().as_secs_f64();
        self.released_at = Instant::now();
        self.freed = match self.faults.release_bytes_per_s {
            Some(rate) => (self.freed - rate * seconds).max(0.0),
            None => self.freed * 0.5_f64.powf(seconds / HALF_RELEASED_S),
        };
    }

    fn free(&mut self, rows: f64) {
        self.release();
        self.freed += rows * self.row_bytes;
    }

    fn data_bytes(&self) -> f64 {
        (self.live.len() as f64 + self.dead) * self.row_bytes
    }

    fn leaked_bytes(&self) -> f64 {
        let cycles = f64::from(self.dropped);
        let filled = self.faults.fills.map_or(0.0, |(bytes, tau)| bytes * (1.0 - (-cycles / tau).exp()));
        filled
            + self.faults.kept_per_cycle * cycles
            + self.faults.leak_bytes_per_s * self.started.elapsed().as_secs_f64()
    }

    fn note(&self, operation: String) {
        self.seen.lock().unwrap().operations.push(operation);
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap()
    }

    /// A call's time: waits out a pause, fails when the store is dead.
    async fn call(&self, micros: std::ops::Range<u64>) -> Result<(), CallError> {
        let (rest, pause, dies_at) = {
            let mut store = self.store();
            let rest = Duration::from_micros(store.random.random_range(micros));
            let pause = store.faults.paused.map(|(from, to)| (store.started + from, store.started + to));
            (rest, pause, store.faults.dies_at.map(|after| store.started + after))
        };
        if let Some((from, to)) = pause
            && Instant::now() >= from
        {
            sleep_until(to).await;
        }
        sleep(rest).await;
        match dies_at {
            Some(at) if Instant::now() >= at => Err(CallError::broken("connection reset")),
            _ => Ok(()),
        }
    }
}

type Answers = mpsc::Sender<Result<Ack, CallError>>;

struct SimSender {
    shared: Shared,
    progress: Progress,
    acks: Option<Answers>,
}

#[async_trait]
impl PutSender for SimSender {
    async fn send(&mut self, batch: Batch) -> Result<(), CallError> {
        self.shared.call(200..u64::from(batch.rows) * 3 + 400).await?;
        self.progress.touch();
        let slow_down = {
            let mut store = self.shared.store();
            store.note(format!("put {batch:?}"));
            let every = store.faults.refuses_every;
            if every > 0 && (store.batches + 1).is_multiple_of(every) {
                store.batches += 1;
                let refusal = Err(CallError::refused("no room"));
                let _ = self.acks.take().map(|acks| acks.try_send(refusal));
                return Ok(());
            }
            store.live.extend(batch.ids());
            store.unindexed_until = Instant::now() + Duration::from_micros(u64::from(batch.rows) * 120);
            store.batches += 1;
            let every = store.faults.slow_down_every;
            every > 0 && store.batches.is_multiple_of(every)
        };
        let Faults { never_acknowledges, answers_at_the_end, .. } = self.shared.store().faults;
        if let (Some(acks), false) = (&self.acks, never_acknowledges || answers_at_the_end) {
            let _ = acks.try_send(Ok(Ack { slow_down, refused: None }));
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.acks = None;
    }
}

struct SimAcks(mpsc::Receiver<Result<Ack, CallError>>);

#[async_trait]
impl PutAcks for SimAcks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        self.0.recv().await.transpose()
    }
}

#[async_trait]
impl Client for Shared {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        self.call(100..300).await?;
        let (acks, answers) = mpsc::channel(2048);
        if self.store().faults.never_acknowledges {
            self.store().held.push(acks.clone());
        }
        Ok((Box::new(SimSender { shared: self.clone(), progress, acks: Some(acks) }), Box::new(SimAcks(answers))))
    }

    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        self.store().note(format!("search {row}"));
        self.call(300..2000).await?;
        Ok(self.store().live.iter().copied().take(k as usize).collect())
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        self.store().note(format!("upsert {id}"));
        self.call(300..2000).await
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        self.store().note(format!("delete {id}"));
        self.call(50..200).await?;
        let takes = self.store().faults.delete_takes;
        sleep(takes.unwrap_or_default()).await;
        let mut store = self.store();
        if store.live.remove(&id) {
            store.dead += 1.0;
            return Ok(());
        }
        Err(CallError::refused(format!("no row {id}")))
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        self.call(50..200).await?;
        Ok(Instant::now() >= self.store().unindexed_until)
    }

    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        self.call(500..2000).await?;
        Ok(self.store().live.iter().copied().collect())
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        self.call(500..2000).await?;
        let mut store = self.store();
        let rows = store.live.len() as f64 + store.dead;
        store.free(rows);
        store.live.clear();
        store.dead = 0.0;
        store.dropped += 1;
        Ok(())
    }

    fn disconnect(&self) {}
}

#[async_trait]
impl Control for Shared {
    async fn ready(&self) -> Result<(), CallError> {
        self.call(1000..2000).await
    }

    async fn collect(&self) -> Result<(), CallError> {
        self.call(1000..5000).await
    }

    async fn compact(&self) -> Result<(), CallError> {
        self.call(100_000..300_000).await?;
        let mut store = self.store();
        if !store.faults.compaction_does_nothing {
            let dead = store.dead;
            store.free(dead);
            store.dead = 0.0;
        }
        Ok(())
    }

    async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError> {
        self.call(500..1000).await?;
        let store = self.store();
        let leaked = store.faults.leaked_tasks_per_s * store.started.elapsed().as_secs_f64();
        let group = |signature: &str, count: f64| TaskGroup {
            signature: signature.to_owned(),
            count: count as u64,
            oldest_minutes: 0,
        };
        Ok(Some(vec![group("accept < main", TASKS), group("wait < repair", leaked)]))
    }
}

#[async_trait]
impl Probe for Shared {
    async fn process(&self) -> Values {
        let mut store = self.store();
        store.release();
        let noise = store.random.random_range(-0.05..0.05) * MIB;
        let anon = IDLE_BYTES + store.data_bytes() + store.freed + store.leaked_bytes() + noise;
        vec![("rss_bytes", anon + 12.0 * MIB), ("rss_anon_bytes", anon), ("rss_file_bytes", 12.0 * MIB)]
    }

    async fn smaps(&self) -> Values {
        Values::new()
    }

    async fn metrics(&self) -> Result<Values, CallError> {
        let store = self.store();
        let seconds = store.started.elapsed().as_secs_f64();
        let heap = MIB + store.data_bytes() + store.leaked_bytes();
        Ok(vec![
            ("heap_bytes", heap),
            ("dataset_bytes", store.data_bytes()),
            ("tombstone_bytes", store.dead * store.row_bytes),
            ("goroutines", TASKS + (store.faults.leaked_tasks_per_s * seconds).floor()),
        ])
    }

    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError> {
        Ok(self.store().settings.clone())
    }
}
