//! The same ids put again and again, with either version of their vectors in turn.

use std::sync::Arc;

use soak_scenario::units::Rate;
use soak_workload::SECOND_VERSION;

use super::abuse::Abuse;
use super::pace::at_rate;
use super::site::{Site, put};
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::Batch;

pub(super) const WHAT: &str = "reused-ids";

/// Batches under way at once.
const IN_FLIGHT: usize = 4;

/// Rows of each batch.
const ROWS: u32 = 256;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rate: Rate) -> Abuse {
    let (client, deadline) = (Arc::new(site.own(WHAT)), site.deadline);
    let counted = Arc::clone(tally);
    let storm = at_rate(rate, IN_FLIGHT, move |number| {
        let (client, tally) = (Arc::clone(&client), Arc::clone(&counted));
        let version = if number % 2 == 0 { 0 } else { SECOND_VERSION };
        async move {
            let batch = Batch { first: 0, rows: ROWS, version };
            tally.record(&put(&client, [batch], &Progress::default(), deadline).await);
        }
    });
    Abuse::new(site, tally, tell).with_datasets([Site::name(WHAT)]).with_task(storm)
}

fn tell(counts: &Counts) -> Evidence {
    let mut figures = counts.figures();
    figures.push(("ids", f64::from(ROWS)));
    Evidence {
        took_place: counts.acknowledged > 0,
        words: format!("{} batches of the same {ROWS} ids acknowledged; {}", counts.acknowledged, counts.failures()),
        figures,
    }
}
