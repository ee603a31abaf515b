//! Quantities with units: how a scenario writes them, how a record stores them, how a report prints them.
//!
//! Every quantity round-trips through its text form (`"1MiB"`, `"2MiB/min"`, `"30s"`, `"28%"`), which is also its form in JSON.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a quantity: what was expected, with an example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, such as {example}")]
pub struct UnitError {
    /// What would have been valid, in words.
    pub expected: &'static str,
    /// A valid text, quoted.
    pub example: &'static str,
}

/// A number of bytes. Text: `"512B"`, `"64KiB"`, `"1MiB"`, `"1.5GiB"`; powers of 1024 only, so that nobody has to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    const UNITS: [(&'static str, u64); 5] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    /// `n` mebibytes.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// The number of bytes as a float, for statistics.
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a size in B, KiB, MiB, GiB or TiB", example: "\"64MiB\"" };
        let (number, unit) = split_number(text).ok_or(error.clone())?;
        let (_, factor) = Self::UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(error.clone())?;
        let bytes = number * factor as f64;
        if bytes > 9e15 { Err(error) } else { Ok(Self(bytes.round() as u64)) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = Self::UNITS.into_iter().find(|(_, factor)| self.0 >= *factor).unwrap_or(("B", 1));
        if self.0.is_multiple_of(factor) {
            write!(f, "{}{unit}", self.0 / factor)
        } else {
            // A text must read back to the same number, so what does not fit two decimals falls to plain bytes.
            let text = format!("{:.2}{unit}", self.0 as f64 / factor as f64);
            match text.parse::<Self>() {
                Ok(back) if back == *self => f.write_str(&text),
                _ => write!(f, "{}B", self.0),
            }
        }
    }
}

/// Bytes over time or per operation. Text: `"2MiB/min"`, `"1GiB/h"`, `"64KiB/op"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRate {
    /// How much.
    pub bytes: Bytes,
    /// In which span.
    pub per: Per,
}

/// Operations or things over time. Text: `"200/s"`, `"30/min"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: f64,
    /// In which span; never [`Per::Operation`].
    pub per: Per,
}

/// The span of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// `/s`
    Second,
    /// `/min`
    Minute,
    /// `/h`
    Hour,
    /// `/op`: each operation that the target serves.
    Operation,
}

impl Per {
    const NAMES: [(&'static str, Self); 4] =
        [("s", Self::Second), ("min", Self::Minute), ("h", Self::Hour), ("op", Self::Operation)];

    fn parse(text: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(name, _)| *name == text).map(|(_, per)| per)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Operation => "op",
        }
    }

    /// The span in seconds; `None` for [`Per::Operation`].
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::Second => Some(1.0),
            Self::Minute => Some(60.0),
            Self::Hour => Some(3600.0),
            Self::Operation => None,
        }
    }
}

impl ByteRate {
    /// Bytes a second; `None` when the rate is per operation.
    pub fn bytes_per_second(self) -> Option<f64> {
        self.per.seconds().map(|seconds| self.bytes.as_f64() / seconds)
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a size per s, min, h or op", example: "\"2MiB/min\"" };
        let (amount, span) = text.split_once('/').ok_or(error.clone())?;
        Ok(Self {
            bytes: amount.trim().parse().map_err(|_| error.clone())?,
            per: Per::parse(span.trim()).ok_or(error)?,
        })
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bytes, self.per.name())
    }
}

impl Rate {
    /// `count` a second.
    pub const fn per_second(count: f64) -> Self {
        Self { count, per: Per::Second }
    }

    /// How many a second.
    pub fn a_second(self) -> f64 {
        self.count / self.per.seconds().unwrap_or(1.0)
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a number per s, min or h", example: "\"200/s\"" };
        let (number, span) = text.split_once('/').ok_or(error.clone())?;
        let (count, rest) = split_number(number.trim()).ok_or(error.clone())?;
        match Per::parse(span.trim()) {
            Some(per) if per != Per::Operation && rest.is_empty() => Ok(Self { count, per }),
            _ => Err(error),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.name())
    }
}

/// A length of time. Text: `"250ms"`, `"30s"`, `"1.5s"`, `"5min"`, `"2h"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl Span {
    /// `n` seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// The length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a length of time in ms, s, min or h", example: "\"30s\"" };
        let (number, unit) = split_number(text).ok_or(error.clone())?;
        let factor = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(error),
        };
        Duration::try_from_secs_f64(number * factor).map(Self).map_err(|_| error)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => f.write_str("0s"),
            n if n % 3_600_000_000_000 == 0 => write!(f, "{}h", n / 3_600_000_000_000),
            n if n % 60_000_000_000 == 0 => write!(f, "{}min", n / 60_000_000_000),
            n if n % 1_000_000_000 == 0 => write!(f, "{}s", n / 1_000_000_000),
            n if n % 1_000_000 == 0 && n < 1_000_000_000 => write!(f, "{}ms", n / 1_000_000),
            _ => write!(f, "{}s", self.0.as_secs_f64()),
        }
    }
}

/// A share of a whole, 0 to 1 inside, percent outside. Text: `"28%"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a percentage from 0% to 100%", example: "\"28%\"" };
        match split_number(text) {
            Some((number, "%")) if number <= 100.0 => Ok(Self(number / 100.0)),
            _ => Err(error),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twelve significant digits hide the binary rounding of, say, 0.28 × 100.
        write!(f, "{}%", (self.0 * 100.0 * 1e9).round() / 1e9)
    }
}

/// A size, or a share of the variant's memory limit. Text: `"48MiB"`, or `"20% of limit"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// This many bytes.
    At(Bytes),
    /// This share of the limit.
    OfLimit(Share),
}

/// What follows the percentage of a size relative to the limit.
const OF_LIMIT: &str = " of limit";

