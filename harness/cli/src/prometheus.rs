//! A recording that a Prometheus server kept: one series by query, over its HTTP interface.
//!
//! Of the range query's answer (`GET /api/v1/query_range`, <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>) a step without a sample is absent, and stays so.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use serde::Deserialize;
use soak_engine::target::Cause;
use soak_engine::{Side, http};

use crate::failure::Failure;
use crate::recording::{Beside, Recording, Rows, is_amount};

/// A server refuses to answer more points of a series at once than 11,000.
const POINTS_MAX: u64 = 10_000;
/// More points than this would take minutes to fetch.
const POINTS_IN_ALL_MAX: u64 = 1_000_000;
/// One call.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server, by its address on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prometheus {
    addr: SocketAddr,
    prefix: String,
}

/// What is asked of it. Times in seconds since 1970.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit is last in a name")]
pub(crate) struct Range {
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
    pub(crate) step_s: f64,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

impl Prometheus {
    /// From `http://HOST:PORT[/prefix]`; the host is this machine.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let expected = "expected http://127.0.0.1:PORT, for a server elsewhere behind a port that is forwarded to it, such as by `kubectl port-forward`";
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(format!("--prometheus {url}: {expected}"));
        };
        let (authority, prefix) = rest.split_once('/').map_or((rest, ""), |(authority, prefix)| (authority, prefix));
        let addresses =
            authority.to_socket_addrs().map_err(|error| format!("--prometheus {url}: {error}; {expected}"))?;
        let own = addresses.into_iter().find(|address| address.ip().is_loopback());
        let addr = own.ok_or_else(|| format!("--prometheus {url}: not an address of this machine; {expected}"))?;
        let prefix = prefix.trim_end_matches('/');
        Ok(Self { addr, prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") } })
    }

    /// One series, with the data that the target held and its uptime where there are queries for them.
    pub(crate) async fn recording(&self, queries: Queries<'_>, range: Range) -> Result<Recording, Failure> {
        let points = self.series(queries.series, range).await?;
        let live = match queries.live {
            Some(query) => Some(self.series(query, range).await?),
            None => None,
        };
        let uptime = match queries.uptime {
            Some(query) => Some(self.series(query, range).await?),
            None => None,
        };
        let mut rows = Rows::default();
        for step in 0..=range.steps() {
            let at_s = range.at(step);
            let of = |points: &Option<BTreeMap<u64, f64>>| {
                points.as_ref().map_or(Beside::Unasked, |points| Beside::of(points.get(&step).copied()))
            };
            rows.push(at_s, points.get(&step).copied(), of(&live), of(&uptime));
        }
        Ok(rows.recording)
    }

    /// Values of a query that gives one series, by step.
    async fn series(&self, query: &str, range: Range) -> Result<BTreeMap<u64, f64>, Failure> {
        let mut found = BTreeMap::new();
        let mut labels: Option<BTreeMap<String, String>> = None;
        let mut from = 0;
        while from <= range.steps() {
            let to = (from + POINTS_MAX - 1).min(range.steps());
            for series in self.range(query, range, from, to).await? {
                match &labels {
                    Some(known) if *known != series.metric => {
                        return Err(Failure::usage(several(query, &[known, &series.metric])));
                    }
                    _ => labels = Some(series.metric),
                }
                for (at_s, value) in series.values {
                    let value: f64 =
                        value.parse().map_err(|_| Failure::usage(format!("`{query}`: `{value}` is no number")))?;
                    let step = ((at_s - range.start_s) / range.step_s).round();
                    // What is not a number was not measured.
                    if value.is_finite() && !is_amount(value) {
                        return Err(Failure::usage(format!("`{query}`: {value} is no amount of memory")));
                    }
                    if value.is_finite() && step >= 0.0 {
                        found.insert(step as u64, value);
                    }
                }
            }
            from = to + 1;
        }
        if found.is_empty() {
            let why =
                format!("`{query}`: the server has no sample of it between {} and {}", range.start_s, range.end_s);
            return Err(Failure::usage(why));
        }
        Ok(found)
    }

    async fn range(&self, query: &str, range: Range, from: u64, to: u64) -> Result<Vec<Series>, Failure> {
        let (start, end, step) = (range.at(from), range.at(to), range.step_s);
        let query_text = http::encode(query);
        let endpoint =
            format!("GET {}/api/v1/query_range?query={query_text}&start={start}&end={end}&step={step}", self.prefix);
        let side = Side::plain(self.addr);
        let text = http::call(&side, &endpoint, DEADLINE).await.map_err(|error| match error.cause() {
            // What is wrong with the query is the caller's mistake; a server in trouble is not.
            Cause::Status(..500) => Failure::usage(format!("the server at {} refuses `{query}`: {error}", self.addr)),
            _ => Failure::platform(format!("the server at {} does not answer: {error}", self.addr)),
        })?;
        let foreign = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("what answers at {} is no Prometheus: {error}", self.addr))
        };
        let answer: Answer = serde_json::from_str(&text).map_err(|error| foreign(&error))?;
        if answer.data.kind != "matrix" {
            return Err(foreign(&format!("it answered a {}", answer.data.kind)));
        }
        let series: Vec<Series> = serde_json::from_value(answer.data.result).map_err(|error| foreign(&error))?;
        if series.len() > 1 {
            let labels: Vec<&BTreeMap<String, String>> = series.iter().map(|one| &one.metric).collect();
            return Err(Failure::usage(several(query, &labels)));
        }
        Ok(series)
    }
}

