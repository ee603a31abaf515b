//! The runbook's rules for capacity, held against what the runs of this build say.

use serde::Serialize;
use soak_record::Phase;
use soak_verdict::human;
use soak_verdict::stats::location::median;

use crate::model::Model;
use crate::point::{Point, same};
use crate::recorded::Observation;
use crate::terms::Term;

/// Whether a rule holds for this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The runs cannot tell.
    Unknown,
}

impl Holds {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "holds",
            Self::No => "is wrong here",
            Self::Unknown => "not known",
        }
    }
}

/// A rule of the runbook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// The runbook's words.
    pub rule: String,
    /// Whether it holds.
    pub holds: Holds,
    /// With the numbers.
    pub because: String,
}

/// “Allocate 2-3x memory”.
const ALLOCATE: [f64; 2] = [2.0, 3.0];
/// Where the process without data is more than this part of the vectors' bytes, the rule is about vectors no more.
const PROCESS_MOST: f64 = 0.25;
/// “should be ~40-80 bytes for 128D vectors”.
const NODE_BYTES: [f64; 2] = [40.0, 80.0];
const NODE_DIM: f64 = 128.0;
/// “Red Flags: >5GB in single HNSW graph”.
const GRAPH_BYTES_MAX: f64 = 5e9;
/// The runbook's batch sizes: `import_batch_size: 500  # Instead of 4096`.
const BATCHES: [f64; 2] = [500.0, 4096.0];
/// Where memory has so many times what the rule allows, the page's word is not enough.
const PAGE_IS_SHORT: f64 = 1.5;
/// Less than this of a peak is not worth a setting.
const WORTH: f64 = 0.05;
/// Parts that take so much more in all than one whole are no way to save memory.
const DEARER: f64 = 0.25;

fn rule(rule: impl Into<String>, holds: Holds, because: impl Into<String>) -> Rule {
    Rule { rule: rule.into(), holds, because: because.into() }
}

/// All of them.
pub(crate) fn held(model: &Model, point: &Point) -> Vec<Rule> {
    let mut rules: Vec<Rule> = [1536.0, 3072.0].into_iter().map(|dim| allocate(model, point, dim)).collect();
    rules.extend([batches(model, point), compaction(model), partition(model, point), node(model)]);
    rules
}

/// How many times the bytes of its vectors a deployment needs.
fn allocate(model: &Model, point: &Point, dim: f64) -> Rule {
    let words = format!("High-dimensional vectors ({dim}D): Allocate 2-3x memory");
    // As many bytes of vectors as were asked of, or the base would make another number of them.
    let vectors = (point.data_bytes() / (dim * 4.0)).max(1.0).round();
    let at = Point { vectors, dim, ..*point };
    let Some(peak) = model.says(&at).peak else {
        return rule(words, Holds::Unknown, "the runs do not tell of this dimension and these settings");
    };
    let base = model.peak.coefficient(Term::Base);
    if base > PROCESS_MOST * at.data_bytes() {
        let why = format!(
            "of {} of vectors the process without data, {}, is too great a part: ask of a size that fills a node",
            human::bytes(at.data_bytes()),
            human::bytes(base)
        );
        return rule(words, Holds::Unknown, why);
    }
    let times = |bytes: f64| bytes / at.data_bytes();
    let (least, most) = (times(peak.interval[0]), times(peak.interval[1]));
    let measured = format!(
        "{} of {dim}-D vectors ({}) peak at {:.2} times their bytes ({least:.2} to {most:.2}, 95 % sure)",
        human::bytes(at.data_bytes()),
        human::number(vectors),
        times(peak.value)
    );
    let [low, high] = ALLOCATE;
    if least > high {
        rule(words, Holds::No, format!("{measured}: three times are too little, and it would be killed"))
    } else if most < low {
        rule(words, Holds::No, format!("{measured}: twice is more than it needs"))
    } else if most <= high {
        rule(words, Holds::Yes, format!("{measured}; allocate {most:.1} times"))
    } else {
        rule(words, Holds::Unknown, format!("{measured}: three times may be too little"))
    }
}

