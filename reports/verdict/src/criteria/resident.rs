//! `resident_per_vector`: does the number of vectors justify the memory? How many times their bytes are resident, and what the rest is.

use soak_record::{EventKind, Phase};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::student::{mean_interval, p_mean_above};

const SERIES: &str = "rss_bytes";
/// A part that is less of the memory than this explains nothing.
const PART_SHARE: f64 = 0.1;
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 3: High RSS But Low Memory Usage”: mapped files are taken back by the kernel under \
     pressure; for slabs, “SlabArena Memory Management”; for the heap, a heap profile as in “Step 1: Identify Memory Hotspots”.";

/// What memory consists of at rest with data, in bytes.
struct Parts {
    resident: f64,
    vectors: f64,
    /// What of the rest is known, by name.
    known: Vec<(&'static str, f64)>,
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(SERIES) {
        return Evidence::absent(why);
    }
    let all: Vec<Parts> = observed.counted_cycles().filter_map(|cycle| parts(observed, cycle)).collect();
    let ratios: Vec<f64> = all.iter().map(|parts| parts.resident / parts.vectors).collect();
    let (Some((mean, interval)), Some(last)) = (mean_interval(&ratios, 0.95), all.last()) else {
        return Evidence::absent(format!(
            "Only {} with memory at rest after compaction and an account of its rows.",
            human::plural(ratios.len(), "counted cycle")
        ));
    };
    let summary = format!(
        "With data at rest, {mean:.2} times the bytes of the live vectors are resident ({:.2} to {:.2}, 95 % sure, {}).",
        interval[0],
        interval[1],
        human::plural(ratios.len(), "counted cycle"),
    );
    let what = last.in_words();
    let limit = threshold.at_most;
    Evidence {
        value: Some(mean),
        interval: Some(interval),
        threshold: limit,
        summary,
        notes: Vec::new(),
        band: None,
        working: working(&all, &what),
        p: vec![limit.map_or(1.0, |limit| p_mean_above(&ratios, limit))],
        rule: Box::new(move |shared| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let ruling = if interval[1] < limit {
                Ruling::new(Verdict::Pass, format!("Up to {limit:.2} is allowed."))
            } else if shared.rejects(0) && interval[0] > limit {
                Ruling::new(Verdict::Fail, format!("At most {limit:.2} is allowed. {what}")).next(NEXT)
            } else {
                let because = format!("{limit:.2} is allowed, which lies inside the interval. {what}");
                Ruling::new(Verdict::Inconclusive, because)
            };
            ruling.detectable(Some(limit + (interval[1] - mean)).filter(|value| value.is_finite()))
        }),
    }
}

/// What a cycle has after its compaction; `None` where a window or the account of its rows is missing.
fn parts(observed: &Observed<'_>, cycle: u32) -> Option<Parts> {
    let level = |name: &str| observed.level(name, Phase::AfterCompact, Some(cycle)).map(|level| level.median);
    let deleted = observed.events().find_map(|event| match event {
        EventKind::Deleted { cycle: of, rows, .. } if *of == cycle => Some(*rows),
        _ => None,
    })?;
    let acked = observed.ingests().into_iter().find(|ingest| ingest.cycle == cycle)?.acked_rows;
    let row_bytes = f64::from(observed.record.variant.knobs.dim) * 4.0;
    let vectors = acked.saturating_sub(deleted) as f64 * row_bytes;
    let resident = level(SERIES)?;
    let idle = observed.level("rss_anon_bytes", Phase::ColdIdle, None).map(|level| level.median);
    let heap = level("heap_bytes");
    let (slabs, graphs) = (level("slab_bytes"), level("graph_bytes"));
    // Of the heap, what is neither slab nor graph is held by something else.
    let beside = heap.map(|heap| (heap - slabs.unwrap_or(0.0) - graphs.unwrap_or(0.0)).max(0.0));
    let has_parts = slabs.is_some() || graphs.is_some();
    let beyond = |whole: Option<f64>| whole.map(|bytes| (bytes - vectors).max(0.0));
    let known = [
        ("mapped files", level("rss_file_bytes")),
        ("the idle process", idle),
        ("slabs beyond the vectors in them", beyond(slabs)),
        ("graphs", graphs),
        ("heap that is neither slab nor graph", beside.filter(|_| has_parts)),
        ("heap beyond the vectors", beyond(heap).filter(|_| !has_parts)),
        (
            "anonymous memory outside the heap",
            heap.zip(level("rss_anon_bytes")).map(|(heap, anon)| (anon - heap).max(0.0)),
        ),
    ];
    let known = known.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))).collect();
    (vectors > 0.0).then_some(Parts { resident, vectors, known })
}

impl Parts {
    /// The largest parts beside the vectors, largest first.
    fn in_words(&self) -> String {
        let mut known: Vec<_> = self.known.iter().filter(|(_, bytes)| *bytes >= PART_SHARE * self.resident).collect();
        known.sort_by(|a, b| b.1.total_cmp(&a.1));
        let named: Vec<String> = known.iter().map(|(name, bytes)| format!("{name} {}", human::bytes(*bytes))).collect();
        let of = format!("Of {} with {} of vectors", human::bytes(self.resident), human::bytes(self.vectors));
        if named.is_empty() {
            format!("{of}, no series tells what the rest is.")
        } else {
            format!("{of}: {} (parts may overlap).", named.join(", "))
        }
    }
}

fn working(all: &[Parts], what: &str) -> Vec<String> {
    let each: Vec<String> = all.iter().map(|parts| format!("{:.3}", parts.resident / parts.vectors)).collect();
    vec![format!("Resident over the bytes of live vectors, cycle by cycle: {}.", each.join(", ")), what.to_owned()]
}
