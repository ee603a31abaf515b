//! Datasets that are made and left.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};

use super::abuse::Abuse;
use super::site::{Site, batches, put};
use super::tally::{Counts, Tally, is_half};
use crate::fault::Evidence;
use crate::load::Progress;

/// Datasets that are being made at once.
const IN_FLIGHT: usize = 4;

/// Rows of a batch at most.
const BATCH_ROWS: u32 = 1024;

pub(super) fn what(number: u32) -> String {
    format!("abandoned-{number}")
}

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, count: u32, rows: u32) -> Abuse {
    let names = (0..count).map(|number| Site::name(&what(number)));
    let making = make(site.clone(), Arc::clone(tally), count, rows);
    Abuse::new(site, tally, move |counts| tell(count, counts)).with_datasets(names).with_task(making)
}

async fn make(site: Site, tally: Arc<Tally>, count: u32, rows: u32) {
    let (site, tally) = (&site, &tally);
    let makings = stream::iter(0..count).for_each_concurrent(IN_FLIGHT, |number| async move {
        let client = site.own(&what(number));
        let made = put(&client, batches(rows, BATCH_ROWS), &Progress::default(), site.deadline).await;
        tally.record(&made);
        if made.is_ok() {
            tally.add_rows(u64::from(rows));
        }
    });
    makings.await;
}

fn tell(asked: u32, counts: &Counts) -> Evidence {
    let mut figures = vec![
        ("asked_datasets", f64::from(asked)),
        ("made_datasets", counts.acknowledged as f64),
        ("made_rows", counts.rows as f64),
    ];
    figures.extend(counts.figures().into_iter().skip(1));
    Evidence {
        took_place: is_half(counts.acknowledged, asked),
        words: format!(
            "{} of {asked} datasets made and left, with {} rows in all; {}",
            counts.acknowledged,
            counts.rows,
            counts.failures()
        ),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_datasets_show_nothing() {
        let made = |acknowledged| Counts { acknowledged, ..Counts::default() };
        let few = tell(1000, &made(1));
        assert!(!few.took_place && few.words.starts_with("1 of 1000 datasets"), "{few:?}");
        assert!(tell(1000, &made(500)).took_place && tell(1, &made(1)).took_place);
    }
}