/// What is asked for: a query for each of the columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queries<'a> {
    pub(crate) series: &'a str,
    pub(crate) live: Option<&'a str>,
    pub(crate) uptime: Option<&'a str>,
}

impl Range {
    /// Checks the order of the ends and the number of points.
    pub(crate) fn new(start_s: f64, end_s: f64, step_s: f64) -> Result<Self, String> {
        if start_s < 0.0 {
            return Err("--start is before 1970".to_owned());
        }
        if end_s <= start_s {
            return Err("--end is not after --start".to_owned());
        }
        let range = Self { start_s, end_s, step_s };
        if step_s <= 0.0 || range.steps() > POINTS_IN_ALL_MAX {
            return Err(format!(
                "--step: expected more than 0, and at most {POINTS_IN_ALL_MAX} of them between --start and --end"
            ));
        }
        Ok(range)
    }

    fn steps(&self) -> u64 {
        ((self.end_s - self.start_s) / self.step_s + 1e-9) as u64
    }

    fn at(&self, step: u64) -> f64 {
        self.start_s + step as f64 * self.step_s
    }
}

fn several(query: &str, labels: &[&BTreeMap<String, String>]) -> String {
    const SHOWN: usize = 4;
    let one = |labels: &&BTreeMap<String, String>| {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    let shown: Vec<String> = labels.iter().take(SHOWN).map(one).collect();
    let more = if labels.len() > SHOWN { format!(" and {} more", labels.len() - SHOWN) } else { String::new() };
    format!("`{query}` gives several series: {}{more}; choose one by its labels, or add them up", shown.join(", "))
}

/// A moment: seconds since 1970, a date such as `2026-11-22T10:00:00Z`, `now`, or so long ago, such as `2h`.
pub(crate) fn moment(text: &str, now_s: f64) -> Result<f64, String> {
    if text == "now" {
        return Ok(now_s);
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
        && seconds >= 0.0
    {
        return Ok(seconds);
    }
    if let Ok(ago) = text.parse::<soak_scenario::units::Span>() {
        return Ok(now_s - ago.as_secs_f64());
    }
    let date = text.parse::<jiff::Timestamp>();
    date.map(|date| date.as_millisecond() as f64 / 1e3).map_err(|_| {
        format!("`{text}`: expected seconds since 1970, a date such as 2026-11-22T10:00:00Z, `now`, or so long ago, such as 2h")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_in_four_ways() {
        assert_eq!(moment("now", 1000.0), Ok(1000.0));
        assert_eq!(moment("12.5", 1000.0), Ok(12.5));
        assert_eq!(moment("2min", 1000.0), Ok(880.0));
        assert_eq!(moment("1970-01-01T01:00:00+01:00", 0.0), Ok(0.0));
        assert_eq!(moment("2026-11-22T12:14:56Z", 0.0), Ok(1_795_349_696.0));
        for wrong in ["yesterday", "-5", "NaN", "inf", "", "2026-11-22"] {
            assert!(moment(wrong, 0.0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_servers_of_this_machine_are_asked() {
        assert_eq!(Prometheus::parse("http://127.0.0.1:9090").unwrap().prefix, "");
        assert_eq!(Prometheus::parse("http://[::1]:9090/prom/").unwrap().prefix, "/prom");
        for wrong in
            ["https://127.0.0.1:9090", "127.0.0.1:9090", "http://192.0.2.1:9090", "http://127.0.0.1", "http://"]
        {
            assert!(Prometheus::parse(wrong).unwrap_err().contains("expected http://127.0.0.1:PORT"), "{wrong}");
        }
    }

    #[test]
    fn ranges_have_an_order_and_an_end() {
        assert!(Range::new(10.0, 10.0, 1.0).is_err());
        assert!(Range::new(0.0, 10.0, 0.0).is_err());
        assert!(Range::new(0.0, 1e12, 1.0).is_err());
        let range = Range::new(0.0, 100.0, 10.0).unwrap();
        assert_eq!((range.steps(), range.at(10)), (10, 100.0));
    }
}
