//! Put streams that are opened, begun with one small batch, and never finished.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::abuse::Abuse;
use super::keep_open::keep_open;
use super::site::Site;
use super::tally::{Counts, Tally, is_half};
use crate::client::FlightClient;
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::{Batch, CallError, Client as _, PutAcks, PutSender};

pub(super) const WHAT: &str = "unfinished";

/// Rows of the one batch.
const ROWS: u32 = 16;

/// Streams that are being opened at once.
const OPENING_AT_ONCE: usize = 16;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, count: u32) -> Abuse {
    let client = Arc::new(site.own(WHAT));
    let turns = Arc::new(Semaphore::new(OPENING_AT_ONCE));
    let abuse = Abuse::new(site, tally, move |counts| tell(count, counts)).with_datasets([Site::name(WHAT)]);
    (0..count).fold(abuse, |abuse, number| {
        let client = Arc::clone(&client);
        abuse.with_task(keep_open(
            Arc::clone(tally),
            Arc::clone(&turns),
            site.deadline,
            move || open(Arc::clone(&client), number),
            listen,
        ))
    })
}

type Stream = (Box<dyn PutSender>, Box<dyn PutAcks>);

async fn open(client: Arc<FlightClient>, number: u32) -> Result<Stream, CallError> {
    let (mut sender, acks) = client.open_put(Progress::default()).await?;
    sender.send(Batch { first: u64::from(number) * u64::from(ROWS), rows: ROWS, version: 0 }).await?;
    Ok((sender, acks))
}

/// Listens until the target ends the stream.
async fn listen((_sender, mut acks): Stream, tally: Arc<Tally>) {
    loop {
        match acks.next().await {
            Ok(Some(_)) => tally.acknowledge(),
            Ok(None) => return,
            Err(error) => return tally.record::<()>(&Err(error)),
        }
    }
}

fn tell(asked: u32, counts: &Counts) -> Evidence {
    let mut figures = vec![
        ("asked_streams", f64::from(asked)),
        ("opened_streams", counts.opened as f64),
        ("open_streams", counts.open as f64),
    ];
    figures.extend(counts.figures());
    Evidence {
        // Servers that answer a stream only at its end acknowledge none.
        took_place: is_half(counts.open, asked) && (counts.acknowledged > 0 || counts.answers),
        words: format!(
            "{} of {asked} put streams open and unfinished at the end, {} opened in all; {} batches acknowledged; {}",
            counts.open,
            counts.opened,
            counts.acknowledged,
            counts.failures()
        ),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_open_streams_show_nothing() {
        let open = |open| Counts { open, opened: 700, acknowledged: 700, ..Counts::default() };
        let few = tell(1000, &open(1));
        assert!(!few.took_place && few.words.starts_with("1 of 1000 put streams"), "{few:?}");
        assert!(tell(1000, &open(500)).took_place && tell(1, &open(1)).took_place);
    }
}
