//! How a threshold's value is read from series: one definition, by which a run is read and from which alert rules are written.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::units::Span;

/// How a threshold's value is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value, in the unit of the threshold's levels.
    pub value: Expr,
    /// It is read only while this is above 0; absent where it is read all the time.
    pub holding: Option<Expr>,
}

/// What holds a series in production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// As PromQL: a metric with its matchers, or a number.
    pub selector: String,
    /// The labels by which the metric itself is chosen. Other metrics have none such, so that nothing would match in an operation with them.
    pub own_labels: Vec<String>,
}

impl Metric {
    /// An expression of it without its own labels.
    fn comparable(&self, promql: String) -> String {
        if self.own_labels.is_empty() {
            promql
        } else {
            format!("sum without ({}) ({promql})", self.own_labels.join(", "))
        }
    }
}

/// An expression over canonical series. Where a series has no value, or a denominator is not above 0, it has none either.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expr {
    /// The series itself.
    Series(&'static str),
    /// The first of these that the target has.
    FirstOf(&'static [Self]),
    /// The first over the second.
    Quotient(&'static Self, &'static Self),
    /// The first less the second.
    Difference(&'static Self, &'static Self),
    /// By how much a counter grew within this time, restarts included.
    Increase(&'static str, Duration),
    /// The same for each minute of it.
    PerMinute(&'static str, Duration),
    /// Where the line by least squares through the last `over` of a series is, `ahead` of the last sample.
    Predicted {
        /// The series.
        of: &'static str,
        /// How much of it.
        over: Duration,
        /// How far on.
        ahead: Duration,
    },
}

impl Reading {
    /// Of this value, all the time.
    pub(super) const fn of(value: Expr) -> Self {
        Self { value, holding: None }
    }

    const fn while_above_zero(self, holding: Expr) -> Self {
        Self { value: self.value, holding: Some(holding) }
    }

    /// Every series that it may be read from.
    pub fn series(&self) -> Vec<&'static str> {
        [self.value.series(), self.holding.map_or_else(Vec::new, |holding| holding.series())].concat()
    }

    /// Value and holding in PromQL, with the names that `selector` gives to canonical series; `None` where it gives none to one that is needed.
    pub fn promql(&self, selector: &dyn Fn(&str) -> Option<Metric>) -> Option<(String, Option<String>)> {
        let holding = self.holding.map(|holding| holding.promql(selector));
        if holding == Some(None) { None } else { Some((self.value.promql(selector)?, holding.flatten())) }
    }
}

impl Expr {
    /// In PromQL; see [`Reading::promql`].
    fn promql(&self, selector: &dyn Fn(&str) -> Option<Metric>) -> Option<String> {
        let operand = |one: &Self| one.promql(selector).map(|text| bracketed(one, text));
        Some(match self {
            Self::Series(name) => selector(name)?.selector,
            Self::FirstOf(these) => these.iter().find_map(|one| one.promql(selector))?,
            Self::Quotient(a, b) => format!("{} / {}", operand(a)?, above_zero(&b.promql(selector)?)),
            Self::Difference(a, b) => format!("{} - {}", operand(a)?, operand(b)?),
            Self::Increase(counter, over) => {
                let metric = selector(counter)?;
                metric.comparable(format!("increase({}[{}])", metric.selector, window(*over)))
            }
            Self::PerMinute(counter, over) => {
                let metric = selector(counter)?;
                metric.comparable(format!("rate({}[{}]) * 60", metric.selector, window(*over)))
            }
            Self::Predicted { of, over, ahead } => {
                format!("predict_linear({}[{}], {})", selector(of)?.selector, window(*over), ahead.as_secs())
            }
        })
    }

    /// Every series that it may be read from, in the order in which they stand.
    fn series(&self) -> Vec<&'static str> {
        match self {
            Self::Series(name)
            | Self::Increase(name, _)
            | Self::PerMinute(name, _)
            | Self::Predicted { of: name, .. } => vec![name],
            Self::FirstOf(these) => these.iter().flat_map(Self::series).collect(),
            Self::Quotient(a, b) | Self::Difference(a, b) => [a.series(), b.series()].concat(),
        }
    }
}

fn bracketed(of: &Expr, text: String) -> String {
    if matches!(of, Expr::Quotient(..) | Expr::Difference(..)) { format!("({text})") } else { text }
}

/// A denominator. Between two numbers Prometheus knows no filter.
fn above_zero(promql: &str) -> String {
    if promql.parse::<f64>().is_ok() { promql.to_owned() } else { format!("({promql} > 0)") }
}

/// A length as PromQL writes it.
fn window(length: Duration) -> String {
    format!("{}s", length.as_secs())
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operand = |one: &Self| bracketed(one, one.to_string());
        match self {
            Self::Series(name) => f.write_str(name),
            Self::FirstOf(these) => {
                let all: Vec<String> = these.iter().map(ToString::to_string).collect();
                write!(f, "({})", all.join(" or "))
            }
            Self::Quotient(a, b) => write!(f, "{} / {}", operand(a), operand(b)),
            Self::Difference(a, b) => write!(f, "{} - {}", operand(a), operand(b)),
            Self::Increase(counter, over) => write!(f, "increase({counter}[{}])", Span(*over)),
            Self::PerMinute(counter, over) => write!(f, "rate({counter}[{}]) a minute", Span(*over)),
            Self::Predicted { of, over, ahead } => {
                write!(f, "predict_linear({of}[{}], {})", Span(*over), Span(*ahead))
            }
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        if let Some(holding) = &self.holding {
            write!(f, " while {holding} > 0")?;
        }
        Ok(())
    }
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A window that holds several samples also where Prometheus asks once a minute, as it does unless told otherwise.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// What pressure is told by: what eviction goes by where the target has a cgroup, else what is resident.
const MEMORY: Expr = Expr::FirstOf(&[Expr::Series("cgroup_working_set_bytes"), Expr::Series("rss_bytes")]);
const LIMIT: Expr = Expr::FirstOf(&[Expr::Series("cgroup_limit_bytes"), Expr::Series("gomemlimit_bytes")]);
const RSS: Expr = Expr::Series("rss_bytes");
/// Objects, garbage included, where the target tells them apart from what is live.
const HEAP: Expr = Expr::FirstOf(&[Expr::Series("heap_objects_bytes"), Expr::Series("heap_bytes")]);
const INDEXED: Expr = Expr::Series("indexed_vectors");
const LIVE: Expr = Expr::Series("live_vectors");

/// The number of goroutines.
pub(super) const GOROUTINES: Reading = Reading::of(Expr::Series("goroutines"));

/// Memory as a share of its limit.
pub(super) const MEMORY_OF_LIMIT: Reading = Reading::of(Expr::Quotient(&MEMORY, &LIMIT));

/// Resident memory as a share of the limit.
pub(super) const RSS_OF_LIMIT: Reading = Reading::of(Expr::Quotient(&RSS, &LIMIT));

/// Where resident memory will be in four hours, as a share of the limit.
pub(super) const RSS_AHEAD_OF_LIMIT: Reading = Reading::of(Expr::Quotient(
    &Expr::Predicted { of: "rss_bytes", over: Duration::from_secs(3600), ahead: Duration::from_secs(4 * 3600) },
    &LIMIT,
));

/// The heap as a share of the limit.
pub(super) const HEAP_OF_LIMIT: Reading = Reading::of(Expr::Quotient(&HEAP, &LIMIT));

/// How many times the heap is resident, while there is data: an idle program is mostly not heap.
pub(super) const RSS_PER_HEAP: Reading = Reading::of(Expr::Quotient(&RSS, &HEAP)).while_above_zero(LIVE);

/// The slabs' share of the heap, while there is data.
pub(super) const SLABS_OF_HEAP: Reading =
    Reading::of(Expr::Quotient(&Expr::Series("slab_bytes"), &HEAP)).while_above_zero(LIVE);

/// The dead share of what slabs hold.
pub(super) const FRAGMENTATION: Reading = Reading::of(Expr::Series("slab_fragmentation_share"));

/// Bytes of a graph, on average over datasets: where that is too much, one of them is.
pub(super) const GRAPH: Reading = Reading::of(Expr::Quotient(&Expr::Series("graph_bytes"), &Expr::Series("datasets")));

/// The share of nodes whose row is deleted. Rows that wait for the index are no nodes yet, and make it less.
pub(super) const DELETED_OF_NODES: Reading = Reading::of(Expr::Quotient(&Expr::Difference(&INDEXED, &LIVE), &INDEXED));

/// Layers of the highest graph.
pub(super) const LAYERS: Reading = Reading::of(Expr::Series("graph_layers"));

/// The heap that GOGC lets grow, as so many times the limit.
pub(super) const HEAP_GOAL_OF_LIMIT: Reading = Reading::of(Expr::Quotient(&Expr::Series("heap_goal_bytes"), &LIMIT));

/// The largest dataset, as so many times the average.
pub(super) const LARGEST_DATASET: Reading = Reading::of(Expr::Quotient(
    &Expr::Series("dataset_max_bytes"),
    &Expr::Quotient(&Expr::Series("dataset_bytes"), &Expr::Series("datasets")),
));

/// The share of the machine's memory that is not available.
pub(super) const HOST_MEMORY: Reading = Reading::of(Expr::Quotient(
    &Expr::Difference(&Expr::Series("host_memory_bytes"), &Expr::Series("host_available_bytes")),
    &Expr::Series("host_memory_bytes"),
));

/// Collections a minute.
pub(super) const COLLECTIONS: Reading = Reading::of(Expr::PerMinute("gc_cycles_total", FIVE_MINUTES));

/// The longest of the last pauses.
pub(super) const PAUSE: Reading = Reading::of(Expr::Series("gc_pause_max_seconds"));

/// The share of compactions that failed.
pub(super) const COMPACTION_ERRORS: Reading = Reading::of(Expr::Quotient(
    &Expr::Increase("compaction_errors_total", FIVE_MINUTES),
    &Expr::Increase("compactions_total", FIVE_MINUTES),
));

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::runbook::{Covered, indicators};
    use crate::series;

    #[test]
    fn readings_are_in_words_and_in_promql() {
        assert_eq!(
            MEMORY_OF_LIMIT.to_string(),
            "(cgroup_working_set_bytes or rss_bytes) / (cgroup_limit_bytes or gomemlimit_bytes)"
        );
        assert_eq!(DELETED_OF_NODES.to_string(), "(indexed_vectors - live_vectors) / indexed_vectors");
        assert_eq!(SLABS_OF_HEAP.to_string(), "slab_bytes / (heap_objects_bytes or heap_bytes) while live_vectors > 0");
        assert_eq!(COLLECTIONS.to_string(), "rate(gc_cycles_total[5min]) a minute");
        let metric = |name: &str| Metric { selector: format!("x_{name}"), own_labels: Vec::new() };
        let without_cgroup = |name: &str| (!name.starts_with("cgroup")).then(|| metric(name));
        let promql = |reading: Reading| reading.promql(&without_cgroup).map(|(value, _)| value);
        assert_eq!(promql(MEMORY_OF_LIMIT).as_deref(), Some("x_rss_bytes / (x_gomemlimit_bytes > 0)"));
        assert_eq!(
            promql(RSS_AHEAD_OF_LIMIT).as_deref(),
            Some("predict_linear(x_rss_bytes[3600s], 14400) / (x_gomemlimit_bytes > 0)")
        );
        assert_eq!(
            promql(DELETED_OF_NODES).as_deref(),
            Some("(x_indexed_vectors - x_live_vectors) / (x_indexed_vectors > 0)")
        );
        assert_eq!(RSS_OF_LIMIT.promql(&|name| (name == "rss_bytes").then(|| metric(name))), None);
    }

    #[test]
    fn every_reading_is_of_canonical_series_and_has_bounds() {
        for one in indicators() {
            let Covered::Read(reading) = one.covered else { continue };
            let read: BTreeSet<&str> = reading.series().into_iter().collect();
            assert_eq!(read, one.series.iter().copied().collect(), "{}: what is said to be read, and what is", one.id);
            for name in read {
                assert!(series::find(name).is_some(), "{}: there is no series {name}", one.id);
            }
            assert!(!one.levels.bounds().is_empty(), "{}: nothing to hold it against", one.id);
        }
    }
}
