//! A recording that `soak` did not make: a table of samples with `time_s` and one column a series.

use std::path::Path;

use crate::failure::Failure;

/// The column of times, in seconds.
const TIME: &str = "time_s";

/// More bytes than any address has.
const MOST: f64 = 9.3e18;

/// Samples of one series; where nothing was read there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recording {
    pub(crate) times_s: Vec<f64>,
    pub(crate) values: Vec<f64>,
    /// The live data at the same times; empty where it is not known.
    pub(crate) live: Vec<f64>,
    /// Moments at which something was not read.
    pub(crate) missing: usize,
    /// The samples that a restart of the target came before.
    pub(crate) restarts: Vec<usize>,
}

/// What stands beside a value at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Beside {
    /// Nobody asked for it.
    Unasked,
    /// It was not read.
    Missing,
    /// It was.
    Read(f64),
}

impl Beside {
    /// Of a column that was asked for.
    pub(crate) fn of(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Read)
    }
}

/// Builds a recording, moment by moment.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) recording: Recording,
    uptime: Option<f64>,
    restarted: bool,
}

impl Rows {
    /// Takes a moment: its value, and the live data and the uptime where there are such columns. An uptime, or any counter, falls only when the target was restarted.
    pub(crate) fn push(&mut self, at_s: f64, value: Option<f64>, live: Beside, uptime: Beside) {
        if let Beside::Read(uptime) = uptime {
            self.restarted |= self.uptime.is_some_and(|before| uptime < before);
            self.uptime = Some(uptime);
        }
        let found = &mut self.recording;
        let (Some(value), true) = (value, live != Beside::Missing) else {
            found.missing += 1;
            return;
        };
        if std::mem::take(&mut self.restarted) && !found.times_s.is_empty() {
            found.restarts.push(found.times_s.len());
        }
        found.times_s.push(at_s);
        found.values.push(value);
        if let Beside::Read(live) = live {
            found.live.push(live);
        }
    }
}

/// A stretch of a recording in which the target was not restarted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<'a> {
    pub(crate) times_s: &'a [f64],
    pub(crate) values: &'a [f64],
    pub(crate) live: &'a [f64],
    /// Whether nothing comes after it.
    pub(crate) is_last: bool,
}

impl Recording {
    /// The longest stretch without a restart; of two alike the later.
    pub(crate) fn longest(&self) -> Stretch<'_> {
        let ends = self.restarts.iter().copied().chain([self.times_s.len()]);
        let starts = std::iter::once(0).chain(self.restarts.iter().copied());
        let length = |(from, to): &(usize, usize)| match (self.times_s.get(*from), self.times_s[..*to].last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        };
        let longest = starts.zip(ends).max_by(|a, b| length(a).total_cmp(&length(b)));
        let (from, to) = longest.unwrap_or((0, self.times_s.len()));
        Stretch {
            times_s: &self.times_s[from..to],
            values: &self.values[from..to],
            live: if self.live.is_empty() { &[] } else { &self.live[from..to] },
            is_last: to == self.times_s.len(),
        }
    }
}

/// A table of samples: `time_s` and one column a series.
#[derive(Debug, Default)]
pub(crate) struct Table {
    times_s: Vec<f64>,
    /// Name and values of each column that is judged; what was not read is not a number.
    judged: Vec<(String, Vec<f64>)>,
    live: Option<Vec<f64>>,
    uptime: Option<Vec<f64>>,
    /// Whether a column was asked for by its name.
    is_one: bool,
}

/// The columns that are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// A name, or a glob of names.
    pub(crate) series: &'a str,
    pub(crate) live: Option<&'a str>,
    pub(crate) uptime: Option<&'a str>,
}

impl Columns<'_> {
    /// A series explains nothing by itself.
    fn differ(self) -> Result<(), String> {
        let named = [Some(TIME), Some(self.series), self.live, self.uptime];
        let named: Vec<&str> = named.into_iter().flatten().collect();
        let twice = named.iter().enumerate().find(|(i, name)| named[..*i].contains(name));
        twice.map_or(Ok(()), |(_, name)| {
            Err(format!("`{name}` is asked for twice; series, live data, uptime and {TIME} are different columns"))
        })
    }
}

