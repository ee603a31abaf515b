//! What the view knows: taken from events and samples, nothing drawn here.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use soak_record::{Event, EventKind, LatencySummary, Outcome, Phase, Sample};
use soak_scenario::{Plan, Variant};
use soak_verdict::{Finding, Verdict, human};

use super::so_far::SoFar;
use crate::progress::notable;

/// Points of a series that are held; when there are more, every second one is let go.
const POINTS_MOST: usize = 4096;

/// Lines of the log that are held.
const LINES_MOST: usize = 50;

/// A rate is over the last so many seconds.
const RATE_OVER_S: f64 = 3.0;

/// A series of the running variant, from its start.
#[derive(Debug, Default)]
pub(super) struct Trace {
    points: Vec<(f64, f64)>,
    /// Of how many readings one is kept.
    every: usize,
    skipped: usize,
}

impl Trace {
    fn push(&mut self, at_s: f64, value: f64) {
        self.skipped += 1;
        if self.skipped < self.every.max(1) {
            return;
        }
        self.skipped = 0;
        self.points.push((at_s, value));
        if self.points.len() > POINTS_MOST {
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.every = self.every.max(1) * 2;
        }
    }

    /// Times and values, oldest first.
    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The median between two times.
    fn median(&self, from_s: f64, to_s: f64) -> Option<f64> {
        let mut within: Vec<f64> =
            self.points.iter().filter(|(at, _)| (from_s..=to_s).contains(at)).map(|(_, value)| *value).collect();
        within.sort_by(f64::total_cmp);
        within.get(within.len() / 2).copied()
    }
}

/// A question that waits for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Whether the run is to end.
    Stop,
}

/// How a variant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not begun.
    Ahead,
    /// It runs, or has ended: the worst that its criteria say so far.
    Judged(Option<Verdict>),
    /// Its target failed.
    Failed,
    /// What is wrong with it was put in on purpose.
    OnPurpose,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) plan: Plan,
    pub(super) without_colour: bool,
    pub(super) index: usize,
    pub(super) standing: Vec<Standing>,
    /// Of the running variant, since when on the run's clock.
    pub(super) began_s: f64,
    pub(super) cycle: Option<u32>,
    /// Cycles of the running variant, with those that were added.
    pub(super) cycles: u32,
    pub(super) phase: Option<Phase>,
    phase_began: Instant,
    pub(super) rss: Trace,
    pub(super) heap: Trace,
    /// Anonymous memory, on which floors are judged.
    anon: Trace,
    /// Level of the anonymous memory at the end of each counted cycle.
    pub(super) floors: Vec<f64>,
    latest: BTreeMap<&'static str, f64>,
    acked: VecDeque<(f64, f64)>,
    /// What the last load did: phase, operation, figures.
    pub(super) latency: Option<(Phase, String, LatencySummary)>,
    /// Faults that are on, by id.
    pub(super) faults: BTreeMap<u32, String>,
    pub(super) findings: Vec<Finding>,
    pub(super) lines: VecDeque<String>,
    pub(super) asking: Option<Asking>,
    pub(super) paused_for: Option<Duration>,
    pub(super) is_stopping: bool,
    pub(super) started: Instant,
}

impl Board {
    pub(super) fn new(plan: &Plan, without_colour: bool) -> Self {
        Self {
            plan: plan.clone(),
            without_colour,
            index: 0,
            standing: vec![Standing::Ahead; plan.variants.len()],
            began_s: 0.0,
            cycle: None,
            cycles: plan.cycle.count,
            phase: None,
            phase_began: Instant::now(),
            rss: Trace::default(),
            heap: Trace::default(),
            anon: Trace::default(),
            floors: Vec::new(),
            latest: BTreeMap::new(),
            acked: VecDeque::new(),
            latency: None,
            faults: BTreeMap::new(),
            findings: Vec::new(),
            lines: VecDeque::new(),
            asking: None,
            paused_for: None,
            is_stopping: false,
            started: Instant::now(),
        }
    }

    /// What follows is of this variant.
    pub(super) fn begin(&mut self, index: usize) {
        self.index = index;
        if let Some(standing) = self.standing.get_mut(index) {
            *standing =
                if self.plan.variants[index].is_control() { Standing::OnPurpose } else { Standing::Judged(None) };
        }
        (self.cycle, self.cycles, self.phase) = (None, self.plan.cycle.count, None);
        (self.rss, self.heap, self.anon, self.floors) = Default::default();
        (self.latency, self.findings) = (None, Vec::new());
        self.latest.clear();
        self.acked.clear();
        self.faults.clear();
    }

