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
    let digits: String = soak_render::utc(unix_s).chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at(digits.len().saturating_sub(6));
    format!("{date}-{time}")
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