impl Size {
    /// In bytes, under a limit of so many.
    pub fn under(self, limit_bytes: f64) -> f64 {
        match self {
            Self::At(bytes) => bytes.as_f64(),
            Self::OfLimit(share) => share.0 * limit_bytes,
        }
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError {
            expected: "a size in B, KiB, MiB, GiB or TiB, or a percentage of the limit",
            example: "\"48MiB\" or \"20% of limit\"",
        };
        match text.strip_suffix(OF_LIMIT) {
            Some(share) => share.trim_end().parse().map(Self::OfLimit).map_err(|_| error),
            None => text.parse().map(Self::At).map_err(|_| error),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(bytes) => bytes.fmt(f),
            Self::OfLimit(share) => write!(f, "{share}{OF_LIMIT}"),
        }
    }
}

/// Go's collector setting: `100`, or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gogc {
    /// Collect when the heap has grown by this many percent of what was live.
    Percent(u32),
    /// Collect only at the memory limit, or when asked.
    Off,
}

impl FromStr for Gogc {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a percentage as a whole number, or \"off\"", example: "75" };
        match text {
            "off" => Ok(Self::Off),
            // Go takes a greater number for 100, without a word.
            number => match number.parse() {
                Ok(percent) if percent <= i32::MAX.unsigned_abs() => Ok(Self::Percent(percent)),
                _ => Err(error),
            },
        }
    }
}

impl fmt::Display for Gogc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// A limit in bytes, or none at all. Text: `"1536MiB"`, `"150% of peak"`, or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Limit {
    /// No limit is set.
    #[default]
    Off,
    /// This many bytes.
    At(Bytes),
    /// This many percent of the most memory that the target holds without a limit, which is measured before the run.
    OfPeak(u32),
}

/// What follows the percentage of a limit relative to the peak.
const OF_PEAK: &str = "% of peak";

impl FromStr for Limit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError {
            expected: "a size in B, KiB, MiB, GiB or TiB, a percentage of the peak, or \"off\"",
            example: "\"1536MiB\" or \"150% of peak\"",
        };
        match text.strip_suffix(OF_PEAK) {
            Some(percent) => percent.trim_end().parse().map(Self::OfPeak).map_err(|_| error),
            None if text == "off" => Ok(Self::Off),
            None => text.parse().map(Self::At).map_err(|_| error),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(bytes) => bytes.fmt(f),
            Self::OfPeak(percent) => write!(f, "{percent}{OF_PEAK}"),
        }
    }
}

/// A period, or never. Text: `"30s"`, or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Interval {
    /// Never by itself.
    #[default]
    Off,
    /// Once in this long.
    Every(Span),
}

impl FromStr for Interval {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a length of time in ms, s, min or h, or \"off\"", example: "\"30s\"" };
        match text {
            "off" => Ok(Self::Off),
            span => match span.parse::<Span>() {
                Ok(span) if !span.0.is_zero() => Ok(Self::Every(span)),
                _ => Err(error),
            },
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Every(span) => span.fmt(f),
        }
    }
}

/// How fast the query phase asks. Text: `"200/s"`, or `"planned"`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum QueryRate {
    /// As `workload.query.schedule` says.
    #[default]
    Planned,
    /// So many operations, evenly.
    At(Rate),
}

impl FromStr for QueryRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = UnitError { expected: "a rate in s, min or h, or \"planned\"", example: "\"200/s\"" };
        match text {
            "planned" => Ok(Self::Planned),
            rate => rate.parse().map(Self::At).map_err(|_| error),
        }
    }
}

impl fmt::Display for QueryRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned => f.write_str("planned"),
            Self::At(rate) => rate.fmt(f),
        }
    }
}

/// A finite, non-negative number and the text after it.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    number.is_finite().then(|| (number, text[end..].trim_start()))
}

/// Serialize as the text form, deserialize by parsing it.
macro_rules! as_text {
    ($($quantity:ty),*) => {$(
        impl Serialize for $quantity {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $quantity {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Bytes, ByteRate, Rate, Span, Share, Size, Gogc, Limit, Interval, QueryRate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_back_as_written() {
        for text in ["512B", "64KiB", "1MiB", "1.50GiB", "0B", "1234567B"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        for text in ["250ms", "30s", "1.5s", "5min", "2h", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["2MiB/min", "64KiB/op", "1GiB/h"] {
            assert_eq!(text.parse::<ByteRate>().unwrap().to_string(), text);
        }
        assert_eq!("28%".parse::<Share>().unwrap().to_string(), "28%");
        assert_eq!("200/s".parse::<Rate>().unwrap().to_string(), "200/s");
        assert_eq!("off".parse::<Gogc>().unwrap(), Gogc::Off);
        assert_eq!("1536MiB".parse::<Limit>().unwrap(), Limit::At(Bytes::mib(1536)));
        assert_eq!("150% of peak".parse::<Limit>().unwrap(), Limit::OfPeak(150));
        assert_eq!(Limit::OfPeak(150).to_string(), "150% of peak");
        assert!("% of peak".parse::<Limit>().is_err() && "1.5% of peak".parse::<Limit>().is_err());
        assert_eq!("off".parse::<Interval>().unwrap(), Interval::Off);
        for text in ["planned", "200/s", "90/min"] {
            assert_eq!(text.parse::<QueryRate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_unit_is_refused() {
        for text in ["1MB", "1", "MiB", "-1MiB", "1e3MiB", "inf", "99999999TiB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        assert!("5m".parse::<Span>().is_err());
        assert!("128%".parse::<Share>().is_err());
        assert!("2MiB".parse::<ByteRate>().is_err());
        assert!("2/op".parse::<Rate>().is_err());
    }
}
