//! The question (how much does that size need?) and the answer, with all that it stands on.

use serde::Serialize;
use soak_verdict::human;

use crate::fit::Fit;
use crate::model::{EXTRAPOLATED, Model};
use crate::point::{Point, most_common, same};
use crate::recorded::{Identity, LeftOut, Observation};
use crate::rules::{self, Rule};
use crate::settings::Settings;
use crate::spread::Missing;
use crate::terms::Term;

const MIB: f64 = 1_048_576.0;

/// A processor time that is less than so many times its error tells no factor.
const CPU_LEAST: f64 = 3.0;

/// What is asked. What is not said is as in most of the runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Vectors held.
    pub vectors: f64,
    /// Components of a vector.
    pub dim: f64,
    /// Neighbours of a graph node.
    pub m: Option<f64>,
    /// Rows of one message.
    pub batch_rows: Option<f64>,
    /// Messages on their way at once.
    pub streams: Option<f64>,
    /// Searches a second.
    pub qps: Option<f64>,
    /// GOGC in percent.
    pub gogc: Option<f64>,
    /// Memory of one node, to be divided among.
    pub node_bytes: Option<f64>,
}

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// In which the next measurement lies, 95 % sure.
    pub interval: [f64; 2],
}

impl Estimate {
    /// With half a width that is relative; as a factor, so that no interval reaches below nothing.
    pub(crate) fn around(value: f64, half: f64) -> Self {
        Self { value, unit: "bytes", interval: [value / (1.0 + half), value * (1.0 + half)] }
    }

    /// This one, but nowhere less than another.
    pub(crate) fn at_least(self, other: Self) -> Self {
        let interval = [0, 1].map(|end: usize| self.interval[end].max(other.interval[end]));
        Self { value: self.value.max(other.value), interval, ..self }
    }

    /// Half the width of the interval, relative to the value.
    pub fn half_width(&self) -> f64 {
        0.5 * (self.interval[1] - self.interval[0]) / self.value
    }
}

/// How well a fit fits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FitFigures {
    /// `settled` or `peak`.
    pub of: &'static str,
    /// Variants that it stands on.
    pub variants: usize,
    /// Bytes for each unit of a term, in words; what is 0 was not seen.
    pub bytes_for: Vec<(&'static str, f64)>,
    /// Relative standard deviation of the residuals.
    pub residual: f64,
    /// Root of the mean squared error of the variants, each predicted by a fit without its size.
    pub held_out: f64,
    /// The worst of those.
    pub held_out_worst: f64,
}

/// What another GOGC would need, and cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeOff {
    /// GOGC in percent.
    pub gogc: f64,
    /// The peak.
    pub peak: Estimate,
    /// Processor time of ingest and index beside that of the GOGC which most runs have, as a factor, of variants that differ in nothing else; absent where there are none, or
    /// where it is less than the kernel's ticks tell.
    pub cpu: Option<f64>,
    /// Where that factor lies, by the kernel's ticks and the times of samples alone.
    pub cpu_interval: Option<[f64; 2]>,
    /// How many pairs of variants there are: one pair is hardly more than a hint.
    pub cpu_pairs: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What was asked, as it was understood.
    pub asked: Point,
    /// Memory at rest with everything in it, collected.
    pub settled: Option<Estimate>,
    /// The most that it takes while it is loaded, searched and compacted.
    pub peak: Option<Estimate>,
    /// What to give it: the upper end of the peak's interval, in whole MiB. Its interval is the peak's, up to there.
    pub limit: Option<Estimate>,
    /// Beyond ten times what was run: wider, and without any evidence that nothing changes on the way.
    pub extrapolated: bool,
    /// How far beyond the runs it is, as a factor, and of which axis.
    pub beyond: (f64, &'static str),
    /// What is missing for an answer.
    pub missing: Vec<Missing>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// Nodes among which the vectors have to be divided, where a node's memory was told.
    pub nodes: Option<u64>,
    /// What to give each of them; the lines to paste are of one.
    pub node_limit: Option<Estimate>,
    /// By GOGC.
    pub trade_off: Vec<TradeOff>,
    /// The runbook's rules, and whether they hold.
    pub rules: Vec<Rule>,
    /// Lines to paste.
    pub settings: Option<Settings>,
    /// How well the fits fit.
    pub fits: Vec<FitFigures>,
    /// What was run.
    pub target: Option<Identity>,
    /// The runs.
    pub runs: Vec<String>,
    /// What was measured.
    pub observations: Vec<Observation>,
    /// What was not, and why.
    pub left_out: Vec<LeftOut>,
}

impl Question {
    /// The point as far as it was said; the rest is not a number.
    fn as_said(&self) -> Point {
        let or_not = |said: Option<f64>| said.unwrap_or(f64::NAN);
        Point {
            vectors: self.vectors,
            dim: self.dim,
            m: or_not(self.m),
            batch_rows: or_not(self.batch_rows),
            streams: or_not(self.streams),
            qps: or_not(self.qps),
            gogc: self.gogc,
        }
    }

