//! The arguments of `soak judge` for a series that `soak` did not record: of a table, or of a Prometheus server.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use soak_scenario::units::{ByteRate, Bytes, Span};

use super::table::Judged;
use crate::failure::Failure;
use crate::prometheus::{Prometheus, Queries, Range, moment};
use crate::recording::{Columns, Recording, Table, TimeUnit, Unit};

/// Prometheus has base units.
const OF_A_SERVER: &str = "memory in bytes, times in s";

const NOT_OF_A_RUN: [&str; 2] = ["run", "simulate"];

/// Where a series is, and what it is held against.
#[derive(Debug, Args)]
pub(super) struct Elsewhere {
    /// Table of samples: a column of times and a column for each series. Reads commas, semicolons or tabs, gzip, and what psrecord, mprof, `pidstat -r`, `sar -r`, `docker stats` and `kubectl top`
    /// print; empty cells are missing samples
    #[arg(long, value_name = "FILE", requires = "series", requires = "tolerance")]
    csv: Option<PathBuf>,
    /// The column that is judged, or a glob of several; with --prometheus only a name for it
    #[arg(long, value_name = "NAME", conflicts_with_all = NOT_OF_A_RUN)]
    series: Option<String>,
    /// Column of times [default: `time_s`, or the column that looks like times]
    #[arg(long, value_name = "COLUMN", requires = "csv")]
    time: Option<String>,
    /// Unit of times that are numbers [default: from the column's name, else from their size]
    #[arg(long, value_name = "UNIT", requires = "csv")]
    time_unit: Option<TimeUnit>,
    /// Unit of memory: B, KiB, kB (1024 bytes), MB, MiB, GB, GiB, a size such as 4KiB for pages, or percent:SIZE [default: from the column's name, else bytes]
    #[arg(long, value_name = "UNIT", requires = "csv")]
    unit: Option<Unit>,
    /// Time between two snapshots of a recording without times, such as 10s
    #[arg(long, value_name = "TIME", requires = "csv")]
    every: Option<Span>,
    /// A Prometheus server of this machine, such as `http://127.0.0.1:9090`, or a port that is forwarded to one
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "csv",
        requires = "query",
        requires = "start",
        requires = "tolerance"
    )]
    prometheus: Option<String>,
    /// The query of the series that is judged, in bytes
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    query: Option<String>,
    /// From when: seconds since 1970, a date such as 2026-11-22T10:00:00Z, or so long ago, such as 2h
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    start: Option<String>,
    /// Until when, in the same ways
    #[arg(long, value_name = "TIME", default_value = "now", requires = "prometheus", conflicts_with_all = NOT_OF_A_RUN, conflicts_with = "csv")]
    end: String,
    /// From sample to sample: no shorter than the server's scrape interval
    #[arg(long, value_name = "TIME", default_value = "15s", requires = "prometheus", conflicts_with_all = NOT_OF_A_RUN, conflicts_with = "csv")]
    step: Span,
    /// The growth that is tolerated, such as 1MiB/min
    #[arg(long, value_name = "RATE", conflicts_with_all = NOT_OF_A_RUN)]
    tolerance: Option<ByteRate>,
    /// A limit whose time is forecast, such as 2GiB
    #[arg(long, value_name = "SIZE", conflicts_with_all = NOT_OF_A_RUN)]
    limit: Option<Bytes>,
    /// The column (or query) of the data that the target holds, which explains memory
    #[arg(long, value_name = "COLUMN", conflicts_with_all = NOT_OF_A_RUN)]
    live: Option<String>,
    /// The column (or query) of its uptime, or of any counter: where it falls, the target was restarted
    #[arg(long, value_name = "COLUMN", conflicts_with_all = NOT_OF_A_RUN)]
    uptime: Option<String>,
}

/// Series that were read.
pub(super) enum Found {
    /// Columns of a table.
    Table(Table),
    /// One series of a server.
    One(Recording),
}

impl Found {
    /// Names of the series; of a server's the query.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.names().len(),
            Self::One(_) => 1,
        }
    }

    /// Whether a single series was asked for, and not a glob of them.
    pub(super) fn is_one(&self) -> bool {
        match self {
            Self::Table(table) => table.is_one(),
            Self::One(_) => true,
        }
    }

    fn name(&self, index: usize) -> Option<&str> {
        match self {
            Self::Table(table) => table.names().nth(index),
            Self::One(_) => None,
        }
    }

    /// In which units it was read, in words.
    fn read_as(&self) -> &str {
        match self {
            Self::Table(table) => table.read_as(),
            Self::One(_) => OF_A_SERVER,
        }
    }

    fn recording(&self, index: usize) -> Cow<'_, Recording> {
        match self {
            Self::Table(table) => Cow::Owned(table.recording(index)),
            Self::One(recording) => Cow::Borrowed(recording),
        }
    }
}

impl Elsewhere {
    /// Reads what is asked for; `None` where nothing is.
    pub(super) fn read(&self) -> Result<Option<Found>, Failure> {
        self.tolerance.map(per_second).transpose()?;
        let (live, uptime) = (self.live.as_deref(), self.uptime.as_deref());
        if let (Some(csv), Some(series)) = (&self.csv, &self.series) {
            let columns = Columns {
                series,
                live,
                uptime,
                time: self.time.as_deref(),
                unit: self.unit,
                time_unit: self.time_unit,
                every_s: self.every.map(Span::as_secs_f64),
            };
            return Table::read(csv, columns).map(|table| Some(Found::Table(table)));
        }
        let (Some(url), Some(series), Some(start)) = (&self.prometheus, &self.query, &self.start) else {
            return Ok(None);
        };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let of = |name: &str, text: &str| moment(text, now_s).map_err(|why| Failure::usage(format!("{name} {why}")));
        let (start_s, end_s) = (of("--start", start)?, of("--end", &self.end)?);
        let range = Range::new(start_s, end_s, self.step.as_secs_f64()).map_err(Failure::usage)?;
        let server = Prometheus::parse(url).map_err(Failure::usage)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::platform)?;
        let recording = runtime.block_on(server.recording(Queries { series, live, uptime }, range))?;
        Ok(Some(Found::One(recording)))
    }

    /// One of the series, and what it is held against.
    pub(super) fn judged<'a>(&'a self, found: &'a Found, index: usize) -> Result<Judged<'a>, Failure> {
        let named = found.name(index).or(self.series.as_deref()).or(self.query.as_deref());
        let tolerance = self.tolerance.map(per_second).transpose()?.unwrap_or(0.0);
        let limit = self.limit.map(Bytes::as_f64);
        let recording = found.recording(index);
        let restarts = recording.all_restarts(limit);
        let read_as = found.read_as();
        Ok(Judged { series: named.unwrap_or_default(), tolerance, limit, recording, restarts, read_as })
    }
}

fn per_second(rate: ByteRate) -> Result<f64, Failure> {
    rate.bytes_per_second()
        .ok_or_else(|| Failure::usage("--tolerance: a rate over time such as 1MiB/min; a recording has no operations"))
}
