//! Records made up for a test: a healthy target, one that leaks, one whose run broke off. Seeded, and written as a run writes them.

use std::path::{Path, PathBuf};

use soak_record::{Event, EventKind, Outcome, Phase, Recorder, RunFolder, Sample, TaskGroup};
use soak_scenario::series::Source;
use soak_scenario::{Pace, Plan, Request, load};

const MIB: f64 = 1_048_576.0;
/// Bytes that a target holds for each byte of vectors.
const HELD: f64 = 5.0;

/// The build that every made-up target is of.
pub const BUILD: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What happened in a made-up run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Every variant ran, and nothing was wrong.
    Healthy,
    /// Every cycle kept eight mebibytes.
    Leaking,
    /// The first variant ran; in the second the run broke off.
    BrokeOff,
    /// The healthy one once more, with noise of its own.
    Again,
    /// A healthy one that always holds two mebibytes more.
    Heavier,
}

impl Story {
    /// The run's id.
    fn id(self) -> &'static str {
        match self {
            Self::Healthy | Self::Leaking | Self::BrokeOff => "made-up",
            Self::Again => "made-up-again",
            Self::Heavier => "made-up-heavier",
        }
    }
}

/// A made-up run.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Its folder.
    pub folder: PathBuf,
    /// Its plan: scenario 2 at quick pace, two variants.
    pub plan: Plan,
}

/// Writes a made-up run into `folder`, which must be empty or absent.
pub fn record(folder: &Path, story: Story) -> Made {
    let only = Some("dim128-*");
    let request = Request { scenario: "scenario2", pace: Some(Pace::Quick), only, ..Request::default() };
    let plan = load(&request).unwrap().plan;
    let run = RunFolder::create(folder, &plan).unwrap();
    let (recorder, thread) = Recorder::start(&run).unwrap();
    let unix_s = match story {
        Story::Again => 3600,
        Story::Heavier => 7200,
        _ => 0,
    };
    let mut telling = Telling { recorder, story, now: 0.0, anon: 10.0, kept: 0.0, draws: unix_s, variant: None };
    let host = "made up".to_owned();
    telling.event(EventKind::RunStarted { run: story.id().to_owned(), harness: "0".to_owned(), unix_s, host });
    for index in 0..plan.variants.len() {
        telling.variant(&plan, index);
    }
    if story != Story::BrokeOff {
        telling.variant = None;
        telling.event(EventKind::RunEnded { complete: true });
    }
    drop(telling);
    thread.finish().unwrap();
    Made { folder: folder.to_owned(), plan }
}

/// A run that is being made up.
struct Telling {
    recorder: Recorder,
    story: Story,
    now: f64,
    /// Memory above what is kept, and what is kept, in MiB.
    anon: f64,
    kept: f64,
    draws: u64,
    variant: Option<String>,
}

impl Telling {
    fn event(&mut self, kind: EventKind) {
        self.recorder.event(Event { at_s: self.now, variant: self.variant.clone(), kind });
    }

    /// Noise in (-1, 1), the same for every telling.
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        let mixed = self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn pass(&mut self, seconds: f64) {
        for _ in 0..(seconds * 10.0).round() as u32 {
            self.now += 0.1;
            let anon = (self.anon + self.kept + 0.05 * self.draw()) * MIB;
            let values = vec![("rss_anon_bytes", anon), ("rss_bytes", anon + 8.0 * MIB)];
            self.recorder.sample(Sample { source: Source::Process, at_s: self.now, values });
            let heap = anon - 4.0 * MIB;
            let values = vec![("heap_bytes", heap), ("goroutines", 23.0), ("dataset_bytes", (self.anon - 10.0) * MIB)];
            self.recorder.sample(Sample { source: Source::Metrics, at_s: self.now, values });
        }
    }

    fn phase(&mut self, phase: Phase, cycle: u32, seconds: f64) {
        self.event(EventKind::PhaseStarted { phase, cycle: Some(cycle) });
        self.pass(seconds);
        self.event(EventKind::PhaseEnded { phase, cycle: Some(cycle), seconds });
    }

    fn rest(&mut self, phase: Phase, cycle: Option<u32>) {
        self.event(EventKind::PhaseStarted { phase, cycle });
        let from_s = self.now;
        self.pass(1.2);
        self.event(EventKind::Window { phase, cycle, from_s, to_s: self.now, settled: true });
        self.event(EventKind::PhaseEnded { phase, cycle, seconds: 1.2 });
    }

    fn tasks(&mut self, phase: Phase) {
        let groups = vec![TaskGroup { signature: "serve < main".to_owned(), count: 23, oldest_minutes: 0 }];
        self.event(EventKind::Tasks { phase, cycle: None, groups });
    }

    fn cycle(&mut self, plan: &Plan, cycle: u32, dim: u32) {
        let rows = plan.workload.rows_per_cycle(dim);
        let bytes = rows * u64::from(dim) * 4;
        let held = HELD * bytes as f64 / MIB;
        self.anon = 10.0 + held;
        self.phase(Phase::Ingest, cycle, 0.6);
        let (refused_rows, indeterminate_rows, back_pressure) = (0, 0, 0);
        let account = EventKind::Ingested {
            cycle,
            rows,
            bytes,
            acked_rows: rows,
            indeterminate_rows,
            refused_rows,
            back_pressure,
            seconds: 0.6,
        };
        self.event(account);
        self.phase(Phase::Index, cycle, 0.5);
        self.phase(Phase::Query, cycle, 0.5);
        self.phase(Phase::Delete, cycle, 0.1);
        self.event(EventKind::Deleted { cycle, rows: rows * 28 / 100, failed: 0 });
        self.rest(Phase::BeforeCompact, Some(cycle));
        self.anon = 10.0 + 0.72 * held;
        self.phase(Phase::Compact, cycle, 0.2);
        self.event(EventKind::Compacted { cycle, seconds: 0.2, error: None });
        self.rest(Phase::AfterCompact, Some(cycle));
        self.anon = 10.0;
        self.phase(Phase::Clear, cycle, 0.1);
        self.rest(Phase::Settle, Some(cycle));
        self.kept += if self.story == Story::Leaking { 8.0 } else { 0.0 };
    }

    fn variant(&mut self, plan: &Plan, index: usize) {
        let variant = plan.variants[index].clone();
        self.recorder.variant(index);
        self.variant = Some(variant.id.clone());
        self.kept = if self.story == Story::Heavier { 2.0 } else { 0.0 };
        self.event(EventKind::VariantStarted { index: index as u32, of: plan.variants.len() as u32 });
        self.event(EventKind::TargetStarted { pid: 1, build: Some(BUILD.to_owned()) });
        for (knob, requested) in variant.knobs.settings() {
            let (knob, source) = (knob.to_owned(), "made up".to_owned());
            let effective = Some(requested.clone());
            self.event(EventKind::Attested { knob, requested, effective, source, holds: Some(true) });
        }
        self.rest(Phase::ColdIdle, None);
        for cycle in 0..plan.cycle.count {
            if self.story == Story::BrokeOff && index > 0 && cycle == 2 {
                return;
            }
            self.cycle(plan, cycle, variant.knobs.dim);
            if cycle == 0 {
                self.rest(Phase::Idle, None);
                self.tasks(Phase::Idle);
            }
        }
        self.rest(Phase::Drain, None);
        self.tasks(Phase::Drain);
        self.event(EventKind::VariantEnded { outcome: Outcome::Completed });
    }
}
