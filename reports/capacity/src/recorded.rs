//! What a run measured: of each variant its point, its memory at rest with all vectors in it, and its peak.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;
use soak_record::{EventKind, Outcome, Phase, Run, VariantRecord};
use soak_scenario::units::{Gogc, Limit};
use soak_scenario::{Launch, Plan, Schedule};
use soak_verdict::{departures, untrue_settings};

use crate::point::Point;

/// The kernel counts mapped files too when a limit is met, so the whole resident set is what a limit has to hold.
const MEMORY: &str = "rss_bytes";

/// User and system time are told in whole ticks, a hundred a second.
const TICKS_S: f64 = 0.02;

/// A load of which this share was started is the one that was asked for; what misses is the edge of a short phase.
const KEPT_UP: f64 = 0.9;

/// What one variant measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observation {
    /// The run.
    pub run: String,
    /// The variant.
    pub variant: String,
    /// Where it stood.
    pub point: Point,
    /// Collected and at rest, with every vector of the cycle in memory: the mean of the counted cycles.
    pub settled_bytes: f64,
    /// The most of all counted cycles.
    pub peak_bytes: f64,
    /// In which phase that was.
    pub peak_phase: Phase,
    /// Of the index, for each node, where the target tells it; the vector included where the index holds it.
    pub node_bytes: Option<f64>,
    /// Share of the memory above the idle process that compaction gave back.
    pub reclaimed: Option<f64>,
    /// Processor seconds of the target for a million components put and indexed.
    pub cpu_s_per_million: Option<f64>,
    /// How far that may be from the truth, because processor time is told in ticks.
    pub cpu_error_s_per_million: Option<f64>,
    /// 99th percentile of searches, from when they were due.
    pub search_p99_ms: Option<f64>,
}

/// A variant that tells nothing of memory, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The run.
    pub run: String,
    /// The variant.
    pub variant: String,
    /// Why.
    pub why: String,
}

/// What has to be the same in all runs of a fit, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity(pub Vec<(&'static str, String)>);

/// Of a build that was not recorded; such a one may be any.
const NOT_TOLD: &str = "not told";

/// Between several values of what has to be one.
const AND: &str = " and ";

/// Of these a run may have several values, by its matrix, or by a build that changed under it.
const MAY_VARY: [&str; 3] = ["ef_construction", "compaction_interval", "build"];

/// What has to be the same in all runs and is not, each once, in words: one run beside another, or within one.
pub fn differences<'a>(runs: impl IntoIterator<Item = &'a Recorded>) -> Vec<String> {
    let runs: Vec<&Recorded> = runs.into_iter().collect();
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut add = |what: &'static str, why: String| {
        if found.iter().all(|(known, _)| *known != what) {
            found.push((what, why));
        }
    };
    for (i, one) in runs.iter().enumerate() {
        for (what, told) in &one.identity.0 {
            if MAY_VARY.contains(what) && told.contains(AND) {
                add(what, format!("the {what} differs within {}: {told}", one.run));
            }
        }
        // Every pair: one that is not told may stand between two that differ.
        for other in &runs[i + 1..] {
            for (what, here, there) in one.identity.beside(&other.identity) {
                add(what, format!("the {what} differs: {here} in {}, {there} in {}", one.run, other.run));
            }
        }
    }
    found.into_iter().map(|(_, why)| why).collect()
}

impl Identity {
    /// What is not the same of two runs: its name, here and there.
    fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|((_, here), (_, there))| here != there && here != NOT_TOLD && there != NOT_TOLD)
            .map(|((what, here), (_, there))| (*what, here.as_str(), there.as_str()))
    }
}

/// What a run tells of memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The run's id.
    pub run: String,
    /// What was run.
    pub identity: Identity,
    /// Whether a setting reaches such a target: the links of a node.
    pub sets_m: bool,
    /// The same of GOGC.
    pub sets_gogc: bool,
    /// The same of GOMEMLIMIT.
    pub sets_gomemlimit: bool,
    /// What was measured.
    pub observations: Vec<Observation>,
    /// What was not, and why.
    pub left_out: Vec<LeftOut>,
}

