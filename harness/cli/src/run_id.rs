//! Names of runs: scenario, moment, and a few digits against two runs of one second.

use std::time::{SystemTime, UNIX_EPOCH};

/// A name that no earlier run has: `scenario2-20261122-101500-3f9c`.
pub(crate) fn fresh(scenario: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let digits = (now.subsec_nanos() ^ std::process::id().rotate_left(16)) & 0xffff;
    format!("{scenario}-{}-{digits:04x}", moment(now.as_secs()))
}

/// `20261122-101500`, in UTC.
fn moment(unix_s: u64) -> String {
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Year, month and day of a day number. Years are counted from March, so that the leap day comes last in its year.
fn civil(days: u64) -> (u64, u64, u64) {
    // 719 468 days lie between 0000-03-01 and 1970-01-01; an era is 400 years of 146 097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_the_calendars() {
        assert_eq!(moment(0), "19700101-000000");
        assert_eq!(moment(951_782_400), "20000229-000000");
        assert_eq!(moment(1_795_349_696), "20261122-121456");
        assert_eq!(moment(4_107_542_399), "21000228-235959");
    }

    #[test]
    fn a_fresh_name_begins_with_the_scenario() {
        assert!(fresh("scenario2").starts_with("scenario2-2"));
    }
}
