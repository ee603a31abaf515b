//! Rows that are put and deleted one by one, with no compaction after it.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};

use super::abuse::Abuse;
use super::site::{Site, batches, put};
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::{Client as _, within};

pub(super) const WHAT: &str = "tombstones";

/// Rows that are put before they are deleted: tombstones come from the first second on.
const BATCH_ROWS: u32 = 256;

/// Deletes at once.
const IN_FLIGHT: usize = 8;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rows: u32) -> Abuse {
    let burying = bury(site.clone(), Arc::clone(tally), rows);
    Abuse::new(site, tally, tell).with_datasets([Site::name(WHAT)]).with_task(burying)
}

async fn bury(site: Site, tally: Arc<Tally>, rows: u32) {
    let client = site.own(WHAT);
    let (client, tally, deadline) = (&client, &tally, site.deadline);
    for batch in batches(rows, BATCH_ROWS) {
        let made = put(client, [batch], &Progress::default(), deadline).await;
        if made.is_err() {
            tally.record(&made);
            continue;
        }
        tally.add_rows(u64::from(batch.rows));
        let deletes = stream::iter(batch.ids()).for_each_concurrent(IN_FLIGHT, |id| async move {
            tally.record(&within(deadline, client.delete(id)).await);
        });
        deletes.await;
    }
}

fn tell(counts: &Counts) -> Evidence {
    let mut figures = vec![("put_rows", counts.rows as f64), ("deleted_rows", counts.acknowledged as f64)];
    figures.extend(counts.figures().into_iter().skip(1));
    Evidence {
        took_place: counts.acknowledged > 0,
        words: format!(
            "{} deletes acknowledged, of {} rows put; {}",
            counts.acknowledged,
            counts.rows,
            counts.failures()
        ),
        figures,
    }
}