impl Recorded {
    /// What a run tells, of the records of those of its variants that it came to.
    pub fn of(run: &Run, records: &mut dyn Iterator<Item = VariantRecord>) -> Self {
        let profile = &run.plan.target.profile;
        let mut recorded = Self {
            run: run.id.clone(),
            identity: identity(run),
            sets_m: profile.sets("hnsw_m"),
            sets_gogc: profile.sets("gogc"),
            sets_gomemlimit: profile.sets("gomemlimit"),
            observations: Vec::new(),
            left_out: Vec::new(),
        };
        let mut builds = BTreeSet::new();
        for record in records {
            builds.extend(record.events.iter().filter_map(|event| match &event.kind {
                EventKind::TargetStarted { build, .. } => build.clone(),
                _ => None,
            }));
            match Seen(&run.plan, &record).observe(&run.id) {
                Ok(observation) => recorded.observations.push(observation),
                Err(why) => {
                    recorded.left_out.push(LeftOut { run: run.id.clone(), variant: record.variant.id.clone(), why });
                }
            }
        }
        let build = Vec::from_iter(builds).join(AND);
        recorded.identity.0.push(("build", if build.is_empty() { NOT_TOLD.to_owned() } else { build }));
        recorded
    }
}

fn identity(run: &Run) -> Identity {
    let target = &run.plan.target;
    let harness = run.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { harness, .. } => Some(harness.clone()),
        _ => None,
    });
    let launch = match &target.launch {
        // The embedded store is the harness itself.
        Launch::Embedded => {
            format!("embedded, of soak {}", harness.unwrap_or_else(|| "of an unknown version".to_owned()))
        }
        Launch::Process(path) => format!("process:{path}"),
        other => other.to_string(),
    };
    let misbehave: Vec<String> =
        target.misbehave.settings().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    let ingest = &run.plan.workload.ingest;
    // What no part of a fit goes with is the same in all its runs.
    let knobs = |knob: &str| {
        let settings = run.plan.judged().flat_map(|variant| variant.knobs.settings());
        let values: BTreeSet<String> = settings.filter(|(name, _)| *name == knob).map(|(_, value)| value).collect();
        Vec::from_iter(values).join(AND)
    };
    Identity(vec![
        ("target", launch),
        ("profile", target.profile.name.clone()),
        ("misbehaviour", if misbehave.is_empty() { "none".to_owned() } else { misbehave.join(" ") }),
        ("data kept on disk", target.durable.to_string()),
        ("ids", run.plan.workload.ids.name().to_owned()),
        ("rows put a second time", ingest.upserts.to_string()),
        ("rows deleted of each cycle", run.plan.workload.delete.to_string()),
        ("distribution", run.plan.workload.distribution.name().to_owned()),
        ("ef_construction", knobs("ef_construction")),
        ("compaction_interval", knobs("compaction_interval")),
    ])
}

/// A variant's record with its plan.
struct Seen<'a>(&'a Plan, &'a VariantRecord);

