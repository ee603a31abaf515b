//! A made-up run for tests: six variants of a store that can leak, with every event and series that a report shows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use soak_record::{
    Event, EventKind, LatencySummary, Outcome, Percentiles, Phase, Run, Series, TaskGroup, VariantRecord,
};
use soak_scenario::{Pace, Plan, Request, load};
use soak_verdict::{Finding, RunVerdict, VERDICT_SCHEMA, VariantVerdict, Verdict, judge};

use crate::picture::{VariantPicture, picture};

const MIB: f64 = 1_048_576.0;

/// How the made-up store behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// MiB that each cycle leaves behind.
    pub(crate) leak_per_cycle: f64,
    /// Tasks that are started each second and never end.
    pub(crate) tasks_per_s: f64,
    /// Share of what it should that compaction gives back.
    pub(crate) reclaim: f64,
}

impl Target {
    pub(crate) const HEALTHY: Self = Self { leak_per_cycle: 0.0, tasks_per_s: 0.0, reclaim: 1.0 };
}

/// The plan of the built-in scenario at its shortest pace: six variants.
pub(crate) fn plan() -> Plan {
    let request = Request { scenario: "scenario2", pace: Some(Pace::Quick), ..Request::default() };
    let mut plan = load(&request).unwrap().plan;
    plan.seed = 7;
    plan
}

struct Builder {
    target: Target,
    dim: f64,
    rows: f64,
    batch_rows: f64,
    now: f64,
    anon: f64,
    aim: f64,
    kept: f64,
    live: f64,
    /// Rows that the store still holds, the deleted ones included until compaction.
    held: f64,
    state: u64,
    events: Vec<Event>,
    series: BTreeMap<String, Series>,
}

impl Builder {
    fn event(&mut self, kind: EventKind) {
        self.events.push(Event { at_s: self.now, variant: None, kind });
    }

    /// Noise in [−1, 1): splitmix64, because bytes must not depend on a crate's version.
    fn noise(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    }

    fn pass(&mut self, seconds: f64) {
        for _ in 0..(seconds * 10.0).round() as u32 {
            self.now += 0.1;
            self.anon = if self.anon > self.aim {
                f64::max(self.aim, self.anon - 40.0)
            } else {
                self.anon + 0.4 * (self.aim - self.anon)
            };
            if (self.anon - self.aim).abs() < 0.1 {
                self.anon = self.aim;
            }
            let (jitter, other) = (0.01 * self.noise(), 0.002 * self.noise());
            let rss_anon = (11.0 + self.anon + self.kept + jitter) * MIB;
            let held = self.held * self.dim * 4.0;
            for (name, value) in [
                ("rss_anon_bytes", rss_anon),
                ("rss_bytes", rss_anon + 9.0 * MIB),
                ("rss_file_bytes", 9.0 * MIB),
                ("heap_bytes", (5.0 + 0.8 * self.anon + self.kept + other) * MIB),
                ("dataset_bytes", held * 1.05),
                ("goroutines", 23.0 + (self.target.tasks_per_s * self.now).floor()),
                ("ledger_live_vectors", self.live),
            ] {
                self.series.entry(name.to_owned()).or_default().push(self.now, value);
            }
        }
    }

    fn phase(&mut self, phase: Phase, cycle: u32, seconds: f64) {
        self.event(EventKind::PhaseStarted { phase, cycle: Some(cycle) });
        self.pass(seconds);
        self.event(EventKind::PhaseEnded { phase, cycle: Some(cycle), seconds });
    }

    fn rest(&mut self, phase: Phase, cycle: Option<u32>) {
        self.event(EventKind::PhaseStarted { phase, cycle });
        let began = self.now;
        self.pass(1.2);
        let from_s = self.now;
        self.pass(1.2);
        self.event(EventKind::Window { phase, cycle, from_s, to_s: self.now, settled: true });
        self.event(EventKind::PhaseEnded { phase, cycle, seconds: self.now - began });
    }

    fn tasks(&mut self, phase: Phase) {
        let leaked = (self.target.tasks_per_s * self.now).floor() as u64;
        let group = |signature: &str, count| TaskGroup { signature: signature.to_owned(), count, oldest_minutes: 0 };
        let groups = vec![group("serve < main", 23), group("wait < worker", leaked)];
        self.event(EventKind::Tasks { phase, cycle: None, groups });
    }

