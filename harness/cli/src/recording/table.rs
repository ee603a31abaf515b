//! A table of samples: a column of times and one column a series.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

use csv::StringRecord;
use soak_verdict::stats::location::median;

use super::times::{self, Clock, TimeUnit};
use super::units::Unit;
use super::{Beside, Recording, Rows, is_amount, plain_number, shown, source};
use crate::failure::Failure;

/// The name of a column of times where there are several that could be one.
const TIME: &str = "time_s";
/// Other names of it, in lower case and without a unit.
const TIME_NAMES: [&str; 11] =
    ["time", "timestamp", "ts", "t", "date", "datetime", "_time", "@timestamp", "epoch", "elapsed", "unixtime"];
/// Columns without a unit in which the samples stand further apart than this are asked about.
const FAR_APART_S: f64 = 1000.0;
/// Smaller numbers are no seconds since 1970.
const SINCE_START_S: f64 = 1e8;

/// A table of samples: a column of times and one column a series.
#[derive(Debug, Default)]
pub(crate) struct Table {
    times_s: Vec<f64>,
    /// Name and values, in bytes, of each column that is judged; what was not read is not a number.
    judged: Vec<(String, Vec<f64>)>,
    live: Option<Vec<f64>>,
    uptime: Option<Vec<f64>>,
    /// Whether a column was asked for by its name.
    is_one: bool,
    /// How the file was read, in words.
    read_as: String,
    /// Whether a comma stands for the point: where it separates no columns.
    has_commas: bool,
}

/// The columns that are read, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Columns<'a> {
    /// A name, or a glob of names.
    pub(crate) series: &'a str,
    pub(crate) live: Option<&'a str>,
    pub(crate) uptime: Option<&'a str>,
    pub(crate) time: Option<&'a str>,
    pub(crate) unit: Option<Unit>,
    pub(crate) time_unit: Option<TimeUnit>,
    /// Between two samples that have no times.
    pub(crate) every_s: Option<f64>,
}

/// The places of the columns in a heading.
struct Places {
    time: usize,
    judged: Vec<usize>,
    live: Option<usize>,
    uptime: Option<usize>,
    is_one: bool,
}

impl Places {
    fn of(heading: &StringRecord, first_row: &StringRecord, columns: Columns<'_>) -> Result<Self, String> {
        let column = |name: &str| {
            let mut found = heading.iter().enumerate().filter(|(_, other)| *other == name).map(|(i, _)| i);
            match (found.next(), found.next()) {
                (Some(column), None) => Ok(column),
                (None, _) => Err(missing(heading, name)),
                (Some(_), Some(_)) => Err(format!("there are several columns `{}`; rename all but one", shown(name))),
            }
        };
        let time = match columns.time {
            Some(name) => column(name)?,
            None => time_column(heading, first_row)?,
        };
        let named = [heading.get(time), Some(columns.series), columns.live, columns.uptime];
        let named: Vec<&str> = named.into_iter().flatten().collect();
        if let Some((_, name)) = named.iter().enumerate().find(|(i, name)| named[..*i].contains(name)) {
            let name = shown(name);
            return Err(format!(
                "`{name}` is asked for twice; series, live data, uptime and times are different columns"
            ));
        }
        let is_one = heading.iter().any(|name| name == columns.series);
        let beside = [columns.live, columns.uptime];
        let matches = |i: usize, name: &str| {
            i != time && !beside.contains(&Some(name)) && soak_scenario::matches_glob(columns.series, name)
        };
        let judged: Vec<usize> = if is_one {
            vec![column(columns.series)?]
        } else {
            heading.iter().enumerate().filter(|(i, name)| matches(*i, name)).map(|(i, _)| i).collect()
        };
        if judged.is_empty() {
            return Err(missing(heading, columns.series));
        }
        for place in &judged {
            column(&heading[*place])?;
        }
        let (live, uptime) = (columns.live.map(column).transpose()?, columns.uptime.map(column).transpose()?);
        Ok(Self { time, judged, live, uptime, is_one })
    }
}

fn missing(heading: &StringRecord, name: &str) -> String {
    let names = heading.iter().map(shown).collect::<Vec<_>>().join(", ");
    format!("there is no column `{}`; it has {names}", shown(name))
}

