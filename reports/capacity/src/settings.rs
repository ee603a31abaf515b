//! A limit as the lines that set it: Kubernetes, systemd, the Go runtime.

use std::fmt::Write as _;

use serde::Serialize;

use crate::bisection::Mib;

const MIB: f64 = 1_048_576.0;

/// Of the limit, what the Go runtime may plan with. Go's guide to its collector asks for 5 to 10 % of headroom for what the runtime does not know of.
const GOMEMLIMIT_SHARE: f64 = 0.9;

/// What is given beyond the smallest limit that a search found: this part of it.
const MARGIN_PART: Mib = 10;

/// Lines to paste.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// `resources:` of a container.
    pub kubernetes: String,
    /// Directives of a unit's `[Service]`.
    pub systemd: String,
    /// Variables of the Go runtime; absent where the target is told none.
    pub environment: Option<String>,
    /// Why these numbers.
    pub why: Vec<String>,
}

impl Settings {
    /// Of memory at rest, the peak and the limit, in bytes; and whether the target is told GOGC and GOMEMLIMIT.
    pub(crate) fn of(
        settled: f64,
        peak: f64,
        limit: f64,
        (sets_gogc, sets_gomemlimit): (bool, bool),
        gogc: Option<f64>,
    ) -> Self {
        let mib = |bytes: f64| (bytes / MIB).ceil() as u64;
        let (limit, high) = (mib(limit), mib(peak).min(mib(limit)));
        let mut why = vec![
            format!("memory cannot be taken back, so what is requested is the limit; at rest {} MiB are needed", mib(settled)),
            "MemoryHigh is the expected peak: above it the kernel reclaims and slows the store down before it kills it at MemoryMax".to_owned(),
        ];
        let mut environment = String::new();
        if sets_gogc && let Some(gogc) = gogc {
            let _ = writeln!(environment, "GOGC={gogc}");
        }
        if sets_gomemlimit {
            let soft = ((limit as f64 * GOMEMLIMIT_SHARE).floor() as u64).max(1);
            let _ = writeln!(environment, "GOMEMLIMIT={soft}MiB");
            why.push(format!(
                "GOMEMLIMIT is {:.0} % of the limit: Go's guide asks for 5 to 10 % for what the runtime does not know of. It was off in the runs, so that peaks are what GOGC alone allows",
                GOMEMLIMIT_SHARE * 100.0
            ));
        }
        Self::lines(high, limit, environment, why)
    }

    /// Of the smallest limit that a load survived, in MiB, with this GOGC, where the target is told it, and GOMEMLIMIT as this share of the limit.
    pub fn above(smallest: Mib, gogc: Option<&str>, gomemlimit_share: Option<f64>) -> Self {
        let limit = smallest + smallest.div_ceil(MARGIN_PART);
        let mut environment = String::new();
        if let Some(gogc) = gogc {
            let _ = writeln!(environment, "GOGC={gogc}");
        }
        if let Some(share) = gomemlimit_share {
            let _ = writeln!(environment, "GOMEMLIMIT={}MiB", ((limit as f64 * share).floor() as u64).max(1));
        }
        let why = vec![
            "the limit is a tenth above the smallest that survived, because a tenth below it not every run does; a load that grows needs more".to_owned(),
            "MemoryHigh is the smallest that survived".to_owned(),
        ];
        Self::lines(smallest, limit, environment, why)
    }

    fn lines(high: Mib, limit: Mib, environment: String, why: Vec<String>) -> Self {
        let kubernetes = format!("resources:\n  requests:\n    memory: {limit}Mi\n  limits:\n    memory: {limit}Mi\n");
        let systemd = format!("MemoryHigh={high}M\nMemoryMax={limit}M\n");
        Self { kubernetes, systemd, environment: (!environment.is_empty()).then_some(environment), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_they_set() {
        let settings = Settings::of(500.0 * MIB, 900.0 * MIB, 1024.0 * MIB, (true, true), Some(75.0));
        assert_eq!(settings.kubernetes, "resources:\n  requests:\n    memory: 1024Mi\n  limits:\n    memory: 1024Mi\n");
        assert_eq!(settings.systemd, "MemoryHigh=900M\nMemoryMax=1024M\n");
        assert_eq!(settings.environment.as_deref(), Some("GOGC=75\nGOMEMLIMIT=921MiB\n"));
        assert_eq!(Settings::of(MIB, MIB, MIB, (false, false), None).environment, None);
    }

    #[test]
    fn a_limit_that_was_found_is_given_a_tenth_more() {
        let settings = Settings::above(41, Some("off"), Some(0.9));
        assert_eq!(settings.systemd, "MemoryHigh=41M\nMemoryMax=46M\n");
        assert_eq!(settings.environment.as_deref(), Some("GOGC=off\nGOMEMLIMIT=41MiB\n"));
        assert_eq!(Settings::above(50, None, None).environment, None);
        assert_eq!(Settings::above(50, None, None).systemd, "MemoryHigh=50M\nMemoryMax=55M\n");
    }
}
