//! Batches whose vectors have one component more than the dataset's.

use std::sync::Arc;

use soak_scenario::units::Rate;

use super::abuse::Abuse;
use super::pace::at_rate;
use super::site::{Site, put};
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::Batch;

pub(super) const WHAT: &str = "wrong-dimension";

/// Batches under way at once.
const IN_FLIGHT: usize = 8;

/// Rows of the dataset, and of a wrong batch.
const ROWS: u32 = 4;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rate: Rate) -> Abuse {
    let storm = storm(site.clone(), Arc::clone(tally), rate);
    Abuse::new(site, tally, tell).with_datasets([Site::name(WHAT)]).with_task(storm)
}

async fn storm(site: Site, tally: Arc<Tally>, rate: Rate) {
    let batch = Batch { first: 0, rows: ROWS, version: 0 };
    // Where it cannot be made, the first wrong batch makes it, and the rest are right: they count as taken.
    let _ = put(&site.own(WHAT), [batch], &Progress::default(), site.deadline).await;
    let wrong = Arc::new(site.own_of(WHAT, site.spec.dim + 1));
    at_rate(rate, IN_FLIGHT, move |_| {
        let (wrong, tally, deadline) = (Arc::clone(&wrong), Arc::clone(&tally), site.deadline);
        async move { tally.record(&put(&wrong, [batch], &Progress::default(), deadline).await) }
    })
    .await;
}

fn tell(counts: &Counts) -> Evidence {
    super::wrong("another dimension", counts)
}