/// The column of times, by its name, or by its cells.
fn time_column(heading: &StringRecord, first_row: &StringRecord) -> Result<usize, String> {
    let exact = heading.iter().position(|name| name == TIME);
    let named = || {
        heading.iter().position(|name| {
            let lower = name.to_lowercase();
            let word = lower.split(|c: char| " ([_".contains(c)).find(|word| !word.is_empty()).unwrap_or_default();
            TIME_NAMES.contains(&lower.as_str()) || TIME_NAMES.contains(&word)
        })
    };
    let dated = || (0..heading.len()).find(|i| first_row.get(*i).is_some_and(times::is_date));
    let unnamed = || heading.get(0).is_some_and(str::is_empty).then_some(0);
    exact.or_else(named).or_else(dated).or_else(unnamed).ok_or_else(|| {
        let names = heading.iter().map(shown).collect::<Vec<_>>().join(", ");
        format!(
            "there is no column `{TIME}`, and no other is known to be times; it has {names}. Name it with --time COLUMN"
        )
    })
}

impl Table {
    /// Reads columns of a file, row by row: eight bytes of memory a cell that is asked for.
    pub(crate) fn read(path: &Path, columns: Columns<'_>) -> Result<Self, Failure> {
        let of_file = path.display();
        let wrong = |error: &dyn Display| Failure::usage(format!("{of_file}: {error}"));
        let source = source::open(path, columns.every_s).map_err(|why| wrong(&why))?;
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).delimiter(source.delimiter).from_reader(source.reader);
        let heading = reader.headers().map_err(|error| wrong(&plain(&error)))?.clone();
        let mut row = StringRecord::new();
        let mut there_is = reader.read_record(&mut row).map_err(|error| wrong(&plain(&error)))?;
        let places = Places::of(&heading, &row, columns).map_err(|why| wrong(&why))?;
        if !there_is {
            return Err(wrong(&"it has a heading and no rows: expected one row for each sample"));
        }
        let mut table = Self {
            judged: places.judged.iter().map(|place| (heading[*place].to_owned(), Vec::new())).collect(),
            live: places.live.map(|_| Vec::new()),
            uptime: places.uptime.map(|_| Vec::new()),
            is_one: places.is_one,
            has_commas: source.delimiter != b',',
            ..Self::default()
        };
        let mut clock = Clock::new(&heading[places.time], columns.time_unit);
        while there_is {
            let line = row.position().map_or(0, csv::Position::line);
            table.take(&row, &places, &heading, &mut clock).map_err(|why| wrong(&format!("line {line}: {why}")))?;
            there_is = reader.read_record(&mut row).map_err(|error| wrong(&plain(&error)))?;
        }
        table.settle_units(columns, &clock).map_err(|why| wrong(&why))?;
        if let Some(tool) = source.tool {
            table.read_as = format!("{tool}, {}", table.read_as);
        }
        Ok(table)
    }

    fn take(
        &mut self,
        row: &StringRecord,
        places: &Places,
        heading: &StringRecord,
        clock: &mut Clock,
    ) -> Result<(), String> {
        let (name, cell) = (shown(&heading[places.time]), row.get(places.time).unwrap_or_default());
        if cell.is_empty() {
            return Err(format!("no {name}: expected a number of seconds or a date"));
        }
        let at_s =
            clock.read(&point(cell, self.has_commas)).map_err(|why| format!("{name} is `{}`: {why}", shown(cell)))?;
        if let Some(last) = self.times_s.last().filter(|last| at_s <= **last) {
            return Err(format!(
                "{name} is {}, which is not after {last}; sort the rows, keep one for each moment, and where the clock was set back begin another table",
                shown(cell)
            ));
        }
        self.times_s.push(at_s);
        let has_commas = self.has_commas;
        let judged = places.judged.iter().zip(&mut self.judged).map(|(place, (_, values))| (*place, values));
        let beside = [(places.live, &mut self.live), (places.uptime, &mut self.uptime)].into_iter();
        let beside = beside.filter_map(|(place, values)| Some((place?, values.as_mut()?)));
        for (place, values) in judged.chain(beside) {
            values.push(number(row, place, heading, has_commas)?.unwrap_or(f64::NAN));
        }
        Ok(())
    }

    /// Turns the columns into bytes, and refuses what cannot be.
    fn settle_units(&mut self, columns: Columns<'_>, clock: &Clock) -> Result<(), String> {
        let gaps: Vec<f64> = self.times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let gap_s = median(&gaps).unwrap_or(0.0);
        let is_since_start = self.times_s.first().is_some_and(|first| first.abs() < SINCE_START_S);
        if !clock.is_asked() && clock.unit == Some(TimeUnit::S) && is_since_start && gap_s >= FAR_APART_S {
            let apart = soak_verdict::human::seconds(gap_s);
            return Err(format!(
                "the samples are {apart} apart, read as seconds: give the unit of times with --time-unit, such as ms; if it is seconds, --time-unit s"
            ));
        }
        let mut read_as = Vec::new();
        for (name, values) in &mut self.judged {
            let (unit, is_named) = Unit::of(name, columns.unit)?;
            for value in values.iter_mut() {
                *value *= unit.bytes;
            }
            let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite() && *value > 0.0).collect();
            let doubt = median(&known).and_then(|level| Unit::doubt(name, level, is_named));
            if let Some(why) = doubt.filter(|_| columns.unit.is_none()) {
                return Err(why);
            }
            if read_as.is_empty() {
                read_as.push(format!("memory in {}", unit.name()));
            }
        }
        read_as
            .push(clock.unit.map_or_else(|| "times as dates".to_owned(), |unit| format!("times in {}", unit.name())));
        self.read_as = read_as.join(", ");
        Ok(())
    }

    /// Whether one column was asked for, and not a glob of them.
    pub(crate) fn is_one(&self) -> bool {
        self.is_one
    }

    /// How the file was read: units, and the tool that wrote it.
    pub(crate) fn read_as(&self) -> &str {
        &self.read_as
    }

    /// Names of the columns that are judged.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.judged.iter().map(|(name, _)| name.as_str())
    }

    /// The recording of one of them.
    pub(crate) fn recording(&self, index: usize) -> Recording {
        let mut rows = Rows::default();
        let at = |values: &[f64], i: usize| values.get(i).copied().filter(|value| value.is_finite());
        let values = self.judged.get(index).map_or(&[][..], |(_, values)| values);
        for (i, at_s) in self.times_s.iter().enumerate() {
            let beside =
                |column: &Option<Vec<f64>>| column.as_ref().map_or(Beside::Unasked, |values| Beside::of(at(values, i)));
            rows.push(*at_s, at(values, i), beside(&self.live), beside(&self.uptime));
        }
        rows.recording
    }
}

