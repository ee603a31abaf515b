//! A limit as the lines that set it: Kubernetes, systemd, the Go runtime.

use std::fmt::Write as _;

use serde::Serialize;

const MIB: f64 = 1_048_576.0;

/// Of the limit, what the Go runtime may plan with. Go's guide to its collector asks for 5 to 10 % of headroom for what the runtime does not know of.
const GOMEMLIMIT_SHARE: f64 = 0.9;

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
        let kubernetes = format!("resources:\n  requests:\n    memory: {limit}Mi\n  limits:\n    memory: {limit}Mi\n");
        let systemd = format!("MemoryHigh={high}M\nMemoryMax={limit}M\n");
        let mut why = vec![
            format!("memory cannot be taken back, so what is requested is the limit; at rest {} MiB are needed", mib(settled)),
            "MemoryHigh is the expected peak: above it the kernel reclaims and slows the store down before it kills it at MemoryMax".to_owned(),
        ];
        let mut environment = String::new();
        if sets_gogc && let Some(gogc) = gogc {
            let _ = writeln!(environment, "GOGC={gogc}");
        }
        if sets_gomemlimit {
            let soft = (limit as f64 * GOMEMLIMIT_SHARE).floor() as u64;
            let _ = writeln!(environment, "GOMEMLIMIT={soft}MiB");
            why.push(format!(
                "GOMEMLIMIT is {:.0} % of the limit: Go's guide asks for 5 to 10 % for what the runtime does not know of. It was off in the runs, so that peaks are what GOGC alone allows",
                GOMEMLIMIT_SHARE * 100.0
            ));
        }
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
}
