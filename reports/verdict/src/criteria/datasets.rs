//! `dataset_baseline`: is every dataset dropped again that a cycle makes?

use soak_scenario::Threshold;

use super::baseline::{self, Counted};
use crate::evidence::Evidence;
use crate::observed::Observed;

static DATASETS: Counted = Counted {
    series: "datasets",
    least_samples: baseline::SAMPLES_OF_A_MOVING_COUNT,
    noun: "datasets",
    there_were: "there were",
    next: "Runbook “High Memory Usage Troubleshooting”, “2. Check for Leaky Datasets”: find who makes datasets and does not drop them.",
    culprit: |_| None,
};

/// Measures one variant. That there was none when idle is no series that is never set.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    baseline::measure(&DATASETS, observed, threshold)
}
