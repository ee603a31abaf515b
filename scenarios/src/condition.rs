//! Conditions on what is sampled: when a fault begins that waits for something.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Share};

/// A condition on a series, such as `working_set > 80% of limit` or `goroutines > 500`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// What is looked at.
    pub of: Watched,
    /// Above it, or below it.
    pub above: bool,
    /// What it is held against.
    pub against: Against,
}

/// What a condition may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The cgroup's working set: usage less inactive file pages.
    WorkingSet,
    /// Resident memory.
    Rss,
    /// Tasks.
    Goroutines,
}

/// What a condition holds a series against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// A share of the memory limit.
    OfLimit(Share),
    /// A size.
    Size(Bytes),
    /// A number.
    Number(u32),
}

impl Watched {
    /// Its names in files.
    pub const ALL: [Self; 3] = [Self::WorkingSet, Self::Rss, Self::Goroutines];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkingSet => "working_set",
            Self::Rss => "rss",
            Self::Goroutines => "goroutines",
        }
    }

    /// The series that is read for it.
    pub fn series(self) -> &'static str {
        match self {
            Self::WorkingSet => "cgroup_working_set_bytes",
            Self::Rss => "rss_bytes",
            Self::Goroutines => "goroutines",
        }
    }
}

impl std::str::FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no condition");
        let (left, right, above) = match (text.split_once('>'), text.split_once('<')) {
            (Some((left, right)), None) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            _ => return Err(wrong()),
        };
        let of = Watched::ALL.into_iter().find(|of| of.name() == left.trim()).ok_or_else(wrong)?;
        let right = right.trim();
        let against = if let Some(share) = right.strip_suffix("of limit") {
            Against::OfLimit(share.trim().parse().map_err(|_| wrong())?)
        } else if of == Watched::Goroutines {
            Against::Number(right.parse().map_err(|_| wrong())?)
        } else {
            Against::Size(right.parse().map_err(|_| wrong())?)
        };
        if of == Watched::Goroutines && !matches!(against, Against::Number(_)) {
            return Err(wrong());
        }
        Ok(Self { of, above, against })
    }
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.of.name(), if self.above { ">" } else { "<" })?;
        match self.against {
            Against::OfLimit(share) => write!(f, "{share} of limit"),
            Against::Size(size) => write!(f, "{size}"),
            Against::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Condition {
    /// Whether it holds for this value, under this memory limit in bytes; a share of no limit never does.
    pub fn holds(&self, value: f64, limit_bytes: Option<f64>) -> bool {
        let against = match self.against {
            Against::OfLimit(share) => limit_bytes.map(|limit| share.0 * limit),
            Against::Size(size) => Some(size.as_f64()),
            Against::Number(number) => Some(f64::from(number)),
        };
        against.is_some_and(|against| if self.above { value > against } else { value < against })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_back_as_they_are_written() {
        for text in ["working_set > 80% of limit", "rss < 64MiB", "goroutines > 500"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "working_set",
            "working_set > ",
            "heap > 1MiB",
            "goroutines > 5MiB",
            "rss = 1MiB",
            "goroutines > 1% of limit",
        ] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
        let condition: Condition = "working_set > 80% of limit".parse().unwrap();
        assert!(
            condition.holds(81.0, Some(100.0)) && !condition.holds(79.0, Some(100.0)) && !condition.holds(81.0, None)
        );
    }
}