/// A message about the file's form, with what a terminal would act on escaped.
fn plain(error: &csv::Error) -> String {
    shown(&error.to_string())
}

/// A cell with a point for a comma, where that makes a number of it.
fn point(cell: &str, has_commas: bool) -> Cow<'_, str> {
    let pointed = cell.replacen(',', ".", 1);
    if has_commas && plain_number(cell).is_none() && plain_number(&pointed).is_some() {
        Cow::Owned(pointed)
    } else {
        Cow::Borrowed(cell)
    }
}

/// A cell; `None` when it is empty.
fn number(row: &StringRecord, column: usize, heading: &StringRecord, has_commas: bool) -> Result<Option<f64>, String> {
    let (name, cell) = (shown(&heading[column]), row.get(column).unwrap_or_default());
    if cell.is_empty() {
        return Ok(None);
    }
    let cell_shown = shown(cell);
    let number = plain_number(&point(cell, has_commas)).ok_or_else(|| {
        format!("{name} is `{cell_shown}`, which is no number: expected an amount of memory without a unit; leave the cell empty where nothing was read")
    })?;
    match number {
        number if !number.is_finite() => {
            Err(format!("{name} is {cell_shown}; leave the cell empty where nothing was read"))
        }
        number if !is_amount(number) => Err(format!("{name} is {cell_shown}, which is no amount of memory")),
        number => Ok(Some(number)),
    }
}
