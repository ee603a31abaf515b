//! Batches far above what is usual: one message each. They are generated while they are sent, so that the harness does not grow with them.

use std::sync::Arc;
use std::time::Duration;

use soak_scenario::units::Bytes;

use super::abuse::Abuse;
use super::site::{Site, put};
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::Batch;

pub(super) const WHAT: &str = "oversized";

/// A gRPC message has 32 bits for its length, of which many servers read 31.
const SIZE_MAX: Bytes = Bytes::mib(2000);

/// How often bytes are counted.
const COUNT_EVERY: Duration = Duration::from_millis(50);

/// More than connections hold between harness and target: what was taken above it, the target has seen.
const IN_BETWEEN_BYTES: u64 = 16 << 20;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, size: Bytes, count: u32) -> Result<Abuse, String> {
    if size > SIZE_MAX {
        return Err(format!(
            "oversized_batches: a batch of {size} is more than a message can hold; take {SIZE_MAX} at most"
        ));
    }
    let row_bytes = u64::from(site.spec.dim) * size_of::<f32>() as u64;
    let rows = size.0.div_ceil(row_bytes.max(1)).max(1) as u32;
    let sending = send(site.clone(), Arc::clone(tally), rows, count);
    Ok(Abuse::new(site, tally, tell).with_datasets([Site::name(WHAT)]).with_task(sending))
}

async fn send(site: Site, tally: Arc<Tally>, rows: u32, count: u32) {
    let client = site.own(WHAT);
    for number in 0..u64::from(count) {
        let (progress, mut counted) = (Progress::default(), 0);
        let batch = Batch { first: number * u64::from(rows), rows, version: 0 };
        let sent = {
            let sending = put(&client, [batch], &progress, site.deadline);
            tokio::select! {
                sent = sending => sent,
                never = count_on(&progress, &tally, &mut counted) => match never {},
            }
        };
        tally.add_bytes(progress.taken_bytes() - counted);
        tally.record(&sent);
    }
}

/// Counts what is taken while it is: one batch may take longer than the abuse lasts.
async fn count_on(progress: &Progress, tally: &Tally, counted: &mut u64) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(COUNT_EVERY).await;
        let taken = progress.taken_bytes();
        tally.add_bytes(taken - *counted);
        *counted = taken;
    }
}

fn tell(counts: &Counts) -> Evidence {
    let mut figures = vec![("taken_bytes", counts.bytes as f64)];
    figures.extend(counts.figures());
    Evidence {
        // One that dies of the first batch says nothing to it.
        took_place: counts.was_heard() || counts.bytes > IN_BETWEEN_BYTES,
        words: format!(
            "{} batches acknowledged, and {} bytes taken in all; {}",
            counts.acknowledged,
            counts.bytes,
            counts.failures()
        ),
        figures,
    }
}
