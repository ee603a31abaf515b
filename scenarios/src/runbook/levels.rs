//! Where a threshold is normal, a warning, or critical; and how that is said.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::units::{Share, Span};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be, or a false alarm.
    Normal,
    /// Somebody should look.
    Warning,
    /// Somebody must act.
    Critical,
}

impl Level {
    /// The word in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The unit of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1.
    Share,
    /// Bytes. What the runbooks call GB are 10⁹ of them here: the smaller of the two readings, so that nothing is overlooked.
    Bytes,
    /// Bytes an hour.
    BytesPerHour,
    /// Bytes for each node of an index.
    BytesPerNode,
    /// Events a minute.
    PerMinute,
    /// Seconds.
    Seconds,
    /// A plain number.
    Count,
    /// How many times as much.
    Times,
}

impl Unit {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Bytes => "bytes",
            Self::BytesPerHour => "bytes/h",
            Self::BytesPerNode => "bytes/node",
            Self::PerMinute => "1/min",
            Self::Seconds => "s",
            Self::Count => "count",
            Self::Times => "times",
        }
    }

    /// A bound in it, as precisely as it is written.
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Share => Share(value).to_string(),
            Self::Bytes => format!("{} GB", value / 1e9),
            Self::BytesPerHour => format!("{} GB/h", value / 1e9),
            Self::BytesPerNode => format!("{value} B a node"),
            Self::PerMinute => format!("{value}/min"),
            Self::Seconds => Span(Duration::from_secs_f64(value)).to_string(),
            Self::Count => value.to_string(),
            Self::Times => format!("{value} ×"),
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A bound behind which somebody is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// How bad it is then.
    pub level: Level,
    /// In the unit of the levels.
    pub bound: f64,
    /// Whether the bound itself is already behind it.
    pub inclusive: bool,
    /// Whether less is worse.
    pub below: bool,
}

/// The levels of a threshold. A bound that a runbook gives without a level is a warning, and critical where somebody is called for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// The more, the worse.
    Above {
        /// Of all bounds.
        unit: Unit,
        /// Normal while below it.
        normal: Option<f64>,
        /// A warning when above it; from it on where it is also the end of what is normal.
        warning: Option<f64>,
        /// Critical when above it.
        critical: Option<f64>,
    },
    /// The less, the worse.
    Below {
        /// Of all bounds.
        unit: Unit,
        /// Normal while above it.
        normal: Option<f64>,
        /// A warning when below it; from it on where it is also the end of what is normal.
        warning: Option<f64>,
        /// Critical when below it.
        critical: Option<f64>,
    },
    /// Normal between the two, both included, and a warning outside.
    Outside {
        /// Of both bounds.
        unit: Unit,
        /// The least that is normal.
        least: f64,
        /// The most that is normal.
        most: f64,
    },
    /// No number says it: this level is reached while this holds.
    When {
        /// The level.
        level: Level,
        /// What holds then.
        holds: &'static str,
    },
}

impl Levels {
    /// A warning when above it.
    pub(super) const fn above(unit: Unit, warning: f64) -> Self {
        Self::Above { unit, normal: None, warning: Some(warning), critical: None }
    }

    /// Critical when above it.
    pub(super) const fn critical_above(unit: Unit, critical: f64) -> Self {
        Self::Above { unit, normal: None, warning: None, critical: Some(critical) }
    }

    /// Normal below the first, critical above the second, a warning between them.
    pub(super) const fn graded(unit: Unit, normal: f64, critical: f64) -> Self {
        Self::Above { unit, normal: Some(normal), warning: Some(normal), critical: Some(critical) }
    }

    /// A warning when below it.
    pub(super) const fn below(unit: Unit, warning: f64) -> Self {
        Self::Below { unit, normal: None, warning: Some(warning), critical: None }
    }

    /// Normal from the first to the second.
    pub(super) const fn outside(unit: Unit, least: f64, most: f64) -> Self {
        Self::Outside { unit, least, most }
    }

    /// No alarm while this holds.
    pub(super) const fn normal_when(holds: &'static str) -> Self {
        Self::When { level: Level::Normal, holds }
    }

    /// A warning while this holds.
    pub(super) const fn warning_when(holds: &'static str) -> Self {
        Self::When { level: Level::Warning, holds }
    }

    /// Critical while this holds.
    pub(super) const fn critical_when(holds: &'static str) -> Self {
        Self::When { level: Level::Critical, holds }
    }

