//! The words and numbers that every format shares: marks, values with their units, thresholds, milliseconds, times of day.

use soak_diagnosis::Cell;
use soak_scenario::criterion::{Bounds, find};
use soak_scenario::runbook::Level;
use soak_verdict::{Finding, Indication, Verdict, human};

/// The criterion of a finding that says the target itself failed.
const TARGET: &str = "target";

/// How a finding is marked: by a word, because colour alone tells nothing to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    Pass,
    Information,
    Inconclusive,
    Fail,
}

impl Mark {
    pub(crate) fn of(finding: &Finding) -> Self {
        match finding.verdict {
            None => Self::Information,
            Some(verdict) => Self::of_verdict(verdict),
        }
    }

    pub(crate) fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Fail => Self::Fail,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Information => "info",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "FAIL",
        }
    }

    /// The style class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Information => "info",
            Self::Inconclusive => "open",
            Self::Fail => "fail",
        }
    }
}

/// The level that a threshold of a runbook reached.
pub(crate) fn level(one: &Indication) -> &'static str {
    one.level.map_or("not read", Level::name)
}

/// How many thresholds reached which level, the worst first.
pub(crate) fn tally(all: &[Indication]) -> String {
    let levels = [Some(Level::Critical), Some(Level::Warning), Some(Level::Normal), None];
    let counts = levels.into_iter().filter_map(|wanted| {
        let count = all.iter().filter(|one| one.level == wanted).count();
        (count > 0).then(|| format!("{count} {}", wanted.map_or("not read", Level::name)))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// What was measured, where something was. That the target failed is no measurement.
pub(crate) fn measured(finding: &Finding) -> Option<String> {
    let value = finding.value.filter(|_| finding.criterion != TARGET)?;
    Some(human::in_unit(value, &finding.unit))
}

/// What was measured, or a dash.
pub(crate) fn value(finding: &Finding) -> String {
    measured(finding).unwrap_or_else(|| "–".to_owned())
}

/// `… to …`, where there is an interval.
pub(crate) fn interval(finding: &Finding) -> Option<String> {
    let [low, high] = finding.interval?;
    Some(format!("{} to {}", human::in_unit(low, &finding.unit), human::in_unit(high, &finding.unit)))
}

/// The threshold with its direction, where there is one.
pub(crate) fn threshold(finding: &Finding) -> Option<String> {
    let limit = human::in_unit(finding.threshold.filter(|_| finding.criterion != TARGET)?, &finding.unit);
    let at_least = find(&finding.criterion).is_some_and(|spec| spec.bounds == Bounds::AtLeast);
    Some(format!("{} {limit}", if at_least { "≥" } else { "≤" }))
}

/// Milliseconds with three significant digits, without the unit.
pub(crate) fn milliseconds(value: f64) -> String {
    match value.abs() {
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A whole number with its thousands apart: `49,152`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds since the Unix epoch as `2026-11-22 10:15:00 UTC`. Days to date after Howard Hinnant's `civil_from_days`.
pub fn utc(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A cell of a diagnosis.
pub(crate) fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => human::bytes(*bytes),
        Cell::Count(count) => human::number(*count),
        Cell::Share(share) => human::percent(*share),
        Cell::Seconds(seconds) => human::seconds(*seconds),
        Cell::Nothing => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_right() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_767_225_599), "2025-12-31 23:59:59 UTC");
    }

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(49_152), "49,152");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(milliseconds(0.421), "0.42");
        assert_eq!(milliseconds(42.14), "42.1");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
