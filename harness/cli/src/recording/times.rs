//! Times of a recording: dates, or numbers of which the unit is known from the column's name, from --time-unit, or from their size.

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The unit of times that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
    /// Minutes
    Min,
    /// Hours
    H,
}

impl TimeUnit {
    fn seconds(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e-3,
            Self::Us => 1e-6,
            Self::Ns => 1e-9,
            Self::Min => 60.0,
            Self::H => 3600.0,
        }
    }

    /// The name for people, and of the option's value.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
            Self::Min => "min",
            Self::H => "h",
        }
    }

    /// The unit that a column's name ends in, such as `time_ms` or `elapsed (s)`.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        match words.next_back().filter(|_| words.next_back().is_some())? {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(Self::S),
            "ms" | "msec" | "millis" | "milliseconds" => Some(Self::Ms),
            "us" | "usec" | "micros" | "microseconds" => Some(Self::Us),
            "ns" | "nsec" | "nanos" | "nanoseconds" => Some(Self::Ns),
            "min" | "mins" | "minute" | "minutes" => Some(Self::Min),
            "h" | "hour" | "hours" => Some(Self::H),
            _ => None,
        }
    }

    /// The unit in which this number is a moment between 1980 and 2100.
    fn since_1970(number: f64) -> Option<Self> {
        [Self::S, Self::Ms, Self::Us, Self::Ns]
            .into_iter()
            .find(|unit| (3.15e8..4.11e9).contains(&(number * unit.seconds())))
    }
}

/// Reads the cells of the column of times.
#[derive(Debug)]
pub(crate) struct Clock {
    /// From --time-unit.
    asked: Option<TimeUnit>,
    /// From the column's name.
    named: Option<TimeUnit>,
    /// What numbers turned out to be; `None` before the first, and for dates.
    pub(crate) unit: Option<TimeUnit>,
}

/// Later than this no sample was taken: the year 2100.
const LATEST_S: f64 = 4.11e9;

impl Clock {
    pub(crate) fn new(name: &str, asked: Option<TimeUnit>) -> Self {
        Self { asked, named: TimeUnit::of_name(name), unit: None }
    }

    /// Whether nobody said in words what the unit is.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Seconds of a cell.
    pub(crate) fn read(&mut self, cell: &str) -> Result<f64, String> {
        let Some(number) = super::plain_number(cell) else { return date(cell) };
        if !number.is_finite() {
            return Err("expected a number of seconds or a date".to_owned());
        }
        let unit = match (self.unit, self.asked) {
            (Some(unit), _) | (None, Some(unit)) => unit,
            (None, None) => {
                let by_size = TimeUnit::since_1970(number);
                match (self.named, by_size) {
                    // A small number of nanoseconds since 1970 is no date at all: the name counts.
                    (Some(named), Some(by_size)) if number * named.seconds() > LATEST_S => {
                        return Err(format!(
                            "the name says {}, which is the year {:.0}; read as {} it is {}: if so, add --time-unit {}",
                            named.name(),
                            1970.0 + number * named.seconds() / 31_556_952.0,
                            by_size.name(),
                            moment(number * by_size.seconds()),
                            by_size.name()
                        ));
                    }
                    (Some(named), _) => named,
                    (None, by_size) => by_size.unwrap_or(TimeUnit::S),
                }
            }
        };
        self.unit = Some(unit);
        let at_s = number * unit.seconds();
        if at_s.abs() > LATEST_S {
            return Err(format!(
                "as {} this is the year {:.0}: give the unit of times with --time-unit (s, ms, us, ns, min, h)",
                unit.name(),
                1970.0 + at_s / 31_556_952.0
            ));
        }
        Ok(at_s)
    }
}

/// Whether a cell is a date, and no number.
pub(crate) fn is_date(cell: &str) -> bool {
    super::plain_number(cell).is_none() && date(cell).is_ok()
}

fn moment(at_s: f64) -> String {
    Timestamp::from_second(at_s as i64).map_or_else(|_| format!("{at_s} s"), |moment| moment.to_string())
}

/// A date as tools write it; without a zone it is UTC, and only differences count.
fn date(cell: &str) -> Result<f64, String> {
    let cell = cell.trim().trim_end_matches(" UTC");
    let seconds = |moment: Timestamp| moment.as_nanosecond() as f64 / 1e9;
    if let Ok(moment) = cell.parse::<Timestamp>() {
        return Ok(seconds(moment));
    }
    let slashes = cell.replace('/', "-").replace(',', ".");
    let civil = slashes.parse::<DateTime>().ok().and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    civil.map(|zoned| seconds(zoned.timestamp())).ok_or_else(|| {
        "expected a number (seconds; other units with --time-unit) or a date such as 2026-11-22T10:00:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, cell: &str) -> Result<f64, String> {
        Clock::new(name, None).read(cell)
    }

    #[test]
    fn dates_and_units_are_read() {
        for (name, cell, seconds) in [
            ("time_s", "12.5", 12.5),
            ("timestamp", "1700000000", 1.7e9),
            ("timestamp", "1700000000123", 1_700_000_000.123),
            ("ts", "1700000000123456", 1_700_000_000.123_456),
            ("_time", "1700000000000000000", 1.7e9),
            ("elapsed_ms", "2500", 2.5),
            ("Elapsed (min)", "2", 120.0),
            ("time", "2024-05-01T08:00:00Z", 1_714_550_400.0),
            ("time", "2024-05-01T10:00:00.5+02:00", 1_714_550_400.5),
            ("time", "2024-05-01 08:00:00", 1_714_550_400.0),
            ("time", "2024/05/01 08:00:00", 1_714_550_400.0),
            ("time", "2024-05-01 08:00:00,250", 1_714_550_400.25),
        ] {
            let found = read(name, cell).unwrap();
            assert!((found - seconds).abs() < 1e-3, "{name} {cell}: {found}");
        }
    }

    #[test]
    fn the_impossible_is_refused_with_the_option_that_helps() {
        for (name, cell, words) in [
            ("time_s", "1700000000000", "--time-unit ms"),
            ("time_s", "1700000000000000", "--time-unit us"),
            ("time_s", "1700000000000000000", "--time-unit ns"),
            ("time_ms", "1700000000000000000", "--time-unit ns"),
            ("time_s", "20000000000", "--time-unit"),
            ("time", "yesterday", "a date such as"),
        ] {
            let said = read(name, cell).unwrap_err();
            assert!(said.contains(words), "{name} {cell}: {said}");
        }
        assert!((Clock::new("time_s", Some(TimeUnit::Ms)).read("1700000000000").unwrap() - 1.7e9).abs() < 1e-3);
    }
}