    /// The point, with what was not said filled in from the runs, and words about that.
    fn point(&self, observations: &[Observation]) -> (Point, Vec<String>) {
        let mut assumed = Vec::new();
        let mut fill = |said: Option<f64>, name: &str, axis: &dyn Fn(&Point) -> f64| {
            said.unwrap_or_else(|| {
                let value = usual(observations, axis);
                let many = observations.iter().filter(|one| same(axis(&one.point), value)).count();
                let runs = if 2 * many > observations.len() { "most runs" } else { "some runs" };
                let shown = if value < 0.0 { "off".to_owned() } else { human::number(value) };
                assumed.push(format!("{name} {shown}, as in {runs}"));
                value
            })
        };
        let point = Point {
            vectors: self.vectors,
            dim: self.dim,
            m: fill(self.m, "M", &|point| point.m),
            batch_rows: fill(self.batch_rows, "batches of", &|point| point.batch_rows),
            streams: fill(self.streams, "streams", &|point| point.streams),
            qps: fill(self.qps, "searches a second", &|point| point.qps),
            gogc: Some(fill(self.gogc, "GOGC", &|point| point.gogc.unwrap_or(-1.0))).filter(|gogc| *gogc >= 0.0),
        };
        (point, assumed)
    }
}

/// The value that most variants have; the least of several.
pub(crate) fn usual(observations: &[Observation], axis: &dyn Fn(&Point) -> f64) -> f64 {
    most_common(observations.iter().map(|one| axis(&one.point))).unwrap_or(0.0)
}

impl Answer {
    /// What a model, or what is missing for one, answers.
    pub fn to(question: &Question, model: &Result<Model, Vec<Missing>>, runs: &[String]) -> Self {
        match model {
            Ok(model) => Self::of(question, model),
            Err(missing) => Self { missing: missing.clone(), runs: runs.to_vec(), ..Self::nothing(question.as_said()) },
        }
    }

    /// Whether everything that was asked is answered.
    pub fn is_complete(&self) -> bool {
        self.limit.is_some() && self.missing.is_empty()
    }