    pub(super) fn sample(&mut self, sample: &Sample) {
        for (name, value) in &sample.values {
            self.latest.insert(name, *value);
            match *name {
                "rss_bytes" => self.rss.push(sample.at_s, *value),
                "rss_anon_bytes" => self.anon.push(sample.at_s, *value),
                "heap_bytes" => self.heap.push(sample.at_s, *value),
                "acked_vectors_total" => {
                    self.acked.push_back((sample.at_s, *value));
                    while self.acked.len() > 2
                        && self.acked.front().is_some_and(|(at, _)| sample.at_s - at > RATE_OVER_S)
                    {
                        self.acked.pop_front();
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::VariantStarted { .. } => self.began_s = event.at_s,
            EventKind::PhaseStarted { phase, cycle } => {
                (self.phase, self.phase_began) = (Some(*phase), Instant::now());
                self.cycle = cycle.or(self.cycle);
            }
            EventKind::Window { phase: Phase::Settle, cycle: Some(cycle), from_s, to_s, .. }
                if *cycle >= self.plan.cycle.warm_up =>
            {
                self.floors.extend(self.anon.median(*from_s, *to_s));
            }
            // Deletes at the end of a cycle are no load that anybody waits for.
            EventKind::Latency { phase, operation, summary, .. } if *phase != Phase::Delete => {
                self.latency = Some((*phase, operation.clone(), *summary));
            }
            EventKind::CyclesAdded { more, .. } => self.cycles += more,
            EventKind::FaultApplied { id, fault, .. } => drop(self.faults.insert(*id, fault.clone())),
            EventKind::FaultHealed { id, .. } => drop(self.faults.remove(id)),
            EventKind::VariantEnded { outcome: Outcome::TargetFailed { .. } } if !self.is_control() => {
                if let Some(standing) = self.standing.get_mut(self.index) {
                    *standing = Standing::Failed;
                }
            }
            _ => {}
        }
        if let Some(line) = notable(event) {
            self.lines.push_back(format!("{} {line}", clock(event.at_s)));
            if self.lines.len() > LINES_MOST {
                self.lines.pop_front();
            }
        }
    }

    /// What the judge says so far.
    pub(super) fn take_so_far(&mut self, said: Option<SoFar>) {
        let Some(SoFar { index, findings }) = said else { return };
        if let Some(standing @ Standing::Judged(_)) = self.standing.get_mut(index) {
            *standing = Standing::Judged(Verdict::over(findings.iter().filter_map(|finding| finding.verdict)));
        }
        if index == self.index {
            self.findings = findings;
            // What fails is read first.
            self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        }
    }

    /// The last reading of a series.
    pub(super) fn latest(&self, series: &str) -> Option<f64> {
        self.latest.get(series).copied()
    }

    /// The target's memory limit, where it has one.
    pub(super) fn limit(&self) -> Option<f64> {
        self.latest("cgroup_limit_bytes")
    }

    /// Rows acknowledged a second, of late.
    pub(super) fn rows_per_s(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (*self.acked.front()?, *self.acked.back()?);
        (to > from).then(|| ((now - before) / (to - from)).max(0.0))
    }

    /// How long the phase has lasted.
    pub(super) fn in_phase(&self) -> Duration {
        self.phase_began.elapsed()
    }

    /// Whether what is wrong with the variant that runs was put in on purpose.
    pub(super) fn is_control(&self) -> bool {
        self.plan.variants.get(self.index).is_some_and(Variant::is_control)
    }

    /// The variant that runs.
    pub(super) fn variant(&self) -> &str {
        self.plan.variants.get(self.index).map_or("", |variant| &variant.id)
    }
}

/// A time as a clock shows it.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    if whole >= 3600 {
        format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
    } else {
        format!("{:02}:{:02}", whole / 60, whole % 60)
    }
}

/// A finding in a few words: what was measured, and against what.
pub(super) fn short(finding: &Finding) -> String {
    let in_unit = |value: f64| human::in_unit(value, &finding.unit);
    match (finding.value, finding.threshold) {
        (Some(value), Some(threshold)) => format!("{} (limit {})", in_unit(value), in_unit(threshold)),
        (Some(value), None) => in_unit(value),
        (None, _) => "nothing yet".to_owned(),
    }
}
