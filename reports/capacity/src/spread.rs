//! What the runs can tell apart, and what has to be missing from an answer because they cannot.

use serde::Serialize;
use soak_verdict::human;

use crate::point::{Point, most_common, same};

/// Something that the runs do not tell, and how they could.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What: `runs`, `sizes`, `dimensions`, `hnsw_m`, `batch_rows`, `streams`, `gogc`, `qps`, `target`, `nodes`.
    pub what: &'static str,
    /// Why, in a sentence.
    pub why: String,
    /// What to do, in a clause.
    pub next: String,
}

impl Missing {
    pub(crate) fn new(what: &'static str, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what, why: why.into(), next: next.into() }
    }
}

/// The values that an axis takes in the runs, each once, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values(Vec<f64>);

impl Values {
    pub(crate) fn of(points: &[Point], axis: impl Fn(&Point) -> f64) -> Self {
        let mut values: Vec<f64> = points.iter().map(axis).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self(values)
    }

    /// Whether there are several.
    pub(crate) fn vary(&self) -> bool {
        self.0.len() > 1
    }

    pub(crate) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The values in words.
    pub(crate) fn words(&self) -> String {
        self.0.iter().map(|value| human::number(*value)).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn all(&self) -> &[f64] {
        &self.0
    }

    /// How far outside a value lies, as a factor of 1 and up.
    pub(crate) fn beyond(&self, value: f64) -> f64 {
        if value <= 0.0 || self.most() <= 0.0 {
            return 1.0;
        }
        // Of an axis that also has nothing of it, as of no searches at all, everything smaller is within.
        (value / self.most()).max(self.least() / value).max(1.0)
    }
}

/// What varies in the runs of a fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    pub(crate) data: Values,
    pub(crate) vectors: Values,
    pub(crate) dim: Values,
    pub(crate) m: Values,
    pub(crate) batch_rows: Values,
    pub(crate) batch: Values,
    pub(crate) streams: Values,
    /// GOGC as percent; −1 is off.
    pub(crate) gogc: Values,
    pub(crate) qps: Values,
    /// Of axes that were varied at one size alone, whose oddities nothing tells from what the axis does: their names, and the value elsewhere.
    at_one_size: Vec<(&'static str, f64)>,
}

/// Sizes have to differ by this factor, or the base cannot be told from what a vector takes.
const SIZES_APART: f64 = 2.0;
/// The same of rates of searches: a target that lags behind a little is no second rate.
const RATES_APART: f64 = 2.0;

/// Whether two values of an axis are two: a target that lags behind a little is no second rate.
fn is_apart(what: &str, one: f64, other: f64) -> bool {
    let factor = if what == "qps" { RATES_APART } else { 1.0 };
    !same(one, other) && one.max(other) >= factor * one.min(other)
}

/// A name, and the value of a point.
type Axis = (&'static str, fn(&Point) -> f64);

/// Axes beside the sizes that take another value than elsewhere at one size alone, with the value elsewhere.
fn at_one_size(points: &[Point]) -> Vec<(&'static str, f64)> {
    let axes: [Axis; 4] = [
        ("hnsw_m", |point| point.m),
        ("batch_rows", |point| point.batch_rows),
        ("gogc", |point| point.gogc.unwrap_or(-1.0)),
        ("qps", |point| point.qps),
    ];
    let only_once = |(what, axis): Axis| {
        // By sizes and not by variants: many of one size say no more of an axis than one.
        let mut seen: Vec<(f64, (f64, f64))> = Vec::new();
        for point in points {
            let one = (axis(point), (point.vectors, point.dim));
            if !seen.contains(&one) {
                seen.push(one);
            }
        }
        let elsewhere = most_common(seen.iter().map(|(value, _)| *value))?;
        let mut others = seen.iter().filter(|(value, _)| is_apart(what, *value, elsewhere)).map(|(_, size)| size);
        let one = others.next()?;
        others.all(|size| size == one).then_some((what, elsewhere))
    };
    axes.into_iter().filter_map(only_once).collect()
}

impl Spread {
    pub(crate) fn of(points: &[Point]) -> Self {
        let values = |axis: fn(&Point) -> f64| Values::of(points, axis);
        Self {
            data: values(Point::data_bytes),
            vectors: values(|point| point.vectors),
            dim: values(|point| point.dim),
            m: values(|point| point.m),
            batch_rows: values(|point| point.batch_rows),
            batch: values(Point::batch_bytes),
            streams: values(|point| point.streams),
            gogc: values(|point| point.gogc.unwrap_or(-1.0)),
            qps: values(|point| point.qps),
            at_one_size: at_one_size(points),
        }
    }

    /// What is missing where an axis that was varied at one size alone is asked for at another value.
    fn told_by_one_size(&self, what: &'static str, asked: f64, next: &'static str) -> Option<Missing> {
        let (_, elsewhere) = self.at_one_size.iter().find(|(name, _)| *name == what)?;
        let shown = human::number(*elsewhere);
        let why = || {
            format!(
                "{what} is {shown} in all variants but those of one size, and what is due to it cannot be told from what that size does"
            )
        };
        is_apart(what, asked, *elsewhere).then(|| Missing::new(what, why(), next))
    }

    /// What is missing for any answer at all.
    pub(crate) fn for_any(&self) -> Vec<Missing> {
        let apart = self.data.most() / self.data.least();
        if apart >= SIZES_APART {
            return Vec::new();
        }
        let why = format!(
            "the vectors of all runs take {} to {}: what the process takes without data cannot be told from what a vector takes",
            human::bytes(self.data.least()),
            human::bytes(self.data.most())
        );
        vec![Missing::new("sizes", why, "run sizes that differ by a factor of 2 and more: soak run capacity")]
    }

    /// Whether the runs tell what searches take.
    pub(crate) fn rates_vary(&self) -> bool {
        self.qps.vary() && self.qps.most() >= RATES_APART * self.qps.least()
    }

    /// What is missing for memory at rest at this point.
    pub(crate) fn for_rest(&self, point: &Point, sets_m: bool) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !self.dim.vary() && !same(point.dim, self.dim.least()) {
            let why = format!("all runs are of dimension {}", self.dim.words());
            missing.push(Missing::new("dimensions", why, "run other dimensions too: --set 'matrix.dim=[…]'"));
        }
        if sets_m && !self.m.vary() && !same(point.m, self.m.least()) {
            let why = format!("all runs have M {}", self.m.words());
            missing.push(Missing::new("hnsw_m", why, "run another M too: --set 'matrix.hnsw_m=[…]'"));
        }
        if sets_m {
            missing.extend(self.told_by_one_size(
                "hnsw_m",
                point.m,
                "run another M at two sizes: --set 'matrix.hnsw_m=[…]'",
            ));
        }
        missing
    }

    /// What is missing for a peak at this point, beyond what is for memory at rest.
    pub(crate) fn for_peak(&self, point: &Point, sets_gogc: bool) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !self.batch_rows.vary() && !same(point.batch_rows, self.batch_rows.least()) {
            let why = format!("all runs have batches of {} rows", self.batch_rows.words());
            missing.push(Missing::new("batch_rows", why, "run other batches too: --set 'matrix.batch_rows=[…]'"));
        }
        if !self.batch_rows.vary() && (self.streams.vary() || !same(point.streams, self.streams.least())) {
            let why = format!(
                "all runs have streams {} and batches of {} rows, which does not tell what a batch takes",
                self.streams.words(),
                self.batch_rows.words()
            );
            missing.push(Missing::new("streams", why, "run other batches: --set 'matrix.batch_rows=[…]'"));
        }
        let gogc = point.gogc.unwrap_or(-1.0);
        if sets_gogc && gogc < 0.0 {
            let why = "with GOGC off nothing bounds garbage but GOMEMLIMIT, and the peak is whatever that is";
            missing.push(Missing::new("gogc", why, "ask for a GOGC in percent"));
        } else if sets_gogc && !self.gogc.vary() && !same(gogc, self.gogc.least()) {
            let why = format!("all runs have GOGC {}", self.gogc.words());
            missing.push(Missing::new("gogc", why, "run another GOGC too: --set 'matrix.gogc=[…]'"));
        }
        if !self.rates_vary() && point.qps > self.qps.most() {
            let why = format!(
                "no run asks more than {} searches a second, nor much less, and what more of them take is not known",
                human::number(self.qps.most())
            );
            let next = "run with more: --set 'matrix.query_rate=[…]'";
            missing.push(Missing::new("qps", why, next));
        }
        let rows = "run other batches at two sizes: --set 'matrix.batch_rows=[…]'";
        missing.extend(self.told_by_one_size("batch_rows", point.batch_rows, rows));
        if sets_gogc && gogc >= 0.0 {
            let next = "run another GOGC at two sizes: --set 'matrix.gogc=[…]'";
            missing.extend(self.told_by_one_size("gogc", gogc, next));
        }
        let rates = "run another rate at two sizes: --set 'matrix.query_rate=[…]'";
        missing.extend(self.told_by_one_size("qps", point.qps, rates));
        missing
    }

    /// How far outside of the runs this point lies: the largest factor of any axis, and which that is.
    pub(crate) fn beyond(&self, point: &Point, of_peak: bool) -> (f64, &'static str) {
        let mut axes = vec![
            (self.data.beyond(point.data_bytes()), "bytes of vectors"),
            (self.vectors.beyond(point.vectors), "vectors"),
            (self.dim.beyond(point.dim), "dimension"),
            (self.m.beyond(point.m), "M"),
        ];
        if of_peak {
            axes.push((self.batch.beyond(point.batch_bytes()), "bytes of a batch"));
            axes.push((self.gogc.beyond(point.gogc.unwrap_or(-1.0)), "GOGC"));
            axes.push((self.qps.beyond(point.qps), "searches a second"));
        }
        axes.into_iter().fold((1.0, "none"), |most, axis| if axis.0 > most.0 { axis } else { most })
    }
}
