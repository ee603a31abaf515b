//! What a record shows of one variant: charts as SVG and the few figures that no finding holds. The record can be let go afterwards.

mod chart;
mod cycles;
mod faults;
mod floors;
mod latency;
mod phases;
mod recolour;
mod thin;
mod trend;

use soak_diagnosis::sites::Growth;
use soak_record::{EventKind, Outcome, Phase, Series, TaskGroup, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::human;
use soak_verdict::stats::location::median;

pub(crate) use cycles::CYCLE_HEADS;
pub(crate) use faults::{FaultLine, HEADS as FAULT_HEADS};
pub(crate) use latency::{OperationLatency, Spread};
pub(crate) use phases::Group;
pub(crate) use trend::{Course, trend};

/// What a record shows of one variant, drawn, so that the record itself can be let go.
#[derive(Debug, Clone)]
pub struct VariantPicture {
    /// The variant's id.
    pub id: String,
    /// Memory over time.
    pub(crate) memory: Option<Drawing>,
    /// Floors from cycle to cycle, at a scale that shows what is judged.
    pub(crate) floors: Option<Drawing>,
    /// What both show, as rows of a table.
    pub(crate) cycles: Vec<[String; 6]>,
    /// Latencies over the counted cycles.
    pub(crate) latencies: Vec<OperationLatency>,
    /// The accounts of the counted ingest phases.
    pub(crate) ingest: IngestAccount,
    /// Highest resident set of the whole variant.
    pub(crate) rss_peak_bytes: Option<f64>,
    /// Recall by cycle: cycle, searches compared, share found.
    pub(crate) recall: Vec<(u32, u32, f64)>,
    /// The largest task groups after the drain, with their count after the warm-up.
    pub(crate) tasks: Vec<(TaskGroup, u64)>,
    /// What of the heap grew, where dumps of it were kept and any grew.
    pub(crate) growing: Option<Growing>,
    /// Pressure against response.
    pub(crate) faults: Vec<FaultLine>,
    /// How the variant ended, where the verdict does not tell.
    pub(crate) ending: Option<&'static str>,
    /// From first to last event or sample.
    pub(crate) seconds: f64,
}

/// A chart and what it tells to those who do not see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// The SVG element.
    pub(crate) svg: String,
    /// Style class and name of each line drawn.
    pub(crate) lines: Vec<(&'static str, String)>,
    /// The phases shaded.
    pub(crate) phases: Vec<Group>,
    /// What one cannot see in it: series that were not recorded.
    pub(crate) missing: Vec<&'static str>,
}

/// What the ingest phases of the counted cycles add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct IngestAccount {
    /// Median over cycles.
    pub(crate) rows_per_s: Option<f64>,
    pub(crate) acked_rows: u64,
    pub(crate) indeterminate_rows: u64,
    pub(crate) refused_rows: u64,
    pub(crate) back_pressure: u64,
}

/// Sites of the heap that grew, as the rows of a table, most first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growing {
    /// Between when and when.
    pub(crate) when: String,
    pub(crate) rows: Vec<[String; 4]>,
}

/// What the cells of a row are.
pub(crate) const GROWING_HEADS: [&str; 4] = ["Function", "More", "Of all growth", "Stack, innermost first"];

/// Sites that are shown; the rest is in `soak diag`.
const SITES: usize = 5;

/// Groups of tasks that are kept.
const TASK_GROUPS: usize = 12;

/// Draws what one record shows.
pub fn picture(plan: &Plan, record: &VariantRecord) -> VariantPicture {
    let [from_s, to_s] = span(record);
    let peak = |series: &Series| series.values.iter().copied().reduce(f64::max);
    VariantPicture {
        id: record.variant.id.clone(),
        memory: chart::memory(plan, record, [from_s, to_s]),
        floors: floors::chart(plan, record),
        cycles: cycles::rows(plan, record),
        latencies: latency::aggregate(plan, record),
        ingest: ingest(plan, record),
        rss_peak_bytes: record.series.get("rss_bytes").and_then(peak),
        recall: recall(record),
        tasks: tasks(record),
        growing: None,
        faults: faults::lines(record),
        ending: ending(record),
        seconds: to_s - from_s,
    }
}

impl VariantPicture {
    /// The same with what of the heap grew: its sites, most first, and between when and when.
    #[must_use]
    pub fn with_growing_sites(mut self, sites: &[Growth], when: String) -> Self {
        let telling = sites.iter().filter(|site| site.is_telling()).take(SITES);
        let row = |site: &Growth| {
            let (more, share) = (human::bytes(site.more_bytes()), human::percent(site.share));
            [site.function.clone(), more, share, site.stack.clone()]
        };
        let rows: Vec<_> = telling.map(row).collect();
        self.growing = (!rows.is_empty()).then_some(Growing { when, rows });
        self
    }
}

/// When the variant began and ended, in seconds of run time.
fn span(record: &VariantRecord) -> [f64; 2] {
    let events = record.events.iter().map(|event| event.at_s);
    let samples =
        record.series.values().flat_map(|series| series.times_s.first().into_iter().chain(series.times_s.last()));
    let times = events.chain(samples.copied()).filter(|time| time.is_finite());
    let [from, to] = times.fold([f64::INFINITY, f64::NEG_INFINITY], |[from, to], time| [from.min(time), to.max(time)]);
    if from <= to { [from, to] } else { [0.0, 0.0] }
}