impl Seen<'_> {
    fn observe(&self, run: &str) -> Result<Observation, String> {
        let Self(plan, record) = *self;
        self.fits()?;
        let counted = plan.cycle.warm_up..plan.cycle.most();
        let mut settled = Vec::new();
        let mut highest: Option<(f64, Phase)> = None;
        let mut vectors = None;
        for cycle in counted.clone() {
            let Some(rows) = self.rows(cycle) else { continue };
            // A cycle that took less than the others is another size.
            if *vectors.get_or_insert(rows) != rows {
                return Err(format!("cycle {cycle} took {rows} rows, the ones before it other numbers"));
            }
            settled.extend(self.level(MEMORY, Phase::BeforeCompact, Some(cycle)));
            let peak = self.peak(cycle);
            if peak.is_some_and(|(bytes, _)| highest.is_none_or(|(most, _)| bytes > most)) {
                highest = peak;
            }
        }
        let (Some(vectors), Some((peak_bytes, peak_phase)), false) = (vectors, highest, settled.is_empty()) else {
            return Err(format!("no counted cycle has both an account of its rows and samples of {MEMORY} at rest"));
        };
        let point = self.point(vectors as f64);
        let over = |of: &dyn Fn(u32) -> Option<f64>| mean(&counted.clone().filter_map(of).collect::<Vec<_>>());
        let idle = self.level(MEMORY, Phase::ColdIdle, None);
        let per_million = |seconds: f64| seconds * 1e6 / (point.vectors * point.dim);
        Ok(Observation {
            run: run.to_owned(),
            variant: record.variant.id.clone(),
            point,
            settled_bytes: mean(&settled).unwrap_or_default(),
            peak_bytes,
            peak_phase,
            node_bytes: over(&|cycle| self.node_bytes(cycle)),
            reclaimed: over(&|cycle| self.reclaimed(cycle, idle?)),
            cpu_s_per_million: over(&|cycle| self.cpu(cycle)).map(per_million),
            cpu_error_s_per_million: self.cpu_error(counted.clone()).map(per_million),
            search_p99_ms: over(&|cycle| self.search_p99(cycle)),
        })
    }

    /// Whether this variant tells what its size needs.
    fn fits(&self) -> Result<(), String> {
        let Self(plan, record) = *self;
        let knobs = &record.variant.knobs;
        if record.variant.is_control() {
            return Err("it misbehaves on purpose".to_owned());
        }
        if !plan.faults.is_empty() {
            return Err("faults are injected in it".to_owned());
        }
        if knobs.gogc == Gogc::Off && plan.target.profile.sets("gogc") {
            return Err("with GOGC off nothing bounds garbage, and its peak tells nothing of a size".to_owned());
        }
        if knobs.memory_limit != Limit::Off || knobs.gomemlimit != Limit::Off {
            return Err("a limit holds its peak down".to_owned());
        }
        let ended = record.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::VariantEnded { outcome } => Some(outcome),
            _ => None,
        });
        match ended {
            Some(Outcome::Completed) => {}
            Some(
                Outcome::TargetFailed { reason } | Outcome::PlatformFailed { reason } | Outcome::Stopped { reason },
            ) => {
                return Err(format!("it did not come to its end: {reason}"));
            }
            Some(Outcome::Interrupted) | None => return Err("it did not come to its end".to_owned()),
        }
        // What a scenario tolerates is another point all the same.
        let why = [untrue_settings(record), departures(plan, record)].into_iter().find(|why| !why.is_empty());
        why.map_or(Ok(()), |why| Err(why.join("; ")))
    }

    fn point(&self, vectors: f64) -> Point {
        let Self(plan, record) = *self;
        let knobs = &record.variant.knobs;
        Point {
            vectors,
            dim: f64::from(knobs.dim),
            m: f64::from(knobs.hnsw_m),
            batch_rows: f64::from(knobs.batch_rows),
            streams: f64::from(plan.workload.ingest.streams),
            qps: self.qps(),
            gogc: match knobs.gogc {
                Gogc::Percent(percent) => Some(f64::from(percent)),
                Gogc::Off => None,
            },
        }
    }

    /// Searches a second of the query phase: what was asked for, or less where the target did not keep up.
    fn qps(&self) -> f64 {
        let Self(plan, record) = *self;
        let asked = match record.variant.knobs.query(&plan.workload.query).schedule {
            Schedule::Constant(rate) => rate.a_second(),
            Schedule::Ramp { from, to } | Schedule::Step { from, to, .. } => from.a_second().max(to.a_second()),
            Schedule::Burst { base, peak, .. } => base.a_second().max(peak.a_second()),
            Schedule::All => f64::INFINITY,
        };
        let (mut started, mut due) = (0, 0);
        for event in &record.events {
            if let EventKind::Latency { phase: Phase::Query, summary, .. } = &event.kind {
                let ended = summary.count + summary.errors;
                (started, due) = (started + ended, due + ended + summary.never_started);
            }
        }
        let share = started as f64 / (due as f64).max(1.0);
        let spans = (0..plan.cycle.most()).filter_map(|cycle| self.span(Phase::Query, cycle));
        let lasted_s: f64 = spans.map(|[from_s, to_s]| to_s - from_s).sum();
        let rate = match (asked.is_finite(), share < KEPT_UP) {
            (true, false) => asked,
            (true, true) => (asked * share).round(),
            (false, _) => (started as f64 / lasted_s.max(f64::MIN_POSITIVE)).round(),
        };
        let mix = plan.workload.query.mix;
        rate * f64::from(mix.search) / f64::from(mix.search + mix.upsert + mix.delete).max(1.0)
    }

    /// Rows that a cycle holds in the end of its ingest; `None` where some are uncertain or were refused.
    fn rows(&self, cycle: u32) -> Option<u64> {
        self.1.events.iter().find_map(|event| match &event.kind {
            EventKind::Ingested { cycle: of, acked_rows, indeterminate_rows: 0, refused_rows: 0, .. }
                if *of == cycle =>
            {
                Some(*acked_rows)
            }
            _ => None,
        })
    }

    /// The median of a series in the window of this phase and cycle.
    fn level(&self, series: &str, phase: Phase, cycle: Option<u32>) -> Option<f64> {
        let (from_s, to_s) = self.1.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Window { phase: of, cycle: in_cycle, from_s, to_s, .. }
                if *of == phase && *in_cycle == cycle =>
            {
                Some((*from_s, *to_s))
            }
            _ => None,
        })?;
        soak_verdict::stats::location::median(self.1.series.get(series)?.within(from_s, to_s).1)
    }

    /// When a phase of a cycle began and ended.
    fn span(&self, wanted: Phase, of: u32) -> Option<[f64; 2]> {
        let mut began = None;
        for event in &self.1.events {
            match &event.kind {
                EventKind::PhaseStarted { phase, cycle: Some(cycle) } if *phase == wanted && *cycle == of => {
                    began = Some(event.at_s);
                }
                EventKind::PhaseEnded { phase, cycle: Some(cycle), .. } if *phase == wanted && *cycle == of => {
                    return Some([began?, event.at_s]);
                }
                _ => {}
            }
        }
        None
    }

    /// The most that a cycle took, from its first batch until it is empty again, and in which phase.
    fn peak(&self, cycle: u32) -> Option<(f64, Phase)> {
        const PHASES: [Phase; 8] = [
            Phase::Ingest,
            Phase::Index,
            Phase::Query,
            Phase::Delete,
            Phase::BeforeCompact,
            Phase::Compact,
            Phase::AfterCompact,
            Phase::Clear,
        ];
        let series = self.1.series.get(MEMORY)?;
        let highest = |phase: Phase| {
            let [from_s, to_s] = self.span(phase, cycle)?;
            let most = series.within(from_s, to_s).1.iter().copied().reduce(f64::max)?;
            Some((most, phase))
        };
        PHASES.into_iter().filter_map(highest).max_by(|one, other| one.0.total_cmp(&other.0))
    }

    fn node_bytes(&self, cycle: u32) -> Option<f64> {
        let level = |series| self.level(series, Phase::BeforeCompact, Some(cycle)).filter(|value| *value > 0.0);
        Some(level("graph_bytes")? / level("indexed_vectors")?)
    }

    fn reclaimed(&self, cycle: u32, idle: f64) -> Option<f64> {
        let before = self.level(MEMORY, Phase::BeforeCompact, Some(cycle))? - idle;
        let after = self.level(MEMORY, Phase::AfterCompact, Some(cycle))? - idle;
        (before > 0.0).then(|| 1.0 - after / before)
    }

    /// Processor seconds of ingest and index.
    fn cpu(&self, cycle: u32) -> Option<f64> {
        let series = self.1.series.get("cpu_seconds_total")?;
        let (from_s, to_s) = (self.span(Phase::Ingest, cycle)?[0], self.span(Phase::Index, cycle)?[1]);
        Some(series.at(to_s)? - series.at(from_s)?)
    }

    /// How far the mean over these cycles may be from the truth, seconds.
    fn cpu_error(&self, mut cycles: Range<u32>) -> Option<f64> {
        let many = cycles.by_ref().filter(|cycle| self.cpu(*cycle).is_some()).count();
        // Between two samples the beginning and the end of a cycle are taken to be on their line.
        let one = TICKS_S + self.0.sampling.process.0.as_secs_f64();
        (many > 0).then(|| one / (many as f64).sqrt())
    }

    fn search_p99(&self, of: u32) -> Option<f64> {
        self.1.events.iter().find_map(|event| match &event.kind {
            EventKind::Latency { cycle, phase: Phase::Query, operation, summary }
                if *cycle == of && operation == "search" =>
            {
                Some(summary.corrected.p99_ms)
            }
            _ => None,
        })
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
