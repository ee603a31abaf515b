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

/// Builds a recording, moment by moment.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) recording: Recording,
    uptime: Option<f64>,
    restarted: bool,
}

impl Rows {
    /// Takes a moment: its value, and the live data and the uptime where there are such columns. An uptime, or any counter, falls only when the target was restarted.
    pub(crate) fn push(&mut self, at_s: f64, value: Option<f64>, live: Option<Option<f64>>, uptime: Option<Option<f64>>) {
        if let Some(Some(uptime)) = uptime {
            self.restarted |= self.uptime.is_some_and(|before| uptime < before);
            self.uptime = Some(uptime);
        }
        let found = &mut self.recording;
        let (Some(value), true) = (value, live != Some(None)) else {
            found.missing += 1;
            return;
        };
        if std::mem::take(&mut self.restarted) && !found.times_s.is_empty() {
            found.restarts.push(found.times_s.len());
        }
        found.times_s.push(at_s);
        found.values.push(value);
        found.live.extend(live.flatten());
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

    /// Reads a series from a file of comma-separated values, row by row.
    pub(crate) fn read(path: &Path, columns: Columns<'_>) -> Result<Self, Failure> {
        let shown = path.display();
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {error}"));
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| wrong(&error))?;
        let heading = reader.headers().map_err(|error| wrong(&error))?.clone();
        let column = |name: &str| {
            let names = || heading.iter().collect::<Vec<_>>().join(", ");
            let found = heading.iter().position(|other| other == name);
            found.ok_or_else(|| wrong(&format!("there is no column `{name}`; it has {}", names())))
        };
        let (time, value) = (column(TIME)?, column(columns.series)?);
        let (live, uptime) = (columns.live.map(column).transpose()?, columns.uptime.map(column).transpose()?);
        let mut rows = Rows::default();
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
            let (live, uptime) = (live.map(number).transpose()?, uptime.map(number).transpose()?);
            rows.push(at_s, number(value)?, live, uptime);
        }
        Ok(rows.recording)
    }
}

/// The columns that are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) series: &'a str,
    pub(crate) live: Option<&'a str>,
    pub(crate) uptime: Option<&'a str>,
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
        number if name != TIME && !(0.0..=MOST).contains(&number) => {
            Err(format!("{name} is {cell}, which is no amount of memory"))
        }
        number => Ok(Some(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recording, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let columns = Columns { series: "rss", live: None, uptime: text.contains("up").then_some("up") };
        Recording::read(&path, columns).map_err(|failure| failure.words().to_owned())
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
            ("time_s,rss\n0,1\n1\n", "line: 3"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }
}
