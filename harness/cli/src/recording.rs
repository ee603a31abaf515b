//! A recording that `soak` did not make: a table of samples, or what another tool wrote.

mod source;
mod table;
mod times;
mod tools;
mod units;

pub(crate) use table::{Columns, Table};
pub(crate) use times::TimeUnit;
pub(crate) use units::Unit;

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
    /// The samples that a restart of the target came before, as a counter tells.
    pub(crate) restarts: Vec<usize>,
    /// Whether there is a counter that tells restarts.
    pub(crate) has_uptime: bool,
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
        self.recording.has_uptime |= uptime != Beside::Unasked;
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
    /// Whether nothing comes after it.
    pub(crate) is_last: bool,
}

/// Where a recording was restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restarts {
    /// A counter tells.
    Counted(Vec<usize>),
    /// It falls to the level of its start, and no counter says otherwise.
    Inferred(Vec<usize>),
}

impl Restarts {
    /// The samples that begin a stretch after a restart.
    pub(crate) fn samples(&self) -> &[usize] {
        match self {
            Self::Counted(samples) | Self::Inferred(samples) => samples,
        }
    }
}

impl Recording {
    /// The restarts that a counter tells, or else those that the values show.
    pub(crate) fn all_restarts(&self, limit: Option<f64>) -> Restarts {
        if self.has_uptime {
            Restarts::Counted(self.restarts.clone())
        } else {
            Restarts::Inferred(soak_verdict::trend::falls_to_start(&self.values, limit))
        }
    }

    /// The longest stretch without one of these restarts; of two alike the later.
    pub(crate) fn longest(&self, restarts: &[usize]) -> Stretch<'_> {
        let ends = restarts.iter().copied().chain([self.times_s.len()]);
        let starts = std::iter::once(0).chain(restarts.iter().copied());
        let length = |(from, to): &(usize, usize)| match (self.times_s.get(*from), self.times_s[..*to].last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        };
        let longest = starts.zip(ends).max_by(|a, b| length(a).total_cmp(&length(b)));
        let (from, to) = longest.unwrap_or((0, self.times_s.len()));
        Stretch { times_s: &self.times_s[from..to], values: &self.values[from..to], is_last: to == self.times_s.len() }
    }
}

/// Whether a number can be an amount of memory.
pub(crate) fn is_amount(number: f64) -> bool {
    (0.0..=MOST).contains(&number)
}

/// The longest text of a file that a message quotes.
const SHOWN_MAX: usize = 80;

/// Text of a file for a person: cut, and with what a terminal would act on escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(|letter| {
            let escaped = letter.is_control().then(|| letter.escape_default());
            escaped.into_iter().flatten().chain((!letter.is_control()).then_some(letter))
        })
        .collect();
    if text.chars().count() > SHOWN_MAX {
        shown.push('…');
    }
    shown
}

/// A number as a cell has it.
pub(crate) fn plain_number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok()
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
        let uptime = text.contains("up").then_some("up");
        let columns = Columns { series, uptime, unit: Some("B".parse().unwrap()), ..Columns::default() };
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
        let longest = found.longest(&found.restarts);
        assert_eq!((longest.times_s, longest.is_last), (&[3.0, 4.0, 9.0][..], false));
        assert!(read("time_s,rss\n0,1\n1,2\n").unwrap().longest(&[]).is_last);
        assert!(Recording::default().longest(&[]).times_s.is_empty());
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
            ("x,rss\n0,1\n", "there is no column `time_s`"),
            ("x,rss\n0,1\n", "it has x, rss. Name it with --time COLUMN"),
            ("time_s,rss\n", "no rows"),
            ("", "the file is empty"),
            ("time_s,rs\u{1b}[2Js\n0,1\n", "\\u{1b}[2Js"),
            ("time_s,rss\n0,1\n0,2\n", "line 3: time_s is 0, which is not after 0"),
            ("time_s,rss\n0,1\n1,NaN\n", "line 3: rss is NaN"),
            ("time_s,rss\n0,1\n1,many\n", "line 3: rss is `many`, which is no number: expected"),
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