fn ingest(plan: &Plan, record: &VariantRecord) -> IngestAccount {
    let mut account = IngestAccount::default();
    let mut rates = Vec::new();
    for event in &record.events {
        let EventKind::Ingested { cycle, acked_rows, indeterminate_rows, refused_rows, back_pressure, seconds, .. } =
            &event.kind
        else {
            continue;
        };
        if *cycle < plan.cycle.warm_up {
            continue;
        }
        account.acked_rows += acked_rows;
        account.indeterminate_rows += indeterminate_rows;
        account.refused_rows += refused_rows;
        account.back_pressure += back_pressure;
        if *seconds > 0.0 {
            rates.push(*acked_rows as f64 / seconds);
        }
    }
    account.rows_per_s = median(&rates);
    account
}

fn recall(record: &VariantRecord) -> Vec<(u32, u32, f64)> {
    let recalls = record.events.iter().filter_map(|event| match event.kind {
        EventKind::Recall { cycle, searches, recall } => Some((cycle, searches, recall)),
        _ => None,
    });
    recalls.collect()
}

/// The last reading's largest groups, with what the first reading after the cold idle counted of each.
fn tasks(record: &VariantRecord) -> Vec<(TaskGroup, u64)> {
    let readings = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::Tasks { phase, groups, .. } if *phase != Phase::ColdIdle => Some(groups),
        _ => None,
    });
    let readings: Vec<&Vec<TaskGroup>> = readings.collect();
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else { return Vec::new() };
    let before =
        |group: &TaskGroup| first.iter().find(|old| old.signature == group.signature).map_or(0, |old| old.count);
    let mut groups: Vec<(TaskGroup, u64)> = last.iter().map(|group| (group.clone(), before(group))).collect();
    // What grew most first: that is what one looks for.
    groups.sort_by_key(|(group, before)| std::cmp::Reverse((group.count.saturating_sub(*before), group.count)));
    groups.truncate(TASK_GROUPS);
    groups
}

fn ending(record: &VariantRecord) -> Option<&'static str> {
    let outcome = record.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::VariantEnded { outcome } => Some(outcome),
        _ => None,
    });
    match outcome {
        Some(Outcome::Interrupted) => Some("A person ended the run of this variant."),
        Some(Outcome::Stopped { .. }) => Some("A stop condition of the scenario ended the run of this variant."),
        None => Some("The record stops before the end of this variant."),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn a_record_is_drawn() {
        let (plan, record) = (synthetic::plan(), synthetic::record(0, synthetic::Target::HEALTHY));
        let drawn = picture(&plan, &record);
        let memory = drawn.memory.unwrap();
        assert!(memory.svg.len() < 60_000, "{} bytes", memory.svg.len());
        assert!(memory.missing.is_empty());
        assert!(drawn.floors.is_some());
        assert!(drawn.ingest.rows_per_s.is_some());
        assert!(drawn.ending.is_none());
        assert!(drawn.seconds > 10.0);
    }

    #[test]
    fn a_long_noisy_record_is_no_larger() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        let names = ["rss_anon_bytes", "rss_bytes", "heap_bytes", "dataset_bytes", "ledger_live_vectors"];
        for (place, name) in (1u64..).zip(names) {
            let series = record.series.entry(name.to_owned()).or_default();
            *series = Series::default();
            for i in 0..50_000u64 {
                series.push(i as f64, 1e8 * place as f64 + (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 38) as f64);
            }
        }
        record
            .events
            .retain(|event| !matches!(event.kind, EventKind::PhaseStarted { .. } | EventKind::PhaseEnded { .. }));
        for i in 0..2000u32 {
            let phase = if i % 2 == 0 { Phase::Ingest } else { Phase::Compact };
            let kind = EventKind::PhaseStarted { phase, cycle: Some(i) };
            record.events.push(soak_record::Event { at_s: f64::from(i) * 25.0, variant: None, kind });
        }
        let drawn = picture(&synthetic::plan(), &record).memory.unwrap();
        assert!(drawn.svg.len() < 60_000, "{} bytes", drawn.svg.len());
    }

    #[test]
    fn missing_series_are_named() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        record.series.remove("heap_bytes");
        let memory = picture(&synthetic::plan(), &record).memory.unwrap();
        assert_eq!(memory.missing, ["heap in use"]);
    }

    #[test]
    fn an_empty_record_has_no_charts() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        record.events.clear();
        record.series.clear();
        let drawn = picture(&synthetic::plan(), &record);
        assert!(drawn.memory.is_none() && drawn.floors.is_none() && drawn.latencies.is_empty());
        assert!(drawn.ending.is_some());
    }

    #[test]
    fn tasks_that_grew_come_first() {
        let record = synthetic::record(0, synthetic::Target { tasks_per_s: 3.0, ..synthetic::Target::HEALTHY });
        let tasks = tasks(&record);
        assert_eq!(tasks[0].0.signature, "wait < worker");
        assert!(tasks[0].0.count > tasks[0].1);
    }
}