impl Table {
    /// Reads columns from a file of comma-separated values, row by row: eight bytes of memory a cell that is asked for.
    pub(crate) fn read(path: &Path, columns: Columns<'_>) -> Result<Self, Failure> {
        let shown = path.display();
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {error}"));
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| wrong(&error))?;
        let heading = reader.headers().map_err(|error| wrong(&error))?.clone();
        let missing = |name: &str| {
            let names = heading.iter().collect::<Vec<_>>().join(", ");
            wrong(&format!("there is no column `{name}`; it has {names}"))
        };
        let column = |name: &str| {
            let mut found = heading.iter().enumerate().filter(|(_, other)| *other == name).map(|(i, _)| i);
            match (found.next(), found.next()) {
                (Some(column), None) => Ok(column),
                (None, _) => Err(missing(name)),
                (Some(_), Some(_)) => Err(wrong(&format!("there are several columns `{name}`; rename all but one"))),
            }
        };
        let time = column(TIME)?;
        columns.differ().map_err(|why| wrong(&why))?;
        let is_one = heading.iter().any(|name| name == columns.series);
        let judged = if is_one { Some(vec![column(columns.series)?]) } else { matching(&heading, columns) };
        let judged = judged.ok_or_else(|| missing(columns.series))?;
        for column_of_glob in &judged {
            column(&heading[*column_of_glob])?;
        }
        let (live, uptime) = (columns.live.map(column).transpose()?, columns.uptime.map(column).transpose()?);
        let mut table = Self {
            judged: judged.iter().map(|column| (heading[*column].to_owned(), Vec::new())).collect(),
            live: live.map(|_| Vec::new()),
            uptime: uptime.map(|_| Vec::new()),
            is_one,
            ..Self::default()
        };
        let mut last = f64::NEG_INFINITY;
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| wrong(&error))? {
            let line = row.position().map_or(0, csv::Position::line);
            let number =
                |column: usize| number(&row, column, &heading).map_err(|why| wrong(&format!("line {line}: {why}")));
            let Some(at_s) = number(time)? else { return Err(wrong(&format!("line {line}: no {TIME}"))) };
            if at_s <= last {
                let why = format!(
                    "line {line}: {TIME} is {at_s}, which is not after {last}; sort the rows, keep one for each moment, and where the clock was set back begin another table"
                );
                return Err(wrong(&why));
            }
            last = at_s;
            table.times_s.push(at_s);
            let judged = judged.iter().zip(&mut table.judged).map(|(column, (_, values))| (*column, values));
            let beside = [(live, &mut table.live), (uptime, &mut table.uptime)].into_iter();
            let beside = beside.filter_map(|(column, values)| Some((column?, values.as_mut()?)));
            for (column, values) in judged.chain(beside) {
                values.push(number(column)?.unwrap_or(f64::NAN));
            }
        }
        Ok(table)
    }

    /// Whether one column was asked for, and not a glob of them.
    pub(crate) fn is_one(&self) -> bool {
        self.is_one
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

/// The columns that a glob matches, but for the time and what is read beside them.
fn matching(heading: &csv::StringRecord, columns: Columns<'_>) -> Option<Vec<usize>> {
    let beside = [Some(TIME), columns.live, columns.uptime];
    let matches = |name: &str| !beside.contains(&Some(name)) && soak_scenario::matches_glob(columns.series, name);
    let found: Vec<usize> = heading.iter().enumerate().filter(|(_, name)| matches(name)).map(|(i, _)| i).collect();
    (!found.is_empty()).then_some(found)
}

/// Whether a number can be an amount of memory.
pub(crate) fn is_amount(number: f64) -> bool {
    (0.0..=MOST).contains(&number)
}

/// A cell; `None` when it is empty.
fn number(row: &csv::StringRecord, column: usize, heading: &csv::StringRecord) -> Result<Option<f64>, String> {
    let (name, cell) = (&heading[column], row.get(column).unwrap_or_default());
    if cell.is_empty() {
        return Ok(None);
    }
    let number = cell.parse::<f64>().map_err(|_| format!("{name} is `{cell}`, which is no number"))?;
    match number {
        number if !number.is_finite() => Err(format!("{name} is {cell}; leave the cell empty where nothing was read")),
        number if name != TIME && !is_amount(number) => Err(format!("{name} is {cell}, which is no amount of memory")),
        number => Ok(Some(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recording, String> {
        table(text, "rss").map(|table| table.recording(0))
    }

    fn table(text: &str, series: &str) -> Result<Table, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let columns = Columns { series, live: None, uptime: text.contains("up").then_some("up") };
        Table::read(&path, columns).map_err(|failure| failure.words().to_owned())
    }

    #[test]
    fn empty_cells_are_missing_samples() {
        let found = read("time_s,rss,heap\n0,10,1\n1,,2\n2, 30 ,\n").unwrap();
        assert_eq!((found.times_s, found.values, found.missing), (vec![0.0, 2.0], vec![10.0, 30.0], 1));
    }

    #[test]
    fn the_longest_stretch_between_restarts_is_taken() {
        let found = read("time_s,rss,up\n0,10,5\n1,11,6\n2,,1\n3,1,2\n4,2,3\n9,3,8\n10,9,0\n").unwrap();
        assert_eq!(found.restarts, [2, 5], "the restart is known of a row without a value");
        let longest = found.longest();
        assert_eq!((longest.times_s, longest.is_last), (&[3.0, 4.0, 9.0][..], false));
        assert!(read("time_s,rss\n0,1\n1,2\n").unwrap().longest().is_last);
        assert!(Recording::default().longest().times_s.is_empty());
    }

    #[test]
    fn a_glob_takes_every_column_that_it_matches() {
        let found = table("time_s,rss_a,heap,rss_b,up\n0,10,1,,5\n1,11,2,3,6\n", "rss_*").unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["rss_a", "rss_b"]);
        assert_eq!(found.recording(1).values, [3.0]);
        let all = table("time_s,a,b,up\n0,1,2,5\n", "*").unwrap();
        assert_eq!(all.names().collect::<Vec<_>>(), ["a", "b"], "neither time nor uptime is judged");
        assert!(table("time_s,a\n0,1\n", "time_s").unwrap_err().contains("`time_s` is asked for twice"));
        assert!(table("time_s,a\n0,1\n", "rss*").unwrap_err().contains("there is no column `rss*`"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, words) in [
            ("time_s,heap\n0,1\n", "there is no column `rss`; it has time_s, heap"),
            ("t,rss\n0,1\n", "there is no column `time_s`"),
            ("time_s,rss\n0,1\n0,2\n", "line 3: time_s is 0, which is not after 0"),
            ("time_s,rss\n0,1\n1,NaN\n", "line 3: rss is NaN"),
            ("time_s,rss\n0,1\n1,many\n", "line 3: rss is `many`, which is no number"),
            ("time_s,rss\n0,1\n1,-5\n", "line 3: rss is -5, which is no amount of memory"),
            ("time_s,rss\n0,1e200\n", "line 2: rss is 1e200, which is no amount of memory"),
            ("time_s,rss\n,1\n", "line 2: no time_s"),
            ("time_s,rss,rss\n0,1,2\n", "there are several columns `rss`"),
            ("time_s,rss\n0,1\n1\n", "line: 3"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }
}