    /// Behind which bounds somebody is told, the mildest first; none where words say it. What lies below a range that is normal is no sign of memory, and tells
    /// nobody.
    pub fn alarms(&self) -> Vec<Alarm> {
        let (below, normal, warning, critical) = match *self {
            Self::Above { normal, warning, critical, .. } => (false, normal, warning, critical),
            Self::Below { normal, warning, critical, .. } => (true, normal, warning, critical),
            Self::Outside { most, .. } => (false, None, Some(most), None),
            Self::When { .. } => return Vec::new(),
        };
        let alarm = |level, bound: Option<f64>| {
            bound.map(|bound| Alarm { level, bound, inclusive: Some(bound) == normal, below })
        };
        [alarm(Level::Warning, warning), alarm(Level::Critical, critical)].into_iter().flatten().collect()
    }

    /// The unit of the bounds; absent where words say it.
    pub fn unit(&self) -> Option<Unit> {
        match *self {
            Self::Above { unit, .. } | Self::Below { unit, .. } | Self::Outside { unit, .. } => Some(unit),
            Self::When { .. } => None,
        }
    }

    /// Every bound, in its unit; none where words say it.
    pub fn bounds(&self) -> Vec<f64> {
        match *self {
            Self::Above { normal, warning, critical, .. } | Self::Below { normal, warning, critical, .. } => {
                [normal, warning, critical].into_iter().flatten().collect()
            }
            Self::Outside { least, most, .. } => vec![least, most],
            Self::When { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graded = |unit: Unit, [well, ill]: [&str; 2], [normal, warning, critical]: [Option<f64>; 3]| {
            let shared = normal.is_some() && normal == warning;
            let parts = [
                normal.map(|bound| format!("normal {well} {}", unit.write(bound))),
                warning.map(|bound| format!("warning {} {}", if shared { "from" } else { ill }, unit.write(bound))),
                critical.map(|bound| format!("critical {ill} {}", unit.write(bound))),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        match *self {
            Self::Above { unit, normal, warning, critical } => {
                f.write_str(&graded(unit, ["below", "above"], [normal, warning, critical]))
            }
            Self::Below { unit, normal, warning, critical } => {
                f.write_str(&graded(unit, ["above", "below"], [normal, warning, critical]))
            }
            Self::Outside { unit, least, most } => {
                write!(f, "normal from {} to {}", unit.write(least), unit.write(most))
            }
            Self::When { level, holds } => write!(f, "{} when {holds}", level.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::indicators;

    #[test]
    fn levels_are_in_words() {
        let words = [
            (Levels::graded(Unit::Share, 0.6, 0.8), "normal below 60%, warning from 60%, critical above 80%"),
            (Levels::above(Unit::Seconds, 0.1), "warning above 100ms"),
            (Levels::critical_above(Unit::BytesPerHour, 5e9), "critical above 5 GB/h"),
            (Levels::below(Unit::Share, 0.5), "warning below 50%"),
            (Levels::outside(Unit::BytesPerNode, 40.0, 80.0), "normal from 40 B a node to 80 B a node"),
            (Levels::warning_when("it grows"), "warning when it grows"),
        ];
        for (levels, expected) in words {
            assert_eq!(levels.to_string(), expected);
        }
        let json = serde_json::to_value(Levels::above(Unit::Bytes, 1e10)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "above": { "unit": "bytes", "normal": null, "warning": 1e10, "critical": null } })
        );
    }

    #[test]
    fn alarms_are_the_bounds_that_tell_somebody() {
        let told = |levels: Levels| {
            levels.alarms().iter().map(|one| (one.level, one.bound, one.inclusive, one.below)).collect::<Vec<_>>()
        };
        let graded = [(Level::Warning, 0.6, true, false), (Level::Critical, 0.8, false, false)];
        assert_eq!(told(Levels::graded(Unit::Share, 0.6, 0.8)), graded);
        assert_eq!(told(Levels::below(Unit::Share, 0.5)), [(Level::Warning, 0.5, false, true)]);
        assert_eq!(told(Levels::outside(Unit::Count, 50.0, 200.0)), [(Level::Warning, 200.0, false, false)]);
        assert_eq!(told(Levels::warning_when("it grows")), []);
    }

    #[test]
    fn bounds_are_in_the_order_of_their_levels() {
        for one in indicators() {
            let bounds = one.levels.bounds();
            let ordered = match one.levels {
                Levels::Below { .. } => bounds.is_sorted_by(|a, b| a >= b),
                _ => bounds.is_sorted(),
            };
            let worded = matches!(one.levels, Levels::When { .. });
            assert!(ordered && bounds.is_empty() == worded, "{}: {:?}", one.id, one.levels);
            if let Levels::Above { unit: Unit::Share, .. } | Levels::Outside { unit: Unit::Share, .. } = one.levels {
                assert!(bounds.iter().all(|bound| (0.0..=1.0).contains(bound)), "{}: {bounds:?}", one.id);
            }
        }
    }
}
