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
            match &found {
                Err(error) if error.is_not_found() => tally.miss(error),
                _ => tally.record(&found),
            }
            tally.add_rows(found.map_or(0, |found| found.len() as u64));
        }
    });
    Abuse::new(site, tally, tell).with_task(storm)
}

fn tell(counts: &Counts) -> Evidence {
    let mut figures = counts.figures();
    figures.extend([("not_found", counts.not_found as f64), ("found_rows", counts.rows as f64)]);
    Evidence {
        // A search of a dataset that is not there, or is empty, asks nothing of the target.
        took_place: counts.rows + counts.refused > 0,
        words: format!(
            "{} searches answered, with {} rows in all; {} of no dataset, {}",
            counts.acknowledged,
            counts.rows,
            counts.not_found,
            counts.failures()
        ),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_search_of_rows_shows_it() {
        let none = Counts { acknowledged: 9, not_found: 9, errors: 9, answers: true, ..Counts::default() };
        let evidence = tell(&none);
        assert!(!evidence.took_place && evidence.words.contains("9 of no dataset"), "{evidence:?}");
        assert!(tell(&Counts { rows: 1, ..none.clone() }).took_place, "answered");
        assert!(tell(&Counts { refused: 1, ..none }).took_place, "refused for what it asks");
    }
}