/// What smaller batches save.
fn batches(model: &Model, point: &Point) -> Rule {
    let words = "High QPS workload: Use smaller batches";
    if !model.peak.terms.contains(&Term::Batches) {
        return rule(words, Holds::Unknown, "all runs have batches of one size");
    }
    let [small, large] = BATCHES.map(|batch_rows| model.says(&Point { batch_rows, ..*point }).peak);
    let (Some(small), Some(large)) = (small, large) else {
        return rule(words, Holds::Unknown, "the runs do not tell of this point");
    };
    let saved = large.value - small.value;
    let measured = format!(
        "{} rows a batch instead of {} save {} of a peak of {} here; {}",
        BATCHES[0],
        BATCHES[1],
        human::bytes(saved),
        human::bytes(large.value),
        searches(model, point)
    );
    let holds = if saved >= WORTH * large.value { Holds::Yes } else { Holds::No };
    rule(words, holds, measured)
}

/// What searches take of a peak, whatever the batches.
fn searches(model: &Model, point: &Point) -> String {
    let rates = &model.spread.qps;
    if !model.spread.rates_vary() {
        return "the rate of searches was the same in all runs, so nothing is known of that".to_owned();
    }
    let [few, many] = [rates.least(), rates.most()].map(|qps| model.says(&Point { qps, ..*point }).peak);
    let (Some(few), Some(many)) = (few, many) else { return "the runs do not tell what searches take".to_owned() };
    let more = many.value - few.value;
    let (how_much, word) = (human::bytes(more.abs()), if more < 0.0 { "less" } else { "more" });
    let [from, to] = [rates.least(), rates.most()].map(human::number);
    format!("{to} searches a second instead of {from} take {how_much} {word}")
}

/// Whether more compactions keep the peak down, or make it.
fn compaction(model: &Model) -> Rule {
    let words = "High QPS workload: … more frequent compaction";
    let all = &model.observations;
    let while_compacting = all.iter().filter(|one| one.peak_phase == Phase::Compact).count();
    let reclaimed: Vec<f64> = all.iter().filter_map(|one| one.reclaimed).collect();
    let Some(reclaimed) = median(&reclaimed) else {
        return rule(words, Holds::Unknown, "no run tells what compaction gives back");
    };
    let measured = format!(
        "in {while_compacting} of {} variants the peak is in compaction itself; what it gives back afterwards is {} in the middle",
        all.len(),
        human::percent(reclaimed)
    );
    if reclaimed < WORTH {
        rule(words, Holds::No, format!("{measured}: more of them give back no more"))
    } else if 2 * while_compacting > all.len() {
        rule(words, Holds::No, format!("{measured}: more of them lower memory at rest, and not the limit"))
    } else {
        let unknown = "how often it compacts is the same in all runs of a fit: fit those of another matrix.compaction_interval apart, and compare the peaks";
        rule(words, Holds::Unknown, format!("{measured}; {unknown}"))
    }
}

/// From which size on it has to be divided.
fn partition(model: &Model, point: &Point) -> Rule {
    let words = "Large datasets: Enable partitioning (red flag: >5GB in single HNSW graph)";
    let Some((per_node, dim)) = node_bytes_near(&model.observations, point.dim, point.m) else {
        let why = format!("no run with M {} tells the size of its index", human::number(point.m));
        return rule(words, Holds::Unknown, why);
    };
    // An index that holds the vectors grows with the dimension; one that does not, does not.
    let holds_vector = per_node >= dim * 4.0;
    let per_node = if holds_vector { per_node - dim * 4.0 + point.vector_bytes() } else { per_node };
    let most = GRAPH_BYTES_MAX / per_node;
    let measured = format!(
        "a node of its index takes {} at {}-D and M {}, so 5 GB are some {} vectors; {} were asked of",
        human::bytes(per_node),
        point.dim,
        human::number(point.m),
        human::number(two_digits(most)),
        human::number(point.vectors)
    );
    let parts = (point.vectors / most).ceil();
    if parts <= 1.0 {
        return rule(words, Holds::Unknown, format!("{measured}: one part is enough, and the rule asks for nothing"));
    }
    let peak = |vectors: f64| model.says(&Point { vectors, ..*point }).peak.map(|peak| peak.value);
    let (Some(whole), Some(part)) = (peak(point.vectors), peak((point.vectors / parts).ceil())) else {
        return rule(words, Holds::Unknown, format!("{measured}: {parts} parts, of which the runs do not tell"));
    };
    // Each part is a process, with what a process takes without data.
    let times = parts * part / whole;
    let holds = if times <= 1.0 + DEARER { Holds::Yes } else { Holds::No };
    let told = format!(
        "{measured}: {parts} parts, which peak at {} each, and in all at {times:.2} times what one whole does",
        human::bytes(part)
    );
    rule(words, holds, told)
}