    fn latency(&mut self, cycle: u32, phase: Phase, operation: &str, base: f64, count: u64) {
        let base = base * (1.0 + 0.2 * self.noise());
        let of = |factor: f64| Percentiles {
            p50_ms: base * factor,
            p90_ms: base * 1.7 * factor,
            p99_ms: base * 3.1 * factor,
            p999_ms: base * 6.3 * factor,
            max_ms: base * 9.0 * factor,
        };
        let summary = LatencySummary {
            count,
            corrected: of(1.1),
            uncorrected: of(1.0),
            late_starts: 2,
            ..LatencySummary::default()
        };
        self.event(EventKind::Latency { cycle, phase, operation: operation.to_owned(), summary });
    }

    fn cycle(&mut self, cycle: u32) {
        let bytes = self.rows * self.dim * 4.0;
        let data = bytes / MIB;
        let (rows, burst) = (self.rows as u64, 0.4 * self.batch_rows * self.dim * 4.0 / MIB);
        self.kept += self.target.leak_per_cycle;
        self.aim = 1.6 * data + burst;
        (self.live, self.held) = (self.rows, self.rows);
        self.phase(Phase::Ingest, cycle, 1.1);
        let seconds = 1.1 + 0.05 * self.noise();
        self.event(EventKind::Ingested {
            cycle,
            rows,
            bytes: bytes as u64,
            acked_rows: rows,
            indeterminate_rows: 0,
            refused_rows: 0,
            back_pressure: 2,
            seconds,
        });
        self.latency(cycle, Phase::Ingest, "put", 0.01 * self.batch_rows, (self.rows / self.batch_rows).ceil() as u64);
        self.phase(Phase::Index, cycle, 0.6);
        self.aim = 1.3 * data;
        self.phase(Phase::Query, cycle, 0.5);
        self.latency(cycle, Phase::Query, "search", 0.7, 100);
        let recall = 0.97 + 0.01 * self.noise();
        self.event(EventKind::Recall { cycle, searches: 20, recall });
        self.phase(Phase::Delete, cycle, 0.2);
        self.live = (self.rows * 0.72).round();
        self.event(EventKind::Deleted { cycle, rows: (self.rows * 0.28) as u64, failed: 0 });
        self.latency(cycle, Phase::Delete, "delete", 0.4, 12);
        self.rest(Phase::BeforeCompact, Some(cycle));
        self.aim = 1.3 * data * (1.0 - 0.26 * self.target.reclaim) + 0.02 * self.noise();
        self.held = self.rows * (1.0 - 0.28 * self.target.reclaim);
        self.phase(Phase::Compact, cycle, 0.3);
        self.event(EventKind::Compacted { cycle, seconds: 0.3, error: None });
        self.rest(Phase::AfterCompact, Some(cycle));
        (self.aim, self.live, self.held) = (0.0, 0.0, 0.0);
        self.phase(Phase::Clear, cycle, 0.1);
        self.rest(Phase::Settle, Some(cycle));
    }
}

/// The record of the `index`-th variant.
pub(crate) fn record(index: usize, target: Target) -> VariantRecord {
    let plan = plan();
    let variant = plan.variants[index].clone();
    let knobs = &variant.knobs;
    let mut builder = Builder {
        target,
        dim: f64::from(knobs.dim),
        rows: plan.workload.rows_per_cycle(knobs.dim) as f64,
        batch_rows: f64::from(knobs.batch_rows),
        now: 50.0 * index as f64,
        anon: 0.0,
        aim: 0.0,
        kept: 0.0,
        live: 0.0,
        held: 0.0,
        state: index as u64,
        events: Vec::new(),
        series: BTreeMap::new(),
    };
    builder.event(EventKind::VariantStarted { index: index as u32, of: plan.variants.len() as u32 });
    for (knob, value) in
        knobs.settings().into_iter().filter(|(name, _)| ["gogc", "gomemlimit", "hnsw_m"].contains(name))
    {
        let (requested, effective) = (value.clone(), Some(value));
        let source = "metric soak_setting".to_owned();
        builder.event(EventKind::Attested { knob: knob.to_owned(), requested, effective, source, holds: Some(true) });
    }
    builder.rest(Phase::ColdIdle, None);
    for cycle in 0..plan.cycle.count {
        builder.cycle(cycle);
        if cycle == 0 {
            builder.rest(Phase::Idle, None);
            builder.tasks(Phase::Idle);
        }
    }
    builder.rest(Phase::Drain, None);
    builder.tasks(Phase::Drain);
    builder.event(EventKind::VariantEnded { outcome: Outcome::Completed });
    VariantRecord { variant, events: builder.events, series: builder.series, broken: Vec::new() }
}

