//! Numbers as people read them: `1.3 MiB`, `12.4 s`, `27.9 %`. Never parsed back.

use soak_scenario::{Fitted, FittedFrom};

/// A build's hash, as much of it as tells builds apart.
pub fn build(hash: &str) -> String {
    hash.chars().take("sha256:".len() + 12).collect()
}

/// A number of bytes with its sign, in the unit that leaves one to three digits before the point.
pub fn bytes(value: f64) -> String {
    let units = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)];
    match units.into_iter().find(|(_, factor)| value.abs() >= *factor) {
        Some((unit, factor)) => format!("{} {unit}", short(value / factor)),
        None => format!("{value:.0} B"),
    }
}

/// Seconds: milliseconds below one, minutes and hours above a hundred.
pub fn seconds(value: f64) -> String {
    match value.abs() {
        0.0 => "0 s".to_owned(),
        v if v < 1.0 => format!("{:.0} ms", value * 1e3),
        v if v < 100.0 => format!("{} s", short(value)),
        v if v < 5400.0 => format!("{} min", short(value / 60.0)),
        _ => format!("{} h", short(value / 3600.0)),
    }
}

/// A share of 1 as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A plain number with at most two decimals.
pub fn number(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// A value in the unit of a finding (`bytes/cycle`, `bytes/s`, `share`, `s`, `ms`, `rows/s`, `count`, `ratio`).
pub fn in_unit(value: f64, unit: &str) -> String {
    match unit {
        "bytes/cycle" => format!("{} a cycle", bytes(value)),
        "bytes/s" => format!("{} a minute", bytes(value * 60.0)),
        "bytes" => bytes(value),
        "share" => percent(value),
        "s" => seconds(value),
        "ms" => format!("{} ms", short(value)),
        "rows/s" => format!("{} rows/s", short(value)),
        // Without the sign of a zero that was rounded.
        "ratio" => format!("{:.2} ×", (value * 100.0).round() / 100.0 + 0.0),
        _ => number(value),
    }
}

/// A change as a share of 1, with its sign: `+2.4 %`.
pub fn change(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// `1 cycle`, `2 cycles`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A number that was fitted to the server: `memory_limit of dim128-rows500 is 205MiB (300% of peak; the peak is 68.2 MiB)`.
pub fn fitted(fitted: &Fitted) -> String {
    let Fitted { variants, key, asked, value, from } = fitted;
    let of = if variants.is_empty() { String::new() } else { format!(" of {}", variants.join(", ")) };
    let because = match from {
        FittedFrom::Peak(peak) => format!("the peak is {}", bytes(peak.as_f64())),
        FittedFrom::Index(span) => format!("the longest took {}", seconds(span.as_secs_f64())),
        FittedFrom::Load(span) => format!("the load of a cycle took {}", seconds(span.as_secs_f64())),
        FittedFrom::NotMeasured(reason) => format!("not measured: {reason}"),
    };
    format!("{key}{of} is {value} ({asked}; {because})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_can_read_them() {
        assert_eq!(bytes(1.3 * 1_048_576.0), "1.30 MiB");
        assert_eq!(bytes(-2048.0), "-2.00 KiB");
        assert_eq!(bytes(12.0), "12 B");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(120.0), "2.00 min");
        assert_eq!(in_unit(0.279, "share"), "27.9 %");
        assert_eq!(in_unit(3.0, "count"), "3");
        assert_eq!(plural(1, "cycle"), "1 cycle");
    }
}
