//! Searches of the load's dataset for very many neighbours.

use std::sync::Arc;

use soak_scenario::units::Rate;

use super::abuse::Abuse;
use super::pace::at_rate;
use super::site::Site;
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::target::within;

/// Searches under way at once.
const IN_FLIGHT: usize = 8;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, k: u32, rate: Rate) -> Abuse {
    let (client, deadline) = (Arc::new(site.client()), site.deadline);
    let counted = Arc::clone(tally);
    let storm = at_rate(rate, IN_FLIGHT, move |number| {
        let (client, tally) = (Arc::clone(&client), Arc::clone(&counted));
        async move {
            let found = within(deadline, client.search_scored(number, k)).await;
            tally.record(&found);
            tally.add_rows(found.map_or(0, |found| found.len() as u64));
        }
    });
    Abuse::new(site, tally, tell).with_task(storm)
}

fn tell(counts: &Counts) -> Evidence {
    let mut figures = counts.figures();
    figures.push(("found_rows", counts.rows as f64));
    Evidence {
        took_place: counts.was_heard(),
        words: format!(
            "{} searches answered, with {} rows in all; {}",
            counts.acknowledged,
            counts.rows,
            counts.failures()
        ),
        figures,
    }
}
