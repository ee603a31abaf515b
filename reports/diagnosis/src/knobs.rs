//! Values of knobs as a target tells them, in the words of a plan: so that two runs, or a run and a target, can be compared.

use soak_scenario::units::Bytes;

/// Go's value for "no limit".
pub const NO_LIMIT: f64 = 9.2e18;

/// Go keeps GOGC=off as −1, of which `client_golang` makes the largest unsigned integer.
pub fn is_no_gogc(value: f64) -> bool {
    !(0.0..=f64::from(u32::MAX)).contains(&value)
}

/// The effective value of a knob in words.
pub fn in_words(name: &str, value: f64) -> String {
    match name {
        "gogc" if is_no_gogc(value) => "off".to_owned(),
        "gomemlimit" | "memory_limit" if value >= NO_LIMIT => "off".to_owned(),
        "gomemlimit" | "memory_limit" => Bytes(value as u64).to_string(),
        "compaction_interval" if value == 0.0 => "off".to_owned(),
        "compaction_interval" => format!("{value}s"),
        _ => value.to_string(),
    }
}
