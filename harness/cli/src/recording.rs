//! A recording that `soak` did not make: a table of samples with `time_s` and one column a series.

use std::path::Path;

use crate::failure::Failure;

/// The column of times, in seconds.
const TIME: &str = "time_s";

/// More bytes than any address has.
const MOST: f64 = 9.3e18;

/// Samples of one series; where a cell was empty there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recording {
    pub(crate) times_s: Vec<f64>,
    pub(crate) values: Vec<f64>,
    /// The live data at the same times; empty without such a column.
    pub(crate) live: Vec<f64>,
    /// Rows whose cell was empty.
    pub(crate) missing: usize,
}

impl Recording {
    /// Reads a series from a file of comma-separated values, row by row.
    pub(crate) fn read(path: &Path, series: &str, live: Option<&str>) -> Result<Self, Failure> {
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
        let (time, value) = (column(TIME)?, column(series)?);
        let live = live.map(column).transpose()?;
        let mut recording = Self::default();
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| wrong(&error))? {
            let line = row.position().map_or(0, csv::Position::line);
            let number =
                |column: usize| number(&row, column, &heading).map_err(|why| wrong(&format!("line {line}: {why}")));
            let Some(at_s) = number(time)? else { return Err(wrong(&format!("line {line}: no {TIME}"))) };
            if let Some(last) = recording.times_s.last().filter(|last| at_s <= **last) {
                let why = format!(
                    "line {line}: {TIME} is {at_s}, which is not after {last}; sort the rows, and keep one for each moment"
                );
                return Err(wrong(&why));
            }
            let held = live.map(number).transpose()?;
            match (number(value)?, held) {
                (Some(value), None) => {
                    recording.times_s.push(at_s);
                    recording.values.push(value);
                }
                (Some(value), Some(Some(held))) => {
                    recording.times_s.push(at_s);
                    recording.values.push(value);
                    recording.live.push(held);
                }
                _ => recording.missing += 1,
            }
        }
        Ok(recording)
    }
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
        Recording::read(&path, "rss", None).map_err(|failure| failure.words().to_owned())
    }

    #[test]
    fn empty_cells_are_missing_samples() {
        let found = read("time_s,rss,heap\n0,10,1\n1,,2\n2, 30 ,\n").unwrap();
        assert_eq!((found.times_s, found.values, found.missing), (vec![0.0, 2.0], vec![10.0, 30.0], 1));
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