/// Memory of a node beside its vector.
fn node(model: &Model) -> Rule {
    let words = "Memory per node: ~40-80 bytes for 128D vectors";
    let m = crate::answer::usual(&model.observations, &|point| point.m);
    let told = node_bytes_near(&model.observations, NODE_DIM, m).filter(|(_, dim)| same(*dim, NODE_DIM));
    let Some((per_node, dim)) = told else {
        return rule(words, Holds::Unknown, "no run of 128-D tells the size of its index");
    };
    let vector = dim * 4.0;
    let beside = if per_node >= vector { per_node - vector } else { per_node };
    let copy = if per_node >= vector { ", beside a copy of the vector" } else { "" };
    let in_memory = in_memory(model, m);
    let measured = format!(
        "its page tells of {} bytes a node{copy} at M {m}; up to 2·M links of 4 bytes in the ground layer alone are {}{}",
        beside.round(),
        2.0 * m * 4.0,
        in_memory
            .map(|bytes| format!(
                ", and in memory {} go with a vector beside its components, ids and names among them",
                bytes.round()
            ))
            .unwrap_or_default()
    );
    let [low, high] = NODE_BYTES;
    // What the page counts is the target's own idea of it.
    match in_memory {
        _ if !(low..=high).contains(&beside) => rule(words, Holds::No, measured),
        Some(bytes) if bytes > PAGE_IS_SHORT * high => rule(
            words,
            Holds::Unknown,
            format!("{measured}: the page leaves out most of what a node takes, or ids and names do"),
        ),
        _ => rule(words, Holds::Yes, measured),
    }
}

/// What memory at rest says of the same: all that goes with a vector and not with its dimension, as far as the fit tells that apart.
fn in_memory(model: &Model, m: f64) -> Option<f64> {
    let rest = &model.rest;
    if !rest.terms.contains(&Term::Rows) || !rest.terms.contains(&Term::Vectors) {
        return None;
    }
    let links = if rest.terms.contains(&Term::Links) { rest.coefficient(Term::Links) * m * 4.0 } else { 0.0 };
    Some(rest.coefficient(Term::Rows) + links)
}

/// The first two digits of a number: what arrays grow by makes more of them untrue.
fn two_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    (value / unit).round() * unit
}

/// Bytes of a node in the median of the variants with this M of the dimension nearest to this; and that dimension.
fn node_bytes_near(observations: &[Observation], dim: f64, m: f64) -> Option<(f64, f64)> {
    let told: Vec<(f64, f64)> = observations
        .iter()
        .filter(|one| same(one.point.m, m))
        .filter_map(|one| Some((one.node_bytes?, one.point.dim)))
        .collect();
    let apart = |other: f64| (other / dim).ln().abs();
    let nearest = told.iter().map(|(_, dim)| *dim).min_by(|a, b| apart(*a).total_cmp(&apart(*b)))?;
    let bytes: Vec<f64> = told.iter().filter(|(_, dim)| same(*dim, nearest)).map(|(bytes, _)| *bytes).collect();
    Some((median(&bytes)?, nearest))
}
