//! `connection_baseline`: are connections closed once the load has closed its own?

use soak_scenario::Threshold;

use super::baseline::{self, Counted};
use crate::evidence::Evidence;
use crate::observed::Observed;

static CONNECTIONS: Counted = Counted {
    series: "connections",
    least_samples: baseline::SAMPLES_OF_A_MOVING_COUNT,
    noun: "connections",
    there_were: "there were",
    next: "Runbook “High Memory Usage”, “Step 3: Identify Memory Consumers”: each connection holds memory; look for what keeps one that its client has \
     closed, then “Option C: Limit Concurrent Connections”.",
    culprit: |_| None,
};

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    baseline::measure(&CONNECTIONS, observed, threshold)
}
