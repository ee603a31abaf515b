//! How a Go server reads its environment: the runtime's own variables, and those of `kelseyhightower/envconfig`. What the real one refuses is refused.

/// A variable of `envconfig`: under the prefix, else under the bare name, else the default.
fn lookup(name: &str, default: &str) -> String {
    let bare = name.strip_prefix("LONGBOW_").unwrap_or(name);
    std::env::var(name).or_else(|_| std::env::var(bare)).unwrap_or_else(|_| default.to_owned())
}

fn refused(name: &str, value: &str, kind: &str, why: &str) -> String {
    format!(
        "Failed to process config: envconfig.Process: assigning {name}: converting '{value}' to type {kind}. details: {why}"
    )
}

/// A text.
pub(crate) fn text(name: &str, default: &str) -> String {
    lookup(name, default)
}

/// An integer of 64 bits.
pub(crate) fn integer(name: &str, default: &str) -> Result<i64, String> {
    let value = lookup(name, default);
    value.parse().map_err(|_| refused(name, &value, "int64", &format!("strconv.ParseInt: parsing {value:?}")))
}

/// A truth value, as `strconv.ParseBool` reads it.
pub(crate) fn flag(name: &str, default: &str) -> Result<bool, String> {
    let value = lookup(name, default);
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(refused(name, &value, "bool", &format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))),
    }
}

/// Checks a duration, as `time.ParseDuration` reads it: numbers with units, without spaces.
pub(crate) fn duration(name: &str, default: &str) -> Result<(), String> {
    let value = lookup(name, default);
    let refused = || refused(name, &value, "time.Duration", &format!("time: invalid duration {value:?}"));
    let mut rest = value.strip_prefix(['+', '-']).unwrap_or(&value);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        rest[..number].parse::<f64>().map_err(|_| refused())?;
        rest = &rest[number..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        if !["ns", "us", "µs", "ms", "s", "m", "h"].contains(&&rest[..unit]) {
            return Err(refused());
        }
        rest = &rest[unit..];
    }
    Ok(())
}

/// The collector's setting as the runtime reads `GOGC`: -1 when it is off, and 100 for what it does not understand.
pub(crate) fn runtime_gogc() -> i64 {
    match std::env::var("GOGC") {
        Ok(value) if value == "off" => -1,
        Ok(value) => value.parse::<i32>().map_or(100, i64::from),
        Err(_) => 100,
    }
}

/// Checks `GOMEMLIMIT`: the runtime throws where it is malformed.
pub(crate) fn runtime_memory_limit() -> Result<(), String> {
    let Ok(value) = std::env::var("GOMEMLIMIT") else { return Ok(()) };
    if value.is_empty() || value == "off" {
        return Ok(());
    }
    let units = ["KiB", "MiB", "GiB", "TiB", "B"];
    let number = units.into_iter().find_map(|unit| value.strip_suffix(unit)).unwrap_or(&value);
    let malformed =
        || format!("GOMEMLIMIT={value}\nfatal error: malformed GOMEMLIMIT; see `go doc runtime/debug.SetMemoryLimit`");
    number.parse::<i64>().ok().filter(|bytes| *bytes >= 0).map(|_| ()).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_s() {
        for good in ["30s", "1h30m", "0.5s", "-1.5h", "0", "100ms", "1us"] {
            assert_eq!(duration("NO_SUCH_VARIABLE", good), Ok(()), "{good}");
        }
        for wrong in ["off", "", "2min", "30", "s", "1 s", "1h 30m"] {
            assert!(duration("NO_SUCH_VARIABLE", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_and_truth_values_are_strict() {
        assert!(integer("NO_SUCH_VARIABLE", "off").unwrap_err().contains("converting 'off' to type int64"));
        assert!(integer("NO_SUCH_VARIABLE", "9223372036854775808").is_err());
        assert_eq!((flag("NO_SUCH_VARIABLE", "t"), flag("NO_SUCH_VARIABLE", "off").is_err()), (Ok(true), true));
    }
}