/// The run without its records.
pub(crate) fn run() -> Run {
    let started = EventKind::RunStarted {
        run: "run-1".to_owned(),
        harness: "0.1.0".to_owned(),
        unix_s: 1_767_225_600,
        host: "Linux 6.1, 2 cores, 8 GiB".to_owned(),
    };
    let events = vec![
        Event { at_s: 0.0, variant: None, kind: started },
        Event { at_s: 300.0, variant: None, kind: EventKind::RunEnded { complete: true } },
    ];
    Run { id: "run-1".to_owned(), folder: PathBuf::from("runs/run-1"), plan: plan(), events }
}

/// A run of these targets, judged and drawn.
pub(crate) fn judged(targets: &[Target]) -> (Run, RunVerdict, Vec<VariantPicture>) {
    let run = run();
    let records: Vec<_> = targets.iter().enumerate().map(|(index, target)| record(index, *target)).collect();
    let pictures = records.iter().map(|record| picture(&run.plan, record)).collect();
    let verdict = judge(&run.id, &run.plan, records);
    (run, verdict, pictures)
}

/// A healthy run.
pub(crate) fn everything() -> (Run, RunVerdict, Vec<VariantPicture>) {
    judged(&[Target::HEALTHY; 6])
}

/// A finding with nothing in it but its criterion and its verdict.
pub(crate) fn finding(criterion: &str, verdict: Option<Verdict>) -> Finding {
    Finding {
        criterion: criterion.to_owned(),
        cause: None,
        verdict,
        informational: verdict.is_none(),
        value: Some(1.0),
        unit: "count".to_owned(),
        interval: Some([0.5, 1.5]),
        threshold: Some(2.0),
        detectable: Some(2.5),
        reason: format!("It was measured for {criterion}."),
        next: None,
        reproduce: None,
    }
}

/// A variant's verdict over these findings.
pub(crate) fn variant(id: &str, findings: Vec<Finding>) -> VariantVerdict {
    let verdict = Verdict::over(findings.iter().filter_map(|finding| finding.verdict)).unwrap_or(Verdict::Inconclusive);
    VariantVerdict {
        id: id.to_owned(),
        verdict,
        attested: BTreeMap::new(),
        findings,
        indications: Vec::new(),
        guidance: Vec::new(),
        notes: Vec::new(),
        dose: None,
        control: None,
    }
}

/// A run's verdict over these variants.
pub(crate) fn verdict_of(variants: &[VariantVerdict]) -> RunVerdict {
    RunVerdict {
        schema: VERDICT_SCHEMA,
        run: "run-1".to_owned(),
        scenario: "scenario2".to_owned(),
        title: "Memory spikes".to_owned(),
        verdict: Verdict::over(variants.iter().map(|variant| variant.verdict)).unwrap_or(Verdict::Inconclusive),
        pace: Pace::Quick,
        seed: 7,
        platform: None,
        complete: true,
        variants: variants.to_vec(),
        not_applicable: BTreeMap::new(),
        notes: Vec::new(),
    }
}

/// The same verdict of a run whose machine failed.
pub(crate) fn platform_error(verdict: RunVerdict, reason: &str) -> RunVerdict {
    RunVerdict { platform: Some(reason.to_owned()), complete: false, ..verdict }
}

/// Leaves a report in the folder that `SOAK_RENDER_OUT` names, for a person who wants to look at it.
pub(crate) fn show(name: &str, report: &str) {
    if let Some(folder) = std::env::var_os("SOAK_RENDER_OUT") {
        std::fs::write(PathBuf::from(folder).join(name), report).unwrap();
    }
}