    fn nothing(asked: Point) -> Self {
        Self {
            asked,
            settled: None,
            peak: None,
            limit: None,
            extrapolated: false,
            beyond: (1.0, "none"),
            missing: Vec::new(),
            assumptions: Vec::new(),
            nodes: None,
            node_limit: None,
            trade_off: Vec::new(),
            rules: Vec::new(),
            settings: None,
            fits: Vec::new(),
            target: None,
            runs: Vec::new(),
            observations: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn of(question: &Question, model: &Model) -> Self {
        let (point, mut assumptions) = question.point(&model.observations);
        let said = model.says(&point);
        assumptions.extend(taken_for_granted(model, &point));
        let limit = said.peak.map(limit_of);
        let mut missing = said.missing;
        let nodes = match question.node_bytes.and_then(|node| nodes(model, &point, node)) {
            Some(Ok(nodes)) => Some(nodes),
            Some(Err(none)) => {
                missing.push(none);
                None
            }
            None => None,
        };
        // What is set is set on a node, so that the lines are those of a part.
        let each = model.says(&part(&point, nodes.unwrap_or(1)));
        let extrapolated = said.beyond.0 > EXTRAPOLATED;
        Self {
            settled: said.settled,
            peak: said.peak,
            limit,
            extrapolated,
            beyond: said.beyond,
            missing,
            assumptions,
            nodes,
            node_limit: nodes.and(each.peak.map(limit_of)),
            trade_off: trade_off(model, &point),
            rules: rules::held(model, &point),
            settings: each.peak.zip(each.settled).map(|(peak, settled)| {
                let sets = (model.sets_gogc, model.sets_gomemlimit);
                Settings::of(settled.value, peak.value, limit_of(peak).value, sets, point.gogc)
            }),
            fits: vec![figures("settled", &model.rest), figures("peak", &model.peak)],
            target: Some(model.identity.clone()),
            runs: model.runs.clone(),
            observations: model.observations.clone(),
            left_out: model.left_out.clone(),
            ..Self::nothing(point)
        }
    }
}

fn figures(of: &'static str, fit: &Fit) -> FitFigures {
    FitFigures {
        of,
        variants: fit.held_out.len(),
        bytes_for: fit.terms.iter().map(|term| (term.words(), fit.coefficient(*term))).collect(),
        residual: fit.residual,
        held_out: fit.held_out_error(),
        held_out_worst: fit.held_out.iter().fold(0.0, |worst: f64, error| worst.max(error.abs())),
    }
}

fn taken_for_granted(model: &Model, point: &Point) -> Vec<String> {
    let mut told = vec![
        "memory is the resident set, mapped files of the program included; page cache of files that it writes comes on top".to_owned(),
    ];
    if !model.sets_m {
        told.push("the target is not told M: nothing of it is in the answer".to_owned());
    }
    if !model.sets_gogc {
        told.push("the target is not told GOGC: nothing of it is in the answer".to_owned());
    }
    let streams = usual(&model.observations, &|point| point.streams);
    if !same(point.streams, streams) && model.peak.terms.contains(&Term::Batches) {
        let (asked, ran) = (human::number(point.streams), human::number(streams));
        told.push(format!("{asked} streams take so many times the batches of one; the runs had {ran}"));
    }
    let zero: Vec<&str> = model
        .peak
        .terms
        .iter()
        .filter(|term| model.peak.coefficient(**term) == 0.0 && **term != Term::Base)
        .map(|term| term.words())
        .collect();
    if !zero.is_empty() {
        told.push(format!("of the peak nothing was seen for {}", zero.join(", nor for ")));
    }
    told
}

/// What to give it: the upper end of the peak's interval, in whole MiB.
fn limit_of(peak: Estimate) -> Estimate {
    let value = (peak.interval[1] / MIB).ceil() * MIB;
    Estimate { value, interval: [peak.interval[0], value], ..peak }
}

/// What each of so many nodes holds.
fn part(point: &Point, nodes: u64) -> Point {
    Point { vectors: (point.vectors / nodes as f64).ceil(), ..*point }
}

/// Among how many nodes of this much memory it has to be divided, so that the limit of each part fits; nothing where the runs do not tell what the parts take.
fn nodes(model: &Model, point: &Point, node_bytes: f64) -> Option<Result<u64, Missing>> {
    const PARTS_MAX: u64 = 100_000;
    let limit = |parts: u64| model.says(&part(point, parts)).peak.map(|peak| limit_of(peak).value);
    let (mut low, mut high) = (0, 1);
    while limit(high)? > node_bytes {
        (low, high) = (high, high * 2);
        if high > PARTS_MAX {
            let why = format!(
                "{} hold no part of it: one in {} needs {}",
                human::bytes(node_bytes),
                human::number(low as f64),
                human::bytes(limit(low)?)
            );
            return Some(Err(Missing::new("nodes", why, "name a larger --node")));
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if limit(middle)? <= node_bytes { high = middle } else { low = middle }
    }
    Some(Ok(high))
}

/// The peak by GOGC, where the runs tell of several.
fn trade_off(model: &Model, point: &Point) -> Vec<TradeOff> {
    if !model.sets_gogc || !model.spread.gogc.vary() {
        return Vec::new();
    }
    let usual = usual(&model.observations, &|point| point.gogc.unwrap_or(-1.0));
    let at = |gogc: f64| {
        let peak = model.says(&Point { gogc: Some(gogc), ..*point }).peak?;
        // Beside itself there is nothing to compare.
        let pairs = if same(gogc, usual) { Vec::new() } else { cpu_pairs(&model.observations, gogc, usual) };
        let factor = if same(gogc, usual) { Some([1.0; 3]) } else { cpu_factor(&pairs) };
        let (cpu, cpu_interval) = (factor.map(|ends| ends[1]), factor.map(|ends| [ends[0], ends[2]]));
        Some(TradeOff { gogc, peak, cpu, cpu_interval, cpu_pairs: pairs.len() })
    };
    model.spread.gogc.all().iter().filter(|gogc| **gogc >= 0.0).filter_map(|gogc| at(*gogc)).collect()
}

/// Variants that differ in GOGC alone, of which both tell their processor time.
fn cpu_pairs(observations: &[Observation], gogc: f64, beside: f64) -> Vec<[&Observation; 2]> {
    let at = |value: f64| observations.iter().filter(move |one| one.point.gogc == Some(value));
    let tells = |one: &Observation| one.cpu_s_per_million.is_some();
    at(gogc)
        .filter_map(|one| {
            let alike = at(beside).find(|other| Point { gogc: one.point.gogc, ..other.point } == one.point)?;
            (tells(one) && tells(alike)).then_some([one, alike])
        })
        .collect()
}

/// The geometric mean of the factors of these pairs, between its least and its most; nothing where a variant took hardly more than what it is uncertain by.
fn cpu_factor(pairs: &[[&Observation; 2]]) -> Option<[f64; 3]> {
    let mut logs = [0.0; 3];
    for [one, other] in pairs {
        let (upper, lower) = (one.cpu_s_per_million?, other.cpu_s_per_million?);
        let error = |of: &Observation| of.cpu_error_s_per_million.unwrap_or(0.0);
        let (upper_error, lower_error) = (error(one), error(other));
        if upper < CPU_LEAST * upper_error || lower < CPU_LEAST * lower_error || lower <= 0.0 || upper <= 0.0 {
            return None;
        }
        logs[0] += ((upper - upper_error) / (lower + lower_error)).ln();
        logs[1] += (upper / lower).ln();
        logs[2] += ((upper + upper_error) / (lower - lower_error)).ln();
    }
    (!pairs.is_empty()).then(|| logs.map(|sum| (sum / pairs.len() as f64).exp()))
}
