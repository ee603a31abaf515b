//! `pending_baseline`: is what waits (transactions, jobs) worked off once the load is over?

use soak_scenario::Threshold;

use super::baseline::{self, Counted};
use crate::evidence::Evidence;
use crate::observed::Observed;

static PENDING: Counted = Counted {
    series: "pending_items",
    least_samples: baseline::SAMPLES_OF_A_MOVING_COUNT,
    noun: "items",
    there_were: "there waited",
    next: "Runbook “High Memory Usage”, “Step 3: Identify Memory Consumers”: what waits is held in memory; find what it waits for.",
    culprit: |_| None,
};

/// Measures one variant. A queue that is empty all the time is as it should be.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    baseline::measure_even_at_zero(&PENDING, observed, threshold)
}
