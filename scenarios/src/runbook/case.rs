//! The cases that the runbooks tell how to deal with: what a failed run is matched against.

use serde::{Deserialize, Serialize};

use super::Runbook;
use crate::profile::Profile;

/// A case of a runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Memory grows and the data does not.
    Growth,
    /// Memory jumps while data is put, and is late or never to come back.
    Spikes,
    /// Resident memory is high by what is not the heap's.
    HighRss,
    /// Goroutines are started and never end.
    Goroutines,
    /// Compaction runs and reclaims nothing, or not enough.
    FailedCompaction,
    /// A Guts node grows.
    GutsLeak,
    /// A Guts node holds on to connections.
    GutsConnections,
    /// A Guts node has less memory than its load takes.
    GutsUndersized,
}

impl Case {
    /// Every case, in the order of the runbooks.
    pub const ALL: [Self; 8] = [
        Self::Growth,
        Self::Spikes,
        Self::HighRss,
        Self::Goroutines,
        Self::FailedCompaction,
        Self::GutsLeak,
        Self::GutsConnections,
        Self::GutsUndersized,
    ];

    /// The runbook that it is from.
    pub fn runbook(self) -> Runbook {
        match self {
            Self::GutsLeak | Self::GutsConnections | Self::GutsUndersized => Runbook::Guts,
            _ => Runbook::Longbow,
        }
    }

    /// Its heading, to the letter.
    pub fn section(self) -> &'static str {
        match self {
            Self::Growth => "Scenario 1: Memory Usage Keeps Growing",
            Self::Spikes => "Scenario 2: Memory Spikes During Indexing",
            Self::HighRss => "Scenario 3: High RSS But Low Memory Usage",
            Self::Goroutines => "Scenario 4: Goroutine Leaks",
            Self::FailedCompaction => "Scenario 5: Failed Compaction",
            Self::GutsLeak => "Investigation: Memory Leak",
            Self::GutsConnections => "Option C: Limit Concurrent Connections",
            Self::GutsUndersized => "Option F: Add Memory (If Undersized)",
        }
    }

    /// The same case as the runbook for Guts has it.
    #[must_use]
    pub fn in_guts(self) -> Self {
        match self {
            Self::Growth | Self::HighRss | Self::FailedCompaction => Self::GutsLeak,
            Self::Goroutines => Self::GutsConnections,
            Self::Spikes => Self::GutsUndersized,
            own => own,
        }
    }
}

impl Runbook {
    /// The one for targets of a profile: that for Guts where the profile's name says so, else that for vector stores.
    pub fn of(profile: &Profile) -> Self {
        if profile.name.starts_with("guts") { Self::Guts } else { Self::Longbow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::steps;

    #[test]
    fn every_case_is_a_section_that_the_catalogue_has() {
        for case in Case::ALL {
            // The investigation of a leak is spread over headings of its own.
            let section = if case == Case::GutsLeak { "Step 1: Enable Memory Profiling" } else { case.section() };
            assert!(steps().any(|step| step.runbook == case.runbook() && step.section == section), "{section}");
            assert_eq!(case.in_guts().runbook(), Runbook::Guts);
        }
    }
}
